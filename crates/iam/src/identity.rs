//! What stands behind a key or a session, as of one moment: whose it is, its names, its policies.
//!
//! Built from rows once and kept until anything about identities changes anywhere; see [`crate::known`].

use std::sync::Arc;

use aws::{AccessKeyId, AccountId, Timestamp};

use crate::access_keys::AccessKey;
use crate::caller::Principal;
use crate::decision_cache::{Decisions, Mentions};
use crate::ids::Id128;
use crate::known::Origin;
use crate::policies::Set;
use crate::policy::{Context, Policy};
use crate::roles::Role;
use crate::sessions::{self, Ancestor, Kind, Session};
use crate::users::User;
use crate::{Error, Iam};

/// So many ancestors of a session are kept.
const LINEAGE: usize = 32;

/// A principal as rows refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Root(AccountId),
    /// `AIDA…`
    User(String),
    /// `AROA…`
    Role(String),
}

impl Whose {
    pub(crate) fn read(kind: &str, account: AccountId, id: String) -> Result<Self, store::Error> {
        match kind {
            "root" => Ok(Self::Root(account)),
            "user" => Ok(Self::User(id)),
            "role" => Ok(Self::Role(id)),
            other => Err(store::Error::Column {
                column: "principal_kind".to_owned(),
                problem: format!("is `{other}`"),
            }),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Root(_) => "root",
            Self::User(_) => "user",
            Self::Role(_) => "role",
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Root(account) => account.as_str(),
            Self::User(id) | Self::Role(id) => id,
        }
    }
}

/// A root, user or role with everything that its sessions share.
pub(crate) struct Holder {
    pub(crate) account: AccountId,
    pub(crate) who: Who,
    pub(crate) tags: Vec<(String, String)>,
    /// Its own policies, and those of its groups.
    pub(crate) policies: Set,
    /// What it may do at most; `None` when there is no limit.
    pub(crate) boundary: Option<Arc<Policy>>,
}

pub(crate) enum Who {
    Root,
    User(User),
    Role(Role),
}

/// A caller without the circumstances of a request: shared by all requests with the same key or session.
pub(crate) struct Identity {
    pub(crate) holder: Arc<Holder>,
    pub(crate) arn: String,
    pub(crate) user_id: String,
    pub(crate) principal: Principal,
    /// With its path; the same as `arn` but for sessions of a role.
    pub(crate) principal_arn: String,
    pub(crate) credentials: Proof,
    pub(crate) session: Option<Arc<Session>>,
    /// What the session may do at most.
    pub(crate) session_policies: Option<Set>,
    /// Revoked: good for nothing but being told apart from one that never was.
    pub(crate) revoked: bool,
    /// The condition keys that are the same in every request.
    pub(crate) context: Arc<Context>,
    /// What its policies look at in a request.
    pub(crate) mentions: Mentions,
    pub(crate) decisions: Decisions,
}

/// What proves that it is them.
pub(crate) enum Proof {
    /// A long-term key, with its sealed secret.
    Key { id: AccessKeyId, sealed: String },
    /// The session's credentials, or a token made from it.
    Session(Id128),
}

impl Proof {
    /// Under which it is found again.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Self::Key { id, .. } => Origin::Key(id.clone()),
            Self::Session(id) => Origin::Session(*id),
        }
    }
}

impl Identity {
    /// Who signs with this key.
    pub(crate) fn of_key(holder: Arc<Holder>, key: AccessKey, organization: Option<&str>) -> Self {
        Self::new(
            holder,
            Proof::Key {
                id: key.id,
                sealed: key.secret,
            },
            None,
            None,
            false,
            organization,
        )
    }

    /// Who acts in this session.
    pub(crate) fn of_session(
        holder: Arc<Holder>,
        session: Arc<Session>,
        policies: Option<Set>,
        revoked: bool,
        organization: Option<&str>,
    ) -> Self {
        Self::new(
            holder,
            Proof::Session(session.id),
            Some(session),
            policies,
            revoked,
            organization,
        )
    }

    fn new(
        holder: Arc<Holder>,
        credentials: Proof,
        session: Option<Arc<Session>>,
        session_policies: Option<Set>,
        revoked: bool,
        organization: Option<&str>,
    ) -> Self {
        let names = Names::of(&holder, session.as_deref());
        let context = Arc::new(principal_context(
            &holder,
            &names,
            session.as_deref(),
            organization,
        ));
        let sets = [Some(&holder.policies), session_policies.as_ref()]
            .into_iter()
            .flatten();
        let policies = sets.flat_map(Set::as_slice).chain(&holder.boundary);
        let mentions = policies
            .map(|policy| Mentions::of(policy))
            .fold(Mentions::default(), Mentions::and);
        let Names {
            arn,
            user_id,
            principal,
            principal_arn,
        } = names;
        Self {
            arn,
            user_id,
            principal,
            principal_arn,
            credentials,
            session,
            session_policies,
            revoked,
            context,
            mentions,
            decisions: Decisions::default(),
            holder,
        }
    }

    /// `AKIA…` or `ASIA…`.
    pub(crate) fn access_key_id(&self) -> String {
        match &self.credentials {
            Proof::Key { id, .. } => id.to_string(),
            Proof::Session(id) => id.temporary_key_id(),
        }
    }

    /// The long-term key that it all began with.
    pub(crate) fn long_term_key(&self) -> Option<&AccessKeyId> {
        match (&self.credentials, &self.session) {
            (Proof::Key { id, .. }, _) => Some(id),
            (Proof::Session(_), session) => session.as_ref()?.access_key.as_ref(),
        }
    }

    /// Whether it is a user or root with temporary credentials of their own (`GetSessionToken`).
    pub(crate) fn is_own_session(&self) -> bool {
        let kind = self.session.as_ref().map(|session| session.kind);
        kind == Some(Kind::User)
    }

    /// What a session obtained with this one has as ancestors, nearest first. A role that takes itself again every hour
    /// has an endless line, so of a long one the nearest are kept, and the first of all.
    pub(crate) fn lineage(&self) -> Vec<Ancestor> {
        let Some(session) = &self.session else {
            return Vec::new();
        };
        let mut lineage = vec![Ancestor {
            id: session.id,
            issued: sessions::second(session.issued),
            principal: session.whose.id().to_owned(),
        }];
        lineage.extend(session.ancestors.iter().cloned());
        if lineage.len() > LINEAGE {
            lineage.drain(LINEAGE - 1..lineage.len() - 1);
        }
        lineage
    }
}

/// What a principal is called.
pub(crate) struct Names {
    arn: String,
    user_id: String,
    principal: Principal,
    /// With its path; for sessions, that of the role.
    pub(crate) principal_arn: String,
}

impl Names {
    pub(crate) fn of(holder: &Holder, session: Option<&Session>) -> Self {
        let account = &holder.account;
        match &holder.who {
            Who::Root => {
                let arn = format!("arn:aws:iam::{account}:root");
                Self {
                    principal_arn: arn.clone(),
                    arn,
                    user_id: account.to_string(),
                    principal: Principal::Root,
                }
            }
            Who::User(user) => {
                let User { id, name, path, .. } = user;
                let arn = format!("arn:aws:iam::{account}:user{path}{name}");
                let principal = Principal::User {
                    id: id.clone(),
                    name: name.clone(),
                    path: path.clone(),
                };
                Self {
                    principal_arn: arn.clone(),
                    arn,
                    user_id: id.clone(),
                    principal,
                }
            }
            Who::Role(role) => {
                let Role { id, name, path, .. } = role;
                let session_name = session
                    .and_then(|session| session.name.as_deref())
                    .unwrap_or_default();
                Self {
                    arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session_name}"),
                    principal_arn: format!("arn:aws:iam::{account}:role{path}{name}"),
                    user_id: format!("{id}:{session_name}"),
                    principal: Principal::Session {
                        role_id: id.clone(),
                        role_name: name.clone(),
                        role_path: path.clone(),
                        session_name: session_name.to_owned(),
                    },
                }
            }
        }
    }
}

/// The keys about the caller (`identity.md` 4.6).
pub(crate) fn principal_context(
    holder: &Holder,
    names: &Names,
    session: Option<&Session>,
    organization: Option<&str>,
) -> Context {
    let mut context = Context::new();
    context.set("aws:ViaAWSService", "false");
    context.set("aws:PrincipalIsAWSService", "false");
    context.set("aws:PrincipalArn", names.principal_arn.as_str());
    context.set("aws:PrincipalAccount", holder.account.as_str());
    context.set("aws:userid", names.user_id.as_str());
    match &holder.who {
        Who::Root => context.set("aws:PrincipalType", "Account"),
        Who::User(user) => {
            context.set("aws:PrincipalType", "User");
            context.set("aws:username", user.name.as_str());
        }
        Who::Role(_) => context.set("aws:PrincipalType", "AssumedRole"),
    }
    for (key, value) in &holder.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    if let Some(organization) = organization {
        context.set("aws:PrincipalOrgID", organization);
    }
    if let Some(session) = session {
        // A session's own tags lie over those of its role; keys compare without case there too.
        for (key, value) in &session.tags {
            context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
        }
        context.set("aws:TokenIssueTime", Timestamp::iso8601(session.issued));
        if session.kind != Kind::Token {
            context.set("aws:MultiFactorAuthPresent", "false");
        }
        if let Some(source_identity) = &session.source_identity {
            context.set("aws:SourceIdentity", source_identity.as_str());
        }
        if let Some(provider) = &session.federated_provider {
            context.set("aws:FederatedProvider", provider.as_str());
        }
        if let Some(machine) = &session.source_instance {
            context.set("ec2:SourceInstanceARN", machine.as_str());
            context.set("ec2:RoleDelivery", "2.0");
        }
    }
    context
}

impl Iam {
    /// Reads a principal and its policies; `None` when it is gone.
    pub(crate) async fn read_holder(
        &self,
        account: &AccountId,
        whose: &Whose,
    ) -> Result<Option<Holder>, Error> {
        let (who, boundary) = match whose {
            Whose::Root(_) if self.account_exists(account).await? => (Who::Root, None),
            Whose::Root(_) => return Ok(None),
            Whose::User(id) => match self.user_by_id(account, id).await? {
                Some(user) => (Who::User(user.clone()), user.boundary),
                None => return Ok(None),
            },
            Whose::Role(id) => match self.role_by_id(account, id).await? {
                Some(role) => (Who::Role(role.clone()), role.boundary),
                None => return Ok(None),
            },
        };
        let boundary = match boundary {
            Some(arn) => Some(self.boundary(&arn).await?),
            None => None,
        };
        Ok(Some(Holder {
            account: *account,
            who,
            tags: self.principal_tags(whose.id()).await?,
            policies: self.policies_of(whose.id()).await?,
            boundary,
        }))
    }
}
