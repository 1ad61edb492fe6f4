//! Tarballs of npm packages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::npm::fuzzing::tarball(bytes));
