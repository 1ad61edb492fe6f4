//! Keys of the installation: those that sign tokens, and the master key. They belong to no account, so only principals of the
//! first one may be allowed to touch them.

use aws::{Fault, Reason};
use http::StatusCode;
use iam::TokenKey;
use serde::{Deserialize, Serialize};

use super::{Answered, Call, answer_with};

/// What `ListSigningKeys` answers, and the operations that change them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SigningKeys {
    /// By purpose, oldest first.
    pub(crate) keys: Vec<TokenKey>,
}

/// What `ChangeMasterKey` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Changed {
    /// How many data keys it wrapped anew.
    pub(crate) rewrapped: usize,
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    may(&call).await?;
    shown(&call).await
}

pub(super) async fn rotate(call: Call<'_>) -> Answered {
    may(&call).await?;
    call.house.iam.rotate_token_keys().await?;
    shown(&call).await
}

pub(super) async fn drop(call: Call<'_>) -> Answered {
    may(&call).await?;
    let number = call.id.parse().map_err(|_| {
        let message = "a signing key is named by its number";
        Fault::validation(Reason::FieldValidationFailed, message)
    })?;
    let is_there = |key: &TokenKey| key.number == number;
    if !call.house.iam.token_keys().await?.iter().any(is_there) {
        let message = format!("there is no signing key `{number}`");
        return Err(Fault::not_found(None, call.id, message));
    }
    call.house.iam.drop_token_key(number).await?;
    shown(&call).await
}

pub(super) async fn change_master(call: Call<'_>) -> Answered {
    may(&call).await?;
    let changed = call.house.master_key.change(&call.house.iam).await;
    match changed {
        Ok(rewrapped) => answer_with(&Changed { rewrapped }),
        Err(error) => {
            // For whoever runs the server: it names files of the host, and no key.
            tracing::error!(
                error = &*error as &dyn std::error::Error,
                "the master key could not be changed"
            );
            Err(Fault::new(
                "ConflictException",
                StatusCode::CONFLICT,
                "the master key could not be changed; the server's log says why",
            ))
        }
    }
}

async fn shown(call: &Call<'_>) -> Answered {
    let keys = call.house.iam.token_keys().await?;
    answer_with(&SigningKeys { keys })
}

async fn may(call: &Call<'_>) -> Result<(), Fault> {
    if *call.caller.account() != call.house.account {
        return Err(Fault::access_denied(
            "the keys of the installation are for the first account",
        ));
    }
    call.may("*").await
}
