//! Who and where, as AWS writes it: account numbers, regions, access key ids and ARNs.
//!
//! Each type is parsed once at the edge and prints exactly what it was read from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The text is not an account number, a region, an access key id or an ARN.
///
/// The message names the kind and the rule, never the text: an access key id may be mistyped as
/// its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} must be {rule}")]
pub struct InvalidIdentity {
    kind: &'static str,
    rule: &'static str,
}

/// Serializes through `Display`-like `as_str` and deserializes through `FromStr`.
macro_rules! text_serde {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}

/// An AWS account number: exactly twelve decimal digits, for example `111122223333`.
///
/// Leading zeros count, so it is kept as text; [`AccountId::number`] is for fixed-size layouts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("both constructors store ASCII digits")
    }

    /// The digits read as a number, at most 999 999 999 999.
    pub fn number(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    }
}

impl FromStr for AccountId {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let digits: Option<[u8; 12]> = text.as_bytes().try_into().ok();
        digits
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .map(Self)
            .ok_or(InvalidIdentity {
                kind: "account id",
                rule: "12 digits",
            })
    }
}

impl TryFrom<u64> for AccountId {
    type Error = InvalidIdentity;

    /// The inverse of [`AccountId::number`]; refuses numbers of more than twelve digits.
    fn try_from(number: u64) -> Result<Self, InvalidIdentity> {
        format!("{number:012}").parse()
    }
}

text_serde!(AccountId);

/// A region name, for example `us-east-1`: 1 to 32 lower-case letters, digits and hyphens.
///
/// Not checked against a list: with a custom endpoint SDKs sign for whatever region the client
/// has, `local` and `aws-global` included.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        if (1..=32).contains(&text.len()) && text.bytes().all(is_name_byte) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidIdentity {
                kind: "region",
                rule: "1 to 32 lower-case letters, digits and hyphens",
            })
        }
    }
}

text_serde!(Region);

/// The public half of an access key, for example `AKIAIOSFODNN7EXAMPLE`.
///
/// 16 to 128 ASCII letters, digits and underscores, as the IAM service model has it; those made
/// here have 20 characters. The first four tell the kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(Arc<str>);

impl AccessKeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the key comes from STS (`ASIA…`) and therefore needs its session token.
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with("ASIA")
    }
}

impl FromStr for AccessKeyId {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (16..=128).contains(&text.len()) && text.bytes().all(is_word) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidIdentity {
                kind: "access key id",
                rule: "16 to 128 letters, digits and underscores",
            })
        }
    }
}

text_serde!(AccessKeyId);

/// A resource name: `arn:partition:service:region:account:resource`.
///
/// Region and account may be empty (`arn:aws:iam::111122223333:user/ci`), and the account of what
/// AWS itself owns is the word `aws` (`arn:aws:iam::aws:policy/AdministratorAccess`). The resource
/// is everything after the fifth colon, colons included, and never empty. Compared byte by byte.
/// Patterns with wildcards are not ARNs and have their own type in `iam`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    text: Arc<str>,
    /// Where each of partition, service, region and account ends, as a byte offset into `text`.
    ends: [u16; 4],
}

/// The longest ARN that the IAM service model accepts.
const MAX_ARN_LENGTH: usize = 2048;

impl Arn {
    /// An ARN in partition `aws`.
    ///
    /// `service` and `resource` are written by us from parsed parts; parsing the result gives it
    /// back as long as `service` holds no colon and the whole stays within 2048 bytes.
    pub fn new<'a>(
        service: &'static str,
        region: impl Into<Option<&'a Region>>,
        account: impl Into<Option<&'a AccountId>>,
        resource: impl AsRef<str>,
    ) -> Self {
        Self::join(
            service,
            region.into().map_or("", Region::as_str),
            account.into().map_or("", AccountId::as_str),
            resource.as_ref(),
        )
    }

    /// The ARN of something that AWS itself provides, for example `arn:aws:iam::aws:policy/ReadOnlyAccess`.
    pub fn owned_by_aws(service: &'static str, resource: impl AsRef<str>) -> Self {
        Self::join(service, "", "aws", resource.as_ref())
    }

    fn join(service: &str, region: &str, account: &str, resource: &str) -> Self {
        let text = format!("arn:aws:{service}:{region}:{account}:{resource}");
        let mut end = "arn:aws".len();
        let mut ends = [offset(end); 4];
        for (slot, part) in ends[1..].iter_mut().zip([service, region, account]) {
            end += 1 + part.len();
            *slot = offset(end);
        }
        Self {
            text: text.into(),
            ends,
        }
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition, nearly always `aws`.
    pub fn partition(&self) -> &str {
        &self.text["arn:".len()..self.end(0)]
    }

    /// The service's prefix, for example `codeartifact`.
    pub fn service(&self) -> &str {
        &self.text[self.end(0) + 1..self.end(1)]
    }

    /// The region, empty for global services.
    pub fn region(&self) -> &str {
        &self.text[self.end(1) + 1..self.end(2)]
    }

    /// The account as written: empty, `aws`, or twelve digits.
    pub fn account(&self) -> &str {
        &self.text[self.end(2) + 1..self.end(3)]
    }

    /// The account when it is a number.
    pub fn account_id(&self) -> Option<AccountId> {
        self.account().parse().ok()
    }

    /// Everything after the account, for example `user/build/ci`.
    pub fn resource(&self) -> &str {
        &self.text[self.end(3) + 1..]
    }

    fn end(&self, part: usize) -> usize {
        usize::from(self.ends[part])
    }
}

/// Offsets stay below the length of the five fixed parts, which is far below 65 536.
fn offset(end: usize) -> u16 {
    u16::try_from(end).unwrap_or(u16::MAX)
}

impl FromStr for Arn {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let invalid = InvalidIdentity {
            kind: "ARN",
            rule: "of the form `arn:partition:service:region:account:resource`",
        };
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(invalid);
        let (arn, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let is_name = |part: &str| !part.is_empty() && part.bytes().all(is_name_byte);
        let is_account =
            account.is_empty() || account == "aws" || account.parse::<AccountId>().is_ok();
        let fits = text.len() <= MAX_ARN_LENGTH
            && arn == "arn"
            && is_name(partition)
            && is_name(service)
            && (region.is_empty() || region.parse::<Region>().is_ok())
            && is_account
            && !resource.is_empty()
            && !resource.chars().any(char::is_control);
        if !fits {
            return Err(invalid);
        }
        let mut end = "arn".len();
        let ends = [partition, service, region, account].map(|part| {
            end += 1 + part.len();
            offset(end)
        });
        Ok(Self {
            text: text.into(),
            ends,
        })
    }
}

text_serde!(Arn);

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_twelve_digits_and_keep_leading_zeros() {
        for (text, number) in [
            ("111122223333", Some(111_122_223_333)),
            ("000000000042", Some(42)),
            ("999999999999", Some(999_999_999_999)),
            ("11112222333", None),
            ("1111222233334", None),
            ("11112222333a", None),
            ("１１１１", None),
            ("", None),
        ] {
            let parsed = text.parse::<AccountId>().ok();
            assert_eq!(parsed.map(|id| id.number()), number, "{text}");
            if let Some(id) = parsed {
                assert_eq!(id.to_string(), text);
                assert_eq!(AccountId::try_from(id.number()).unwrap(), id);
            }
        }
        assert!(AccountId::try_from(1_000_000_000_000).is_err());
    }

    #[test]
    fn regions_and_keys_are_checked_for_form_only() {
        for (text, good) in [
            ("us-east-1", true),
            ("aws-global", true),
            ("local", true),
            ("", false),
            ("US-EAST-1", false),
            ("us east", false),
            ("us/east", false),
        ] {
            assert_eq!(text.parse::<Region>().is_ok(), good, "{text}");
        }
        for (text, temporary) in [
            ("AKIAIOSFODNN7EXAMPLE", Some(false)),
            ("ASIAIOSFODNN7EXAMPLE", Some(true)),
            ("AKIA", None),
            ("AKIAIOSFODNN7EXAMPL/", None),
        ] {
            let parsed = text.parse::<AccessKeyId>().ok();
            assert_eq!(parsed.map(|key| key.is_temporary()), temporary, "{text}");
        }
    }

    #[test]
    fn arns_print_what_they_were_read_from() {
        for (text, parts) in [
            (
                "arn:aws:iam::111122223333:user/build/ci",
                Some(["aws", "iam", "", "111122223333", "user/build/ci"]),
            ),
            (
                "arn:aws:codeartifact:us-east-1:111122223333:package/d/r/npm/@s/x:y",
                Some([
                    "aws",
                    "codeartifact",
                    "us-east-1",
                    "111122223333",
                    "package/d/r/npm/@s/x:y",
                ]),
            ),
            (
                "arn:aws-cn:iam::aws:policy/AdministratorAccess",
                Some(["aws-cn", "iam", "", "aws", "policy/AdministratorAccess"]),
            ),
            (
                "arn:aws:s3:::bucket/ü",
                Some(["aws", "s3", "", "", "bucket/ü"]),
            ),
            ("arn:aws:iam::111122223333:", None),
            ("arn:aws:iam::111122223333", None),
            ("arn:aws:iam::1111:root", None),
            ("arn:aws:iam::*:root", None),
            ("arn::iam::111122223333:root", None),
            ("ARN:aws:iam::111122223333:root", None),
            ("arn:aws:iam::111122223333:user/a\nb", None),
            ("", None),
        ] {
            let arn = text.parse::<Arn>().ok();
            let found = arn.as_ref().map(|arn| {
                assert_eq!(arn.to_string(), text);
                [
                    arn.partition(),
                    arn.service(),
                    arn.region(),
                    arn.account(),
                    arn.resource(),
                ]
            });
            assert_eq!(found, parts, "{text}");
        }
    }

    #[test]
    fn a_built_arn_is_the_parsed_one() {
        let account: AccountId = "111122223333".parse().unwrap();
        let region: Region = "eu-west-1".parse().unwrap();
        for (arn, text) in [
            (
                Arn::new("codeartifact", &region, &account, "domain/d"),
                "arn:aws:codeartifact:eu-west-1:111122223333:domain/d",
            ),
            (
                Arn::new("iam", None, &account, "root"),
                "arn:aws:iam::111122223333:root",
            ),
            (
                Arn::owned_by_aws("iam", "policy/ReadOnlyAccess"),
                "arn:aws:iam::aws:policy/ReadOnlyAccess",
            ),
        ] {
            assert_eq!(arn, text.parse().unwrap());
            let json = serde_json::to_string(&arn).unwrap();
            assert_eq!(serde_json::from_str::<Arn>(&json).unwrap(), arn);
        }
    }
}
