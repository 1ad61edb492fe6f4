//! Which condition keys a policy looks at, as its author wrote them.

use super::document::{Document, Version};
use super::malformed::Malformed;

/// The condition keys in a text, each once (keys compare without case), in the order in which they are mentioned first.
///
/// For people: [`Policy::context_keys`](super::Policy::context_keys) has them in lower case. Errors: as
/// [`Policy::parse`](super::Policy::parse).
pub fn mentioned_keys(text: &str) -> Result<Vec<String>, Malformed> {
    let document = Document::read(text)?;
    let variables = document.version == Version::Current;
    let mut keys = Keys::default();
    for clause in &document.statements {
        let resources = clause.resource.iter().flat_map(|listed| &listed.values);
        let values = clause
            .conditions
            .iter()
            .flat_map(|condition| &condition.values);
        if variables {
            resources.for_each(|text| keys.add_variables(text));
        }
        for condition in &clause.conditions {
            keys.add(&condition.key);
        }
        if variables {
            values.for_each(|text| keys.add_variables(text));
        }
    }
    Ok(keys.0)
}

#[derive(Default)]
struct Keys(Vec<String>);

impl Keys {
    fn add(&mut self, key: &str) {
        if !self.0.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            self.0.push(key.to_owned());
        }
    }

    /// `${key}` and `${key, 'default'}`; `${*}`, `${?}` and `${$}` are plain characters.
    fn add_variables(&mut self, text: &str) {
        for variable in text.split("${").skip(1) {
            let end = variable.find([',', '}']).unwrap_or(variable.len());
            let key = variable[..end].trim();
            if !["", "*", "?", "$"].contains(&key) {
                self.add(key);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_conditions_and_of_variables() {
        let statement = r#"{"Effect":"Allow","Action":"*",
            "Resource":["arn:aws:codeartifact:*:*:repository/${aws:PrincipalTag/team, 'x'}/${*}", "*"],
            "Condition":{"StringEquals":{"sts:AWSServiceName":"${aws:username}"},"Null":{"AWS:UserName":"true"}}}"#;
        for (version, expected) in [
            (
                r#""Version":"2012-10-17","#,
                vec![
                    "aws:PrincipalTag/team",
                    "sts:AWSServiceName",
                    "AWS:UserName",
                ],
            ),
            ("", vec!["sts:AWSServiceName", "AWS:UserName"]),
        ] {
            let text = format!(r#"{{{version}"Statement":{statement}}}"#);
            assert_eq!(mentioned_keys(&text).unwrap(), expected);
        }
    }
}
