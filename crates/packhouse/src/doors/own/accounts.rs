//! Accounts beside the first.

use aws::{AccountId, Fault};
use http::StatusCode;
use iam::NewAccount;
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

/// Accounts keep others apart, so no policy of one can hand this out: it is for the root of the first account.
pub(super) async fn make(call: Call<'_>) -> Answered {
    let asked: MakeAccount = call.read(r#"{"accountId": "…"}"#)?;
    if !call.caller.is_root() || *call.caller.account() != call.house.account {
        return Err(Fault::access_denied(
            "only the root of the first account may make accounts",
        ));
    }
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
