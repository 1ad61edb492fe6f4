//! Packages and their versions, as one repository records them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::asset::{Asset, AssetRecord};
use crate::format::Manifest;
use crate::names::{AssetName, ConnectionName, PackageId, RepositoryName, Version};
use crate::page::Page;
use crate::permit::Permit;
use crate::publish::Publication;
use crate::repository::Repository;

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
    pub(crate) id: String,
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

impl Permit<PackageAt> {
    /// The package's record. Errors: `NotFound`.
    pub async fn describe(&self) -> Result<Package> {
        todo!()
    }

    /// Its versions. Errors: `NotFound` (package).
    pub async fn versions(
        &self,
        _filter: VersionFilter,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page<VersionRecord>> {
        todo!()
    }

    /// The version a person would want to see: the most recently published one, or that of the format's `latest` label.
    pub async fn default_display_version(&self) -> Result<Option<Version>> {
        todo!()
    }

    /// One version and what it says of itself. Errors: `NotFound` (package, version).
    pub async fn version(&self, _version: &Version) -> Result<(VersionRecord, Manifest)> {
        todo!()
    }

    /// The files of a version, by name. Errors: `NotFound`.
    pub async fn assets(
        &self,
        _version: &Version,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<(VersionRecord, Page<AssetRecord>)> {
        todo!()
    }

    /// Opens a file of a version recorded in this very repository. Errors: `NotFound`, `Held`, `Conflict` when
    /// `revision` is given and not the current one.
    pub async fn asset(
        &self,
        _version: &Version,
        _name: &AssetName,
        _revision: Option<&str>,
    ) -> Result<(VersionRecord, Asset)> {
        todo!()
    }

    /// Begins to publish `version`; everything that can be refused before the first byte is. See
    /// [`crate::OpenRepository::publish`].
    pub async fn publish(&self, _version: &Version) -> Result<Publication> {
        todo!()
    }
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

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownSpelling;

            fn from_str(text: &str) -> Result<Self, UnknownSpelling> {
                match text { $($text => Ok($type::$variant),)* _ => Err(UnknownSpelling) }
            }
        }
    };
}

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
