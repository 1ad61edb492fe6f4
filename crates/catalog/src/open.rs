//! An open repository: what the package formats see of the catalog.
//!
//! One caller, one repository, one format, one request. Each verb authorises its own action on its own resource, so a
//! format cannot forget to; none takes a name that was not parsed.

use std::collections::BTreeMap;

use aws::Timestamp;
use iam::Caller;

use crate::asset::Asset;
use crate::names::{AssetId, FormatName, PackageId, Version, VersionId};
use crate::package::{Status, VersionRecord};
use crate::publish::Publication;
use crate::repository::{Repository, RepositoryAt};
use crate::{Catalog, Result};

/// A repository, opened by a caller for one request of one format.
pub struct OpenRepository {
    _private: (),
}

/// Every version of a package that a repository can serve, its upstreams merged in.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Which package.
    pub package: PackageId,
    /// Versions that a client may see, in the format's order, oldest first.
    pub versions: Vec<ListedVersion>,
    /// Names for versions, like npm's `latest`.
    pub labels: BTreeMap<String, Version>,
    /// The newest change among the facts in it. Never the time of asking: the same facts give the same time.
    pub changed: Timestamp,
    /// Whether a registry that should have been asked could not be, and nothing kept of it was at hand.
    pub is_partial: bool,
}

/// A version in a listing.
#[derive(Debug, Clone)]
pub struct ListedVersion {
    /// Which version.
    pub version: Version,
    /// Its state in the repository that decides: the first that has it.
    pub status: Status,
    /// When it was published; at the registry, if it comes from one and the registry says so.
    pub published: Option<Timestamp>,
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
    /// What; at most 256 KiB, in the format's own spelling.
    pub text: String,
    /// When it was written.
    pub written: Timestamp,
}

impl Catalog {
    /// Opens a repository for a request. Authorises nothing yet, except that a bearer token must be one of this domain
    /// (`Error::WrongDomain`).
    pub async fn open(
        &self,
        _caller: &Caller,
        _at: &RepositoryAt,
        _format: &FormatName,
    ) -> Result<OpenRepository> {
        todo!()
    }
}

impl OpenRepository {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        todo!()
    }

    /// The time of this request.
    pub fn now(&self) -> Timestamp {
        todo!()
    }

    /// The action for every read, on the repository. Called by each reading verb; a format calls it itself before it
    /// answers something that it does not ask the catalog for.
    pub async fn may_read(&self) -> Result<()> {
        todo!()
    }

    /// `PublishPackageVersion` on the package. Called by [`OpenRepository::publish`]; a format calls it itself before it
    /// takes something that belongs to a file and is not one (Maven's checksums).
    pub async fn may_publish(&self, _package: &PackageId) -> Result<()> {
        todo!()
    }

    /// `PutPackageMetadata` on the package. Called by [`OpenRepository::settle`].
    pub async fn may_put_metadata(&self, _package: &PackageId) -> Result<()> {
        todo!()
    }

    /// Every version it can serve, upstreams merged. `None` when no repository and no registry on the way knows the
    /// package. Retains nothing. Errors: `Denied`; `Remote` when a registry cannot be asked and nothing at all is known.
    pub async fn package(&self, _id: &PackageId) -> Result<Option<Listing>> {
        todo!()
    }

    /// The versions that this very repository records, in any state, by version text.
    pub async fn versions(&self, _id: &PackageId) -> Result<Vec<VersionRecord>> {
        todo!()
    }

    /// The files that this very repository records of a version, by name, whatever its state (an uploader reads back
    /// what is Unfinished). Empty when there is none.
    pub async fn assets(&self, _id: &VersionId) -> Result<Vec<crate::asset::AssetRecord>> {
        todo!()
    }

    /// One version with its files, in whatever state, as the first repository on the way that has it records it. `None`
    /// when none has. Registries are not asked and nothing is retained: what only they have is found file by file.
    pub async fn recorded(
        &self,
        _id: &VersionId,
    ) -> Result<Option<(VersionRecord, Vec<crate::asset::AssetRecord>)>> {
        todo!()
    }

    /// Opens a file, wherever on the way it is: here, in an upstream, in a registry (then it is fetched once, verified,
    /// kept, and streamed to the caller meanwhile).
    ///
    /// Errors: `Denied`, `NotFound`, `Held` (a client is told it is not there), `Remote`.
    pub async fn asset(&self, _id: &AssetId, _purpose: Purpose) -> Result<Asset> {
        todo!()
    }

    /// Begins to publish a version: PublishPackageVersion on the package, origin controls, the version's state, whether
    /// an upstream has it, quotas. Refused before the first byte.
    pub async fn publish(&self, _id: &VersionId) -> Result<Publication> {
        todo!()
    }

    /// Settles versions of a package in one transaction; `PutPackageMetadata`. Versions that are not here, or not in
    /// the state a step is about, are left alone. The result is the versions that changed.
    pub async fn settle(&self, _package: &PackageId, _steps: Vec<Settle>) -> Result<Vec<Version>> {
        todo!()
    }

    /// What was noted under this key of this repository and format.
    pub async fn note(&self, _key: &str) -> Result<Option<Note>> {
        todo!()
    }

    /// Everything noted under keys that start like this, by key.
    pub async fn notes(&self, _prefix: &str) -> Result<Vec<Note>> {
        todo!()
    }

    /// The same for this repository and all its upstream repositories, nearest first: what they know together (Maven's
    /// plugin prefixes). Of two notes under one key the nearer counts; both are in the answer.
    pub async fn notes_on_the_way(&self, _prefix: &str) -> Result<Vec<Note>> {
        todo!()
    }

    /// Notes something; `None` forgets it. It is dropped after `keep_for`, if given. Needs no permission of its own: the
    /// format calls it after a verb that had one.
    pub async fn set_note(
        &self,
        _key: &str,
        _text: Option<String>,
        _keep_for: Option<std::time::Duration>,
    ) -> Result<()> {
        todo!()
    }

    /// A small document of a public registry on the way, by its path there (Maven's group metadata), nearest first.
    /// Cached like version lists. Empty where no connection of this format is reachable.
    pub async fn remote_documents(&self, _path: &str) -> Result<Vec<bytes::Bytes>> {
        todo!()
    }
}
