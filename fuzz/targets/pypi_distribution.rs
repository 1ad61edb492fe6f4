//! Wheels and source distributions.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::pypi::fuzzing::distribution(bytes));
