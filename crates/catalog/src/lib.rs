//! The heart of Packhouse: domains, repositories, packages and their bytes.
//!
//! It knows no HTTP request, no AWS wire and no package format by name. What others see of it:
//!
//! - [`Catalog`], the whole; [`Permit`], a thing the caller may act on, and the verbs on it, for the API;
//! - [`OpenRepository`], the verbs that package formats see;
//! - [`Format`], what the catalog must be able to ask of a format; [`Remote`], HTTP to a public registry.
//!
//! Three things happen in one place each: whether a caller may act ([`Permit`]), whether a version may be seen
//! ([`screen`]), and how bytes leave ([`Asset`]) and enter ([`Publication`], and `fetch` for what registries send).

mod action;
mod annotate;
mod asset;
mod catch_up;
pub mod change;
mod complete;
mod connection;
mod copy;
mod domain;
mod error;
mod fetch;
mod format;
mod group;
mod ids;
pub mod job;
mod labels;
pub mod lifecycle;
mod listing;
mod names;
mod open;
mod origin;
pub mod outbox;
mod package;
mod page;
mod permit;
mod policy;
mod publish;
mod receive;
mod record;
mod refreshed;
mod remote;
mod removed;
mod rendered;
mod repository;
pub mod screen;
mod scrub;
mod search;
mod settle;
mod shelf;
mod sweep;
mod tags;
mod upstream;
mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use store::Migration;
use tokio_util::task::TaskTracker;

use crate::fetch::Fetches;
use crate::rendered::Renderings;
use crate::shelf::Shelf;

/// What the shelf and the wire call these things; formats see them here.
pub use aws::Timestamp;
pub use store::{ByteStream, Digests, SealedReader, sha256_hex};

pub use action::{Action, Scope};
pub use asset::{Asset, AssetRecord};
pub use copy::Copying;
pub use domain::{Domain, DomainAt, DomainFigures};
pub use error::{Error, Kind, Result};
pub use format::{
    BoxFuture, Connection, Dependency, Described, Format, Formats, License, Manifest, ReadSeek,
    Retention, Unreadable,
};
pub use group::{
    AssociatedPackage, Association, GroupAt, GroupChange, GroupMode, GroupName, GroupPattern,
    GroupRestriction, GroupRule, ListChange, NewPackageGroup, PackageGroup,
};
pub use listing::{ListedAsset, ListedVersion, Listing};
pub use names::{
    AssetId, AssetName, ConnectionName, DomainName, FormatName, InvalidName, Namespace, PackageId,
    PackageName, RepositoryName, Version, VersionId,
};
pub use open::{Note, OpenRepository, Purpose, Settle};
pub use package::{
    Origin, OriginType, Package, PackageAt, Restriction, Restrictions, Status, UnknownSpelling,
    VersionFilter, VersionRecord,
};
pub use page::Page;
pub use permit::Permit;
pub use policy::StoredPolicy;
pub use publish::{Promise, Publication, Published, Then};
pub use receive::{Received, Receiving};
pub use remote::{
    Asking, Courier, Document, Enquirer, NotSent, Remote, RemoteAsset, RemoteBody, RemoteError,
    RemoteListing, RemoteSettings, RemoteVersion, Remotes,
};
pub use removed::{Removal, RemovedVersion, WINDOW as RESTORE_WINDOW};
pub use rendered::Weighed;
pub use repository::{NewRepository, PackageFilter, Repository, RepositoryAt, RepositoryChange};
pub use scrub::QuarantinedBlob;
pub use search::{
    DigestText, FileFound, InvalidDigest, PackageFound, PackageSummary, SEARCH_WORDS, Search,
};
pub use sweep::Swept;
pub use tags::TaggedAt;
pub use versions::{FailureCode, Outcomes, Selection};

/// The catalog: everything above databases and bytes, below HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    database: store::Database,
    blobs: store::BlobStore,
    iam: iam::Iam,
    formats: Formats,
    remotes: Remotes,
    limits: Limits,
    shelf: Shelf,
    fetches: Fetches,
    renderings: Renderings,
    /// Versions whose further files are to be fetched.
    completions: tokio::sync::mpsc::Sender<complete::Completion>,
    completes_versions: bool,
    /// Whether all that is kept of packages is there for every one of them.
    has_caught_up: AtomicBool,
    /// Fetches under way; they outlive the requests that asked for them.
    tasks: TaskTracker,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "catalog",
        sql: include_str!("../migrations/0001_catalog.sql"),
    },
    Migration {
        number: 2,
        name: "groups",
        sql: include_str!("../migrations/0002_groups.sql"),
    },
    Migration {
        number: 3,
        name: "documents",
        sql: include_str!("../migrations/0003_documents.sql"),
    },
];

/// Numbered on their own: they belong together and to nothing else.
const OUTBOX: &[Migration] = &[Migration {
    number: 1,
    name: "outbox",
    sql: include_str!("../migrations/0020_outbox.sql"),
}];

/// So do these.
const NAMES: &[Migration] = &[Migration {
    number: 1,
    name: "names",
    sql: include_str!("../migrations/0021_names.sql"),
}];

/// And these.
const SEARCH: &[Migration] = &[Migration {
    number: 1,
    name: "search",
    sql: include_str!("../migrations/0030_search.sql"),
}];

/// And these.
const REMOVED: &[Migration] = &[Migration {
    number: 1,
    name: "removed",
    sql: include_str!("../migrations/0031_removed.sql"),
}];

/// And these.
const JOBS: &[Migration] = &[Migration {
    number: 1,
    name: "jobs",
    sql: include_str!("../migrations/0032_jobs.sql"),
}];

/// And these.
const CATCH_UP: &[Migration] = &[Migration {
    number: 1,
    name: "catch_up",
    sql: include_str!("../migrations/0033_catch_up.sql"),
}];

/// What a catalog is made of.
pub struct Parts {
    /// Where records are.
    pub database: store::Database,
    /// Where bytes are.
    pub blobs: store::BlobStore,
    /// Who may what.
    pub iam: iam::Iam,
    /// The formats of this server.
    pub formats: Formats,
    /// Where public registries are.
    pub remotes: RemoteSettings,
    /// Whether the further files of a version taken from a registry are fetched in the background.
    pub completes_versions: bool,
    /// Limits.
    pub limits: Limits,
}

/// Limits of the service ("access-and-limits" 8 of the specification), each configurable.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of an asset. Default 5 GiB.
    pub asset_size_bytes: u64,
    /// Assets of a version. Default 350.
    pub assets_per_version: u32,
    /// Domains of an account. Default 10.
    pub domains_per_account: u32,
    /// Repositories of a domain. Default 1000.
    pub repositories_per_domain: u32,
    /// Direct upstreams of a repository. Default 10.
    pub direct_upstreams: u32,
    /// Upstream repositories searched for one request. Default 25.
    pub upstreams_searched: u32,
    /// Tags of a resource. Default 50.
    pub tags_per_resource: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            asset_size_bytes: 5 << 30,
            assets_per_version: 350,
            domains_per_account: 10,
            repositories_per_domain: 1000,
            direct_upstreams: 10,
            upstreams_searched: 25,
            tags_per_resource: 50,
        }
    }
}

impl Catalog {
    /// Opens the catalog over a database and a store of blobs; brings its tables up to date.
    pub async fn start(parts: Parts) -> Result<Self> {
        let Parts {
            database,
            blobs,
            iam,
            formats,
            remotes,
            completes_versions,
            limits,
        } = parts;
        database.migrate("catalog", MIGRATIONS).await?;
        database.migrate("outbox", OUTBOX).await?;
        database.migrate("names", NAMES).await?;
        database.migrate("search", SEARCH).await?;
        database.migrate("removed", REMOVED).await?;
        database.migrate("jobs", JOBS).await?;
        database.migrate("catch_up", CATCH_UP).await?;
        let remotes = Remotes::new(&database, &blobs, iam.clock().clone(), remotes)
            .map_err(Error::internal)?;
        let shelf = Shelf::new(&database);
        let (completions, queue) = complete::queue();
        let inner = Arc::new(Inner {
            database,
            blobs,
            iam,
            formats,
            remotes,
            limits,
            shelf,
            fetches: Fetches::default(),
            renderings: Renderings::default(),
            completions,
            completes_versions,
            has_caught_up: AtomicBool::new(false),
            tasks: TaskTracker::new(),
        });
        tokio::spawn(complete::work(Arc::downgrade(&inner), queue));
        let catalog = Self(inner);
        catalog.begin_catching_up().await?;
        Ok(catalog)
    }

    /// Waits for the fetches that run. Call it after the last request has been answered.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.remotes.finish().await;
    }

    /// The formats of this server.
    pub fn formats(&self) -> &Formats {
        &self.0.formats
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.iam.clock().now()
    }
}
