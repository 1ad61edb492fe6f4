//! `userIdentity`: who asked, as CloudTrail says it.

use iam::{Caller, Principal};
use serde_json::{Value, json};

use crate::draft::Who;

/// The member `userIdentity` of a record.
pub(crate) fn user_identity(who: &Who) -> Value {
    match who {
        Who::Nobody => json!({"type": "Unknown"}),
        Who::Caller(caller) => of_caller(caller),
        Who::WebIdentity { provider, subject } => json!({
            "type": "WebIdentityUser",
            "identityProvider": provider,
            "userName": subject,
        }),
        Who::Service(service, _) => json!({"type": "AWSService", "invokedBy": service}),
        Who::Stranger { key, .. } => match key {
            Some(key) => json!({"type": "Unknown", "accessKeyId": key}),
            None => json!({"type": "Unknown"}),
        },
    }
}

fn of_caller(caller: &Caller) -> Value {
    let account = caller.account().as_str();
    let mut identity = json!({
        "principalId": caller.user_id(),
        "arn": caller.arn(),
        "accountId": account,
        "accessKeyId": caller.access_key_id(),
    });
    let mut session = json!({});
    if let Some(issued) = caller.issued() {
        session["attributes"] =
            json!({"creationDate": issued.iso8601(), "mfaAuthenticated": "false"});
    }
    match caller.principal() {
        Principal::Root => identity["type"] = json!("Root"),
        Principal::User { name, .. } => {
            identity["type"] = json!("IAMUser");
            identity["userName"] = json!(name);
        }
        Principal::Session {
            role_id,
            role_name,
            role_path,
            ..
        } => {
            identity["type"] = json!("AssumedRole");
            session["sessionIssuer"] = json!({
                "type": "Role",
                "principalId": role_id,
                "arn": format!("arn:aws:iam::{account}:role{role_path}{role_name}"),
                "accountId": account,
                "userName": role_name,
            });
            if let Some(provider) = caller.federated_provider() {
                session["webIdFederationData"] = json!({"federatedProvider": provider});
            }
            if let Some(source) = caller.source_identity() {
                session["sourceIdentity"] = json!(source);
            }
            // A machine: version 2 of its endpoint is all that the agent speaks unless told otherwise.
            if caller.source_instance().is_some() {
                session["ec2RoleDelivery"] = json!("2.0");
            }
        }
    }
    if session
        .as_object()
        .is_some_and(|session| !session.is_empty())
    {
        identity["sessionContext"] = session;
    }
    identity
}
