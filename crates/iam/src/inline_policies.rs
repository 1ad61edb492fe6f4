//! Policies written into a user, group or role.

use store::{Tx, Value};

use crate::error::{InUse, Noun};
use crate::holders::HolderKind;
use crate::policy::{PolicyKind, PolicySource, size, validate};
use crate::{Error, Iam, count};

const PUT: &str = "
    INSERT INTO inline_policies (holder_id, name, document)
    VALUES ($1, $2, $3)
        ON CONFLICT (holder_id, name) DO UPDATE
       SET document = excluded.document";

const DELETE: &str = "
    DELETE FROM inline_policies
     WHERE holder_id = $1
       AND name = $2";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM inline_policies
     WHERE holder_id = $1";

pub(crate) const OF_HOLDER: &str = "
    SELECT name, document
      FROM inline_policies
     WHERE holder_id = $1
     ORDER BY name";

pub(crate) const BY_NAME: &str = "
    SELECT document
      FROM inline_policies
     WHERE holder_id = $1
       AND name = $2";

/// A row of `inline_policies`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InlinePolicy {
    pub(crate) name: String,
    pub(crate) document: String,
}

/// Refuses to go on while a holder has inline policies.
pub(crate) fn require_none(tx: &mut Tx<'_>, holder_id: &str) -> Result<(), Error> {
    match count(tx, COUNT, &[holder_id.into()])? {
        0 => Ok(()),
        _ => Err(Error::InUse(InUse::Inline)),
    }
}

impl Iam {
    /// Stores an inline policy of a user, group or role, over one of the same name.
    ///
    /// Errors: [`Error::Malformed`], also when all of the holder's together become too long; [`Error::NotFound`] for the
    /// holder.
    pub async fn put_inline_policy(
        &self,
        holder_id: &str,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        let values: [Value; 3] = [holder_id.into(), name.into(), document.into()];
        let (holder_id, name, document) =
            (holder_id.to_owned(), name.to_owned(), document.to_owned());
        self.change(move |tx| {
            let kind = HolderKind::of(&holder_id);
            let holder = kind.require(tx, &holder_id)?;
            let mut others = 0;
            for row in tx.rows(OF_HOLDER, &values[..1])? {
                if row.as_str("name")? != name {
                    others += size(row.as_str("document")?);
                }
            }
            let kind = PolicyKind::Inline {
                owner: kind.inline_owner(),
                name: &holder,
                others,
            };
            validate(kind, &document, PolicySource::named(name.as_str()))?;
            tx.execute(PUT, &values)?;
            Ok(())
        })
        .await
    }

    /// Removes an inline policy. Errors: [`Error::NotFound`].
    pub async fn delete_inline_policy(&self, holder_id: &str, name: &str) -> Result<(), Error> {
        let values: [Value; 2] = [holder_id.into(), name.into()];
        match self.write(move |tx| tx.execute(DELETE, &values)).await? {
            0 => Err(no_such(holder_id, name)),
            _ => Ok(()),
        }
    }

    /// The text of an inline policy, as it was sent. Errors: [`Error::NotFound`].
    pub(crate) async fn inline_policy(&self, holder_id: &str, name: &str) -> Result<String, Error> {
        let rows = self
            .database()
            .rows(BY_NAME, vec![holder_id.into(), name.into()])
            .await?;
        match rows.first() {
            Some(row) => Ok(row.text("document")?),
            None => Err(no_such(holder_id, name)),
        }
    }

    /// All of a holder's, by name. Their sizes are limited, so they are few.
    pub(crate) async fn inline_policies(
        &self,
        holder_id: &str,
    ) -> Result<Vec<InlinePolicy>, Error> {
        let rows = self
            .database()
            .rows(OF_HOLDER, vec![holder_id.into()])
            .await?;
        let policies = rows.iter().map(|row| {
            Ok(InlinePolicy {
                name: row.text("name")?,
                document: row.text("document")?,
            })
        });
        Ok(policies.collect::<Result<_, store::Error>>()?)
    }
}

fn no_such(holder_id: &str, name: &str) -> Error {
    Error::not_found(Noun::InlinePolicy(HolderKind::of(holder_id)), name)
}
