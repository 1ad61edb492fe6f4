//! What the agent holds for the clients of this machine: the answer to every one of them comes from here.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws::credentials::SessionAnswer;
use aws::sigv4::Credentials;
use aws::{AccountId, Timestamp};

use super::wire::{Refusal, Role, Told};

/// botocore pretends that credentials with less than this last longer than they do.
pub(super) const STRETCHED: Duration = Duration::from_mins(20);

/// What there is to serve.
pub(super) enum Held {
    /// No role, or none that is known of.
    Nothing {
        /// For clients that can be told.
        why: &'static str,
    },
    /// A role, but no session of it.
    Refused {
        role: Role,
        refusal: Refusal,
        since: Timestamp,
    },
    /// A session of a role.
    Session { role: Role, answer: SessionAnswer },
}

/// Nothing has been asked yet.
pub(super) const NOT_YET: &str = "the agent has not heard from its server yet";
/// The machine has no role.
pub(super) const NO_ROLE: &str = "no role is attached to this machine";
/// The server knows the machine no more.
pub(super) const NOT_KNOWN: &str = "the server does not accept this machine any more";

impl Held {
    /// From what the server says of a session; `None` when that makes no sense.
    pub(super) fn of(told: Told, account: AccountId, now: Timestamp) -> Option<Self> {
        let Some(role) = told.role else {
            return Some(Self::Nothing { why: NO_ROLE });
        };
        if let Some(refusal) = told.refusal {
            let since = now;
            return Some(Self::Refused {
                role,
                refusal,
                since,
            });
        }
        let session = told.session?;
        let answer = SessionAnswer {
            expiration: Timestamp::parse_iso8601(&session.expiration)?,
            credentials: Credentials {
                access_key_id: session.access_key_id.parse().ok()?,
                secret_access_key: session.secret_access_key.into(),
                session_token: Some(session.token.into()),
            },
            updated: now,
            account,
        };
        Some(Self::Session { role, answer })
    }

    pub(super) fn role(&self) -> Option<&Role> {
        match self {
            Self::Nothing { .. } => None,
            Self::Refused { role, .. } | Self::Session { role, .. } => Some(role),
        }
    }

    /// Refused again is refused since the first time.
    pub(super) fn goes_on_from(&mut self, before: &Self) {
        if let (
            Self::Refused { role, since, .. },
            Self::Refused {
                role: role_before,
                since: since_before,
                ..
            },
        ) = (self, before)
            && role == role_before
        {
            *since = *since_before;
        }
    }

    /// When half of a session's life is over.
    pub(super) fn half_life(&self) -> Option<Timestamp> {
        match self {
            Self::Session { answer, .. } => {
                let life = answer.expiration.since(answer.updated);
                Some(answer.updated.plus(life / 2))
            }
            Self::Nothing { .. } | Self::Refused { .. } => None,
        }
    }

    /// Whether clients begin to be deceived about how long it lasts.
    pub(super) fn is_nearly_over(&self, now: Timestamp) -> bool {
        match self {
            Self::Session { answer, .. } => answer.expiration.since(now) < STRETCHED,
            Self::Nothing { .. } | Self::Refused { .. } => false,
        }
    }
}

/// The one place that both the side that fetches and the side that answers know.
#[derive(Clone)]
pub(super) struct Holder(Arc<RwLock<Arc<Held>>>);

impl Holder {
    pub(super) fn new() -> Self {
        let nothing = Held::Nothing { why: NOT_YET };
        Self(Arc::new(RwLock::new(Arc::new(nothing))))
    }

    pub(super) fn get(&self) -> Arc<Held> {
        // What is in it is replaced as a whole, so a panic elsewhere has left nothing half done.
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    pub(super) fn set(&self, held: Held) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }
}
