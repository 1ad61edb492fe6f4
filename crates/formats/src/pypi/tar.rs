//! Source distributions: a gzipped tar archive, unpacked until its `PKG-INFO` has been seen.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::archive::{ArchiveError, MEMBER_BYTES, bad};
use crate::tar::{Archive, Kind, TarError};

/// Unpacked bytes that are looked at, at most.
const SCANNED_BYTES: u64 = 256 * 1024 * 1024;
/// Entries that are looked at, at most.
const MAX_ENTRIES: usize = 200_000;
/// How much is read at a time. Where the file is elsewhere, that is a request each.
const PIECE_BYTES: usize = 64 * 1024;

/// The `PKG-INFO` in the top directory of the archive; `None` when there is none.
pub(crate) fn pkg_info<R: Read + ?Sized>(source: &mut R) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut unread = None;
    let watched = Watched {
        source,
        error: &mut unread,
    };
    let found = find(MultiGzDecoder::new(BufReader::with_capacity(
        PIECE_BYTES,
        watched,
    )));
    if let Some(error) = unread {
        return Err(ArchiveError::Unread(error));
    }
    found.map_err(|error| bad(&error.to_string()))
}

fn find(unpacked: impl Read) -> Result<Option<Vec<u8>>, TarError> {
    // As Python's own reader does: behind the end there is nothing that anybody would see.
    let mut archive = Archive::new(unpacked, SCANNED_BYTES, MAX_ENTRIES).stopping_at_end();
    while let Some(entry) = archive.next()? {
        if entry.kind == Kind::File && is_pkg_info(&entry.name) {
            return archive.bytes(MEMBER_BYTES).map(Some);
        }
    }
    Ok(None)
}

/// Keeps the error of a source that cannot be read, which is not the archive's fault.
struct Watched<'a, R: ?Sized> {
    source: &'a mut R,
    error: &'a mut Option<io::Error>,
}

impl<R: Read + ?Sized> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                *self.error = Some(error);
            }
            kind.into()
        })
    }
}

/// `acme-1.0/PKG-INFO`
fn is_pkg_info(name: &str) -> bool {
    let name = name.strip_prefix("./").unwrap_or(name);
    matches!(name.split_once('/'), Some((directory, "PKG-INFO")) if !matches!(directory, "" | "." | ".."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::tar::make::entry;

    #[test]
    fn a_source_that_cannot_be_read_is_not_a_bad_archive() {
        struct Gone;
        impl Read for Gone {
            fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the registry is gone"))
            }
        }
        let error = pkg_info(&mut Gone).unwrap_err();
        assert!(matches!(&error, ArchiveError::Unread(_)), "{error}");
        assert_eq!(error.to_string(), "the registry is gone");
        let error = pkg_info(&mut &b"no gzip at all"[..]).unwrap_err();
        assert!(matches!(error, ArchiveError::Bad(_)));
    }

    #[test]
    fn scanning_ends_after_so_many_bytes() {
        let mut head = entry("acme-1.0/zero", b'0', b"");
        head[124..135].copy_from_slice(b"77777777777");
        head[148..156].fill(b' ');
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let error = find(head.chain(io::repeat(0))).unwrap_err();
        assert!(matches!(error, TarError::TooLarge(_)), "{error}");
    }

    #[test]
    fn behind_the_end_nothing_is_looked_for() {
        let info = entry("acme-1.0/PKG-INFO", b'0', b"Name: acme");
        let other = entry("acme-1.0/setup.py", b'0', b"");
        let before = [&other[..], &info, &[0; 1024]].concat();
        let behind = [&other[..], &[0; 1024], &info].concat();
        assert_eq!(find(&before[..]).unwrap().unwrap(), b"Name: acme");
        assert_eq!(find(&behind[..]).unwrap(), None);
    }
}
