//! A signed token: three parts of base64url, the first two JSON (RFC 7515, RFC 7519).

use std::collections::HashSet;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::NotVerified;
use crate::policy::json::{self, Json};

/// How a token may be signed: with a key that only its issuer has. What is not in here is not looked at, `none` and every
/// algorithm with a shared secret above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    Es512,
}

impl FromStr for Algorithm {
    type Err = NotVerified;

    fn from_str(text: &str) -> Result<Self, NotVerified> {
        match text {
            "RS256" => Ok(Self::Rs256),
            "RS384" => Ok(Self::Rs384),
            "RS512" => Ok(Self::Rs512),
            "ES256" => Ok(Self::Es256),
            "ES384" => Ok(Self::Es384),
            "ES512" => Ok(Self::Es512),
            _ => Err(NotVerified::NoKey),
        }
    }
}

/// A token that has the right form, and is not proven.
pub(super) struct Token<'a> {
    /// The text that is signed: the first two parts with the point between them.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
    pub(super) claims: Claims,
}

impl<'a> Token<'a> {
    /// Takes a text apart. Keys and addresses of keys in the header are not looked at.
    pub(super) fn read(text: &'a str) -> Result<Self, NotVerified> {
        let (signed, signature) = text.rsplit_once('.').ok_or(NotVerified::NotJwt)?;
        let (header, payload) = signed.split_once('.').ok_or(NotVerified::NotJwt)?;
        // Of an encrypted token, which has five parts, two points would be left in the payload.
        let header = Claims::read(&decode(header)?)?;
        let claims = Claims::read(&decode(payload)?)?;
        let signature = decode(signature)?;
        // Whoever does not know what is critical must refuse (RFC 7515, 4.1.11), and we know nothing of that kind.
        if header.get("crit").is_some() {
            return Err(NotVerified::NotJwt);
        }
        let algorithm = header.text("alg").ok_or(NotVerified::NotJwt)?.parse()?;
        let key_id = header.text("kid").ok_or(NotVerified::NoKey)?.to_owned();
        Ok(Self {
            signed,
            signature,
            algorithm,
            key_id,
            claims,
        })
    }
}

/// Base64url without padding; one text for the same bytes, so none with other bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, NotVerified> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| NotVerified::NotJwt)
}

/// The members of a JSON object, as a header or the claims of a token.
pub(crate) struct Claims(Vec<(String, Json)>);

impl Claims {
    /// Reads an object. Condition keys compare without case, so names that differ in nothing else are one name twice.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NotVerified> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotVerified::NotJwt)?;
        let Ok(Json::Object(members)) = json::read(text) else {
            return Err(NotVerified::NotJwt);
        };
        let mut seen = HashSet::new();
        if members
            .iter()
            .all(|(name, _)| seen.insert(name.to_lowercase()))
        {
            Ok(Self(members))
        } else {
            Err(NotVerified::NotJwt)
        }
    }

    /// Members that were read as a part of something larger, where equal names are refused already.
    pub(super) fn of(members: Vec<(String, Json)>) -> Self {
        Self(members)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Json::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A text, or a list of nothing but texts.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        texts(self.get(name)?)
    }

    /// Seconds since 1970, perhaps with a fraction. Errors: it is there and no number.
    pub(super) fn time(&self, name: &str) -> Result<Option<f64>, NotVerified> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(number.as_f64()),
            Some(_) => Err(NotVerified::NotJwt),
        }
    }
}

/// A text, or a list of nothing but texts.
pub(crate) fn texts(json: &Json) -> Option<Vec<&str>> {
    match json {
        Json::Text(text) => Some(vec![text]),
        Json::List(items) => items
            .iter()
            .map(|item| match item {
                Json::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn what_is_not_three_parts_of_strict_json_is_no_token() {
        let header = encoded(r#"{"alg":"RS256","kid":"k"}"#);
        let payload = encoded(r#"{"iss":"https://i"}"#);
        let with_header = |header: &str| format!("{}.{payload}.c2ln", encoded(header));
        let with_payload = |payload: &str| format!("{header}.{}.c2ln", encoded(payload));
        for (text, expected) in [
            (format!("{header}.{payload}.c2ln"), "good"),
            (
                with_header(r#"{"alg":"ES512","kid":"k","typ":"JWT","jku":"https://evil"}"#),
                "good",
            ),
            (with_header(r#"{"alg":"none","kid":"k"}"#), "key"),
            (with_header(r#"{"alg":"HS256","kid":"k"}"#), "key"),
            (with_header(r#"{"alg":"PS256","kid":"k"}"#), "key"),
            (with_header(r#"{"alg":"rs256","kid":"k"}"#), "key"),
            (with_header(r#"{"alg":"RS256"}"#), "key"),
            (with_header(r#"{"alg":"RS256","kid":7}"#), "key"),
            (with_header(r#"{"alg":["RS256"],"kid":"k"}"#), "form"),
            (with_header(r#"{"kid":"k"}"#), "form"),
            (
                with_header(r#"{"alg":"RS256","kid":"k","crit":["b64"],"b64":false}"#),
                "form",
            ),
            (
                with_header(r#"{"alg":"HS256","alg":"RS256","kid":"k"}"#),
                "form",
            ),
            (with_payload(r#"{"sub":"a","sub":"b"}"#), "form"),
            (with_payload(r#"{"sub":"a","Sub":"b"}"#), "form"),
            (with_payload(r#"["sub"]"#), "form"),
            (with_payload("eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d"), "form"),
            (with_payload(r#"{"sub":"a"} "#), "good"),
            (with_payload(r#"{"sub":"a"}{}"#), "form"),
            (
                with_payload(&format!("{}1{}", "[".repeat(500), "]".repeat(500))),
                "form",
            ),
            (format!("{header}.{payload}"), "form"),
            (format!("{header}.{payload}.c2ln.c2ln"), "form"),
            // Five parts: encrypted.
            (format!("{header}.a.{payload}.c2ln.c2ln"), "form"),
            (format!("{header}.{payload}.c2ln="), "form"),
            (format!("{header}.{payload}.c2lo\n"), "form"),
            // The same three bytes with other bits at the end.
            (format!("{header}.{payload}.c2k"), "good"),
            (format!("{header}.{payload}.c2l"), "form"),
            (format!("{header}.{payload}/.c2ln"), "form"),
            ("..".to_owned(), "form"),
            (String::new(), "form"),
        ] {
            let found = match Token::read(&text) {
                Ok(_) => "good",
                Err(NotVerified::NoKey) => "key",
                Err(_) => "form",
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
