//! Headers that ask for a part, or for what has changed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::fuzzing::conditions(bytes));
