//! The sentence a refused caller reads. It names the kind of policy that stood in the way and
//! nothing in it, so it can go to callers of other accounts, too.

use super::evaluate::{Ask, Decision, PolicyType, Reason};
use super::principal::Principal;

impl Decision {
    /// The access-denied text of AWS; nothing, if access was allowed.
    ///
    /// `User: CALLER is not authorized to perform: ACTION on resource: RESOURCE because …`
    pub fn message(&self, ask: &Ask<'_>) -> Option<String> {
        if self.allowed {
            return None;
        }
        if matches!(ask.principal, Principal::WebIdentity { .. }) {
            return Some(format!("Not authorized to perform {}", ask.action));
        }
        let action = ask.action;
        if self.reason == Reason::RootNotAllowed && action.eq_ignore_ascii_case("sts:AssumeRole") {
            return Some("Roles may not be assumed by root accounts.".to_owned());
        }
        let cause = match self.reason {
            Reason::Explicit(kind) => {
                denier(kind).map(|kind| format!(" with an explicit deny in {kind}"))
            }
            Reason::Implicit(kind) => {
                silent(kind).map(|kind| format!(" because no {kind} allows the {action} action"))
            }
            _ => None,
        };
        Some(format!(
            "User: {} is not authorized to perform: {action} on resource: {}{}",
            ask.principal.name(),
            ask.resource,
            cause.unwrap_or_default(),
        ))
    }
}

/// A trust policy is not spoken of: whether a role exists must not show.
fn denier(kind: PolicyType) -> Option<&'static str> {
    match kind {
        PolicyType::Identity => Some("an identity-based policy"),
        PolicyType::Resource => Some("a resource-based policy"),
        PolicyType::Boundary => Some("a permissions boundary"),
        PolicyType::Session => Some("a session policy"),
        PolicyType::Trust => None,
    }
}

fn silent(kind: PolicyType) -> Option<&'static str> {
    match kind {
        PolicyType::Identity => Some("identity-based policy"),
        PolicyType::Resource => Some("resource-based policy"),
        PolicyType::Boundary => Some("permissions boundary"),
        PolicyType::Session => Some("session policy"),
        PolicyType::Trust => None,
    }
}
