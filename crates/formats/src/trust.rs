//! By whose keys attestations count.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use sigstore_verify::Verifier;
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};

/// A Sigstore trust root, JSON text as clients of Sigstore keep it in `trusted_root.json`: who certifies signers, and in
/// which logs signatures are. The default is that of the public-good instance, as it was when this program was built.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustRoot(Cow<'static, str>);

/// A text is no trust root.
#[derive(Debug, thiserror::Error)]
#[error("it is no Sigstore trust root: {0}")]
pub struct InvalidTrustRoot(#[source] sigstore_verify::Error);

impl TrustRoot {
    /// What verifies by it.
    pub(crate) fn verifier(&self) -> Verifier {
        verifier(&self.0)
            .expect("it was made once when the text was read, and the default by a test")
    }
}

fn verifier(text: &str) -> Result<Verifier, sigstore_verify::Error> {
    Verifier::new(&TrustedRoot::from_json(text)?)
}

impl FromStr for TrustRoot {
    type Err = InvalidTrustRoot;

    fn from_str(text: &str) -> Result<Self, InvalidTrustRoot> {
        verifier(text).map_err(InvalidTrustRoot)?;
        Ok(Self(text.to_owned().into()))
    }
}

impl Default for TrustRoot {
    fn default() -> Self {
        Self(SIGSTORE_PRODUCTION_TRUSTED_ROOT.into())
    }
}

/// Without its keys and certificates, which fill pages.
impl fmt::Debug for TrustRoot {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "TrustRoot({} bytes)", self.0.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use sigstore_verify::trust_root::SIGSTORE_STAGING_TRUSTED_ROOT;

    use super::*;

    #[test]
    fn a_trust_root_is_one_from_the_start() {
        let _ = TrustRoot::default().verifier();
        let other: TrustRoot = SIGSTORE_STAGING_TRUSTED_ROOT.parse().unwrap();
        let _ = other.verifier();
        assert_ne!(other, TrustRoot::default());
        for text in ["", "{}", "[]", r#"{"mediaType": "x", "tlogs": [{}]}"#] {
            assert!(text.parse::<TrustRoot>().is_err(), "{text}");
        }
    }
}
