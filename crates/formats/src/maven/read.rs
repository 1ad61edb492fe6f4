//! GET and HEAD: files, checksums, metadata.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use catalog::{
    Asset, AssetName, AssetRecord, Error, Kind, ListedVersion, OpenRepository, PackageId, Purpose,
    Result, Status, Timestamp,
};
use http::request::Parts;
use http::{Method, Response};
use moka::sync::Cache;

use super::document::{self, ArtifactPart, Metadata, Plugin, SnapshotFile};
use super::request::{Algorithm, Directory, File, FileKind, Path, Target};
use super::snapshot::{Snapshot, Stamp, compact};
use super::{notes, remote};
use crate::deliver::deliver;
use crate::document::Document;
use crate::protocol::Body;

pub(crate) async fn answer(
    seen: &Seen,
    parts: &Parts,
    repository: &OpenRepository,
    path: &Path,
) -> Result<Response<Body>> {
    let document = match &path.target {
        Target::Metadata(directory) => {
            let place = Place::of(seen, repository, directory);
            if path.checksums.is_empty() {
                let document = render(repository, directory).await?;
                place.remember(document)
            } else {
                let document = match place.last() {
                    Some(last) => {
                        repository.may_read().await?;
                        last
                    }
                    None => place.remember(render(repository, directory).await?),
                };
                let hex = chain(document.digests(), &path.checksums);
                Document::new(hex, "text/plain", document.changed())
            }
        }
        Target::File(file) if path.checksums.is_empty() => {
            let purpose = if parts.method == Method::HEAD {
                Purpose::Look
            } else {
                Purpose::Take
            };
            let asset = open(repository, file, purpose).await?;
            let content_type = content_type(file.name.as_str());
            return deliver(&parts.method, &parts.headers, asset, content_type, []).await;
        }
        Target::File(file) => {
            let asset = open(repository, file, Purpose::Look)
                .await?
                .settled()
                .await?;
            let digests = asset
                .digests()
                .ok_or_else(|| not_found(&file.id().to_string()))?;
            let hex = chain(digests, &path.checksums);
            Document::new(hex, "text/plain", Some(asset.modified))
        }
    };
    Ok(document.answer(&parts.method, &parts.headers).await)
}

/// The checksum of a checksum of …, as hex. The first is of the file itself.
pub(crate) fn chain(digests: &catalog::Digests, checksums: &[Algorithm]) -> String {
    let Some((first, further)) = checksums.split_first() else {
        return String::new();
    };
    further
        .iter()
        .fold(first.of(digests).to_owned(), |hex, algorithm| {
            algorithm
                .of(&catalog::Digests::of(hex.as_bytes()))
                .to_owned()
        })
}

/// Opens a file wherever it is. Snapshots are only ever looked at: one retained from an upstream repository would not
/// change any more, and what a snapshot is for is to change.
async fn open(repository: &OpenRepository, file: &File, purpose: Purpose) -> Result<Asset> {
    match &file.kind {
        FileKind::Release => repository.asset(&file.id(), purpose).await,
        FileKind::Stamped(snapshot, stamp) => {
            let current = match repository.asset(&file.id(), Purpose::Look).await {
                Err(error) if is_absent(&error) => error,
                settled => return settled,
            };
            let Some(build) = snapshot.build(stamp) else {
                return Err(current);
            };
            match repository
                .asset(&file.in_version(build.clone()), Purpose::Look)
                .await
            {
                Err(error) if is_absent(&error) => {}
                settled => return settled,
            }
            // A build of plain-named files, asked for by the name that Maven would have given it.
            let Some(plain) =
                restated(file, &stamped(snapshot, stamp), snapshot.version().as_str())
            else {
                return Err(current);
            };
            let id = file.package.version(build).asset(plain);
            match repository.asset(&id, Purpose::Look).await {
                Err(error) if is_absent(&error) => Err(current),
                settled => settled,
            }
        }
        FileKind::Plain(snapshot) => {
            let absent = match repository.asset(&file.id(), Purpose::Look).await {
                Err(error) if is_absent(&error) => error,
                settled => return settled,
            };
            let version = file.package.version(file.directory.clone());
            let Some((_, files)) = repository.recorded(&version).await? else {
                return Err(absent);
            };
            let newest = files
                .iter()
                .filter_map(|record| {
                    let (stamp, _) = stated(&file.package, snapshot, &record.name)?;
                    let stamp = stamp?;
                    let name = restated(
                        file,
                        snapshot.version().as_str(),
                        &stamped(snapshot, &stamp),
                    )?;
                    (name == record.name).then_some((stamp, name))
                })
                .max_by(|a, b| a.0.cmp(&b.0));
            match newest {
                Some((_, name)) => {
                    let id = version.asset(name);
                    repository.asset(&id, Purpose::Look).await
                }
                None => Err(absent),
            }
        }
    }
}

fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. } | Error::Held(_))
}

fn stamped(snapshot: &Snapshot, stamp: &Stamp) -> String {
    format!("{}{stamp}", snapshot.base())
}

/// The file's name with another statement of its version.
fn restated(file: &File, from: &str, to: &str) -> Option<AssetName> {
    let artifact = file.package.name.as_str();
    let rest = file
        .name
        .as_str()
        .strip_prefix(artifact)?
        .strip_prefix('-')?;
    format!("{artifact}-{to}{}", rest.strip_prefix(from)?)
        .parse()
        .ok()
}

/// What a file of a snapshot says of its build, if anything, and what follows: `-sources.jar`.
pub(crate) fn stated<'a>(
    package: &PackageId,
    snapshot: &Snapshot,
    name: &'a AssetName,
) -> Option<(Option<Stamp>, &'a str)> {
    let rest = name
        .as_str()
        .strip_prefix(package.name.as_str())?
        .strip_prefix('-')?;
    if let Some(suffix) = rest.strip_prefix(snapshot.version().as_str()) {
        return Some((None, suffix));
    }
    let (stamp, suffix) = Stamp::parse_prefix(rest.strip_prefix(snapshot.base())?)?;
    Some((Some(stamp), suffix))
}

fn content_type(name: &str) -> &'static str {
    let (_, extension) = name.rsplit_once('.').unwrap_or_default();
    match extension {
        "pom" | "xml" => "application/xml",
        "jar" | "war" | "ear" | "aar" => "application/java-archive",
        "module" => "application/vnd.org.gradle.module+json",
        "zip" => "application/zip",
        "asc" => "text/plain",
        _ => "application/octet-stream",
    }
}

fn not_found(what: &str) -> Error {
    Error::NotFound {
        kind: Kind::Asset,
        id: what.to_owned(),
        message: format!("there is no {what} in this repository"),
    }
}

/// The metadata document of a directory.
async fn render(repository: &OpenRepository, directory: &Directory) -> Result<Document> {
    let rendered = match directory.snapshot() {
        Some((package, snapshot)) => render_snapshot(repository, &package, &snapshot).await?,
        None => render_group(repository, directory).await?,
    };
    let (body, changed) = rendered.ok_or_else(|| not_found(&directory.document()))?;
    Ok(Document::new(body, "application/xml", changed))
}

type Rendered = Option<(String, Option<Timestamp>)>;

/// A directory may be that of an artifact, of a group with plugins, or of both.
async fn render_group(repository: &OpenRepository, directory: &Directory) -> Result<Rendered> {
    repository.may_read().await?;
    let package = directory.package();
    let listing = match &package {
        Some(package) => repository.package(package).await,
        None => Ok(None),
    };
    let noted = match directory.group() {
        Some(group) => notes::plugins(repository, &group).await?,
        None => Vec::new(),
    };
    // A registry that cannot be asked is no reason to hide the plugins that are known here.
    let listing = match listing {
        Err(Error::Remote(_)) if !noted.is_empty() => None,
        listing => listing?,
    };
    let versions: Vec<&ListedVersion> = listing
        .iter()
        .flat_map(|listing| &listing.versions)
        .filter(|listed| {
            listed.status == Status::Published && document::is_listed(listed.version.as_str())
        })
        .collect();
    let mut changed = noted.iter().map(|(_, written)| *written).max();
    let artifact = match (&package, &listing) {
        (Some(package), Some(listing)) if !versions.is_empty() => {
            changed = changed.max(Some(listing.changed));
            Some(ArtifactPart {
                group: package.namespace_text(),
                artifact: package.name.as_str(),
                versions: &versions,
                changed: listing.changed,
            })
        }
        _ => None,
    };
    let mut plugins: Vec<Plugin> = Vec::new();
    add_plugins(&mut plugins, noted.into_iter().map(|(plugin, _)| plugin));
    if artifact.is_none() || !plugins.is_empty() {
        let path = directory.document();
        match repository.remote_documents(&path, &remote::GROUP).await {
            Ok(documents) => {
                for body in documents {
                    if let Ok(metadata) = Metadata::parse_remote(&body) {
                        add_plugins(&mut plugins, metadata.plugins);
                    }
                }
            }
            Err(error) if artifact.is_none() && plugins.is_empty() => return Err(error),
            Err(error) => tracing::debug!(%error, path, "group metadata without a registry's"),
        }
    }
    if artifact.is_none() && plugins.is_empty() {
        return Ok(None);
    }
    Ok(Some((
        document::render(artifact.as_ref(), &plugins),
        changed,
    )))
}

/// Of two plugins with one prefix the first stays: it is of the nearer repository.
fn add_plugins(plugins: &mut Vec<Plugin>, further: impl IntoIterator<Item = Plugin>) {
    for plugin in further {
        let is_usable = !plugin.prefix.is_empty() && !plugin.artifact.is_empty();
        if is_usable && plugins.iter().all(|known| known.prefix != plugin.prefix) {
            plugins.push(plugin);
        }
    }
}

async fn render_snapshot(
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
) -> Result<Rendered> {
    let version = package.version(snapshot.version().clone());
    let Some((record, files)) = repository.recorded(&version).await? else {
        return Ok(None);
    };
    if !matches!(record.status, Status::Published | Status::Unlisted) {
        return Ok(None);
    }
    let pairs = notes::current(repository, package, snapshot).await?.pairs;
    let changed = files.iter().map(|file| file.modified).max();
    let (build, files) = snapshot_files(package, snapshot, &files, &pairs);
    if files.is_empty() {
        return Ok(None);
    }
    let body = document::render_snapshot(
        package.namespace_text(),
        package.name.as_str(),
        snapshot,
        build.as_ref(),
        &files,
    );
    Ok(Some((body, changed)))
}

/// The files of the current build as its document lists them, and its stamp if their names have one.
pub(crate) fn snapshot_files(
    package: &PackageId,
    snapshot: &Snapshot,
    files: &[AssetRecord],
    pairs: &[(String, String)],
) -> (Option<Stamp>, Vec<SnapshotFile>) {
    let mut build = None;
    let listed = files
        .iter()
        .filter_map(|file| {
            let (stamp, suffix) = stated(package, snapshot, &file.name)?;
            let (classifier, extension) = split(suffix, pairs)?;
            let (value, updated) = match &stamp {
                Some(stamp) => (stamped(snapshot, stamp), stamp.updated()),
                None => (snapshot.version().to_string(), compact(file.modified)),
            };
            build = build.take().max(stamp);
            Some(SnapshotFile {
                classifier,
                extension,
                value,
                updated,
            })
        })
        .collect();
    (build, listed)
}

/// Cuts `-sources.jar` into classifier and extension: as the uploader said, else before the longest extension that is
/// known to have several dots, else before the last dot.
fn split(suffix: &str, pairs: &[(String, String)]) -> Option<(String, String)> {
    let said = pairs.iter().find(|(classifier, extension)| {
        let rest = if classifier.is_empty() {
            Some(suffix)
        } else {
            suffix
                .strip_prefix('-')
                .and_then(|rest| rest.strip_prefix(classifier.as_str()))
        };
        rest.and_then(|rest| rest.strip_prefix('.')) == Some(extension)
    });
    if let Some(said) = said {
        return Some(said.clone());
    }
    if let Some(extension) = suffix.strip_prefix('.') {
        return (!extension.is_empty()).then(|| (String::new(), extension.to_owned()));
    }
    let name = suffix.strip_prefix('-')?;
    let unsigned = name.strip_suffix(".asc").unwrap_or(name);
    let end = [".tar.gz", ".tar.bz2", ".tar.xz"]
        .iter()
        .find_map(|known| unsigned.strip_suffix(known))
        .or_else(|| unsigned.rsplit_once('.').map(|(classifier, _)| classifier))
        .map(str::len)?;
    let (classifier, extension) = name.split_at(end);
    let extension = extension.strip_prefix('.')?;
    (!classifier.is_empty() && !extension.is_empty())
        .then(|| (classifier.to_owned(), extension.to_owned()))
}

/// How long a caller's checksum requests are answered about the document that this caller was sent.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Bytes of documents that are kept for that.
const REMEMBERED_BYTES: u64 = 32 * 1024 * 1024;

/// The document that each caller last saw at each place, by [`Place`]: Maven fetches the checksum in a second request,
/// and a version published between the two must not make it fail.
pub(crate) struct Seen {
    documents: Cache<(String, u64), Document>,
    /// Hashes with a key of its own, so that nobody can look for two callers whose hashes are the same.
    hasher: RandomState,
}

impl Default for Seen {
    fn default() -> Self {
        let documents = Cache::builder()
            .time_to_live(REMEMBERED)
            .max_capacity(REMEMBERED_BYTES)
            .weigher(|(place, _): &(String, u64), document: &Document| {
                u32::try_from(place.len() + document.body().len()).unwrap_or(u32::MAX)
            })
            .build();
        Self {
            documents,
            hasher: RandomState::new(),
        }
    }
}

/// A metadata document of a repository, as one caller sees it.
struct Place<'a> {
    seen: &'a Seen,
    path: String,
    caller: u64,
}

impl<'a> Place<'a> {
    fn of(seen: &'a Seen, repository: &OpenRepository, directory: &Directory) -> Self {
        let at = repository.repository();
        Self {
            seen,
            path: format!(
                "{}/{}/{}/{directory}",
                at.domain.owner, at.domain.name, at.name
            ),
            caller: seen.hasher.hash_one(repository.caller().access_key_id()),
        }
    }

    fn last(&self) -> Option<Document> {
        self.seen.documents.get(&(self.path.clone(), self.caller))
    }

    /// Remembers a document as the one that the caller saw. The same bytes again are the same document, which keeps
    /// what was derived from them.
    fn remember(self, document: Document) -> Document {
        // What everybody saw last.
        let anybody = (self.path.clone(), 0);
        let document = match self.seen.documents.get(&anybody) {
            Some(last)
                if last.body() == document.body() && last.changed() == document.changed() =>
            {
                last
            }
            _ => {
                self.seen.documents.insert(anybody, document.clone());
                document
            }
        };
        let place = (self.path, self.caller);
        self.seen.documents.insert(place, document.clone());
        document
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_cut_as_said_or_as_usual() {
        let said = [
            ("x.y".to_owned(), "tar.gz".to_owned()),
            (String::new(), "a.b".to_owned()),
        ];
        for (suffix, expected) in [
            (".jar", Some(("", "jar"))),
            (".jar.asc", Some(("", "jar.asc"))),
            (".a.b", Some(("", "a.b"))),
            ("-sources.jar", Some(("sources", "jar"))),
            ("-sources.jar.asc", Some(("sources", "jar.asc"))),
            ("-bin.tar.gz", Some(("bin", "tar.gz"))),
            ("-bin.tar.gz.asc", Some(("bin", "tar.gz.asc"))),
            ("-x.y.tar.gz", Some(("x.y", "tar.gz"))),
            ("-x.y.jar", Some(("x.y", "jar"))),
            ("", None),
            (".", None),
            ("-", None),
            ("-sources", None),
            ("-.jar", None),
        ] {
            let cut = split(suffix, &said);
            let cut = cut.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            assert_eq!(cut, expected, "{suffix}");
        }
    }

    #[test]
    fn checksums_of_checksums_are_of_their_text() {
        let digests = catalog::Digests::of(b"abc");
        assert_eq!(chain(&digests, &[Algorithm::Md5]), digests.md5);
        let of_md5 = catalog::Digests::of(digests.md5.as_bytes());
        assert_eq!(
            chain(&digests, &[Algorithm::Md5, Algorithm::Sha1]),
            of_md5.sha1
        );
    }

    #[test]
    fn of_two_plugins_with_one_prefix_the_nearer_counts() {
        let plugin = |prefix: &str, artifact: &str| Plugin {
            name: String::new(),
            prefix: prefix.into(),
            artifact: artifact.into(),
        };
        let mut plugins = vec![plugin("acme", "near")];
        add_plugins(
            &mut plugins,
            [
                plugin("acme", "far"),
                plugin("other", "far"),
                plugin("", "x"),
            ],
        );
        let seen: Vec<_> = plugins.iter().map(|one| one.artifact.as_str()).collect();
        assert_eq!(seen, ["near", "far"]);
    }
}
