//! Accounts beside the first, and the organization that accounts are in.

use aws::{AccountId, Fault, Reason};
use http::StatusCode;
use iam::{NewAccount, OrganizationId};
use serde::{Deserialize, Serialize};

use super::{Answered, Call};

/// What `MakeAccount` is asked: `{"accountId": "222233334444"}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MakeAccount {
    pub(crate) account_id: AccountId,
}

/// What it answers: keys that are shown this once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    pub(crate) account_id: AccountId,
    pub(crate) root: MadeKey,
    pub(crate) admin: MadeKey,
}

/// An access key with its secret, on its way out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeKey {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// What `SetOrganization` is asked and answers: `{"organizationId": "o-a1b2c3d4e5"}`, or `null` in its place for none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InOrganization {
    pub(crate) organization_id: Option<OrganizationId>,
}

/// Accounts keep others apart, so no policy of one can hand this out: it is for the root of the first account.
fn require_first_root(call: Call<'_>) -> Result<(), Fault> {
    if call.caller.is_root() && *call.caller.account() == call.house.account {
        return Ok(());
    }
    Err(Fault::access_denied(
        "only the root of the first account may make accounts and put them into organizations",
    ))
}

/// Says of which organization an account is: what policies see as `aws:PrincipalOrgID`.
pub(super) async fn set_organization(call: Call<'_>) -> Answered {
    let account: AccountId = call.id.parse().map_err(|_| {
        let message = "an account is twelve digits";
        Fault::validation(Reason::FieldValidationFailed, message)
    })?;
    let asked: InOrganization =
        call.read(r#"{"organizationId": "o-, 10 to 32 letters and digits; null for none"}"#)?;
    require_first_root(call)?;
    let iam = &call.house.iam;
    let set = iam.set_organization(&account, asked.organization_id.as_ref());
    match set.await {
        Ok(true) => super::answer_with(&asked),
        Ok(false) => {
            let message = format!("there is no account `{account}`");
            Err(Fault::not_found(None, account.to_string(), message))
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an account could not be put into an organization"
            );
            Err(Fault::internal())
        }
    }
}

pub(super) async fn make(call: Call<'_>) -> Answered {
    let asked: MakeAccount = call.read(r#"{"accountId": "…"}"#)?;
    require_first_root(call)?;
    let account = asked.account_id;
    let made = call.house.iam.create_account(&account).await;
    let NewAccount { root, admin, .. } = made.map_err(|error| match error {
        iam::Error::AccountExists(_) => Fault::new(
            "ConflictException",
            StatusCode::CONFLICT,
            format!("account `{account}` exists"),
        ),
        error => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an account could not be made"
            );
            Fault::internal()
        }
    })?;
    let key = |credentials: &aws::sigv4::Credentials| MadeKey {
        access_key_id: credentials.access_key_id.to_string(),
        secret_access_key: credentials.secret_access_key.expose().clone(),
    };
    super::answer_with(&Made {
        account_id: account,
        root: key(&root),
        admin: key(&admin),
    })
}
