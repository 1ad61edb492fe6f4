//! Two small formats: one that is published through the API, and one whose versions describe themselves.

use std::cmp::Ordering;
use std::time::Duration;

use bytes::Bytes;
use catalog::{
    AssetId, AssetName, BoxFuture, Connection, Format, FormatName, Formats, InvalidName, Manifest,
    PackageId, Remote, RemoteAsset, RemoteError, RemoteListing, Retention, Unreadable, Version,
};

pub(crate) const FORMATS: Formats =
    Formats::new(&[&Small { name: "generic" }, &Small { name: "maven" }]);

/// Names have a namespace and are of lower case; `described.json` is a version's manifest.
pub(crate) struct Small {
    name: &'static str,
}

impl Format for Small {
    fn name(&self) -> FormatName {
        self.name.parse().unwrap()
    }

    fn connections(&self) -> &'static [Connection] {
        match self.name {
            "maven" => &[
                Connection {
                    name: "public:maven-central",
                    title: "Maven Central",
                },
                Connection {
                    name: "public:maven-clojars",
                    title: "Clojars",
                },
            ],
            _ => &[],
        }
    }

    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        _strict: bool,
    ) -> Result<PackageId, InvalidName> {
        let missing = || InvalidName::Refused("a namespace is required".to_owned());
        Ok(PackageId {
            format: self.name(),
            namespace: Some(namespace.ok_or_else(missing)?.parse()?),
            name: name.to_lowercase().parse()?,
        })
    }

    fn version(&self, text: &str) -> Result<Version, InvalidName> {
        text.trim_start_matches('v').parse()
    }

    fn order(&self, a: &Version, b: &Version) -> Ordering {
        a.cmp(b)
    }

    fn retention(&self) -> Retention {
        Retention {
            upstream: self.name == "maven",
            late_assets: false,
            open_ended: true,
            list_lifetime: Duration::from_mins(1),
            absence_lifetime: Duration::from_mins(1),
        }
    }

    fn asset(&self, name: &str) -> Result<AssetName, InvalidName> {
        if name.contains(':') {
            return Err(InvalidName::Refused("asset names have no colon".to_owned()));
        }
        name.parse()
    }

    fn describes(&self, asset: &AssetId) -> Option<u64> {
        (asset.name.as_str() == "described.json").then_some(1 << 20)
    }

    fn describe(&self, _asset: &AssetId, bytes: &Bytes) -> Result<Manifest, Unreadable> {
        serde_json::from_slice(bytes).map_err(|error| Unreadable(error.to_string()))
    }

    fn look_up<'a>(
        &'a self,
        _remote: &'a Remote,
        _package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>> {
        Box::pin(async { Ok(None) })
    }

    fn locate<'a>(
        &'a self,
        _remote: &'a Remote,
        _asset: &'a AssetId,
    ) -> BoxFuture<'a, Result<Option<RemoteAsset>, RemoteError>> {
        Box::pin(async { Ok(None) })
    }

    fn recognise(
        &self,
        _asset: &AssetName,
        _type: Option<&str>,
        _head: &[u8],
    ) -> Result<(), String> {
        Ok(())
    }
}
