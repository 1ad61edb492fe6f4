//! Ranges of versions as npm has them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::npm::fuzzing::range(bytes));
