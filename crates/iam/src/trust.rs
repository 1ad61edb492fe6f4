//! Whether a role lets somebody in who has no policies of their own: a service, or whom an identity provider vouches for.
//!
//! For them the trust policy alone decides (`identity.md` 4.4).

use std::sync::Arc;

use aws::{AccountId, Arn, Timestamp};

use crate::caller::Source;
use crate::policy::{
    self, Context, Decision, Policies, PolicyType, Principal, Reason, ResourcePolicies,
};
use crate::roles::Role;
use crate::trace::{self, Evaluation, Ground};
use crate::{Error, Iam, ids};

/// Somebody is not let in: the id under which that is found again, and the sentence for them.
pub(crate) struct NotAdmitted {
    pub(crate) id: String,
    pub(crate) message: String,
}

/// What somebody wants of a role.
#[derive(Clone, Copy)]
pub(crate) struct Entrance<'a> {
    pub(crate) principal: Principal<'a>,
    /// `sts:AssumeRole` and its like.
    pub(crate) action: &'a str,
    pub(crate) context: &'a Context,
    pub(crate) now: Timestamp,
}

impl Iam {
    /// What every trust policy may look at; whoever asks adds what is known of the one who wants in.
    pub(crate) fn trust_context(
        &self,
        role: &Role,
        role_tags: &[(String, String)],
        now: Timestamp,
        source: &Source,
    ) -> Context {
        let mut context = Context::new();
        context.set("aws:CurrentTime", now.iso8601());
        context.set("aws:EpochTime", now.seconds().to_string());
        context.set("aws:RequestedRegion", self.region().as_str());
        context.set("aws:SecureTransport", source.secure_transport.to_string());
        context.set("aws:ResourceAccount", role.account.as_str());
        context.set("aws:ViaAWSService", "false");
        if let Some(ip) = source.ip {
            context.set("aws:SourceIp", ip.to_canonical().to_string());
        }
        for (key, value) in role_tags {
            context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
            context.set(&format!("iam:ResourceTag/{key}"), value.as_str());
        }
        context
    }

    /// Asks the trust policy of a role; the answer is written into the request's trace. Errors: the stored policy does not
    /// read.
    pub(crate) fn admits(
        &self,
        role: &Role,
        entrance: &Entrance<'_>,
    ) -> Result<Result<(), NotAdmitted>, Error> {
        let Entrance {
            principal,
            action,
            context,
            now,
        } = *entrance;
        let trust = self.trust_policy(&role.trust_policy)?;
        let resource = role.arn();
        let ask = policy::Ask {
            principal,
            action,
            resource: &resource,
            also: None,
            resource_owner: role.account.as_str(),
            repository_administrator: None,
            context,
            strict_root: false,
        };
        let policies = Policies {
            resource: ResourcePolicies {
                role_trust: Some(&trust),
                ..ResourcePolicies::default()
            },
            ..Policies::default()
        };
        let decision = policy::evaluate(&ask, &policies);
        let message = decision.message(&ask);
        let Decision {
            reason, matched, ..
        } = decision;
        let grounds = matched.iter().map(Ground::of).collect();
        let evaluation = evaluation(action, &resource, role.account, (reason, grounds));
        Ok(told(evaluation, message, now))
    }
}

/// The answer of a role that is not there: nobody is let in, as by one that trusts nobody.
pub(crate) fn absent(
    role: &Arn,
    account: AccountId,
    action: &str,
    now: Timestamp,
) -> Result<(), NotAdmitted> {
    let reason = Reason::Implicit(PolicyType::Trust);
    let evaluation = evaluation(action, role.as_str(), account, (reason, [].into()));
    told(
        evaluation,
        Some(format!("Not authorized to perform {action}")),
        now,
    )
}

fn evaluation(
    action: &str,
    role: &str,
    owner: AccountId,
    (reason, grounds): (Reason, Arc<[Ground]>),
) -> Evaluation {
    Evaluation {
        id: None,
        action: action.to_owned(),
        resource: role.to_owned(),
        owner,
        administrator: None,
        reason,
        grounds,
        message: None,
    }
}

/// An answer on its way out; with a sentence it is a refusal.
fn told(
    evaluation: Evaluation,
    message: Option<String>,
    now: Timestamp,
) -> Result<(), NotAdmitted> {
    let Some(message) = message else {
        trace::add(|| evaluation);
        return Ok(());
    };
    let id = ids::record_id(u64::try_from(now.millis()).unwrap_or(0));
    trace::add(|| Evaluation {
        id: Some(id.clone()),
        message: Some(message.clone()),
        ..evaluation
    });
    Err(NotAdmitted { id, message })
}
