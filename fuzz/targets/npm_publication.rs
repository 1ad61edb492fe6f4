//! Documents that npm's clients publish with.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::npm::fuzzing::publication(bytes));
