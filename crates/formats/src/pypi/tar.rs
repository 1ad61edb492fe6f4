//! Source distributions: a gzipped tar archive, scanned as it is unpacked until its `PKG-INFO` has been seen.
//!
//! A scanner of our own that is fed pieces, because a library would pull: it would need a thread for each, and would hold
//! a name of any length.

use std::io::{Read, Write as _};
use std::ops::ControlFlow;

use flate2::write::MultiGzDecoder;

use super::archive::{ArchiveError, MEMBER_BYTES, bad};

const BLOCK: usize = 512;
/// Unpacked bytes that are looked at, at most.
const SCANNED_BYTES: u64 = 256 * 1024 * 1024;
/// Entries that are looked at, at most.
const MAX_ENTRIES: u32 = 200_000;
/// Longest name or extended header, in bytes.
const MAX_NAME_BYTES: u64 = 64 * 1024;
/// How much is read at a time: unpacked at most a thousand times that, in one go.
const PIECE_BYTES: usize = 64 * 1024;

/// The `PKG-INFO` in the top directory of the archive; `None` when there is none.
pub(crate) fn pkg_info<R: Read + ?Sized>(source: &mut R) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut decoder = MultiGzDecoder::new(Scanner::default());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = source.read(&mut piece)?;
        if read == 0 {
            break;
        }
        // The scanner answers with an error when it has seen enough: that ends the unpacking at once.
        let unpacked = decoder
            .write_all(&piece[..read])
            .and_then(|()| decoder.flush());
        if let Some(outcome) = decoder.get_mut().outcome.take() {
            return outcome;
        }
        unpacked.map_err(|_| bad("the archive is no gzip file, or damaged"))?;
    }
    let finished = decoder.try_finish();
    let outcome = decoder.get_mut().outcome.take();
    match outcome {
        Some(outcome) => outcome,
        None if finished.is_err() => Err(bad("the archive is no gzip file, or damaged")),
        None if decoder.get_ref().has_begun => Err(bad("the archive ends early")),
        None => Err(bad("it is no tar archive")),
    }
}

/// What a scanner does with the bytes that come.
#[derive(Debug)]
enum Then {
    /// They are the next header.
    Header,
    /// They are passed over.
    Skip,
    /// They are a name for the entry after this one.
    LongName,
    /// They are extended headers for the entry after this one.
    Extended,
    /// They are what is looked for.
    Keep,
}

#[derive(Debug)]
struct Scanner {
    then: Then,
    held: Vec<u8>,
    /// Bytes of the content that are still to come.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    name: Option<String>,
    scanned: u64,
    entries: u32,
    has_begun: bool,
    outcome: Option<Result<Option<Vec<u8>>, ArchiveError>>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            then: Then::Header,
            held: Vec::with_capacity(BLOCK),
            left: 0,
            padding: 0,
            name: None,
            scanned: 0,
            entries: 0,
            has_begun: false,
            outcome: None,
        }
    }
}

type Step = ControlFlow<Result<Option<Vec<u8>>, ArchiveError>>;

impl Scanner {
    fn feed(&mut self, mut bytes: &[u8]) -> Step {
        self.scanned += bytes.len() as u64;
        while !bytes.is_empty() {
            if matches!(self.then, Then::Header) {
                let take = (BLOCK - self.held.len()).min(bytes.len());
                self.held.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                if self.held.len() == BLOCK {
                    let block = std::mem::take(&mut self.held);
                    self.header(&block)?;
                }
                continue;
            }
            let take = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            if !matches!(self.then, Then::Skip) {
                self.held.extend_from_slice(&bytes[..take]);
            }
            bytes = &bytes[take..];
            self.left -= take as u64;
            if self.left == 0 {
                self.content()?;
            }
        }
        if self.scanned > SCANNED_BYTES {
            return ControlFlow::Break(Err(bad(
                "there is no PKG-INFO in the first 256 MiB of the archive",
            )));
        }
        ControlFlow::Continue(())
    }

    fn header(&mut self, block: &[u8]) -> Step {
        if block.iter().all(|b| *b == 0) {
            return if self.has_begun {
                ControlFlow::Break(Ok(None))
            } else {
                ControlFlow::Break(Err(bad("the archive is empty")))
            };
        }
        if !has_checksum(block) {
            let what = if self.has_begun {
                "the archive is damaged"
            } else {
                "it is no tar archive"
            };
            return ControlFlow::Break(Err(bad(what)));
        }
        self.has_begun = true;
        self.entries += 1;
        let Some(size) = number(&block[124..136]).filter(|_| self.entries <= MAX_ENTRIES) else {
            return ControlFlow::Break(Err(bad(
                "the archive has too many entries, or one of no size",
            )));
        };
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        let limited = |limit: u64| {
            if size > limit {
                ControlFlow::Break(Err(bad("a member of the archive is too large")))
            } else {
                ControlFlow::Continue(())
            }
        };
        self.then = match block[156] {
            b'L' => {
                limited(MAX_NAME_BYTES)?;
                Then::LongName
            }
            b'x' => {
                limited(MAX_NAME_BYTES)?;
                Then::Extended
            }
            // A regular file, in both spellings.
            b'0' | 0 => {
                let name = self.name.take().unwrap_or_else(|| name(block));
                if is_pkg_info(&name) {
                    limited(MEMBER_BYTES)?;
                    Then::Keep
                } else {
                    Then::Skip
                }
            }
            b'g' | b'K' => Then::Skip,
            _ => {
                self.name = None;
                Then::Skip
            }
        };
        if self.left == 0 {
            self.content()
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The content of an entry is whole.
    fn content(&mut self) -> Step {
        let held = std::mem::take(&mut self.held);
        match self.then {
            Then::Keep => return ControlFlow::Break(Ok(Some(held))),
            Then::LongName => {
                let end = held.iter().position(|b| *b == 0).unwrap_or(held.len());
                self.name = Some(String::from_utf8_lossy(&held[..end]).into_owned());
            }
            Then::Extended => {
                if let Some(path) = extended_path(&held) {
                    self.name = Some(path);
                }
            }
            Then::Header | Then::Skip => {}
        }
        // What fills the block is content that is passed over.
        self.left = std::mem::take(&mut self.padding);
        self.then = if self.left == 0 {
            Then::Header
        } else {
            Then::Skip
        };
        ControlFlow::Continue(())
    }
}

impl std::io::Write for Scanner {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.outcome.is_none()
            && let ControlFlow::Break(outcome) = self.feed(bytes)
        {
            self.outcome = Some(outcome);
        }
        if self.outcome.is_some() {
            return Err(std::io::Error::other("enough"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `acme-1.0/PKG-INFO`
fn is_pkg_info(name: &str) -> bool {
    let name = name.strip_prefix("./").unwrap_or(name);
    matches!(name.split_once('/'), Some((directory, "PKG-INFO")) if !matches!(directory, "" | "." | ".."))
}

/// Prefix and name of a header.
fn name(block: &[u8]) -> String {
    let text = |range: std::ops::Range<usize>| {
        let field = &block[range];
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    let is_ustar = block[257..].starts_with(b"ustar\0");
    let prefix = if is_ustar {
        text(345..500)
    } else {
        String::new()
    };
    if prefix.is_empty() {
        text(0..100)
    } else {
        format!("{prefix}/{}", text(0..100))
    }
}

/// The sum of all bytes, the field of the sum itself counted as spaces.
fn has_checksum(block: &[u8]) -> bool {
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, b)| u64::from(if (148..156).contains(&at) { b' ' } else { *b }))
        .sum();
    number(&block[148..156]) == Some(sum)
}

/// Octal digits, or a number of 63 bits when the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (head, tail) = field.split_at(field.len().checked_sub(8)?);
        let head_is_empty = head.iter().skip(1).all(|b| *b == 0) && head.first() == Some(&0x80);
        let tail: [u8; 8] = tail.try_into().ok()?;
        let value = u64::from_be_bytes(tail);
        return (head_is_empty && value < 1 << 62).then_some(value);
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(['\0', ' ']);
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8)
        .ok()
        .filter(|value| *value < 1 << 62)
}

/// The path among records like `30 path=acme-1.0/PKG-INFO\n`.
fn extended_path(mut records: &[u8]) -> Option<String> {
    let mut path = None;
    while let Some(space) = records.iter().position(|b| *b == b' ') {
        let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?;
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(
                String::from_utf8_lossy(value)
                    .trim_end_matches('\n')
                    .to_owned(),
            );
        }
        records = records.get(length..)?;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanning_ends_after_so_many_bytes() {
        let mut header = [0; BLOCK];
        header[..13].copy_from_slice(b"acme-1.0/zero");
        header[124..135].copy_from_slice(b"77777777777");
        header[156] = b'0';
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut scanner = Scanner::default();
        assert!(scanner.feed(&header).is_continue());
        let zeros = vec![0; 1 << 20];
        let fed = (0..1000).take_while(|_| scanner.feed(&zeros).is_continue());
        assert_eq!(fed.count(), 255);
    }
}
