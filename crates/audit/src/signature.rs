//! How a receiver knows that a delivery is from here, whole, and not an old one sent again.
//!
//! ```text
//! x-packhouse-signature: t=1773500966,v1=HEX
//! HEX = HMAC-SHA256(secret, "1773500966" "." body)       the secret is the text as it was shown, `whsec_` included
//! ```

use std::fmt;

use aws::{SecretString, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Carries the signature.
pub(crate) const HEADER: &str = "x-packhouse-signature";

/// A time and a signature over it and a body; prints as the header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    seconds: i64,
    hex: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t={},v1={}", self.seconds, self.hex)
    }
}

/// Signs a body that is sent now.
pub fn sign(secret: &SecretString, now: Timestamp, body: &[u8]) -> Signature {
    let seconds = now.seconds();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Signature {
        seconds,
        hex: hex::encode(mac.finalize().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac.new(secret, b"1773500966." + body, "sha256").hexdigest()`.
    #[test]
    fn a_signature_is_what_others_compute() {
        let secret = SecretString::from("whsec_test");
        let signature = sign(
            &secret,
            Timestamp::from_seconds(1_773_500_966),
            b"{\"a\":1}",
        );
        assert_eq!(signature.to_string(), EXPECTED);
    }

    const EXPECTED: &str =
        "t=1773500966,v1=acc2fb6c295f3bf7637de04dfdee104c96f3aede16b89bab87894e226b7489e6";
}
