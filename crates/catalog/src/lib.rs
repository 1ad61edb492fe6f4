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
mod asset;
mod domain;
mod error;
mod format;
mod names;
mod open;
mod package;
mod page;
mod permit;
mod publish;
mod remote;
mod repository;
pub mod screen;

/// What the shelf and the wire call these things; formats see them here.
pub use aws::Timestamp;
pub use store::{ByteStream, Digests};

pub use action::{Action, Scope};
pub use asset::{Asset, AssetRecord};
pub use domain::{Domain, DomainAt, DomainFigures};
pub use error::{Error, Kind, Result};
pub use format::{
    BoxFuture, Connection, Dependency, Format, Formats, License, Manifest, Retention, Unreadable,
};
pub use names::{
    AssetId, AssetName, ConnectionName, DomainName, FormatName, InvalidName, Namespace, PackageId,
    PackageName, RepositoryName, Version, VersionId,
};
pub use open::{ListedVersion, Listing, Note, OpenRepository, Purpose, Settle};
pub use package::{
    Origin, OriginType, Package, PackageAt, Restriction, Restrictions, Status, UnknownSpelling,
    VersionFilter, VersionRecord,
};
pub use page::Page;
pub use permit::Permit;
pub use publish::{Promise, Publication, Published, Then};
pub use remote::{
    Asking, Document, Remote, RemoteAsset, RemoteBody, RemoteError, RemoteListing, RemoteSettings,
    RemoteVersion, Remotes,
};
pub use repository::{NewRepository, PackageFilter, Repository, RepositoryAt, RepositoryChange};

/// The catalog: everything above databases and bytes, below HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    _private: (),
}

impl Catalog {
    /// Opens the catalog over a database and a store of blobs; brings its tables up to date.
    pub async fn start(_parts: Parts) -> Result<Self> {
        todo!()
    }
}

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
