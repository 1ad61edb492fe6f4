//! The token vectors of the specification, whole.

use iam::revocations::{Revocations, Subject};
use iam::tokens::{Bearer, Keyring, Refused, SessionToken};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    keys: Vec<Key>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Key {
    kid: u16,
    key_hex: String,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    name: String,
    kind: String,
    token: String,
    now: u64,
    domain_id: u64,
    expect: Expect,
    access_key_id: Option<String>,
    #[serde(default)]
    revocations: Vec<Entry>,
}

#[derive(Deserialize)]
struct Expect {
    result: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    kind: String,
    id: String,
    not_before: Option<u64>,
}

fn read() -> (Keyring, Vec<Case>) {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../vectors/identity-token-vectors.json")).unwrap();
    let mut keys = Keyring::default();
    for key in &vectors.keys {
        keys.insert(
            key.kid,
            &hex::decode(&key.key_hex).unwrap().try_into().unwrap(),
        );
    }
    (keys, vectors.cases)
}

fn revocations(entries: &[Entry]) -> Revocations {
    let mut revocations = Revocations::default();
    for entry in entries {
        let id = entry.id.parse().unwrap();
        let subject = match entry.kind.as_str() {
            "token" => Subject::Token(id),
            "session" => Subject::Session(id),
            other => panic!("unknown kind {other}"),
        };
        revocations.insert(subject, entry.not_before.unwrap_or(u64::MAX));
    }
    revocations
}

fn reason(refused: Refused) -> &'static str {
    match refused {
        Refused::Malformed => "malformed",
        Refused::UnknownKey => "unknown-key",
        Refused::BadTag => "bad-tag",
        Refused::Expired => "expired",
        Refused::NotYetValid => "not-yet-valid",
        Refused::KeyMismatch => "key-mismatch",
    }
}

fn verify(case: &Case, keys: &Keyring) -> Result<(), &'static str> {
    if case.kind == "sts" {
        let key = case.access_key_id.as_deref().unwrap();
        return SessionToken::check(&case.token, keys, key, case.now)
            .map(|_| ())
            .map_err(reason);
    }
    let bearer = Bearer::open(&case.token, keys, case.now).map_err(reason)?;
    if bearer.domain != case.domain_id {
        return Err("wrong-domain");
    }
    let (revocations, issued) = (revocations(&case.revocations), u64::from(bearer.issued));
    if revocations.kills(Subject::Token(bearer.token), issued)
        || revocations.kills(Subject::Session(bearer.session), issued)
    {
        return Err("revoked");
    }
    Ok(())
}

#[test]
fn every_token_vector_is_answered_as_specified() {
    let (keys, cases) = read();
    assert_eq!(cases.len(), 37);
    for case in &cases {
        let expected = match case.expect.result.as_str() {
            "ok" => Ok(()),
            _ => Err(case.expect.reason.as_deref().unwrap()),
        };
        assert_eq!(verify(case, &keys), expected, "{} {}", case.id, case.name);
    }
}

#[test]
fn a_good_token_is_sealed_again_to_the_very_same_text() {
    let (keys, cases) = read();
    for case in cases.iter().filter(|case| case.expect.result == "ok") {
        let sealed = match case.kind.as_str() {
            "sts" => {
                let key = case.access_key_id.as_deref().unwrap();
                SessionToken::check(&case.token, &keys, key, case.now)
                    .unwrap()
                    .seal(&keys)
                    .unwrap()
            }
            _ => Bearer::open(&case.token, &keys, case.now)
                .unwrap()
                .seal(&keys)
                .unwrap(),
        };
        assert_eq!(*sealed, case.token, "{}", case.id);
    }
}

#[test]
fn no_changed_byte_of_a_token_goes_unseen() {
    let (keys, cases) = read();
    let good = &cases[0];
    for at in 0..good.token.len() {
        for letter in "AZaz09-_+/=. \u{e9}".chars() {
            let mut changed: Vec<char> = good.token.chars().collect();
            if changed[at] == letter {
                continue;
            }
            changed[at] = letter;
            let changed: String = changed.into_iter().collect();
            assert!(
                Bearer::open(&changed, &keys, good.now).is_err(),
                "{at} {letter}"
            );
        }
    }
    for length in 0..good.token.len() {
        assert_eq!(
            Bearer::open(&good.token[..length], &keys, good.now),
            Err(Refused::Malformed),
            "{length}"
        );
    }
}
