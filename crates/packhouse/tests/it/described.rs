//! Every answer of an operation of our own, whatever test it is asked in, is what the `OpenAPI` description says of it.

use std::sync::LazyLock;

use serde_json::Value;

use crate::wire::Answer;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap());

/// Fails where the answer is not as described. A path that is not described has no answer but an error.
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let operation = operation(method, path);
    let schema = if answer.status == 200 {
        let operation = operation.unwrap_or_else(|| panic!("{method} {path} is not described"));
        &operation["responses"]["200"]["content"]["application/json"]["schema"]
    } else {
        &DESCRIPTION["components"]["schemas"]["Error"]
    };
    assert!(
        schema.is_object(),
        "no answer of {method} {path} is described"
    );
    let mut wrong = Vec::new();
    fits(schema, &answer.json(), "answer", &mut wrong);
    assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}");
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let is_it = |described: &str| {
        let mut here = described.split('/');
        let mut there = path.split('/');
        loop {
            match (here.next(), there.next()) {
                (None, None) => return true,
                (Some("{id}"), Some(id)) if !id.is_empty() => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    };
    let found = paths.iter().filter(|(described, _)| is_it(described));
    let mut found = found.filter_map(|(_, methods)| methods.get(method.to_lowercase()));
    found.next()
}

/// Notes what of a value is not as its schema says; a member that the schema does not have is wrong too, unless it has
/// none.
fn fits(schema: &'static Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        let schema = &DESCRIPTION["components"]["schemas"][name];
        assert!(schema.is_object(), "there is no schema {name}");
        return fits(schema, value, at, wrong);
    }
    let is_kind = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !is_kind {
        wrong.push(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        wrong.push(format!("{at}: {value} is not in {values:?}"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            wrong.push(format!("{at}: {required} is missing"));
        }
    }
    for (place, entry) in value.as_array().into_iter().flatten().enumerate() {
        fits(&schema["items"], entry, &format!("{at}[{place}]"), wrong);
    }
    let properties = schema["properties"].as_object();
    for (name, member) in value.as_object().into_iter().flatten() {
        let known = properties.and_then(|properties| properties.get(name));
        match (known, &schema["additionalProperties"]) {
            (Some(schema), _) => fits(schema, member, &format!("{at}.{name}"), wrong),
            (None, Value::Null) if properties.is_some() => {
                wrong.push(format!("{at}: {name} is not described"));
            }
            (None, others) => fits(others, member, &format!("{at}.{name}"), wrong),
        }
    }
}
