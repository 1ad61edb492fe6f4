//! Tags of domains and repositories.

use std::collections::BTreeMap;

use crate::error::Kind;
use crate::names::is_other;
use crate::{Error, Result};

/// Checks tags that a request brings and puts them in key order. Errors: `Invalid` (a key that is doubled, reserved or
/// misspelt), `Quota`.
pub(crate) fn checked(
    tags: Vec<(String, String)>,
    limit: u32,
    kind: Kind,
    id: &str,
) -> Result<Vec<(String, String)>> {
    let mut checked = BTreeMap::new();
    for (key, value) in tags {
        let length = key.chars().count();
        if length == 0 || length > 128 || key.chars().any(is_other) {
            return Err(Error::Invalid(format!(
                "tag key `{key}` must have 1 to 128 characters and no control characters"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::Invalid(format!(
                "tag key `{key}` must not begin with `aws:`"
            )));
        }
        if value.chars().count() > 256 || value.chars().any(is_other) {
            return Err(Error::Invalid(format!(
                "the value of tag `{key}` must have at most 256 characters and no control characters"
            )));
        }
        if checked.contains_key(&key) {
            return Err(Error::Invalid(format!("tag key `{key}` is given twice")));
        }
        checked.insert(key, value);
    }
    if checked.len() > limit as usize {
        return Err(Error::Quota {
            kind,
            id: id.to_owned(),
            message: format!("a resource may have at most {limit} tags"),
        });
    }
    Ok(checked.into_iter().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(tags: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        checked(tags, 2, Kind::Domain, "d")
    }

    #[test]
    fn tags_are_sorted_and_the_wrong_ones_refused() {
        assert_eq!(check(&[("b", "2"), ("a", "")]).unwrap()[0].0, "a");
        assert!(matches!(
            check(&[("a", "1"), ("a", "2")]),
            Err(Error::Invalid(_))
        ));
        assert!(matches!(check(&[("aws:x", "1")]), Err(Error::Invalid(_))));
        assert!(matches!(check(&[("", "1")]), Err(Error::Invalid(_))));
        assert!(matches!(check(&[("a", "\n")]), Err(Error::Invalid(_))));
        assert!(matches!(
            check(&[("a", ""), ("b", ""), ("c", "")]),
            Err(Error::Quota { .. })
        ));
    }
}
