//! What Python's clients and indexes send, for `make fuzz`: bytes in, and what must hold of whatever comes out.

use std::io::Cursor;
use std::sync::LazyLock;

use http::Method;
use sigstore_verify::Verifier;

use super::archive;
use super::attestation::{self, About};
use super::filename::Distribution;
use super::index::Index;
use super::metadata::Metadata;
use super::request::Request;
use crate::trust::TrustRoot;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| TrustRoot::default().verifier());

/// A path.
pub fn request(bytes: &[u8]) {
    let path = String::from_utf8_lossy(bytes);
    for method in [Method::GET, Method::POST] {
        drop(Request::parse(&method, &path));
    }
}

/// An index's page of a project, as HTML or as JSON.
pub fn page(bytes: &[u8]) {
    for with_legacy in [false, true] {
        drop(Index::parse(bytes, "p", with_legacy));
    }
}

/// Core metadata.
pub fn metadata(bytes: &[u8]) {
    drop(Metadata::parse_lossy(bytes));
    drop(Metadata::parse(bytes));
}

/// The name of a file on a line, and after it the file.
pub fn distribution(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (name, file) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 1..]);
    let Some(distribution) = Distribution::parse(&name, "p") else {
        return;
    };
    drop(archive::check(&mut Cursor::new(file), &distribution));
    if let Ok(Some(metadata)) = archive::core_metadata(&mut Cursor::new(file), &distribution) {
        assert!(metadata.len() as u64 <= archive::MEMBER_BYTES);
    }
}

/// An attestation, of a file that nobody has signed anything about.
pub fn attestation(bytes: &[u8]) {
    let text = format!("[{}]", String::from_utf8_lossy(bytes));
    let Some(attestations) = attestation::parse(&text) else {
        return;
    };
    let about = About {
        project: "p",
        filename: "p-1.0.tar.gz",
        sha256: "00",
    };
    if let Ok(verified) = attestation::verify(&VERIFIER, attestations, &about) {
        assert_eq!(verified.provenance, None);
    }
}
