//! What npm's clients and registries send, for `make fuzz`: bytes in, and what must hold of whatever comes out.

use std::io::Cursor;

use http::Method;

use super::body::{Part, Splitter, Wrong};
use super::range::Range;
use super::remote::Index;
use super::request::{Request, full_name, parse_name};
use super::semver::SemVer;
use super::tarball::{README_BYTES, Tarball};

/// A path, and after a line feed a query.
pub fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (path, query) = match text.split_once('\n') {
        Some((path, query)) => (path, Some(query)),
        None => (&*text, None),
    };
    for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
        drop(Request::parse(&method, path, query));
    }
    if let Ok(package) = parse_name(&text) {
        assert_eq!(full_name(&package), text);
    }
}

/// A registry's packument.
pub fn packument(bytes: &[u8]) {
    for accepts_unverified in [false, true] {
        drop(Index::read(bytes, "p", accepts_unverified));
    }
}

/// The document of a publication: it comes out the same in whatever pieces it arrives.
pub fn publication(bytes: &[u8]) {
    let Some((cut, document)) = bytes.split_first() else {
        return;
    };
    let whole = split([document]);
    let pieces = split(document.chunks(usize::from(*cut) + 1));
    assert_eq!(whole, pieces);
}

/// What is left of it and the tarball in it.
fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, Vec<u8>), Wrong> {
    let mut splitter = Splitter::default();
    let mut tarball = Vec::new();
    for piece in pieces {
        for part in splitter.push(piece)? {
            if let Part::Bytes(bytes) = part {
                tarball.extend_from_slice(&bytes);
            }
        }
    }
    Ok((splitter.finish()?, tarball))
}

/// A tarball.
pub fn tarball(bytes: &[u8]) {
    if let Ok(tarball) = Tarball::read(Cursor::new(bytes), bytes.len() as u64) {
        assert!(
            tarball
                .readme
                .is_none_or(|(_, text)| text.len() <= README_BYTES)
        );
    }
}

/// A range, and on the next line a version: nothing is both in the range and where it has ended for good.
pub fn range(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some((range, version)) = text.split_once('\n') else {
        return;
    };
    let (Some(range), Some(version)) = (Range::parse(range), SemVer::parse(version)) else {
        return;
    };
    let is_in = range.has(&version);
    if let Some(beyond) = range.beyond() {
        let beyond = Range::parse(&beyond).expect("a range of ours is read again");
        assert!(!(is_in && beyond.has(&version)));
    }
}
