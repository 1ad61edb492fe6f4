//! How the keys of an issuer are found and remembered.
//!
//! An issuer is asked for its discovery document (OpenID Connect Discovery 1.0) and for the keys that this names, unless
//! the operator has put its keys into a file. Keys are good for as long as the issuer says, within bounds. Whoever shows
//! a token with a key that is not among them makes us ask again, once a minute and no oftener, for everybody can make up
//! the name of a key. While an issuer is down what it said last is good for a day.
//!
//! What is asked is a trait, since below the doors nobody speaks HTTP.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::{Clock, Timestamp};
use bytes::Bytes;
use moka::sync::Cache;

use super::NotVerified;
use super::keys::{Key, Keys};
use super::token::{Algorithm, Claims};

/// Bytes of a document, at most (`identity.md` 3.4).
const LIMIT_BYTES: u64 = 512 * 1024;
/// Keys are good for so long at least, whatever the issuer says, and when it says nothing.
const FRESH_AT_LEAST: Duration = Duration::from_mins(5);
/// And at most.
const FRESH_AT_MOST: Duration = Duration::from_hours(24);
/// So long after an issuer was last heard its keys are good while it is down.
const KEEP: Duration = Duration::from_hours(24);
/// Between two times that an issuer is asked because of a key that it did not name.
const BETWEEN: Duration = Duration::from_mins(1);
/// Between two times that an issuer is asked that does not answer.
const RETRY: Duration = Duration::from_secs(10);
/// Issuers that are remembered: some for each of many accounts.
const ISSUERS: u64 = 10_000;

/// Reads documents of issuers: over HTTPS, with bounds, and from nowhere that they must not lead to.
pub trait IssuerDocuments: fmt::Debug + Send + Sync {
    /// Reads the document at an address that begins with `https://`. It has at most `limit_bytes`.
    fn read<'a>(
        &'a self,
        url: &'a str,
        limit_bytes: u64,
    ) -> Pin<Box<dyn Future<Output = Result<Fetched, NotFetched>> + Send + 'a>>;
}

/// A document.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// All of it.
    pub body: Bytes,
    /// How long it is good, if that was said (`Cache-Control: max-age`).
    pub fresh_for: Option<Duration>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum NotFetched {
    /// Nobody answered, or the answer was that it does not work now: later may be better.
    #[error("the issuer does not answer")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// There is none, it may not be asked for, or is not what it should be.
    #[error("the issuer has no such document")]
    Wrong(#[source] Box<dyn Error + Send + Sync>),
}

/// How the operator wants issuers to be asked. By default none is.
#[derive(Clone, Debug, Default)]
pub struct IssuerSettings {
    /// Who asks them.
    pub documents: Option<Arc<dyn IssuerDocuments>>,
    /// Issuers, as `https://HOST[/PATH]`, whose keys are in a file (a JWK set) and which are never asked.
    pub jwks_files: BTreeMap<String, PathBuf>,
}

/// What was wrong with a document.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("nobody here can ask issuers")]
    NobodyAsks,
    #[error("the discovery document is not one")]
    NoDiscovery,
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
    #[error("the address of the keys does not begin with https://")]
    NotHttps,
    #[error("the keys are no JWK set")]
    NoKeys,
    #[error("the file is larger than {LIMIT_BYTES} bytes")]
    TooLarge,
}

impl From<Wrong> for NotFetched {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(Box::new(wrong))
    }
}

/// All issuers that were asked.
pub(crate) struct Issuers {
    settings: IssuerSettings,
    known: Cache<String, Arc<Issuer>>,
}

#[derive(Default)]
struct Issuer {
    state: Mutex<State>,
    /// Held by whoever asks it: one at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    heard: Option<Heard>,
    /// When it was last asked.
    asked: Option<Timestamp>,
    /// How that went, if not well.
    failure: Option<Failure>,
}

#[derive(Clone)]
struct Heard {
    keys: Arc<Keys>,
    at: Timestamp,
    fresh_for: Duration,
}

#[derive(Clone, Copy)]
enum Failure {
    Unreachable,
    Wrong,
}

/// What can be said from memory.
enum Look {
    Known(Key),
    Unknown(NotVerified),
    /// It must be asked.
    Ask,
}

impl State {
    fn look(&self, id: &str, algorithm: Algorithm, now: Timestamp) -> Look {
        let within = |heard: &&Heard, time: Duration| now.since(heard.at) < time;
        let find = |heard: &Heard| heard.keys.find(id, algorithm).cloned();
        let heard = self.heard.as_ref().filter(|heard| within(heard, KEEP));
        let fresh = heard.filter(|heard| within(heard, heard.fresh_for));
        if let Some(key) = fresh.and_then(find) {
            return Look::Known(key);
        }
        let pause = match self.failure {
            Some(_) => RETRY,
            None => BETWEEN,
        };
        if self.asked.is_none_or(|asked| now.since(asked) >= pause) {
            return Look::Ask;
        }
        match (heard.and_then(find), self.failure) {
            (Some(key), _) => Look::Known(key),
            (None, Some(Failure::Unreachable)) => Look::Unknown(NotVerified::Unreachable),
            (None, Some(Failure::Wrong) | None) => Look::Unknown(NotVerified::NoKey),
        }
    }
}

impl Issuer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuers {
    pub(crate) fn new(settings: IssuerSettings) -> Self {
        Self {
            settings,
            known: Cache::new(ISSUERS),
        }
    }

    /// The key of this name. `issuer` is that of a provider, so `https://HOST[/PATH]`.
    ///
    /// Errors: [`NotVerified::NoKey`], [`NotVerified::Unreachable`].
    pub(super) async fn key(
        &self,
        issuer: &str,
        id: &str,
        algorithm: Algorithm,
        clock: &Clock,
    ) -> Result<Key, NotVerified> {
        let known = self.known.get_with_by_ref(issuer, Arc::default);
        let look = || known.state().look(id, algorithm, clock.now());
        let mut found = look();
        if matches!(found, Look::Ask) {
            let _one_at_a_time = known.asking.lock().await;
            found = look();
            if matches!(found, Look::Ask) {
                // Noted before, so that whoever breaks off does not make us ask all the oftener.
                known.state().asked = Some(clock.now());
                let answer = self.ask(issuer).await;
                self.hear(issuer, &known, answer, clock.now());
                found = look();
            }
        }
        match found {
            Look::Known(key) => Ok(key),
            Look::Unknown(why) => Err(why),
            // Asking took longer than the pause between two times.
            Look::Ask => Err(NotVerified::Unreachable),
        }
    }

    fn hear(
        &self,
        issuer: &str,
        known: &Issuer,
        answer: Result<(Keys, Option<Duration>), NotFetched>,
        now: Timestamp,
    ) {
        let mut state = known.state();
        match answer {
            Ok((keys, fresh_for)) => {
                let fresh_for = fresh_for.unwrap_or(FRESH_AT_LEAST);
                state.heard = Some(Heard {
                    keys: Arc::new(keys),
                    at: now,
                    fresh_for: fresh_for.clamp(FRESH_AT_LEAST, FRESH_AT_MOST),
                });
                state.failure = None;
            }
            Err(error) => {
                state.failure = Some(match error {
                    NotFetched::Unreachable(_) => Failure::Unreachable,
                    NotFetched::Wrong(_) => Failure::Wrong,
                });
                tracing::warn!(
                    issuer,
                    is_in_file = self.settings.jwks_files.contains_key(issuer),
                    error = &error as &dyn Error,
                    "the keys of an issuer cannot be read; those that it named last are good for a day"
                );
            }
        }
    }

    async fn ask(&self, issuer: &str) -> Result<(Keys, Option<Duration>), NotFetched> {
        if let Some(path) = self.settings.jwks_files.get(issuer) {
            let keys = read_file(path).await?;
            return Ok((Keys::read(&keys).ok_or(Wrong::NoKeys)?, None));
        }
        let documents = self.settings.documents.as_ref().ok_or(Wrong::NobodyAsks)?;
        // A slash at the end of an issuer's name is not doubled (OpenID Connect Discovery 1.0, 4.1).
        let place = issuer.strip_suffix('/').unwrap_or(issuer);
        let url = format!("{place}/.well-known/openid-configuration");
        let discovery = documents.read(&url, LIMIT_BYTES).await?;
        let url = keys_address(issuer, &discovery.body)?;
        let keys = documents.read(&url, LIMIT_BYTES).await?;
        let fresh_for = keys.fresh_for;
        Ok((Keys::read(&keys.body).ok_or(Wrong::NoKeys)?, fresh_for))
    }
}

/// Where the discovery document of this issuer says that the keys are.
fn keys_address(issuer: &str, document: &[u8]) -> Result<String, Wrong> {
    let document = Claims::read(document).map_err(|_| Wrong::NoDiscovery)?;
    if document.text("issuer") != Some(issuer) {
        return Err(Wrong::OtherIssuer);
    }
    let url = document.text("jwks_uri").ok_or(Wrong::NoDiscovery)?;
    if url.starts_with("https://") {
        Ok(url.to_owned())
    } else {
        Err(Wrong::NotHttps)
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>, NotFetched> {
    let unreadable = |error: std::io::Error| NotFetched::Unreachable(Box::new(error));
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > LIMIT_BYTES {
        return Err(Wrong::TooLarge.into());
    }
    tokio::fs::read(path).await.map_err(unreadable)
}
