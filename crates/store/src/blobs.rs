//! Bytes that are written once under a fresh random name, read in ranges, and removed: in a file tree or a bucket.
//!
//! Writing is not publishing. [`BlobStore::incoming`] takes a body piece by piece into a spool file and computes its digests; the caller
//! compares them and either keeps it ([`Sealed::keep`]), which makes it durable and gives its [`Location`], or drops it, which leaves
//! nothing. Meanwhile any number of readers may follow the body as it arrives ([`Incoming::follow`]).
//!
//! ```text
//! file:ROOT    ROOT/3f/9a/3f9a…c1            a blob: 32 hex digits, in two levels of 256 directories
//!              ROOT/.spool/<process>/<body>  bodies on their way in
//! s3://B/P     P/3f/9a/3f9a…c1               the same names; the spool is a local directory
//! ```

mod address;
mod bucket;
mod incoming;
mod local;
mod memory;
mod read;
mod spool;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};

use self::address::Kind;
pub use self::address::{BlobSettings, BlobsAddress, InvalidBlobsAddress};
use self::bucket::Bucket;
pub use self::incoming::{Follow, Incoming, Sealed, SealedReader, Stored};
use self::local::Files;
use self::memory::Memory;
use self::spool::Spool;
use crate::Value;
use crate::error::Cause;

/// Bytes are read, and given to followers, in pieces of at most this size; a blob that fits into one is kept in memory.
///
/// Smaller ones cost a hop to another thread more often, and larger ones only take memory.
pub(crate) const PIECE: u64 = 256 * 1024;

/// The body of a blob, in pieces of at most 256 KiB. An error ends it: what came before is not the whole.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Where a blob is: 128 random bits, written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location([u8; 16]);

/// Why a text is not a [`Location`].
#[derive(Debug, thiserror::Error)]
#[error("the location of a blob is 32 lower-case hex digits")]
pub struct InvalidLocation;

impl Location {
    fn random() -> Self {
        Self(crate::random_bytes())
    }

    /// Where it stands below the root or the prefix: `3f/9a/3f9a…`.
    fn key(self) -> String {
        let name = self.to_string();
        format!("{}/{}/{name}", &name[..2], &name[2..4])
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        let mut bytes = [0; 16];
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidLocation);
        }
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidLocation)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Location({self})")
    }
}

impl From<Location> for Value {
    fn from(location: Location) -> Self {
        Self::Text(location.to_string())
    }
}

/// Why bytes were not taken or given; one variant for each thing that a caller would do about it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More bytes than the caller allowed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// What was allowed.
        limit: u64,
    },
    /// There is no such blob, though a row refers to it.
    #[error("blob `{location}` is missing")]
    Missing {
        /// Which one.
        location: Location,
    },
    /// The blob has not the size that its row says: it was damaged.
    #[error("blob `{location}` has {found} bytes instead of {expected}")]
    Damaged {
        /// Which one.
        location: Location,
        /// What the row says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The range does not lie within the blob.
    #[error("bytes {} to {} of a blob of {size} bytes", range.start, range.end)]
    Range {
        /// What was asked for.
        range: Range<u64>,
        /// The size of the blob.
        size: u64,
    },
    /// Whoever sends the body broke off.
    #[error("the body broke off")]
    Body(#[source] io::Error),
    /// An earlier write of this body failed or was cancelled half way, so what follows cannot be put behind it.
    #[error("an earlier write of this body was not completed")]
    Broken,
    /// The disk or the bucket does not do it.
    #[error("the blob store is not available")]
    Unavailable(#[source] Cause),
}

impl BlobError {
    fn unavailable(source: impl Into<Cause>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// One blob of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub location: Location,
    /// Its size in bytes.
    pub size: u64,
    /// When it was kept, in milliseconds since 1970, by the clock of the disk or the bucket.
    pub modified_at: i64,
}

/// The blobs; cheap to clone.
#[derive(Clone)]
pub struct BlobStore(Arc<Inner>);

struct Inner {
    place: Place,
    spool: Arc<Spool>,
    memory: Memory,
}

enum Place {
    Files(Files),
    Bucket(Bucket),
}

impl BlobStore {
    /// Opens the place and removes what a process that died left in the spool.
    ///
    /// `spool` is a local directory, made if it is not there, where bodies wait on their way into a bucket; several processes may share
    /// it. A file tree has its own inside itself, because a file cannot be renamed from one file system to another. The bucket is not
    /// asked for anything yet. Errors: [`BlobError::Unavailable`].
    pub async fn open(
        address: &BlobsAddress,
        settings: &BlobSettings,
        spool: &Path,
    ) -> Result<Self, BlobError> {
        let place = match &address.0 {
            Kind::Files(root) => Place::Files(Files::new(root.clone())),
            Kind::Bucket { bucket, prefix } => {
                Place::Bucket(Bucket::new(bucket, prefix, settings)?)
            }
        };
        let directory = match &place {
            Place::Files(files) => files.spool(),
            Place::Bucket(_) => spool.to_owned(),
        };
        let spool =
            blocking(move || Spool::open(&directory).map_err(BlobError::unavailable)).await?;
        let memory = Memory::new(settings.memory_bytes);
        Ok(Self(Arc::new(Inner {
            place,
            spool: Arc::new(spool),
            memory,
        })))
    }

    /// Whether the place answers, and is one for blobs: asked once, when a process starts.
    ///
    /// Errors: [`BlobError::Unavailable`], as when the bucket does not exist, the key may not list it, or the directory cannot be
    /// written to.
    pub async fn check(&self) -> Result<(), BlobError> {
        match &self.0.place {
            Place::Files(files) => files.check().await,
            Place::Bucket(bucket) => bucket.check().await,
        }
    }

    /// Begins to take a body of at most `limit_bytes`.
    pub fn incoming(&self, limit_bytes: u64) -> Incoming {
        Incoming::new(Arc::clone(&self.0), limit_bytes)
    }

    /// Takes a whole body of at most `limit_bytes` and keeps it.
    ///
    /// Errors: [`BlobError::TooLarge`], [`BlobError::Body`], [`BlobError::Unavailable`]; then nothing is kept.
    pub async fn put(
        &self,
        body: impl Stream<Item = io::Result<Bytes>>,
        limit_bytes: u64,
    ) -> Result<Stored, BlobError> {
        let mut body = std::pin::pin!(body);
        let mut incoming = self.incoming(limit_bytes);
        while let Some(piece) = body.next().await {
            incoming.write(piece.map_err(BlobError::Body)?).await?;
        }
        incoming.seal().await?.keep().await
    }

    /// The bytes of a blob of `size` bytes, or those of a range of it.
    ///
    /// A small blob (at most 256 KiB) is read whole, once for all who ask at the same time, and stays in memory while it is asked for. Of a
    /// larger one at most three pieces are held. Errors: [`BlobError::Missing`], [`BlobError::Damaged`] when it has another size,
    /// [`BlobError::Range`], [`BlobError::Unavailable`]; later ones end the stream.
    pub async fn read(
        &self,
        location: &Location,
        size: u64,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, BlobError> {
        let range = range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(BlobError::Range { range, size });
        }
        if size <= PIECE {
            let whole = self.small(*location, size).await?;
            return Ok(one_piece(part(&whole, &range)));
        }
        match &self.0.place {
            Place::Files(files) => files.read(*location, size, range).await,
            Place::Bucket(bucket) => bucket.read(*location, size, range).await,
        }
    }

    /// The bytes of a blob of `size` bytes as they are stored at this moment, and never those that are in memory: for whoever
    /// wants to know whether they are well. Errors: as [`BlobStore::read`].
    pub async fn read_stored(
        &self,
        location: &Location,
        size: u64,
    ) -> Result<ByteStream, BlobError> {
        match &self.0.place {
            Place::Files(files) => files.read(*location, size, 0..size).await,
            Place::Bucket(bucket) => bucket.read(*location, size, 0..size).await,
        }
    }

    /// The bytes of a small blob if they are in memory: an answer without waiting.
    pub fn cached(&self, location: &Location) -> Option<Bytes> {
        self.0.memory.get(location)
    }

    /// The whole of a blob of at most `cap` bytes, in one piece.
    ///
    /// Errors: [`BlobError::TooLarge`] and those of [`BlobStore::read`].
    pub async fn read_all(&self, location: &Location, cap: u64) -> Result<Bytes, BlobError> {
        if let Some(bytes) = self.cached(location) {
            return within(bytes, cap);
        }
        let size = match &self.0.place {
            Place::Files(files) => files.size(*location).await?,
            Place::Bucket(bucket) => bucket.size(*location).await?,
        };
        if size > cap {
            return Err(BlobError::TooLarge { limit: cap });
        }
        if size <= PIECE {
            return self.small(*location, size).await;
        }
        let mut pieces = self.read(location, size, None).await?;
        let mut whole = Vec::with_capacity(usize::try_from(size).map_err(BlobError::unavailable)?);
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece.map_err(BlobError::unavailable)?);
        }
        Ok(whole.into())
    }

    /// Removes a blob; one that is not there is no error.
    pub async fn remove(&self, location: &Location) -> Result<(), BlobError> {
        let removed = match &self.0.place {
            Place::Files(files) => files.remove(*location).await,
            Place::Bucket(bucket) => bucket.remove(*location).await,
        };
        self.0.memory.forget(location);
        removed
    }

    /// Every blob there is, by location; those kept or removed meanwhile may be missing or not.
    pub fn list(&self) -> Pin<Box<dyn Stream<Item = Result<Listed, BlobError>> + Send>> {
        match &self.0.place {
            Place::Files(files) => files.list(),
            Place::Bucket(bucket) => bucket.list(),
        }
    }

    async fn small(&self, location: Location, size: u64) -> Result<Bytes, BlobError> {
        let whole = |bytes: Bytes| match bytes.len() as u64 {
            found if found == size => Ok(bytes),
            found => Err(BlobError::Damaged {
                location,
                expected: size,
                found,
            }),
        };
        let load = async || match &self.0.place {
            Place::Files(files) => files.whole(location, size).await.and_then(whole),
            Place::Bucket(bucket) => bucket.whole(location, size).await.and_then(whole),
        };
        // The row may also disagree with what is in memory.
        self.0
            .memory
            .get_or_load(location, load)
            .await
            .and_then(whole)
    }
}

impl fmt::Debug for BlobStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.0.place {
            Place::Files(_) => "files",
            Place::Bucket(_) => "bucket",
        };
        out.debug_struct("BlobStore")
            .field("place", &place)
            .finish_non_exhaustive()
    }
}

fn within(bytes: Bytes, cap: u64) -> Result<Bytes, BlobError> {
    if bytes.len() as u64 > cap {
        Err(BlobError::TooLarge { limit: cap })
    } else {
        Ok(bytes)
    }
}

/// A part of bytes at hand; both ends lie within.
fn part(whole: &Bytes, range: &Range<u64>) -> Bytes {
    let place = |at: u64| usize::try_from(at).map_or(whole.len(), |at| at.min(whole.len()));
    whole.slice(place(range.start)..place(range.end))
}

fn one_piece(bytes: Bytes) -> ByteStream {
    if bytes.is_empty() {
        return Box::pin(stream::empty());
    }
    Box::pin(stream::iter([Ok(bytes)]))
}

/// Runs what may wait for the disk where that holds up nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(BlobError::unavailable)?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_as_it_is_printed() {
        let text = "3f9a00112233445566778899aabbccdd";
        let location: Location = text.parse().unwrap();
        assert_eq!(location.to_string(), text);
        assert_eq!(location.key(), format!("3f/9a/{text}"));
        for text in [
            "",
            "3f9a",
            "3F9A00112233445566778899AABBCCDD",
            "../../etc/passwd/../../etc/passw",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
