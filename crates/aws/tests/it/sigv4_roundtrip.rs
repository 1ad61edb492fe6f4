//! What is signed verifies, and nothing that differs from it does.

use std::time::Duration;

use aws::sigv4::{
    Claim, Credentials, NotSigned, PayloadHash, Rules, Signer, SigningKey, body_hash,
};
use aws::{Region, SecretString, Timestamp};
use http::request::Parts;
use http::{HeaderValue, Request};
use proptest::prelude::*;

use crate::sigv4_vectors::{Case, vectors};

const NOW: Timestamp = Timestamp::from_seconds(1_773_500_966);

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        secret_access_key: SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: token.map(SecretString::from),
    }
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn sign(parts: &mut Parts, payload: &str, token: Option<&str>) -> SigningKey {
    let credentials = credentials(token);
    let signer = Signer {
        credentials: &credentials,
        region: &region(),
        service: "codeartifact",
    };
    signer.sign(parts, payload, NOW).unwrap();
    let secret = &credentials.secret_access_key;
    SigningKey::derive(secret, &NOW.amz_day(), &region(), "codeartifact")
}

fn rules() -> Rules {
    Rules::new("codeartifact", Some(vec![region()]))
}

proptest! {
    #[test]
    fn what_is_signed_verifies(
        path in "(/[a-z0-9%.~+-]{0,8}){0,4}",
        query in "([a-z]{1,3}=([a-z+~/:ü]|%[0-7][0-9A-F]){0,6}(&[a-z]{1,3}=[a-z]{0,3}){0,3})?",
        header in "[ -~]{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
        token in proptest::option::of("[A-Za-z0-9+/=]{20}"),
    ) {
        let path = if path.is_empty() { "/" } else { &path };
        let uri = format!("http://packhouse.test:7070{path}?{query}");
        let mut parts = parts("POST", &uri, &[("x-extra", &header), ("user-agent", "a")]);
        let key = sign(&mut parts, &body_hash(&body), token.as_deref());
        parts.headers.insert("user-agent", HeaderValue::from_static("b"));
        let claim = Claim::read(&parts, &rules(), NOW.plus(Duration::from_mins(1))).unwrap();
        prop_assert_eq!(claim.session_token().map(|token| token.expose().clone()), token);
        prop_assert_eq!(claim.verify(&key, &body_hash(&body)), Ok(()));
        let mut other = body;
        other.push(0);
        prop_assert!(claim.verify(&key, &body_hash(&other)).is_err());
    }
}

/// Flips each byte of the method, the target, each signed header's value and the body.
#[test]
fn changing_any_byte_of_a_good_request_makes_it_refused() {
    let vectors = vectors();
    let good = vectors
        .cases
        .iter()
        .filter(|case| case.expect.result == "ok");
    // Left out: requests whose server ignores the body, and the large one.
    let good: Vec<&Case> = good
        .filter(|case| !case.id.ends_with("62") && !case.id.ends_with("64"))
        .filter(|case| case.request.body().len() < 1000)
        .step_by(4)
        .collect();
    assert!(good.len() >= 10);
    let mut tried = 0;
    for case in good {
        let original = case.request.parts().unwrap();
        let signed = vectors.decide(case, &original).unwrap();
        for changed in changes(case) {
            // What a server refuses anyway, and other spellings of the same request.
            let Some(parts) = changed.request.parts() else {
                continue;
            };
            let hash = body_hash(&changed.request.body());
            tried += 1;
            let Ok(claim) = vectors.decide(&changed, &parts) else {
                continue;
            };
            let canonical = |claim: &Claim| claim.canonical_requests(&hash).next();
            assert_eq!(canonical(&claim), canonical(&signed), "{}", case.id);
            assert_eq!(claim.path(), signed.path(), "{}", case.id);
            let sorted = |claim: &Claim| {
                let mut pairs = claim.query().to_vec();
                pairs.sort();
                pairs
            };
            assert_eq!(sorted(&claim), sorted(&signed), "{}", case.id);
        }
    }
    assert!(tried > 2000, "{tried}");
}

fn changes(case: &Case) -> Vec<Case> {
    let mut changed = Vec::new();
    let mut push = |change: &dyn Fn(&mut Case)| {
        let mut copy = case.clone();
        change(&mut copy);
        changed.push(copy);
    };
    for mask in [1, 0x20] {
        let flip = |text: &mut String, at: usize| {
            let mut bytes = std::mem::take(text).into_bytes();
            bytes[at] ^= mask;
            *text = String::from_utf8_lossy(&bytes).into_owned();
        };
        for at in 0..case.request.method.len() {
            push(&|case| flip(&mut case.request.method, at));
        }
        for at in 0..case.request.target.len() {
            push(&|case| flip(&mut case.request.target, at));
        }
        for (index, (_, value)) in case.request.headers.iter().enumerate() {
            for at in 0..value.len() {
                push(&|case| flip(&mut case.request.headers[index].1, at));
            }
        }
        let body = case.request.body();
        for at in 0..body.len() {
            let mut body = body.clone();
            body[at] ^= mask;
            push(&|case| case.request.set_body(&body));
        }
    }
    changed
}

#[test]
fn a_declared_hash_can_be_checked_before_the_body() {
    let hash = body_hash(b"asset");
    let mut parts = parts(
        "POST",
        "/v1/package/version/publish?domain=d",
        &[("host", "h"), ("x-amz-content-sha256", &hash)],
    );
    let key = sign(&mut parts, &hash, None);
    let claim = Claim::read(&parts, &rules(), NOW).unwrap();
    assert_eq!(*claim.payload(), PayloadHash::Declared(hash.clone()));
    assert_eq!(claim.verify_before_body(&key), Ok(()));
    assert_eq!(claim.verify(&key, &hash), Ok(()));
    let other = body_hash(b"other");
    assert_eq!(claim.verify(&key, &other), Err(NotSigned::PayloadMismatch));
}

#[test]
fn a_body_without_a_declared_hash_must_be_read_first() {
    let mut parts = parts("POST", "/v1/domains", &[("host", "h")]);
    let key = sign(&mut parts, &body_hash(b"{}"), None);
    let claim = Claim::read(&parts, &rules(), NOW).unwrap();
    let found = claim.verify_before_body(&key);
    assert_eq!(found, Err(NotSigned::UnsupportedPayload));
}

#[test]
fn publishing_tolerates_a_body_signed_as_unsigned_whose_hash_is_signed() {
    let hash = body_hash(b"asset");
    let uri = "/v1/package/version/publish?domain=d";
    let mut signed = parts(
        "POST",
        uri,
        &[("host", "h"), ("x-amz-content-sha256", &hash)],
    );
    let key = sign(&mut signed, "UNSIGNED-PAYLOAD", None);
    let publish = Rules {
        retry_as_unsigned_payload: true,
        ..rules()
    };
    let claim = Claim::read(&signed, &publish, NOW).unwrap();
    assert_eq!(claim.verify_before_body(&key), Ok(()));
    assert_eq!(claim.verify(&key, &hash), Ok(()));
    let other = body_hash(b"other");
    assert_eq!(claim.verify(&key, &other), Err(NotSigned::PayloadMismatch));
    // Elsewhere it is a wrong signature, and so it is when the header was added afterwards.
    let elsewhere = Claim::read(&signed, &rules(), NOW).unwrap();
    assert!(elsewhere.verify(&key, &hash).is_err());
    let mut unsigned = parts("POST", uri, &[("host", "h")]);
    let key = sign(&mut unsigned, "UNSIGNED-PAYLOAD", None);
    let value = HeaderValue::from_str(&hash).unwrap();
    unsigned.headers.insert("x-amz-content-sha256", value);
    let claim = Claim::read(&unsigned, &publish, NOW).unwrap();
    assert!(claim.verify(&key, &hash).is_err());
}

#[test]
fn a_forwarded_host_counts_only_from_a_trusted_proxy() {
    let empty = body_hash(b"");
    let mut parts = parts("GET", "/v1/domain?domain=d", &[("host", "outside.test")]);
    let key = sign(&mut parts, &empty, None);
    parts
        .headers
        .insert("host", HeaderValue::from_static("inside"));
    let forwarded = HeaderValue::from_static("outside.test");
    parts.headers.insert("x-forwarded-host", forwarded);
    let trusting = Rules {
        trust_forwarded_host: true,
        ..rules()
    };
    for (rules, good) in [(rules(), false), (trusting, true)] {
        let claim = Claim::read(&parts, &rules, NOW).unwrap();
        assert_eq!(claim.verify(&key, &empty).is_ok(), good);
    }
}

#[test]
fn http_2_carries_the_host_in_the_address() {
    let empty = body_hash(b"");
    let uri = "https://packhouse.test:443/v1/domain?domain=d";
    let mut signed = parts("GET", uri, &[]);
    let key = sign(&mut signed, &empty, None);
    let mut arrived = parts("GET", "https://packhouse.test/v1/domain?domain=d", &[]);
    arrived.headers = signed.headers;
    let claim = Claim::read(&arrived, &rules(), NOW).unwrap();
    assert_eq!(claim.verify(&key, &empty), Ok(()));
    // Two Host headers are two readings of one request.
    arrived
        .headers
        .append("host", HeaderValue::from_static("packhouse.test"));
    arrived
        .headers
        .append("host", HeaderValue::from_static("evil.test"));
    let claim = Claim::read(&arrived, &rules(), NOW).unwrap();
    assert!(claim.verify(&key, &empty).is_err());
}

#[test]
fn a_claim_does_not_print_its_secrets() {
    let mut parts = parts("GET", "/v1/domain", &[("host", "h")]);
    sign(&mut parts, &body_hash(b""), Some("session+token"));
    let text = format!("{:?}", Claim::read(&parts, &rules(), NOW).unwrap());
    assert!(text.contains("AKIAIOSFODNN7EXAMPLE"), "{text}");
    assert!(!text.contains("session+token"), "{text}");
    let parts = format!("{parts:?}");
    assert!(!parts.contains("session+token"), "{parts}");
}
