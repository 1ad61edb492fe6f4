//! Which part of a list is wanted. Lists are in the order of names without case and go on after the last name shown.

use store::Value;

/// Sorts after every name and path.
const END: char = '\u{10ffff}';

/// A page of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Only what is under this path; `/` is everything.
    pub(crate) prefix: &'a str,
    /// Only what comes after this name in lower case; empty at the beginning.
    pub(crate) after: &'a str,
    /// At most so many.
    pub(crate) limit: u32,
}

impl Part<'_> {
    /// All of a list that cannot be long.
    pub(crate) fn all() -> Self {
        Self::first(i32::MAX.unsigned_abs())
    }

    pub(crate) fn first(limit: u32) -> Self {
        Self {
            prefix: "",
            after: "",
            limit,
        }
    }

    /// `$1` the owner, `$2` the name to go on after, `$3` and `$4` the first path and the first one beyond, `$5` the limit.
    pub(crate) fn values(&self, owner: &str) -> Vec<Value> {
        vec![
            owner.into(),
            self.after.into(),
            self.prefix.into(),
            format!("{}{END}", self.prefix).into(),
            self.limit.into(),
        ]
    }

    /// The same without paths: `$3` is the limit.
    pub(crate) fn values_without_path(&self, owner: &str) -> Vec<Value> {
        vec![owner.into(), self.after.into(), self.limit.into()]
    }

    /// Cuts a list that is in memory, where each entry has the key that it is ordered by.
    pub(crate) fn cut<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut items: Vec<(String, T)> = items
            .into_iter()
            .map(|item| (key(&item), item))
            .filter(|(key, _)| key.as_str() > self.after)
            .collect();
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        items
            .into_iter()
            .take(limit)
            .map(|(_, item)| item)
            .collect()
    }
}
