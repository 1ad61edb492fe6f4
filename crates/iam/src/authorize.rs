//! May they: a caller, an action, what it is asked for, and every policy that has a say.

use std::fmt;
use std::sync::Arc;

use aws::{AccountId, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::caller::{Caller, Principal};
use crate::decision_cache::{Key, Mentions};
use crate::identity::Identity;
use crate::known::Known;
use crate::policy::{
    self, Context, Decision, Malformed, MatchedStatement, Policies, Policy, PolicySource,
    PolicyType, Reason, ResourcePolicies,
};
use crate::trace::{self, Evaluation, Ground};
use crate::{Error, Iam, ids};

/// The resource of actions that have none.
const NO_RESOURCE: &str = "*";

/// What a request does to the tags of its resource.
#[derive(Clone, Copy, Debug)]
pub enum RequestTags<'a> {
    /// It passes these: `aws:TagKeys`, and `aws:RequestTag/K` for each.
    Put(&'a [(String, String)]),
    /// It takes those of these keys away: `aws:TagKeys` alone.
    Remove(&'a [String]),
}

/// A question about one action.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who wants to.
    pub caller: &'a Caller,
    /// `codeartifact:ReadFromRepository`.
    pub action: &'a str,
    /// ARNs that the one resource goes by, or `["*"]` for actions without one. An Allow for one suffices, a Deny for any wins.
    pub resources: &'a [&'a str],
    /// The account in the ARN; for `*`, the caller's.
    pub owner: &'a AccountId,
    /// The account that administers the repository, where it is another one.
    pub administrator: Option<&'a AccountId>,
    /// The domain's policy, if it has one; whether it is looked at is decided by the action.
    pub domain_policy: Option<&'a ResourcePolicy>,
    /// The repository's policy, likewise.
    pub repository_policy: Option<&'a ResourcePolicy>,
    /// Tags of the domain, repository or package group; for packages, those of the repository.
    pub resource_tags: &'a [(String, String)],
    /// What the request does to tags; `None` for operations that have nothing to do with them.
    pub request_tags: Option<RequestTags<'a>>,
    /// Further condition keys, such as `sts:AWSServiceName`.
    pub context: &'a [(&'a str, String)],
}

/// A domain's or a repository's policy, compiled; cheap to clone.
#[derive(Clone)]
pub struct ResourcePolicy(Arc<Compiled>);

struct Compiled {
    policy: Policy,
    revision: [u8; 32],
    mentions: Mentions,
}

impl ResourcePolicy {
    /// Compiles a policy that was stored. What may be stored is for [`policy::validate`] to say.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let policy = Policy::parse(text, PolicySource::named("resource"))?;
        let mentions = Mentions::of(&policy);
        Ok(Self(Arc::new(Compiled {
            policy,
            revision: Sha256::digest(text).into(),
            mentions,
        })))
    }

    /// As it was stored.
    pub fn text(&self) -> &str {
        self.0.policy.text()
    }

    /// The same for the same text only.
    pub fn revision(&self) -> &[u8; 32] {
        &self.0.revision
    }
}

impl fmt::Debug for ResourcePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResourcePolicy").field(&self.text()).finish()
    }
}

/// A refusal, with everything that its record needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Under which it can be found again: a UUID of version 7.
    pub id: String,
    /// AWS's text for the client; names kinds of policies only.
    pub message: String,
    /// What was asked for.
    pub action: String,
    /// On what.
    pub resource: String,
    /// The ARN of the caller.
    pub caller: String,
    /// Why, as one word: `implicit-identity`, `explicit-boundary`, ….
    pub reason: Reason,
}

/// Why a caller may not.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// The policies say so.
    #[error("{}", .0.message)]
    Denied(Box<Denial>),
    /// Nobody can tell now: 503 or 500.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

/// What is remembered of an answer.
pub(crate) type Answer = Result<Grant, Refusal>;

/// What is remembered of a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) reason: Reason,
    pub(crate) grounds: Arc<[Ground]>,
}

/// What else a question may come with; such questions are asked rarely and never remembered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    /// The trust policy of the role that is to be taken.
    pub(crate) trust: Option<&'a Policy>,
    /// Condition keys with several values, such as `sts:TransitiveTagKeys`.
    pub(crate) lists: &'a [(&'a str, Vec<String>)],
}

/// What is remembered of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: Arc<str>,
    pub(crate) reason: Reason,
    pub(crate) grounds: Arc<[Ground]>,
}

impl Iam {
    /// Whether the caller may, by the policies of this moment.
    pub async fn authorize(&self, ask: &Ask<'_>) -> Result<(), AuthorizeError> {
        let (known, now) = (self.known().await?, self.clock().now());
        let Some(identity) = self.still(ask.caller).await? else {
            return told(ask, Err(nobody(ask)), now);
        };
        let mentions = ask.mentions(&identity);
        if mentions.time {
            let answer = self.decide(ask, &Beside::default(), &identity, &known, now);
            return told(ask, answer, now);
        }
        let key = ask.key(mentions);
        let answer = identity.decisions.get(&key, now).unwrap_or_else(|| {
            let answer = self.decide(ask, &Beside::default(), &identity, &known, now);
            identity.decisions.put(key, &answer, now);
            answer
        });
        told(ask, answer, now)
    }

    /// The same with more that counts.
    pub(crate) async fn authorize_beside(
        &self,
        ask: &Ask<'_>,
        beside: &Beside<'_>,
    ) -> Result<(), AuthorizeError> {
        let (known, now) = (self.known().await?, self.clock().now());
        let Some(identity) = self.still(ask.caller).await? else {
            return told(ask, Err(nobody(ask)), now);
        };
        told(ask, self.decide(ask, beside, &identity, &known, now), now)
    }

    /// The caller as it is now: a request may be long under way since it was authenticated.
    async fn still(&self, caller: &Caller) -> Result<Option<Arc<Identity>>, Error> {
        let identity = self
            .identity(&caller.identity().credentials.origin())
            .await?;
        Ok(identity.filter(|identity| !identity.revoked))
    }

    fn decide(
        &self,
        ask: &Ask<'_>,
        beside: &Beside<'_>,
        identity: &Identity,
        known: &Known,
        now: Timestamp,
    ) -> Answer {
        let mut context = self.context(ask, identity, known, now);
        for (key, values) in beside.lists {
            context.set_list(key, values.iter().map(String::as_str));
        }
        let policies = Policies {
            identity: identity.holder.policies.as_slice(),
            boundary: identity.holder.boundary.as_deref(),
            session: identity
                .session_policies
                .as_ref()
                .map(crate::policies::Set::as_slice),
            resource: ResourcePolicies {
                domain: ask.domain_policy.map(|policy| &policy.0.policy),
                repository: ask.repository_policy.map(|policy| &policy.0.policy),
                role_trust: beside.trust,
            },
        };
        let resource = ask.resources.first().copied().unwrap_or(NO_RESOURCE);
        let mut question = policy::Ask {
            principal: identity.as_principal(),
            action: ask.action,
            resource,
            also: None,
            resource_owner: ask.owner.as_str(),
            repository_administrator: ask.administrator.map(AccountId::as_str),
            context: &context,
            strict_root: self.settings().strict_root,
        };
        let mut decided: Option<Decision> = None;
        for also in ask.names() {
            question.also = also;
            let decision = policy::evaluate(&question, &policies);
            // With more than two names they are asked in pairs with the first: a Deny for any still wins.
            let better = decided
                .as_ref()
                .is_none_or(|best| !is_final(best) && (decision.allowed || is_final(&decision)));
            if better {
                decided = Some(decision);
            }
        }
        match decided {
            Some(decision) if decision.allowed => Ok(Grant {
                reason: decision.reason,
                grounds: ask.grounds(&decision),
            }),
            Some(decision) => {
                let message = decision.message(&question).unwrap_or_default();
                Err(Refusal {
                    message: message.into(),
                    reason: decision.reason,
                    grounds: ask.grounds(&decision),
                })
            }
            None => Err(nobody(ask)),
        }
    }

    /// The keys about this request over those about the caller (`identity.md` 4.6).
    fn context(
        &self,
        ask: &Ask<'_>,
        identity: &Identity,
        known: &Known,
        now: Timestamp,
    ) -> Context {
        let mut context = Context::over(Arc::clone(&identity.context));
        let source = ask.caller.source();
        context.set("aws:CurrentTime", now.iso8601());
        context.set("aws:EpochTime", now.seconds().to_string());
        context.set("aws:SecureTransport", source.secure_transport.to_string());
        context.set("aws:RequestedRegion", self.region().as_str());
        context.set("aws:ResourceAccount", ask.owner.as_str());
        if let Some(ip) = source.ip {
            context.set("aws:SourceIp", ip.to_canonical().to_string());
        }
        if let Some(organization) = known.organization(ask.owner) {
            context.set("aws:ResourceOrgID", organization);
        }
        for (key, value) in ask.resource_tags {
            context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
        }
        match ask.request_tags {
            Some(RequestTags::Put(tags)) => {
                context.set_list("aws:TagKeys", tags.iter().map(|(key, _)| key.as_str()));
                for (key, value) in tags {
                    context.set(&format!("aws:RequestTag/{key}"), value.as_str());
                }
            }
            Some(RequestTags::Remove(keys)) => {
                context.set_list("aws:TagKeys", keys.iter().map(String::as_str));
            }
            None => {}
        }
        for (key, value) in ask.context {
            context.set(key, value.as_str());
        }
        context
    }
}

impl Ask<'_> {
    /// The name that refusals show.
    fn resource(&self) -> &str {
        self.resources.first().copied().unwrap_or(NO_RESOURCE)
    }

    /// The statements that a decision rests on, under the names that people know them by.
    fn grounds(&self, decision: &Decision) -> Arc<[Ground]> {
        let is = |policy: Option<&ResourcePolicy>, source: &Arc<PolicySource>| {
            policy.is_some_and(|policy| Arc::ptr_eq(policy.0.policy.source(), source))
        };
        let ground = |matched: &MatchedStatement| {
            let mut ground = Ground::of(matched);
            if is(self.domain_policy, &matched.policy) {
                "domain".clone_into(&mut ground.policy);
            } else if is(self.repository_policy, &matched.policy) {
                "repository".clone_into(&mut ground.policy);
            }
            ground
        };
        decision.matched.iter().map(ground).collect()
    }

    fn evaluation(
        &self,
        reason: Reason,
        grounds: Arc<[Ground]>,
        denial: Option<&Denial>,
    ) -> Evaluation {
        Evaluation {
            id: denial.map(|denial| denial.id.clone()),
            action: self.action.to_owned(),
            resource: self.resource().to_owned(),
            owner: *self.owner,
            administrator: self.administrator.copied(),
            reason,
            grounds,
            message: denial.map(|denial| denial.message.clone()),
        }
    }

    /// The first name's companions, one at a time.
    fn names(&self) -> impl Iterator<Item = Option<&str>> {
        let alone = (self.resources.len() < 2).then_some(None);
        alone
            .into_iter()
            .chain(self.resources.iter().skip(1).map(|also| Some(*also)))
    }

    fn mentions(&self, identity: &Identity) -> Mentions {
        let attached = [self.domain_policy, self.repository_policy]
            .into_iter()
            .flatten();
        attached
            .map(|policy| policy.0.mentions)
            .fold(identity.mentions, Mentions::and)
    }

    /// All that the answer depends on besides the identity.
    fn key(&self, mentions: Mentions) -> Key {
        let mut key = Key::with_capacity(384);
        key.push(self.action.as_bytes());
        key.push_count(self.resources.len());
        for resource in self.resources {
            key.push(resource.as_bytes());
        }
        key.push(self.owner.as_str().as_bytes());
        key.push_option(
            self.administrator
                .map(|account| account.as_str().as_bytes()),
        );
        for policy in [self.domain_policy, self.repository_policy] {
            key.push_option(policy.map(|policy| policy.revision().as_slice()));
        }
        key.push_count(self.context.len());
        for (name, value) in self.context {
            key.push(name.as_bytes());
            key.push(value.as_bytes());
        }
        let source = self.caller.source();
        if mentions.source_ip {
            key.push_option(
                source
                    .ip
                    .map(|ip| ip.to_canonical().to_string())
                    .as_ref()
                    .map(String::as_bytes),
            );
        }
        if mentions.secure_transport {
            key.push(&[source.secure_transport.into()]);
        }
        if mentions.resource_tags {
            push_tags(&mut key, self.resource_tags);
        }
        if mentions.request_tags {
            match self.request_tags {
                None => key.push_count(0),
                Some(RequestTags::Put(tags)) => {
                    key.push_count(1);
                    push_tags(&mut key, tags);
                }
                Some(RequestTags::Remove(keys)) => {
                    key.push_count(2);
                    key.push_count(keys.len());
                    for name in keys {
                        key.push(name.as_bytes());
                    }
                }
            }
        }
        key
    }
}

fn push_tags(key: &mut Key, tags: &[(String, String)]) {
    key.push_count(tags.len());
    for (name, value) in tags {
        key.push(name.as_bytes());
        key.push(value.as_bytes());
    }
}

/// The refusal of somebody who was deleted, or whose session was revoked, while the request was under way.
fn nobody(ask: &Ask<'_>) -> Refusal {
    let resource = ask.resource();
    let (caller, action) = (ask.caller.arn(), ask.action);
    let message = format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} \
         because no identity-based policy allows the {action} action"
    );
    Refusal {
        message: message.into(),
        reason: Reason::Implicit(PolicyType::Identity),
        grounds: [].into(),
    }
}

/// An answer on its way out, written into the request's trace.
fn told(ask: &Ask<'_>, answer: Answer, now: Timestamp) -> Result<(), AuthorizeError> {
    let refusal = match answer {
        Ok(Grant { reason, grounds }) => {
            trace::add(|| ask.evaluation(reason, grounds, None));
            return Ok(());
        }
        Err(refusal) => refusal,
    };
    let Refusal {
        message,
        reason,
        grounds,
    } = refusal;
    let denial = Denial {
        id: ids::record_id(u64::try_from(now.millis()).unwrap_or(0)),
        message: message.as_ref().to_owned(),
        action: ask.action.to_owned(),
        resource: ask.resource().to_owned(),
        caller: ask.caller.arn().to_owned(),
        reason,
    };
    trace::add(|| ask.evaluation(reason, grounds, Some(&denial)));
    Err(AuthorizeError::Denied(Box::new(denial)))
}

impl Identity {
    fn as_principal(&self) -> policy::Principal<'_> {
        let account = self.holder.account.as_str();
        match &self.principal {
            Principal::Root => policy::Principal::Root {
                account,
                arn: &self.arn,
            },
            Principal::User { id, .. } => policy::Principal::User {
                account,
                arn: &self.arn,
                unique_id: id,
            },
            Principal::Session { role_id, .. } => policy::Principal::RoleSession {
                account,
                arn: &self.arn,
                role_arn: &self.principal_arn,
                role_id,
            },
        }
    }
}

/// Whether no other name of the resource can change the answer.
fn is_final(decision: &Decision) -> bool {
    matches!(
        decision.reason,
        Reason::Explicit(_) | Reason::RootNotAllowed
    )
}
