//! What agent and server say to each other, as JSON.

use aws::{AccountId, Region};
use serde::{Deserialize, Serialize};

/// Where a machine is enrolled.
pub(crate) const ENROLL: &str = "/agent/v1/enroll";
/// Where it asks for a session of its role, with a [`Signed`] statement.
pub(crate) const CREDENTIALS: &str = "/agent/v1/credentials";
/// Where it asks which role that is, likewise.
pub(crate) const BINDING: &str = "/agent/v1/binding";

/// What [`ENROLL`] is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Enroll {
    pub(crate) code: String,
    /// Ed25519, 32 bytes in base64url.
    pub(crate) public_key: String,
    /// `https://packages.example`, as the agent reaches it.
    pub(crate) server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host_id: Option<String>,
}

/// What [`ENROLL`] answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Enrolled {
    /// `i-…`.
    pub(crate) machine_id: String,
    pub(crate) account_id: AccountId,
    pub(crate) region: Region,
}

/// A statement of [`aws::machine`] and its signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Signed {
    pub(crate) statement: String,
    /// 64 bytes in base64url.
    pub(crate) signature: String,
}

/// What a machine is told.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// The role that it has; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
    /// A session of it, if that was asked for and could be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
}

/// A role and how the machine came by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    pub(crate) association_id: String,
    /// `AROA…`.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) instance_profile_arn: String,
    pub(crate) instance_profile_id: String,
}

/// Temporary credentials, on their way out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) token: String,
    /// `2026-03-14T15:09:26Z`.
    pub(crate) expiration: String,
}

/// Why a machine with a role has no session: a code that SDKs know, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}
