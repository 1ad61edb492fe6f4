//! Bodies on their way in and out.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use formats::{Body, BoxError};
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::record::Record;

/// How long a sender may pause within a body.
const IDLE: Duration = Duration::from_mins(1);
/// How much of a body that nobody wants is read nevertheless, so that the sender comes to read the answer and the
/// connection lives on. A sender that waits for permission (`Expect: 100-continue`) sends nothing and is not read.
const LINGER_BYTES: u64 = 16 << 20;
/// The same before anybody knows who sends.
const LINGER_BYTES_OF_STRANGERS: u64 = 64 << 10;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(10);

/// The body of a request: fails when its sender pauses too long.
pub(crate) struct Arriving {
    incoming: Option<Incoming>,
    pause: Option<Pin<Box<Sleep>>>,
    linger_bytes: u64,
    /// Whether the sender has been told to go on, or never asked.
    is_sending: bool,
}

impl Arriving {
    /// `waits`: whether the sender asked for permission first.
    pub(crate) fn new(incoming: Incoming, waits: bool) -> Self {
        Self {
            incoming: Some(incoming),
            pause: None,
            linger_bytes: LINGER_BYTES_OF_STRANGERS,
            is_sending: !waits,
        }
    }

    /// The sender is known: refusing it may cost a little.
    pub(crate) fn of_known_sender(mut self) -> Self {
        self.linger_bytes = LINGER_BYTES;
        self
    }

    /// As the formats take it.
    pub(crate) fn boxed(self) -> Body {
        self.boxed_unsync()
    }

    /// The whole body, if it is not larger than `limit_bytes`.
    pub(crate) async fn whole(mut self, limit_bytes: usize) -> Result<Bytes, NotWhole> {
        if self.size_hint().lower() > limit_bytes as u64 {
            return Err(NotWhole::TooLarge);
        }
        let mut first = Bytes::new();
        let mut all = Vec::new();
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame.map_err(NotWhole::Broken)?.into_data() else {
                continue;
            };
            if first.len() + all.len() + data.len() > limit_bytes {
                return Err(NotWhole::TooLarge);
            }
            if first.is_empty() && all.is_empty() {
                first = data;
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&std::mem::take(&mut first));
                }
                all.extend_from_slice(&data);
            }
        }
        Ok(if all.is_empty() { first } else { all.into() })
    }
}

/// Why a body could not be read whole.
#[derive(Debug)]
pub(crate) enum NotWhole {
    /// Larger than it may be.
    TooLarge,
    /// It ended early or stalled.
    Broken(BoxError),
}

/// The sender paused too long.
#[derive(Debug)]
struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no byte of the body came for {} seconds", IDLE.as_secs())
    }
}

impl StdError for Stalled {}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        this.is_sending = true;
        match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.pause = None;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.incoming = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.incoming = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let pause = this
                    .pause
                    .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + IDLE)));
                ready!(pause.as_mut().poll(cx));
                this.incoming = None;
                Poll::Ready(Some(Err(Stalled.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for Arriving {
    /// Reads on a little when the answer was given before the body was read; otherwise the connection would be closed
    /// under a client that is still writing, which then reports a broken pipe and not the answer.
    fn drop(&mut self) {
        let Some(mut incoming) = self.incoming.take() else {
            return;
        };
        let limit = self.linger_bytes;
        let fits = incoming
            .size_hint()
            .upper()
            .is_none_or(|size| size <= limit);
        if incoming.is_end_stream() || !self.is_sending || !fits {
            return;
        }
        // Ends by itself within its time; at shutdown it goes with the connection that it belongs to.
        tokio::spawn(timeout(LINGER, async move {
            let mut read = 0;
            while read <= limit {
                let Some(Ok(frame)) = incoming.frame().await else {
                    return;
                };
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
        }));
    }
}

/// The body of an answer: counts what is sent, and writes the request down when it ends.
pub(crate) struct Leaving {
    body: Body,
    record: Record,
    status: StatusCode,
    bytes: u64,
    /// As announced: when that much was sent nobody asks for more.
    length: Option<u64>,
    is_whole: bool,
}

impl Leaving {
    /// `length`: the `Content-Length` of the answer, if it has one; 0 when no body is sent, as for HEAD.
    pub(crate) fn new(body: Body, record: Record, status: StatusCode, length: Option<u64>) -> Self {
        let is_whole = length == Some(0) || body.is_end_stream();
        Self {
            body,
            record,
            status,
            bytes: 0,
            length,
            is_whole,
        }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.is_whole = self.length == Some(self.bytes) || self.body.is_end_stream();
            }
            Some(Err(error)) => {
                tracing::warn!(
                    request.id = self.record.id(),
                    error = &**error as &dyn StdError,
                    "the body of an answer failed"
                );
            }
            None => self.is_whole = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.record.end(self.status, self.bytes, self.is_whole);
    }
}
