//! Documents about the versions of an artifact.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::maven::fuzzing::metadata(bytes));
