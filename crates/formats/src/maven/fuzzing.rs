//! What Maven's clients and registries send, for `make fuzz`: bytes in, and what must hold of whatever comes out.

use http::Method;

use super::document::{MAX_VERSIONS, Metadata};
use super::request::Request;

/// A path.
pub fn request(bytes: &[u8]) {
    let path = String::from_utf8_lossy(bytes);
    for method in [Method::GET, Method::PUT] {
        drop(Request::parse(&method, &path));
    }
}

/// A `maven-metadata.xml`, of a client and of a registry.
pub fn metadata(bytes: &[u8]) {
    drop(Metadata::parse(bytes));
    if let Ok(metadata) = Metadata::parse_remote(bytes) {
        assert!(metadata.versions.len() <= MAX_VERSIONS);
    }
}
