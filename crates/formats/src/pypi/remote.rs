//! A public registry with the simple interface: its pages, its files and what it says of them.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::{
    Asking, AssetId, AssetName, Described, Digests, ListedAsset, ListedVersion, PackageId, Promise,
    ReadSeek, Remote, RemoteAsset, RemoteError, RemoteListing, RemoteVersion, Retention, Version,
    Weighed,
};

use super::facts::{Facts, ProjectStatus};
use super::filename::{Distribution, Kind};
use super::index::{Index, IndexFile};
use super::metadata::{self, Metadata};
use super::{Rules, archive, name, version};

/// How versions get here and change: files are added to retained versions, published ones take more of them, pages are at
/// most five minutes old.
pub(crate) const RETENTION: Retention = Retention {
    upstream: true,
    late_assets: true,
    open_ended: true,
    list_lifetime: Duration::from_mins(5),
    absence_lifetime: Duration::from_mins(5),
};

/// How pages are asked for. 64 MiB are some 100,000 files.
pub(crate) const PAGE: Asking = Asking {
    accept: "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01",
    limit_bytes: 64 * 1024 * 1024,
    lifetime: RETENTION.list_lifetime,
    absence_lifetime: RETENTION.absence_lifetime,
};

/// How metadata beside files is asked for: it changes no more than the file does.
pub(crate) const SIDECAR: Asking = Asking {
    accept: "*/*",
    limit_bytes: 16 * 1024 * 1024,
    lifetime: Duration::from_hours(30 * 24),
    absence_lifetime: RETENTION.absence_lifetime,
};

/// How attestations are asked for: others may be added.
pub(crate) const PROVENANCE: Asking = Asking {
    accept: "application/vnd.pypi.integrity.v1+json, application/json;q=0.5",
    limit_bytes: 8 * 1024 * 1024,
    ..PAGE
};

/// Where a registry has the page of a project.
pub(crate) fn page(package: &PackageId) -> String {
    format!("simple/{}/", package.name)
}

/// A page that was read: as it is, and as the catalog lists it.
struct Reading {
    index: Index,
    versions: Vec<RemoteVersion>,
    weight_bytes: usize,
}

impl Weighed for Reading {
    fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

async fn read(
    remote: &Remote,
    package: &PackageId,
    rules: Rules,
) -> Result<Option<(catalog::Document, Arc<Reading>)>, RemoteError> {
    let path = page(package);
    let (from, at, project) = (remote.clone(), path.clone(), package.name.clone());
    remote
        .reading(&path, &PAGE, move |document| {
            let index = Index::parse(&document.body, project.as_str(), rules.shows_legacy_files)
                .map_err(|error| error.to_string())?;
            let at = base(&from, &at, &index);
            let resolve = |reference: &str| from.resolve(&at, reference);
            Ok(Reading {
                versions: versions(&index, &resolve),
                index,
                // What is made of a page takes about three times its room.
                weight_bytes: document.body.len() * 3,
            })
        })
        .await
}

/// Where the relative addresses of a page begin.
fn base(remote: &Remote, page: &str, index: &Index) -> String {
    let said = index.base.as_deref();
    said.and_then(|said| remote.resolve(page, said))
        .unwrap_or_else(|| page.to_owned())
}

/// The files of a page by version. `resolve` gives the address that a reference on the page means.
fn versions(index: &Index, resolve: &dyn Fn(&str) -> Option<String>) -> Vec<RemoteVersion> {
    let status = index
        .status
        .as_ref()
        .and_then(|status| serde_json::to_string(status).ok())
        .map(Arc::<str>::from);
    let mut versions: Vec<RemoteVersion> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for file in &index.files {
        let (Ok(version), Ok(name)) = (
            file.version.parse::<Version>(),
            file.filename.parse::<AssetName>(),
        ) else {
            continue;
        };
        let place = *places.entry(&file.version).or_insert_with(|| {
            versions.push(RemoteVersion {
                document: status.clone(),
                ..RemoteVersion::named(version)
            });
            versions.len() - 1
        });
        let uploaded = file.uploaded_at();
        let version = &mut versions[place];
        version.published = match (version.published, uploaded) {
            (Some(known), Some(uploaded)) => Some(known.min(uploaded)),
            (known, uploaded) => known.or(uploaded),
        };
        version.assets.push(ListedAsset {
            name,
            bytes: promise(file),
            modified: uploaded,
            document: Some(facts(file, resolve).to_text().into()),
        });
    }
    versions
}

fn promise(file: &IndexFile) -> Promise {
    let hash = |algorithm: &str, digits: usize| {
        let hex = file.hashes.get(algorithm)?;
        (hex.len() == digits).then(|| hex.clone())
    };
    Promise {
        size_bytes: file.size_bytes,
        md5: hash("md5", 32),
        sha1: hash("sha1", 40),
        sha256: hash("sha256", 64),
        sha512: hash("sha512", 128),
    }
}

fn facts(file: &IndexFile, resolve: &dyn Fn(&str) -> Option<String>) -> Facts {
    Facts {
        requires_python: file.requires_python.clone(),
        core_metadata: file.core_metadata.clone(),
        uploaded: file.uploaded.clone(),
        yanked: file.yanked.clone(),
        provenance: file.provenance.as_deref().and_then(resolve),
        attestations: None,
    }
}

/// Which versions a registry has, with their files.
pub(crate) async fn look_up(
    remote: &Remote,
    package: &PackageId,
    rules: Rules,
) -> Result<Option<RemoteListing>, RemoteError> {
    let Some((document, reading)) = read(remote, package, rules).await? else {
        return Ok(None);
    };
    if let Some(status) = &reading.index.status
        && status.status == "quarantined"
    {
        tracing::warn!(%package, connection = %remote.connection(), "a registry has put a project under quarantine");
    }
    Ok(Some(RemoteListing {
        versions: reading.versions.clone(),
        labels: std::collections::BTreeMap::new(),
        changed: document.changed,
    }))
}

/// Where a registry has a file, with the digests on its page. Without a page nobody needs to have asked for before: lock
/// files name the files.
pub(crate) async fn locate(
    remote: &Remote,
    asset: &AssetId,
    rules: Rules,
) -> Result<Option<RemoteAsset>, RemoteError> {
    let package = &asset.version.package;
    let Some((_, reading)) = read(remote, package, rules).await? else {
        return Ok(None);
    };
    let Some(file) = reading.index.file(asset.name.as_str()) else {
        return Ok(None);
    };
    if !version::are_equal(&file.version, asset.version.version.as_str()) {
        return Ok(None);
    }
    let wrong = |message: String| RemoteError::Wrong {
        connection: remote.connection().clone(),
        message,
    };
    let promise = promise(file);
    if promise.sha256.is_none() && promise.sha512.is_none() {
        if promise.sha1.is_none() && promise.md5.is_none() && !rules.accepts_unverified {
            return Err(wrong(format!("there is no digest of {asset}")));
        }
        let connection = remote.connection();
        tracing::warn!(%asset, %connection, "a registry has only a weak digest of a file, or none");
    }
    let at = base(remote, &page(package), &reading.index);
    let path = remote
        .resolve(&at, &file.url)
        .ok_or_else(|| wrong(format!("{asset} has no address on the web")))?;
    let resolve = |reference: &str| remote.resolve(&at, reference);
    let published = reading
        .versions
        .iter()
        .find(|listed| listed.version.as_str() == file.version)
        .and_then(|listed| listed.published);
    Ok(Some(RemoteAsset {
        path,
        promise,
        published,
        version_document: None,
        document: Some(facts(file, &resolve).to_text()),
    }))
}

/// Brings a retained version up to date with its registry's page: marks and later files. A file whose digest changed there
/// stays as it is here.
pub(crate) fn refresh(kept: &mut ListedVersion, seen: &RemoteVersion) {
    kept.document.clone_from(&seen.document);
    for asset in &seen.assets {
        let Some(known) = kept
            .assets
            .iter_mut()
            .find(|known| known.name == asset.name)
        else {
            kept.assets.push(asset.clone());
            continue;
        };
        if let (Some(ours), Some(theirs)) = (&known.bytes.sha256, &asset.bytes.sha256)
            && ours != theirs
        {
            tracing::warn!(file = %asset.name, "a registry changed the bytes of a file; ours stay");
            continue;
        }
        let now = Facts::parse(asset.document.as_deref().unwrap_or_default());
        let mut facts = Facts::parse(known.document.as_deref().unwrap_or_default());
        facts.yanked = now.yanked;
        facts.provenance = now.provenance.or(facts.provenance);
        known.document = Some(facts.to_text().into());
    }
}

/// What a registry says of a project's state, from the document of one of its versions.
pub(crate) fn status(version: &ListedVersion) -> Option<ProjectStatus> {
    serde_json::from_str(version.document.as_deref()?).ok()
}

/// What a file that was taken says of its version. What is wrong with it is only warned of: it is what everybody gets from
/// the registry.
pub(crate) fn inspect(asset: &AssetId, file: &mut dyn ReadSeek, place: &RemoteAsset) -> Described {
    let project = asset.version.package.name.as_str();
    let Some(distribution) = Distribution::parse(asset.name.as_str(), project) else {
        return Described::default();
    };
    let mut warnings = Vec::new();
    let mut asset_document = None;
    if let Err(problem) = archive::check(file, &distribution) {
        warnings.push(format!("{}: {problem}", asset.name));
    }
    let found = archive::core_metadata(file, &distribution)
        .map_err(|error| error.to_string())
        .and_then(|bytes| {
            if let Some(bytes) = &bytes {
                asset_document = corrected(place, &Digests::of(bytes).sha256);
            }
            let metadata = bytes.map(|bytes| Metadata::parse_lossy(&bytes)).transpose();
            metadata.map_err(|error| error.to_string())
        });
    if asset_document.is_some() {
        let name = &asset.name;
        warnings.push(format!(
            "{name}: the metadata beside it is not that within it"
        ));
    }
    let metadata = match found {
        Ok(metadata) => metadata,
        Err(problem) => {
            warnings.push(format!("{}: {problem}", asset.name));
            None
        }
    };
    if let Some(metadata) = &metadata
        && !is_of(metadata, project, &distribution)
    {
        warnings.push(format!(
            "{} says of itself that it is {} {}",
            asset.name, metadata.name, metadata.version
        ));
    }
    for warning in &warnings {
        tracing::warn!(%asset, warning, "a registry's file is not as it should be");
    }
    let mut manifest = metadata.as_ref().map(Metadata::manifest);
    if let Some(manifest) = &mut manifest {
        manifest.warnings = warnings;
    }
    Described {
        manifest,
        asset_document,
        ..Described::default()
    }
}

/// What is to be remembered of a file whose registry promises other metadata than it has: from now on those within it are
/// served, and what pages promise must be what is served.
fn corrected(place: &RemoteAsset, sha256: &str) -> Option<String> {
    let mut facts = Facts::parse(place.document.as_deref()?);
    let promised = facts.core_metadata.as_mut()?;
    if promised == sha256 {
        return None;
    }
    sha256.clone_into(promised);
    Some(facts.to_text())
}

/// Whether metadata is of the project and version of its file.
pub(crate) fn is_of(metadata: &Metadata, project: &str, file: &Distribution<'_>) -> bool {
    name::normalise(&metadata.name).as_deref() == Some(project)
        && version::are_equal(&metadata.version, file.version)
}

/// Whether what a registry sends can be the file: archives begin as archives do, and are no pages.
pub(crate) fn recognise(
    asset: &AssetName,
    content_type: Option<&str>,
    head: &[u8],
) -> Result<(), String> {
    let is_page = content_type.is_some_and(|media_type| {
        let media_type = media_type.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    });
    if is_page {
        return Err(format!("{asset} came as text/html"));
    }
    let begins: &[u8] = match Kind::strip(asset.as_str()) {
        Some((_, Kind::Wheel | Kind::Zip | Kind::Egg)) => b"PK",
        Some((_, Kind::TarGz)) => b"\x1f\x8b",
        Some((_, Kind::TarBz2)) => b"BZh",
        Some((_, Kind::Exe)) => b"MZ",
        None => b"",
    };
    if head.starts_with(begins) {
        Ok(())
    } else {
        Err(format!("{asset} does not begin as an archive does"))
    }
}

/// Whether a file says what its version is: those that are archives with metadata in them.
pub(crate) fn inspects(asset: &AssetName) -> bool {
    matches!(Kind::strip(asset.as_str()), Some((_, kind)) if !matches!(kind, Kind::TarBz2 | Kind::Exe))
}

const _: () = assert!(SIDECAR.limit_bytes as u64 == metadata::MAX_BYTES);
