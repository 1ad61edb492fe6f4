//! `AssumeRoleWithWebIdentity`: which tokens are believed.

use std::fmt::Write as _;
use std::sync::OnceLock;

use aws::Fault;
use aws::percent::encode;
use aws::query::Form;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Response;
use iam::Source;
use iam::api::Vouched;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::calls::{Element, allow, credentials};
use crate::house::{House, NOW};
use crate::issuer::{DISCOVERY, ISSUER, JWKS, Key, PROVIDER};

on_each_database! {
    a_token_takes_the_role_and_says_who_has_it,
    every_kind_of_signature_is_good_and_only_for_its_kind_of_key,
    what_was_tampered_with_is_refused,
    only_the_issuers_of_providers_are_believed,
    an_issuer_whose_name_ends_with_a_slash_keeps_it,
    the_times_of_a_token_count,
}

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/ci";
pub(crate) const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";
pub(crate) const DENIED: &str =
    "403 AccessDeniedException Not authorized to perform sts:AssumeRoleWithWebIdentity";
pub(crate) const NO_KEY: &str = "400 InvalidIdentityToken Couldn't retrieve verification key from your identity provider,  please \
                      reference AssumeRoleWithWebIdentity documentation for requirements";
pub(crate) const NOT_JWT: &str = "400 InvalidIdentityToken The ID Token provided is not a valid JWT. (You may see this error if you \
                       sent an Access Token)";
const SIGNATURE: &str = "400 InvalidIdentityToken The signature of the token is not valid";

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": "sts.amazonaws.com", "jti": "7",
        "iat": NOW.seconds(), "nbf": NOW.seconds(), "exp": NOW.seconds() + 300,
    })
}

pub(crate) fn with(changes: &[(&str, Value)]) -> Value {
    let mut claims = claims();
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims
}

pub(crate) fn trust(actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{PROVIDER}"}},
        "Action":{actions},"Condition":{{{condition}}}}}]}}"#
    )
}

impl House {
    /// A provider, and the role `ci` that trusts its tokens.
    pub(crate) async fn federated(&self) {
        self.admin(
            "CreateOpenIDConnectProvider",
            &[
                ("Url", ISSUER),
                ("ClientIDList.member.1", "sts.amazonaws.com"),
                ("ClientIDList.member.2", "other"),
                (
                    "ThumbprintList.member.1",
                    "0123456789012345678901234567890123456789",
                ),
            ],
        )
        .await;
        let trust = trust(r#""sts:AssumeRoleWithWebIdentity""#, "");
        self.admin(
            "CreateRole",
            &[("RoleName", "ci"), ("AssumeRolePolicyDocument", &trust)],
        )
        .await;
    }

    pub(crate) async fn trusts(&self, actions: &str, condition: &str) {
        let trust = trust(actions, condition);
        self.admin(
            "UpdateAssumeRolePolicy",
            &[("RoleName", "ci"), ("PolicyDocument", &trust)],
        )
        .await;
    }

    pub(crate) async fn show(
        &self,
        token: &str,
        more: &[(&str, &str)],
    ) -> (Option<Vouched>, Result<Element, Fault>) {
        let mut body = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken={}",
            encode(token)
        );
        for (name, value) in [("RoleArn", ROLE), ("RoleSessionName", "job-7")] {
            if more.iter().all(|(known, _)| *known != name) {
                _ = write!(body, "&{name}={}", encode(value));
            }
        }
        for (name, value) in more {
            _ = write!(body, "&{name}={}", encode(value));
        }
        let form = Form::parse(body.as_bytes()).unwrap();
        let (answer, vouched) = self.unsigned(&form).await;
        let answer = answer.map(|answer| {
            let xml = Element::parse(std::str::from_utf8(answer.body()).unwrap());
            assert_eq!(xml.name, "AssumeRoleWithWebIdentityResponse");
            xml.find("AssumeRoleWithWebIdentityResult").unwrap().clone()
        });
        (vouched, answer)
    }

    pub(crate) async fn unsigned(
        &self,
        form: &Form,
    ) -> (Result<Response<Bytes>, Fault>, Option<Vouched>) {
        let who = OnceLock::new();
        let vouched = |vouched| who.set(vouched).unwrap();
        let source = Source::default();
        let answer = self.iam.call_unsigned(&source, &vouched, form, "id").await;
        (answer, who.get().cloned())
    }

    /// What becomes of a token, as one line.
    pub(crate) async fn told(&self, token: &str) -> String {
        match self.show(token, &[]).await.1 {
            Ok(_) => "good".to_owned(),
            Err(fault) => line(&fault),
        }
    }
}

pub(crate) fn line(fault: &Fault) -> String {
    format!("{} {} {}", fault.status.as_u16(), fault.code, fault.message)
}

async fn a_token_takes_the_role_and_says_who_has_it(house: House) {
    house.federated().await;
    let own = allow(r#""iam:ListUsers""#, r#""*""#).replace(
        r#""Resource":"*""#,
        &format!(r#""Resource":"*","Condition":{{"StringEquals":{{"aws:FederatedProvider":"{PROVIDER}"}}}}"#),
    );
    let policy = [
        ("RoleName", "ci"),
        ("PolicyName", "own"),
        ("PolicyDocument", &own),
    ];
    house.admin("PutRolePolicy", &policy).await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let token = key.sign(&with(&[("aud", json!(["x", "other"]))]));
    let (vouched, answer) = house.show(&token, &[]).await;
    let answer = answer.unwrap();
    assert_eq!(
        vouched,
        Some(Vouched {
            provider: PROVIDER.to_owned(),
            subject: SUBJECT.to_owned()
        })
    );
    for (path, expected) in [
        ("SubjectFromWebIdentityToken", SUBJECT),
        ("Provider", PROVIDER),
        ("Audience", "other"),
        (
            "AssumedRoleUser/Arn",
            "arn:aws:sts::111122223333:assumed-role/ci/job-7",
        ),
        ("Credentials/Expiration", "2026-03-14T16:09:26Z"),
    ] {
        assert_eq!(answer.text(path), expected, "{path}");
    }
    let session = house.signed_in(&credentials(&answer)).await;
    assert_eq!(session.federated_provider(), Some(PROVIDER));
    house.call(&session, "ListUsers", &[]).await.unwrap();
    // The same token again, until its end.
    house.show(&token, &[]).await.1.unwrap();
    // A signature that comes with it counts for nothing.
    let admin = house.signed_in(&house.keys.admin).await;
    let parameters = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "s1"),
        ("WebIdentityToken", token.as_str()),
    ];
    let body = crate::calls::form("AssumeRoleWithWebIdentity", &parameters);
    let answer = house.send(&admin, &body).await.unwrap();
    assert_eq!(answer.text("SubjectFromWebIdentityToken"), SUBJECT);
    // Nothing else comes without one.
    let form = Form::parse(b"Action=GetCallerIdentity&Version=2011-06-15").unwrap();
    assert!(!iam::api::is_unsigned(&form));
    let (answer, _) = house.unsigned(&form).await;
    assert_eq!(answer.unwrap_err().code, "InvalidAction");
}

async fn every_kind_of_signature_is_good_and_only_for_its_kind_of_key(house: House) {
    house.federated().await;
    let keys = [
        Key::rsa(0, "r256", "RS256"),
        Key::rsa(0, "r384", "RS384"),
        Key::rsa(1, "r512", "RS512"),
        Key::ec("e256", "ES256"),
        Key::ec("e384", "ES384"),
        Key::ec("e512", "ES512"),
    ];
    house.issuers.publish(&keys.each_ref());
    for key in &keys {
        assert_eq!(house.told(&key.sign(&claims())).await, "good", "{}", key.id);
        for other in &keys {
            if other.id[..2] == key.id[..2] {
                continue;
            }
            // Another kind of algorithm than the key is for.
            let header = json!({"alg": other.algorithm, "kid": key.id}).to_string();
            let token = key.sign_text(&header, &claims().to_string());
            let said = house.told(&token).await;
            assert!(
                [NO_KEY, SIGNATURE].contains(&said.as_str()),
                "{} {}: {said}",
                key.id,
                other.algorithm
            );
        }
    }
}

async fn what_was_tampered_with_is_refused(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    let (stranger, ec) = (Key::rsa(1, "k1", "RS256"), Key::ec("k1", "ES256"));
    house.issuers.publish(&[&key]);
    let good = key.sign(&claims());
    assert_eq!(house.told(&good).await, "good");
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("{good}")
    };
    let text = claims().to_string();
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let none = encoded(r#"{"alg":"none","kid":"k1"}"#);
    // The public key, which everybody has, as a secret.
    let hs256 = {
        let signed = format!("{}.{payload}", encoded(r#"{"alg":"HS256","kid":"k1"}"#));
        let secret = key.public()["n"].as_str().unwrap().to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let tag = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{signed}.{tag}")
    };
    let altered = encoded(&text.replace("refs/heads/main", "refs/heads/evil"));
    let twice = text.replacen('{', r#"{"sub":"repo:evil/app","#, 1);
    let cased = text.replacen('{', r#"{"Sub":"repo:evil/app","#, 1);
    let crit = r#"{"alg":"RS256","kid":"k1","crit":["exp"]}"#;
    let embedded = json!({"alg": "RS256", "kid": "k1", "jwk": stranger.public(), "jku": "https://evil.example/jwks"});
    for (what, token, expected) in [
        ("no algorithm", format!("{none}.{payload}."), NO_KEY),
        (
            "no algorithm, old signature",
            format!("{none}.{payload}.{signature}"),
            NO_KEY,
        ),
        ("HMAC with the public key", hs256, NO_KEY),
        (
            "a stranger's key under the same name",
            stranger.sign(&claims()),
            SIGNATURE,
        ),
        (
            "another kind of key under the same name",
            ec.sign(&claims()),
            NO_KEY,
        ),
        (
            "a stranger's key in the header",
            stranger.sign_text(&embedded.to_string(), &text),
            SIGNATURE,
        ),
        (
            "a name that is not published",
            Key::rsa(0, "k2", "RS256").sign(&claims()),
            NO_KEY,
        ),
        (
            "no name",
            key.sign_text(r#"{"alg":"RS256"}"#, &text),
            NO_KEY,
        ),
        ("something critical", key.sign_text(crit, &text), NOT_JWT),
        (
            "a body that was altered",
            format!("{header}.{altered}.{signature}"),
            SIGNATURE,
        ),
        (
            "a signature that was cut",
            format!("{header}.{payload}.{}", &signature[..300]),
            SIGNATURE,
        ),
        ("no signature", format!("{header}.{payload}."), SIGNATURE),
        ("two parts", format!("{header}.{payload}"), NOT_JWT),
        (
            "five parts",
            format!("{header}.a.b.{payload}.{signature}"),
            NOT_JWT,
        ),
        (
            "a token in a token",
            key.sign_text(r#"{"alg":"RS256","kid":"k1","cty":"JWT"}"#, &good),
            NOT_JWT,
        ),
        (
            "padding",
            format!("{header}.{payload}.{signature}="),
            NOT_JWT,
        ),
        (
            "a member that stands twice",
            key.sign_text(&header_of(&key), &twice),
            NOT_JWT,
        ),
        (
            "the same but for case",
            key.sign_text(&header_of(&key), &cased),
            NOT_JWT,
        ),
        ("no object", key.sign_text(&header_of(&key), "[1]"), NOT_JWT),
        ("white space around it", format!(" {good}"), NOT_JWT),
        (
            "no subject",
            key.sign(&with(&[("sub", json!(""))])),
            "400 InvalidIdentityToken Missing a required claim: sub",
        ),
        (
            "a subject that is none",
            key.sign(&with(&[("sub", json!(["a"]))])),
            "400 InvalidIdentityToken Missing a required claim: sub",
        ),
        (
            "another audience",
            key.sign(&with(&[("aud", json!("https://github.com/acme"))])),
            "400 InvalidIdentityToken Incorrect token audience",
        ),
        (
            "another authorized party",
            key.sign(&with(&[("azp", json!("evil"))])),
            "400 InvalidIdentityToken Incorrect token audience",
        ),
    ] {
        assert_eq!(house.told(&token).await, expected, "{what}");
    }
    assert_eq!(house.told(&good).await, "good");
}

fn header_of(key: &Key) -> String {
    json!({"alg": key.algorithm, "kid": key.id}).to_string()
}

/// As those of Entra ID and Auth0 do; the documents are found without a second slash.
async fn an_issuer_whose_name_ends_with_a_slash_keeps_it(house: House) {
    const SLASHED: &str = "https://issuer.example/ci/";
    const OWN: &str = "arn:aws:iam::111122223333:oidc-provider/issuer.example/ci/";
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let document = json!({"issuer": SLASHED, "jwks_uri": JWKS});
    house.issuers.put_json(DISCOVERY, &document);
    let url = [
        ("Url", SLASHED),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
    ];
    let made = house.admin("CreateOpenIDConnectProvider", &url).await;
    assert_eq!(made.text("OpenIDConnectProviderArn"), OWN);
    let shown = [("OpenIDConnectProviderArn", OWN)];
    let shown = house.admin("GetOpenIDConnectProvider", &shown).await;
    assert_eq!(shown.text("Url"), "issuer.example/ci/");
    let condition = format!(r#""StringEquals":{{"issuer.example/ci/:sub":"{SUBJECT}"}}"#);
    let trust = trust(r#""sts:AssumeRoleWithWebIdentity""#, &condition).replace(PROVIDER, OWN);
    let role = [("RoleName", "ci"), ("AssumeRolePolicyDocument", &trust)];
    house.admin("CreateRole", &role).await;
    let with_slash = key.sign(&with(&[("iss", json!(SLASHED))]));
    let (_, answer) = house.show(&with_slash, &[]).await;
    assert_eq!(answer.unwrap().text("Provider"), OWN);
    assert_eq!(
        house.told(&key.sign(&claims())).await,
        format!(
            "400 InvalidIdentityToken No OpenIDConnect provider found in your account for {ISSUER}"
        )
    );
}

async fn only_the_issuers_of_providers_are_believed(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    for issuer in [
        "https://issuer.example",
        "https://issuer.example/ci/",
        "https://issuer.example/ci/x",
        "https://issuer.example/CI",
        "https://ISSUER.example/ci",
        "https://issuer.example:443/ci",
        "https://issuer.example/ci?x",
        "https://issuer.example/ci#x",
        "https://issuer.example/./ci",
        "https://issuer.example.evil.test/ci",
        "https://xissuer.example/ci",
        "https://x@issuer.example/ci",
        "http://issuer.example/ci",
        "issuer.example/ci",
        "https://issuеr.example/ci",
        " https://issuer.example/ci",
    ] {
        let token = key.sign(&with(&[("iss", json!(issuer))]));
        assert_eq!(
            house.told(&token).await,
            format!(
                "400 InvalidIdentityToken No OpenIDConnect provider found in your account for {issuer}"
            )
        );
    }
    assert_eq!(house.issuers.asked(), 0, "a stranger makes us ask nobody");
    for issuer in [json!(null), json!(["https://issuer.example/ci"]), json!("")] {
        let token = key.sign(&with(&[("iss", issuer)]));
        let expected = "400 InvalidIdentityToken Missing a required claim: iss";
        assert_eq!(house.told(&token).await, expected);
    }
    // A provider of one account vouches for nobody in another.
    let other = "444455556666".parse().unwrap();
    house.iam.create_account(&other).await.unwrap();
    let theirs = [("RoleArn", "arn:aws:iam::444455556666:role/ci")];
    let fault = house
        .show(&key.sign(&claims()), &theirs)
        .await
        .1
        .unwrap_err();
    assert_eq!(
        line(&fault),
        format!(
            "400 InvalidIdentityToken No OpenIDConnect provider found in your account for {ISSUER}"
        )
    );
    house
        .admin(
            "DeleteOpenIDConnectProvider",
            &[("OpenIDConnectProviderArn", PROVIDER)],
        )
        .await;
    assert!(
        house
            .told(&key.sign(&claims()))
            .await
            .contains("No OpenIDConnect provider")
    );
}

async fn the_times_of_a_token_count(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let now = NOW.seconds();
    let no_end = {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove("exp");
        claims
    };
    for (claims, expected) in [
        (with(&[("exp", json!(now + 1))]), "good".to_owned()),
        (
            with(&[("exp", json!(now))]),
            format!(
                "400 ExpiredTokenException Token expired: current date/time {now} must be before the expiration \
                 date/time {now}"
            ),
        ),
        (
            no_end,
            "400 InvalidIdentityToken Missing a required claim: exp".to_owned(),
        ),
        (with(&[("nbf", json!(now + 60))]), "good".to_owned()),
        (
            with(&[("nbf", json!(now + 61))]),
            format!(
                "400 InvalidIdentityToken Token not yet valid: current date/time {now} must not be before the date/time \
                 {}",
                now + 61
            ),
        ),
        (
            with(&[("iat", json!(now + 61))]),
            format!(
                "400 InvalidIdentityToken Token not yet valid: current date/time {now} must not be before the date/time \
                 {}",
                now + 61
            ),
        ),
        (with(&[("exp", json!("9999999999"))]), NOT_JWT.to_owned()),
        (with(&[("exp", json!(1e300))]), "good".to_owned()),
    ] {
        assert_eq!(house.told(&key.sign(&claims)).await, expected, "{claims}");
    }
}
