//! REST-JSON inputs: what is read, and every text a client gets for what is wrong.

use aws::member::{Kind, check_length, check_pattern, parse_integer};
use aws::page::MaxResults;
use aws::reader::Reader;
use aws::rest_json::{Input, json_response};
use aws::{AccountId, Fault, Member, Violation};
use http::{HeaderMap, HeaderValue, StatusCode};

#[derive(Debug, PartialEq)]
struct DomainName(String);

impl Member for DomainName {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 2, 50)?;
        let fits = text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        check_pattern(fits, "[a-z][a-z0-9\\-]{0,48}[a-z0-9]")?;
        Ok(Self(text.to_owned()))
    }
}

#[derive(Debug, PartialEq)]
enum Status {
    Published,
    Archived,
}

impl Member for Status {
    fn parse(text: &str) -> Result<Self, Violation> {
        match text {
            "Published" => Ok(Self::Published),
            "Archived" => Ok(Self::Archived),
            _ => Err(Violation::Enum(&["Published", "Archived"])),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Duration(i64);

impl Member for Duration {
    const KIND: Kind = Kind::Integer;

    fn parse(text: &str) -> Result<Self, Violation> {
        parse_integer(text, 900, 43_200).map(Self)
    }
}

fn input(query: &str, body: &str) -> Input {
    Input::from_raw_query(query, HeaderMap::new(), body.as_bytes()).unwrap()
}

fn describe(input: &Input) -> Result<(DomainName, Option<AccountId>), Fault> {
    let mut read = Reader::new(input);
    let domain = read.query("domain", "domain").required();
    let owner = read.query("domain-owner", "domainOwner").optional();
    read.finish(|| Some((domain?, owner?)))
}

#[test]
fn query_members_become_types_or_the_texts_of_the_service() {
    for (query, expected) in [
        ("domain=my-domain", Ok(("my-domain", None))),
        (
            "domain=d%2dd&domain-owner=111122223333&later=1",
            Ok(("d-d", Some("111122223333"))),
        ),
        (
            "domain=my_domain",
            Err(
                "1 validation error detected: Value 'my_domain' at 'domain' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: [a-z][a-z0-9\\-]{0,48}[a-z0-9]",
            ),
        ),
        (
            "domain-owner=1",
            Err(
                "2 validation errors detected: Value null at 'domain' failed to satisfy constraint: \
                 Member must not be null; Value '1' at 'domainOwner' failed to satisfy constraint: \
                 Member must have length greater than or equal to 12",
            ),
        ),
        (
            "domain=",
            Err(
                "1 validation error detected: Value '' at 'domain' failed to satisfy constraint: \
                 Member must have length greater than or equal to 2",
            ),
        ),
    ] {
        let found = describe(&input(query, ""));
        match expected {
            Ok((domain, owner)) => {
                let owner = owner.map(|owner| owner.parse().unwrap());
                let expected = (DomainName(domain.to_owned()), owner);
                assert_eq!(found.unwrap(), expected, "{query}");
            }
            Err(message) => {
                let fault = found.unwrap_err();
                assert_eq!(fault.message, message, "{query}");
                assert_eq!(fault.code, "ValidationException");
                assert_eq!(
                    fault.members,
                    [("reason", "FIELD_VALIDATION_FAILED".to_owned())]
                );
            }
        }
    }
}

#[test]
fn a_parser_stands_in_for_a_type_of_another_crate() {
    let input = input("count=x", "");
    let mut read = Reader::new(&input);
    let parse = |text: &str| {
        text.parse::<u8>()
            .map_err(|_| Violation::Other("be small".into()))
    };
    let count = read.query("count", "count").required_with(parse);
    let other = read.query("other", "other").optional_with(parse);
    assert_eq!((count, other), (None, Some(None)));
    let fault = read.finish(|| Some(())).unwrap_err();
    assert!(fault.message.ends_with("constraint: Member must be small"));
}

#[test]
fn an_empty_body_and_an_empty_object_are_the_same() {
    for body in [
        "",
        "{}",
        " {} ",
        "{\"unknown\": [1]}",
        "{\"maxResults\": null}",
    ] {
        let input = input("", body);
        let mut read = Reader::new(&input);
        let found = read
            .body("maxResults", "maxResults")
            .optional::<MaxResults>();
        assert_eq!(found, Some(None), "{body}");
    }
}

#[test]
fn what_is_no_object_or_not_decodable_or_repeated_is_refused_at_once() {
    for (query, body, reason) in [
        ("", "[]", "CANNOT_PARSE"),
        ("", "{", "CANNOT_PARSE"),
        ("", "null", "CANNOT_PARSE"),
        ("a=%zz", "", "CANNOT_PARSE"),
        ("a=1&b=2&a=1", "", "OTHER"),
    ] {
        let found = Input::from_raw_query(query, HeaderMap::new(), body.as_bytes());
        let fault = found.unwrap_err();
        assert_eq!(fault.members, [("reason", reason.to_owned())], "{body}");
    }
}

#[test]
fn body_members_have_a_json_type() {
    for (body, expected) in [
        (r#"{"d": 900}"#, Ok(Some(Duration(900)))),
        ("{}", Ok(None)),
        (
            r#"{"d": 899}"#,
            Err((
                "Value '899' at 'd' failed to satisfy constraint: \
                 Member must have value greater than or equal to 900",
                "FIELD_VALIDATION_FAILED",
            )),
        ),
        (
            r#"{"d": 43201}"#,
            Err((
                "Value '43201' at 'd' failed to satisfy constraint: \
                 Member must have value less than or equal to 43200",
                "FIELD_VALIDATION_FAILED",
            )),
        ),
        (
            r#"{"d": "900"}"#,
            Err((
                "Value '\"900\"' at 'd' failed to satisfy constraint: Member must be of type integer",
                "CANNOT_PARSE",
            )),
        ),
        (
            r#"{"d": 900.5}"#,
            Err((
                "Value '900.5' at 'd' failed to satisfy constraint: Member must be of type integer",
                "CANNOT_PARSE",
            )),
        ),
    ] {
        let input = input("", body);
        let mut read = Reader::new(&input);
        let duration = read.body("d", "d").optional::<Duration>();
        let found = read.finish(|| duration);
        match expected {
            Ok(duration) => assert_eq!(found.unwrap(), duration),
            Err((sentence, reason)) => {
                let fault = found.unwrap_err();
                assert_eq!(
                    fault.message,
                    format!("1 validation error detected: {sentence}")
                );
                assert_eq!(fault.members, [("reason", reason.to_owned())]);
            }
        }
    }
}

type Copy = (
    Option<Vec<String>>,
    Option<Vec<(String, Status)>>,
    Option<Vec<(String, String)>>,
    Option<bool>,
);

fn copy(input: &Input) -> Result<Copy, Fault> {
    let mut read = Reader::new(input);
    let versions = read.body("versions", "versions").optional_list(2);
    let statuses = read.body("statuses", "statuses").optional_map();
    let tags = read.body("tags", "tags").optional_list_of(200, |item| {
        item.required_structure(|read| {
            let key = read.body("key", "key").required();
            let value = read.body("value", "value").required();
            Some((key?, value?))
        })
    });
    let overwrite = read.body("allowOverwrite", "allowOverwrite").optional();
    read.finish(|| Some((versions?, statuses?, tags?, overwrite?)))
}

#[test]
fn lists_maps_and_structures_are_read_whole() {
    let body = r#"{"versions": ["1", "2"], "statuses": {"1": "Archived"},
        "tags": [{"key": "a", "value": ""}], "allowOverwrite": true}"#;
    let expected = (
        Some(vec!["1".to_owned(), "2".to_owned()]),
        Some(vec![("1".to_owned(), Status::Archived)]),
        Some(vec![("a".to_owned(), String::new())]),
        Some(true),
    );
    assert_eq!(copy(&input("", body)).unwrap(), expected);
    let empty = (Some(vec![]), None, None, None);
    assert_eq!(copy(&input("", r#"{"versions": []}"#)).unwrap(), empty);
}

#[test]
fn every_mistake_inside_lists_and_maps_is_named() {
    let body = r#"{"versions": ["1", "2", "3"], "statuses": {"1": "Gone"},
        "tags": [{"key": "a"}, {"value": 5, "key": "b"}, null, 7], "allowOverwrite": "yes"}"#;
    let fault = copy(&input("", body)).unwrap_err();
    let sentences: Vec<&str> = fault.message.split("; ").collect();
    assert_eq!(
        sentences,
        [
            "7 validation errors detected: Value '3 entries' at 'versions' failed to satisfy constraint: \
             Member must have length less than or equal to 2",
            "Value 'Gone' at 'statuses.1' failed to satisfy constraint: \
             Member must satisfy enum value set: [Published, Archived]",
            "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
            "Value '5' at 'tags.2.member.value' failed to satisfy constraint: Member must be of type string",
            "Value null at 'tags.3.member' failed to satisfy constraint: Member must not be null",
            "Value '7' at 'tags.4.member' failed to satisfy constraint: Member must be of type structure",
            "Value '\"yes\"' at 'allowOverwrite' failed to satisfy constraint: Member must be of type boolean",
        ]
    );
}

#[test]
fn headers_and_booleans_in_the_query_are_members_too() {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-content-sha256", HeaderValue::from_static("ab"));
    let input = Input::from_raw_query("unfinished=True", headers, b"").unwrap();
    let mut read = Reader::new(&input);
    let hash = read
        .header("x-amz-content-sha256", "assetSHA256")
        .required();
    let unfinished = read.query("unfinished", "unfinished").optional::<bool>();
    assert_eq!((hash, unfinished), (Some("ab".to_owned()), None));
    let fault = read.finish(|| Some(())).unwrap_err();
    assert_eq!(fault.members, [("reason", "CANNOT_PARSE".to_owned())]);
}

#[test]
fn a_long_value_is_echoed_in_part() {
    let long = "ü".repeat(5000);
    let query = format!("domain={}", aws::percent::encode(&long));
    let fault = describe(&input(&query, "")).unwrap_err();
    assert!(fault.message.contains("üü...' at 'domain'"));
    assert!(fault.message.len() < 2300);
}

#[test]
fn answers_are_json_with_a_request_id() {
    let response = json_response(StatusCode::OK, &serde_json::json!({"a": 1.5}), "id-1");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-amzn-requestid"], "id-1");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.body().as_ref(), br#"{"a":1.5}"#);
}
