//! The listening side: connections from this machine, each checked for whose it is, each answered from memory.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answers::{Answers, text};
use super::link_local;
use super::peer::Allowed;

/// Connections at once; clients ask once and go.
const CONNECTIONS: usize = 256;
/// For the head of a request, and between two.
const HEAD: Duration = Duration::from_secs(5);
/// Of a head.
const HEAD_BYTES: usize = 16 << 10;
/// A connection's whole life.
const LIFE: Duration = Duration::from_mins(5);

/// Serves one listener for ever.
pub(super) async fn serve(
    listener: TcpListener,
    answers: Arc<Answers>,
    allowed: Allowed,
) -> io::Result<Infallible> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let is_link_local = listener.local_addr()? == link_local::ADDRESS;
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let served = one(
                    stream,
                    peer,
                    is_link_local,
                    answers.clone(),
                    allowed.clone(),
                );
                tokio::spawn(async move {
                    if let Ok(Err(error)) = timeout(LIFE, served).await {
                        tracing::debug!(%error, "a connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn one(
    stream: TcpStream,
    peer: SocketAddr,
    is_link_local: bool,
    answers: Arc<Answers>,
    allowed: Allowed,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    if is_link_local {
        stream.set_ttl(link_local::TTL)?;
    }
    let local = stream.local_addr()?;
    let is_allowed = allowed.admits(peer, local);
    if !is_allowed {
        tracing::warn!(%peer, "a process of a user who is not allowed has asked");
    }
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (parts, _) = request.into_parts();
        let answer = if is_allowed {
            answers.answer(&parts, local.ip())
        } else {
            text(
                StatusCode::FORBIDDEN,
                "this endpoint does not serve processes of this user",
            )
        };
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
