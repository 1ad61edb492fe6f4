//! Paths of Maven's clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::maven::fuzzing::request(bytes));
