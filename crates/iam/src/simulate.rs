//! What would be decided: the evaluator of real requests, asked about policies and circumstances that somebody makes up.

use std::sync::Arc;

use aws::{AccountId, Arn};

use crate::holders::HolderKind;
use crate::identity::{Holder, Names, Whose, principal_context};
use crate::policy::{
    self, Context, Decision, Malformed, Policies, Policy, PolicySource, Principal,
    ResourcePolicies, mentioned_keys,
};
use crate::{Error, Iam};

/// Whose requests are made up.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) account: AccountId,
    /// Of a user or a role.
    pub(crate) arn: String,
    /// `AIDA…` or `AROA…`; empty when nobody in particular is meant.
    pub(crate) unique_id: String,
    pub(crate) is_role: bool,
}

/// All that a made-up request is decided by.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) actor: Actor,
    pub(crate) policies: Vec<Arc<Policy>>,
    pub(crate) boundary: Option<Arc<Policy>>,
    pub(crate) resource_policy: Option<Arc<Policy>>,
    /// Whose the resources are; without it, the account in the ARN's, or the actor's.
    pub(crate) resource_owner: Option<AccountId>,
    pub(crate) context: Context,
}

/// A principal's own policies and the keys that are known about it.
#[derive(Debug)]
pub(crate) struct Source {
    /// `None` for a group, which is no principal.
    pub(crate) actor: Option<Actor>,
    pub(crate) policies: Vec<Arc<Policy>>,
    pub(crate) boundary: Option<Arc<Policy>>,
    pub(crate) context: Context,
}

impl Simulation {
    /// Decides one action on one resource; `*` is none in particular.
    pub(crate) fn decide(&self, action: &str, resource: &str) -> Decision {
        let Actor {
            account,
            arn,
            unique_id,
            is_role,
        } = &self.actor;
        let read: Option<Arn> = resource.parse().ok();
        let in_arn = read.as_ref().and_then(Arn::account_id);
        let owner = self.resource_owner.or(in_arn).unwrap_or(*account);
        let account = account.as_str();
        let principal = if *is_role {
            Principal::RoleSession {
                account,
                arn,
                role_arn: arn,
                role_id: unique_id,
            }
        } else {
            Principal::User {
                account,
                arn,
                unique_id,
            }
        };
        let ask = policy::Ask {
            principal,
            action,
            resource,
            also: None,
            resource_owner: owner.as_str(),
            repository_administrator: None,
            context: &self.context,
            strict_root: false,
        };
        let in_repository = read.is_some_and(|arn| {
            let kind = arn.resource().split('/').next();
            matches!(kind, Some("repository" | "package"))
        });
        let attached = self.resource_policy.as_deref();
        let policies = Policies {
            identity: &self.policies,
            boundary: self.boundary.as_deref(),
            session: None,
            resource: ResourcePolicies {
                domain: attached.filter(|_| !in_repository),
                repository: attached.filter(|_| in_repository),
                role_trust: attached,
            },
        };
        policy::evaluate(&ask, &policies)
    }

    /// The keys that the policies look at and nobody gave a value for.
    pub(crate) fn missing(&self) -> Vec<String> {
        let policies = self
            .policies
            .iter()
            .chain(&self.boundary)
            .chain(&self.resource_policy);
        let mut missing = mentioned(policies);
        missing.retain(|key| !self.context.has(key));
        missing
    }
}

/// The keys that policies look at, as written, each once.
pub(crate) fn mentioned<'p>(policies: impl IntoIterator<Item = &'p Arc<Policy>>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for policy in policies {
        // It was compiled from this very text.
        for key in mentioned_keys(policy.text()).unwrap_or_default() {
            if !keys.iter().any(|known| known.eq_ignore_ascii_case(&key)) {
                keys.push(key);
            }
        }
    }
    keys
}

/// Compiles texts that a simulation is asked about; they are called `LIST.1`, `LIST.2`, ….
pub(crate) fn compile(list: &str, texts: &[String]) -> Result<Vec<Arc<Policy>>, Malformed> {
    let named = texts.iter().zip(1..);
    named
        .map(|(text, number)| {
            let source = PolicySource::named(format!("{list}.{number}"));
            Policy::parse(text, source).map(Arc::new)
        })
        .collect()
}

impl Iam {
    /// What a user, group or role brings to a simulation; `None` when it is gone.
    pub(crate) async fn simulated(
        &self,
        account: &AccountId,
        kind: HolderKind,
        id: &str,
    ) -> Result<Option<Source>, Error> {
        let whose = match kind {
            HolderKind::User => Whose::User(id.to_owned()),
            HolderKind::Role => Whose::Role(id.to_owned()),
            HolderKind::Group => {
                return Ok(Some(Source {
                    actor: None,
                    policies: self.policies_of(id).await?.as_slice().to_vec(),
                    boundary: None,
                    context: Context::new(),
                }));
            }
        };
        let Some(holder) = self.holder(account, &whose).await? else {
            return Ok(None);
        };
        let known = self.known().await?;
        Ok(Some(Source::of(&holder, id, known.organization(account))))
    }
}

impl Source {
    fn of(holder: &Holder, id: &str, organization: Option<&str>) -> Self {
        let names = Names::of(holder, None);
        Self {
            context: principal_context(holder, &names, None, organization),
            actor: Some(Actor {
                account: holder.account,
                arn: names.principal_arn,
                unique_id: id.to_owned(),
                is_role: HolderKind::of(id) == HolderKind::Role,
            }),
            policies: holder.policies.as_slice().to_vec(),
            boundary: holder.boundary.clone(),
        }
    }
}
