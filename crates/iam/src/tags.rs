//! Tags of whatever has a unique id: users, roles, policies, instance profiles, OIDC providers.
//!
//! Keys are unique without case and shown as they were last written.

use store::{Tx, Value};

use crate::{Error, Iam, count, quotas};

/// Key and value.
pub(crate) type Tag = (String, String);

const PUT: &str = "
    INSERT INTO principal_tags (holder_id, tag_key, shown_key, value)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT (holder_id, tag_key) DO UPDATE
       SET shown_key = excluded.shown_key, value = excluded.value";

const REMOVE: &str = "
    DELETE FROM principal_tags
     WHERE holder_id = $1
       AND tag_key = $2";

const REMOVE_ALL: &str = "
    DELETE FROM principal_tags
     WHERE holder_id = $1";

pub(crate) const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM principal_tags
     WHERE holder_id = $1";

pub(crate) const TAGS: &str = "
    SELECT shown_key, value
      FROM principal_tags
     WHERE holder_id = $1
     ORDER BY tag_key";

/// Tag keys compare without case.
pub(crate) fn tag_key(key: &str) -> String {
    key.to_lowercase()
}

/// Puts tags on something, over those of the same keys. Errors: [`Error::Quota`] beyond 50.
pub(crate) fn put(tx: &mut Tx<'_>, holder_id: &str, tags: &[Tag]) -> Result<(), Error> {
    for (key, value) in tags {
        let values: [Value; 4] = [
            holder_id.into(),
            tag_key(key).into(),
            key.into(),
            value.into(),
        ];
        tx.execute(PUT, &values)?;
    }
    if count(tx, COUNT, &[holder_id.into()])? > quotas::TAGS as u64 {
        return Err(Error::Quota(
            "The number of tags has reached the maximum limit.".to_owned(),
        ));
    }
    Ok(())
}

/// Removes all tags of something that is deleted.
pub(crate) fn remove_all(tx: &mut Tx<'_>, holder_id: &str) -> Result<(), store::Error> {
    tx.execute(REMOVE_ALL, &[holder_id.into()])?;
    Ok(())
}

impl Iam {
    /// Tags something; see [`put`]. A tag on something that is deleted at the same time stays behind and means nothing: its
    /// id is never used again.
    pub(crate) async fn tag(&self, holder_id: &str, tags: Vec<Tag>) -> Result<(), Error> {
        let holder_id = holder_id.to_owned();
        self.change(move |tx| put(tx, &holder_id, &tags)).await
    }

    /// Removes the tags with these keys; what is not there is not missed.
    pub(crate) async fn untag(&self, holder_id: &str, keys: Vec<String>) -> Result<(), Error> {
        let holder_id = holder_id.to_owned();
        self.change(move |tx| {
            for key in &keys {
                let values: [Value; 2] = [holder_id.as_str().into(), tag_key(key).into()];
                tx.execute(REMOVE, &values)?;
            }
            Ok(())
        })
        .await
    }

    /// The tags of whatever has this unique id, by key.
    pub(crate) async fn principal_tags(&self, holder_id: &str) -> Result<Vec<Tag>, Error> {
        let rows = self.database().rows(TAGS, vec![holder_id.into()]).await?;
        let tags = rows
            .iter()
            .map(|row| Ok((row.text("shown_key")?, row.text("value")?)));
        Ok(tags.collect::<Result<_, store::Error>>()?)
    }
}
