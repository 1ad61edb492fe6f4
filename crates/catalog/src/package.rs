//! Packages and their versions, as one repository records them.

use std::sync::Arc;

use aws::Timestamp;
use serde::{Deserialize, Serialize};

use crate::asset::{Asset, AssetRecord};
use crate::change::read_package_id;
use crate::error::Kind;
use crate::format::{Format, Manifest};
use crate::names::{AssetName, ConnectionName, FormatName, PackageId, RepositoryName, Version};
use crate::page::Page;
use crate::permit::Permit;
use crate::publish::Publication;
use crate::record::{self, PackageRow};
use crate::repository::{PackageFilter, Repository, length};
use crate::{Catalog, Error, Result};

/// Which package of which repository. It need not exist.
#[derive(Debug, Clone)]
pub struct PackageAt {
    /// The repository.
    pub repository: Arc<Repository>,
    /// The package.
    pub id: PackageId,
}

/// May versions come this way?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Restriction {
    /// They may.
    Allow,
    /// They may not.
    Block,
}

/// How versions of a package may enter one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restrictions {
    /// By a client that publishes.
    pub publish: Restriction,
    /// From an upstream repository or a public registry.
    pub upstream: Restriction,
}

/// A package as one repository records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub id: PackageId,
    /// Its origin controls.
    pub restrictions: Restrictions,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Listed and served.
    Published,
    /// Being uploaded: neither listed to clients nor served.
    Unfinished,
    /// Served, not listed to clients.
    Unlisted,
    /// Neither listed to clients nor served; the bytes stay.
    Archived,
    /// The bytes are gone.
    Disposed,
}

/// How a version entered its domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OriginType {
    /// Published by a client.
    Internal,
    /// Taken from a public registry.
    External,
    /// Not recorded.
    Unknown,
}

/// How and where a version entered its domain; it follows the version through retention and copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Which way.
    pub origin_type: OriginType,
    /// The repository it was published to.
    pub repository: Option<RepositoryName>,
    /// The connection it came through.
    pub connection: Option<ConnectionName>,
}

/// A version as one repository records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// Which version.
    pub version: Version,
    /// Its state.
    pub status: Status,
    /// Identifies the exact set of assets and metadata: 44 characters of base64.
    pub revision: String,
    /// How it entered the domain.
    pub origin: Origin,
    /// When this record was made.
    pub published: Timestamp,
    /// When the registry it came from says that it was published there.
    pub published_upstream: Option<Timestamp>,
}

/// Which versions are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct VersionFilter {
    /// In this state only.
    pub status: Option<Status>,
    /// Of this origin only.
    pub origin: Option<OriginType>,
    /// Newest first instead of by version text.
    pub newest_first: bool,
}

/// Between two places of the key, so that a page costs what is in it and not what comes before it.
const LIST: &str = "
    SELECT id, format, namespace, name, publish, upstream, edited
      FROM packages
     WHERE repository_id = $1
       AND (format, namespace, name) > ($2, $3, $4)
       AND (format, namespace) <= ($5, $6)
       AND SUBSTR(namespace, 1, CAST(CAST($7 AS BIGINT) AS INTEGER)) = $8
       AND SUBSTR(name, 1, CAST(CAST($9 AS BIGINT) AS INTEGER)) = $10
       AND ($11 = '' OR publish = $11)
       AND ($12 = '' OR upstream = $12)
     ORDER BY format, namespace, name
     LIMIT $13";

/// Greater than the name of any format.
const AFTER_FORMATS: &str = "~";

const VERSIONS_BY_NAME: &str = "
    SELECT version, status, revision, origin_type, origin_repository, origin_connection, published, published_upstream
      FROM versions
     WHERE package_id = $1
       AND ($2 = '' OR status = $2)
       AND ($3 = '' OR origin_type = $3)
       AND version > $4
     ORDER BY version
     LIMIT $5";

const VERSIONS_BY_TIME: &str = "
    SELECT version, status, revision, origin_type, origin_repository, origin_connection, published, published_upstream
      FROM versions
     WHERE package_id = $1
       AND ($2 = '' OR status = $2)
       AND ($3 = '' OR origin_type = $3)
       AND (published, version) < ($4, $5)
     ORDER BY published DESC, version DESC
     LIMIT $6";

const NEWEST_PUBLISHED: &str = "
    SELECT version
      FROM versions
     WHERE package_id = $1
       AND status = 'Published'
     ORDER BY published DESC, version DESC
     LIMIT 1";

const LABELLED_PUBLISHED: &str = "
    SELECT versions.version
      FROM labels
      JOIN versions ON versions.package_id = labels.package_id AND versions.version = labels.version
     WHERE labels.package_id = $1
       AND labels.label = $2
       AND versions.status = 'Published'";

const RECORD: &str = "
    SELECT id, version, status, revision, origin_type, origin_repository, origin_connection, published, published_upstream
      FROM versions
     WHERE package_id = $1
       AND version = $2";

/// With what it says of itself.
const DESCRIBED: &str = "
    SELECT version, status, revision, origin_type, origin_repository, origin_connection, published, published_upstream,
           manifest
      FROM versions
     WHERE package_id = $1
       AND version = $2";

impl Permit<Repository> {
    /// Packages recorded in this repository itself, by format, namespace and name.
    pub async fn packages(
        &self,
        filter: &PackageFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Package>> {
        self.catalog
            .packages_recorded(self, filter, after, limit)
            .await
    }
}

impl Catalog {
    /// As [`Permit::packages`], for those who have no caller.
    pub(crate) async fn packages_recorded(
        &self,
        repository: &Repository,
        filter: &PackageFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Package>> {
        let only = |text: Option<&str>| text.unwrap_or("").to_owned();
        let (namespace_prefix, name_prefix) = (
            only(filter.namespace_prefix.as_deref()),
            only(filter.name_prefix.as_deref()),
        );
        let format = filter.format.as_ref().map(FormatName::as_str);
        let mut place = after.unwrap_or("").splitn(3, '/');
        let mut next = |start: &str| {
            place
                .next()
                .filter(|_| after.is_some())
                .unwrap_or(start)
                .to_owned()
        };
        // No name is empty, so the first place before a namespace is that namespace with none.
        let start = match format {
            Some(format) => [next(format), next(&namespace_prefix), next("")],
            None => [next(""), next(""), next("")],
        };
        let end = match format {
            Some(format) => (format, format!("{namespace_prefix}{}", char::MAX)),
            None => (AFTER_FORMATS, String::new()),
        };
        let [start_format, start_namespace, start_name] = start;
        let values = vec![
            (&*repository.id).into(),
            start_format.into(),
            start_namespace.into(),
            start_name.into(),
            end.0.into(),
            end.1.into(),
            length(&namespace_prefix).into(),
            namespace_prefix.into(),
            length(&name_prefix).into(),
            name_prefix.into(),
            only(filter.publish.map(Restriction::as_str)).into(),
            only(filter.upstream.map(Restriction::as_str)).into(),
            (i64::from(limit) + 1).into(),
        ];
        let rows = self.0.database.rows(LIST, values).await?;
        let packages = rows
            .iter()
            .map(|row| {
                Ok(Package {
                    id: read_package_id(row)?,
                    restrictions: record::read_package(row)?.restrictions,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(packages, limit, |package| {
            let id = &package.id;
            format!("{}/{}/{}", id.format, id.namespace_text(), id.name)
        }))
    }
}

impl Permit<PackageAt> {
    /// The package's record. Errors: `NotFound`.
    pub async fn describe(&self) -> Result<Package> {
        Ok(Package {
            id: self.id.clone(),
            restrictions: self.row().await?.restrictions,
        })
    }

    /// Its versions. Errors: `NotFound` (package).
    pub async fn versions(
        &self,
        filter: VersionFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<VersionRecord>> {
        let package = self.row().await?;
        let mut values: Vec<store::Value> = vec![
            package.id.into(),
            filter.status.map_or("", Status::as_str).into(),
            filter.origin.map_or("", OriginType::as_str).into(),
        ];
        let sql = if filter.newest_first {
            let place = after.and_then(|after| after.split_once('/'));
            let (time, version) = place.unwrap_or(("", ""));
            values.push(time.parse().unwrap_or(i64::MAX).into());
            values.push(version.into());
            VERSIONS_BY_TIME
        } else {
            values.push(after.unwrap_or("").into());
            VERSIONS_BY_NAME
        };
        values.push((i64::from(limit) + 1).into());
        let rows = self.catalog.0.database.rows(sql, values).await?;
        let versions = rows
            .iter()
            .map(record::read_record)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(versions, limit, |version| {
            if filter.newest_first {
                format!("{}/{}", version.published.millis(), version.version)
            } else {
                version.version.to_string()
            }
        }))
    }

    /// The version a person would want to see: the one that its format has a label for, else the most recently published
    /// one.
    pub async fn default_display_version(&self) -> Result<Option<Version>> {
        let package = self.row().await?;
        let database = &self.catalog.0.database;
        let format = self.catalog.0.formats.named(self.id.format.as_str());
        if let Some(label) = format.and_then(Format::display_label) {
            let values = vec![package.id.as_str().into(), label.into()];
            let rows = database.rows(LABELLED_PUBLISHED, values).await?;
            if let Some(row) = rows.first() {
                return Ok(Some(row.parse("version")?));
            }
        }
        let rows = database
            .rows(NEWEST_PUBLISHED, vec![package.id.into()])
            .await?;
        Ok(rows.first().map(|row| row.parse("version")).transpose()?)
    }

    /// One version and what it says of itself. Errors: `NotFound` (package, version).
    pub async fn version(&self, version: &Version) -> Result<(VersionRecord, Manifest)> {
        let row = self.version_row(DESCRIBED, version).await?;
        let manifest = serde_json::from_str(row.as_str("manifest")?).map_err(Error::internal)?;
        Ok((record::read_record(&row)?, manifest))
    }

    /// The files of a version, by name. Errors: `NotFound`.
    pub async fn assets(
        &self,
        version: &Version,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(VersionRecord, Page<AssetRecord>)> {
        let row = self.version_row(RECORD, version).await?;
        let found = record::read_record(&row)?;
        let id = self.id.version(version.clone());
        let rows = self
            .catalog
            .0
            .database
            .rows(record::ASSETS, vec![row.as_str("id")?.into()])
            .await?;
        let mut assets = rows
            .iter()
            .map(|row| Ok(record::read_asset(row)?.record))
            .collect::<Result<Vec<_>>>()?;
        assets.extend(self.catalog.derived(&id, &found).map(|(record, _)| record));
        assets.sort_by(|a, b| a.name.cmp(&b.name));
        assets.retain(|asset| after.is_none_or(|after| asset.name.as_str() > after));
        assets.truncate(limit as usize + 1);
        Ok((
            found,
            Page::cut(assets, limit, |asset| asset.name.to_string()),
        ))
    }

    /// Opens a file of a version recorded in this very repository. Errors: `NotFound`, `Held`, `Conflict` when
    /// `revision` is given and not the current one.
    pub async fn asset(
        &self,
        version: &Version,
        name: &AssetName,
        revision: Option<&str>,
    ) -> Result<(VersionRecord, Asset)> {
        let record = record::read_record(&self.version_row(RECORD, version).await?)?;
        let id = self.id.version(version.clone());
        if revision.is_some_and(|revision| revision != record.revision) {
            return Err(Error::conflict(
                Kind::PackageVersion,
                version.as_str(),
                format!(
                    "the revision of {id} is {}, not the one asked for",
                    record.revision
                ),
            ));
        }
        let asset = self
            .catalog
            .open_recorded(&self.repository, &id.asset(name.clone()))
            .await?;
        let asset = asset.ok_or_else(|| {
            Error::not_found(
                Kind::Asset,
                name.as_str(),
                format!(
                    "Asset not found. Asset '{name}' does not exist in package version {version}"
                ),
            )
        })?;
        Ok((record, asset))
    }

    /// Begins to publish `version`; everything that can be refused before the first byte is. See
    /// [`crate::OpenRepository::publish`].
    pub async fn publish(&self, version: &Version) -> Result<Publication> {
        Publication::begin(self, self.id.version(version.clone())).await
    }

    async fn row(&self) -> Result<PackageRow> {
        let row = self.catalog.recorded_package(&self.repository, &self.id);
        row.await?
            .ok_or_else(|| no_package(&self.repository, &self.id))
    }

    async fn version_row(&self, sql: &'static str, version: &Version) -> Result<store::Row> {
        let package = self.row().await?;
        let rows = self
            .catalog
            .0
            .database
            .rows(sql, vec![package.id.into(), version.as_str().into()])
            .await?;
        rows.into_iter().next().ok_or_else(|| {
            Error::not_found(
                Kind::PackageVersion,
                version.as_str(),
                format!(
                    "Package version not found. Package version {version} of {} does not exist in repository '{}'",
                    self.id, self.repository.name
                ),
            )
        })
    }
}

/// What is said of a package that is not there, in the words of the AWS guide.
pub(crate) fn no_package(repository: &Repository, id: &PackageId) -> Error {
    let namespace = id.namespace.as_ref().map_or(String::new(), |namespace| {
        format!("namespace={namespace}, ")
    });
    Error::not_found(
        Kind::Package,
        id.to_string(),
        format!(
            "Package not found in repository. RepoId: {}, Package = PackageCoordinate{{packageType={}, {namespace}packageName={}}},",
            repository.id, id.format, id.name
        ),
    )
}

macro_rules! spelled {
    ($type:ident { $($variant:ident = $text:literal,)* }) => {
        impl $type {
            /// Every spelling, in the order of the API.
            pub const SPELLINGS: &'static [&'static str] = &[$($text,)*];

            /// As the API spells it.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownSpelling;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownSpelling> {
                match text { $($text => Ok($type::$variant),)* _ => Err($crate::UnknownSpelling) }
            }
        }
    };
}
pub(crate) use spelled;

/// Not one of the values of the enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known values")]
pub struct UnknownSpelling;

spelled!(Restriction { Allow = "ALLOW", Block = "BLOCK", });
spelled!(Status {
    Published = "Published",
    Unfinished = "Unfinished",
    Unlisted = "Unlisted",
    Archived = "Archived",
    Disposed = "Disposed",
});
spelled!(OriginType { Internal = "INTERNAL", External = "EXTERNAL", Unknown = "UNKNOWN", });

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A page costs what is in it, however many packages come before or after.
    #[tokio::test]
    async fn packages_are_read_from_their_index_between_two_places() {
        let address = "sqlite::memory:".parse().unwrap();
        let database = store::Database::open(&address).await.unwrap();
        for (set, migrations) in [("catalog", crate::MIGRATIONS), ("names", crate::NAMES)] {
            database.migrate(set, migrations).await.unwrap();
        }
        // A statement is a text of the program; this one lives as long as the test.
        let sql: &'static str = format!("EXPLAIN QUERY PLAN {LIST}").leak();
        let mut values: Vec<store::Value> = ["r", "npm", "", "a", "npm", "z"]
            .map(store::Value::from)
            .into();
        for prefix in ["", ""] {
            values.extend([0.into(), prefix.into()]);
        }
        values.extend(["".into(), "".into(), 10.into()]);
        let rows = database.rows(sql, values).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
        let between =
            "(repository_id=? AND (format,namespace,name)>(?,?,?) AND (format,namespace)<(?,?))";
        assert!(plan.len() == 1 && plan[0].ends_with(between), "{plan:#?}");
    }
}
