//! A public registry in the Maven layout: its version lists, its files and their checksums.

use std::time::Duration;

use catalog::{
    Asking, AssetId, AssetName, PackageId, Promise, Remote, RemoteAsset, RemoteError,
    RemoteListing, RemoteVersion, Retention, Version,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::document::Metadata;
use super::request::{Algorithm, METADATA};
use super::snapshot::{Snapshot, is_build, parse_compact};

/// How versions get here and change: new files are found later, published versions take more of them, lists are at most
/// half an hour old.
pub(crate) const RETENTION: Retention = Retention {
    upstream: true,
    late_assets: true,
    open_ended: true,
    list_lifetime: Duration::from_mins(30),
    absence_lifetime: Duration::from_mins(10),
};

/// How artifact level documents are asked for.
pub(crate) const ARTIFACT: Asking = Asking {
    accept: "*/*",
    limit_bytes: 20 * 1024 * 1024,
    lifetime: RETENTION.list_lifetime,
    absence_lifetime: RETENTION.absence_lifetime,
};

/// How group level documents are asked for: most groups have none, and get none soon.
pub(crate) const GROUP: Asking = Asking {
    absence_lifetime: Duration::from_hours(1),
    ..ARTIFACT
};

/// Bytes of a checksum file, at most.
const CHECKSUM_BYTES: usize = 1024;

/// What cannot stand in a path as it is (RFC 3986, section 3.3).
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Which versions a registry lists. Snapshots are left out, as are versions that no version can be.
pub(crate) async fn look_up(
    remote: &Remote,
    package: &PackageId,
) -> Result<Option<RemoteListing>, RemoteError> {
    let path = format!("{}/{METADATA}", directory(package));
    let Some(document) = remote.document(&path, &ARTIFACT).await? else {
        return Ok(None);
    };
    let metadata = Metadata::parse_remote(&document.body).map_err(|error| RemoteError::Wrong {
        connection: remote.connection().clone(),
        message: format!("its versions of {package} cannot be read: {error}"),
    })?;
    if !metadata.has_versioning && metadata.artifact.is_none() {
        // The document of a group of this name.
        return Ok(None);
    }
    let last_updated = metadata.last_updated.as_deref().and_then(parse_compact);
    let versions = metadata
        .versions
        .iter()
        .filter(|version| Snapshot::parse(version).is_none() && !is_build(version))
        .filter_map(|version| parse_version(version))
        .map(RemoteVersion::named)
        .collect();
    Ok(Some(RemoteListing {
        versions,
        labels: std::collections::BTreeMap::new(),
        changed: last_updated.unwrap_or(document.changed),
    }))
}

/// A version that can stand in a path of this layout.
fn parse_version(text: &str) -> Option<Version> {
    let is_path = !matches!(text, "." | "..") && !text.contains(['\\', '%', '?']);
    is_path.then(|| text.parse().ok()).flatten()
}

/// Where a registry has a file, with the strongest checksum beside it.
///
/// Whether it is there is asked first: most of what is asked for in the background is not, and would cost five requests
/// to be missed otherwise. It also goes alone because after an outage one request at a time is let through. A checksum
/// that cannot be asked for is an error: taking a weaker one instead would let a fault, or whoever causes it, choose.
pub(crate) async fn locate(
    remote: &Remote,
    asset: &AssetId,
    accepts_unverified: bool,
) -> Result<Option<RemoteAsset>, RemoteError> {
    let version = asset.version.version.as_str();
    if Snapshot::parse(version).is_some() || is_build(version) {
        return Ok(None);
    }
    let path = format!(
        "{}/{}/{}",
        directory(&asset.version.package),
        utf8_percent_encode(version, RESERVED),
        utf8_percent_encode(asset.name.as_str(), RESERVED),
    );
    if remote.head(&path).await?.is_none() {
        return Ok(None);
    }
    let [sha512, sha256, sha1, md5] = Algorithm::ALL.map(|one| Checksum::new(remote, &path, one));
    let (sha512, sha256, sha1) = futures_util::join!(sha512.read(), sha256.read(), sha1.read());
    let mut is_garbled = false;
    for found in [sha512, sha256, sha1] {
        match found? {
            Found::Promise(promise) => return Ok(Some(placed(path, promise))),
            Found::Garbage => is_garbled = true,
            Found::Nothing => {}
        }
    }
    match md5.read().await? {
        Found::Promise(promise) => return Ok(Some(placed(path, promise))),
        Found::Garbage => is_garbled = true,
        Found::Nothing => {}
    }
    if is_garbled || !accepts_unverified {
        let what = if is_garbled {
            "no checksum that can be read"
        } else {
            "no checksum"
        };
        return Err(RemoteError::Wrong {
            connection: remote.connection().clone(),
            message: format!("there is {what} beside {asset}"),
        });
    }
    // A signature proves more than a checksum beside it could.
    let is_signature = matches!(asset.name.as_str().rsplit_once('.'), Some((_, "asc")));
    if !is_signature {
        let connection = remote.connection();
        tracing::warn!(%asset, %connection, "a registry has no checksum for a file; it is taken unverified");
    }
    Ok(Some(placed(path, Promise::default())))
}

fn placed(path: String, promise: Promise) -> RemoteAsset {
    RemoteAsset {
        path,
        promise,
        ..RemoteAsset::default()
    }
}

/// A checksum file beside an asset.
struct Checksum<'a> {
    remote: &'a Remote,
    path: String,
    algorithm: Algorithm,
}

enum Found {
    Promise(Promise),
    Garbage,
    Nothing,
}

impl<'a> Checksum<'a> {
    fn new(remote: &'a Remote, path: &str, algorithm: Algorithm) -> Self {
        let path = format!("{path}.{}", algorithm.as_str());
        Self {
            remote,
            path,
            algorithm,
        }
    }

    async fn read(&self) -> Result<Found, RemoteError> {
        let body = self.remote.read(&self.path, CHECKSUM_BYTES).await?;
        Ok(match body {
            None => Found::Nothing,
            Some(body) => {
                parse_checksum(&body, self.algorithm).map_or(Found::Garbage, Found::Promise)
            }
        })
    }
}

/// The first word that is a digest of this kind: files hold it alone, as `md5sum` prints it, or as `SHA1(x.jar)= …`.
fn parse_checksum(body: &[u8], algorithm: Algorithm) -> Option<Promise> {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let digest = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| {
            word.len() == algorithm.digits() && word.bytes().all(|b| b.is_ascii_hexdigit())
        })?
        .to_owned();
    let mut promise = Promise::default();
    match algorithm {
        Algorithm::Md5 => promise.md5 = Some(digest),
        Algorithm::Sha1 => promise.sha1 = Some(digest),
        Algorithm::Sha256 => promise.sha256 = Some(digest),
        Algorithm::Sha512 => promise.sha512 = Some(digest),
    }
    Some(promise)
}

/// `com/acme/lib-a`, percent-encoded.
fn directory(package: &PackageId) -> String {
    let mut path = String::new();
    for segment in package.namespace_text().split('.') {
        path.extend(utf8_percent_encode(segment, RESERVED));
        path.push('/');
    }
    path.extend(utf8_percent_encode(package.name.as_str(), RESERVED));
    path
}

/// Whether what a registry sends can be the file: archives begin as archives do, a POM as XML with its root, and neither
/// is a page that a captive portal puts in its place.
pub(crate) fn recognise(
    asset: &AssetName,
    content_type: Option<&str>,
    head: &[u8],
) -> Result<(), String> {
    let (_, extension) = asset.as_str().rsplit_once('.').unwrap_or_default();
    let is_archive = matches!(extension, "jar" | "war" | "ear" | "aar" | "zip");
    if !is_archive && extension != "pom" {
        return Ok(());
    }
    let is_page = content_type.is_some_and(|media_type| {
        let media_type = media_type.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    });
    if is_page {
        return Err(format!("{asset} came as text/html"));
    }
    if is_archive && !head.starts_with(b"PK") {
        return Err(format!("{asset} does not begin as an archive does"));
    }
    if extension == "pom" && !may_begin_project(head) {
        return Err(format!("{asset} does not begin as a POM does"));
    }
    Ok(())
}

/// Whether the first bytes can be those of a document whose root is `project`: false only when they cannot.
fn may_begin_project(head: &[u8]) -> bool {
    if head.starts_with(b"\xfe\xff") || head.starts_with(b"\xff\xfe") {
        return true;
    }
    let text = String::from_utf8_lossy(head);
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        let end = if rest.is_empty() {
            // Only what may stand before a root so far.
            return true;
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<?") {
            "?>"
        } else if let Some(doctype) = rest.strip_prefix("<!DOCTYPE") {
            if !doctype.trim_start().starts_with("project") {
                return false;
            }
            return true;
        } else {
            break;
        };
        match rest.find(end) {
            Some(at) => rest = &rest[at + end.len()..],
            None => return true,
        }
    }
    let Some(name) = rest.strip_prefix('<') else {
        return false;
    };
    let length = name.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
    let name = &name[..length.unwrap_or(name.len())];
    let local = name.rsplit(':').next().unwrap_or_default();
    // Cut off within the name, it may still become it.
    local == "project" || (length.is_none() && "project".starts_with(local))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn checksum_files_are_read_as_people_write_them() {
        let digest = "4f9cfd77edf16655a1682ae930b042784297c975";
        for body in [
            digest.to_owned(),
            format!("{}\n", digest.to_uppercase()),
            format!("{digest}  lib-a-1.0.jar"),
            format!("SHA1(lib-a-1.0.jar)= {digest}\n"),
            format!("lib-a-1.0.jar: {digest}"),
        ] {
            let promise = parse_checksum(body.as_bytes(), Algorithm::Sha1).unwrap();
            assert_eq!(promise.sha1.as_deref(), Some(digest), "{body}");
            assert_eq!(parse_checksum(body.as_bytes(), Algorithm::Md5), None);
        }
        for body in [
            "",
            "<html>",
            &digest[1..],
            "zz9cfd77edf16655a1682ae930b042784297c975",
        ] {
            assert_eq!(
                parse_checksum(body.as_bytes(), Algorithm::Sha1),
                None,
                "{body}"
            );
        }
    }

    #[test]
    fn a_portal_is_not_an_artifact() {
        let long = format!("<?xml version='1.0'?>\n<!-- {} -->", "x".repeat(600));
        let cut = &long.as_bytes()[..512];
        for (name, content_type, head, is_good) in [
            (
                "a-1.jar",
                Some("application/java-archive"),
                &b"PK\x03\x04"[..],
                true,
            ),
            ("a-1.jar", None, b"PK\x03\x04", true),
            (
                "a-1.jar",
                Some("text/html; charset=utf-8"),
                b"PK\x03\x04",
                false,
            ),
            ("a-1.jar", None, b"<html>", false),
            ("a-1.jar", None, b"", false),
            ("a-1.zip", None, b"\x1f\x8b", false),
            ("a-1.tar.gz", None, b"\x1f\x8b", true),
            ("a-1.module", None, b"{", true),
            ("a-1.pom", Some("text/xml"), b"<project xmlns='x'>", true),
            (
                "a-1.pom",
                None,
                b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- l --><project>",
                true,
            ),
            ("a-1.pom", None, b"<m:project xmlns:m='x'>", true),
            (
                "a-1.pom",
                None,
                b"<!DOCTYPE project [<!ENTITY a 'b'>]><project>",
                true,
            ),
            ("a-1.pom", None, cut, true),
            ("a-1.pom", None, b"<proj", true),
            ("a-1.pom", None, b"<html><head>", false),
            ("a-1.pom", None, b"<!DOCTYPE html><html>", false),
            ("a-1.pom", None, b"<!doctype html><html>", false),
            ("a-1.pom", None, b"Please log in", false),
            ("a-1.pom", Some("TEXT/HTML"), b"<project>", false),
        ] {
            let result = recognise(&name.parse().unwrap(), content_type, head);
            assert_eq!(result.is_ok(), is_good, "{name} {content_type:?} {head:?}");
        }
    }

    #[test]
    fn paths_are_encoded() {
        let package = PackageId {
            format: super::super::request::FORMAT.clone(),
            namespace: Some("com.acme%".parse().unwrap()),
            name: "lib?".parse().unwrap(),
        };
        assert_eq!(directory(&package), "com/acme%25/lib%3F");
    }
}
