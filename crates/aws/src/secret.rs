//! Values that must not be printed, logged or left in memory.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that prints as `[secret]`, is wiped when dropped and compares in constant time.
///
/// There is deliberately no `Serialize`, `Display` or `Deref`: reading it is always spelled
/// [`Secret::expose`], so every use can be found.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

/// A secret text: the second half of an access key, a token.
pub type SecretString = Secret<String>;

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one computation that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Whether the value has exactly these bytes; takes the same time wherever they differ.
    ///
    /// The length is not hidden: all secrets here have public, fixed lengths.
    pub fn matches(&self, other: &[u8]) -> bool {
        bool::from(self.0.as_ref().ct_eq(other))
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_ref())
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for SecretString {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_and_compares_by_value() {
        let secret = SecretString::from("wJalrXUtnFEMI");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[secret] [secret]");
        assert_eq!(secret, SecretString::from("wJalrXUtnFEMI"));
        assert_ne!(secret, SecretString::from("wJalrXUtnFEMJ"));
        assert!(!secret.matches(b"wJalrXUtnFEM"));
        assert_eq!(secret.expose(), "wJalrXUtnFEMI");
    }
}
