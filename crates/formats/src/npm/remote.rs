//! A public registry of npm: its packuments, and where its tarballs are.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::{
    Asking, AssetId, Described, Document, ListedAsset, ListedVersion, PackageId, Promise, ReadSeek,
    Remote, RemoteAsset, RemoteError, RemoteListing, RemoteVersion, Retention, Timestamp, Version,
    Weighed,
};
use serde::Deserialize;

use super::TARBALL;
use super::json::{self, Members, Text};
use super::manifest::{self, describe};
use super::request::full_name;
use super::tarball::Tarball;

/// How versions get here and change: one file, which stays; lists are at most five minutes old.
pub(crate) const RETENTION: Retention = Retention {
    upstream: true,
    late_assets: false,
    open_ended: false,
    list_lifetime: Duration::from_mins(5),
    absence_lifetime: Duration::from_mins(1),
};

/// Bytes of a packument, at most.
const PACKUMENT_BYTES: usize = 100 << 20;

/// Versions of a package, at most.
const VERSIONS: usize = 200_000;

/// How packuments are asked for: the full ones, which alone say when a version was published.
pub(crate) const PACKUMENT: Asking = Asking {
    accept: "application/json",
    limit_bytes: PACKUMENT_BYTES,
    lifetime: RETENTION.list_lifetime,
    absence_lifetime: RETENTION.absence_lifetime,
};

/// How keys and attestations are asked for.
pub(crate) const SMALL: Asking = Asking {
    accept: "application/json",
    limit_bytes: 4 << 20,
    lifetime: Duration::from_hours(1),
    absence_lifetime: RETENTION.absence_lifetime,
};

/// `@acme%2fleaf`, as npm's own client asks.
pub(crate) fn path(package: &PackageId) -> String {
    full_name(package).replace('/', "%2f")
}

/// `-/npm/v1/attestations/@acme%2fleaf@1.0.0`: where attestations of a version are, here and there.
pub(crate) fn attestations_path(package: &PackageId, version: &Version) -> String {
    format!("-/npm/v1/attestations/{}@{version}", path(package))
}

/// What is found in a packument: where each version stands in it, and what it promises.
#[derive(Debug)]
pub(crate) struct Index {
    versions: Vec<Place>,
    labels: BTreeMap<String, Version>,
    modified: Option<Timestamp>,
    /// The readme, which is that of `latest`, as it stands there.
    readme: Option<Range<usize>>,
}

#[derive(Debug)]
struct Place {
    version: Version,
    at: Range<usize>,
    tarball: Box<str>,
    promise: Promise,
    published: Option<Timestamp>,
}

impl Weighed for Index {
    fn weight_bytes(&self) -> usize {
        self.versions.len() * 400
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[derive(Deserialize)]
struct Packument<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow, default, rename = "dist-tags")]
    tags: Option<Members<'a>>,
    #[serde(borrow, default)]
    versions: Option<Members<'a>>,
    #[serde(borrow, default)]
    time: Option<Members<'a>>,
    #[serde(borrow, default)]
    readme: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    dist: Option<Dist<'a>>,
}

#[derive(Deserialize)]
struct Dist<'a> {
    #[serde(borrow, default)]
    tarball: Option<Text<'a>>,
    #[serde(borrow, default)]
    integrity: Option<Text<'a>>,
    #[serde(borrow, default)]
    shasum: Option<Text<'a>>,
}

impl Index {
    /// Reads a packument of this package. Versions that cannot be verified are left out.
    pub(crate) fn read(body: &[u8], name: &str, accepts_unverified: bool) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
        if json::is_too_deep(text) {
            return Err("its values are nested too deeply".to_owned());
        }
        let packument: Packument<'_> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(Text(stated)) = &packument.name
            && stated != name
        {
            return Err(format!("it is about `{stated}`"));
        }
        let versions = packument.versions.unwrap_or_default();
        if versions.len() > VERSIONS {
            return Err(format!("it has more than {VERSIONS} versions"));
        }
        let times = packument.time.unwrap_or_default();
        let times: std::collections::HashMap<_, _> = times
            .iter()
            .filter_map(|(key, value)| {
                let time = Timestamp::parse_iso8601(&json::text(value)?)?;
                Some((key.to_owned(), time))
            })
            .collect();
        let within = |part: &str| {
            let start = part.as_ptr() as usize - text.as_ptr() as usize;
            start..start + part.len()
        };
        let mut places = Vec::with_capacity(versions.len());
        for (key, value) in versions.iter() {
            let (Ok(version), Ok(head)) =
                (key.parse(), serde_json::from_str::<Head<'_>>(value.get()))
            else {
                continue;
            };
            let Some(dist) = head.dist else { continue };
            let promise = promise(
                dist.integrity.as_ref().map(|text| &*text.0),
                dist.shasum.as_ref().map(|text| &*text.0),
            );
            if promise == Promise::default() && !accepts_unverified {
                tracing::debug!(
                    package = name,
                    version = key,
                    "a registry promises nothing of a version; it is left out"
                );
                continue;
            }
            places.push(Place {
                version,
                at: within(value.get()),
                tarball: dist.tarball.map(|text| text.0.into()).unwrap_or_default(),
                promise,
                published: times.get(key).copied(),
            });
        }
        let labels = packument.tags.unwrap_or_default();
        let labels = labels
            .iter()
            .filter_map(|(label, value)| {
                let version = json::text(value)?.parse().ok()?;
                Some((label.to_owned(), version))
            })
            .collect();
        Ok(Self {
            versions: places,
            labels,
            modified: times.get("modified").copied(),
            readme: packument
                .readme
                .filter(|readme| readme.get().starts_with('"'))
                .map(|readme| within(readme.get())),
        })
    }

    fn place(&self, version: &Version) -> Option<&Place> {
        self.versions.iter().find(|place| place.version == *version)
    }
}

/// What a packument promises of a tarball: by the strongest of its integrities, and by its SHA-1.
pub(crate) fn promise(integrity: Option<&str>, shasum: Option<&str>) -> Promise {
    let mut promise = Promise {
        sha1: shasum.and_then(|text| hex_digest(text, 40)),
        ..Promise::default()
    };
    let digest = |algorithm: &str, bytes: usize| {
        integrity?.split_whitespace().find_map(|one| {
            let one = one.split('?').next()?;
            let text = one.strip_prefix(algorithm)?.strip_prefix('-')?;
            let digest = BASE64.decode(text).ok()?;
            (digest.len() == bytes).then(|| hex::encode(digest))
        })
    };
    promise.sha512 = digest("sha512", 64);
    if promise.sha512.is_none() {
        promise.sha256 = digest("sha256", 32);
    }
    if promise.sha512.is_none() && promise.sha256.is_none() && promise.sha1.is_none() {
        promise.sha1 = digest("sha1", 20);
    }
    promise
}

fn hex_digest(text: &str, digits: usize) -> Option<String> {
    let is_digest = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| text.to_ascii_lowercase())
}

async fn index(
    remote: &Remote,
    package: &PackageId,
    accepts_unverified: bool,
) -> Result<Option<(Document, Arc<Index>)>, RemoteError> {
    let name = full_name(package);
    remote
        .reading(&path(package), &PACKUMENT, move |document| {
            Index::read(&document.body, &name, accepts_unverified)
        })
        .await
}

/// Which versions a registry lists, with their documents.
pub(crate) async fn look_up(
    remote: &Remote,
    package: &PackageId,
    accepts_unverified: bool,
) -> Result<Option<RemoteListing>, RemoteError> {
    let Some((document, index)) = index(remote, package, accepts_unverified).await? else {
        return Ok(None);
    };
    // Copying a large one takes milliseconds.
    let listing = tokio::task::spawn_blocking(move || listing(&document, &index)).await;
    listing.map(Some).map_err(|error| RemoteError::Wrong {
        connection: remote.connection().clone(),
        message: error.to_string(),
    })
}

pub(crate) fn listing(document: &Document, index: &Index) -> RemoteListing {
    let text = |at: &Range<usize>| {
        let part = document.body.get(at.clone());
        part.and_then(|part| std::str::from_utf8(part).ok())
            .unwrap_or("{}")
    };
    let latest = index.labels.get("latest");
    let changed = index.modified.unwrap_or(document.changed);
    let versions = index
        .versions
        .iter()
        .map(|place| {
            let own = text(&place.at);
            // Only the packument has the readme, once; it is passed on where that of our own versions stands.
            let readme = index
                .readme
                .as_ref()
                .filter(|_| latest == Some(&place.version));
            let with_readme =
                readme.and_then(|at| manifest::with(own, &[("readme", Some(text(at)))]));
            RemoteVersion {
                version: place.version.clone(),
                // One that has no time is taken for as young as it can be.
                published: place.published.or(Some(changed)),
                document: Some(with_readme.map_or_else(|| own.into(), Into::into)),
                assets: vec![ListedAsset {
                    name: TARBALL.clone(),
                    bytes: place.promise.clone(),
                    modified: place.published,
                    document: None,
                }],
            }
        })
        .collect();
    RemoteListing {
        versions,
        labels: index.labels.clone(),
        changed,
    }
}

/// Where a registry has the tarball of a version.
pub(crate) async fn locate(
    remote: &Remote,
    asset: &AssetId,
    accepts_unverified: bool,
) -> Result<Option<RemoteAsset>, RemoteError> {
    let package = &asset.version.package;
    if asset.name != *TARBALL {
        return Ok(None);
    }
    let Some((document, index)) = index(remote, package, accepts_unverified).await? else {
        return Ok(None);
    };
    let Some(place) = index.place(&asset.version.version) else {
        return Ok(None);
    };
    if place.promise.sha512.is_none() && place.promise.sha256.is_none() {
        let connection = remote.connection();
        tracing::warn!(%asset, %connection, "a registry promises no more than SHA-1 of a tarball");
    }
    let text = document.body.get(place.at.clone());
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    Ok(Some(RemoteAsset {
        path: tarball_path(remote, package, place),
        promise: place.promise.clone(),
        published: place.published,
        version_document: text.map(Arc::from),
        document: None,
    }))
}

/// The address that the packument names, if it is the registry's own; else the place where every registry has it, whose
/// bytes are verified as any.
fn tarball_path(remote: &Remote, package: &PackageId, place: &Place) -> String {
    if remote.is_of_same_site(&place.tarball) {
        return place.tarball.to_string();
    }
    let file = place
        .tarball
        .rsplit_once("/-/")
        .map_or("", |(_, file)| file);
    let file = file.rsplit('/').next().unwrap_or_default();
    if file.is_empty() {
        return format!(
            "{}/-/{}-{}.tgz",
            full_name(package),
            package.name,
            place.version
        );
    }
    format!("{}/-/{file}", full_name(package))
}

/// What a tarball that was taken says: what is wrong with it is noted, for it is kept as the registry has it.
pub(crate) fn inspect(asset: &AssetId, file: &mut dyn ReadSeek, place: &RemoteAsset) -> Described {
    let size_bytes = file.seek(std::io::SeekFrom::End(0)).unwrap_or_default();
    let rewound = file.rewind();
    let stated = place.version_document.as_deref().unwrap_or("{}");
    let tarball = rewound
        .map_err(|error| error.to_string())
        .and_then(|()| Tarball::read(file, size_bytes));
    let mut warnings = Vec::new();
    let tarball = tarball
        .map_err(|problem| warnings.push(format!("the tarball cannot be read: {problem}")))
        .ok();
    let own = tarball
        .as_ref()
        .map_or("{}", |tarball| &tarball.package_json);
    let (own, document) = (
        Members::parse(own).unwrap_or_default(),
        Members::parse(stated).unwrap_or_default(),
    );
    if tarball.is_some() {
        for key in ["name", "version"] {
            if own.text(key) != document.text(key) {
                warnings.push(format!(
                    "manifestMismatch: {key} in the tarball is not that of the registry"
                ));
            }
        }
        for key in manifest::differences(&own, &document) {
            warnings.push(format!(
                "manifestMismatch: {key} in the tarball are not those of the registry"
            ));
        }
    }
    if !warnings.is_empty() {
        tracing::info!(%asset, ?warnings, "a tarball was taken although there is something wrong with it");
    }
    let sent = document.text("readme");
    let readme = manifest::readme(sent.as_deref(), tarball.as_ref());
    let mut manifest = describe(&document, readme.as_ref().map(|(_, text)| text.as_str()));
    manifest.warnings = warnings;
    let mut changes = Vec::new();
    let readme = readme.map(|(name, text)| {
        let shown = manifest::cut(&text, manifest::SHOWN_README_BYTES);
        (manifest::quoted(&name), manifest::quoted(shown))
    });
    if let Some((name, text)) = &readme {
        changes.extend([
            ("readme", Some(text.as_str())),
            ("readmeFilename", Some(name)),
        ]);
    }
    Described {
        manifest: Some(manifest),
        document: manifest::with(stated, &changes).or_else(|| Some(stated.to_owned())),
        ..Described::default()
    }
}

/// A deprecation that a registry says, or takes back, after a version was taken from it. Other bytes that it promises
/// since are not taken.
pub(crate) fn refresh(kept: &mut ListedVersion, seen: &RemoteVersion) {
    if promises_others(&kept.assets, &seen.assets) {
        let document = kept.document.as_deref().map(Members::parse);
        let name = document.and_then(Result::ok);
        let name = name.as_ref().and_then(|members| members.text("name"));
        tracing::warn!(
            package = name.as_deref(),
            version = %kept.version,
            "a registry promises other bytes of a version than those that were taken from it; these stay"
        );
    }
    let (Some(own), Some(theirs)) = (&kept.document, &seen.document) else {
        return;
    };
    let mentions = |text: &str| text.contains("\"deprecated\"");
    if !mentions(own) && !mentions(theirs) {
        return;
    }
    let Ok(members) = Members::parse(theirs) else {
        return;
    };
    let deprecated = members
        .get("deprecated")
        .map(serde_json::value::RawValue::get);
    if let Some(document) = manifest::with(own, &[("deprecated", deprecated)]) {
        kept.document = Some(document.into());
    }
}

/// Whether a registry promises a digest that the tarball which was taken has not.
fn promises_others(kept: &[ListedAsset], seen: &[ListedAsset]) -> bool {
    let (Some(kept), Some(seen)) = (kept.first(), seen.first()) else {
        return false;
    };
    [
        (&kept.bytes.sha512, &seen.bytes.sha512),
        (&kept.bytes.sha256, &seen.bytes.sha256),
        (&kept.bytes.sha1, &seen.bytes.sha1),
    ]
    .iter()
    .any(
        |(own, promised)| matches!((own, promised), (Some(own), Some(promised)) if own != promised),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_promises_another_digest_is_noticed() {
        let file = |sha512: &str, sha1: &str| {
            let digest = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            vec![ListedAsset {
                name: TARBALL.clone(),
                bytes: Promise {
                    sha512: digest(sha512),
                    sha1: digest(sha1),
                    ..Promise::default()
                },
                modified: None,
                document: None,
            }]
        };
        let kept = file("a", "b");
        for (seen, expected) in [
            (file("a", "b"), false),
            (file("a", ""), false),
            (file("", "b"), false),
            (Vec::new(), false),
            (file("x", "b"), true),
            (file("", "x"), true),
        ] {
            assert_eq!(promises_others(&kept, &seen), expected, "{seen:?}");
        }
    }

    #[test]
    fn the_strongest_integrity_is_the_promise_and_the_shasum_with_it() {
        let sha512 = format!("sha512-{}", BASE64.encode([1; 64]));
        let sha1 = format!("sha1-{}", BASE64.encode([2; 20]));
        let shasum = "ab".repeat(20);
        for (integrity, shasum, expected) in [
            (Some(format!("{sha1} {sha512}?opt")), None, (false, true)),
            (Some(sha512.clone()), Some(shasum.as_str()), (true, true)),
            (Some(sha1.clone()), None, (true, false)),
            (Some("sha512-AAAA".to_owned()), None, (false, false)),
            (Some("md5-x".to_owned()), Some("zz"), (false, false)),
            (None, None, (false, false)),
        ] {
            let promise = promise(integrity.as_deref(), shasum);
            let found = (promise.sha1.is_some(), promise.sha512.is_some());
            assert_eq!(found, expected, "{integrity:?}");
        }
    }

    #[test]
    fn versions_without_any_digest_are_left_out() {
        let body = br#"{"name":"a","dist-tags":{"latest":"2.0.0","odd":7},
            "versions":{"1.0.0":{"name":"a","dist":{"tarball":"http://h/a/-/a-1.0.0.tgz"}},
                        "2.0.0":{"name":"a","dist":{"shasum":"abababababababababababababababababababab"}},
                        "3.0.0":7},
            "time":{"modified":"2026-01-02T03:04:05.678901+00:00","2.0.0":"2026-01-01T00:00:00.000Z"}}"#;
        let index = Index::read(body, "a", false).unwrap();
        let names: Vec<_> = index
            .versions
            .iter()
            .map(|place| place.version.as_str())
            .collect();
        assert_eq!(names, ["2.0.0"]);
        assert_eq!(index.modified.unwrap().millis() % 1000, 678);
        assert!(index.versions[0].published.is_some());
        assert_eq!(index.labels.len(), 1);
        assert_eq!(Index::read(body, "a", true).unwrap().versions.len(), 2);
        assert!(Index::read(body, "b", false).is_err());
        let deep = format!(
            r#"{{"name":"a","versions":{{}},"x":{}{}}}"#,
            "[".repeat(100),
            "]".repeat(100)
        );
        assert!(Index::read(deep.as_bytes(), "a", false).is_err());
    }
}
