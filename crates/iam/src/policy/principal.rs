//! Who asks, and whom a resource policy names.

use super::document::{self, Document, Listed, PrincipalKind, Principals};
use super::json;
use super::malformed::Malformed;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal<'a> {
    /// The root user of an account.
    Root {
        /// Twelve digits.
        account: &'a str,
        /// `arn:aws:iam::ACCOUNT:root`.
        arn: &'a str,
    },
    /// An IAM user, with a long-term key or with credentials of `GetSessionToken`.
    User {
        /// Twelve digits.
        account: &'a str,
        /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`.
        arn: &'a str,
        /// `AIDA…`.
        unique_id: &'a str,
    },
    /// A session of a role, however it was begun.
    RoleSession {
        /// Twelve digits.
        account: &'a str,
        /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, without the role's path.
        arn: &'a str,
        /// `arn:aws:iam::ACCOUNT:role/PATH/ROLE`, with its path.
        role_arn: &'a str,
        /// `AROA…`.
        role_id: &'a str,
    },
    /// The bearer of a token of an OIDC provider, on the way to a role.
    WebIdentity {
        /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`.
        provider: &'a str,
    },
    /// A service, on the way to a role.
    Service {
        /// `ec2.amazonaws.com`.
        name: &'a str,
    },
    /// Nobody who is known.
    Anonymous,
}

impl<'a> Principal<'a> {
    /// The account the caller belongs to; services, web identities and the unknown belong to none.
    pub fn account(&self) -> Option<&'a str> {
        match *self {
            Self::Root { account, .. }
            | Self::User { account, .. }
            | Self::RoleSession { account, .. } => Some(account),
            Self::WebIdentity { .. } | Self::Service { .. } | Self::Anonymous => None,
        }
    }

    /// How messages call the caller: by ARN, or by name where there is none.
    pub fn name(&self) -> &'a str {
        match *self {
            Self::Root { arn, .. } | Self::User { arn, .. } | Self::RoleSession { arn, .. } => arn,
            Self::WebIdentity { provider } => provider,
            Self::Service { name } => name,
            Self::Anonymous => "anonymous",
        }
    }
}

/// How closely a statement names the caller. Ordered: what is named more closely is granted more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// The caller's account, which only delegates to the policies of that account.
    Account,
    /// The caller's role.
    Role,
    /// The caller, or everyone.
    Direct,
}

/// The compiled `Principal` or `NotPrincipal` of a statement.
#[derive(Debug)]
pub(super) struct Named {
    negated: bool,
    /// `"*"`: everyone, services and web identities included.
    star: bool,
    aws: Vec<AwsPrincipal>,
    services: Vec<Box<str>>,
    federated: Vec<Box<str>>,
}

/// One name under `AWS`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AwsPrincipal {
    /// `*`: everyone with credentials.
    Star,
    /// An account id, or the ARN of its root.
    Account(Box<str>),
    /// The ARN or unique id of a user, role or role session; compared as it is, without wildcards.
    One(Box<str>),
}

impl AwsPrincipal {
    pub(super) fn read(name: &str) -> Self {
        let root = name
            .strip_prefix("arn:aws:iam::")
            .and_then(|rest| rest.strip_suffix(":root"));
        match root.unwrap_or(name) {
            "*" => Self::Star,
            account if is_account(account) => Self::Account(account.into()),
            _ => Self::One(name.into()),
        }
    }
}

/// Twelve digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Named {
    pub(super) fn read(listed: Listed<Principals>) -> Self {
        let mut named = Self {
            negated: listed.negated,
            star: false,
            aws: vec![],
            services: vec![],
            federated: vec![],
        };
        match listed.values {
            Principals::Star => named.star = true,
            Principals::Named(kinds) => {
                for (kind, names) in kinds {
                    let boxed = names.iter().map(|name| name.as_str().into());
                    match kind {
                        PrincipalKind::Aws => named
                            .aws
                            .extend(names.iter().map(|name| AwsPrincipal::read(name))),
                        PrincipalKind::Service => named.services.extend(boxed),
                        PrincipalKind::Federated => named.federated.extend(boxed),
                        PrincipalKind::CanonicalUser => {}
                    }
                }
            }
        }
        named
    }

    pub(super) fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether and how closely the caller is meant.
    pub(super) fn naming(&self, caller: &Principal<'_>) -> Option<Naming> {
        if self.negated {
            return (!self.spares(caller)).then_some(Naming::Direct);
        }
        if self.star {
            return Some(Naming::Direct);
        }
        match *caller {
            Principal::WebIdentity { provider } => {
                lists(&self.federated, provider).then_some(Naming::Direct)
            }
            Principal::Service { name } => lists(&self.services, name).then_some(Naming::Direct),
            Principal::Anonymous => None,
            Principal::Root { .. } | Principal::User { .. } | Principal::RoleSession { .. } => self
                .aws
                .iter()
                .filter_map(|named| named.naming(caller))
                .max(),
        }
    }

    /// Whether a `NotPrincipal` leaves the caller out: only if his whole chain is listed, that is
    /// his account, for a session its role, and himself.
    fn spares(&self, caller: &Principal<'_>) -> bool {
        let links: &[Naming] = match caller {
            Principal::Root { .. } => &[Naming::Account],
            Principal::User { .. } => &[Naming::Account, Naming::Direct],
            Principal::RoleSession { .. } => &[Naming::Account, Naming::Role, Naming::Direct],
            Principal::WebIdentity { provider } => {
                return self.star || lists(&self.federated, provider);
            }
            Principal::Service { name } => return self.star || lists(&self.services, name),
            Principal::Anonymous => return self.star,
        };
        let everyone = self.star || self.aws.contains(&AwsPrincipal::Star);
        everyone
            || links.iter().all(|link| {
                self.aws
                    .iter()
                    .any(|named| named.naming(caller) == Some(*link))
            })
    }
}

impl AwsPrincipal {
    fn naming(&self, caller: &Principal<'_>) -> Option<Naming> {
        match self {
            Self::Star => Some(Naming::Direct),
            Self::Account(named) => (caller.account() == Some(named)).then_some(Naming::Account),
            Self::One(named) => match *caller {
                Principal::User { arn, unique_id, .. } if [arn, unique_id].contains(&&**named) => {
                    Some(Naming::Direct)
                }
                Principal::RoleSession { arn, .. } if arn == &**named => Some(Naming::Direct),
                Principal::RoleSession {
                    role_arn, role_id, ..
                } if [role_arn, role_id].contains(&&**named) => Some(Naming::Role),
                _ => None,
            },
        }
    }
}

fn lists(names: &[Box<str>], name: &str) -> bool {
    names.iter().any(|listed| **listed == *name)
}

/// The names a policy text puts under `AWS` and `Federated`, in their order, for a look-up before
/// [`validate`](super::validate) asks which of them exist.
///
/// Errors: as [`Policy::parse`](super::Policy::parse).
pub fn principals_in(text: &str) -> Result<Vec<String>, Malformed> {
    let mut names = Vec::new();
    for clause in Document::read(text)?.statements {
        if let Some(Listed {
            values: Principals::Named(kinds),
            ..
        }) = clause.principal
        {
            let wanted = |kind| matches!(kind, PrincipalKind::Aws | PrincipalKind::Federated);
            names.extend(
                kinds
                    .into_iter()
                    .filter(|(kind, _)| wanted(*kind))
                    .flat_map(|(_, names)| names),
            );
        }
    }
    Ok(names)
}

/// A policy text in which each name under `AWS` is replaced by what `replacement` gives for it; the
/// rest of the text stays as it is.
///
/// Policies are stored with the unique ids of users and roles instead of their ARNs, so that a
/// re-created namesake is not trusted, and shown with the ARNs again. Errors: as
/// [`Policy::parse`](super::Policy::parse).
pub fn map_principals(
    text: &str,
    mut replacement: impl FnMut(&str) -> Option<String>,
) -> Result<String, Malformed> {
    Document::read(text)?;
    let mut edits = Vec::new();
    for statement in document::raw_statements(text) {
        for element in ["Principal", "NotPrincipal"] {
            let names = member(statement.get(), element)
                .and_then(|principal| member(principal.get(), "AWS"));
            for raw in names.map(json::one_or_many).unwrap_or_default() {
                let name: String = serde_json::from_str(raw.get()).unwrap_or_default();
                if let Some(new) = replacement(&name) {
                    edits.push((
                        json::range_in(text, raw.get()),
                        serde_json::Value::from(new).to_string(),
                    ));
                }
            }
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut mapped = String::with_capacity(text.len());
    let mut done = 0;
    for (range, new) in edits {
        mapped.push_str(&text[done..range.start]);
        mapped.push_str(&new);
        done = range.end;
    }
    mapped.push_str(&text[done..]);
    Ok(mapped)
}

/// A member of an object; nothing, if the text is not an object or has no such member.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a serde_json::value::RawValue> {
    let object: std::collections::HashMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(text).ok()?;
    object.get(name).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn principals_are_mapped_in_place() {
        let ids = |name: &str| {
            (name == "arn:aws:iam::111122223333:user/a").then(|| "AIDAEXAMPLE".to_owned())
        };
        for (text, expected) in [
            (
                r#"{"Statement": [ {"Effect":"Allow","Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:user/a"]}} ]}"#,
                r#"{"Statement": [ {"Effect":"Allow","Principal": {"AWS": ["111122223333", "AIDAEXAMPLE"]}} ]}"#,
            ),
            (
                r#"{"Statement":{"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user\/a"},"Effect":"Deny"}}"#,
                r#"{"Statement":{"NotPrincipal":{"AWS":"AIDAEXAMPLE"},"Effect":"Deny"}}"#,
            ),
            (
                r#"{"Statement":{"Effect":"Deny","Principal":"*","Resource":"arn:aws:iam::111122223333:user/a"}}"#,
                r#"{"Statement":{"Effect":"Deny","Principal":"*","Resource":"arn:aws:iam::111122223333:user/a"}}"#,
            ),
        ] {
            assert_eq!(map_principals(text, ids).unwrap(), expected);
        }
    }

    #[test]
    fn principals_are_listed() {
        let text = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["a","b"],"Service":"s","Federated":"f"}},
            {"Effect":"Deny","Principal":"*"},{"Effect":"Deny","NotPrincipal":{"AWS":"c"}}]}"#;
        assert_eq!(principals_in(text).unwrap(), ["a", "b", "f", "c"]);
    }
}
