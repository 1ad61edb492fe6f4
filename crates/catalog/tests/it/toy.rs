//! A package format as simple as can be: names as given, versions in byte order, a registry whose list of versions is
//! `NAME/versions` and whose files are `NAME/VERSION/FILE`, with a checksum in `NAME/VERSION/FILE.sha256`.

use std::cmp::Ordering;
use std::time::Duration;

use bytes::Bytes;
use catalog::{
    Asking, AssetId, AssetName, BoxFuture, Connection, Described, Format, FormatName, InvalidName,
    ListedVersion, Manifest, PackageId, Promise, ReadSeek, Remote, RemoteAsset, RemoteError,
    RemoteListing, RemoteVersion, Retention, Unreadable, Version, VersionId,
};

pub(crate) struct Toy;

pub(crate) static TOY: Toy = Toy;
pub(crate) static FORMATS: [&dyn Format; 1] = [&TOY];

pub(crate) const CONNECTION: &str = "public:toys";

impl Format for Toy {
    fn name(&self) -> FormatName {
        "toy".parse().unwrap()
    }

    fn connections(&self) -> &'static [Connection] {
        &[Connection {
            name: CONNECTION,
            title: "Toys",
        }]
    }

    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        _strict: bool,
    ) -> Result<PackageId, InvalidName> {
        Ok(PackageId {
            format: self.name(),
            namespace: namespace.map(str::parse).transpose()?,
            name: name.parse()?,
        })
    }

    fn version(&self, text: &str) -> Result<Version, InvalidName> {
        text.parse()
    }

    fn order(&self, a: &Version, b: &Version) -> Ordering {
        a.cmp(b)
    }

    fn retention(&self) -> Retention {
        Retention {
            upstream: true,
            late_assets: true,
            open_ended: true,
            list_lifetime: Duration::ZERO,
            absence_lifetime: Duration::ZERO,
        }
    }

    fn asset(&self, name: &str) -> Result<AssetName, InvalidName> {
        name.parse()
    }

    fn describes(&self, asset: &AssetId) -> Option<u64> {
        (asset.name.as_str() == "about.txt").then_some(1024)
    }

    fn describe(&self, _asset: &AssetId, bytes: &Bytes) -> Result<Manifest, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable("not text".to_owned()))?;
        Ok(Manifest {
            summary: Some(text.to_owned()),
            ..Manifest::default()
        })
    }

    fn lists_contents(&self) -> bool {
        true
    }

    fn refresh(&self, kept: &mut ListedVersion, seen: &RemoteVersion) {
        kept.document.clone_from(&seen.document);
    }

    fn index(&self, package: &PackageId) -> Option<(String, Asking)> {
        let asking = Asking {
            accept: "text/plain",
            limit_bytes: 4096,
            lifetime: Duration::ZERO,
            absence_lifetime: Duration::ZERO,
        };
        Some((format!("{}/versions", package.name), asking))
    }

    fn inspects(&self, asset: &AssetId) -> bool {
        asset.name.as_str() == "box"
    }

    fn inspect(&self, _asset: &AssetId, file: &mut dyn ReadSeek, place: &RemoteAsset) -> Described {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        Described {
            manifest: Some(Manifest {
                summary: Some(text.clone()),
                ..Manifest::default()
            }),
            document: Some(format!("{text} from {}", place.path)),
            ..Described::default()
        }
    }

    fn look_up<'a>(
        &'a self,
        remote: &'a Remote,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>> {
        Box::pin(async move {
            let (path, asking) = self.index(package).unwrap();
            let document = remote.document(&path, &asking).await?;
            Ok(document.map(|document| RemoteListing {
                versions: String::from_utf8_lossy(&document.body)
                    .lines()
                    .filter(|line| !line.starts_with('@'))
                    .map(listed)
                    .collect(),
                labels: labels(&String::from_utf8_lossy(&document.body)),
                changed: document.changed,
            }))
        })
    }

    fn locate<'a>(
        &'a self,
        remote: &'a Remote,
        asset: &'a AssetId,
    ) -> BoxFuture<'a, Result<Option<RemoteAsset>, RemoteError>> {
        Box::pin(async move {
            let VersionId { package, version } = &asset.version;
            let path = format!("{}/{version}/{}", package.name, asset.name);
            let sum = remote.read(&format!("{path}.sha256"), 64).await?;
            let sha256 = sum.map(|sum| String::from_utf8_lossy(&sum).into_owned());
            Ok(Some(RemoteAsset {
                path,
                promise: Promise {
                    sha256,
                    ..Promise::default()
                },
                ..RemoteAsset::default()
            }))
        })
    }

    fn recognise(
        &self,
        _asset: &AssetName,
        content_type: Option<&str>,
        _head: &[u8],
    ) -> Result<(), String> {
        if content_type == Some("text/html") {
            Err("a page".to_owned())
        } else {
            Ok(())
        }
    }
}

/// `1.0`, or `1.0 what is said of it`.
fn listed(line: &str) -> RemoteVersion {
    let (version, document) = line.split_once(' ').unwrap_or((line, ""));
    RemoteVersion {
        document: (!document.is_empty()).then(|| document.into()),
        ..RemoteVersion::named(version.parse().unwrap())
    }
}

/// Lines like `@label version`.
fn labels(list: &str) -> std::collections::BTreeMap<String, Version> {
    let lines = list.lines().filter_map(|line| line.strip_prefix('@'));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs
        .map(|(label, version)| (label.to_owned(), version.parse().unwrap()))
        .collect()
}

pub(crate) fn package(name: &str) -> PackageId {
    TOY.package(None, name, true).unwrap()
}

pub(crate) fn version(name: &str, version: &str) -> VersionId {
    package(name).version(version.parse().unwrap())
}

pub(crate) fn asset(name: &str, of: &str, file: &str) -> AssetId {
    version(name, of).asset(file.parse().unwrap())
}
