//! The server, as the agent asks it: one request, one answer, over TLS unless it is on this machine.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use aws::machine::{Purpose, Statement};
use aws::{Clock, MachineId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::state::{Identity, PrivateKey, random_nonce};
use super::tls;
use super::wire::{BINDING, CREDENTIALS, Signed, Told};

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer.
const LIMIT_BYTES: usize = 64 << 10;

/// Scheme, host and port of a server: `https://packages.example`, `http://127.0.0.1:7070`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl(Url);

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "it is no address like https://packages.example")?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err("it does not begin with https:// or http:// and a host");
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err("it has more than scheme, host and port");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ServerUrl {
    /// Without a slash at the end: this is what statements are made for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl ServerUrl {
    fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether nobody can listen in between: TLS, or the same machine.
    pub(super) fn is_safe(&self) -> bool {
        self.is_https()
            || match self.0.host() {
                Some(Host::Ipv4(ip)) => ip.is_loopback(),
                Some(Host::Ipv6(ip)) => ip.is_loopback(),
                Some(Host::Domain(name)) => name == "localhost",
                None => false,
            }
    }

    /// `packages.example`, `127.0.0.1:7070`: for the `Host` header.
    fn authority(&self) -> &str {
        self.0.authority()
    }

    fn host_and_port(&self) -> (String, u16) {
        let host = match self.0.host() {
            Some(Host::Ipv6(ip)) => ip.to_string(),
            host => host.map(|host| host.to_string()).unwrap_or_default(),
        };
        (host, self.0.port_or_known_default().unwrap_or(443))
    }
}

/// The SHA-256 of a certificate: 64 hex digits, with or without colons, as other tools print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin([u8; 32]);

impl Pin {
    pub(super) fn is_of(&self, digest: &[u8; 32]) -> bool {
        self.0 == *digest
    }
}

impl FromStr for Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes)
            .map_err(|_| "a SHA-256 is 64 hex digits, with or without colons")?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// It may answer later: what was had before stays good.
    #[error("{server} does not answer")]
    Unreachable {
        server: ServerUrl,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It has answered, and knows this machine no more.
    #[error("{server} refuses, {status}: {message}")]
    Refused {
        server: ServerUrl,
        status: StatusCode,
        message: String,
    },
}

/// A server. It keeps no connection: what is asked is seldom.
pub(super) struct Server {
    url: ServerUrl,
    tls: Option<TlsConnector>,
}

impl Server {
    pub(super) fn new(url: ServerUrl, pin: Option<&Pin>) -> anyhow::Result<Self> {
        let tls = url.is_https().then(|| tls::connector(pin)).transpose()?;
        Ok(Self { url, tls })
    }

    /// Posts JSON and reads JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AskError> {
        let exchange = async {
            let body = serde_json::to_vec(body)?;
            let answered = timeout(PATIENCE, self.exchange(path, body)).await;
            let limit = || format!("no answer within {} s", PATIENCE.as_secs());
            anyhow::Ok(answered.with_context(limit)??)
        };
        let response = exchange.await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            // The error is not shown: there are secrets in what it would quote.
            let read = serde_json::from_slice(response.body());
            return read.map_err(|_| self.unreachable(anyhow::anyhow!("its answer does not read")));
        }
        let said: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let message = said["message"].as_str().unwrap_or("it gave no reason");
        if is_final(status) {
            return Err(AskError::Refused {
                server: self.url.clone(),
                status,
                message: message.to_owned(),
            });
        }
        Err(self.unreachable(anyhow::anyhow!("it answers {status}: {message}")))
    }

    async fn exchange(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Response<Bytes>> {
        let request = Request::post(path)
            .header(HOST, self.url.authority())
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("packhouse-agent/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(Bytes::from(body)))?;
        let (host, port) = self.url.host_and_port();
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match &self.tls {
            None => send(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(host)?;
                send(tls.connect(name, stream).await?, request).await
            }
        }
    }

    fn unreachable(&self, error: anyhow::Error) -> AskError {
        AskError::Unreachable {
            server: self.url.clone(),
            source: error.into(),
        }
    }
}

/// Whether asking again would be answered the same. A wrong clock may be set right, and too many may become fewer.
fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    )
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    let driver = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, LIMIT_BYTES).collect().await;
    let body = body.map_err(|_| anyhow::anyhow!("its answer broke off or is too long"))?;
    drop(sender);
    driver.abort();
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// A server that knows this machine.
pub(super) struct Enrolled {
    server: Server,
    url: ServerUrl,
    machine: MachineId,
    key: PrivateKey,
    clock: Clock,
}

impl Enrolled {
    pub(super) fn new(identity: Identity, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            server: Server::new(identity.server.clone(), identity.pin.as_ref())?,
            url: identity.server,
            machine: identity.machine,
            key: identity.key,
            clock,
        })
    }

    /// A session of the machine's role.
    pub(super) async fn credentials(&self, seconds: u32) -> Result<Told, AskError> {
        self.ask(CREDENTIALS, Purpose::Credentials { seconds })
            .await
    }

    /// Which role the machine has.
    pub(super) async fn binding(&self) -> Result<Told, AskError> {
        self.ask(BINDING, Purpose::Binding).await
    }

    async fn ask(&self, path: &str, purpose: Purpose) -> Result<Told, AskError> {
        let nonce = random_nonce().map_err(|error| self.server.unreachable(error))?;
        let statement = Statement {
            purpose,
            server: self.url.to_string(),
            machine: self.machine.clone(),
            at: self.clock.now(),
            nonce,
        }
        .to_string();
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(&statement));
        let signed = Signed {
            statement,
            signature,
        };
        self.server.post(path, &signed).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn servers_are_scheme_host_and_port() {
        for (text, shown, is_safe) in [
            ("https://packages.example", "https://packages.example", true),
            (
                "https://packages.example/",
                "https://packages.example",
                true,
            ),
            (
                "https://PACKAGES.example:443",
                "https://packages.example",
                true,
            ),
            (
                "https://packages.example:8443",
                "https://packages.example:8443",
                true,
            ),
            ("http://127.0.0.1:7070", "http://127.0.0.1:7070", true),
            ("http://[::1]:7070/", "http://[::1]:7070", true),
            ("http://localhost", "http://localhost", true),
            ("http://packages.example", "http://packages.example", false),
            ("http://10.0.0.1:7070", "http://10.0.0.1:7070", false),
        ] {
            let server: ServerUrl = text.parse().unwrap();
            assert_eq!(server.to_string(), shown, "{text}");
            assert_eq!(server.is_safe(), is_safe, "{text}");
            // What is stored is read back.
            assert_eq!(shown.parse::<ServerUrl>().unwrap(), server);
        }
        for text in [
            "packages.example",
            "ftp://packages.example",
            "https://packages.example/path",
            "https://packages.example?x",
            "https://user@packages.example",
            "",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn pins_are_read_as_other_tools_print_them() {
        let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let pin: Pin = digits.parse().unwrap();
        assert_eq!(pin.to_string(), digits);
        let colons: Vec<_> = digits.as_bytes().chunks(2).collect();
        let colons = colons
            .iter()
            .map(|two| std::str::from_utf8(two).unwrap().to_uppercase())
            .collect::<Vec<_>>()
            .join(":");
        assert_eq!(colons.parse::<Pin>().unwrap(), pin);
        assert!("00".parse::<Pin>().is_err());
    }
}
