//! Policies as they are asked: those of principals and of their groups, attached and inline, compiled once.

use std::sync::Arc;

use moka::sync::Cache;

use crate::managed_policies::shipped;
use crate::policy::{Policy, PolicySource};
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

impl Iam {
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

    /// The managed policy of this ARN, at its default version, whosever it is.
    pub(crate) async fn managed_policy(&self, arn: &str) -> Result<Option<Arc<Policy>>, Error> {
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
        shipped(arn)
            .map(|managed| self.compile(Some(arn), managed.name, managed.document))
            .transpose()
    }

    pub(crate) fn compile(
        &self,
        arn: Option<&str>,
        name: &str,
        text: &str,
    ) -> Result<Arc<Policy>, Error> {
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
