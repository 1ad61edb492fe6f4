//! What has been taken back: an entry kills everything of its subject that was issued at or before a moment.
//!
//! Entries live no longer than what they kill could have lived (36 h and a little), so the whole table is held in
//! memory, and a check is a look-up or two (`identity.md` 5.4).

use std::collections::HashMap;

use crate::ids::Id128;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// One bearer token.
    Token(Id128),
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
            Self::Session(_) => "session",
            Self::AccessKey(_) => "access-key",
            Self::Principal(_) => "principal",
        }
    }

    /// The id that the table keeps.
    pub(crate) fn id(self) -> String {
        match self {
            Self::Token(id) | Self::Session(id) => id.to_string(),
            Self::AccessKey(id) | Self::Principal(id) => id.to_owned(),
        }
    }
}

/// All entries. Seconds since 1970 throughout: tokens carry no finer time.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    tokens: HashMap<Id128, u64>,
    sessions: HashMap<Id128, u64>,
    access_keys: HashMap<String, u64>,
    principals: HashMap<String, u64>,
}

impl Revocations {
    /// Kills what was issued for this subject at or before `not_before`; a later entry wins over an earlier one.
    pub fn insert(&mut self, subject: Subject<'_>, not_before: u64) {
        let entry = match subject {
            Subject::Token(id) => self.tokens.entry(id).or_default(),
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
            Subject::Session(id) => self.sessions.get(&id),
            Subject::AccessKey(id) => self.access_keys.get(id),
            Subject::Principal(id) => self.principals.get(id),
        };
        not_before.is_some_and(|not_before| issued <= *not_before)
    }
}
