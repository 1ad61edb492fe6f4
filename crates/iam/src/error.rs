//! What can go wrong, by what the caller would do about it.

use std::fmt;

use aws::AccountId;

use crate::holders::HolderKind;
use crate::policy::Malformed;
use crate::vault::VaultError;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed or this node cannot be sure of what it holds in memory; it may work later.
    #[error("identities are not available")]
    Store(#[from] store::Error),
    /// This node has not heard from the others for 30 seconds and does not trust what it remembers.
    #[error("identities have not been confirmed for 30 seconds")]
    Unconfirmed,
    /// A sealed value cannot be opened: the master key is another one, or the row was tampered with.
    #[error("a sealed value cannot be used")]
    Vault(#[from] VaultError),
    /// The account is there already.
    #[error("account `{0}` exists")]
    AccountExists(AccountId),
    /// There is no such user, key, role or policy.
    #[error("there is no {noun} `{name}`")]
    NotFound {
        /// The kind of thing.
        noun: Noun,
        /// What was asked for.
        name: String,
    },
    /// Something of this kind and name is there already.
    #[error("{noun} `{name}` exists")]
    Exists {
        /// The kind of thing.
        noun: Noun,
        /// What was to be made.
        name: String,
    },
    /// It is still used; something has to be taken away first.
    #[error("{0}")]
    InUse(InUse),
    /// There would be too many, or too much. The text names the quota and its value, as AWS writes it.
    #[error("{0}")]
    Quota(String),
    /// A policy cannot be stored.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// What was asked for makes no sense, though each of its parts has the right form. The text is for the client.
    #[error("{0}")]
    Invalid(String),
    /// It belongs to AWS and stays as it is.
    #[error("`{0}` cannot be changed")]
    Unmodifiable(String),
    /// The clock went back by more than five minutes since something was issued last: what is issued now would end too
    /// early, and what was revoked might live again. Starting anew accepts the clock as it is.
    #[error(
        "the clock went back by more than five minutes\nhint: set it right, or start anew to accept it"
    )]
    ClockWentBack,
    /// A token that ends with the session was asked for by somebody without one: a long-term key, or a bearer token.
    #[error("a token that ends with the session needs temporary credentials")]
    NoSession,
    /// No key may sign yet; cannot be after a start that went well.
    #[error("no token key is active")]
    NoTokenKey,
    /// A row holds what this program never writes.
    #[error("stored {what} does not read")]
    Damaged {
        /// What it is.
        what: &'static str,
        /// Why it does not read.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The kinds of things that may be missing, or be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A user, by name.
    User,
    /// A group, by name.
    Group,
    /// A role, by name.
    Role,
    /// A user in a group, as `USER in GROUP`.
    Member,
    /// A managed policy, by ARN; by name when it is there already.
    Policy,
    /// A managed policy that is to be attached, by ARN.
    Attachable,
    /// A version of a managed policy, as `ARN version vN`.
    PolicyVersion,
    /// A policy written into a user, group or role, by name.
    InlinePolicy(HolderKind),
    /// A long-term access key, by id.
    AccessKey,
    /// An instance profile, by name.
    InstanceProfile,
    /// A role in an instance profile, as `ROLE in PROFILE`.
    ProfileRole,
    /// An OIDC provider: by ARN when it is missing, by URL when it is there already.
    OidcProvider,
    /// An account's alias.
    Alias,
    /// A password for a console, by user name; nobody has one here.
    LoginProfile,
    /// Rules for passwords, by account; there are none here.
    PasswordPolicy,
    /// A key that tokens are signed with, by number.
    TokenKey,
    /// A machine, by id.
    Machine,
    /// What binds an instance profile to a machine, by id.
    Association,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role | Self::ProfileRole => "role",
            Self::Member => "member",
            Self::Policy | Self::Attachable | Self::PolicyVersion => "policy",
            Self::InlinePolicy(_) => "inline policy",
            Self::AccessKey => "access key",
            Self::InstanceProfile => "instance profile",
            Self::OidcProvider => "OIDC provider",
            Self::Alias => "account alias",
            Self::LoginProfile => "login profile",
            Self::PasswordPolicy => "password policy",
            Self::TokenKey => "token key",
            Self::Machine => "machine",
            Self::Association => "association",
        })
    }
}

/// What has to be taken away first. Prints as AWS's sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InUse {
    /// Managed policies are attached.
    Attached,
    /// Inline policies are there.
    Inline,
    /// The user has access keys.
    AccessKeys,
    /// The user is in groups, or the group has users.
    Membership,
    /// The role is in instance profiles, or the profile has a role.
    ProfileRole,
    /// The policy is attached or is a boundary.
    PolicyAttached,
    /// The policy has versions besides the default one.
    PolicyVersions,
    /// The version is the default one.
    DefaultVersion,
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attached => "Cannot delete entity, must detach all policies first.",
            Self::Inline => "Cannot delete entity, must delete policies first.",
            Self::AccessKeys => "Cannot delete entity, must delete access keys first.",
            Self::Membership => "Cannot delete entity, must remove users from group first.",
            Self::ProfileRole => {
                "Cannot delete entity, must remove roles from instance profile first."
            }
            Self::PolicyAttached => "Cannot delete a policy attached to entities.",
            Self::PolicyVersions => {
                "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                 versions. The default version is deleted with the policy."
            }
            Self::DefaultVersion => "Cannot delete the default version of a policy.",
        })
    }
}

impl Error {
    pub(crate) fn damaged(
        what: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Damaged {
            what,
            source: source.into(),
        }
    }

    pub(crate) fn not_found(noun: Noun, name: impl Into<String>) -> Self {
        Self::NotFound {
            noun,
            name: name.into(),
        }
    }

    /// What a broken unique key means to whoever was to make or rename something: there is one of that name already.
    pub(crate) fn or_exists(self, noun: Noun, name: &str) -> Self {
        match self {
            Self::Store(store::Error::Unique { .. }) => Self::Exists {
                noun,
                name: name.to_owned(),
            },
            error => error,
        }
    }
}
