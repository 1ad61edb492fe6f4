//! Tokens that package managers carry: nothing that nobody sealed opens.
#![no_main]

use iam::tokens::{Bearer, Keyring, SessionToken};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut keys = Keyring::default();
    keys.insert(1, &[7; 32]);
    assert!(Bearer::open(text, &keys, 1_800_000_000).is_err());
    assert!(SessionToken::open(text, &keys, "ASIAEXAMPLE").is_err());
    drop(Bearer::name(text));
});
