//! Keys of other issuers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iam::fuzzing::keys(bytes));
