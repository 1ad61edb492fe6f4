//! Roles: the row. Who may take one, and how, comes with the operations of STS.

use aws::AccountId;
use store::Row;

use crate::{Error, Iam};

/// What a session needs to know of a row of `roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// `AROA…`.
    pub(crate) id: String,
    /// As created.
    pub(crate) name: String,
    /// `/` or `/…/`.
    pub(crate) path: String,
    /// ARN of the managed policy that limits what its sessions may do.
    pub(crate) boundary: Option<String>,
}

pub(crate) const BY_ID: &str = "
    SELECT id, name, path, boundary
      FROM roles
     WHERE id = $1
       AND account_id = $2";

impl Role {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.text("id")?,
            name: row.text("name")?,
            path: row.text("path")?,
            boundary: row.opt_text("boundary")?,
        })
    }
}

impl Iam {
    pub(crate) async fn role_by_id(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<Role>, Error> {
        let rows = self
            .database()
            .rows(BY_ID, vec![id.into(), account.as_str().into()])
            .await?;
        Ok(rows.first().map(Role::read).transpose()?)
    }
}
