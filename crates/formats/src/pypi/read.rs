//! GET and HEAD: pages, files, metadata, attestations.

use std::io;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use catalog::{
    Asset, Digests, Error, Kind as Thing, ListedAsset, ListedVersion, Listing, OpenRepository,
    Origin, OriginType, PackageId, Purpose, Result, Timestamp,
};
use futures_util::StreamExt as _;
use http::header::{CACHE_CONTROL, RANGE, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use moka::sync::Cache;
use tokio::runtime::Handle;

use super::archive::{self, ArchiveError};
use super::document::{self, File, Page};
use super::facts::{CoreMetadata, Facts};
use super::filename::{Distribution, Kind};
use super::negotiate::Form;
use super::request::Place;
use super::{Pypi, Rules, remote, version};
use crate::deliver::deliver;
use crate::document::Document;
use crate::protocol::Body;
use crate::refusal::Refusal;

/// Projects that are read from the database at a time.
const PROJECTS: u32 = 1000;
/// Bytes of metadata that are held in memory.
const METADATA_BYTES: u64 = 32 * 1024 * 1024;

/// The page of a project, in the form that the client prefers.
pub(crate) async fn page(
    parts: &Parts,
    repository: &OpenRepository,
    package: &PackageId,
    rules: Rules,
) -> Result<Response<Body>> {
    let Some(form) = Form::wanted(&parts.headers) else {
        return Ok(not_acceptable());
    };
    let variant = form.content_type();
    let rendered = repository
        .rendered(package, variant, move |listing| {
            render(listing, form, rules)
        })
        .await?;
    let document = rendered.ok_or_else(|| no_project(package))?;
    Ok(paged(document.answer(&parts.method, &parts.headers).await))
}

/// The projects that this very repository records.
pub(crate) async fn list(parts: &Parts, repository: &OpenRepository) -> Result<Response<Body>> {
    let Some(form) = Form::wanted(&parts.headers) else {
        return Ok(not_acceptable());
    };
    let mut names = Vec::new();
    let mut last: Option<PackageId> = None;
    loop {
        let packages = repository.packages(last.as_ref(), PROJECTS).await?;
        names.extend(packages.iter().map(|package| package.name.to_string()));
        match packages.last() {
            Some(package) if packages.len() == PROJECTS as usize => last = Some(package.clone()),
            _ => break,
        }
    }
    // Without a time: a project that goes away changes the list, and no time in it.
    let document = Document::new(document::list(&names, form), form.content_type(), None);
    Ok(paged(document.answer(&parts.method, &parts.headers).await))
}

/// The headers of pages, which depend on what the client accepts and are asked about anew each time.
fn paged(mut answer: Response<Body>) -> Response<Body> {
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=0, must-revalidate"),
    );
    answer
}

fn not_acceptable() -> Response<Body> {
    let known = "this page is served as application/vnd.pypi.simple.v1+json, \
                 application/vnd.pypi.simple.v1+html and text/html";
    paged(Refusal::new(StatusCode::NOT_ACCEPTABLE, known).answer(None))
}

fn no_project(package: &PackageId) -> Error {
    Error::NotFound {
        kind: Thing::Package,
        id: package.name.to_string(),
        message: format!("there is no project {} in this repository", package.name),
    }
}

fn render(listing: Listing, form: Form, rules: Rules) -> Result<Document> {
    let name = listing.package.name.to_string();
    let changed = listing.changed;
    let is_partial = listing.is_partial;
    let body = with_page(&name, listing, rules, |page| {
        (!page.files.is_empty()).then(|| page.render(form))
    });
    match body {
        Some(body) => Ok(Document::new(body, form.content_type(), Some(changed))),
        // What is missing may be all there is: clients believe that there is nothing, and look elsewhere.
        None if is_partial => Err(Error::Unavailable(
            "the registry that may have versions cannot be asked".into(),
        )),
        None => Err(Error::NotFound {
            kind: Thing::Package,
            message: format!("no version of {name} can be had in this repository"),
            id: name,
        }),
    }
}

/// Makes a page of a list, and something of the page.
fn with_page<T>(
    name: &str,
    listing: Listing,
    rules: Rules,
    then: impl FnOnce(&Page<'_>) -> T,
) -> T {
    let status = listing.versions.iter().rev().find_map(remote::status);
    let mut read: Vec<(ListedVersion, Vec<Facts>)> = Vec::with_capacity(listing.versions.len());
    for mut version in listing.versions {
        version.assets.sort_by(|a, b| a.name.cmp(&b.name));
        let facts = version
            .assets
            .iter()
            .map(|asset| Facts::parse(asset.document.as_deref().unwrap_or_default()))
            .collect();
        read.push((version, facts));
    }
    let mut page = Page {
        name,
        status: status.as_ref(),
        ..Page::default()
    };
    for (version, facts) in &read {
        if !version.assets.is_empty() {
            page.versions.push(version.version.as_str());
        }
        for (asset, facts) in version.assets.iter().zip(facts) {
            page.files.push(file(version, asset, facts, rules));
        }
    }
    then(&page)
}

fn file<'a>(
    version: &'a ListedVersion,
    asset: &'a ListedAsset,
    facts: &'a Facts,
    rules: Rules,
) -> File<'a> {
    let bytes = &asset.bytes;
    let strongest = [
        ("sha256", &bytes.sha256),
        ("sha512", &bytes.sha512),
        ("sha1", &bytes.sha1),
        ("md5", &bytes.md5),
    ]
    .into_iter()
    .find_map(|(algorithm, digest)| Some((algorithm, digest.as_deref()?)));
    let is_wheel = matches!(Kind::strip(asset.name.as_str()), Some((_, Kind::Wheel)));
    let is_ours = matches!(
        version.origin,
        Origin {
            origin_type: OriginType::Internal,
            ..
        }
    );
    let core_metadata = match (&facts.core_metadata, is_wheel) {
        (Some(sha256), true) => CoreMetadata::Sha256(sha256),
        // It can be read from every wheel, here or where it is.
        (None, true) if is_ours || rules.synthesizes_metadata => CoreMetadata::Unhashed,
        _ => CoreMetadata::None,
    };
    File {
        filename: asset.name.as_str(),
        version: version.version.as_str(),
        hashes: strongest.into_iter().collect(),
        size_bytes: bytes.size_bytes,
        requires_python: facts.requires_python.as_deref(),
        uploaded: facts.uploaded.clone().or_else(|| {
            // The time of taking a file is not that of its upload.
            let modified = asset.modified.filter(|_| is_ours)?;
            Some(upload_time(modified))
        }),
        yanked: facts.yanked.as_deref(),
        core_metadata,
        has_provenance: facts.provenance.is_some() || facts.attestations.is_some(),
    }
}

/// `2026-01-01T00:00:00.000000Z`: with six digits, as the standard wants.
fn upload_time(at: Timestamp) -> String {
    let whole = Timestamp::from_seconds(at.seconds()).iso8601();
    let seconds = whole.get(..19).unwrap_or(&whole);
    format!("{seconds}.{:03}000Z", at.millis().rem_euclid(1000))
}

/// A distribution file.
pub(crate) async fn asset(
    parts: &Parts,
    repository: &OpenRepository,
    place: &Place,
) -> Result<Response<Body>> {
    // Resolvers look into many wheels for one that they take: a part is passed on, and only the whole is kept.
    let purpose = if parts.method == Method::HEAD || parts.headers.contains_key(RANGE) {
        Purpose::Look
    } else {
        Purpose::Take
    };
    let asset = find(repository, place, purpose).await?;
    let content_type = "application/octet-stream";
    deliver(&parts.method, &parts.headers, asset, content_type, []).await
}

/// The file at a place, whose version may be spelled in another way than the one that is recorded or listed.
async fn find(repository: &OpenRepository, place: &Place, purpose: Purpose) -> Result<Asset> {
    let name = place.name.as_str();
    let stated = Distribution::parse(name, place.package.name.as_str())
        .filter(|file| version::are_equal(file.version, &place.version))
        .and_then(|file| version::as_given(file.version).ok());
    let asked = version::as_given(&place.version).ok();
    let (Some(stated), Some(mut asked)) = (stated, asked) else {
        return Err(no_file(place));
    };
    // Pages spell a version as most of its files do. Who spells it otherwise has not got that from a page.
    if stated != asked
        && let Some(listing) = repository.package(&place.package).await?
        && let Some(listed) = listing
            .versions
            .into_iter()
            .find(|listed| version::are_equal(listed.version.as_str(), asked.as_str()))
    {
        asked = listed.version;
    }
    let id = place.package.version(asked).asset(place.name.clone());
    repository.asset(&id, purpose).await
}

fn no_file(place: &Place) -> Error {
    Error::NotFound {
        kind: Thing::Asset,
        id: place.name.to_string(),
        message: format!("there is no {} in this repository", place.name),
    }
}

/// Core metadata that was read, by what [`key`] says of its wheel; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Seen(Cache<String, Bytes>);

impl Default for Seen {
    fn default() -> Self {
        let kept =
            Cache::builder()
                .max_capacity(METADATA_BYTES)
                .weigher(|_: &String, bytes: &Bytes| {
                    u32::try_from(bytes.len() + 64).unwrap_or(u32::MAX)
                });
        Self(kept.build())
    }
}

/// The core metadata of a wheel (PEP 658), wherever the wheel is: from the registry if it has it beside the file, else out
/// of the wheel, of which no more is read than is needed.
///
/// Clients that were told of it do not take the wheel instead when it is not there, so it is never simply "not there".
pub(crate) async fn metadata(
    parts: &Parts,
    repository: &OpenRepository,
    place: &Place,
    pypi: &Pypi,
) -> Result<Response<Body>> {
    let Pypi {
        rules,
        seen: Seen(seen),
        ..
    } = pypi;
    let asset = find(repository, place, Purpose::Look).await?;
    let modified = asset.modified;
    if asset.is_elsewhere() && !rules.synthesizes_metadata {
        let facts = Facts::parse(asset.promised_document().unwrap_or_default());
        if facts.core_metadata.is_none() {
            return Err(Error::NotFound {
                kind: Thing::Asset,
                id: place.name.to_string(),
                message: format!("its registry has no metadata beside {}", place.name),
            });
        }
    }
    let asset = if asset.is_elsewhere() {
        asset
    } else {
        asset.settled().await?
    };
    let key = key(repository, place, &asset);
    let known = key.as_ref().and_then(|key| seen.get(key));
    let bytes = match known {
        Some(bytes) => bytes,
        None => match read_metadata(asset, place).await? {
            Ok(bytes) => {
                if let Some(key) = key {
                    seen.insert(key, bytes.clone());
                }
                bytes
            }
            Err(problem) => {
                let message = format!("the metadata of {} cannot be read: {problem}", place.name);
                return Ok(Refusal::new(StatusCode::BAD_GATEWAY, message).answer(None));
            }
        },
    };
    let document = Document::new(bytes, "text/plain; charset=utf-8", Some(modified));
    Ok(document.answer(&parts.method, &parts.headers).await)
}

/// Under what metadata is remembered. What a registry only promises is believed where it was promised, and nowhere else.
fn key(repository: &OpenRepository, place: &Place, asset: &Asset) -> Option<String> {
    let sha256 = asset.sha256()?;
    if !asset.is_elsewhere() {
        return Some(sha256.to_owned());
    }
    let place_of_promise = &repository.repository().arn;
    let facts = Facts::parse(asset.promised_document().unwrap_or_default());
    Some(format!(
        "{place_of_promise}/{}/{}/{sha256}/{}",
        place.package.name,
        place.name,
        facts.core_metadata.unwrap_or_default()
    ))
}

async fn read_metadata(asset: Asset, place: &Place) -> Result<std::result::Result<Bytes, String>> {
    if asset.is_elsewhere() {
        let facts = Facts::parse(asset.promised_document().unwrap_or_default());
        if let Some(promised) = facts.core_metadata {
            match asset.beside(".metadata", &remote::SIDECAR).await {
                Ok(Some(document)) if Digests::of(&document.body).sha256 == promised => {
                    return Ok(Ok(document.body));
                }
                Ok(_) => {
                    tracing::warn!(file = %place.name, "a registry has other metadata of a wheel than it promises");
                }
                Err(error) => return Err(error),
            }
        }
    }
    let has_parts = match asset.size_bytes() {
        Some(size) if asset.is_elsewhere() && size > 0 => {
            asset.part(size - 1..size).await?.is_some()
        }
        size => size.is_some(),
    };
    let asset = if has_parts {
        asset
    } else {
        asset.settled().await?
    };
    let mut reader = AssetReader::new(asset);
    let (name, project) = (place.name.clone(), place.package.name.clone());
    let read = tokio::task::spawn_blocking(move || {
        let file = Distribution::parse(name.as_str(), project.as_str())
            .ok_or_else(|| archive::bad("its name is that of no distribution"))?;
        archive::core_metadata(&mut reader, &file)
    });
    let read = read.await.map_err(|error| Error::Internal(error.into()))?;
    match read {
        Ok(Some(bytes)) => Ok(Ok(bytes.into())),
        Ok(None) => Ok(Err("it has none".to_owned())),
        Err(ArchiveError::Bad(problem)) => Ok(Err(problem)),
        Err(ArchiveError::Unread(error)) => Err(Error::Unavailable(error.into())),
    }
}

/// A file that is read piece by piece, on a thread that may block, wherever it is.
struct AssetReader {
    asset: Arc<Asset>,
    handle: Handle,
    size: u64,
    at: u64,
}

impl AssetReader {
    fn new(asset: Asset) -> Self {
        Self {
            size: asset.size_bytes().unwrap_or_default(),
            asset: Arc::new(asset),
            handle: Handle::current(),
            at: 0,
        }
    }
}

impl Read for AssetReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.size.min(self.at.saturating_add(buffer.len() as u64));
        if self.at >= end {
            return Ok(0);
        }
        let (asset, range) = (Arc::clone(&self.asset), self.at..end);
        let bytes = self.handle.block_on(async move {
            let length = range.end - range.start;
            let pieces = asset.part(range).await.map_err(io::Error::other)?;
            let mut pieces = pieces.ok_or(io::ErrorKind::Unsupported)?;
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.next().await {
                bytes.extend_from_slice(&piece?);
                if bytes.len() as u64 > length {
                    return Err(io::Error::other("more than was asked for"));
                }
            }
            Ok(bytes)
        })?;
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for AssetReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The attestations of a file (PEP 740): those that came with its upload and were verified, or what its registry has.
pub(crate) async fn provenance(
    parts: &Parts,
    repository: &OpenRepository,
    place: &Place,
) -> Result<Response<Body>> {
    let none = || Error::NotFound {
        kind: Thing::Asset,
        id: place.name.to_string(),
        message: format!("there are no verified attestations of {}", place.name),
    };
    let listing = repository.package(&place.package).await?;
    let listing = listing.ok_or_else(|| no_project(&place.package))?;
    let document = listing
        .versions
        .iter()
        .filter(|listed| version::are_equal(listed.version.as_str(), &place.version))
        .flat_map(|listed| &listed.assets)
        .find(|asset| asset.name == place.name)
        .ok_or_else(|| no_file(place))?
        .document
        .as_deref();
    let facts = Facts::parse(document.unwrap_or_default());
    let body = if let Some(text) = facts.attestations {
        text.into()
    } else {
        let address = facts.provenance.ok_or_else(none)?;
        let documents = repository.remote_documents(&address, &remote::PROVENANCE);
        documents.await?.into_iter().next().ok_or_else(none)?
    };
    let document = Document::new(body, "application/vnd.pypi.integrity.v1+json", None);
    Ok(document.answer(&parts.method, &parts.headers).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upload_times_have_six_digits() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_767_225_600_123, "2026-01-01T00:00:00.123000Z"),
        ] {
            assert_eq!(upload_time(Timestamp::from_millis(millis)), expected);
        }
    }
}
