//! From what a request came with to a [`Caller`].
//!
//! Garbage is refused before the database is asked: tokens and temporary keys carry a signature of ours, and what is
//! known of keys, the unknown ones included, is remembered until something changes.

use aws::SecretString;
use aws::sigv4::{Claim, NotSigned, SigningKey};

use crate::access_keys::AccessKey;
use crate::caller::{Caller, Source};
use crate::identity::{Identity, Proof};
use crate::known::Origin;
use crate::revocations::Subject;
use crate::sessions::{Session, second};
use crate::tokens::{Bearer, Refused, SessionToken};
use crate::vault::Owner;
use crate::{Error, Iam};

use std::sync::Arc;

/// Why a bearer token is no good. But for the last, all of them are 401 to a client.
#[derive(Debug, thiserror::Error)]
pub enum NotAuthenticated {
    /// It is not one of ours, or its time is over.
    #[error("the token is {0}")]
    Refused(#[from] Refused),
    /// It, its session, or the key behind it was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The user, role or session behind it is gone.
    #[error("nobody stands behind the token any more")]
    Gone,
    /// Nobody can tell now: 503 or 500.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

/// Why a signed request is refused.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedBy {
    /// The client's doing, and its answer.
    #[error(transparent)]
    Refused(#[from] NotSigned),
    /// Nobody can tell now: 503 or 500.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

/// Stands in for the secret of a key that does not exist, so that it takes as long to be refused.
const NOBODYS_SECRET: &str = "0000000000000000000000000000000000000000";

impl Iam {
    /// Who signed a request whose body has this SHA-256 (64 lower-case hex digits).
    ///
    /// Steps 8 to 11 of `identity.md` 1.1; those before were taken when the claim was read.
    pub async fn by_signature(
        &self,
        claim: &Claim,
        body_sha256: &str,
        source: Source,
    ) -> Result<Caller, NotSignedBy> {
        self.signer(claim, source, |key| claim.verify(key, body_sha256))
            .await
    }

    /// The same before the body has arrived, for bodies whose hash was declared; see [`Claim::verify_before_body`].
    pub async fn by_signature_before_body(
        &self,
        claim: &Claim,
        source: Source,
    ) -> Result<Caller, NotSignedBy> {
        self.signer(claim, source, |key| claim.verify_before_body(key))
            .await
    }

    /// Who holds a bearer token. It is good for one domain only, [`Caller::domain_number`], which the door compares.
    pub async fn by_token(&self, token: &str, source: Source) -> Result<Caller, NotAuthenticated> {
        let mut known = self.known().await?;
        let now = second(self.clock().now());
        let bearer = match Bearer::open(token, &known.bearer.keys, now) {
            Err(Refused::UnknownKey) => {
                known = self.known_again().await?;
                Bearer::open(token, &known.bearer.keys, now)?
            }
            opened => opened?,
        };
        let issued = bearer.issued.into();
        let revoked = |subject| known.revocations.kills(subject, issued);
        if revoked(Subject::Token(bearer.token)) || revoked(Subject::Session(bearer.session)) {
            return Err(NotAuthenticated::Revoked);
        }
        let identity = self
            .identity(&Origin::Session(bearer.session))
            .await?
            .ok_or(NotAuthenticated::Gone)?;
        let account = &identity.holder.account;
        if identity.revoked
            || known
                .revocations
                .kill_by_name(bearer.token, account, issued)
        {
            return Err(NotAuthenticated::Revoked);
        }
        Ok(Caller::new(identity, Some(bearer), source))
    }

    async fn signer(
        &self,
        claim: &Claim,
        source: Source,
        verify: impl Fn(&SigningKey) -> Result<(), NotSigned> + Send,
    ) -> Result<Caller, NotSignedBy> {
        let Some(identity) = self.claimed(claim).await? else {
            let scope = claim.scope();
            let key = SigningKey::derive(
                &SecretString::from(NOBODYS_SECRET),
                scope.date(),
                scope.region(),
                scope.service(),
            );
            // Whatever it says: the key is what is wrong.
            drop(verify(&key));
            return Err(NotSigned::InvalidClientTokenId.into());
        };
        verify(&self.signing_key(&identity, claim).await?)?;
        // Only now, so that only a holder of the secret learns it.
        match &identity.session {
            Some(session) if session.expires <= self.clock().now() => {
                Err(NotSigned::ExpiredToken.into())
            }
            _ => {
                let scope = claim.scope();
                self.note_use(&identity, scope.region().as_str(), scope.service())
                    .await;
                Ok(Caller::new(identity, None, source))
            }
        }
    }

    /// Who is said to have signed; `None` when the key, or the session token beside it, is no good.
    async fn claimed(&self, claim: &Claim) -> Result<Option<Arc<Identity>>, Error> {
        let key = claim.access_key_id();
        match (key.is_temporary(), claim.session_token()) {
            (false, None) => self.identity(&Origin::Key(key.clone())).await,
            (true, Some(token)) => {
                let mut known = self.known().await?;
                let mut opened = SessionToken::open(token.expose(), &known.sts.keys, key.as_str());
                if opened == Err(Refused::UnknownKey) {
                    known = self.known_again().await?;
                    opened = SessionToken::open(token.expose(), &known.sts.keys, key.as_str());
                }
                let Ok(token) = opened else { return Ok(None) };
                let identity = self.identity(&Origin::Session(token.session)).await?;
                Ok(identity.filter(|identity| {
                    !identity.revoked
                        && identity
                            .session
                            .as_ref()
                            .is_some_and(|it| it.secret.is_some())
                }))
            }
            (true, None) | (false, Some(_)) => Ok(None),
        }
    }

    /// The day's signing key. Cached, so that the secret is opened once a day and wiped at once.
    async fn signing_key(&self, identity: &Identity, claim: &Claim) -> Result<SigningKey, Error> {
        let scope = claim.scope();
        let cached = (claim.access_key_id().clone(), scope.to_string());
        if let Some(key) = self.caches().signing_keys.get(&cached) {
            return Ok(key);
        }
        let account = Owner::Account(&identity.holder.account);
        let secret = match (&identity.credentials, &identity.session) {
            (Proof::Key { id, sealed }, _) => {
                self.vault()
                    .open(account, AccessKey::place(id.as_str()), sealed)
                    .await?
            }
            (Proof::Session(id), session) => {
                let sealed = session
                    .as_ref()
                    .and_then(|session| session.secret.as_deref())
                    .unwrap_or_default();
                self.vault()
                    .open(account, Session::place(&id.to_string()), sealed)
                    .await?
            }
        };
        let secret =
            std::str::from_utf8(&secret).map_err(|error| Error::damaged("secret", error))?;
        let key = SigningKey::derive(
            &SecretString::from(secret),
            scope.date(),
            scope.region(),
            scope.service(),
        );
        self.caches().signing_keys.insert(cached, key.clone());
        Ok(key)
    }
}
