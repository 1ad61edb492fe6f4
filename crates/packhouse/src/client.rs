//! Asks the server that runs on this machine: for commands that cannot open the database beside it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of an answer.
const LIMIT_BYTES: usize = 1 << 20;

/// Sends one request to `127.0.0.1:7070`, over plain HTTP: it does not leave the machine.
pub(crate) async fn ask(
    address: &str,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<Response<Bytes>> {
    let exchange = async {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("no server at `{address}`"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender.
        let driver = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let Ok(body) = Limited::new(body, LIMIT_BYTES).collect().await else {
            bail!("the answer of the server at `{address}` broke off or is too long");
        };
        drop(sender);
        driver.abort();
        Ok(Response::from_parts(parts, body.to_bytes()))
    };
    match timeout(PATIENCE, exchange).await {
        Ok(answered) => answered,
        Err(_) => bail!(
            "the server at `{address}` did not answer within {} s",
            PATIENCE.as_secs()
        ),
    }
}
