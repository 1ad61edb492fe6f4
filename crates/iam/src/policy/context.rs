//! What is known about a request: condition keys and their values.

use std::sync::Arc;

/// The condition keys of one request.
///
/// Keys compare without case. A key is single-valued ([`set`](Self::set)) or multivalued
/// ([`set_list`](Self::set_list)); a multivalued key without values counts as absent.
///
/// What is the same for every request of a caller is built once and shared: [`Context::over`] lays
/// a request's own keys over it without copying.
#[derive(Debug, Clone, Default)]
pub struct Context {
    base: Option<Arc<Context>>,
    /// Few enough (some twenty, plus tags) that looking through them beats hashing.
    entries: Vec<(Key, Values)>,
}

#[derive(Debug, Clone)]
enum Values {
    One(String),
    Many(Vec<String>),
}

impl Context {
    /// A context that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A context that knows what `base` knows, to which keys are added; a key set here hides the
    /// one below.
    pub fn over(base: Arc<Context>) -> Self {
        Self {
            base: Some(base),
            entries: Vec::new(),
        }
    }

    /// Sets a single-valued key, such as `aws:SourceIp`.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.put(key, Values::One(value.into()));
    }

    /// Sets a multivalued key, such as `aws:TagKeys`.
    pub fn set_list<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        self.put(
            key,
            Values::Many(values.into_iter().map(Into::into).collect()),
        );
    }

    /// [`set`](Self::set), for a chain.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// All values of a key; none when it is absent.
    pub fn values(&self, key: &str) -> &[String] {
        self.values_of(&Key::of(key))
    }

    /// Whether the key has a value.
    pub fn has(&self, key: &str) -> bool {
        !self.values(key).is_empty()
    }

    fn put(&mut self, key: &str, values: Values) {
        let key = Key::of(key);
        match self.entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = values,
            None => self.entries.push((key, values)),
        }
    }

    pub(super) fn values_of(&self, key: &Key) -> &[String] {
        match self.look_up(key) {
            Some(Values::One(value)) => std::slice::from_ref(value),
            Some(Values::Many(values)) => values,
            None => &[],
        }
    }

    /// The value of a single-valued key.
    pub(super) fn single(&self, key: &Key) -> Option<&str> {
        match self.look_up(key) {
            Some(Values::One(value)) => Some(value),
            Some(Values::Many(_)) | None => None,
        }
    }

    fn look_up(&self, key: &Key) -> Option<&Values> {
        let mut context = self;
        loop {
            if let Some((_, values)) = context.entries.iter().find(|(known, _)| known == key) {
                return Some(values);
            }
            context = context.base.as_deref()?;
        }
    }
}

/// A condition key, made ready to be compared: in lower case, with a hash that tells most keys
/// apart at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    hash: u64,
    text: Box<str>,
}

impl Key {
    pub(super) fn of(key: &str) -> Self {
        let text = key.to_lowercase().into_boxed_str();
        // FNV-1a. A collision costs one comparison of texts, so nothing is gained by provoking one.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { hash, text }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_without_case_and_the_upper_layer_hides_the_lower() {
        let base = Context::new()
            .with("aws:SourceIp", "192.0.2.1")
            .with("aws:username", "alice");
        let mut request = Context::over(Arc::new(base));
        request.set("AWS:SOURCEIP", "192.0.2.2");
        request.set_list("aws:TagKeys", ["a", "b"]);
        request.set_list("aws:Empty", Vec::<String>::new());
        assert_eq!(request.values("aws:sourceip"), ["192.0.2.2"]);
        assert_eq!(request.values("aws:UserName"), ["alice"]);
        assert_eq!(request.values("aws:TagKeys"), ["a", "b"]);
        assert_eq!(request.single(&Key::of("aws:tagkeys")), None);
        assert!(!request.has("aws:Empty"));
        assert!(!request.has("aws:PrincipalOrgID"));
    }
}
