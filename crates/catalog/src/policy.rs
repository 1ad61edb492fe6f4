//! Permissions policies of domains and repositories: stored, replaced under an optimistic lock, removed.
//!
//! The text is kept byte for byte, except that users and roles are kept by their unique ids and shown by their ARNs: whoever
//! takes the name of one who was deleted is not meant by it. What it means is for `iam` to say, which reads it with every
//! question that it has a say in.

use std::sync::Arc;

use aws::AccountId;
use iam::Named;
use iam::policy::{Malformed, PolicyKind, PolicySource, validate};
use store::Tx;

use crate::domain::{Domain, DomainAt};
use crate::error::Kind;
use crate::ids::new_id;
use crate::permit::Permit;
use crate::repository::Repository;
use crate::shelf::domain_topic;
use crate::{Catalog, Error, Result};

/// A permissions policy as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The ARN of the domain or repository it is of.
    pub resource_arn: String,
    /// Another one after every writing, also of the same text.
    pub revision: String,
    /// The document as it was sent; a user or role that was deleted since is named by its id, `AIDA…` or `AROA…`.
    pub document: String,
}

/// What has a policy, and the statements on its table.
struct Holder {
    kind: Kind,
    id: Arc<str>,
    name: String,
    arn: String,
    domain: DomainAt,
    read: &'static str,
    write: &'static str,
}

const OF_DOMAIN: &str = "
    SELECT policy, policy_revision
      FROM domains
     WHERE id = $1";

const OF_REPOSITORY: &str = "
    SELECT policy, policy_revision
      FROM repositories
     WHERE id = $1";

const SET_OF_DOMAIN: &str = "
    UPDATE domains
       SET policy = $2, policy_revision = $3
     WHERE id = $1";

const SET_OF_REPOSITORY: &str = "
    UPDATE repositories
       SET policy = $2, policy_revision = $3
     WHERE id = $1";

impl Permit<Domain> {
    /// Its permissions policy. Errors: `NotFound` (domain) when it has none.
    pub async fn policy(&self) -> Result<StoredPolicy> {
        self.catalog.read_policy(self.holder()).await
    }

    /// Gives it this permissions policy, whatever it had. With `expected` only over the policy of that revision.
    ///
    /// Errors: `Invalid` for what is no policy of a domain, `Conflict` for another revision.
    pub async fn set_policy(&self, document: &str, expected: Option<&str>) -> Result<StoredPolicy> {
        self.catalog
            .set_policy(self.holder(), document, expected)
            .await
    }

    /// Takes its permissions policy away. Errors: `NotFound` when it has none, `Conflict` for another revision.
    pub async fn remove_policy(&self, expected: Option<&str>) -> Result<StoredPolicy> {
        self.catalog.remove_policy(self.holder(), expected).await
    }

    fn holder(&self) -> Holder {
        Holder {
            kind: Kind::Domain,
            id: Arc::clone(&self.id),
            name: self.name.to_string(),
            arn: self.arn.clone(),
            domain: self.at(),
            read: OF_DOMAIN,
            write: SET_OF_DOMAIN,
        }
    }
}

impl Permit<Repository> {
    /// Its permissions policy. Errors: `NotFound` (repository) when it has none.
    pub async fn policy(&self) -> Result<StoredPolicy> {
        self.catalog.read_policy(self.holder()).await
    }

    /// Gives it this permissions policy, whatever it had. With `expected` only over the policy of that revision.
    ///
    /// Errors: `Invalid` for what is no policy of a repository, `Conflict` for another revision.
    pub async fn set_policy(&self, document: &str, expected: Option<&str>) -> Result<StoredPolicy> {
        self.catalog
            .set_policy(self.holder(), document, expected)
            .await
    }

    /// Takes its permissions policy away. Errors: `NotFound` when it has none, `Conflict` for another revision.
    pub async fn remove_policy(&self, expected: Option<&str>) -> Result<StoredPolicy> {
        self.catalog.remove_policy(self.holder(), expected).await
    }

    fn holder(&self) -> Holder {
        Holder {
            kind: Kind::Repository,
            id: Arc::clone(&self.id),
            name: self.name.to_string(),
            arn: self.arn.clone(),
            domain: self.domain.at(),
            read: OF_REPOSITORY,
            write: SET_OF_REPOSITORY,
        }
    }
}

impl Catalog {
    async fn read_policy(&self, holder: Holder) -> Result<StoredPolicy> {
        let rows = self
            .0
            .database
            .rows(holder.read, vec![(&*holder.id).into()])
            .await?;
        let stored = holder.of(&rows)?.ok_or_else(|| holder.without())?;
        self.shown(stored).await
    }

    /// With the ARNs of those who are there in place of their ids.
    async fn shown(&self, stored: StoredPolicy) -> Result<StoredPolicy> {
        let shown = self.0.iam.shown_policy(&stored.document).await;
        Ok(StoredPolicy {
            document: shown.map_err(unavailable)?,
            ..stored
        })
    }

    async fn set_policy(
        &self,
        holder: Holder,
        document: &str,
        expected: Option<&str>,
    ) -> Result<StoredPolicy> {
        let named = self.0.iam.named_in(document).await;
        let stored = check(document, &holder.domain.owner, &named.map_err(unavailable)?)?;
        let (document, expected) = (document.to_owned(), expected.map(str::to_owned));
        let revision = new_id(self.now())?;
        self.0
            .database
            .write(move |tx| {
                let present = holder.present(tx)?;
                holder.expect(present.as_ref(), expected.as_deref())?;
                let values = [
                    (&*holder.id).into(),
                    stored.as_str().into(),
                    revision.as_str().into(),
                ];
                tx.execute(holder.write, &values)?;
                tx.touch(&domain_topic(&holder.domain));
                Ok(StoredPolicy {
                    resource_arn: holder.arn.clone(),
                    revision: revision.clone(),
                    document: document.clone(),
                })
            })
            .await
    }

    async fn remove_policy(&self, holder: Holder, expected: Option<&str>) -> Result<StoredPolicy> {
        let expected = expected.map(str::to_owned);
        let removed = self
            .0
            .database
            .write(move |tx| {
                let present = holder.present(tx)?.ok_or_else(|| holder.without())?;
                holder.expect(Some(&present), expected.as_deref())?;
                let nothing = || store::Value::from(None::<&str>);
                tx.execute(holder.write, &[(&*holder.id).into(), nothing(), nothing()])?;
                tx.touch(&domain_topic(&holder.domain));
                Ok::<_, Error>(present)
            })
            .await?;
        self.shown(removed).await
    }
}

/// Nobody can tell now who is there.
fn unavailable(error: iam::Error) -> Error {
    Error::Unavailable(Box::new(error))
}

/// The text of a policy as it is to be stored. Errors: `Invalid`, in AWS's words, also for a user or role of the owner's
/// account that is not there: a name alone would mean whoever takes it later.
fn check(document: &str, owner: &AccountId, named: &Named) -> Result<String> {
    let invalid = |malformed: Malformed| Error::Invalid(malformed.to_string());
    let kind = PolicyKind::Resource {
        account: owner.as_str(),
        exists: &|name| named.exists(name),
    };
    validate(kind, document, PolicySource::named("resource")).map_err(invalid)?;
    named.stored(document).map_err(invalid)
}

impl Holder {
    fn present(&self, tx: &mut Tx<'_>) -> Result<Option<StoredPolicy>> {
        self.of(&tx.rows(self.read, &[(&*self.id).into()])?)
    }

    fn of(&self, rows: &[store::Row]) -> Result<Option<StoredPolicy>> {
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let parts = (row.opt_text("policy")?, row.opt_text("policy_revision")?);
        let (Some(document), Some(revision)) = parts else {
            return Ok(None);
        };
        Ok(Some(StoredPolicy {
            resource_arn: self.arn.clone(),
            revision,
            document,
        }))
    }

    fn expect(&self, present: Option<&StoredPolicy>, expected: Option<&str>) -> Result<()> {
        let present = present.map(|policy| policy.revision.as_str());
        if expected.is_none() || expected == present {
            return Ok(());
        }
        Err(Error::conflict(
            self.kind,
            self.name.as_str(),
            match present {
                Some(revision) => {
                    format!("the permissions policy has revision {revision}, not the one given")
                }
                None => "there is no permissions policy of the revision given".to_owned(),
            },
        ))
    }

    fn without(&self) -> Error {
        let what = match self.kind {
            Kind::Domain => "Domain",
            _ => "Repository",
        };
        Error::not_found(
            self.kind,
            self.name.as_str(),
            format!(
                "Policy not found. {what} '{}' has no permissions policy",
                self.name
            ),
        )
    }
}
