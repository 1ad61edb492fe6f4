//! Pages of Python's indexes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::pypi::fuzzing::page(bytes));
