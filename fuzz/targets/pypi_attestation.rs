//! Attestations that come with Python uploads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| formats::pypi::fuzzing::attestation(bytes));
