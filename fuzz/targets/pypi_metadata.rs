//! Core metadata of Python's packages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::pypi::fuzzing::metadata(bytes));
