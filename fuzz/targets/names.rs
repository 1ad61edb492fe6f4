//! Names and versions as each format reads them: what is normalised once stays so.
#![no_main]

use formats::{Protocols, Rules};
use std::sync::LazyLock;

static PROTOCOLS: LazyLock<Protocols> = LazyLock::new(|| Protocols::new(Rules::default()));

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (namespace, name) = match text.split_once('\n') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    for format in PROTOCOLS.iter() {
        if let Ok(package) = format.package(namespace, name, true) {
            let namespace = package
                .namespace
                .as_ref()
                .map(|namespace| namespace.as_str());
            let again = format.package(namespace, package.name.as_str(), true);
            assert_eq!(again.as_ref().ok(), Some(&package), "{}", format.name());
        }
        if let Ok(version) = format.version(name) {
            let again = format.version(version.as_str());
            assert_eq!(again.as_ref().ok(), Some(&version), "{}", format.name());
        }
        if let Ok(asset) = format.asset(name) {
            let again = format.asset(asset.as_str());
            assert_eq!(again.as_ref().ok(), Some(&asset), "{}", format.name());
        }
    }
});
