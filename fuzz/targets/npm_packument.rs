//! Documents of npm registries.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::npm::fuzzing::packument(bytes));
