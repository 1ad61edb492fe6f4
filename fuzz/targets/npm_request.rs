//! Paths and queries of npm's clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::npm::fuzzing::request(bytes));
