//! Blobs in a file tree.
//!
//! Kept means: the bytes are on the disk (`fsync`), then the name (`rename`, and `fsync` of every directory above it, because a directory
//! that was just made is itself an entry that can be lost). A crash in between leaves a file in the spool or a blob nobody refers to.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt, stream};
use rustix::fs::{Access, access};

use super::spool::SpoolFile;
use super::{BlobError, ByteStream, Listed, Location, blocking, read};

pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.root.join(".spool")
    }

    fn path(&self, location: Location) -> PathBuf {
        self.root.join(location.key())
    }

    pub(super) async fn check(&self) -> Result<(), BlobError> {
        let root = self.root.clone();
        blocking(move || {
            let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
            access(&root, wanted).map_err(|error| BlobError::unavailable(io::Error::from(error)))
        })
        .await
    }

    pub(super) async fn keep(
        &self,
        location: Location,
        spooled: SpoolFile,
    ) -> Result<(), BlobError> {
        let path = self.path(location);
        blocking(move || {
            spooled
                .handle()
                .sync_all()
                .map_err(BlobError::unavailable)?;
            // The key has two directories above its name, and the root above them.
            let above: Vec<_> = path.ancestors().skip(1).take(3).collect();
            fs::create_dir_all(above[0]).map_err(BlobError::unavailable)?;
            spooled.move_to(&path).map_err(BlobError::unavailable)?;
            for directory in above {
                File::open(directory)
                    .and_then(|directory| directory.sync_all())
                    .map_err(BlobError::unavailable)?;
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn size(&self, location: Location) -> Result<u64, BlobError> {
        let path = self.path(location);
        blocking(move || {
            fs::metadata(path)
                .map(|found| found.len())
                .map_err(|error| failed(error, location))
        })
        .await
    }

    /// All of a blob that should have `size` bytes, which are few.
    pub(super) async fn whole(&self, location: Location, size: u64) -> Result<Bytes, BlobError> {
        let path = self.path(location);
        blocking(move || {
            let file = open(&path, location, size)?;
            read::read(&file, 0..size).map_err(BlobError::unavailable)
        })
        .await
    }

    pub(super) async fn read(
        &self,
        location: Location,
        size: u64,
        range: Range<u64>,
    ) -> Result<ByteStream, BlobError> {
        let path = self.path(location);
        let file = blocking(move || open(&path, location, size)).await?;
        Ok(read::pieces(Arc::new(file), range))
    }

    pub(super) async fn remove(&self, location: Location) -> Result<(), BlobError> {
        let path = self.path(location);
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::unavailable(error))
            }
            _ => Ok(()),
        })
        .await
    }

    /// One first-level directory after the other, so that a 256th of the tree is held at a time.
    pub(super) fn list(&self) -> Pin<Box<dyn Stream<Item = Result<Listed, BlobError>> + Send>> {
        let root = self.root.clone();
        let directories = (0..=u8::MAX).map(move |first| root.join(hex::encode([first])));
        Box::pin(
            stream::iter(directories)
                .then(|directory| {
                    blocking(move || listed(directory).map_err(BlobError::unavailable))
                })
                .map_ok(|listed| stream::iter(listed.into_iter().map(Ok)))
                .try_flatten(),
        )
    }
}

fn open(path: &std::path::Path, location: Location, size: u64) -> Result<File, BlobError> {
    let file = File::open(path).map_err(|error| failed(error, location))?;
    match file.metadata().map_err(BlobError::unavailable)?.len() {
        found if found == size => Ok(file),
        found => Err(BlobError::Damaged {
            location,
            expected: size,
            found,
        }),
    }
}

fn failed(error: io::Error, location: Location) -> BlobError {
    match error.kind() {
        io::ErrorKind::NotFound => BlobError::Missing { location },
        _ => BlobError::unavailable(error),
    }
}

fn listed(directory: PathBuf) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for second in entries(directory)? {
        for blob in entries(second.path())? {
            let name = blob.file_name();
            // What has another name is not ours.
            let Some(location) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match blob.metadata() {
                Ok(metadata) => listed.push(Listed {
                    location,
                    size: metadata.len(),
                    modified_at: metadata
                        .modified()?
                        .duration_since(UNIX_EPOCH)
                        .map_or(0, |since| {
                            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                        }),
                }),
                // Removed in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    listed.sort_by_key(|blob| blob.location);
    Ok(listed)
}

fn entries(directory: PathBuf) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
