//! Wheels and other zip archives, read by ranges.
//!
//! Programs disagree about zip archives whose parts contradict each other, which is how a scanner is shown one thing and
//! an installer another. So reading is by the central directory, as installers read, and [`Zip::check`] refuses whatever
//! others could read differently. A library would read on where this must stop.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::archive::{ArchiveError, MEMBER_BYTES, bad};

/// Entries, at most.
const MAX_ENTRIES: u64 = 200_000;
/// Bytes of the central directory, at most: 200,000 entries of 300.
const DIRECTORY_BYTES: u64 = 64 * 1024 * 1024;
/// How much is read at a time.
const WINDOW_BYTES: u64 = 64 * 1024;

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: u64 = 22;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_BYTES: u64 = 56;
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const LOCATOR64_BYTES: u64 = 20;
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const CENTRAL_BYTES: usize = 46;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
/// The comment after the end of a directory, at most.
const COMMENT_BYTES: u64 = 65_535;

/// An entry of the central directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the archive, as written.
    pub name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed_bytes: u64,
    size_bytes: u64,
    offset: u64,
    mode: u32,
}

impl Entry {
    /// Whether it stands for a directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// An archive whose directory has been read.
pub(crate) struct Zip<'a, R: ?Sized> {
    window: Window<'a, R>,
    entries: Vec<Entry>,
    /// Where the central directory is.
    directory: Range<u64>,
    /// Whether anything follows the directory that is none of it.
    has_comment: bool,
}

impl<'a, R: Read + Seek + ?Sized> Zip<'a, R> {
    /// Reads the directory. Errors: it is not there, not whole, or too large.
    pub(crate) fn open(source: &'a mut R) -> Result<Self, ArchiveError> {
        let mut window = Window::new(source)?;
        let size = window.size;
        let (end, has_comment) = find_end(&mut window, size)?;
        let record = window.get(end, END_BYTES)?;
        let mut count = u64::from(u16_at(&record, 10));
        let mut length = u64::from(u32_at(&record, 12));
        let mut offset = u64::from(u32_at(&record, 16));
        let mut after = end;
        if u16_at(&record, 4) != 0
            || u16_at(&record, 6) != 0
            || u16_at(&record, 8) != u16_at(&record, 10)
        {
            return Err(bad("the archive is in several parts"));
        }
        if let Some(large) = end64(&mut window, end)? {
            let agrees = |small: u64, max: u64, large: u64| small == max || small == large;
            if !agrees(count, 0xffff, large.count)
                || !agrees(length, 0xffff_ffff, large.length)
                || !agrees(offset, 0xffff_ffff, large.offset)
            {
                return Err(bad("the two ends of the archive contradict each other"));
            }
            (count, length, offset, after) = (large.count, large.length, large.offset, large.at);
        }
        if count > MAX_ENTRIES || length > DIRECTORY_BYTES {
            return Err(bad("the archive has too many entries"));
        }
        if offset.checked_add(length) != Some(after) {
            return Err(bad(
                "the directory of the archive is not where it should be",
            ));
        }
        let directory = window.exact(offset, length)?;
        let entries = entries(&directory, count)?;
        Ok(Self {
            window,
            entries,
            directory: offset..after,
            has_comment,
        })
    }

    /// What is in it.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The only entry of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Refuses what programs read differently: doubled or strange names, links, encryption, headers that contradict the
    /// directory, and bytes that belong to no entry or to two.
    pub(crate) fn check(&mut self) -> Result<(), ArchiveError> {
        if self.has_comment {
            return Err(bad("there is something after the archive"));
        }
        let mut names = HashSet::with_capacity(self.entries.len());
        for entry in &self.entries {
            check_name(&entry.name)?;
            if !names.insert(entry.name.trim_end_matches('/').to_owned()) {
                return Err(bad(&format!(
                    "the archive has two entries `{}`",
                    entry.name
                )));
            }
            // Encrypted, strongly encrypted, or with a hidden directory.
            if entry.flags & (1 | 1 << 6 | 1 << 13) != 0 {
                return Err(bad("the archive is encrypted"));
            }
            if entry.mode & 0o170_000 == 0o120_000 {
                return Err(bad("the archive has a symbolic link"));
            }
        }
        let mut places: Vec<Entry> = self.entries.clone();
        places.sort_by_key(|entry| entry.offset);
        let mut at = 0;
        for (index, entry) in places.iter().enumerate() {
            if entry.offset != at {
                return Err(bad(
                    "there are bytes in the archive that belong to no entry or to two",
                ));
            }
            let next = places
                .get(index + 1)
                .map_or(self.directory.start, |next| next.offset);
            at = self.check_place(entry, next)?;
        }
        if at != self.directory.start {
            return Err(bad(
                "there are bytes in the archive that belong to no entry or to two",
            ));
        }
        Ok(())
    }

    /// Compares the header before an entry's data with the directory. The result is where the entry ends.
    fn check_place(&mut self, entry: &Entry, next: u64) -> Result<u64, ArchiveError> {
        let contradiction = || {
            bad(&format!(
                "the header of `{}` contradicts the directory",
                entry.name
            ))
        };
        let head = self.window.get(entry.offset, LOCAL_BYTES as u64)?;
        if !head.starts_with(&LOCAL) {
            return Err(contradiction());
        }
        let name_bytes = u64::from(u16_at(&head, 26));
        let extra_bytes = u64::from(u16_at(&head, 28));
        let rest = self
            .window
            .get(entry.offset + LOCAL_BYTES as u64, name_bytes + extra_bytes)?;
        let (name, extra) = rest.split_at(as_usize(name_bytes)?);
        let is_described_later = entry.flags & 8 != 0;
        if name != entry.name.as_bytes()
            || u16_at(&head, 6) != entry.flags
            || u16_at(&head, 8) != entry.method
        {
            return Err(contradiction());
        }
        let mut sizes = Sizes {
            size: u64::from(u32_at(&head, 22)),
            packed: u64::from(u32_at(&head, 18)),
            offset: 0,
        };
        sizes.widen(extra)?;
        let is_stated = u32_at(&head, 14) == entry.crc
            && sizes.size == entry.size_bytes
            && sizes.packed == entry.packed_bytes;
        let is_left_open = u32_at(&head, 14) == 0 && sizes.size == 0 && sizes.packed == 0;
        if !(is_stated || is_described_later && is_left_open) {
            return Err(contradiction());
        }
        let end = entry
            .offset
            .checked_add(LOCAL_BYTES as u64 + name_bytes + extra_bytes)
            .and_then(|start| start.checked_add(entry.packed_bytes))
            .filter(|end| *end <= self.directory.start)
            .ok_or_else(contradiction)?;
        if !is_described_later {
            return Ok(end);
        }
        // With or without a signature; with sizes of 32 or 64 bits.
        let length = next.checked_sub(end).ok_or_else(contradiction)?;
        if !matches!(length, 12 | 16 | 20 | 24) {
            return Err(contradiction());
        }
        let descriptor = self.window.get(end, length)?;
        let fields = if matches!(length, 16 | 24) {
            descriptor
                .strip_prefix(&DESCRIPTOR)
                .ok_or_else(contradiction)?
        } else {
            &descriptor[..]
        };
        let (packed, size) = if fields.len() == 12 {
            (u64::from(u32_at(fields, 4)), u64::from(u32_at(fields, 8)))
        } else {
            (u64_at(fields, 4), u64_at(fields, 12))
        };
        if u32_at(fields, 0) != entry.crc
            || packed != entry.packed_bytes
            || size != entry.size_bytes
        {
            return Err(contradiction());
        }
        Ok(end + length)
    }

    /// The whole of a member, at most [`MEMBER_BYTES`]; its checksum is compared.
    pub(crate) fn read(&mut self, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
        let too_large = || bad(&format!("`{}` in the archive is too large", entry.name));
        if entry.size_bytes > MEMBER_BYTES || entry.packed_bytes > MEMBER_BYTES + MEMBER_BYTES / 8 {
            return Err(too_large());
        }
        let head = self.window.get(entry.offset, LOCAL_BYTES as u64)?;
        if !head.starts_with(&LOCAL) {
            return Err(bad("an entry of the archive is not where it should be"));
        }
        let skipped = u64::from(u16_at(&head, 26)) + u64::from(u16_at(&head, 28));
        let start = entry.offset + LOCAL_BYTES as u64 + skipped;
        let packed = self.window.exact(start, entry.packed_bytes)?;
        let size = as_usize(entry.size_bytes)?;
        let bytes = match entry.method {
            0 => packed,
            8 => inflate(&packed, size).ok_or_else(too_large)?,
            _ => {
                return Err(bad(&format!(
                    "`{}` in the archive is packed in an unknown way",
                    entry.name
                )));
            }
        };
        let mut crc = Crc::new();
        crc.update(&bytes);
        if bytes.len() != size || crc.sum() != entry.crc {
            return Err(bad(&format!("`{}` in the archive is damaged", entry.name)));
        }
        Ok(bytes)
    }
}

/// Unpacks to at most `size` bytes; `None` when there are more, or they are damaged.
fn inflate(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut inflater = Decompress::new(false);
    // One byte more than there should be, to notice that there are more.
    let mut bytes = Vec::with_capacity(size + 1);
    loop {
        let (read, wrote) = (inflater.total_in(), inflater.total_out());
        let at = usize::try_from(read).ok()?;
        let status = inflater
            .decompress_vec(packed.get(at..)?, &mut bytes, FlushDecompress::Finish)
            .ok()?;
        if bytes.len() > size {
            return None;
        }
        match status {
            Status::StreamEnd => return Some(bytes),
            _ if inflater.total_in() == read && inflater.total_out() == wrote => return None,
            _ => {}
        }
    }
}

/// The end of the directory: nothing follows it but its own comment. The result says whether there is one.
fn find_end<R: Read + Seek + ?Sized>(
    window: &mut Window<'_, R>,
    size: u64,
) -> Result<(u64, bool), ArchiveError> {
    let none = || bad("it is no zip archive, or not all of it");
    let last = size.checked_sub(END_BYTES).ok_or_else(none)?;
    // The directory and the metadata are mostly here too: one request, where the archive is elsewhere.
    let tail = size.min(WINDOW_BYTES);
    window.get(size - tail, tail)?;
    let record = window.get(last, END_BYTES)?;
    if record.starts_with(&END) && u16_at(&record, 20) == 0 {
        return Ok((last, false));
    }
    let from = size.saturating_sub(END_BYTES + COMMENT_BYTES);
    let tail = window.exact(from, size - from)?;
    let at = memchr::memmem::rfind_iter(&tail, &END[..])
        .find(|at| {
            let rest = &tail[*at..];
            rest.len() >= 22 && usize::from(u16_at(rest, 20)) + 22 == rest.len()
        })
        .ok_or_else(none)?;
    Ok((from + at as u64, true))
}

struct End64 {
    at: u64,
    count: u64,
    length: u64,
    offset: u64,
}

/// The end record for large archives, if there is one before the small one.
fn end64<R: Read + Seek + ?Sized>(
    window: &mut Window<'_, R>,
    end: u64,
) -> Result<Option<End64>, ArchiveError> {
    let Some(at) = end.checked_sub(LOCATOR64_BYTES) else {
        return Ok(None);
    };
    let locator = window.get(at, LOCATOR64_BYTES)?;
    if !locator.starts_with(&LOCATOR64) {
        return Ok(None);
    }
    let contradiction = || bad("the two ends of the archive contradict each other");
    let record_at = u64_at(&locator, 8);
    if record_at.checked_add(END64_BYTES) != Some(at) {
        return Err(contradiction());
    }
    let record = window.get(record_at, END64_BYTES)?;
    if !record.starts_with(&END64)
        || u64_at(&record, 4) != END64_BYTES - 12
        || u64_at(&record, 24) != u64_at(&record, 32)
    {
        return Err(contradiction());
    }
    Ok(Some(End64 {
        at: record_at,
        count: u64_at(&record, 32),
        length: u64_at(&record, 40),
        offset: u64_at(&record, 48),
    }))
}

fn entries(directory: &[u8], count: u64) -> Result<Vec<Entry>, ArchiveError> {
    let broken = || bad("the directory of the archive cannot be read");
    let mut rest = directory;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        if rest.len() < CENTRAL_BYTES || !rest.starts_with(&CENTRAL) {
            return Err(broken());
        }
        let (head, after) = rest.split_at(CENTRAL_BYTES);
        let (name, extra, comment) = (u16_at(head, 28), u16_at(head, 30), u16_at(head, 32));
        let variable = usize::from(name) + usize::from(extra) + usize::from(comment);
        if after.len() < variable {
            return Err(broken());
        }
        let (name, after_name) = after.split_at(usize::from(name));
        let extra = &after_name[..usize::from(extra)];
        let mut sizes = Sizes {
            size: u64::from(u32_at(head, 24)),
            packed: u64::from(u32_at(head, 20)),
            offset: u64::from(u32_at(head, 42)),
        };
        sizes.widen(extra)?;
        let name = std::str::from_utf8(name)
            .map_err(|_| bad("a name in the archive is not UTF-8"))?
            .to_owned();
        entries.push(Entry {
            name,
            flags: u16_at(head, 8),
            method: u16_at(head, 10),
            crc: u32_at(head, 16),
            packed_bytes: sizes.packed,
            size_bytes: sizes.size,
            offset: sizes.offset,
            mode: u32_at(head, 38) >> 16,
        });
        rest = &after[variable..];
    }
    if entries.len() as u64 != count {
        return Err(broken());
    }
    Ok(entries)
}

/// Sizes and places that may be too large for their fields.
struct Sizes {
    size: u64,
    packed: u64,
    offset: u64,
}

impl Sizes {
    /// Reads the wide ones from the extra field, in their fixed order.
    fn widen(&mut self, mut extra: &[u8]) -> Result<(), ArchiveError> {
        const MAX: u64 = 0xffff_ffff;
        let mut is_widened = false;
        while extra.len() >= 4 {
            let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
            let broken = || bad("an extra field of the archive cannot be read");
            let mut field = extra.get(4..4 + length).ok_or_else(broken)?;
            extra = &extra[4 + length..];
            if id != 1 {
                continue;
            }
            if std::mem::replace(&mut is_widened, true) {
                return Err(bad("an entry of the archive states its size twice"));
            }
            for value in [&mut self.size, &mut self.packed, &mut self.offset] {
                if *value == MAX && field.len() >= 8 {
                    *value = u64_at(field, 0);
                    field = &field[8..];
                }
            }
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), ArchiveError> {
    let path = name.strip_suffix('/').unwrap_or(name);
    let is_strange = path.is_empty()
        || path.contains(['\\', ':'])
        || path.chars().any(char::is_control)
        || path
            .split('/')
            .any(|segment| matches!(segment, "" | "." | ".."));
    if is_strange {
        return Err(bad(&format!(
            "the archive has an entry with a forbidden name, `{}`",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// A piece of the archive that is at hand.
struct Window<'a, R: ?Sized> {
    source: &'a mut R,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a, R: Read + Seek + ?Sized> Window<'a, R> {
    fn new(source: &'a mut R) -> Result<Self, ArchiveError> {
        let size = source.seek(SeekFrom::End(0))?;
        Ok(Self {
            source,
            size,
            start: 0,
            bytes: Vec::new(),
        })
    }

    /// A few bytes; those behind them are read along.
    fn get(&mut self, at: u64, length: u64) -> Result<Vec<u8>, ArchiveError> {
        let end = self.end(at, length)?;
        if at < self.start || end > self.start + self.bytes.len() as u64 {
            let until = end.max(at.saturating_add(WINDOW_BYTES).min(self.size));
            self.bytes = self.read(at..until)?;
            self.start = at;
        }
        let from = as_usize(at - self.start)?;
        Ok(self.bytes[from..from + as_usize(length)?].to_vec())
    }

    /// Many bytes, and no more.
    fn exact(&mut self, at: u64, length: u64) -> Result<Vec<u8>, ArchiveError> {
        if length <= WINDOW_BYTES {
            return self.get(at, length);
        }
        let end = self.end(at, length)?;
        self.read(at..end)
    }

    fn end(&self, at: u64, length: u64) -> Result<u64, ArchiveError> {
        at.checked_add(length)
            .filter(|end| *end <= self.size)
            .ok_or_else(|| bad("the archive refers to bytes beyond its end"))
    }

    fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = vec![0; as_usize(range.end - range.start)?];
        self.source.seek(SeekFrom::Start(range.start))?;
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn as_usize(value: u64) -> Result<usize, ArchiveError> {
    usize::try_from(value).map_err(|_| bad("the archive is too large for this machine"))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
