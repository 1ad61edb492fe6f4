//! What can go wrong, by what the caller would do about it.

use aws::AccountId;

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
    #[error("there is no {kind} `{name}`")]
    NotFound {
        /// The word for the kind of thing.
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// Something of this kind and name is there already.
    #[error("{kind} `{name}` exists")]
    Exists {
        /// The word for the kind of thing.
        kind: &'static str,
        /// What was to be made.
        name: String,
    },
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
}
