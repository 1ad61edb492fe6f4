//! Copies of versions from one repository of a domain to another. Only records are copied: bytes belong to the domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::Timestamp;
use iam::Caller;
use store::Tx;

use crate::action::Action;
use crate::change::{By, Novelty};
use crate::names::{PackageId, Version, VersionId};
use crate::package::{Status, VersionRecord, no_package};
use crate::permit::Subject;
use crate::record::{
    self, AssetRow, NO_MANIFEST, NewAsset, NewBytes, Recorded, Recording, VersionRow, Way,
};
use crate::repository::{Repository, RepositoryAt};
use crate::upstream::Order;
use crate::versions::{FailureCode, Outcomes};
use crate::{Catalog, Error, Result, labels};

/// What is to be copied.
#[derive(Debug, Clone)]
pub struct Copying {
    /// From which repository.
    pub source: RepositoryAt,
    /// To which repository of the same domain.
    pub destination: RepositoryAt,
    /// Which package.
    pub package: PackageId,
    /// Which versions; doubled ones count once.
    pub versions: Vec<Version>,
    /// The revision that a version must have in the source.
    pub revisions: BTreeMap<Version, String>,
    /// Whether a different version in the destination is replaced.
    pub allow_overwrite: bool,
    /// Whether versions that only upstream repositories of the source have are copied too.
    pub include_from_upstream: bool,
}

/// A version to be copied, as its repository has it.
struct Found {
    row: VersionRow,
    assets: Vec<AssetRow>,
    /// Names that mean it there.
    labels: Vec<String>,
}

const SET_ORIGIN: &str = "
    UPDATE versions
       SET origin_type = $2, origin_repository = $3, origin_connection = $4, published_upstream = $5
     WHERE id = $1";

impl Catalog {
    /// Copies versions; all or none. Origin controls do not apply: copying is how a version is brought in on purpose.
    ///
    /// Errors: `Denied` (reading the source, copying into repository and package of the destination), `NotFound`
    /// (repository, package), `Invalid` (source and destination are the same).
    pub async fn copy_versions(&self, caller: &Caller, mut copying: Copying) -> Result<Outcomes> {
        if copying.source == copying.destination {
            return Err(Error::Invalid(
                "source and destination repository must differ".to_owned(),
            ));
        }
        let id = copying.package.clone();
        let source = self
            .repository(caller, Action::ReadFromRepository, &copying.source)
            .await?;
        let destination = self
            .package(
                caller,
                Action::CopyPackageVersions,
                &copying.destination,
                &id,
            )
            .await?;
        let subject = Subject {
            resources: &[&destination.repository.arn],
            owner: &copying.destination.domain.owner,
            domain: Some(&destination.repository.domain),
            repository: Some(&destination.repository),
            group: None,
            request_tags: None,
        };
        self.authorize(caller, Action::CopyPackageVersions, subject)
            .await?;
        copying.versions.sort();
        copying.versions.dedup();

        let mut sources = vec![Arc::clone(&source.thing)];
        let format = self.0.formats.named(id.format.as_str());
        if let Some(format) = format.filter(|_| copying.include_from_upstream) {
            let mut order = Order::begin(self, &source.thing, format).await?;
            sources.clear();
            while let Some(repository) = order.step() {
                order.push_upstreams(&repository);
                sources.push(repository);
            }
        }
        let (to, by) = (Arc::clone(&destination.repository), destination.by());
        let assets_per_version = self.0.limits.assets_per_version;
        self.0
            .database
            .write(move |tx| {
                let step = Step {
                    sources: &sources,
                    to: &to,
                    by: &by,
                    copying: &copying,
                    assets_per_version,
                };
                step.run(tx)
            })
            .await
    }
}

struct Step<'a> {
    sources: &'a [Arc<Repository>],
    to: &'a Repository,
    by: &'a By,
    copying: &'a Copying,
    assets_per_version: u32,
}

impl Step<'_> {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Outcomes> {
        let id = &self.copying.package;
        let mut is_somewhere = false;
        for repository in self.sources {
            is_somewhere = is_somewhere || record::package(tx, repository, id)?.is_some();
        }
        if !is_somewhere {
            return Err(no_package(&self.sources[0], id));
        }
        let mut outcomes = Outcomes::default();
        let mut copies = Vec::new();
        for version in &self.copying.versions {
            match self.check(tx, version)? {
                Ok(found) => copies.push((version, found)),
                Err(failure) => {
                    outcomes.failed.insert(version.clone(), failure);
                }
            }
        }
        if !outcomes.failed.is_empty() {
            for (version, _) in copies {
                let message = format!("Version {version} was skipped");
                outcomes
                    .failed
                    .insert(version.clone(), (FailureCode::Skipped, message));
            }
            return Ok(outcomes);
        }
        for (version, found) in copies {
            // One that is the same there already is listed in neither map.
            if let Some(found) = found {
                let result = self.copy(tx, version, found)?;
                outcomes.successful.insert(version.clone(), result);
            }
        }
        Ok(outcomes)
    }

    /// The version to copy; `None` when the destination has the same.
    fn check(
        &self,
        tx: &mut Tx<'_>,
        version: &Version,
    ) -> Result<Result<Option<Found>, (FailureCode, String)>> {
        let id = &self.copying.package;
        let mut found = None;
        for repository in self.sources {
            if let Some(package) = record::package(tx, repository, id)?
                && let Some(row) = record::version(tx, &package, version)?
            {
                let names = labels::of_version(tx, &package, version)?;
                found = Some((row, names));
                break;
            }
        }
        let Some((row, labels)) = found else {
            return Ok(Err((
                FailureCode::NotFound,
                format!("Could not find version {version}"),
            )));
        };
        if let Some(expected) = self.copying.revisions.get(version)
            && *expected != row.record.revision
        {
            let message = format!(
                "current revision: {}, expected revision: {expected}",
                row.record.revision
            );
            return Ok(Err((FailureCode::MismatchedRevision, message)));
        }
        if matches!(row.record.status, Status::Unfinished | Status::Disposed) {
            let message = format!(
                "version {version} is {} and cannot be copied",
                row.record.status
            );
            return Ok(Err((FailureCode::NotAllowed, message)));
        }
        if let Some(package) = record::package(tx, self.to, id)?
            && let Some(there) = record::version(tx, &package, version)?
        {
            if there.record.revision == row.record.revision
                && there.record.status != Status::Disposed
            {
                return Ok(Ok(None));
            }
            if !self.copying.allow_overwrite {
                return Ok(Err((
                    FailureCode::AlreadyExists,
                    format!("Version {version} already exists"),
                )));
            }
        }
        let assets = record::assets(tx, &row)?;
        Ok(Ok(Some(Found {
            row,
            assets,
            labels,
        })))
    }

    fn copy(
        &self,
        tx: &mut Tx<'_>,
        version: &Version,
        found: Found,
    ) -> Result<(String, Option<Status>)> {
        let id: VersionId = self.copying.package.version(version.clone());
        let Found {
            row,
            assets,
            labels,
        } = found;
        let way = Way::Copied(row.record.origin.origin_type);
        let package = record::ensure_package(tx, self.to, self.by, &id.package, way)?;
        if let Some(there) = record::version(tx, &package, version)? {
            clear(tx, there, &row)?;
        }
        let recording = Recording {
            id,
            way,
            origin: row.record.origin.clone(),
            published_upstream: row.record.published_upstream,
            assets: assets
                .into_iter()
                .map(|asset| NewAsset {
                    name: asset.record.name.clone(),
                    modified: asset.record.modified,
                    document: asset.document.clone(),
                    bytes: NewBytes::Shared(asset),
                })
                .collect(),
            manifest: row.manifest()?,
            yields: false,
            document: row.document.clone(),
            labels,
            status: row.record.status,
            open_ended: true,
            assets_per_version: self.assets_per_version,
        };
        let Recorded {
            mut version,
            is_new,
            ..
        } = record::record(tx, self.to, self.by, &recording)?;
        if !is_new {
            // Nothing of it is another, and something that was there is not.
            let (package, novelty) = (&recording.id.package, Novelty::default());
            record::save(tx, self.to, self.by, package, &mut version, &[], novelty)?;
        }
        Ok((version.record.revision, Some(version.record.status)))
    }
}

/// Makes room for another version of the same name, in the state and of the origin of that one. What that one says of
/// itself is recorded with its files, as one change.
fn clear(tx: &mut Tx<'_>, mut there: VersionRow, coming: &VersionRow) -> Result<()> {
    record::delete_assets(tx, &there)?;
    let VersionRecord {
        status,
        origin,
        published_upstream,
        ..
    } = &coming.record;
    let values = [
        there.id.as_str().into(),
        origin.origin_type.as_str().into(),
        origin.repository.as_ref().map(ToString::to_string).into(),
        origin.connection.as_ref().map(ToString::to_string).into(),
        published_upstream.map(Timestamp::millis).into(),
    ];
    tx.execute(SET_ORIGIN, &values)?;
    there.record.status = *status;
    if coming.manifest == NO_MANIFEST {
        NO_MANIFEST.clone_into(&mut there.manifest);
    }
    if coming.document.is_none() {
        there.document = None;
    }
    record::update(tx, &there)
}
