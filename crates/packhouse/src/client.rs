//! Asks the server that runs on this machine: for commands that cannot open the database beside it, in the name of
//! somebody whose key lies in the data directory.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws::sigv4::{Credentials, Signer, body_hash};
use aws::{AccessKeyId, Clock, Region};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::files::{Files, Key};

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of an answer.
const LIMIT_BYTES: usize = 1 << 20;

/// Calls one of our own operations and gives the body of its answer.
///
/// `key` signs; `uri` is path and query. Errors: the server's own words.
pub(crate) async fn call(
    files: &Files,
    region: &Region,
    key: &Key,
    (method, uri): (Method, &str),
    body: Vec<u8>,
) -> anyhow::Result<Bytes> {
    let path = files.address();
    let address =
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let address = address.trim();
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header(HOST, address)
        .header(CONTENT_TYPE, "application/json");
    let (mut parts, ()) = request.body(())?.into_parts();
    let credentials = Credentials {
        access_key_id: key.id.parse::<AccessKeyId>()?,
        secret_access_key: key.secret.clone(),
        session_token: None,
    };
    let signer = Signer {
        credentials: &credentials,
        region,
        service: "packhouse",
    };
    signer.sign(&mut parts, &body_hash(&body), Clock::system().now())?;
    let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
    let response = ask(address, request).await?;
    if !response.status().is_success() {
        let said: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let message = said["message"].as_str().unwrap_or("no reason was given");
        bail!("the server refused, {}: {message}", response.status());
    }
    Ok(response.into_body())
}

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
