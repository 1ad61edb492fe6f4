//! How the keys of issuers are found, remembered and found again, and how often an issuer is asked for them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::house::{House, NOW};
use crate::issuer::{Answer, DISCOVERY, ISSUER, JWKS, Key, PROVIDER};
use crate::web_identity::{NO_KEY, claims, trust, with};

on_each_database! {
    a_thousand_unknown_keys_ask_the_issuer_once_a_minute,
    keys_that_were_changed_are_found_and_an_issuer_may_be_down_for_a_day,
    documents_that_are_not_the_issuers_give_no_keys,
    keys_may_stand_in_a_file,
}

async fn a_thousand_unknown_keys_ask_the_issuer_once_a_minute(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let good = key.sign(&claims());
    let unknown = |number: usize| {
        let header = json!({"alg": "RS256", "kid": format!("made-up-{number}")});
        let payload = claims().to_string();
        format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(payload)
        )
    };
    // All at once and before anything is known: two documents.
    let shown = (0..500).map(|number| {
        let (house, token) = (&house, unknown(number));
        async move { house.told(&token).await }
    });
    for said in join_all(shown).await {
        assert_eq!(said, NO_KEY);
    }
    assert_eq!(house.issuers.asked(), 2);
    for number in 500..1000 {
        assert_eq!(house.told(&unknown(number)).await, NO_KEY);
    }
    assert_eq!(house.issuers.asked(), 0);
    assert_eq!(house.told(&good).await, "good");
    house.turn(Duration::from_secs(59));
    assert_eq!(house.told(&unknown(0)).await, NO_KEY);
    assert_eq!(house.issuers.asked(), 0);
    house.turn(Duration::from_secs(1));
    for number in 0..10 {
        assert_eq!(house.told(&unknown(number)).await, NO_KEY);
    }
    assert_eq!(house.issuers.asked(), 2);
    // One that does not answer is not asked by everybody either.
    house.issuers.put(DISCOVERY, Answer::Down);
    house.turn(Duration::from_mins(1));
    for number in 0..10 {
        let said = house.told(&unknown(number)).await;
        assert!(said.starts_with("400 IDPCommunicationError"), "{said}");
    }
    assert_eq!(house.issuers.asked(), 1);
}

async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => *output = Some(done),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .map(|(_, output)| output.unwrap())
        .collect()
}

async fn keys_that_were_changed_are_found_and_an_issuer_may_be_down_for_a_day(house: House) {
    house.federated().await;
    let (old, new) = (Key::rsa(0, "old", "RS256"), Key::rsa(1, "new", "RS256"));
    let lasting = |key: &Key| {
        key.sign(&with(&[(
            "exp",
            json!(NOW.plus(Duration::from_hours(100)).seconds()),
        )]))
    };
    let (by_old, by_new) = (lasting(&old), lasting(&new));
    // Down from the start: SDKs try that again.
    house.issuers.put(DISCOVERY, Answer::Down);
    let said = house.told(&by_old).await;
    assert!(said.starts_with("400 IDPCommunicationError"), "{said}");
    assert_eq!(house.issuers.asked(), 1);
    house.issuers.publish(&[&old]);
    assert!(
        house
            .told(&by_old)
            .await
            .starts_with("400 IDPCommunicationError")
    );
    house.turn(Duration::from_secs(10));
    assert_eq!(house.told(&by_old).await, "good");
    assert_eq!(house.issuers.asked(), 2);
    // A key that was not there is asked for, though what is known is fresh.
    house.turn(Duration::from_mins(1));
    house.issuers.publish(&[&old, &new]);
    assert_eq!(house.told(&by_new).await, "good");
    assert_eq!(house.told(&by_old).await, "good");
    assert_eq!(house.issuers.asked(), 2);
    // One that is there no more is no good after five minutes, which is what is taken when nothing is said.
    house.issuers.publish(&[&new]);
    house.turn(Duration::from_secs(299));
    assert_eq!(house.told(&by_old).await, "good");
    house.turn(Duration::from_secs(1));
    assert_eq!(house.told(&by_old).await, NO_KEY);
    assert_eq!(house.told(&by_new).await, "good");
    assert_eq!(house.issuers.asked(), 2);
    // While it is down its last keys are good for a day.
    house.issuers.put(JWKS, Answer::Down);
    house.turn(Duration::from_hours(23));
    assert_eq!(house.told(&by_new).await, "good");
    assert_eq!(house.told(&by_new).await, "good");
    assert_eq!(house.issuers.asked(), 2);
    house.turn(Duration::from_hours(1));
    let said = house.told(&by_new).await;
    assert!(said.starts_with("400 IDPCommunicationError"), "{said}");
    house.turn(Duration::from_mins(1));
    house.issuers.asked();
    // What the issuer says counts, within bounds.
    for (said, good_for) in [(0, 300), (3600, 3600), (1_000_000, 86_400)] {
        let keys = json!({"keys": [new.public()]}).to_string();
        let document = Answer::Document(keys, Some(Duration::from_secs(said)));
        house.issuers.put(JWKS, document);
        house.turn(Duration::from_hours(25));
        for (after, expected) in [(0, 2), (good_for - 1, 0), (1, 2)] {
            house.turn(Duration::from_secs(after));
            house.told(&by_new).await;
            assert_eq!(house.issuers.asked(), expected, "{said} after {after}");
        }
    }
}

async fn documents_that_are_not_the_issuers_give_no_keys(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(512 * 1024));
    let keys = json!({"keys": [key.public()]});
    let private = json!({"issuer": ISSUER, "jwks_uri": "https://169.254.169.254/latest/meta-data"});
    for (discovery, jwks, expected) in [
        (
            json!({"issuer": ISSUER, "jwks_uri": JWKS}),
            keys.to_string(),
            "good",
        ),
        (
            json!({"issuer": "https://issuer.example/ci/", "jwks_uri": JWKS}),
            keys.to_string(),
            NO_KEY,
        ),
        (json!({"jwks_uri": JWKS}), keys.to_string(), NO_KEY),
        (json!({"issuer": ISSUER}), keys.to_string(), NO_KEY),
        (
            json!({"issuer": ISSUER, "jwks_uri": "http://keys.example/jwks"}),
            keys.to_string(),
            NO_KEY,
        ),
        (
            json!({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}),
            keys.to_string(),
            NO_KEY,
        ),
        (private, keys.to_string(), NO_KEY),
        (json!([]), keys.to_string(), NO_KEY),
        (json!({"issuer": ISSUER, "jwks_uri": JWKS}), huge, NO_KEY),
        (
            json!({"issuer": ISSUER, "jwks_uri": JWKS}),
            "<html>".to_owned(),
            NO_KEY,
        ),
        (
            json!({"issuer": ISSUER, "jwks_uri": JWKS}),
            r#"{"keys":[]}"#.to_owned(),
            NO_KEY,
        ),
    ] {
        house.turn(Duration::from_hours(24 * 3));
        let end = house.clock.now().seconds() + 300;
        let token = key.sign(&with(&[("exp", json!(end))]));
        house.issuers.put_json(DISCOVERY, &discovery);
        house.issuers.put(JWKS, Answer::Document(jwks, None));
        assert_eq!(house.told(&token).await, expected, "{discovery}");
    }
}

async fn keys_may_stand_in_a_file(house: House) {
    const OFFLINE: &str = "https://kubernetes.default.svc";
    house
        .admin(
            "CreateOpenIDConnectProvider",
            &[
                ("Url", OFFLINE),
                ("ClientIDList.member.1", "sts.amazonaws.com"),
            ],
        )
        .await;
    let provider = "arn:aws:iam::111122223333:oidc-provider/kubernetes.default.svc";
    let trust = trust(r#""sts:AssumeRoleWithWebIdentity""#, "").replace(PROVIDER, provider);
    house
        .admin(
            "CreateRole",
            &[("RoleName", "ci"), ("AssumeRolePolicyDocument", &trust)],
        )
        .await;
    let key = Key::ec("k1", "ES256");
    let claims = with(&[
        ("iss", json!(OFFLINE)),
        ("sub", json!("system:serviceaccount:ci:builder")),
        ("kubernetes.io", json!({"namespace": "ci"})),
    ]);
    let said = house.told(&key.sign(&claims)).await;
    assert!(said.starts_with("400 IDPCommunicationError"), "{said}");
    let keys = json!({"keys": [key.public()]}).to_string();
    std::fs::write(house.jwks_file(), keys).unwrap();
    house.turn(Duration::from_secs(10));
    assert_eq!(house.told(&key.sign(&claims)).await, "good");
    assert_eq!(house.issuers.asked(), 0);
}
