//! An issuer of identity tokens of the test's own: a port on loopback that speaks TLS, and a key that signs.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Status line and head after `HTTP/1.1 `, and the body.
type Page = (String, String);

pub(crate) struct Issuer {
    directory: TempDir,
    port: u16,
    key: EcdsaKeyPair,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    connections: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Arc::new(certified(directory.path().join("ca.pem")));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pages = Arc::<Mutex<HashMap<String, Page>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let ends = Arc::<AtomicBool>::default();
        let thread = {
            let (pages, connections, ends) = (
                Arc::clone(&pages),
                Arc::clone(&connections),
                Arc::clone(&ends),
            );
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    connections.fetch_add(1, Ordering::SeqCst);
                    // A client that does not like the certificate goes away.
                    _ = answer(stream.unwrap(), &config, &pages);
                }
            })
        };
        Self {
            directory,
            port,
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            pages,
            connections,
            ends,
            thread: Some(thread),
        }
    }

    /// The certificate that vouches for it.
    pub(crate) fn ca_file(&self) -> String {
        let path = self.directory.path().join("ca.pem");
        path.to_str().unwrap().to_owned()
    }

    /// `localhost:PORT/NAME`: one port is many issuers.
    pub(crate) fn host(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("https://{}", self.host(name))
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn put(&self, path: &str, head: &str, body: &str) {
        let page = (head.to_owned(), body.to_owned());
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// An issuer of this name whose keys are at `jwks_uri`.
    pub(crate) fn discover(&self, name: &str, jwks_uri: &str) {
        let document = json!({"issuer": self.url(name), "jwks_uri": jwks_uri});
        let path = format!("/{name}/.well-known/openid-configuration");
        self.put(&path, "200 OK\r\n", &document.to_string());
    }

    /// The same with the key that signs.
    pub(crate) fn publish(&self, name: &str) {
        self.discover(name, &format!("{}/jwks", self.url(name)));
        self.put(
            &format!("/{name}/jwks"),
            "200 OK\r\ncache-control: max-age=3600\r\n",
            &self.keys().to_string(),
        );
    }

    /// The JWK set.
    pub(crate) fn keys(&self) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "x": encode(x), "y": encode(y),
        }]})
    }

    /// A token of the issuer of this name, good for an hour.
    pub(crate) fn sign(&self, name: &str, subject: &str) -> String {
        let now = aws::Clock::system().now().seconds();
        let claims = json!({
            "iss": self.url(name), "sub": subject, "aud": "sts.amazonaws.com", "jti": "token-7",
            "iat": now, "exp": now + 3600, "email": "nobody@example.com",
        });
        let header = json!({"alg": "ES256", "kid": "k", "typ": "JWT"});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// A certificate for `localhost`, and the one that vouches for it in a file.
fn certified(ca_file: PathBuf) -> ServerConfig {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    std::fs::write(ca_file, ca.pem()).unwrap();
    let authority = rcgen::Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap()
}

fn answer(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    pages: &Mutex<HashMap<String, Page>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    let page = pages.lock().unwrap().get(&path).cloned();
    let (head, body) = page.unwrap_or_else(|| ("404 Not Found\r\n".to_owned(), String::new()));
    let stream = stream.get_mut();
    write!(
        stream,
        "HTTP/1.1 {head}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}
