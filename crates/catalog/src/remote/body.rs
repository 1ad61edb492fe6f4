//! Bodies on their way from a registry: never without a bound, and never ended early without an error.

use std::io;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::header::{self, HeaderMap};
use store::ByteStream;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::io::StreamReader;

use super::RemoteError;
use super::client::cause;
use crate::names::ConnectionName;

/// The codings that [`read_whole`] unpacks, as a request asks for them.
pub(super) const CODINGS: &str = "gzip, br";

/// Why a small body was not read.
pub(super) enum Unread {
    /// The connection broke, or the body stalled.
    Broken(io::Error),
    /// More bytes than allowed, after unpacking.
    TooLarge,
    /// A coding that was not asked for.
    Coding,
    /// What came cannot be unpacked.
    Garbled,
}

/// The length that a head promises.
pub(super) fn size_bytes(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The pieces of a body as they come. Fails when one takes longer than `idle`, all of them longer than `whole`, the
/// connection breaks, or less comes than was promised.
pub(super) fn pieces(response: reqwest::Response, idle: Duration, whole: Duration) -> ByteStream {
    let promised = size_bytes(response.headers());
    let reading = Reading {
        pieces: response.bytes_stream().boxed(),
        promised,
        seen: 0,
        idle,
        deadline: Instant::now() + whole,
    };
    let pieces = stream::unfold(Some(reading), |reading| async {
        let mut reading = reading?;
        match reading.next().await? {
            Ok(piece) => Some((Ok(piece), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    // Who looks at the first bytes of a short body sees its end, and then reads on.
    Box::pin(pieces.fuse())
}

struct Reading {
    pieces: stream::BoxStream<'static, reqwest::Result<Bytes>>,
    promised: Option<u64>,
    seen: u64,
    idle: Duration,
    deadline: Instant,
}

impl Reading {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let until = self.deadline.min(Instant::now() + self.idle);
        match timeout_at(until, self.pieces.next()).await {
            Err(_) => Some(Err(self.failure(io::ErrorKind::TimedOut))),
            Ok(Some(Ok(piece))) => {
                self.seen += piece.len() as u64;
                Some(Ok(piece))
            }
            Ok(Some(Err(error))) => {
                let kind = cause::<io::Error>(&error).map(io::Error::kind);
                Some(Err(
                    self.failure(kind.unwrap_or(io::ErrorKind::UnexpectedEof))
                ))
            }
            Ok(None) if self.promised.is_some_and(|promised| promised != self.seen) => {
                Some(Err(self.failure(io::ErrorKind::UnexpectedEof)))
            }
            Ok(None) => None,
        }
    }

    /// Without the cause's own text, which may hold an address.
    fn failure(&self, kind: io::ErrorKind) -> io::Error {
        let text = match self.promised {
            Some(promised) => format!("{kind} after {} of {promised} bytes", self.seen),
            None => format!("{kind} after {} bytes", self.seen),
        };
        io::Error::new(kind, text)
    }
}

/// A body of at most `limit_bytes`, unpacked. Not more than that is ever held, however well it was packed.
pub(super) async fn read_whole(
    response: reqwest::Response,
    limit_bytes: usize,
    idle: Duration,
    whole: Duration,
) -> Result<Bytes, Unread> {
    let coding = response.headers().get(header::CONTENT_ENCODING);
    let coding = coding
        .map_or("", |value| value.to_str().unwrap_or("?"))
        .trim()
        .to_ascii_lowercase();
    let is_plain = matches!(coding.as_str(), "" | "identity");
    let promised = size_bytes(response.headers()).unwrap_or(0);
    if is_plain && promised > limit_bytes as u64 {
        return Err(Unread::TooLarge);
    }
    let packed = StreamReader::new(pieces(response, idle, whole));
    let mut reader: Box<dyn AsyncRead + Send + Unpin> = match coding.as_str() {
        "" | "identity" => Box::new(packed),
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(packed);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        "br" => Box::new(BrotliDecoder::new(packed)),
        _ => return Err(Unread::Coding),
    };
    let expected = usize::try_from(promised)
        .unwrap_or(usize::MAX)
        .min(limit_bytes);
    let mut body = BytesMut::with_capacity(expected.min(FIRST_ROOM));
    loop {
        match reader.read_buf(&mut body).await {
            Ok(0) => return Ok(body.freeze()),
            Ok(_) if body.len() > limit_bytes => return Err(Unread::TooLarge),
            Ok(_) => {}
            Err(error) if is_plain || came_from_below(&error) => return Err(Unread::Broken(error)),
            Err(_) => return Err(Unread::Garbled),
        }
    }
}

/// What it means for the one who asked that a body ended with `error`. Only the kind is told: the text may
/// hold an address.
pub(super) fn broken(
    connection: &ConnectionName,
    error: &io::Error,
    retry_after: Duration,
) -> RemoteError {
    let connection = connection.clone();
    match error.kind() {
        io::ErrorKind::TimedOut => RemoteError::TimedOut { connection },
        kind => {
            let message = format!("the connection broke under a body: {kind}");
            RemoteError::Unreachable {
                connection,
                message,
                retry_after,
            }
        }
    }
}

/// Room made for a body before its first byte; a length that lies must not cost more.
const FIRST_ROOM: usize = 1 << 20;

/// Whether the connection failed rather than the unpacking, which reports `InvalidData`, `Other`, or an end too early.
///
/// A packed body that ends early by its own account (`UnexpectedEof`) may be either; the connection it is then, as the
/// milder judgement: the same request may succeed later.
fn came_from_below(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
    )
}
