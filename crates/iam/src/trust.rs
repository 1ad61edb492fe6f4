//! Whether a role lets somebody in who has no policies of their own: a service, or whom an identity provider vouches for.
//!
//! For them the trust policy alone decides (`identity.md` 4.4).

use std::sync::Arc;

use aws::Timestamp;

use crate::caller::Source;
use crate::policy::{self, Context, Policies, Principal, Reason, ResourcePolicies};
use crate::roles::Role;
use crate::trace::Ground;
use crate::{Error, Iam};

/// What an answer rests on.
pub(crate) struct Admission {
    pub(crate) reason: Reason,
    pub(crate) grounds: Arc<[Ground]>,
}

/// Why somebody is not let in, and the sentence for them.
pub(crate) struct NotAdmitted {
    pub(crate) admission: Admission,
    pub(crate) message: String,
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

    /// Asks the trust policy of a role. Errors: the stored policy does not read.
    pub(crate) fn admits(
        &self,
        role: &Role,
        principal: Principal<'_>,
        action: &str,
        context: &Context,
    ) -> Result<Result<Admission, NotAdmitted>, Error> {
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
        let admission = Admission {
            reason: decision.reason,
            grounds: decision.matched.iter().map(Ground::of).collect(),
        };
        Ok(match decision.message(&ask) {
            None => Ok(admission),
            Some(message) => Err(NotAdmitted { admission, message }),
        })
    }
}
