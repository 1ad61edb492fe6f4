//! Bodies on their way in: one file each, in a directory for each process.
//!
//! ```text
//! SPOOL/lock             held for a moment by whoever makes or removes a process's directory
//! SPOOL/<random>/lock    held by its process for as long as it lives
//! SPOOL/<random>/<random>  a body
//! ```
//!
//! A directory whose lock nobody holds is that of a process that died. Process numbers would not tell: they come again, and in containers
//! everybody is number 1.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// This process's directory; removed with the last body.
pub(super) struct Spool {
    directory: PathBuf,
    _lock: File,
}

impl Spool {
    /// Makes this process's directory and removes those of the dead.
    pub(super) fn open(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        // Without it, a directory just made and not yet locked, or half removed, would look dead to another process.
        let _together = together(parent)?;
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && is_dead(&entry.path())? {
                tracing::info!(directory = %entry.path().display(), "removing what a dead process left in the spool");
                fs::remove_dir_all(entry.path())?;
            }
        }
        let directory = parent.join(crate::random_hex());
        fs::create_dir(&directory)?;
        let lock = lock_file(&directory.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// An empty file for a body.
    pub(super) fn file(self: &Arc<Self>) -> io::Result<SpoolFile> {
        let path = self.directory.join(crate::random_hex());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(SpoolFile {
            _spool: Arc::clone(self),
            path: Some(path),
            file: Arc::new(file),
        })
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _together = self.directory.parent().map(together);
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, directory = %self.directory.display(), "the spool was left");
        }
    }
}

/// Until it is dropped, nobody else makes or removes a directory of the spool.
fn together(parent: &Path) -> io::Result<File> {
    let lock = lock_file(&parent.join("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn is_dead(directory: &Path) -> io::Result<bool> {
    let lock = lock_file(&directory.join("lock"))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A body's file; removed when this is dropped, unless it was moved away. Who holds the handle can go on reading.
pub(super) struct SpoolFile {
    _spool: Arc<Spool>,
    path: Option<PathBuf>,
    file: Arc<File>,
}

impl SpoolFile {
    pub(super) fn handle(&self) -> &Arc<File> {
        &self.file
    }

    /// Moves it to its place on the same file system.
    pub(super) fn move_to(mut self, place: &Path) -> io::Result<()> {
        if let Some(path) = &self.path {
            fs::rename(path, place)?;
            self.path = None;
        }
        Ok(())
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(%error, path = %path.display(), "a spooled body was left");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_the_living_keep_theirs() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("00");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        fs::write(dead.join("body"), "half").unwrap();

        let living = Arc::new(Spool::open(parent.path()).unwrap());
        assert!(!dead.exists());
        let body = living.file().unwrap();
        let second = Spool::open(parent.path()).unwrap();
        assert!(body.path.as_ref().unwrap().exists());

        drop((body, living, second));
        let left: Vec<_> = fs::read_dir(parent.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["lock"]);
    }
}
