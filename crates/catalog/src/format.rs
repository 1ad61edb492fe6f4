//! What the catalog must be able to ask of a package format.
//!
//! The catalog keeps packages of every format alike; where formats differ (what a name may be, which version is newer,
//! what a public registry's documents look like) it asks through this trait, and never by name.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::future::Future;
use std::io::{Read, Seek};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::listing::ListedVersion;
use crate::names::{AssetId, AssetName, FormatName, InvalidName, PackageId, Version, VersionId};
use crate::remote::{Asking, Remote, RemoteAsset, RemoteError, RemoteListing, RemoteVersion};

/// A future in a box, so that the trait can be an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A package format, as the catalog sees it.
pub trait Format: Send + Sync + 'static {
    /// As the API spells it: `maven`.
    fn name(&self) -> FormatName;

    /// The public registries of this format that AWS has names for. Empty where there are none.
    fn connections(&self) -> &'static [Connection];

    /// Parses and normalises a package name given through the API or found in a registry. With `strict` the format's
    /// rules for publishing hold too (Maven's ASCII names); without, only those of the API.
    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        strict: bool,
    ) -> Result<PackageId, InvalidName>;

    /// Parses and normalises a version.
    fn version(&self, text: &str) -> Result<Version, InvalidName>;

    /// Which of two versions is newer.
    fn order(&self, a: &Version, b: &Version) -> Ordering;

    /// One text for all spellings of a version that mean the same (`1.0` and `1.0.0`): of two such, in different places,
    /// only the nearer one counts.
    fn identity<'a>(&self, version: &'a Version) -> Cow<'a, str> {
        Cow::Borrowed(version.as_str())
    }

    /// How versions get here and change, as data.
    fn retention(&self) -> Retention;

    /// Whether an asset of this name may be in this version, published through the API.
    fn asset(&self, name: &str) -> Result<AssetName, InvalidName>;

    /// If this asset describes its version (a POM, a `package.json`): how many bytes of it may be read, at most.
    fn describes(&self, asset: &AssetId) -> Option<u64> {
        let _ = asset;
        None
    }

    /// Reads the description out of such an asset. Bytes that are not one are `Err`: refused when a client publishes
    /// them, kept without description when a registry sent them.
    fn describe(&self, asset: &AssetId, bytes: &Bytes) -> Result<Manifest, Unreadable> {
        let _ = (asset, bytes);
        Ok(Manifest::default())
    }

    /// Whether the bytes of such an asset, taken from a registry, are looked into once they are whole and verified.
    fn inspects(&self, asset: &AssetId) -> bool {
        let _ = asset;
        false
    }

    /// Looks into them, on a thread that may block: what they say of the version, and what the format keeps of it. They
    /// are kept whatever is found, so what is wrong with them is only warned of.
    fn inspect(&self, asset: &AssetId, file: &mut dyn ReadSeek, place: &RemoteAsset) -> Described {
        let _ = (asset, file, place);
        Described::default()
    }

    /// The label of the version that a person would want to see, where there is one (npm's `latest`).
    fn display_label(&self) -> Option<&'static str> {
        None
    }

    /// Whether what such an asset says of its version counts more than what another one said before.
    fn outweighs(&self, asset: &AssetId) -> bool {
        let _ = asset;
        true
    }

    /// Whether its lists show the documents and files of versions: then [`crate::Listing`] has them.
    fn lists_contents(&self) -> bool {
        false
    }

    /// Brings a retained version up to date with what its registry says of it now: only what may change although versions
    /// do not (deprecations, yanks, later files). `seen` is the registry's. What changes in the documents of files is
    /// remembered; everything else is so in the list alone. Further files come behind those that are there.
    fn refresh(&self, kept: &mut ListedVersion, seen: &RemoteVersion) {
        let _ = (kept, seen);
    }

    /// Whether a public registry may be asked about a package at all: asking tells it the name.
    fn may_ask(&self, package: &PackageId) -> bool {
        let _ = package;
        true
    }

    /// The one document of a registry that [`Format::look_up`] reads for a package, and how it is asked for. With it,
    /// lists are rendered anew only when it has changed; without, each time they are asked for.
    fn index(&self, package: &PackageId) -> Option<(String, Asking)> {
        let _ = package;
        None
    }

    /// A file that the API shows of a version although nobody uploaded it, and its bytes (Maven's metadata document).
    /// `uploaded`: a client published the version.
    fn derived(&self, version: &VersionId, uploaded: bool) -> Option<(AssetName, Bytes)> {
        let _ = (version, uploaded);
        None
    }

    /// Names assets that are fetched in the background when a version is first taken from a registry or repository,
    /// besides the one that was asked for. `present` are those at hand; `describing` the bytes of the one that
    /// describes the version, once it is here.
    fn companions(
        &self,
        version: &VersionId,
        present: &[AssetName],
        describing: Option<&Bytes>,
    ) -> Vec<AssetName> {
        let _ = (version, present, describing);
        Vec::new()
    }

    /// Which versions of a package a public registry has.
    fn look_up<'a>(
        &'a self,
        remote: &'a Remote,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>>;

    /// Where a public registry has the bytes of an asset, and which digest it promises for them.
    fn locate<'a>(
        &'a self,
        remote: &'a Remote,
        asset: &'a AssetId,
    ) -> BoxFuture<'a, Result<Option<RemoteAsset>, RemoteError>>;

    /// Whether the first bytes (up to 512, fewer if the asset is shorter) and the content type that a registry sent can
    /// be this asset: catches the page of a captive portal. `Err` says what is wrong.
    fn recognise(
        &self,
        asset: &AssetName,
        content_type: Option<&str>,
        head: &[u8],
    ) -> Result<(), String>;
}

/// A public registry that has a name in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// `public:maven-central`.
    pub name: &'static str,
    /// What people call it: `Maven Central`.
    pub title: &'static str,
}

/// How versions of a format get into a repository and change afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Whether upstream repositories and public registries are asked at all.
    pub upstream: bool,
    /// Whether an asset that a retained version lacks is looked up later and added (Maven's classifiers).
    pub late_assets: bool,
    /// Whether a published version takes further assets from its publisher.
    pub open_ended: bool,
    /// How long a registry's version list is used without asking again.
    pub list_lifetime: Duration,
    /// How long "there is no such package" is believed.
    pub absence_lifetime: Duration,
}

/// What a version says of itself, and what its format keeps of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// For everybody. `None`: nothing is known.
    pub manifest: Option<Manifest>,
    /// The format's own document of the version, JSON text.
    pub document: Option<String>,
    /// The format's own document of the file that was looked into, JSON text, where the registry's list said otherwise.
    pub asset_document: Option<String>,
}

/// A file that can be read from any place.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// The bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// What a version says of itself: read from the asset that describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Manifest {
    /// The name as the author wrote it.
    pub display_name: Option<String>,
    /// One paragraph.
    pub summary: Option<String>,
    /// Words that its author wants it to be found by, in document order.
    // Not written when there are none: versions that were recorded before keep their revision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Address of the home page.
    pub home_page: Option<String>,
    /// Address of the source code.
    pub source_code_repository: Option<String>,
    /// Licences, in document order.
    pub licenses: Vec<License>,
    /// Direct dependencies, in document order.
    pub dependencies: Vec<Dependency>,
    /// The readme, as text.
    pub readme: Option<String>,
    /// Something about the description that people should see (a POM for other coordinates).
    pub warnings: Vec<String>,
}

/// A licence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Its name, as the author wrote it.
    pub name: Option<String>,
    /// Where its text is.
    pub url: Option<String>,
}

/// A direct dependency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Namespace, where the format has it.
    pub namespace: Option<String>,
    /// Name of the package.
    pub package: Option<String>,
    /// The format's word for the kind: `compile`, `dev`.
    pub dependency_type: Option<String>,
    /// Which versions, as the author wrote it.
    pub version_requirement: Option<String>,
}

/// The formats of this server: one list, made by the process.
#[derive(Clone)]
pub struct Formats(&'static [&'static dyn Format]);

impl Formats {
    /// Wraps the list.
    pub const fn new(all: &'static [&'static dyn Format]) -> Self {
        Self(all)
    }

    /// The format of this name.
    pub fn named(&self, name: &str) -> Option<&'static dyn Format> {
        self.0
            .iter()
            .copied()
            .find(|format| format.name().as_str() == name)
    }

    /// The format that has this connection, and the connection.
    pub fn connection(&self, name: &str) -> Option<(&'static dyn Format, &'static Connection)> {
        self.iter().find_map(|format| {
            let connection = format
                .connections()
                .iter()
                .find(|connection| connection.name == name)?;
            Some((format, connection))
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Format> + use<> {
        self.0.iter().copied()
    }
}
