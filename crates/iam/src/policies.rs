//! Policies of principals: attached and inline ones, those of groups, and AWS's own.

use std::sync::Arc;

use moka::sync::Cache;
use store::Value;

use crate::policy::{self, Policy, PolicySource};
use crate::sessions::SessionPolicies;
use crate::{Error, Iam};

/// Policies that are asked together: any of them may allow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set(Vec<Arc<Policy>>);

impl Set {
    pub(crate) fn as_slice(&self) -> &[Arc<Policy>] {
        &self.0
    }
}

/// Policies that were compiled before, by where they come from and their text.
pub(crate) type Compiled = Cache<(Option<String>, String, String), Arc<Policy>>;

/// How the ARNs of AWS's own policies begin.
const OWNED_BY_AWS: &str = "arn:aws:iam::aws:policy/";

/// A policy that says nothing.
const NOTHING: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// How many bytes of policy texts are kept compiled.
const COMPILED_BYTES: u64 = 32 << 20;

/// An empty cache of compiled policies.
pub(crate) fn compiled() -> Compiled {
    let weigh = |(arn, name, text): &(Option<String>, String, String), _: &Arc<Policy>| {
        let bytes = arn.as_ref().map_or(0, String::len) + name.len() + text.len();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    Cache::builder()
        .max_capacity(COMPILED_BYTES)
        .weigher(weigh)
        .build()
}

/// A holder's own policies and those of its groups, inline ones first; a managed one comes with its ARN.
pub(crate) const OF_HOLDER: &str = "
    SELECT 1 AS place, i.name AS name, CAST(NULL AS TEXT) AS arn, i.document AS document
      FROM inline_policies i
     WHERE i.holder_id = $1
        OR i.holder_id IN (SELECT group_id FROM group_members WHERE user_id = $1)
     UNION ALL
    SELECT 2 AS place, p.name AS name, a.policy_arn AS arn, v.document AS document
      FROM attachments a
      LEFT JOIN policies p ON p.arn = a.policy_arn
      LEFT JOIN policy_versions v ON v.policy_id = p.id AND v.version = p.default_version
     WHERE a.holder_id = $1
        OR a.holder_id IN (SELECT group_id FROM group_members WHERE user_id = $1)
     ORDER BY 1, 3, 2";

pub(crate) const MANAGED: &str = "
    SELECT p.name AS name, v.document AS document
      FROM policies p
      JOIN policy_versions v ON v.policy_id = p.id AND v.version = p.default_version
     WHERE p.arn = $1";

pub(crate) const TAGS: &str = "
    SELECT shown_key, value
      FROM principal_tags
     WHERE holder_id = $1
     ORDER BY tag_key";

const PUT_INLINE: &str = "
    INSERT INTO inline_policies (holder_id, name, document)
    VALUES ($1, $2, $3)
        ON CONFLICT (holder_id, name) DO UPDATE
       SET document = excluded.document";

const DELETE_INLINE: &str = "
    DELETE FROM inline_policies
     WHERE holder_id = $1
       AND name = $2";

pub(crate) const ATTACH: &str = "
    INSERT INTO attachments (holder_id, policy_arn, attached)
    VALUES ($1, $2, $3)
        ON CONFLICT (holder_id, policy_arn) DO NOTHING";

const DETACH: &str = "
    DELETE FROM attachments
     WHERE holder_id = $1
       AND policy_arn = $2";

impl Iam {
    /// Stores an inline policy of a user, group or role, over one of the same name. The text was validated before;
    /// one that does not read is refused all the same ([`Error::Damaged`]).
    pub async fn put_inline_policy(
        &self,
        holder_id: &str,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        self.compile(None, name, document)?;
        let values: [Value; 3] = [holder_id.into(), name.into(), document.into()];
        self.write(move |tx| tx.execute(PUT_INLINE, &values))
            .await?;
        Ok(())
    }

    /// Removes an inline policy. Errors: [`Error::NotFound`].
    pub async fn delete_inline_policy(&self, holder_id: &str, name: &str) -> Result<(), Error> {
        let values: [Value; 2] = [holder_id.into(), name.into()];
        match self
            .write(move |tx| tx.execute(DELETE_INLINE, &values))
            .await?
        {
            0 => Err(Error::NotFound {
                kind: "inline policy",
                name: name.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Attaches a managed policy to a user, group or role; a second time changes nothing. Errors: [`Error::NotFound`].
    pub async fn attach_policy(&self, holder_id: &str, arn: &str) -> Result<(), Error> {
        self.managed_policy(arn)
            .await?
            .ok_or_else(|| Error::NotFound {
                kind: "policy",
                name: arn.to_owned(),
            })?;
        let values: [Value; 3] = [
            holder_id.into(),
            arn.into(),
            self.clock().now().millis().into(),
        ];
        self.write(move |tx| tx.execute(ATTACH, &values)).await?;
        Ok(())
    }

    /// Takes a managed policy away. Errors: [`Error::NotFound`] when it was not attached.
    pub async fn detach_policy(&self, holder_id: &str, arn: &str) -> Result<(), Error> {
        let values: [Value; 2] = [holder_id.into(), arn.into()];
        match self.write(move |tx| tx.execute(DETACH, &values)).await? {
            0 => Err(Error::NotFound {
                kind: "attached policy",
                name: arn.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Everything that is attached to a holder, written into it, or comes to it from its groups.
    pub(crate) async fn policies_of(&self, holder_id: &str) -> Result<Set, Error> {
        let mut set = Vec::new();
        for row in self
            .database()
            .rows(OF_HOLDER, vec![holder_id.into()])
            .await?
        {
            let (arn, name, document) = (
                row.opt_text("arn")?,
                row.opt_text("name")?,
                row.opt_text("document")?,
            );
            match (arn, name, document) {
                (arn, Some(name), Some(document)) => {
                    set.push(self.compile(arn.as_deref(), &name, &document)?);
                }
                // Not one of ours: it is AWS's, or it is gone and grants nothing.
                (Some(arn), _, _) => set.extend(self.managed_by_aws(&arn)?),
                (None, _, _) => {}
            }
        }
        Ok(Set(set))
    }

    /// The policy that limits a user or role; one that allows nothing when it is gone.
    pub(crate) async fn boundary(&self, arn: &str) -> Result<Arc<Policy>, Error> {
        match self.managed_policy(arn).await? {
            Some(policy) => Ok(policy),
            None => self.compile(Some(arn), "gone", NOTHING),
        }
    }

    /// The policies that limit a session; those that are gone are left out, and no policy at all allows nothing.
    pub(crate) async fn session_set(&self, policies: &SessionPolicies) -> Result<Set, Error> {
        let mut set = Vec::new();
        for arn in &policies.managed {
            set.extend(self.managed_policy(arn).await?);
        }
        if let Some(text) = &policies.inline {
            set.push(self.compile(None, "session", text)?);
        }
        Ok(Set(set))
    }

    /// The tags of whatever has this unique id.
    pub(crate) async fn principal_tags(
        &self,
        holder_id: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let rows = self.database().rows(TAGS, vec![holder_id.into()]).await?;
        let tags = rows
            .iter()
            .map(|row| Ok((row.text("shown_key")?, row.text("value")?)));
        Ok(tags.collect::<Result<_, store::Error>>()?)
    }

    async fn managed_policy(&self, arn: &str) -> Result<Option<Arc<Policy>>, Error> {
        if let Some(policy) = self.managed_by_aws(arn)? {
            return Ok(Some(policy));
        }
        let rows = self.database().rows(MANAGED, vec![arn.into()]).await?;
        rows.first()
            .map(|row| self.compile(Some(arn), row.as_str("name")?, row.as_str("document")?))
            .transpose()
    }

    /// One of those that are part of the program.
    fn managed_by_aws(&self, arn: &str) -> Result<Option<Arc<Policy>>, Error> {
        let name = arn.strip_prefix(OWNED_BY_AWS);
        let found = policy::managed()
            .iter()
            .find(|managed| name == Some(managed.name));
        found
            .map(|managed| self.compile(Some(arn), managed.name, managed.document))
            .transpose()
    }

    fn compile(&self, arn: Option<&str>, name: &str, text: &str) -> Result<Arc<Policy>, Error> {
        let key = (arn.map(str::to_owned), name.to_owned(), text.to_owned());
        if let Some(policy) = self.compiled().get(&key) {
            return Ok(policy);
        }
        let source = PolicySource {
            name: key.1.clone(),
            arn: key.0.clone(),
        };
        let policy =
            Policy::parse(text, source).map_err(|error| Error::damaged("policy", error))?;
        let policy = Arc::new(policy);
        self.compiled().insert(key, Arc::clone(&policy));
        Ok(policy)
    }
}
