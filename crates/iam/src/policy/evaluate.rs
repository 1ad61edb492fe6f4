//! The decision: may this caller do this, by these policies?
//!
//! Pure and complete: everything that counts is in the two arguments. The order is that of the AWS
//! documentation on policy evaluation, with `CodeArtifact`'s two kinds of resource policies.
//!
//! ```text
//! a matching Deny anywhere                     -> denied
//! root of an owning account                    -> allowed
//! same account, resource policy names caller   -> allowed
//! same account, resource policy names the role -> allowed if boundary and session policies allow
//! same account, otherwise                      -> identity and boundary and session policies allow
//! another account                              -> these three and a resource policy allow
//! assuming a role                              -> as above, and the trust policy allows in every case
//! web identity, service                        -> the trust policy alone
//! ```

use std::sync::Arc;

use super::compiled::{Policy, PolicySource, Subject};
use super::context::Context;
use super::document::{Effect, Span};
use super::pattern::ArnParts;
use super::principal::{Naming, Principal};

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// What for: `codeartifact:ReadFromRepository`.
    pub action: &'a str,
    /// On what: an ARN, or `*` for actions without a resource.
    pub resource: &'a str,
    /// A second ARN the same resource goes by. `CreateRepository` and `CreatePackageGroup` are
    /// asked for the ARN to be and for the domain's: within each kind of policy, an Allow for one
    /// is enough and a Deny for either wins.
    pub also: Option<&'a str>,
    /// The account of the domain or role; for `*`, the caller's.
    pub resource_owner: &'a str,
    /// The account that administers the repository, where it is not the domain's.
    pub repository_administrator: Option<&'a str>,
    /// What is known about the request.
    pub context: &'a Context,
    /// Refuse tokens to the root user, as AWS does.
    pub strict_root: bool,
}

/// The policies that have a say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Of the user and its groups, or of the role.
    pub identity: &'a [Arc<Policy>],
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a Policy>,
    /// Those passed when the session began. `Some` of an empty list allows nothing: that is what
    /// remains when a managed session policy was deleted.
    pub session: Option<&'a [Arc<Policy>]>,
    /// Those attached to the resource.
    pub resource: ResourcePolicies<'a>,
}

/// The policies attached to the resource and to what contains it. All that exist may be given;
/// which of them are looked at is decided by action and resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourcePolicies<'a> {
    /// Of the domain.
    pub domain: Option<&'a Policy>,
    /// Of the repository.
    pub repository: Option<&'a Policy>,
    /// Of the role that is to be assumed.
    pub role_trust: Option<&'a Policy>,
}

/// The answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The statements it rests on: the denying ones of an explicit denial, otherwise all that
    /// allow.
    pub matched: Vec<MatchedStatement>,
    /// Whether the permissions boundary allows, where there is one.
    pub boundary_allows: Option<bool>,
}

/// A statement that spoke about the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedStatement {
    /// The policy it stands in.
    pub policy: Arc<PolicySource>,
    /// As what that policy was asked.
    pub kind: PolicyType,
    /// The statement's own name.
    pub sid: Option<Arc<str>>,
    /// Its place among the statements, from 0.
    pub index: usize,
    /// Its place in the text.
    pub span: Span,
}

/// As what a policy has a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyType {
    /// Attached to the caller.
    Identity,
    /// The domain's or the repository's.
    Resource,
    /// The trust policy of a role.
    Trust,
    /// The caller's permissions boundary.
    Boundary,
    /// Passed when the session began.
    Session,
}

/// Why a question was answered as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An identity policy allows.
    Identity,
    /// The caller is the root user of an owning account.
    Root,
    /// A resource policy names the caller, or everyone, in the same account.
    ResourceDirect,
    /// A resource policy names the role of the calling session in the same account.
    ResourceRole,
    /// Both sides allow, across accounts.
    IdentityAndResource,
    /// The trust policy names the caller in the same account.
    TrustDirect,
    /// The trust policy names the role of the calling session in the same account.
    TrustRole,
    /// An identity policy and the trust policy allow.
    IdentityAndTrust,
    /// The trust policy admits a service or a web identity.
    Trust,
    /// A Deny statement applies, in this kind of policy.
    Explicit(PolicyType),
    /// Nothing allows, in this kind of policy.
    Implicit(PolicyType),
    /// The operation is closed to root users.
    RootNotAllowed,
}

impl Reason {
    /// A short name for records, as `explicit-boundary`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Root => "root",
            Self::ResourceDirect => "resource-direct",
            Self::ResourceRole => "resource-role",
            Self::IdentityAndResource => "identity+resource",
            Self::TrustDirect => "trust-direct",
            Self::TrustRole => "trust-role",
            Self::IdentityAndTrust => "identity+trust",
            Self::Trust => "trust",
            Self::Explicit(PolicyType::Identity) => "explicit-identity",
            Self::Explicit(PolicyType::Resource) => "explicit-resource",
            Self::Explicit(PolicyType::Trust) => "explicit-trust",
            Self::Explicit(PolicyType::Boundary) => "explicit-boundary",
            Self::Explicit(PolicyType::Session) => "explicit-session",
            Self::Implicit(PolicyType::Identity) => "implicit-identity",
            Self::Implicit(PolicyType::Resource) => "implicit-resource",
            Self::Implicit(PolicyType::Trust) => "implicit-trust",
            Self::Implicit(PolicyType::Boundary) => "implicit-boundary",
            Self::Implicit(PolicyType::Session) => "implicit-session",
            Self::RootNotAllowed => "root-not-allowed",
        }
    }

    fn allows(self) -> bool {
        !matches!(
            self,
            Self::Explicit(_) | Self::Implicit(_) | Self::RootNotAllowed
        )
    }
}

/// Answers a question.
pub fn evaluate(ask: &Ask<'_>, policies: &Policies<'_>) -> Decision {
    if matches!(ask.principal, Principal::Anonymous) {
        return Decision::without_policies(Reason::Implicit(PolicyType::Resource));
    }
    if matches!(ask.principal, Principal::Root { .. }) && is_closed_to_root(ask) {
        return Decision::without_policies(Reason::RootNotAllowed);
    }
    let action = ask.action.to_ascii_lowercase();
    let subject = Subject {
        action: &action,
        resource: ArnParts::split(ask.resource),
        also: ask.also.map(ArnParts::split),
        context: ask.context,
    };
    let found = Found::look(ask, &subject, policies);
    let reason = found.denied().unwrap_or_else(|| found.granted(ask));
    found.decide(reason)
}

/// Operations of the security token service that are asked of a role.
fn is_about_trust(action: &str) -> bool {
    let names = [
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "sts:TagSession",
        "sts:SetSourceIdentity",
    ];
    names.iter().any(|name| name.eq_ignore_ascii_case(action))
}

fn is_closed_to_root(ask: &Ask<'_>) -> bool {
    is_about_trust(ask.action)
        || ask.strict_root
            && ask
                .action
                .eq_ignore_ascii_case("codeartifact:GetAuthorizationToken")
}

/// Which of the domain's and the repository's policies are looked at.
///
/// So nobody can lock himself out, and no resource policy can hand out the right to write a domain
/// policy.
fn applicable<'a>(subject: &Subject<'_>, given: &ResourcePolicies<'a>) -> [Option<&'a Policy>; 2] {
    let Some(resource) = subject
        .resource
        .filter(|arn| arn.service() == "codeartifact")
    else {
        return [None, None];
    };
    match subject.action {
        "codeartifact:createdomain" | "codeartifact:putdomainpermissionspolicy" => [None, None],
        "codeartifact:createrepository" | "codeartifact:putrepositorypermissionspolicy" => {
            [given.domain, None]
        }
        _ if is_in_repository(&resource) => [given.domain, given.repository],
        _ => [given.domain, None],
    }
}

fn is_in_repository(arn: &ArnParts<'_>) -> bool {
    arn.resource().starts_with("repository/") || arn.resource().starts_with("package/")
}

/// Whether the account owns the resource: it is the one in the ARN, or, for a repository and what
/// is in it, the one that administers it.
fn is_owner(ask: &Ask<'_>, account: &str) -> bool {
    let in_repository = || ArnParts::split(ask.resource).is_some_and(|arn| is_in_repository(&arn));
    account == ask.resource_owner
        || ask.repository_administrator == Some(account) && in_repository()
}

/// What the statements of one kind of policy say.
struct Say {
    kind: PolicyType,
    denies: bool,
    /// How closely an allowing statement names the caller; kinds that name nobody count as naming
    /// him directly.
    allows: Option<Naming>,
    allowing: Vec<MatchedStatement>,
    denying: Vec<MatchedStatement>,
}

impl Say {
    fn nothing(kind: PolicyType) -> Self {
        Self {
            kind,
            denies: false,
            allows: None,
            allowing: Vec::new(),
            denying: Vec::new(),
        }
    }

    /// Asks a policy that is attached to the caller.
    fn ask(&mut self, policy: &Policy, subject: &Subject<'_>) {
        for (index, statement) in policy.statements().iter().enumerate() {
            if statement.applies(subject) {
                self.note(policy, index, Naming::Direct);
            }
        }
    }

    /// Asks a policy that is attached to the resource and says whom it means.
    fn ask_about(&mut self, policy: &Policy, subject: &Subject<'_>, caller: &Principal<'_>) {
        for (index, statement) in policy.statements().iter().enumerate() {
            if let Some(naming) = statement.naming(caller)
                && statement.applies(subject)
            {
                self.note(policy, index, naming);
            }
        }
    }

    fn note(&mut self, policy: &Policy, index: usize, naming: Naming) {
        let statement = &policy.statements()[index];
        let matched = MatchedStatement {
            policy: Arc::clone(policy.source()),
            kind: self.kind,
            sid: statement.sid.clone(),
            index,
            span: statement.span,
        };
        match statement.effect {
            Effect::Allow => {
                self.allows = self.allows.max(Some(naming));
                self.allowing.push(matched);
            }
            Effect::Deny => {
                self.denies = true;
                self.denying.push(matched);
            }
        }
    }
}

/// What all policies say.
struct Found {
    identity: Say,
    /// Of the resource, or of the role to be assumed.
    resource: Say,
    /// `None` without a boundary, which is different from one that is silent.
    boundary: Option<Say>,
    session: Option<Say>,
}

impl Found {
    fn look(ask: &Ask<'_>, subject: &Subject<'_>, policies: &Policies<'_>) -> Self {
        let mut identity = Say::nothing(PolicyType::Identity);
        for policy in policies.identity {
            identity.ask(policy, subject);
        }
        let about_trust = is_about_trust(ask.action);
        let mut resource = Say::nothing(if about_trust {
            PolicyType::Trust
        } else {
            PolicyType::Resource
        });
        let attached = if about_trust {
            [policies.resource.role_trust, None]
        } else {
            applicable(subject, &policies.resource)
        };
        for policy in attached.into_iter().flatten() {
            resource.ask_about(policy, subject, &ask.principal);
        }
        let boundary = policies.boundary.map(|policy| {
            let mut boundary = Say::nothing(PolicyType::Boundary);
            boundary.ask(policy, subject);
            boundary
        });
        let session = policies.session.map(|policies| {
            let mut session = Say::nothing(PolicyType::Session);
            for policy in policies {
                session.ask(policy, subject);
            }
            session
        });
        Self {
            identity,
            resource,
            boundary,
            session,
        }
    }

    /// In the order in which denials are reported.
    fn says(&self) -> impl Iterator<Item = &Say> {
        [&self.identity, &self.resource]
            .into_iter()
            .chain(&self.boundary)
            .chain(&self.session)
    }

    fn denied(&self) -> Option<Reason> {
        self.says()
            .find(|say| say.denies)
            .map(|say| Reason::Explicit(say.kind))
    }

    fn granted(&self, ask: &Ask<'_>) -> Reason {
        let trust = self.resource.kind == PolicyType::Trust;
        let named = self.resource.allows;
        let pick = |of_trust, of_resource| if trust { of_trust } else { of_resource };
        let Some(account) = ask.principal.account() else {
            // A service or a web identity has no policies of its own.
            let admitted = trust && named == Some(Naming::Direct);
            return if admitted {
                Reason::Trust
            } else {
                Reason::Implicit(PolicyType::Trust)
            };
        };
        let is_root = matches!(ask.principal, Principal::Root { .. });
        let same_account = is_owner(ask, account);
        if same_account {
            if is_root {
                return Reason::Root;
            }
            if named == Some(Naming::Direct) {
                return pick(Reason::TrustDirect, Reason::ResourceDirect);
            }
            if named == Some(Naming::Role) {
                return self
                    .limited()
                    .unwrap_or(pick(Reason::TrustRole, Reason::ResourceRole));
            }
        }
        if !is_root && self.identity.allows.is_none() {
            return Reason::Implicit(PolicyType::Identity);
        }
        if let Some(limited) = self.limited() {
            return limited;
        }
        if same_account && !trust {
            return Reason::Identity;
        }
        if named.is_none() {
            return Reason::Implicit(self.resource.kind);
        }
        pick(Reason::IdentityAndTrust, Reason::IdentityAndResource)
    }

    /// What boundary or session policies withhold.
    fn limited(&self) -> Option<Reason> {
        let mut limits = self.boundary.iter().chain(&self.session);
        limits
            .find(|say| say.allows.is_none())
            .map(|say| Reason::Implicit(say.kind))
    }

    fn decide(self, reason: Reason) -> Decision {
        let boundary_allows = self
            .boundary
            .as_ref()
            .map(|say| say.allows.is_some() && !say.denies);
        let mut says: Vec<Say> = [
            Some(self.identity),
            Some(self.resource),
            self.boundary,
            self.session,
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut matched = Vec::new();
        for say in &mut says {
            matched.append(if matches!(reason, Reason::Explicit(_)) {
                &mut say.denying
            } else {
                &mut say.allowing
            });
        }
        Decision {
            allowed: reason.allows(),
            reason,
            matched,
            boundary_allows,
        }
    }
}

impl Decision {
    fn without_policies(reason: Reason) -> Self {
        Self {
            allowed: reason.allows(),
            reason,
            matched: Vec::new(),
            boundary_allows: None,
        }
    }
}
