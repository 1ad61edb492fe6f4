//! Reading a file in pieces on the blocking threads.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::{ByteStream, PIECE};

/// Pieces being read while another is being sent.
const AHEAD: usize = 2;

/// The bytes of a range of a file, in pieces.
pub(super) fn pieces(file: Arc<File>, range: Range<u64>) -> ByteStream {
    let starts = (range.start..range.end).step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
    let pieces =
        starts.map(move |start| piece(Arc::clone(&file), start..range.end.min(start + PIECE)));
    Box::pin(stream::iter(pieces).buffered(AHEAD))
}

/// The bytes of a range; fails when the file ends before it does.
pub(super) async fn piece(file: Arc<File>, range: Range<u64>) -> io::Result<Bytes> {
    tokio::task::spawn_blocking(move || read(&file, range))
        .await
        .map_err(io::Error::other)?
}

pub(super) fn read(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = range.start + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The allocation may be larger than was asked for.
    bytes.truncate(length);
    Ok(bytes.into())
}
