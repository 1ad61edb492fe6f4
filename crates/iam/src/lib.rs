//! Who is asking, and may they.
//!
//! A door turns what a request came with, a signature or a token, into a [`Caller`]; whoever acts on something asks
//! [`Iam::authorize`] whether that caller may. Everything is decided by the rows of this moment: tokens hold no
//! permissions, and what is kept in memory is dropped when a transaction changes anything about identities.
//!
//! It knows no domain and no package: what is asked for is an ARN, and the policies of domains and repositories come
//! with the question.

mod access_keys;
mod accounts;
pub mod api;
mod assume;
mod attachments;
mod authenticate;
mod authorize;
mod caller;
mod decision_cache;
mod error;
mod groups;
mod holders;
mod iam;
mod identity;
mod ids;
mod inline_policies;
mod instance_profiles;
mod issue;
mod known;
mod last_used;
mod lists;
mod machine_profiles;
mod machine_sessions;
mod machines;
mod managed_policies;
mod master_key;
mod master_key_command;
mod oidc_providers;
#[cfg(test)]
mod plans;
mod policies;
pub mod policy;
mod policy_versions;
mod principals;
mod quotas;
mod recovery;
pub mod revocations;
mod roles;
mod sessions;
mod simulate;
mod summary;
mod tags;
mod token_keys;
pub mod tokens;
pub mod trace;
mod trust;
mod users;
pub mod vault;
mod web_identity;

pub use access_keys::Status;
pub use accounts::{InvalidOrganizationId, NewAccount, OrganizationId};
pub use authenticate::{NotAuthenticated, NotSignedBy};
pub use authorize::{Ask, AuthorizeError, Denial, RequestTags, ResourcePolicy};
pub use caller::{Caller, Principal, Source};
pub use error::{Error, InUse, Noun};
pub use holders::HolderKind;
pub use iam::{Iam, Settings};
pub use ids::Id128;
pub use issue::{IssuedToken, TokenDuration};
pub use machine_sessions::{BoundRole, MachineAnswer, NotMachine};
pub use machines::{Enrolled, Enrollment, EnrollmentCode, MachineState};
pub use master_key::{MasterKey, MasterKeyError};
pub use principals::Named;
pub use recovery::KeyHolder;
pub use sessions::{NewSession, SessionPolicies, Temporary};
pub use token_keys::TokenKey;
pub use trace::{Evaluation, Ground, Trace};
pub use users::User;
#[cfg(fuzzing)]
pub use web_identity::fuzzing;
pub use web_identity::{Fetched, IssuerDocuments, IssuerSettings, NotFetched};

use iam::count;
