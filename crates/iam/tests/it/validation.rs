//! Every document of `vectors/identity-validation-vectors.json`: stored, or refused in the words of
//! its API.

use std::fmt::Write as _;

use iam::policy::{InlineOwner, Policy, PolicyKind, PolicySource, validate};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    name: String,
    kind: String,
    document: String,
    expect: Expected,
}

#[derive(Deserialize)]
struct Expected {
    result: String,
    code: Option<String>,
    http_status: Option<u16>,
    message: Option<String>,
    #[serde(default)]
    message_exact: bool,
}

const ACCOUNT: &str = "111122223333";

/// The account has no users; its only OIDC provider is GitHub's.
fn exists(name: &str) -> bool {
    name == "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
}

fn kind(name: &str) -> PolicyKind<'static> {
    match name {
        "managed" => PolicyKind::Managed,
        "inline" => PolicyKind::Inline {
            owner: InlineOwner::Role,
            name: "r",
            others: 0,
        },
        "trust" => PolicyKind::Trust {
            account: ACCOUNT,
            quota: 2048,
            exists: &exists,
        },
        "session" => PolicyKind::Session,
        "codeartifact" => PolicyKind::Resource {
            account: ACCOUNT,
            exists: &exists,
        },
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn every_document_is_stored_or_refused_in_the_words_expected() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../vectors/identity-validation-vectors.json")).unwrap();
    assert_eq!(vectors.cases.len(), 97);
    let mut wrong = String::new();
    for case in &vectors.cases {
        let found = validate(
            kind(&case.kind),
            &case.document,
            PolicySource::named("case"),
        );
        let expected = &case.expect;
        let same = match &found {
            Ok(_) => expected.result == "ok",
            Err(fault) => {
                let text = expected.message.as_deref().unwrap_or_default();
                expected.code.as_deref() == Some(fault.code().as_str())
                    && expected.http_status == Some(fault.code().status())
                    && if expected.message_exact {
                        fault.message() == text
                    } else {
                        fault.message().starts_with(text)
                    }
            }
        };
        if !same {
            writeln!(wrong, "{} {}: {:?}", case.id, case.name, found.err()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn whatever_is_stored_can_be_read_again() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../vectors/identity-validation-vectors.json")).unwrap();
    for case in vectors
        .cases
        .iter()
        .filter(|case| case.expect.result == "ok")
    {
        let policy = Policy::parse(&case.document, PolicySource::named("case")).unwrap();
        assert_eq!(policy.text(), case.document, "{}", case.id);
    }
}

#[test]
fn inline_policies_share_the_room_of_their_owner() {
    let text = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let size = iam::policy::size(text);
    for (owner, others, expected) in [
        (InlineOwner::User, 2048 - size, None),
        (
            InlineOwner::User,
            2049 - size,
            Some("Maximum policy size of 2048 bytes exceeded for user x"),
        ),
        (
            InlineOwner::Group,
            5121 - size,
            Some("Maximum policy size of 5120 bytes exceeded for group x"),
        ),
        (
            InlineOwner::Role,
            10_241 - size,
            Some("Maximum policy size of 10240 bytes exceeded for role x"),
        ),
    ] {
        let kind = PolicyKind::Inline {
            owner,
            name: "x",
            others,
        };
        let found = validate(kind, text, PolicySource::named("p")).err();
        assert_eq!(
            found.as_ref().map(iam::policy::Malformed::message),
            expected
        );
        assert!(found.is_none_or(|fault| fault.code().as_str() == "LimitExceeded"));
    }
}
