//! What has been taken back: an entry kills everything of its subject that was issued at or before a moment.
//!
//! Entries live no longer than what they kill could have lived (36 h and a little), so the whole table is held in
//! memory, and a check is a look-up or two (`identity.md` 5.4).

use std::collections::HashMap;
use std::time::Duration;

use aws::{AccountId, Timestamp};
use store::{Database, Tx, Value};

use crate::ids::Id128;
use crate::sessions::{SLACK, second};
use crate::{Error, Iam};

/// The longest life of anything that can be revoked: a session of `GetSessionToken`.
const LONGEST_LIFE: Duration = Duration::from_hours(36);

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// One bearer token.
    Token(Id128),
    /// One bearer token by the name that the audit log has for it, and the account of whoever holds it:
    /// `111122223333/ABIA…`.
    TokenName(&'a str),
    /// A session, and with it all that was obtained with it.
    Session(Id128),
    /// A long-term access key: deactivated or deleted.
    AccessKey(&'a str),
    /// A user or role that was deleted.
    Principal(&'a str),
}

impl Subject<'_> {
    /// The word that the table keeps.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::TokenName(_) => "token-name",
            Self::Session(_) => "session",
            Self::AccessKey(_) => "access-key",
            Self::Principal(_) => "principal",
        }
    }

    /// The id that the table keeps.
    pub(crate) fn id(self) -> String {
        match self {
            Self::Token(id) | Self::Session(id) => id.to_string(),
            Self::TokenName(id) | Self::AccessKey(id) | Self::Principal(id) => id.to_owned(),
        }
    }
}

/// All entries. Seconds since 1970 throughout: tokens carry no finer time.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    tokens: HashMap<Id128, u64>,
    token_names: HashMap<String, u64>,
    sessions: HashMap<Id128, u64>,
    access_keys: HashMap<String, u64>,
    principals: HashMap<String, u64>,
}

impl Revocations {
    /// Kills what was issued for this subject at or before `not_before`; a later entry wins over an earlier one.
    pub fn insert(&mut self, subject: Subject<'_>, not_before: u64) {
        let entry = match subject {
            Subject::Token(id) => self.tokens.entry(id).or_default(),
            Subject::TokenName(name) => self.token_names.entry(name.to_owned()).or_default(),
            Subject::Session(id) => self.sessions.entry(id).or_default(),
            Subject::AccessKey(id) => self.access_keys.entry(id.to_owned()).or_default(),
            Subject::Principal(id) => self.principals.entry(id.to_owned()).or_default(),
        };
        *entry = not_before.max(*entry);
    }

    /// Whether something issued for this subject at this second is dead.
    pub fn kills(&self, subject: Subject<'_>, issued: u64) -> bool {
        let not_before = match subject {
            Subject::Token(id) => self.tokens.get(&id),
            Subject::TokenName(name) => self.token_names.get(name),
            Subject::Session(id) => self.sessions.get(&id),
            Subject::AccessKey(id) => self.access_keys.get(id),
            Subject::Principal(id) => self.principals.get(id),
        };
        not_before.is_some_and(|not_before| issued <= *not_before)
    }

    /// Whether a token of somebody of this account is dead by its name. Costs nothing while no name is on the list.
    pub(crate) fn kill_by_name(&self, token: Id128, account: &AccountId, issued: u64) -> bool {
        !self.token_names.is_empty()
            && self.kills(
                Subject::TokenName(&token_name(account, &token.bearer_id())),
                issued,
            )
    }
}

/// The subject of a token by its name: whoever knows the name of another account's token kills nothing with it.
pub(crate) fn token_name(account: &AccountId, bearer_id: &str) -> String {
    format!("{account}/{bearer_id}")
}

const ALL: &str = "
    SELECT subject_kind, subject_id, not_before
      FROM revocations
     ORDER BY subject_kind, subject_id";

const INSERT: &str = "
    INSERT INTO revocations (subject_kind, subject_id, not_before, forget_after)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject_kind, subject_id) DO UPDATE
       SET not_before = excluded.not_before, forget_after = excluded.forget_after
     WHERE revocations.not_before < excluded.not_before";

/// Kills what was issued for this subject up to `now`; part of the transaction that takes the right away.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    subject: Subject<'_>,
    now: Timestamp,
) -> Result<(), store::Error> {
    tx.execute(INSERT, &values(subject, now))?;
    Ok(())
}

fn values(subject: Subject<'_>, now: Timestamp) -> [Value; 4] {
    let forget_after = now.plus(LONGEST_LIFE).plus(SLACK);
    [
        subject.kind().into(),
        subject.id().into(),
        now.millis().into(),
        forget_after.millis().into(),
    ]
}

/// The whole table.
pub(crate) async fn load(database: &Database) -> Result<Revocations, Error> {
    let mut revocations = Revocations::default();
    for row in database.rows(ALL, Vec::new()).await? {
        let not_before = second(Timestamp::from_millis(row.int("not_before")?));
        let subject = match row.as_str("subject_kind")? {
            "token" => Subject::Token(row.parse("subject_id")?),
            "token-name" => Subject::TokenName(row.as_str("subject_id")?),
            "session" => Subject::Session(row.parse("subject_id")?),
            "access-key" => Subject::AccessKey(row.as_str("subject_id")?),
            "principal" => Subject::Principal(row.as_str("subject_id")?),
            // A kind that a newer node writes; this one cannot have made what it kills.
            _ => continue,
        };
        revocations.insert(subject, not_before);
    }
    Ok(revocations)
}

impl Iam {
    pub(crate) async fn revoke(&self, subject: Subject<'_>) -> Result<(), Error> {
        self.revoke_all(&[subject]).await
    }

    /// All of them or none.
    pub(crate) async fn revoke_all(&self, subjects: &[Subject<'_>]) -> Result<(), Error> {
        let now = self.clock().now();
        let entries: Vec<_> = subjects.iter().map(|one| values(*one, now)).collect();
        self.write(move |tx| {
            for entry in &entries {
                tx.execute(INSERT, entry)?;
            }
            Ok(())
        })
        .await
    }
}
