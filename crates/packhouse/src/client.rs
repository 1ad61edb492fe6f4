//! Asks the server that runs on this machine: for commands that cannot open the database beside it, in the name of
//! somebody whose key lies in the data directory.

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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::Admin;
use crate::files::{Files, Key, read_credentials};
use crate::tls;

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
    asked: (Method, &str),
    body: Vec<u8>,
) -> anyhow::Result<Bytes> {
    let response = signed(
        files,
        region,
        key,
        ("packhouse", "application/json"),
        asked,
        body,
    );
    let response = response.await?;
    if !response.status().is_success() {
        let said: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let message = said["message"].as_str().unwrap_or("no reason was given");
        bail!("the server refused, {}: {message}", response.status());
    }
    Ok(response.into_body())
}

/// Calls an operation of IAM: `Action=…&Version=…`. Errors: the server's own words.
pub(crate) async fn query(
    files: &Files,
    region: &Region,
    key: &Key,
    form: String,
) -> anyhow::Result<String> {
    let dialect = ("iam", "application/x-www-form-urlencoded");
    let asked = (Method::POST, "/");
    let response = signed(files, region, key, dialect, asked, form.into_bytes()).await?;
    let text = std::str::from_utf8(response.body()).unwrap_or_default();
    if !response.status().is_success() {
        let message = element(text, "Message").unwrap_or("no reason was given");
        bail!("the server refused, {}: {message}", response.status());
    }
    Ok(text.to_owned())
}

/// What stands in the first element of this name; for texts that hold nothing to be escaped.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}

async fn signed(
    files: &Files,
    region: &Region,
    key: &Key,
    (service, content_type): (&str, &str),
    (method, uri): (Method, &str),
    body: Vec<u8>,
) -> anyhow::Result<Response<Bytes>> {
    let address = files.read_address()?;
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header(HOST, &address)
        .header(CONTENT_TYPE, content_type);
    let (mut parts, ()) = request.body(())?.into_parts();
    let credentials = Credentials {
        access_key_id: key.id.parse::<AccessKeyId>()?,
        secret_access_key: key.secret.clone(),
        session_token: None,
    };
    let signer = Signer {
        credentials: &credentials,
        region,
        service,
    };
    signer.sign(&mut parts, &body_hash(&body), Clock::system().now())?;
    let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
    ask(files, &address, request).await
}

/// A command's own call: in the name of `admin`, of the first account or of another.
pub(crate) fn call_as(
    admin: &Admin,
    asked: (Method, &str),
    body: Vec<u8>,
) -> anyhow::Result<Bytes> {
    let files = Files::new(&admin.server.data);
    let region = files.endpoint()?.region.parse()?;
    let key = read_credentials(&files.credentials_of(admin.account_id.as_ref(), false))?;
    block_on(call(&files, &region, &key, asked, body))
}

/// Runs what a command waits for.
pub(crate) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}

/// Sends one request to the server of this data directory, whose address is `address`.
pub(crate) async fn ask(
    files: &Files,
    address: &str,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<Response<Bytes>> {
    let certificate = files.certificate();
    let exchange = async {
        let connected = TcpStream::connect(address).await;
        let stream = connected.with_context(|| format!("no server at `{address}`"))?;
        if certificate.exists() {
            let stream = tls::connect(stream, &certificate).await;
            over(
                stream.with_context(|| format!("no TLS with `{address}`"))?,
                request,
            )
            .await
        } else {
            over(stream, request).await
        }
    };
    match timeout(PATIENCE, exchange).await {
        Ok(answered) => answered,
        Err(_) => bail!(
            "the server at `{address}` did not answer within {} s",
            PATIENCE.as_secs()
        ),
    }
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<Response<Bytes>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the runtime of the command, if not before.
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    match Limited::new(body, LIMIT_BYTES).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(_) => bail!("the answer broke off or is too long"),
    }
}
