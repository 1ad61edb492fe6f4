//! The table against the published service model and against its page in the documentation.

use std::fmt::Write as _;

use codeartifact::{Kind, OPERATIONS, find, unknown};
use http::Method;

use crate::model::Model;

#[test]
fn every_operation_of_the_model_is_a_line_of_the_table() {
    let model = Model::load();
    let expected: Vec<_> = model
        .operations()
        .iter()
        .map(|(name, operation)| {
            let text = |member: &str| operation[member].as_str().unwrap();
            format!("{name} {} {}", text("method"), text("uri"))
        })
        .collect();
    let mut found: Vec<_> = OPERATIONS
        .iter()
        .map(|line| format!("{} {} {}", line.name, line.method, line.path))
        .collect();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 48);
}

#[test]
fn bytes_travel_where_the_model_says() {
    let model = Model::load();
    for line in OPERATIONS {
        let operation = &model.operations()[line.name];
        let is_payload = |member: &serde_json::Value| member["in"] == "payload";
        let of = |list: &serde_json::Value| list.as_array().unwrap().iter().any(is_payload);
        let expected = match (of(&operation["input"]), of(&operation["output"]["members"])) {
            (true, _) => Kind::AssetIn,
            (_, true) => Kind::AssetOut,
            _ => Kind::Json,
        };
        assert_eq!(line.kind, expected, "{}", line.name);
    }
}

#[test]
fn an_operation_asks_first_for_the_action_of_its_own_name() {
    for line in OPERATIONS {
        let expected = format!("codeartifact:{}", line.name);
        assert_eq!(line.actions[0].as_str(), expected);
    }
}

#[test]
fn operations_are_found_by_method_and_path() {
    for line in OPERATIONS {
        assert_eq!(find(&line.method, line.path).unwrap().name, line.name);
    }
    for (method, path) in [
        (Method::PATCH, "/v1/domain"),
        (Method::GET, "/v1/domain/"),
        (Method::GET, "/v1/nothing"),
        (Method::GET, "/"),
    ] {
        assert!(find(&method, path).is_none(), "{method} {path}");
        let fault = unknown(&method, path);
        assert_eq!(fault.code, "ValidationException");
        assert_eq!(fault.status, 400);
        assert!(
            fault
                .members
                .contains(&("reason", "UNKNOWN_OPERATION".to_owned()))
        );
    }
}

/// The page is written for people, the table in it from `OPERATIONS`: what a line says of itself and the page must say
/// the same.
#[test]
fn the_page_of_operations_agrees_with_the_table() {
    let page = include_str!("../../../../docs/operations.md");
    let mut lines = page.lines().filter(|line| line.starts_with("| `"));
    for line in OPERATIONS {
        let mut expected = String::new();
        write!(
            expected,
            "| `{}` | `{} {}` |",
            line.name, line.method, line.path
        )
        .unwrap();
        let found = lines.next().unwrap_or("");
        assert!(
            found.starts_with(&expected),
            "expected {expected}\nfound    {found}"
        );
    }
    assert_eq!(lines.next(), None);
}
