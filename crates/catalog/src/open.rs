//! An open repository: what the package formats see of the catalog.
//!
//! One caller, one repository, one format, one request. Each verb authorises its own action on its own resource, so a
//! format cannot forget to; none takes a name that was not parsed.

use std::sync::Arc;
use std::time::Duration;

use aws::Timestamp;
use bytes::Bytes;
use iam::{Caller, trace};

use crate::action::Action;
use crate::asset::{Asset, AssetRecord, no_asset};
use crate::format::Format;
use crate::names::{AssetId, FormatName, PackageId, Version, VersionId};
use crate::package::{PackageAt, VersionRecord};
use crate::permit::{Permit, no_domain};
use crate::publish::Publication;
use crate::remote::Asking;
use crate::repository::{Repository, RepositoryAt};
use crate::upstream::{Order, Walk};
use crate::{Catalog, Error, Result, record, settle};

/// A repository, opened by a caller for one request of one format.
pub struct OpenRepository {
    pub(crate) catalog: Catalog,
    pub(crate) repository: Arc<Repository>,
    at: RepositoryAt,
    pub(crate) format: &'static dyn Format,
    caller: Caller,
}

/// Why bytes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To send them: a version that only an upstream has is retained here.
    Take,
    /// To know about them (HEAD, a checksum of a file nobody has): nothing is retained.
    Look,
}

/// A change to the versions of a package that needs no new bytes.
#[derive(Debug, Clone)]
pub enum Settle {
    /// An Unfinished version becomes Published. Others are left as they are.
    Publish(Version),
    /// An Unfinished version becomes Unlisted.
    Unlist(Version),
    /// The Unfinished version `staged` becomes `current`, Published; what was `current` is kept as `keep_as`, Unlisted.
    Replace {
        /// The name that clients ask for.
        current: Version,
        /// The version that takes its place.
        staged: Version,
        /// What the former content is called from now on.
        keep_as: Option<Version>,
    },
}

/// Something a format remembers about a repository between requests (an uploaded checksum that did not match).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Under which key.
    pub key: String,
    /// What; at most 1 MiB, in the format's own spelling.
    pub text: String,
    /// When it was written.
    pub written: Timestamp,
}

const NOTE: &str = "
    SELECT note_key, text, written
      FROM notes
     WHERE repository_id = $1
       AND format = $2
       AND note_key = $3
       AND (expires IS NULL OR expires > $4)";

/// `$4` is the first text after all that begin with `$3`.
const NOTES: &str = "
    SELECT note_key, text, written
      FROM notes
     WHERE repository_id = $1
       AND format = $2
       AND note_key >= $3
       AND note_key < $4
       AND (expires IS NULL OR expires > $5)
     ORDER BY note_key";

const SET_NOTE: &str = "
    INSERT INTO notes (repository_id, format, note_key, text, written, expires)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (repository_id, format, note_key)
    DO UPDATE SET text = EXCLUDED.text, written = EXCLUDED.written, expires = EXCLUDED.expires";

const FORGET_NOTE: &str = "
    DELETE FROM notes
     WHERE repository_id = $1
       AND format = $2
       AND note_key = $3";

/// Bytes of a note, at most.
const NOTE_BYTES: usize = 1024 * 1024;

impl Catalog {
    /// Opens a repository for a request of a format. Authorises no more than that a bearer token must be one of this
    /// domain; a repository that is not there is answered as reading it would be.
    ///
    /// Errors: `WrongDomain`, `Denied`, `NotFound` (domain, repository; also for a format this server has not).
    pub async fn open(
        &self,
        caller: &Caller,
        at: &RepositoryAt,
        format: &FormatName,
    ) -> Result<OpenRepository> {
        let Some(map) = self.find_domain(&at.domain).await? else {
            // A token is of one domain; this one is not it.
            if caller.domain_number().is_some() {
                return Err(Error::WrongDomain);
            }
            return Err(no_domain(&at.domain));
        };
        if caller
            .domain_number()
            .is_some_and(|number| number != map.domain.number)
        {
            return Err(Error::WrongDomain);
        }
        let repository = match map.repositories.get(&at.name) {
            Some(repository) => Arc::clone(repository),
            None => {
                self.repository(caller, Action::ReadFromRepository, at)
                    .await?
                    .thing
            }
        };
        let format = self.0.formats.named(format.as_str()).ok_or_else(|| {
            Error::not_found(
                crate::Kind::Repository,
                at.name.as_str(),
                format!("packages of format `{format}` are not served here"),
            )
        })?;
        Ok(OpenRepository {
            catalog: self.clone(),
            repository,
            at: at.clone(),
            format,
            caller: caller.clone(),
        })
    }
}

impl OpenRepository {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The time of this request.
    pub fn now(&self) -> Timestamp {
        self.catalog.now()
    }

    /// The action for every read, on the repository. Called by each reading verb; a format calls it itself before it
    /// answers something that it does not ask the catalog for.
    pub async fn may_read(&self) -> Result<()> {
        self.catalog
            .repository(&self.caller, Action::ReadFromRepository, &self.at)
            .await
            .map(drop)
    }

    /// `PublishPackageVersion` on the package. Called by [`OpenRepository::publish`]; a format calls it itself before it
    /// takes something that belongs to a file and is not one (Maven's checksums).
    pub async fn may_publish(&self, package: &PackageId) -> Result<()> {
        self.permit(Action::PublishPackageVersion, package)
            .await
            .map(drop)
    }

    /// `PutPackageMetadata` on the package. Called by [`OpenRepository::settle`].
    pub async fn may_put_metadata(&self, package: &PackageId) -> Result<()> {
        self.permit(Action::PutPackageMetadata, package)
            .await
            .map(drop)
    }

    pub(crate) async fn permit(
        &self,
        action: Action,
        package: &PackageId,
    ) -> Result<Permit<PackageAt>> {
        note_package(package);
        self.catalog
            .package(&self.caller, action, &self.at, package)
            .await
    }

    /// The versions that this very repository records, in any state, by version text.
    pub async fn versions(&self, id: &PackageId) -> Result<Vec<VersionRecord>> {
        self.may_read().await?;
        self.catalog.version_records(&self.repository, id).await
    }

    /// The files that this very repository records of a version, by name, whatever its state (an uploader reads back
    /// what is Unfinished). Empty when there is none.
    pub async fn assets(&self, id: &VersionId) -> Result<Vec<AssetRecord>> {
        self.may_read().await?;
        match self.catalog.recorded(&self.repository, id).await? {
            Some(row) => self.catalog.recorded_assets(&row.id).await,
            None => Ok(Vec::new()),
        }
    }

    /// One version with its files, in whatever state, as the first repository on the way that has it records it. `None`
    /// when none has. Registries are not asked and nothing is retained: what only they have is found file by file.
    pub async fn recorded(
        &self,
        id: &VersionId,
    ) -> Result<Option<(VersionRecord, Vec<AssetRecord>)>> {
        self.may_read().await?;
        let mut walk =
            Walk::begin(&self.catalog, &self.repository, self.format, &id.package).await?;
        while let Some(stop) = walk.next(&self.catalog).await? {
            if let Some(package) = &stop.package
                && let Some(row) = self.catalog.recorded_version(package, &id.version).await?
            {
                let assets = self.catalog.recorded_assets(&row.id).await?;
                return Ok(Some((row.record, assets)));
            }
            walk.go_on(&self.catalog, &stop, self.format);
        }
        Ok(None)
    }

    /// Opens a file, wherever on the way it is: here, in an upstream, in a registry (then it is fetched once, verified,
    /// kept, and streamed to the caller meanwhile).
    ///
    /// Errors: `Denied`, `NotFound`, `Held` (a client is told it is not there), `Remote`.
    pub async fn asset(&self, id: &AssetId, purpose: Purpose) -> Result<Asset> {
        note_version(&id.version);
        trace::note("assetName", || id.name.to_string());
        self.may_read().await?;
        if let Some(asset) = self.catalog.open_recorded(&self.repository, id).await? {
            return Ok(asset);
        }
        let found = self
            .catalog
            .find_beyond(&self.repository, self.format, id, purpose)
            .await?;
        found.ok_or_else(|| no_asset(id))
    }

    /// Begins to publish a version: `PublishPackageVersion` on the package, origin controls, the version's state, whether
    /// an upstream has it, quotas. Refused before the first byte.
    pub async fn publish(&self, id: &VersionId) -> Result<Publication> {
        note_version(id);
        let permit = self
            .permit(Action::PublishPackageVersion, &id.package)
            .await?;
        Publication::begin(&permit, id.clone()).await
    }

    /// Settles versions of a package in one transaction; `PutPackageMetadata`. Versions that are not here, or not in
    /// the state a step is about, are left alone. The result is the versions that changed.
    pub async fn settle(&self, package: &PackageId, steps: Vec<Settle>) -> Result<Vec<Version>> {
        let permit = self.permit(Action::PutPackageMetadata, package).await?;
        let (repository, package, by) =
            (Arc::clone(&self.repository), package.clone(), permit.by());
        self.catalog
            .0
            .database
            .write(move |tx| settle::settle(tx, &repository, &by, &package, &steps))
            .await
    }

    /// What was noted under this key of this repository and format.
    pub async fn note(&self, key: &str) -> Result<Option<Note>> {
        let values = vec![
            (&*self.repository.id).into(),
            self.format.name().as_str().into(),
            key.into(),
            self.now().millis().into(),
        ];
        let rows = self.catalog.0.database.rows(NOTE, values).await?;
        rows.first().map(read_note).transpose()
    }

    /// Everything noted under keys that start like this, by key.
    pub async fn notes(&self, prefix: &str) -> Result<Vec<Note>> {
        self.notes_of(&self.repository, prefix).await
    }

    /// The same for this repository and all its upstream repositories, nearest first: what they know together (Maven's
    /// plugin prefixes). Of two notes under one key the nearer counts; both are in the answer.
    pub async fn notes_on_the_way(&self, prefix: &str) -> Result<Vec<Note>> {
        let mut notes = Vec::new();
        for repository in self.on_the_way().await? {
            notes.extend(self.notes_of(&repository, prefix).await?);
        }
        Ok(notes)
    }

    /// Notes something; `None` forgets it. It is dropped after `keep_for`, if given. Needs no permission of its own: the
    /// format calls it after a verb that had one.
    pub async fn set_note(
        &self,
        key: &str,
        text: Option<String>,
        keep_for: Option<Duration>,
    ) -> Result<()> {
        let now = self.now();
        let (repository, format, key) = (
            Arc::clone(&self.repository),
            self.format.name(),
            key.to_owned(),
        );
        if text.as_ref().is_some_and(|text| text.len() > NOTE_BYTES) {
            return Err(Error::Invalid(format!(
                "more than {NOTE_BYTES} bytes cannot be remembered"
            )));
        }
        let expires = keep_for.map(|time| now.plus(time).millis());
        self.catalog
            .0
            .database
            .write(move |tx| {
                let mut values = vec![
                    (&*repository.id).into(),
                    format.as_str().into(),
                    key.as_str().into(),
                ];
                let Some(text) = &text else {
                    tx.execute(FORGET_NOTE, &values)?;
                    return Ok(());
                };
                values.extend([text.as_str().into(), now.millis().into(), expires.into()]);
                tx.execute(SET_NOTE, &values)?;
                Ok(())
            })
            .await
    }

    /// A small document of the public registries on the way, by its path there (Maven's group metadata), nearest first.
    /// Cached like version lists. Empty where no connection of this format is reachable. Errors: `Remote` when none
    /// could be asked.
    pub async fn remote_documents(&self, path: &str, asking: &Asking) -> Result<Vec<Bytes>> {
        self.may_read().await?;
        let mut documents = Vec::new();
        let mut failure = None;
        for repository in self.on_the_way().await? {
            let Some(remote) = self.catalog.remote_of(&repository, self.format) else {
                continue;
            };
            match remote.document(path, asking).await {
                Ok(document) => documents.extend(document.map(|document| document.body)),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if documents.is_empty() => Err(error.into()),
            _ => Ok(documents),
        }
    }

    /// This repository and its upstreams, in walk order, without regard to any package.
    pub(crate) async fn on_the_way(&self) -> Result<Vec<Arc<Repository>>> {
        let mut order = Order::begin(&self.catalog, &self.repository, self.format).await?;
        let mut repositories = Vec::new();
        while let Some(repository) = order.step() {
            order.push_upstreams(&repository);
            repositories.push(repository);
        }
        Ok(repositories)
    }

    async fn notes_of(&self, repository: &Repository, prefix: &str) -> Result<Vec<Note>> {
        // Keys are text that formats make; none has the last character of Unicode in it.
        let end = format!("{prefix}\u{10FFFF}");
        let values = vec![
            (&*repository.id).into(),
            self.format.name().as_str().into(),
            prefix.into(),
            end.into(),
            self.now().millis().into(),
        ];
        let rows = self.catalog.0.database.rows(NOTES, values).await?;
        rows.iter().map(read_note).collect()
    }
}

/// Which package a path stands for only its format knows; who records the request learns it here.
pub(crate) fn note_package(id: &PackageId) {
    if let Some(namespace) = &id.namespace {
        trace::note("packageNamespace", || namespace.to_string());
    }
    trace::note("packageName", || id.name.to_string());
}

fn note_version(id: &VersionId) {
    note_package(&id.package);
    trace::note("packageVersion", || id.version.to_string());
}

fn read_note(row: &store::Row) -> Result<Note> {
    Ok(Note {
        key: row.text("note_key")?,
        text: row.text("text")?,
        written: Timestamp::from_millis(row.int("written")?),
    })
}

impl Catalog {
    pub(crate) async fn recorded_assets(&self, version_id: &str) -> Result<Vec<AssetRecord>> {
        let rows = self
            .0
            .database
            .rows(record::ASSETS, vec![version_id.into()])
            .await?;
        rows.iter()
            .map(|row| Ok(record::read_asset(row)?.record))
            .collect()
    }
}
