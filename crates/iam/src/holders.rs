//! What policies can be attached to: users, groups and roles, told apart by their unique ids.

use std::fmt;

use store::Tx;

use crate::Error;
use crate::error::Noun;
use crate::policy::InlineOwner;
use crate::quotas::{self, Quota};

/// The three kinds of holders of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderKind {
    /// `AIDA…`
    User,
    /// `AGPA…`
    Group,
    /// `AROA…`
    Role,
}

const USER: &str = "
    SELECT name
      FROM users
     WHERE id = $1";

const GROUP: &str = "
    SELECT name
      FROM groups
     WHERE id = $1";

const ROLE: &str = "
    SELECT name
      FROM roles
     WHERE id = $1";

impl HolderKind {
    /// The kind of holder with this unique id; users are what is not told to be another.
    pub(crate) fn of(id: &str) -> Self {
        match id.get(..4) {
            Some("AGPA") => Self::Group,
            Some("AROA") => Self::Role,
            _ => Self::User,
        }
    }

    /// `user`, `group` or `role`, as in ARNs and in error texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }

    pub(crate) fn noun(self) -> Noun {
        match self {
            Self::User => Noun::User,
            Self::Group => Noun::Group,
            Self::Role => Noun::Role,
        }
    }

    /// How many managed policies one may have.
    pub(crate) fn attachments(self) -> Quota {
        match self {
            Self::User => quotas::POLICIES_PER_USER,
            Self::Group => quotas::POLICIES_PER_GROUP,
            Self::Role => quotas::POLICIES_PER_ROLE,
        }
    }

    pub(crate) fn inline_owner(self) -> InlineOwner {
        match self {
            Self::User => InlineOwner::User,
            Self::Group => InlineOwner::Group,
            Self::Role => InlineOwner::Role,
        }
    }

    /// The name of the holder, who must still be there, so that nothing is left behind with one that was just deleted.
    pub(crate) fn require(self, tx: &mut Tx<'_>, id: &str) -> Result<String, Error> {
        let sql = match self {
            Self::User => USER,
            Self::Group => GROUP,
            Self::Role => ROLE,
        };
        match tx.rows(sql, &[id.into()])?.first() {
            Some(row) => Ok(row.text("name")?),
            None => Err(Error::not_found(self.noun(), id)),
        }
    }
}

impl fmt::Display for HolderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
