//! The published service model, and what it says of a request or an answer.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The model, read whole.
pub(crate) struct Model(Value);

/// A member of an operation's input.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) wire: String,
    pub(crate) place: String,
    pub(crate) required: bool,
    pub(crate) shape: String,
}

impl Model {
    pub(crate) fn load() -> Self {
        let text = include_str!("../model/codeartifact-api.json");
        Self(serde_json::from_str(text).unwrap())
    }

    pub(crate) fn operations(&self) -> &Map<String, Value> {
        self.0["operations"].as_object().unwrap()
    }

    pub(crate) fn shape(&self, name: &str) -> &Value {
        let shape = &self.0["shapes"][name];
        assert!(shape.is_object(), "no shape {name}");
        shape
    }

    pub(crate) fn inputs(&self, operation: &str) -> Vec<Member> {
        let inputs = self.0["operations"][operation]["input"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let member = |input: &Value| Member {
            name: text(&input["name"]),
            wire: text(input.get("wire").unwrap_or(&input["name"])),
            place: text(&input["in"]),
            required: input["required"].as_bool().unwrap(),
            shape: text(&input["shape"]),
        };
        inputs.iter().map(member).collect()
    }

    /// A value that the model allows for the shape, as JSON.
    pub(crate) fn sample(&self, shape: &str) -> Value {
        match shape {
            "AccountId" => json!("111122223333"),
            "Arn" => json!("arn:aws:kms:eu-central-1:111122223333:key/1234"),
            "AssetName" => json!("a file.bin"),
            "DomainName" => json!("my-domain"),
            "ExternalConnectionName" => json!("public:maven-central"),
            "PackageFormat" => json!("generic"),
            "PackageGroupPattern" => json!("/generic/tools/*"),
            "PolicyDocument" => json!(r#"{"Version":"2012-10-17","Statement":[]}"#),
            "RepositoryName" => json!("my-repository"),
            "SHA256" => json!("ab".repeat(32)),
            _ => {
                let description = self.shape(shape);
                if let Some(values) = description.get("enum") {
                    return values[0].clone();
                }
                match description["type"].as_str().unwrap() {
                    "string" => json!("abc"),
                    "integer" | "long" => json!(1000),
                    "boolean" => json!(true),
                    "list" => json!([self.sample(description["member"].as_str().unwrap())]),
                    "map" => {
                        let part = |part: &str| self.sample(description[part].as_str().unwrap());
                        let mut map = Map::new();
                        map.insert(part("key").as_str().unwrap().to_owned(), part("value"));
                        Value::Object(map)
                    }
                    "structure" => {
                        let members = description["members"].as_object().unwrap();
                        let member = |(name, shape): (&String, &Value)| {
                            (name.clone(), self.sample(shape.as_str().unwrap()))
                        };
                        Value::Object(members.iter().map(member).collect())
                    }
                    other => panic!("no sample of {shape}, a {other}"),
                }
            }
        }
    }

    /// Values that the model does not allow for the shape, each with the constraint it violates.
    pub(crate) fn violations(&self, shape: &str) -> Vec<(String, Value)> {
        let description = self.shape(shape);
        let mut found = Vec::new();
        let bound = |name: &str| description.get(name).and_then(Value::as_u64);
        match description["type"].as_str().unwrap() {
            "string" if description.get("enum").is_some() => {
                found.push(("enum".to_owned(), json!("nonsense")));
                found.push(("enum".to_owned(), json!("")));
            }
            "string" => {
                let pattern = description.get("pattern").and_then(Value::as_str);
                let filler = if pattern.is_some_and(|pattern| pattern.starts_with("[0-9")) {
                    "1"
                } else {
                    "a"
                };
                if let Some(min) = bound("min").filter(|min| *min > 0) {
                    let short = filler.repeat(usize::try_from(min - 1).unwrap());
                    found.push((format!("at least {min} characters"), json!(short)));
                }
                if let Some(max) = bound("max") {
                    let long = filler.repeat(usize::try_from(max + 1).unwrap());
                    found.push((format!("at most {max} characters"), json!(long)));
                }
                if let Some(pattern) = pattern {
                    found.push((pattern.to_owned(), json!(Self::off_pattern(shape, pattern))));
                }
            }
            "integer" | "long" => {
                if let Some(min) = description.get("min").and_then(Value::as_i64) {
                    found.push((format!("at least {min}"), json!(min - 1)));
                }
                if let Some(max) = description.get("max").and_then(Value::as_i64) {
                    found.push((format!("at most {max}"), json!(max + 1)));
                }
            }
            "list" => {
                let member = description["member"].as_str().unwrap();
                if let Some(max) = bound("max") {
                    let many = usize::try_from(max + 1).unwrap();
                    let many = vec![self.sample(member); many];
                    found.push((format!("at most {max} entries"), json!(many)));
                }
                for (constraint, value) in self.violations(member) {
                    found.push((constraint, json!([value])));
                }
            }
            "map" => {
                let (key, value) = (&description["key"], &description["value"]);
                let (key, value) = (key.as_str().unwrap(), value.as_str().unwrap());
                for (constraint, key) in self.violations(key) {
                    let mut map = Map::new();
                    map.insert(key.as_str().unwrap().to_owned(), self.sample(value));
                    found.push((constraint, Value::Object(map)));
                }
                let key = self.sample(key);
                for (constraint, value) in self.violations(value) {
                    let mut map = Map::new();
                    map.insert(key.as_str().unwrap().to_owned(), value);
                    found.push((constraint, Value::Object(map)));
                }
            }
            "structure" => {
                let required = description.get("required").and_then(Value::as_array);
                for name in required.into_iter().flatten() {
                    let mut sample = self.sample(shape);
                    sample
                        .as_object_mut()
                        .unwrap()
                        .remove(name.as_str().unwrap());
                    found.push((format!("{name} is required"), sample));
                }
                for (name, member) in description["members"].as_object().unwrap() {
                    for (constraint, value) in self.violations(member.as_str().unwrap()) {
                        let mut sample = self.sample(shape);
                        sample[name] = value;
                        found.push((constraint, sample));
                    }
                }
            }
            _ => {}
        }
        found
    }

    /// A text of a good length that the pattern does not match.
    fn off_pattern(shape: &str, pattern: &str) -> String {
        match pattern {
            "[a-z][a-z0-9\\-]{0,48}[a-z0-9]" => "My_domain".to_owned(),
            "[0-9]{12}" => "11112222333x".to_owned(),
            "[A-Za-z0-9][A-Za-z0-9._\\-]{1,99}" => "my/repository".to_owned(),
            "[A-Za-z0-9][A-Za-z0-9._\\-:]{1,99}" => "public/npm".to_owned(),
            "[^#/\\s]+" => "a/b".to_owned(),
            "\\S+" | "[^\\p{C}\\p{IsWhitespace}]+" => "a b".to_owned(),
            "\\P{C}+" | "\\P{C}*" | "[\\P{C}\\s]+" => "a\u{0}b".to_owned(),
            "[0-9a-f]+" => "AB".repeat(32),
            _ => panic!("no text off the pattern {pattern} of {shape}"),
        }
    }

    /// Fails where an answer is not what the model says; adds the members it has to `seen`, as `Shape.member`.
    pub(crate) fn check_answer(
        &self,
        operation: &str,
        answer: &Value,
        seen: &mut BTreeSet<String>,
    ) {
        let output = &self.0["operations"][operation]["output"];
        let shape = output["shape"].as_str().unwrap();
        self.check(operation, shape, answer, seen);
    }

    fn check(&self, at: &str, shape: &str, value: &Value, seen: &mut BTreeSet<String>) {
        let description = self.shape(shape);
        match description["type"].as_str().unwrap() {
            "structure" => {
                let members = &description["members"];
                let found = value.as_object().unwrap_or_else(|| panic!("{at}: {value}"));
                for (name, value) in found {
                    let member = members[name].as_str();
                    let member = member.unwrap_or_else(|| panic!("{at}: {shape} has no {name}"));
                    seen.insert(format!("{shape}.{name}"));
                    self.check(&format!("{at}.{name}"), member, value, seen);
                }
                let required = description.get("required").and_then(Value::as_array);
                for name in required.into_iter().flatten() {
                    assert!(
                        found.contains_key(name.as_str().unwrap()),
                        "{at}: no {name}"
                    );
                }
            }
            "list" => {
                let entries = value.as_array().unwrap_or_else(|| panic!("{at}: {value}"));
                for entry in entries {
                    let member = description["member"].as_str().unwrap();
                    self.check(&format!("{at}[]"), member, entry, seen);
                }
            }
            "map" => {
                let entries = value.as_object().unwrap_or_else(|| panic!("{at}: {value}"));
                for (key, entry) in entries {
                    self.check(at, description["key"].as_str().unwrap(), &json!(key), seen);
                    let member = description["value"].as_str().unwrap();
                    self.check(&format!("{at}{{}}"), member, entry, seen);
                }
            }
            "timestamp" => assert!(value.is_f64(), "{at}: {value} is no time"),
            "integer" | "long" => assert!(value.is_u64(), "{at}: {value} is no number"),
            "string" => {
                let text = value.as_str().unwrap_or_else(|| panic!("{at}: {value}"));
                let length = u64::try_from(text.chars().count()).unwrap();
                let bound = |name: &str| description.get(name).and_then(Value::as_u64);
                assert!(length >= bound("min").unwrap_or(0), "{at}: {text} is short");
                assert!(
                    length <= bound("max").unwrap_or(u64::MAX),
                    "{at}: {text} is long"
                );
                if let Some(values) = description.get("enum").and_then(Value::as_array) {
                    // The model has `Available`; the guide's sample and the service have capitals.
                    let known = values.contains(value)
                        || (shape, text) == ("ExternalConnectionStatus", "AVAILABLE");
                    assert!(known, "{at}: {text} is not one of {values:?}");
                }
            }
            other => panic!("{at}: {shape} is a {other}"),
        }
    }

    /// Every `Shape.member` that an answer of the operation may have.
    pub(crate) fn answer_members(&self, operation: &str) -> BTreeSet<String> {
        let mut members = BTreeSet::new();
        let shape = &self.0["operations"][operation]["output"]["shape"];
        self.members_of(shape.as_str().unwrap(), &mut members);
        members
    }

    fn members_of(&self, shape: &str, into: &mut BTreeSet<String>) {
        let description = self.shape(shape);
        for part in ["member", "value"] {
            if let Some(part) = description.get(part).and_then(Value::as_str) {
                self.members_of(part, into);
            }
        }
        let members = description.get("members").and_then(Value::as_object);
        for (name, member) in members.into_iter().flatten() {
            // Members that travel in headers are objects with a location, and one is the body itself.
            let is_payload = description["payload"] == name.as_str();
            if let Some(member) = member.as_str().filter(|_| !is_payload)
                && into.insert(format!("{shape}.{name}"))
            {
                self.members_of(member, into);
            }
        }
    }
}
