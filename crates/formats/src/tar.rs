//! Reads tar archives that strangers made: one entry after the other, nothing written to disk, everything bounded.
//!
//! The ustar layout with the extensions of GNU (long names) and POSIX (`path` and `size` records). After the blocks of
//! zeros that end an archive it goes on looking, because some readers do, and what they would find must be found here;
//! unless it is told to stop, for formats whose programs do.

use std::io::{self, Read};

const BLOCK: usize = 512;

/// Bytes of a name, at most.
const NAME_BYTES: u64 = 4096;

/// Bytes of a block of POSIX records, at most.
const RECORDS_BYTES: u64 = 64 * 1024;

/// Why an archive is not read any further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TarError {
    /// The bytes are no archive, or end too early.
    #[error("the archive is broken: {0}")]
    Broken(String),
    /// It has more entries, or more bytes, than may be.
    #[error("the archive is too large: more than {0}")]
    TooLarge(String),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        TarError::Broken(error.to_string())
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file with its bytes.
    File,
    Directory,
    /// A link of either kind, a device, a sparse file: nothing whose bytes stand here.
    Other,
}

/// An entry's head. Names are as they stand in the archive, never paths on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) size_bytes: u64,
}

/// An archive being read.
pub(crate) struct Archive<R> {
    source: R,
    /// Of the entry whose head was given last.
    unread: u64,
    padding: u64,
    taken: u64,
    limit_bytes: u64,
    entries: usize,
    limit_entries: usize,
    stops_at_end: bool,
}

impl<R: Read> Archive<R> {
    /// Reads at most so many bytes and entries.
    pub(crate) fn new(source: R, limit_bytes: u64, limit_entries: usize) -> Self {
        Self {
            source,
            unread: 0,
            padding: 0,
            taken: 0,
            limit_bytes,
            entries: 0,
            limit_entries,
            stops_at_end: false,
        }
    }

    /// Stops at the first block of zeros.
    pub(crate) fn stopping_at_end(self) -> Self {
        Self {
            stops_at_end: true,
            ..self
        }
    }

    /// The next entry; what is left of the one before is skipped. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut long_name = None;
        let mut records = Records::default();
        let mut has_ended = false;
        loop {
            self.skip()?;
            let header = match self.block() {
                Ok(Some(header)) => header,
                // Neither need what follows be readable at all.
                Ok(None) => return Ok(None),
                Err(TarError::Broken(_)) if has_ended => return Ok(None),
                Err(error) => return Err(error),
            };
            if header.iter().all(|byte| *byte == 0) {
                if self.stops_at_end {
                    return Ok(None);
                }
                has_ended = true;
                continue;
            }
            if !is_whole(&header) {
                // What follows an archive's end need not be one.
                if has_ended {
                    return Ok(None);
                }
                return Err(TarError::Broken("a header is damaged".to_owned()));
            }
            self.entries += 1;
            if self.entries > self.limit_entries {
                return Err(TarError::TooLarge(format!(
                    "{} entries",
                    self.limit_entries
                )));
            }
            let size = number(&header[124..136])
                .ok_or_else(|| TarError::Broken("a size is not a number".to_owned()))?;
            self.begin(size)?;
            match header[156] {
                b'L' => long_name = Some(text(&self.small(NAME_BYTES)?)),
                b'x' => records.read(&self.small(RECORDS_BYTES)?)?,
                // A long target of a link, records for the whole archive: nothing that is looked at.
                b'K' | b'g' => {}
                kind => {
                    if let Some(size) = records.size {
                        self.begin(size)?;
                    }
                    let name = records.path.or(long_name);
                    return Ok(Some(Entry {
                        name: name.unwrap_or_else(|| own_name(&header)),
                        kind: match kind {
                            0 | b'0' | b'7' => Kind::File,
                            b'5' => Kind::Directory,
                            _ => Kind::Other,
                        },
                        size_bytes: self.unread,
                    }));
                }
            }
        }
    }

    /// The bytes of the entry whose head was given last.
    pub(crate) fn bytes(&mut self, limit_bytes: u64) -> Result<Vec<u8>, TarError> {
        self.small(limit_bytes)
    }

    fn begin(&mut self, size: u64) -> Result<(), TarError> {
        let whole = size.checked_next_multiple_of(BLOCK as u64);
        let whole = whole.ok_or_else(|| TarError::Broken("a size is no size".to_owned()))?;
        self.unread = size;
        self.padding = whole - size;
        Ok(())
    }

    fn small(&mut self, limit_bytes: u64) -> Result<Vec<u8>, TarError> {
        if self.unread > limit_bytes {
            return Err(TarError::TooLarge(format!(
                "{limit_bytes} bytes in an entry that is read whole"
            )));
        }
        self.take(self.unread)?;
        let mut bytes = Vec::new();
        (&mut self.source)
            .take(self.unread)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 != self.unread {
            return Err(TarError::Broken("it ends within an entry".to_owned()));
        }
        self.unread = 0;
        Ok(bytes)
    }

    fn skip(&mut self) -> Result<(), TarError> {
        let rest = self.unread.saturating_add(self.padding);
        (self.unread, self.padding) = (0, 0);
        self.take(rest)?;
        let skipped = io::copy(&mut (&mut self.source).take(rest), &mut io::sink())?;
        if skipped != rest {
            return Err(TarError::Broken("it ends within an entry".to_owned()));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.take(filled as u64)?;
        match filled {
            BLOCK => Ok(Some(block)),
            _ if block.iter().all(|byte| *byte == 0) => Ok(None),
            _ if self.entries > 0 => Ok(None),
            _ => Err(TarError::Broken("it ends within a header".to_owned())),
        }
    }

    fn take(&mut self, bytes: u64) -> Result<(), TarError> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > self.limit_bytes {
            return Err(TarError::TooLarge(format!(
                "{} bytes unpacked",
                self.limit_bytes
            )));
        }
        Ok(())
    }
}

/// What POSIX records say of the entry that follows.
#[derive(Default)]
struct Records {
    path: Option<String>,
    size: Option<u64>,
}

impl Records {
    /// `12 path=name\n`, the number being the length of the whole.
    fn read(&mut self, mut rest: &[u8]) -> Result<(), TarError> {
        let broken = || TarError::Broken("a record has no length".to_owned());
        while !rest.is_empty() {
            let space = rest
                .iter()
                .position(|byte| *byte == b' ')
                .ok_or_else(broken)?;
            let length: usize = std::str::from_utf8(&rest[..space])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(broken)?;
            if length <= space || length > rest.len() {
                return Err(broken());
            }
            let record = &rest[space + 1..length];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(path) = record.strip_prefix(b"path=") {
                if path.len() as u64 > NAME_BYTES {
                    return Err(TarError::TooLarge(format!("{NAME_BYTES} bytes in a name")));
                }
                self.path = Some(text(path));
            } else if let Some(size) = record.strip_prefix(b"size=") {
                let size = std::str::from_utf8(size).ok();
                self.size = Some(size.and_then(|size| size.parse().ok()).ok_or_else(broken)?);
            }
            rest = &rest[length..];
        }
        Ok(())
    }
}

/// The sum of a header's bytes, its own place counting as spaces, stands in it.
fn is_whole(header: &[u8; BLOCK]) -> bool {
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            u64::from(if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            })
        })
        .sum();
    number(&header[148..156]) == Some(sum)
}

/// Octal digits, or eight bytes of a binary number after a first byte of 0x80.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len().saturating_sub(8));
        let is_small = high.iter().skip(1).all(|byte| *byte == 0) && field[0] == 0x80;
        return is_small.then(|| u64::from_be_bytes(low.try_into().unwrap_or_default()));
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|c| c == ' ' || c == '\0');
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8).ok()
}

fn own_name(header: &[u8; BLOCK]) -> String {
    let name = text(&header[..100]);
    let prefix = text(&header[345..500]);
    if header[257..263] == *b"ustar\0" && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

/// Up to the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// Makes archives for tests.
#[cfg(test)]
pub(crate) mod make {
    /// A header and its bytes, padded.
    pub(crate) fn entry(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        let size = format!("{:011o}", bytes.len());
        header[124..135].copy_from_slice(size.as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut all = header.to_vec();
        all.extend_from_slice(bytes);
        all.resize(all.len().next_multiple_of(512), 0);
        all
    }

    /// Files, and the end.
    pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut all: Vec<u8> = files
            .iter()
            .flat_map(|(name, bytes)| entry(name, b'0', bytes))
            .collect();
        all.resize(all.len() + 1024, 0);
        all
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::make::{archive, entry};
    use super::*;

    fn names(bytes: &[u8]) -> Result<Vec<String>, TarError> {
        let mut archive = Archive::new(bytes, 1 << 20, 10);
        let mut names = Vec::new();
        while let Some(entry) = archive.next()? {
            names.push(format!(
                "{} {:?} {}",
                entry.name, entry.kind, entry.size_bytes
            ));
        }
        Ok(names)
    }

    #[test]
    fn entries_are_found_whatever_extension_names_them() {
        let long = "d/".repeat(100) + "file";
        let record = |text: &str| {
            let length = text.len() + 5;
            format!("{length} {text}\n").into_bytes()
        };
        let path = format!("path={long}");
        let cases: Vec<(Vec<u8>, Vec<String>)> = vec![
            (
                archive(&[("a/b", b"one"), ("c", b"")]),
                vec!["a/b File 3".to_owned(), "c File 0".to_owned()],
            ),
            (
                [
                    entry("x", b'L', long.as_bytes()),
                    entry("short", b'0', b"1"),
                ]
                .concat(),
                vec![format!("{long} File 1")],
            ),
            (
                [entry("x", b'x', &record(&path)), entry("short", b'0', b"1")].concat(),
                vec![format!("{long} File 1")],
            ),
            (
                [
                    entry("l", b'2', b""),
                    entry("d/", b'5', b""),
                    entry("s", b'S', b""),
                ]
                .concat(),
                vec![
                    "l Other 0".to_owned(),
                    "d/ Directory 0".to_owned(),
                    "s Other 0".to_owned(),
                ],
            ),
            // Behind the end there is more.
            (
                [archive(&[("a", b"1")]), archive(&[("b", b"2")])].concat(),
                vec!["a File 1".to_owned(), "b File 1".to_owned()],
            ),
            (
                [archive(&[("a", b"1")]), vec![7; 700]].concat(),
                vec!["a File 1".to_owned()],
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(names(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_broken_or_too_large_is_refused() {
        let mut damaged = archive(&[("a", b"1")]);
        damaged[3] = b'!';
        let many: Vec<u8> = (0..11).flat_map(|_| entry("a", b'0', b"")).collect();
        let large = entry("a", b'0', &vec![0; 2 << 20]);
        let long = entry("x", b'L', &[b'a'; 5000]);
        let record = entry("x", b'x', b"999 path=a\n");
        let endless = entry("x", b'x', b"29 size=18446744073709551615\n");
        let endless = [endless, entry("a", b'0', b"1")].concat();
        for bytes in [
            damaged,
            many,
            large,
            long,
            record,
            endless,
            b"no archive".to_vec(),
        ] {
            assert!(names(&bytes).is_err());
        }
        let mut cut = archive(&[("a", b"1"), ("b", &[1; 600])]);
        cut.truncate(2000);
        assert!(names(&cut).is_err());
    }

    #[test]
    fn what_is_not_read_of_an_entry_is_skipped() {
        let bytes = archive(&[("a", &[1; 700]), ("b", b"two")]);
        let mut archive = Archive::new(&bytes[..], 1 << 20, 10);
        assert_eq!(archive.next().unwrap().unwrap().name, "a");
        assert_eq!(archive.next().unwrap().unwrap().name, "b");
        assert_eq!(archive.bytes(10).unwrap(), b"two");
        assert!(archive.next().unwrap().is_none());
    }
}
