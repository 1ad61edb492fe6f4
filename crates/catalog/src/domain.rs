//! Domains: what holds repositories and shares their bytes.

use std::collections::HashMap;
use std::sync::Arc;

use aws::{AccountId, Timestamp};
use iam::{Caller, RequestTags, ResourcePolicy};
use store::{Row, Tx};

use crate::action::Action;
use crate::error::Kind;
use crate::ids::{new_id, new_number};
use crate::names::DomainName;
use crate::page::Page;
use crate::permit::{Permit, Subject};
use crate::shelf::{DomainMap, domain_topic};
use crate::{Catalog, Error, Result, repository, tags};

/// Which domain: its owner and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainAt {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its name.
    pub name: DomainName,
}

/// A domain as it is stored.
#[derive(Debug, Clone)]
pub struct Domain {
    pub(crate) id: Arc<str>,
    /// Its ARN.
    pub arn: String,
    /// The number that tokens carry; never used again after the domain is gone.
    pub number: u64,
    /// The account that owns it.
    pub owner: AccountId,
    /// Its name.
    pub name: DomainName,
    /// The ARN of the key its creator asked for, or of the account's own.
    pub encryption_key: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its tags, in key order.
    pub tags: Vec<(String, String)>,
    /// Its permissions policy.
    pub policy: Option<ResourcePolicy>,
}

impl Domain {
    /// Where it is.
    pub fn at(&self) -> DomainAt {
        DomainAt {
            owner: self.owner,
            name: self.name.clone(),
        }
    }
}

/// What is counted, not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainFigures {
    /// Repositories in it now.
    pub repository_count: u64,
    /// Bytes of the distinct assets stored in it.
    pub asset_size_bytes: u64,
}

const FIND: &str = "
    SELECT id, number, owner, name, encryption_key, created, tags, policy
      FROM domains
     WHERE owner = $1
       AND name = $2";

const LIST: &str = "
    SELECT id, number, owner, name, encryption_key, created, tags, policy
      FROM domains
     WHERE owner = $1
       AND name > $2
     ORDER BY name
     LIMIT $3";

const COUNT: &str = "
    SELECT COUNT(*) AS domains
      FROM domains
     WHERE owner = $1";

const INSERT: &str = "
    INSERT INTO domains (id, number, owner, name, encryption_key, created, tags)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (owner, name) DO NOTHING";

const DELETE: &str = "
    DELETE FROM domains
     WHERE id = $1";

/// Blobs of a domain that has no repositories: nothing refers to them, and the sweep removes bytes that have no row.
const DELETE_BLOBS: &str = "
    DELETE FROM blobs
     WHERE domain_id = $1";

const FIGURES: &str = "
    SELECT (SELECT COUNT(*) FROM repositories WHERE domain_id = $1) AS repositories,
           (SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT)
              FROM blobs
             WHERE domain_id = $1
               AND EXISTS (SELECT 1 FROM assets WHERE assets.blob_id = blobs.id)) AS size_bytes";

impl Catalog {
    /// Creates a domain owned by the caller's account. `encryption_key` is a key ARN.
    ///
    /// Errors: `Denied`, `Conflict` (also when it is the same in every way), `Quota`, `Invalid` (tags).
    pub async fn create_domain(
        &self,
        caller: &Caller,
        name: &DomainName,
        encryption_key: String,
        tags: Vec<(String, String)>,
    ) -> Result<Domain> {
        let tags = tags::checked(
            tags,
            self.0.limits.tags_per_resource,
            Kind::Domain,
            name.as_str(),
        )?;
        let at = DomainAt {
            owner: *caller.account(),
            name: name.clone(),
        };
        let arn = self.domain_arn(&at);
        let asked = || Subject {
            resources: &[],
            owner: &at.owner,
            domain: None,
            repository: None,
            group: None,
            request_tags: Some(RequestTags::Put(&tags)),
        };
        self.authorize(
            caller,
            Action::CreateDomain,
            Subject {
                resources: &[&arn],
                ..asked()
            },
        )
        .await?;
        if !tags.is_empty() {
            self.authorize(
                caller,
                Action::TagResource,
                Subject {
                    resources: &[&arn],
                    ..asked()
                },
            )
            .await?;
        }
        let now = self.now();
        let domain = Domain {
            id: new_id(now)?.into(),
            arn,
            number: new_number()?,
            owner: at.owner,
            name: name.clone(),
            encryption_key,
            created: now,
            tags,
            policy: None,
        };
        let limit = u64::from(self.0.limits.domains_per_account);
        let row = domain.clone();
        let tags = serde_json::to_string(&row.tags).map_err(Error::internal)?;
        self.0
            .database
            .write(move |tx| {
                let inserted = tx.execute(
                    INSERT,
                    &[
                        (&*row.id).into(),
                        row.number.into(),
                        row.owner.as_str().into(),
                        row.name.as_str().into(),
                        row.encryption_key.as_str().into(),
                        row.created.millis().into(),
                        tags.as_str().into(),
                    ],
                )?;
                if inserted == 0 {
                    return Err(Error::conflict(
                        Kind::Domain,
                        row.name.as_str(),
                        format!(
                            "Domain already exists. Domain '{}' owned by account '{}' already exists",
                            row.name,
                            row.owner.as_str()
                        ),
                    ));
                }
                if count(tx, &row.owner)? > limit {
                    return Err(Error::Quota {
                        kind: Kind::Domain,
                        id: row.name.to_string(),
                        message: format!("an account may have at most {limit} domains"),
                    });
                }
                tx.touch(&domain_topic(&row.at()));
                Ok(())
            })
            .await?;
        Ok(domain)
    }

    /// Domains owned by the caller's account, by name.
    pub async fn list_domains(
        &self,
        caller: &Caller,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Domain>> {
        let owner = caller.account();
        let subject = Subject {
            resources: &["*"],
            owner,
            domain: None,
            repository: None,
            group: None,
            request_tags: None,
        };
        self.authorize(caller, Action::ListDomains, subject).await?;
        let values = vec![
            owner.as_str().into(),
            after.unwrap_or("").into(),
            (i64::from(limit) + 1).into(),
        ];
        let rows = self.0.database.rows(LIST, values).await?;
        let domains = rows
            .iter()
            .map(|row| self.read_domain(row))
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(domains, limit, |domain| domain.name.to_string()))
    }

    /// Deletes a domain that has no repositories; `None` if there is none of the name. Errors: `Denied`, `Conflict`.
    pub async fn delete_domain(
        &self,
        caller: &Caller,
        at: &DomainAt,
    ) -> Result<Option<(Domain, DomainFigures)>> {
        let domain = match self.domain(caller, Action::DeleteDomain, at).await {
            Ok(domain) => domain,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let gone = Arc::clone(&domain.thing);
        let figures = self
            .0
            .database
            .write(move |tx| {
                let figures = figures(&tx.rows(FIGURES, &[(&*gone.id).into()])?)?;
                if figures.repository_count > 0 {
                    return Err(Error::conflict(
                        Kind::Domain,
                        gone.name.as_str(),
                        "Domain must contain 0 repositories before deletion",
                    ));
                }
                tx.execute(DELETE_BLOBS, &[(&*gone.id).into()])?;
                tx.execute(DELETE, &[(&*gone.id).into()])?;
                tx.touch(&domain_topic(&gone.at()));
                Ok(figures)
            })
            .await?;
        Ok(Some(((*domain.thing).clone(), figures)))
    }

    /// A domain with its repositories and package groups: from the shelf, or read.
    pub(crate) async fn find_domain(&self, at: &DomainAt) -> Result<Option<Arc<DomainMap>>> {
        let stamp = self.0.shelf.stamp(&domain_topic(at));
        if let Some(map) = self.0.shelf.domain(at, stamp) {
            return Ok(Some(map));
        }
        let rows = self
            .0
            .database
            .rows(
                FIND,
                vec![at.owner.as_str().into(), at.name.as_str().into()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let domain = Arc::new(self.read_domain(row)?);
        let repositories = self.read_repositories(&domain).await?;
        let repositories: HashMap<_, _> = repositories
            .into_iter()
            .map(|repository| (repository.name.clone(), Arc::new(repository)))
            .collect();
        let groups = self.read_groups(&domain).await?;
        let map = Arc::new(DomainMap {
            domain,
            repositories,
            groups,
        });
        self.0.shelf.put_domain(at, stamp, &map);
        Ok(Some(map))
    }

    fn read_domain(&self, row: &Row) -> Result<Domain> {
        let at = DomainAt {
            owner: row.parse("owner")?,
            name: row.parse("name")?,
        };
        Ok(Domain {
            id: row.text("id")?.into(),
            arn: self.domain_arn(&at),
            number: row.size("number")?,
            owner: at.owner,
            name: at.name,
            encryption_key: row.text("encryption_key")?,
            created: Timestamp::from_millis(row.int("created")?),
            tags: read_tags(row)?,
            policy: repository::read_policy(row)?,
        })
    }
}

impl Permit<Domain> {
    /// Its counts.
    pub async fn figures(&self) -> Result<DomainFigures> {
        figures(
            &self
                .catalog
                .0
                .database
                .rows(FIGURES, vec![(&*self.id).into()])
                .await?,
        )
    }
}

pub(crate) fn read_tags(row: &Row) -> Result<Vec<(String, String)>> {
    serde_json::from_str(row.as_str("tags")?).map_err(Error::internal)
}

fn figures(rows: &[Row]) -> Result<DomainFigures> {
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(DomainFigures {
        repository_count: row.size("repositories")?,
        asset_size_bytes: row.size("size_bytes")?,
    })
}

fn count(tx: &mut Tx<'_>, owner: &AccountId) -> Result<u64> {
    let rows = tx.rows(COUNT, &[owner.as_str().into()])?;
    rows.first().map_or(Ok(0), |row| Ok(row.size("domains")?))
}
