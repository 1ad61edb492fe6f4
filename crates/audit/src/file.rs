//! The file of records: one JSON object a line, a new file when it is large or old.
//!
//! ```text
//! DIR/audit.jsonl                       being written
//! DIR/audit-20260314T150926Z-0.jsonl    older ones, by the time when they were put away
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::Timestamp;

use crate::Error;

const CURRENT: &str = "audit.jsonl";

/// How long and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// A file that has grown so large is put away.
    pub bytes: u64,
    /// A file that has been written to for so long is put away.
    pub age: Duration,
    /// Files that were put away longer ago are removed.
    pub keep: Duration,
}

/// The file that is written, and those before it.
#[derive(Debug)]
pub(crate) struct Files {
    directory: PathBuf,
    keeping: Keeping,
    current: File,
    bytes: u64,
    began: Timestamp,
}

impl Files {
    /// Opens the directory, for its owner alone, and goes on with the file that is there.
    pub(crate) fn open(directory: &Path, keeping: Keeping, now: Timestamp) -> Result<Self, Error> {
        let path = directory.join(CURRENT);
        let failed = |source| Error::File {
            path: path.display().to_string(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        let mut current = append(&path).map_err(failed)?;
        end_line(&mut current).map_err(failed)?;
        let meta = current.metadata().map_err(failed)?;
        // A file that is gone on with is as old as its last line at least; where that is not known it begins now.
        let began = match meta.modified() {
            Ok(time) if meta.len() > 0 => Timestamp::from(time).min(now),
            _ => now,
        };
        Ok(Self {
            directory: directory.to_owned(),
            keeping,
            current,
            bytes: meta.len(),
            began,
        })
    }

    /// Appends lines, each with its end, all of them to one file or none at all.
    pub(crate) fn write(&mut self, lines: &[u8], now: Timestamp) -> io::Result<()> {
        if self.bytes > 0
            && (self.bytes >= self.keeping.bytes || now.since(self.began) >= self.keeping.age)
        {
            self.put_away(now)?;
        }
        if let Err(error) = self.current.write_all(lines) {
            self.take_back();
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Removes what a full disk took of lines: the next would stand behind half of one.
    fn take_back(&self) {
        let length = self.current.metadata().map(|meta| meta.len());
        // Somebody else may have emptied it.
        if length.is_ok_and(|length| length > self.bytes)
            && let Err(error) = self.current.set_len(self.bytes)
        {
            tracing::error!(%error, "the file of records ends with half a line");
        }
    }

    fn put_away(&mut self, now: Timestamp) -> io::Result<()> {
        let current = self.directory.join(CURRENT);
        self.current.sync_all()?;
        for number in 0_u32.. {
            let name = format!("audit-{}-{number}.jsonl", now.amz_date());
            let path = self.directory.join(name);
            if !path.exists() {
                fs::rename(&current, path)?;
                break;
            }
        }
        self.current = append(&current)?;
        self.bytes = 0;
        self.began = now;
        self.remove_old(now)
    }

    fn remove_old(&self, now: Timestamp) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let put_away = name.to_str().and_then(put_away_at);
            if put_away.is_some_and(|at| now.since(at) > self.keeping.keep) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Ends the line in the middle of which a process was killed, so that those that follow can be read.
fn end_line(file: &mut File) -> io::Result<()> {
    let mut last = [0];
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// When a file of this name was put away; `None` of any other file.
fn put_away_at(name: &str) -> Option<Timestamp> {
    let rest = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let (time, number) = rest.split_once('-')?;
    number.parse::<u32>().ok()?;
    Timestamp::parse_amz_date(time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn half_a_line_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let at = Timestamp::from_seconds(1_773_500_966);
        let keeping = Keeping {
            bytes: 1000,
            age: Duration::from_secs(100),
            keep: Duration::from_secs(1000),
        };
        fs::write(&path, "whole\nof a process that was kil").unwrap();
        let mut files = Files::open(directory.path(), keeping, at).unwrap();
        files.write(b"next\n", at).unwrap();
        // What a disk takes before it is full.
        append(&path).unwrap().write_all(b"hal").unwrap();
        files.take_back();
        files.write(b"last\n", at).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "whole\nof a process that was kil\nnext\nlast\n"
        );
        fs::write(&path, "").unwrap();
        files.take_back();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn files_are_put_away_by_size_and_age_and_removed_when_old() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let at = |seconds: i64| Timestamp::from_seconds(1_773_500_966 + seconds);
        let keeping = Keeping {
            bytes: 10,
            age: Duration::from_secs(100),
            keep: Duration::from_secs(1000),
        };
        let mut files = Files::open(&path, keeping, at(0)).unwrap();
        files.write(b"0123456\n", at(0)).unwrap();
        files.write(b"89abcdef\n", at(1)).unwrap();
        assert_eq!(names(&path), ["audit.jsonl"]);
        files.write(b"by size\n", at(2)).unwrap();
        files.write(b"by age\n", at(102)).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        assert_eq!(
            names(&path),
            [
                "audit-20260314T150928Z-0.jsonl",
                "audit-20260314T151108Z-0.jsonl",
                "audit.jsonl",
                "notes.txt"
            ]
        );
        files.write(b"later\n", at(1100)).unwrap();
        assert_eq!(
            names(&path),
            [
                "audit-20260314T151108Z-0.jsonl",
                "audit-20260314T152746Z-0.jsonl",
                "audit.jsonl",
                "notes.txt"
            ]
        );
        drop(files);
        let mut files = Files::open(&path, keeping, at(1100)).unwrap();
        files.write(b"!\n", at(1100)).unwrap();
        assert_eq!(
            fs::read_to_string(path.join("audit.jsonl")).unwrap(),
            "later\n!\n"
        );
    }
}
