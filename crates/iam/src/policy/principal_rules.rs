//! Whom a policy that is to be stored may name.

use super::Context;
use super::document::{Clause, Effect, PrincipalKind, Principals};
use super::malformed::Malformed;
use super::pattern::{Pattern, Syntax};
use super::principal::{AwsPrincipal, is_account};
use super::services::{SharedIssuer, is_service, shared_issuer};

/// Whether something of that ARN or id exists.
type Exists<'a> = &'a dyn Fn(&str) -> bool;

/// Trust policies: named accounts, users, roles, sessions, services and OIDC providers.
pub(super) fn check_trust(
    principals: &Principals,
    account: &str,
    exists: Exists<'_>,
) -> Result<(), Malformed> {
    match principals {
        Principals::Star => Err(Malformed::document(
            "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\".",
        )),
        Principals::Named(kinds) => check_named(kinds, account, exists),
    }
}

/// Resource policies: the same, and everyone.
pub(super) fn check_resource(
    principals: &Principals,
    account: &str,
    exists: Exists<'_>,
) -> Result<(), Malformed> {
    match principals {
        Principals::Star => Ok(()),
        Principals::Named(kinds) => check_named(kinds, account, exists),
    }
}

fn check_named(
    kinds: &[(PrincipalKind, Vec<String>)],
    account: &str,
    exists: Exists<'_>,
) -> Result<(), Malformed> {
    if kinds.iter().all(|(_, names)| names.is_empty()) {
        return Err(Malformed::document(
            "Missing required field Principal cannot be empty!",
        ));
    }
    for (kind, names) in kinds {
        let (label, is_valid): (&str, &dyn Fn(&str) -> bool) = match kind {
            PrincipalKind::Aws => ("AWS", &|name| is_aws(name, account, exists)),
            PrincipalKind::Service => ("SERVICE", &is_service),
            PrincipalKind::Federated => ("FEDERATED", &|name| is_provider(name, account, exists)),
            PrincipalKind::CanonicalUser => ("CANONICALUSER", &|_| false),
        };
        if let Some(name) = names.iter().find(|name| !is_valid(name)) {
            return Err(Malformed::document(format!(
                "Invalid principal in policy: \"{label}\":\"{name}\""
            )));
        }
    }
    Ok(())
}

/// Accounts need not exist; users and roles of this account must, those of others must be
/// well-formed.
fn is_aws(name: &str, account: &str, exists: Exists<'_>) -> bool {
    match AwsPrincipal::read(name) {
        AwsPrincipal::Star | AwsPrincipal::Account(_) => return true,
        AwsPrincipal::One(_) => {}
    }
    if name.contains(['*', '?']) {
        return false;
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", "aws", "iam", "", owner, thing] if is_account(owner) => {
            let is_kind = thing.split_once('/').is_some_and(|(kind, name)| {
                ["user", "role"].contains(&kind) && !name.is_empty() && !name.ends_with('/')
            });
            is_kind && (*owner != account || exists(name))
        }
        ["arn", "aws", "sts", "", owner, thing] if is_account(owner) => {
            let mut path = thing.split('/');
            path.next() == Some("assumed-role")
                && path.next().is_some_and(|role| !role.is_empty())
                && path.next().is_some_and(|session| !session.is_empty())
                && path.next().is_none()
        }
        [id] => is_unique_id(id) && exists(id),
        _ => false,
    }
}

/// What a policy shows when the named user or role was deleted and when it is written back.
fn is_unique_id(text: &str) -> bool {
    let known = text.starts_with("AIDA") || text.starts_with("AROA");
    known
        && text.len() > 4
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Only providers of the role's own account can vouch for anyone.
fn is_provider(name: &str, account: &str, exists: Exists<'_>) -> bool {
    issuer(name).is_some_and(|(owner, _)| owner == account) && exists(name)
}

/// Account and issuer of `arn:aws:iam::ACCOUNT:oidc-provider/ISSUER`.
fn issuer(provider: &str) -> Option<(&str, &str)> {
    provider
        .strip_prefix("arn:aws:iam::")?
        .split_once(":oidc-provider/")
}

/// A role that trusts an issuer shared by everyone must say whose tokens it means: without a
/// condition on the subject, any repository of the service could assume it.
pub(super) fn check_shared_issuers(
    clause: &Clause,
    principals: &Principals,
) -> Result<(), Malformed> {
    let Principals::Named(kinds) = principals else {
        return Ok(());
    };
    if clause.effect == Effect::Deny {
        return Ok(());
    }
    let providers = kinds
        .iter()
        .filter(|(kind, _)| *kind == PrincipalKind::Federated)
        .flat_map(|(_, names)| names);
    for (_, name) in providers.filter_map(|provider| issuer(provider)) {
        let Some(shared) = shared_issuer(name) else {
            continue;
        };
        if !is_pinned(clause, shared) {
            return Err(Malformed::document(format!(
                "The trust policy allows every identity of {name} to assume the role. Add a condition on {name}:sub \
                 that names your own"
            )));
        }
    }
    Ok(())
}

/// Whether some condition lets only identities through that strangers cannot have.
fn is_pinned(clause: &Clause, shared: &SharedIssuer) -> bool {
    clause.conditions.iter().any(|condition| {
        let operator = condition.operator.to_ascii_lowercase();
        let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
        let wildcards = match operator {
            "stringequals" | "stringequalsignorecase" => false,
            "stringlike" => true,
            _ => return false,
        };
        let key = condition.key.to_ascii_lowercase();
        let claim = key
            .strip_prefix(shared.issuer)
            .and_then(|rest| rest.strip_prefix(':'));
        claim.is_some_and(|claim| shared.claims.contains(&claim))
            && !(wildcards && condition.values.iter().any(|value| is_open(value, shared)))
    })
}

/// Whether a pattern lets strangers through.
fn is_open(value: &str, shared: &SharedIssuer) -> bool {
    let Ok(pattern) = Pattern::read(
        value,
        Syntax {
            wildcards: true,
            variables: true,
        },
    ) else {
        return true;
    };
    value.trim_matches(['*', '?']).is_empty()
        || shared
            .strangers
            .iter()
            .any(|stranger| pattern.matches(stranger, &Context::new()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::document::Document;
    use super::*;

    const ACCOUNT: &str = "111122223333";

    #[test]
    fn principals_are_accounts_users_roles_and_sessions() {
        let exists = |name: &str| name.ends_with("/here") || name == "AIDAHERE";
        for (name, expected) in [
            ("*", true),
            ("444455556666", true),
            ("arn:aws:iam::444455556666:root", true),
            ("arn:aws:iam::111122223333:user/here", true),
            ("arn:aws:iam::111122223333:user/gone", false),
            ("arn:aws:iam::444455556666:role/path/any", true),
            ("arn:aws:iam::444455556666:role/", false),
            ("arn:aws:iam::444455556666:group/any", false),
            ("arn:aws:iam::444455556666:role/a*", false),
            ("arn:aws:sts::444455556666:assumed-role/role/session", true),
            ("arn:aws:sts::444455556666:assumed-role/role", false),
            ("AIDAHERE", true),
            ("AIDAGONE", false),
            ("alice", false),
            ("44445555666", false),
            ("", false),
        ] {
            assert_eq!(is_aws(name, ACCOUNT, &exists), expected, "{name}");
        }
    }

    #[test]
    fn trust_in_a_shared_issuer_needs_a_pin_that_strangers_do_not_fit() {
        let issuer = "token.actions.githubusercontent.com";
        for (condition, expected) in [
            ("{}".to_owned(), false),
            (
                format!(r#"{{"StringEquals":{{"{issuer}:aud":"sts.amazonaws.com"}}}}"#),
                false,
            ),
            (format!(r#"{{"StringLike":{{"{issuer}:sub":"*"}}}}"#), false),
            (
                format!(r#"{{"StringLike":{{"{issuer}:sub":"repo:*"}}}}"#),
                false,
            ),
            (
                format!(r#"{{"StringLike":{{"{issuer}:sub":"repo:*/*:ref:refs/heads/main"}}}}"#),
                false,
            ),
            (
                format!(r#"{{"StringLike":{{"{issuer}:sub":["repo:my-org/*","*"]}}}}"#),
                false,
            ),
            (
                format!(r#"{{"StringNotLike":{{"{issuer}:sub":"repo:evil/*"}}}}"#),
                false,
            ),
            (
                format!(r#"{{"StringLikeIfExists":{{"{issuer}:sub":"repo:my-org/*"}}}}"#),
                false,
            ),
            (
                format!(r#"{{"StringLike":{{"{issuer}:sub":"repo:my-org/*"}}}}"#),
                true,
            ),
            (
                format!(r#"{{"StringEquals":{{"{issuer}:repository_owner_id":"1234"}}}}"#),
                true,
            ),
            (
                format!(r#"{{"ForAnyValue:StringLike":{{"{issuer}:SUB":"repo:my-org/*"}}}}"#),
                true,
            ),
        ] {
            let text = format!(
                r#"{{"Statement":{{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":
                {{"Federated":"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}},"Condition":{condition}}}}}"#
            );
            let document = Document::read(&text).unwrap();
            let clause = &document.statements[0];
            let principals = &clause.principal.as_ref().unwrap().values;
            assert_eq!(
                check_shared_issuers(clause, principals).is_ok(),
                expected,
                "{condition}"
            );
        }
    }
}
