//! The port: accepts connections, serves each, and ends them gently.
//!
//! A connection is watched by its bytes: one on which nothing moves any more is cut off, sooner when the process is
//! asked to end. What a client is owed while bytes move is never cut short.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;

use crate::guests::{Guest, Guests};
use crate::house::SharedHouse;
use crate::http::answer;
use crate::peer::From;
use crate::tls::{self, Tls};

/// For the head of a request, and between two requests.
const HEAD: Duration = Duration::from_secs(75);
/// Of a request's head. Tokens and cookies fit many times over.
const HEAD_BYTES: usize = 64 << 10;
/// Without a byte in either direction. Longer than a registry is given for a whole asset (10 min), on which a client
/// may be waiting silently.
const SILENCE: Duration = Duration::from_mins(11);

/// What the process is told about ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Go on.
    Running,
    /// Accept nothing more, finish what runs.
    Ending,
}

/// A port: who answers there, and under which bounds.
pub(crate) struct Port {
    pub(crate) house: SharedHouse,
    pub(crate) tls: Option<Arc<Tls>>,
    /// Served at once, at most.
    pub(crate) connections: usize,
    /// How many of them each address has.
    pub(crate) guests: Arc<Guests>,
    /// How long nothing may move on a connection while the process ends.
    pub(crate) drain: Duration,
}

impl Port {
    /// Accepts until the phase changes, then waits until every connection has ended.
    pub(crate) async fn serve(self, listener: TcpListener, mut phase: watch::Receiver<Phase>) {
        let places = Arc::new(Semaphore::new(self.connections));
        let tracker = TaskTracker::new();
        let port = Arc::new(self);
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
                _ = phase.wait_for(|phase| *phase == Phase::Ending) => break,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = phase.wait_for(|phase| *phase == Phase::Ending) => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let Ok(guest) = port.admit(address) else {
                        continue;
                    };
                    let (port, phase) = (Arc::clone(&port), phase.clone());
                    tracker.spawn(async move {
                        port.greet(stream, address, phase).await;
                        drop((guest, place));
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors, most likely; it passes when connections end.
                    tracing::warn!(
                        error = &error as &dyn StdError,
                        "cannot accept a connection"
                    );
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        tracker.close();
        tracker.wait().await;
    }

    /// Counts a connection of this address, unless it is a proxy of ours: there, everybody comes from one.
    fn admit(&self, address: SocketAddr) -> Result<Option<Guest>, Crowded> {
        if self.house.proxies.is_ours(address.ip().to_canonical()) {
            return Ok(None);
        }
        if let Some(guest) = self.guests.admit(address.ip()) {
            return Ok(Some(guest));
        }
        self.house.metrics.refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(peer = %address, "as many connections as one address may have");
        Err(Crowded)
    }

    /// Serves a connection, over TLS if that is what the port speaks.
    async fn greet(&self, stream: TcpStream, address: SocketAddr, phase: watch::Receiver<Phase>) {
        let open = Open::new(&self.house);
        let mut from = From {
            address,
            tls_version: None,
        };
        // Small answers leave at once. A connection on which that cannot be set is as good as gone.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer = %address, error = &error as &dyn StdError, "connection ended");
            return;
        }
        match &self.tls {
            None => self.attend(stream, from, phase).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => {
                    from.tls_version = Some(tls::version(&stream));
                    self.attend(stream, from, phase).await;
                }
                Err(error) => {
                    tracing::debug!(peer = %address, error = &error as &dyn StdError, "no TLS");
                }
            },
        }
        drop(open);
    }

    /// Answers one request after the other.
    async fn attend(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        from: From,
        mut phase: watch::Receiver<Phase>,
    ) {
        let moved = Arc::new(Moved::new());
        let watched = Watched {
            stream,
            moved: Arc::clone(&moved),
        };
        let service = service_fn(|request| answer(Arc::clone(&self.house), from, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(watched), service);
        let mut connection = pin!(connection);
        let mut silence = SILENCE;
        let mut is_ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(peer = %from.address, error = &error as &dyn StdError, "connection ended");
                    }
                    return;
                }
                _ = phase.wait_for(|phase| *phase == Phase::Ending), if !is_ending => {
                    is_ending = true;
                    silence = self.drain;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(moved.last() + silence) => {
                    if moved.last() + silence <= Instant::now() {
                        let seconds = silence.as_secs();
                        tracing::info!(peer = %from.address, "connection cut off: nothing moved for {seconds} s");
                        return;
                    }
                }
            }
        }
    }
}

/// There are enough connections from there.
struct Crowded;

/// The client went away before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Counts a connection while it is open.
struct Open<'a>(&'a SharedHouse);

impl<'a> Open<'a> {
    fn new(house: &'a SharedHouse) -> Self {
        house.metrics.connections.fetch_add(1, Ordering::Relaxed);
        Self(house)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When bytes last moved, in milliseconds since the connection began.
struct Moved {
    began: Instant,
    last: AtomicU64,
}

impl Moved {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    fn now(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// A stream that notes when bytes move.
struct Watched<S> {
    stream: S,
    moved: Arc<Moved>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.moved.now();
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.moved.now();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        self.moved.now();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
