//! Sessions: what stands behind temporary credentials and bearer tokens.
//!
//! A row never changes but for how long it is kept: a twelve-hour token outlives the fifteen-minute session it was
//! fetched with, and the session's tags, policies and revocation are still needed then; so are those that the session
//! itself was obtained with, to be taken back with all that came of them.

use std::str::FromStr;
use std::time::Duration;

use aws::sigv4::Credentials;
use aws::{AccessKeyId, AccountId, SecretString, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Row, Tx, Value};

use crate::caller::{Caller, Principal};
use crate::error::Noun;
use crate::identity::Whose;
use crate::ids::{self, Id128};
use crate::revocations::{Revocations, Subject};
use crate::tokens::{self, SessionToken};
use crate::vault::{Owner, Place};
use crate::{Error, Iam};

/// How far clocks of nodes may differ, added to how long a row is kept.
pub(crate) const SLACK: Duration = Duration::from_mins(5);

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Made for a bearer token that was fetched with a long-term key; has no credentials of its own.
    Token,
    /// Somebody took a role.
    Role,
    /// `GetSessionToken`: still the user or root.
    User,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Role => "role",
            Self::User => "user",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "token" => Ok(Self::Token),
            "role" => Ok(Self::Role),
            "user" => Ok(Self::User),
            other => Err(format!("`{other}` is no kind of session")),
        }
    }
}

/// What a session may do at most, as passed when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPolicies {
    /// The policy's text, if one was passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    /// ARNs of managed policies, read anew whenever something changes; one that is deleted allows nothing.
    #[serde(default)]
    pub managed: Vec<String>,
}

/// A session that another was obtained with, as that one's row keeps it:
/// `{"id": "00…ff", "issued": 1773500966, "principal": "AROA…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ancestor {
    pub(crate) id: Id128,
    /// The second in which it was issued.
    pub(crate) issued: u64,
    /// Whose it was.
    pub(crate) principal: String,
}

/// A row of `sessions`.
pub(crate) struct Session {
    pub(crate) id: Id128,
    pub(crate) kind: Kind,
    pub(crate) account: AccountId,
    pub(crate) whose: Whose,
    pub(crate) access_key: Option<AccessKeyId>,
    /// Nearest first; of a very long line those in the middle are left out.
    pub(crate) ancestors: Vec<Ancestor>,
    pub(crate) name: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) transitive_tags: Vec<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) federated_provider: Option<String>,
    /// The ARN of the machine that it was made for.
    pub(crate) source_instance: Option<String>,
    pub(crate) policies: Option<SessionPolicies>,
    /// Sealed.
    pub(crate) secret: Option<String>,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
}

pub(crate) const BY_ID: &str = "
    SELECT id, kind, account_id, principal_kind, principal_id, access_key_id, ancestors, session_name, tags, transitive_tags,
           source_identity, federated_provider, source_instance, policies, secret, issued, expires
      FROM sessions
     WHERE id = $1";

pub(crate) const ACCOUNT_BY_PREFIX: &str = "
    SELECT account_id
      FROM sessions
     WHERE id >= $1
       AND id < $2
     ORDER BY id
     LIMIT 1";

pub(crate) const ID_BY_PREFIX: &str = "
    SELECT id
      FROM sessions
     WHERE id >= $1
       AND id < $2
     ORDER BY id
     LIMIT 1";

const INSERT: &str = "
    INSERT INTO sessions (id, kind, account_id, principal_kind, principal_id, access_key_id, ancestors, session_name, tags,
                          transitive_tags, source_identity, federated_provider, source_instance, policies, secret, issued, expires,
                          forget_after)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

pub(crate) const OF_MACHINE: &str = "
    SELECT id
      FROM sessions
     WHERE source_instance = $1
       AND forget_after >= $2";

pub(crate) const KEEP_UNTIL: &str = "
    UPDATE sessions
       SET forget_after = $2
     WHERE id = $1
       AND forget_after < $2";

pub(crate) const FORGET_SESSIONS: &str = "
    DELETE FROM sessions
     WHERE forget_after < $1";

pub(crate) const FORGET_REVOCATIONS: &str = "
    DELETE FROM revocations
     WHERE forget_after < $1";

impl Session {
    fn read(row: &Row) -> Result<Self, Error> {
        let account: AccountId = row.parse("account_id")?;
        let principal_id = row.text("principal_id")?;
        Ok(Self {
            id: row.parse("id")?,
            kind: row.parse("kind")?,
            whose: Whose::read(row.as_str("principal_kind")?, account, principal_id)?,
            account,
            access_key: row.opt_parse("access_key_id")?,
            ancestors: json(row.as_str("ancestors")?)?,
            name: row.opt_text("session_name")?,
            tags: json(row.as_str("tags")?)?,
            transitive_tags: json(row.as_str("transitive_tags")?)?,
            source_identity: row.opt_text("source_identity")?,
            federated_provider: row.opt_text("federated_provider")?,
            source_instance: row.opt_text("source_instance")?,
            policies: row.opt_text("policies")?.as_deref().map(json).transpose()?,
            secret: row.opt_text("secret")?,
            issued: Timestamp::from_millis(row.int("issued")?),
            expires: Timestamp::from_millis(row.int("expires")?),
        })
    }

    /// Whether it was revoked, itself or anything that it came from.
    ///
    /// Stricter than asking for what is held in hand: a token that a node issued from a revoked session before it heard
    /// of the revocation is dead too.
    pub(crate) fn is_revoked(&self, revocations: &Revocations) -> bool {
        let issued = second(self.issued);
        let first = self.ancestors.last().map_or(issued, |first| first.issued);
        let chain = self.ancestors.iter().any(|ancestor| {
            let Ancestor {
                id,
                issued,
                principal,
            } = ancestor;
            revocations.kills(Subject::Session(*id), *issued)
                || revocations.kills(Subject::Principal(principal), *issued)
        });
        chain
            || revocations.kills(Subject::Session(self.id), issued)
            || revocations.kills(Subject::Principal(self.whose.id()), issued)
            || self
                .access_key
                .as_ref()
                .is_some_and(|key| revocations.kills(Subject::AccessKey(key.as_str()), first))
    }

    /// A session of a user or root without anything special.
    pub(crate) fn blank(
        account: AccountId,
        whose: Whose,
        issued: Timestamp,
        duration: Duration,
    ) -> Self {
        Self {
            id: Id128::new(),
            kind: Kind::User,
            account,
            whose,
            access_key: None,
            ancestors: Vec::new(),
            name: None,
            tags: Vec::new(),
            transitive_tags: Vec::new(),
            source_identity: None,
            federated_provider: None,
            source_instance: None,
            policies: None,
            secret: None,
            issued,
            expires: issued.plus(duration),
        }
    }

    /// Where its secret stands.
    pub(crate) fn place(id: &str) -> Place<'_> {
        Place {
            table: "sessions",
            column: "secret",
            key: id,
        }
    }

    fn values(&self, forget_after: Timestamp) -> Result<Vec<Value>, Error> {
        Ok(vec![
            self.id.to_string().into(),
            self.kind.as_str().into(),
            self.account.as_str().into(),
            self.whose.kind().into(),
            self.whose.id().into(),
            self.access_key.as_ref().map(AccessKeyId::as_str).into(),
            text(&self.ancestors)?.into(),
            self.name.as_deref().into(),
            text(&self.tags)?.into(),
            text(&self.transitive_tags)?.into(),
            self.source_identity.as_deref().into(),
            self.federated_provider.as_deref().into(),
            self.source_instance.as_deref().into(),
            self.policies.as_ref().map(text).transpose()?.into(),
            self.secret.as_deref().into(),
            self.issued.millis().into(),
            self.expires.millis().into(),
            forget_after.millis().into(),
        ])
    }
}

/// What a new role session is to be.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// `AROA…` of the role that is taken.
    pub role_id: String,
    /// The taker's name for it.
    pub name: String,
    /// How long its credentials are good.
    pub duration: Duration,
    /// Tags over those of the role.
    pub tags: Vec<(String, String)>,
    /// Keys of the tags that sessions obtained with this one inherit.
    pub transitive_tags: Vec<String>,
    /// Who stands behind it, as they said.
    pub source_identity: Option<String>,
    /// The ARN of the identity provider that vouched for the taker.
    pub federated_provider: Option<String>,
    /// What it may do at most.
    pub policies: Option<SessionPolicies>,
}

impl NewSession {
    /// A session without tags, limits or provenance.
    pub fn new(role_id: impl Into<String>, name: impl Into<String>, duration: Duration) -> Self {
        Self {
            role_id: role_id.into(),
            name: name.into(),
            duration,
            tags: Vec::new(),
            transitive_tags: Vec::new(),
            source_identity: None,
            federated_provider: None,
            policies: None,
        }
    }
}

/// Temporary credentials and when they end.
#[derive(Clone, Debug)]
pub struct Temporary {
    /// Key, secret and session token.
    pub credentials: Credentials,
    /// The first moment in which they are no longer good.
    pub expires: Timestamp,
}

impl Iam {
    /// Makes a session of a role and its credentials. Whether the taker may was decided before.
    ///
    /// `taker` is `None` for a machine or somebody whom an identity provider vouches for. Errors: [`Error::NotFound`] when
    /// the account has no such role.
    pub async fn start_session(
        &self,
        account: &AccountId,
        taker: Option<&Caller>,
        new: NewSession,
    ) -> Result<Temporary, Error> {
        let whose = Whose::Role(new.role_id.clone());
        self.holder(account, &whose).await?.ok_or(Error::NotFound {
            noun: Noun::Role,
            name: new.role_id,
        })?;
        let session = Session {
            kind: Kind::Role,
            access_key: taker.and_then(|taker| taker.identity().long_term_key().cloned()),
            ancestors: taker
                .map(|taker| taker.identity().lineage())
                .unwrap_or_default(),
            name: Some(new.name),
            tags: new.tags,
            transitive_tags: new.transitive_tags,
            source_identity: new.source_identity,
            federated_provider: new.federated_provider,
            policies: new.policies,
            ..Session::blank(*account, whose, self.time_of_issue()?, new.duration)
        };
        self.give_credentials(session).await
    }

    /// Makes temporary credentials of somebody with a long-term key; they stay who they are (`GetSessionToken`).
    pub(crate) async fn start_own_session(
        &self,
        caller: &Caller,
        duration: Duration,
    ) -> Result<Temporary, Error> {
        let session = Session {
            access_key: caller.identity().long_term_key().cloned(),
            ..Session::blank(
                *caller.account(),
                own(caller),
                self.time_of_issue()?,
                duration,
            )
        };
        self.give_credentials(session).await
    }

    /// Stores a session under a new secret.
    async fn give_credentials(&self, session: Session) -> Result<Temporary, Error> {
        self.give_credentials_if(session, |_| Ok::<(), Error>(()))
            .await
    }

    /// The same if, in the transaction that stores it, what it rests on still holds.
    pub(crate) async fn give_credentials_if<E>(
        &self,
        mut session: Session,
        mut holds: impl FnMut(&mut Tx<'_>) -> Result<(), E> + Send + 'static,
    ) -> Result<Temporary, E>
    where
        E: From<store::Error> + From<Error> + Send + 'static,
    {
        let secret = ids::secret();
        let (owner, id) = (session.account, session.id.to_string());
        let sealed = self.vault().seal(
            Owner::Account(&owner),
            Session::place(&id),
            secret.as_bytes(),
        );
        session.secret = Some(sealed.await?);
        let forget_after = session.expires.plus(SLACK);
        let values = session.values(forget_after)?;
        let ancestors = session.ancestors.clone();
        self.database()
            .write(move |tx| {
                holds(tx)?;
                tx.execute(INSERT, &values)?;
                keep(
                    tx,
                    ancestors.iter().map(|ancestor| ancestor.id),
                    forget_after,
                )?;
                Ok::<(), E>(())
            })
            .await?;
        let token = self.sign_session(&session).await?;
        let credentials = Credentials {
            access_key_id: session
                .id
                .temporary_key_id()
                .parse()
                .map_err(|error| Error::damaged("access key id", error))?,
            secret_access_key: SecretString::from(secret.as_str()),
            session_token: Some(token),
        };
        Ok(Temporary {
            credentials,
            expires: session.expires,
        })
    }

    /// Revokes a session and everything that was obtained with it, from its next request on.
    pub async fn revoke_session(&self, session: Id128) -> Result<(), Error> {
        self.revoke(Subject::Session(session)).await
    }

    /// Removes the rows of sessions and revocations that nothing can need any more; says how many.
    pub async fn forget(&self, now: Timestamp) -> Result<u64, Error> {
        let now: Value = now.millis().into();
        let gone = self.database().write(move |tx| {
            let sessions = tx.execute(FORGET_SESSIONS, std::slice::from_ref(&now))?;
            let revocations = tx.execute(FORGET_REVOCATIONS, std::slice::from_ref(&now))?;
            Ok::<_, store::Error>(sessions + revocations)
        });
        Ok(gone.await?)
    }

    /// The row that a new bearer token stands on: the caller's session, or one made for the token.
    ///
    /// `expires` is the token's end.
    pub(crate) async fn session_for_token(
        &self,
        caller: &Caller,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<Id128, Error> {
        let identity = caller.identity();
        let forget_after = expires.plus(SLACK);
        if let Some(session) = identity.session.clone() {
            let id = session.id;
            self.database()
                .write(move |tx| {
                    let ancestors = session.ancestors.iter().map(|ancestor| ancestor.id);
                    keep(tx, std::iter::once(id).chain(ancestors), forget_after)
                })
                .await?;
            return Ok(id);
        }
        let session = Session {
            kind: Kind::Token,
            access_key: identity.long_term_key().cloned(),
            expires,
            ..Session::blank(*caller.account(), own(caller), issued, Duration::ZERO)
        };
        self.insert_session(&session, forget_after).await?;
        Ok(session.id)
    }

    /// Whose temporary credentials have this key id.
    pub(crate) async fn account_of_temporary_key(
        &self,
        access_key_id: &AccessKeyId,
    ) -> Result<Option<AccountId>, Error> {
        let Some(prefix) = ids::session_prefix(access_key_id.as_str()) else {
            return Ok(None);
        };
        // `g` comes after the last hex digit.
        let values = vec![prefix.as_str().into(), format!("{prefix}g").into()];
        let rows = self.database().rows(ACCOUNT_BY_PREFIX, values).await?;
        Ok(rows
            .first()
            .map(|row| row.parse("account_id"))
            .transpose()?)
    }

    /// The session whose temporary credentials have this key id.
    pub(crate) async fn session_of_temporary_key(
        &self,
        access_key_id: &AccessKeyId,
    ) -> Result<Option<Session>, Error> {
        let Some(prefix) = ids::session_prefix(access_key_id.as_str()) else {
            return Ok(None);
        };
        let values = vec![prefix.as_str().into(), format!("{prefix}g").into()];
        let rows = self.database().rows(ID_BY_PREFIX, values).await?;
        match rows.first() {
            Some(row) => self.load_session(row.parse("id")?).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn load_session(&self, id: Id128) -> Result<Option<Session>, Error> {
        let rows = self
            .database()
            .rows(BY_ID, vec![id.to_string().into()])
            .await?;
        rows.first().map(Session::read).transpose()
    }

    async fn insert_session(
        &self,
        session: &Session,
        forget_after: Timestamp,
    ) -> Result<(), Error> {
        let values = session.values(forget_after)?;
        self.database()
            .write(move |tx| tx.execute(INSERT, &values))
            .await?;
        Ok(())
    }

    async fn sign_session(&self, session: &Session) -> Result<SecretString, Error> {
        let known = self.known().await?;
        let key = known.sts.signing.ok_or(Error::NoTokenKey)?;
        let role = if session.kind == Kind::Role {
            tokens::ROLE_SESSION
        } else {
            0
        };
        let token = SessionToken {
            flags: tokens::TEMPORARY | role,
            key,
            issued: tokens::seconds(session.issued),
            expires: tokens::seconds(session.expires),
            session: session.id,
        };
        let text = token.seal(&known.sts.keys).ok_or(Error::NoTokenKey)?;
        Ok(SecretString::from(text.as_str()))
    }
}

/// Keeps the rows of sessions for as long as something lives that was obtained with them: whoever takes one of them back
/// finds it by its row.
fn keep(
    tx: &mut Tx<'_>,
    sessions: impl Iterator<Item = Id128>,
    forget_after: Timestamp,
) -> Result<(), store::Error> {
    for id in sessions {
        let values: [Value; 2] = [id.to_string().into(), forget_after.millis().into()];
        tx.execute(KEEP_UNTIL, &values)?;
    }
    Ok(())
}

/// The user or root that a caller is; sessions of roles do not come here.
fn own(caller: &Caller) -> Whose {
    match caller.principal() {
        Principal::User { id, .. } => Whose::User(id.clone()),
        Principal::Root | Principal::Session { .. } => Whose::Root(*caller.account()),
    }
}

/// The second of a time as revocations count it; nothing here is older than 1970.
pub(crate) fn second(time: Timestamp) -> u64 {
    u64::try_from(time.seconds()).unwrap_or(0)
}

fn json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::damaged("session", error))
}

fn text(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::damaged("session", error))
}
