//! A body on its way in: spooled, digested, followed, and in the end kept or gone.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::spool::SpoolFile;
use super::{BlobError, ByteStream, Inner, Location, PIECE, Place, blocking, read};
use crate::{Digester, Digests};

/// A body that is being written. Dropping it leaves nothing.
pub struct Incoming {
    store: Arc<Inner>,
    limit: u64,
    taken: u64,
    state: State,
    seen: watch::Receiver<Seen>,
}

enum State {
    Idle(Box<Writing>),
    /// The last piece is being written; the next may come in meanwhile, so two are held at most.
    Busy(JoinHandle<Result<Box<Writing>, BlobError>>),
    Broken,
}

/// What the blocking threads hand to each other, piece by piece.
///
/// Not one task for the whole body: it would hold a thread for as long as a slow client takes, and there are only so many.
struct Writing {
    store: Arc<Inner>,
    spooled: Option<SpoolFile>,
    digester: Digester,
    progress: watch::Sender<Seen>,
}

/// What followers see. When the sender is gone and `kept` is not set, the body was abandoned.
#[derive(Clone, Default)]
struct Seen {
    file: Option<Arc<File>>,
    written: u64,
    kept: bool,
}

impl Writing {
    fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        let file = Arc::clone(self.file()?);
        (&*file).write_all(piece).map_err(BlobError::unavailable)?;
        self.digester.update(piece);
        self.progress.send_modify(|seen| {
            seen.file.get_or_insert(file);
            seen.written += piece.len() as u64;
        });
        Ok(())
    }

    fn file(&mut self) -> Result<&Arc<File>, BlobError> {
        let spooled = match self.spooled.take() {
            Some(spooled) => spooled,
            None => self.store.spool.file().map_err(BlobError::unavailable)?,
        };
        Ok(self.spooled.insert(spooled).handle())
    }
}

impl Incoming {
    pub(super) fn new(store: Arc<Inner>, limit: u64) -> Self {
        let (progress, seen) = watch::channel(Seen::default());
        let writing = Writing {
            store: Arc::clone(&store),
            spooled: None,
            digester: Digester::default(),
            progress,
        };
        Self {
            store,
            limit,
            taken: 0,
            state: State::Idle(Box::new(writing)),
            seen,
        }
    }

    /// Takes the next bytes; returns when the piece before them is on its way to the disk.
    ///
    /// Errors: [`BlobError::TooLarge`], [`BlobError::Unavailable`], of this piece or the one before, and [`BlobError::Broken`] ever after.
    /// When the returned future is dropped before it is done the body is broken as well.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        if self.taken > self.limit {
            self.state = State::Broken;
            return Err(BlobError::TooLarge { limit: self.limit });
        }
        let mut writing = self.writing().await?;
        self.state = State::Busy(tokio::task::spawn_blocking(move || {
            writing.append(&bytes)?;
            Ok(writing)
        }));
        Ok(())
    }

    /// How many bytes were taken.
    pub fn size(&self) -> u64 {
        self.taken
    }

    /// For readers that want the body while it arrives; each gets it from the start.
    pub fn follow(&self) -> Follow {
        Follow(self.seen.clone())
    }

    /// Ends the body and gives its digests. Nothing is durable or visible yet.
    ///
    /// Errors: [`BlobError::Unavailable`], [`BlobError::Broken`].
    pub async fn seal(mut self) -> Result<Sealed, BlobError> {
        let mut writing = self.writing().await?;
        let size = self.taken;
        let (spooled, progress, digests) = blocking(move || {
            // An empty body has no file yet.
            writing.file()?;
            let Writing {
                spooled,
                digester,
                progress,
                ..
            } = *writing;
            Ok((
                spooled.ok_or(BlobError::Broken)?,
                progress,
                digester.finish(),
            ))
        })
        .await?;
        Ok(Sealed {
            store: Arc::clone(&self.store),
            spooled,
            progress,
            size,
            digests,
        })
    }

    /// Waits for the piece under way. When this is dropped half way, the state stays broken: a piece may have been lost.
    async fn writing(&mut self) -> Result<Box<Writing>, BlobError> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Idle(writing) => Ok(writing),
            State::Busy(task) => task.await.map_err(BlobError::unavailable)?,
            State::Broken => Err(BlobError::Broken),
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Incoming")
            .field("limit", &self.limit)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// A whole body whose digests are known and which is not kept yet. Dropping it leaves nothing.
pub struct Sealed {
    store: Arc<Inner>,
    spooled: SpoolFile,
    progress: watch::Sender<Seen>,
    size: u64,
    digests: Digests,
}

impl Sealed {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its digests.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Reads it from the beginning, on a thread that may block. Every reader has a place of its own.
    pub fn reader(&self) -> SealedReader {
        SealedReader {
            file: Arc::clone(self.spooled.handle()),
            at: 0,
            size: self.size,
        }
    }

    /// Makes it durable under a fresh location; followers end well.
    ///
    /// When the returned future is dropped it may still be kept: then nobody refers to it, and the sweep finds it. Errors:
    /// [`BlobError::Unavailable`], and nothing is kept.
    pub async fn keep(self) -> Result<Stored, BlobError> {
        let Self {
            store,
            spooled,
            progress,
            size,
            digests,
        } = self;
        let location = Location::random();
        // A task of its own, so that what was begun comes to its end.
        let kept = tokio::spawn(async move {
            match &store.place {
                Place::Files(files) => files.keep(location, spooled).await?,
                Place::Bucket(bucket) => {
                    bucket.keep(location, spooled.handle(), size).await?;
                    drop(spooled);
                }
            }
            progress.send_modify(|seen| seen.kept = true);
            Ok(())
        });
        kept.await.map_err(BlobError::unavailable)??;
        Ok(Stored {
            location,
            size,
            digests,
        })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sealed")
            .field("size", &self.size)
            .field("digests", &self.digests)
            .finish_non_exhaustive()
    }
}

/// A sealed body as a file, for whoever reads what is in it. Stays readable when the body is given up.
pub struct SealedReader {
    file: Arc<File>,
    at: u64,
    size: u64,
}

impl Read for SealedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SealedReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl fmt::Debug for SealedReader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SealedReader")
            .field("at", &self.at)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A blob that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub location: Location,
    /// Its size in bytes.
    pub size: u64,
    /// Its digests.
    pub digests: Digests,
}

/// A body as it arrives, for any number of readers.
#[derive(Clone)]
pub struct Follow(watch::Receiver<Seen>);

impl Follow {
    /// The body from its first byte.
    ///
    /// The last piece, up to 256 KiB and so the whole of a small body, is held back until the outcome is known. A body that is kept ends
    /// well; one that is abandoned ends with an error before its last byte, so no client takes a wrong body for a whole one.
    pub fn stream(&self) -> ByteStream {
        let reader = Some((self.0.clone(), 0));
        Box::pin(stream::unfold(reader, |reader| async move {
            let (mut seen, at) = reader?;
            match next(&mut seen, at).await {
                Ok(Some(piece)) => {
                    let at = at + piece.len() as u64;
                    Some((Ok(piece), Some((seen, at))))
                }
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}

impl fmt::Debug for Follow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.0.borrow();
        out.debug_struct("Follow")
            .field("written", &seen.written)
            .field("kept", &seen.kept)
            .finish_non_exhaustive()
    }
}

/// The piece at `at`, once it may be given.
async fn next(seen: &mut watch::Receiver<Seen>, at: u64) -> io::Result<Option<Bytes>> {
    loop {
        let now = seen.borrow_and_update().clone();
        // Strictly more, so that whatever is given is followed by at least one byte that is not.
        let end = if now.kept {
            now.written.min(at + PIECE)
        } else {
            at + PIECE
        };
        if now.kept || now.written > end {
            let Some(file) = now.file.filter(|_| end > at) else {
                return Ok(None);
            };
            return read::piece(file, at..end).await.map(Some);
        }
        if seen.changed().await.is_err() {
            return Err(io::Error::other(
                "the body was abandoned before it was whole",
            ));
        }
    }
}
