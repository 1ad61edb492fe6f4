//! Repositories: where packages are looked for, and what is asked next.

use std::collections::HashMap;
use std::sync::Arc;

use aws::{AccountId, Timestamp};
use iam::{Caller, ResourcePolicy};
use store::{Row, Tx};

use crate::action::Action;
use crate::domain::{Domain, DomainAt, read_tags};
use crate::error::Kind;
use crate::ids::new_id;
use crate::names::{ConnectionName, FormatName, RepositoryName};
use crate::package::Restriction;
use crate::page::Page;
use crate::permit::{Permit, Subject, no_domain, no_repository};
use crate::shelf::{domain_topic, packages_topic};
use crate::{Catalog, Error, Result, tags, versions};

/// Which repository: its domain and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryAt {
    /// The domain it is in.
    pub domain: DomainAt,
    /// Its name.
    pub name: RepositoryName,
}

/// A repository as it is stored.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) id: Arc<str>,
    /// What a transaction touches when it changes packages here.
    pub(crate) topic: Arc<str>,
    /// Its ARN.
    pub arn: String,
    /// The domain it is in.
    pub domain: Arc<Domain>,
    /// Its name.
    pub name: RepositoryName,
    /// The account whose caller created it.
    pub administrator: AccountId,
    /// What it is for; `None` when never set.
    pub description: Option<String>,
    /// Its direct upstream repositories, first asked first.
    pub upstreams: Vec<RepositoryName>,
    /// Its connection to a public registry. Never together with upstreams.
    pub connection: Option<ConnectionName>,
    /// When it was created.
    pub created: Timestamp,
    /// Its tags, in key order.
    pub tags: Vec<(String, String)>,
    /// Its permissions policy.
    pub policy: Option<ResourcePolicy>,
}

impl Repository {
    /// Where it is.
    pub fn at(&self) -> RepositoryAt {
        RepositoryAt {
            domain: self.domain.at(),
            name: self.name.clone(),
        }
    }
}

/// What a new repository should be.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Its name.
    pub name: RepositoryName,
    /// What it is for; an empty text is none.
    pub description: Option<String>,
    /// Its direct upstream repositories, first asked first.
    pub upstreams: Vec<RepositoryName>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What of a repository should change. `None` leaves a member as it is.
#[derive(Debug, Clone, Default)]
pub struct RepositoryChange {
    /// The description; an empty one clears it.
    pub description: Option<String>,
    /// The whole list of upstreams.
    pub upstreams: Option<Vec<RepositoryName>>,
}

/// Which packages of a repository are listed.
#[derive(Debug, Clone, Default)]
pub struct PackageFilter {
    /// Of this format only.
    pub format: Option<FormatName>,
    /// Whose namespace starts like this.
    pub namespace_prefix: Option<String>,
    /// Whose name starts like this.
    pub name_prefix: Option<String>,
    /// Whose own publish restriction is this.
    pub publish: Option<Restriction>,
    /// Whose own upstream restriction is this.
    pub upstream: Option<Restriction>,
}

/// Packages that go in one transaction when their repository is deleted.
const PACKAGES_AT_A_TIME: u32 = 100;

const OF_DOMAIN: &str = "
    SELECT id, name, administrator, description, connection, created, tags, policy
      FROM repositories
     WHERE domain_id = $1
     ORDER BY name";

const UPSTREAMS_OF_DOMAIN: &str = "
    SELECT upstreams.repository_id, upstream.name
      FROM upstreams
      JOIN repositories AS upstream ON upstream.id = upstreams.upstream_id
     WHERE upstream.domain_id = $1
     ORDER BY upstreams.repository_id, upstreams.position";

const INSERT: &str = "
    INSERT INTO repositories (id, domain_id, name, administrator, description, created, tags)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (domain_id, name) DO NOTHING";

const COUNT: &str = "
    SELECT COUNT(*) AS repositories
      FROM repositories
     WHERE domain_id = $1";

const DOMAIN_EXISTS: &str = "
    SELECT id
      FROM domains
     WHERE id = $1";

const DELETE: &str = "
    DELETE FROM repositories
     WHERE id = $1";

const DELETE_UPSTREAMS: &str = "
    DELETE FROM upstreams
     WHERE repository_id = $1";

/// Fails to insert when the upstream is not in the domain, because then there is no row to select.
const INSERT_UPSTREAM: &str = "
    INSERT INTO upstreams (repository_id, position, upstream_id)
    SELECT $1, CAST($2 AS BIGINT), id
      FROM repositories
     WHERE domain_id = $3
       AND name = $4";

const SET_DESCRIPTION: &str = "
    UPDATE repositories
       SET description = $2
     WHERE id = $1";

pub(crate) const CONNECTION: &str = "
    SELECT connection
      FROM repositories
     WHERE id = $1";

const ADMINISTERED: &str = "
    SELECT domains.owner, domains.name AS domain_name, repositories.name
      FROM repositories
      JOIN domains ON domains.id = repositories.domain_id
     WHERE repositories.administrator = $1
       AND (domains.owner > $2
            OR (domains.owner = $2 AND domains.name > $3)
            OR (domains.owner = $2 AND domains.name = $3 AND repositories.name > $4))
       AND SUBSTR(repositories.name, 1, CAST(CAST($5 AS BIGINT) AS INTEGER)) = $6
     ORDER BY domains.owner, domains.name, repositories.name
     LIMIT $7";

impl Catalog {
    /// Creates a repository, administered by the caller's account. Errors: `Denied` (also for an upstream the caller
    /// may not use), `NotFound` (domain, upstream), `Conflict`, `Quota`, `Invalid`.
    pub async fn create_repository(
        &self,
        caller: &Caller,
        at: &DomainAt,
        new: NewRepository,
    ) -> Result<Repository> {
        let id = new.name.to_string();
        let tags = tags::checked(
            new.tags,
            self.0.limits.tags_per_resource,
            Kind::Repository,
            &id,
        )?;
        let place = RepositoryAt {
            domain: at.clone(),
            name: new.name.clone(),
        };
        let arn = self.repository_arn(&place);
        let action = Action::CreateRepository;
        let map = self.may_make(caller, action, at, &arn, &tags).await?;
        self.may_use_as_upstreams(caller, &place, &new.upstreams, &[])
            .await?;

        let now = self.now();
        let row_id: Arc<str> = new_id(now)?.into();
        let domain = Arc::clone(&map.domain);
        let description = new.description.filter(|text| !text.is_empty());
        let limit = u64::from(self.0.limits.repositories_per_domain);
        let administrator = *caller.account();
        let tags = serde_json::to_string(&tags).map_err(Error::internal)?;
        self.0
            .database
            .write(move |tx| {
                if tx.rows(DOMAIN_EXISTS, &[(&*domain.id).into()])?.is_empty() {
                    return Err(no_domain(&domain.at()));
                }
                let inserted = tx.execute(
                    INSERT,
                    &[
                        (&*row_id).into(),
                        (&*domain.id).into(),
                        new.name.as_str().into(),
                        administrator.as_str().into(),
                        description.clone().into(),
                        now.millis().into(),
                        tags.as_str().into(),
                    ],
                )?;
                if inserted == 0 {
                    return Err(Error::conflict(
                        Kind::Repository,
                        new.name.as_str(),
                        format!(
                            "Repository already exists. Repository '{}' in domain '{}' owned by account '{}' already exists",
                            new.name,
                            domain.name,
                            domain.owner.as_str()
                        ),
                    ));
                }
                let count = tx.rows(COUNT, &[(&*domain.id).into()])?;
                if count.first().map_or(Ok(0), |row| row.size("repositories"))? > limit {
                    return Err(Error::Quota {
                        kind: Kind::Repository,
                        id: new.name.to_string(),
                        message: format!("a domain may have at most {limit} repositories"),
                    });
                }
                set_upstreams(tx, &domain, &row_id, &new.upstreams)?;
                tx.touch(&domain_topic(&domain.at()));
                Ok(())
            })
            .await?;
        self.read_again(&place).await
    }

    /// Deletes a repository with all that is in it; `None` if there is none of the name.
    ///
    /// Packages go some at a time, so that others can write meanwhile and no transaction takes longer than a database
    /// allows. Whoever is interrupted calls again, and finds the rest.
    pub async fn delete_repository(
        &self,
        caller: &Caller,
        at: &RepositoryAt,
    ) -> Result<Option<Repository>> {
        let repository = match self.repository(caller, Action::DeleteRepository, at).await {
            Ok(repository) => repository,
            Err(Error::NotFound {
                kind: Kind::Repository,
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let gone = Arc::clone(&repository.thing);
        let by = repository.by();
        let database = &self.0.database;
        loop {
            let (gone, by) = (Arc::clone(&gone), by.clone());
            let forget = move |tx: &mut Tx<'_>| {
                versions::forget_packages(tx, &gone, &by, PACKAGES_AT_A_TIME)
            };
            if database.write(forget).await? < PACKAGES_AT_A_TIME as usize {
                break;
            }
        }
        database
            .write(move |tx| {
                // What was published since then: few.
                versions::forget_packages(tx, &gone, &by, u32::MAX)?;
                tx.execute(DELETE, &[(&*gone.id).into()])?;
                tx.touch(&domain_topic(&gone.domain.at()));
                tx.touch(&gone.topic);
                Ok::<_, Error>(())
            })
            .await?;
        Ok(Some((*repository.thing).clone()))
    }

    /// Repositories administered by the caller's account, in any domain, by domain and name.
    pub async fn list_repositories(
        &self,
        caller: &Caller,
        prefix: Option<&RepositoryName>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Repository>> {
        let account = caller.account();
        let subject = Subject {
            resources: &["*"],
            owner: account,
            domain: None,
            repository: None,
            group: None,
            request_tags: None,
        };
        self.authorize(caller, Action::ListRepositories, subject)
            .await?;
        let mut place = after.unwrap_or("").splitn(3, '/');
        let mut next = || place.next().unwrap_or("").to_owned();
        let (owner, domain, name) = (next(), next(), next());
        let prefix = prefix.map_or("", RepositoryName::as_str);
        let values = vec![
            account.as_str().into(),
            owner.into(),
            domain.into(),
            name.into(),
            length(prefix).into(),
            prefix.into(),
            (i64::from(limit) + 1).into(),
        ];
        let rows = self.0.database.rows(ADMINISTERED, values).await?;
        let mut places = Vec::with_capacity(rows.len());
        for row in &rows {
            let domain = DomainAt {
                owner: row.parse("owner")?,
                name: row.parse("domain_name")?,
            };
            let name = row.parse("name")?;
            places.push(RepositoryAt { domain, name });
        }
        let page = Page::cut(places, limit, |RepositoryAt { domain, name }| {
            format!("{}/{}/{name}", domain.owner.as_str(), domain.name)
        });
        let mut found = Vec::with_capacity(page.items.len());
        for at in &page.items {
            found.push(match self.read_again(at).await {
                Ok(repository) => Some(repository),
                // Gone since the list was read: left out.
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error),
            });
        }
        let mut found = found.into_iter();
        Ok(page.filter_map(|_| found.next().flatten()))
    }

    /// All repositories of a domain, by name.
    pub(crate) async fn read_repositories(&self, domain: &Arc<Domain>) -> Result<Vec<Repository>> {
        let database = &self.0.database;
        let mut upstreams: HashMap<String, Vec<RepositoryName>> = HashMap::new();
        for row in database
            .rows(UPSTREAMS_OF_DOMAIN, vec![(&*domain.id).into()])
            .await?
        {
            upstreams
                .entry(row.text("repository_id")?)
                .or_default()
                .push(row.parse("name")?);
        }
        let rows = database.rows(OF_DOMAIN, vec![(&*domain.id).into()]).await?;
        let mut repositories = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.text("id")?;
            let at = RepositoryAt {
                domain: domain.at(),
                name: row.parse("name")?,
            };
            repositories.push(Repository {
                upstreams: upstreams.remove(&id).unwrap_or_default(),
                topic: packages_topic(&id).into(),
                id: id.into(),
                arn: self.repository_arn(&at),
                domain: Arc::clone(domain),
                name: at.name,
                administrator: row.parse("administrator")?,
                description: row.opt_text("description")?,
                connection: row.opt_parse("connection")?,
                created: Timestamp::from_millis(row.int("created")?),
                tags: read_tags(&row)?,
                policy: read_policy(&row)?,
            });
        }
        Ok(repositories)
    }

    /// The repository as it is after a change.
    pub(crate) async fn read_again(&self, at: &RepositoryAt) -> Result<Repository> {
        let map = self
            .find_domain(&at.domain)
            .await?
            .ok_or_else(|| no_domain(&at.domain))?;
        map.repositories
            .get(&at.name)
            .map(|found| (**found).clone())
            .ok_or_else(|| no_repository(at))
    }

    /// Whether a repository may have these upstreams: how many, which, and that the caller may use each of them so that it
    /// did not have `before`.
    async fn may_use_as_upstreams(
        &self,
        caller: &Caller,
        at: &RepositoryAt,
        upstreams: &[RepositoryName],
        before: &[RepositoryName],
    ) -> Result<()> {
        let (name, limit) = (&at.name, self.0.limits.direct_upstreams);
        if upstreams.len() > limit as usize {
            return Err(Error::Quota {
                kind: Kind::Repository,
                id: name.to_string(),
                message: format!(
                    "a repository may have at most {limit} direct upstream repositories"
                ),
            });
        }
        for (place, upstream) in upstreams.iter().enumerate() {
            if upstream == name {
                return Err(Error::Invalid(format!(
                    "repository `{name}` cannot be its own upstream"
                )));
            }
            if upstreams[..place].contains(upstream) {
                return Err(Error::Invalid(format!(
                    "upstream repository `{upstream}` is given twice"
                )));
            }
            if before.contains(upstream) {
                continue;
            }
            let upstream = RepositoryAt {
                domain: at.domain.clone(),
                name: upstream.clone(),
            };
            self.repository(caller, Action::AssociateWithDownstreamRepository, &upstream)
                .await?;
        }
        Ok(())
    }
}

impl Permit<Domain> {
    /// Repositories of the domain, by name.
    pub async fn repositories(
        &self,
        administrator: Option<&AccountId>,
        prefix: Option<&RepositoryName>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Repository>> {
        let map = self
            .catalog
            .find_domain(&self.at())
            .await?
            .ok_or_else(|| no_domain(&self.at()))?;
        let prefix = prefix.map_or("", RepositoryName::as_str);
        let mut found: Vec<&Arc<Repository>> = map
            .repositories
            .values()
            .filter(|repository| {
                administrator.is_none_or(|account| *account == repository.administrator)
            })
            .filter(|repository| repository.name.as_str().starts_with(prefix))
            .filter(|repository| after.is_none_or(|after| repository.name.as_str() > after))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.truncate(limit as usize + 1);
        let found = found
            .into_iter()
            .map(|repository| (**repository).clone())
            .collect();
        Ok(Page::cut(found, limit, |repository| {
            repository.name.to_string()
        }))
    }
}

impl Permit<Repository> {
    /// Changes description or upstreams. Errors: `Invalid` (upstreams beside a connection, doubled, itself), `NotFound`,
    /// `Quota`, `Denied` (an upstream being added).
    pub async fn update(&self, change: RepositoryChange) -> Result<Repository> {
        let place = self.at();
        if let Some(upstreams) = &change.upstreams {
            if let Some(connection) = &self.connection {
                return Err(Error::Invalid(format!(
                    "repository `{}` has the external connection `{connection}`, so it cannot have upstream repositories",
                    self.name
                )));
            }
            self.catalog
                .may_use_as_upstreams(&self.caller, &place, upstreams, &self.upstreams)
                .await?;
        }
        let repository = Arc::clone(&self.thing);
        self.catalog
            .0
            .database
            .write(move |tx| {
                if let Some(description) = &change.description {
                    let description = Some(description.as_str()).filter(|text| !text.is_empty());
                    tx.execute(SET_DESCRIPTION, &[(&*repository.id).into(), description.into()])?;
                }
                if let Some(upstreams) = &change.upstreams {
                    let rows = tx.rows(CONNECTION, &[(&*repository.id).into()])?;
                    if rows.first().is_some_and(|row| matches!(row.opt_text("connection"), Ok(Some(_)))) {
                        return Err(Error::Invalid(format!(
                            "repository `{}` has an external connection, so it cannot have upstream repositories",
                            repository.name
                        )));
                    }
                    tx.execute(DELETE_UPSTREAMS, &[(&*repository.id).into()])?;
                    set_upstreams(tx, &repository.domain, &repository.id, upstreams)?;
                }
                tx.touch(&domain_topic(&repository.domain.at()));
                Ok(())
            })
            .await?;
        self.catalog.read_again(&place).await
    }
}

/// Fails with `NotFound` when a repository that a request began with has been deleted meanwhile.
pub(crate) fn still_there(tx: &mut Tx<'_>, repository: &Repository) -> Result<()> {
    if tx.rows(CONNECTION, &[(&*repository.id).into()])?.is_empty() {
        return Err(no_repository(&repository.at()));
    }
    Ok(())
}

fn set_upstreams(
    tx: &mut Tx<'_>,
    domain: &Domain,
    repository_id: &str,
    upstreams: &[RepositoryName],
) -> Result<()> {
    for (position, upstream) in (0_i64..).zip(upstreams) {
        let values = [
            repository_id.into(),
            position.into(),
            (&*domain.id).into(),
            upstream.as_str().into(),
        ];
        if tx.execute(INSERT_UPSTREAM, &values)? == 0 {
            return Err(no_repository(&RepositoryAt {
                domain: domain.at(),
                name: upstream.clone(),
            }));
        }
    }
    Ok(())
}

/// The compiled permissions policy of a row.
pub(crate) fn read_policy(row: &Row) -> Result<Option<ResourcePolicy>> {
    let text = row.opt_text("policy")?;
    text.map(|text| {
        ResourcePolicy::parse(&text).map_err(|error| Error::internal(error.to_string()))
    })
    .transpose()
}

/// How many characters a prefix has, for `SUBSTR`.
pub(crate) fn length(prefix: &str) -> i64 {
    i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX)
}
