#![allow(clippy::unwrap_used, reason = "tests")]

use catalog::Format as _;
use http::Method;

use super::Generic;
use super::request::Request;

fn line(method: &Method, path: &str, query: Option<&str>) -> String {
    match Request::parse(method, path, query) {
        Ok(Request::Options) => "options".to_owned(),
        Ok(Request::Versions(package)) => format!("versions {package}"),
        Ok(Request::Assets(version)) => format!("assets {version}"),
        Ok(Request::Asset(asset)) => format!("asset {asset}"),
        Ok(Request::Publish {
            asset,
            is_unfinished: false,
        }) => format!("publish {asset}"),
        Ok(Request::Publish { asset, .. }) => format!("unfinished {asset}"),
        Err(refused) => refused.status.to_string(),
    }
}

#[test]
fn requests_are_read() {
    for (path, expected) in [
        ("/ns/p/1.0/a.bin", "asset ns:p:1.0/a.bin"),
        (
            "ns/p/1.0/a%20%281%29%20%C3%BC.gz",
            "asset ns:p:1.0/a (1) \u{fc}.gz",
        ),
        (
            "ns/p/1.0/%E6%A8%A1%E5%9E%8B.bin",
            "asset ns:p:1.0/\u{6a21}\u{578b}.bin",
        ),
        ("ns/p/1.0/x@^&[]{};,.!~", "asset ns:p:1.0/x@^&[]{};,.!~"),
        ("a%25b/p/^/x", "asset a%b:p:^/x"),
        ("ns/p/1.0/", "assets ns:p:1.0"),
        ("/ns/p/", "versions ns:p"),
    ] {
        assert_eq!(line(&Method::GET, path, None), expected);
        assert_eq!(line(&Method::HEAD, path, None), expected);
    }
    for (query, expected) in [
        (None, "publish ns:p:1/a"),
        (Some(""), "publish ns:p:1/a"),
        (Some("unfinished=false"), "publish ns:p:1/a"),
        (Some("x=y"), "publish ns:p:1/a"),
        (Some("unfinished=true"), "unfinished ns:p:1/a"),
        (Some("x=y&unfinished=Unfinished"), "unfinished ns:p:1/a"),
        (Some("unfinished"), "400"),
        (Some("unfinished=maybe"), "400"),
        (Some("unfinished=true&unfinished=false"), "400"),
    ] {
        assert_eq!(line(&Method::PUT, "ns/p/1/a", query), expected, "{query:?}");
    }
}

#[test]
fn other_requests_are_refused() {
    let long_asset = format!("ns/p/1/{}", "a".repeat(256));
    let long_version = format!("ns/p/{}/a", "a".repeat(256));
    for (path, expected) in [
        ("", "404"),
        ("/", "404"),
        ("ns", "404"),
        ("ns/", "404"),
        ("ns/p", "404"),
        ("ns/p/1", "404"),
        ("ns/p/1/a/b", "404"),
        ("/ns/p/1/", "assets ns:p:1"),
        ("//p/1/a", "400"),
        ("ns//1/a", "400"),
        // On the way out, in every spelling.
        ("../p/1/a", "400"),
        ("ns/../1/a", "400"),
        ("ns/p/../a", "400"),
        ("ns/p/1/..", "400"),
        ("ns/p/1/.", "400"),
        ("ns/p/1/%2e%2e", "400"),
        ("ns/p/%2e%2e/a", "400"),
        ("ns/p/1/..%2f..%2fetc%2fpasswd", "400"),
        ("ns/p/1%2f2/a", "400"),
        ("ns/p/1/a%5cb", "400"),
        ("ns/p/1/c%3aa", "400"),
        ("ns/p/1/a%00", "400"),
        ("ns/p/1/a%0ab", "400"),
        ("ns/p/1/a%E2%80%AEb", "400"),
        ("ns/p/1/a%E2%80%8Bb", "400"),
        ("ns/p/1/a%EF%BC%8Fb", "400"),
        ("ns/p/1/%20a", "400"),
        ("ns/p/1/a%20%20b", "400"),
        ("ns/p/1/a%2520b", "400"),
        ("ns/p/1/a%zz", "400"),
        ("ns/p/1/a%", "400"),
        ("ns/p/1/a%ff", "400"),
        ("ns/p/1/a%c0%ae", "400"),
        ("ns/p/1/u%CC%88", "400"),
        ("u%CC%88/p/1/a", "400"),
        ("n%20s/p/1/a", "400"),
        ("n%23s/p/1/a", "400"),
        (&long_asset, "400"),
        (&long_version, "400"),
    ] {
        assert_eq!(line(&Method::GET, path, None), expected, "{path}");
    }
    for path in [
        "",
        "ns/p/",
        "ns/p/1/",
        "ns/p/1",
        "a",
        "ns/p/1/a/b",
        "ns/p/1/..",
    ] {
        assert_eq!(line(&Method::PUT, path, None), "400", "{path}");
    }
    for method in [Method::POST, Method::DELETE, Method::PATCH] {
        assert_eq!(line(&method, "ns/p/1/a", None), "405");
    }
    assert_eq!(line(&Method::OPTIONS, "", None), "options");
}

#[test]
fn names_given_through_the_api_hold_to_the_same_rules() {
    assert!(Generic::default().package(Some("ns"), "p", true).is_ok());
    assert!(Generic::default().package(None, "p", false).is_err());
    for bad in [".", "..", "u\u{308}", "a b", ""] {
        assert!(
            Generic::default().package(Some(bad), "p", false).is_err(),
            "{bad}"
        );
        assert!(
            Generic::default().package(Some("ns"), bad, false).is_err(),
            "{bad}"
        );
        assert!(Generic::default().version(bad).is_err(), "{bad}");
    }
    assert!(
        !Generic::default().retention().upstream,
        "generic packages are never looked up"
    );
    assert!(Generic::default().connections().is_empty());
}
