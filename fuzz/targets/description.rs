//! The files that versions are described by: POMs, manifests, metadata.
#![no_main]

use std::sync::LazyLock;

use catalog::AssetId;
use formats::{Protocols, Rules};

static PROTOCOLS: LazyLock<Protocols> = LazyLock::new(|| Protocols::new(Rules::default()));

/// A file of each kind that a format may look into.
const FILES: [(&str, Option<&str>, &str, &str); 4] = [
    ("maven", Some("org.example"), "p", "p-1.0.pom"),
    ("maven", Some("org.example"), "p", "p-1.0.module"),
    ("npm", None, "p", "package.tgz"),
    ("pypi", None, "p", "p-1.0.tar.gz"),
];

static ASSETS: LazyLock<Vec<AssetId>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(format, namespace, package, asset)| {
            let format = PROTOCOLS.named(format).expect("a format");
            let package = format
                .package(*namespace, package, true)
                .expect("a package");
            let version = package.version(format.version("1.0.0").expect("a version"));
            version.asset(format.asset(asset).expect("an asset"))
        })
        .collect()
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for asset in ASSETS.iter() {
        let format = PROTOCOLS
            .named(asset.version.package.format.as_str())
            .expect("a format");
        drop(format.describe(asset, &bytes.to_vec().into()));
    }
});
