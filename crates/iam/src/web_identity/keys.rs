//! The keys that an issuer publishes: a JWK set (RFC 7517, RFC 7518).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::token::{Algorithm, Claims};
use crate::policy::json::{self, Json};

/// The keys of one issuer that a token can be verified with.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: String,
    /// The one that it says it is for.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    /// Modulus and exponent, big-endian, without zeros in front.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point in uncompressed form: `04 || x || y`.
    Ec { curve: Curve, point: Vec<u8> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

impl Keys {
    /// Reads a set. Keys without a name, for other uses or of other kinds are left out; `None` when it is no set.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let Json::Object(members) = json::read(std::str::from_utf8(bytes).ok()?).ok()? else {
            return None;
        };
        let keys = members.into_iter().find(|(name, _)| name == "keys");
        let Some((_, Json::List(keys))) = keys else {
            return None;
        };
        let keys = keys.into_iter().filter_map(|key| match key {
            Json::Object(members) => Key::read(&Claims::of(members)),
            _ => None,
        });
        Some(Self(keys.collect()))
    }

    /// The key of this name, if it can have made a signature of this kind: what the token says must fit what the issuer
    /// says.
    pub(super) fn find(&self, id: &str, algorithm: Algorithm) -> Option<&Key> {
        self.0
            .iter()
            .find(|key| key.id == id && key.fits(algorithm))
    }
}

impl Key {
    fn read(members: &Claims) -> Option<Self> {
        let id = members.text("kid")?.to_owned();
        let for_signatures = members.get("use").is_none() || members.text("use") == Some("sig");
        let for_verifying = match members.get("key_ops") {
            None => true,
            Some(_) => members.texts("key_ops")?.contains(&"verify"),
        };
        if !for_signatures || !for_verifying {
            return None;
        }
        let algorithm = match members.get("alg") {
            None => None,
            Some(_) => Some(members.text("alg")?.parse().ok()?),
        };
        let number = |name| URL_SAFE_NO_PAD.decode(members.text(name)?).ok();
        let material = match members.text("kty")? {
            "RSA" => Material::Rsa {
                n: without_zeros(number("n")?),
                e: without_zeros(number("e")?),
            },
            "EC" => {
                let curve = match members.text("crv")? {
                    "P-256" => Curve::P256,
                    "P-384" => Curve::P384,
                    "P-521" => Curve::P521,
                    _ => return None,
                };
                let mut point = vec![4];
                point.extend(number("x")?);
                point.extend(number("y")?);
                Material::Ec { curve, point }
            }
            _ => return None,
        };
        Some(Self {
            id,
            algorithm,
            material,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{Es256, Es384, Es512, Rs256, Rs384, Rs512};
        let kind_fits = match &self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512),
            Material::Ec { curve, .. } => matches!(
                (curve, algorithm),
                (Curve::P256, Es256) | (Curve::P384, Es384) | (Curve::P521, Es512)
            ),
        };
        kind_fits && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether this key has made the signature, by this algorithm. RSA keys have 2048 to 8192 bits.
    pub(super) fn has_signed(&self, algorithm: Algorithm, text: &str, signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { n, e } => {
                let parameters: &RsaParameters = match algorithm {
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }
                    .verify(parameters, text.as_bytes(), signature)
                    .is_ok()
            }
            Material::Ec { curve, point } => {
                let algorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => &ECDSA_P521_SHA512_FIXED,
                };
                UnparsedPublicKey::new(algorithm, point)
                    .verify(text.as_bytes(), signature)
                    .is_ok()
            }
        }
    }
}

fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.into_iter().skip(zeros).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::token::Token;
    use super::*;

    /// RFC 7515, A.2 and A.3: keys of others, and what they have signed with them. The tokens name no key, so the last
    /// part is all that is of use here, and the text in front of it.
    const RSA_KEY: &str = r#""kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ""#;
    const RSA_SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const EC_KEY: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    const EC_SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn set(key: &str) -> Keys {
        Keys::read(format!(r#"{{"keys":[{{{key}}}]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn what_the_standard_signs_is_verified_and_nothing_else() {
        for (key, signed, algorithm) in [
            (RSA_KEY, RSA_SIGNED, Algorithm::Rs256),
            (EC_KEY, EC_SIGNED, Algorithm::Es256),
        ] {
            let keys = set(&format!(r#"{key},"kid":"k""#));
            let key = keys.find("k", algorithm).unwrap();
            let (text, signature) = signed.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            assert!(key.has_signed(algorithm, text, &signature));
            assert!(!key.has_signed(algorithm, &text[1..], &signature));
            assert!(!key.has_signed(algorithm, text, &signature[1..]));
            assert!(!key.has_signed(algorithm, text, &[]));
            for at in 0..signature.len() {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(!key.has_signed(algorithm, text, &changed), "byte {at}");
            }
            for other in [Algorithm::Rs384, Algorithm::Es384, Algorithm::Es512] {
                assert!(!key.has_signed(other, text, &signature), "{other:?}");
            }
            // They have no `kid`, which is asked for here.
            assert!(Token::read(signed).is_err());
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_for_what_it_is_for() {
        for (key, algorithm, found) in [
            (format!(r#"{RSA_KEY},"kid":"k""#), Algorithm::Rs512, true),
            (
                format!(r#"{RSA_KEY},"kid":"k","alg":"RS256","use":"sig""#),
                Algorithm::Rs256,
                true,
            ),
            (
                format!(r#"{RSA_KEY},"kid":"k","alg":"RS256""#),
                Algorithm::Rs512,
                false,
            ),
            (
                format!(r#"{RSA_KEY},"kid":"k","alg":"RSA-OAEP""#),
                Algorithm::Rs256,
                false,
            ),
            (
                format!(r#"{RSA_KEY},"kid":"k","use":"enc""#),
                Algorithm::Rs256,
                false,
            ),
            (
                format!(r#"{RSA_KEY},"kid":"k","key_ops":["verify"]"#),
                Algorithm::Rs256,
                true,
            ),
            (
                format!(r#"{RSA_KEY},"kid":"k","key_ops":["encrypt"]"#),
                Algorithm::Rs256,
                false,
            ),
            (format!(r#"{RSA_KEY},"kid":"K""#), Algorithm::Rs256, false),
            (RSA_KEY.to_owned(), Algorithm::Rs256, false),
            (format!(r#"{RSA_KEY},"kid":"k""#), Algorithm::Es256, false),
            (format!(r#"{EC_KEY},"kid":"k""#), Algorithm::Es256, true),
            (format!(r#"{EC_KEY},"kid":"k""#), Algorithm::Es384, false),
            (format!(r#"{EC_KEY},"kid":"k""#), Algorithm::Rs256, false),
            (
                r#""kty":"oct","k":"c2VjcmV0","kid":"k""#.to_owned(),
                Algorithm::Rs256,
                false,
            ),
            (
                r#""kty":"RSA","n":"!","e":"AQAB","kid":"k""#.to_owned(),
                Algorithm::Rs256,
                false,
            ),
        ] {
            assert_eq!(set(&key).find("k", algorithm).is_some(), found, "{key}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(Keys::read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn zeros_in_front_of_a_number_change_nothing() {
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let mut padded = vec![0];
        padded.extend(number("AQAB"));
        assert_eq!(without_zeros(padded), number("AQAB"));
    }
}
