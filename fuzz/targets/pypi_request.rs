//! Paths of Python's clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::pypi::fuzzing::request(bytes));
