//! TLS at the port, and for the commands that ask a running server on the same machine.

use std::error::Error as StdError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_rustls::client;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, ProtocolVersion,
    ServerConfig, SignatureScheme,
};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::config::TlsFiles;

/// For the handshake of a client. One that dawdles holds a place.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How often it is looked whether there is another certificate. They are renewed weeks before they end.
const LOOK: Duration = Duration::from_secs(10);

/// What the port shows its clients: what stands in the files, also when that changes.
pub(crate) struct Tls {
    files: TlsFiles,
    /// Where commands on this machine find the certificate ([`connect`]).
    left_at: PathBuf,
    shown: RwLock<Shown>,
}

/// A certificate and its key, ready to be used.
struct Shown {
    acceptor: TlsAcceptor,
    chain: Vec<CertificateDer<'static>>,
}

impl Shown {
    /// Reads a chain of certificates, the server's own first, and its key; both PEM.
    fn read(files: &TlsFiles) -> anyhow::Result<Self> {
        let (certificates, key) = (&files.certificate, &files.key);
        let shown = certificates.display();
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("cannot read the certificate `{shown}`"))?;
        ensure!(!chain.is_empty(), "`{shown}` has no certificate in it");
        let key = PrivateKeyDer::from_pem_file(key)
            .with_context(|| format!("cannot read the key `{}`", key.display()))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key)
            .with_context(|| format!("certificate `{shown}` and its key do not work"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            chain,
        })
    }

    fn leave(&self, path: &Path) -> anyhow::Result<()> {
        crate::files::replace(path, self.chain[0].as_ref())
            .with_context(|| format!("cannot write `{}`", path.display()))
    }
}

impl Tls {
    /// Reads certificate and key, and leaves the certificate at `left_at`.
    pub(crate) fn open(files: TlsFiles, left_at: PathBuf) -> anyhow::Result<Self> {
        let shown = Shown::read(&files)?;
        shown.leave(&left_at)?;
        Ok(Self {
            files,
            left_at,
            shown: RwLock::new(shown),
        })
    }

    /// Shows what stands in the files whenever that has changed, until the future is dropped. What cannot be used, as when
    /// only one of the files has been replaced yet, changes nothing, and is told once.
    pub(crate) async fn keep_up(self: Arc<Self>) {
        let mut told = None;
        loop {
            sleep(LOOK).await;
            let this = Arc::clone(&self);
            let looked = match spawn_blocking(move || this.look()).await {
                Ok(looked) => looked,
                Err(error) => Err(error.into()),
            };
            let Err(error) = looked else {
                told = None;
                continue;
            };
            let said = format!("{error:#}");
            if told.as_ref() != Some(&said) {
                tracing::warn!(
                    error = &*error as &dyn StdError,
                    "the certificate stays the one before"
                );
                told = Some(said);
            }
        }
    }

    fn look(&self) -> anyhow::Result<()> {
        let found = Shown::read(&self.files)?;
        if found.chain == self.shown().chain {
            return Ok(());
        }
        found.leave(&self.left_at)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = found;
        let file = self.files.certificate.display();
        tracing::info!("the certificate in `{file}` is another one, and is shown from now on");
        Ok(())
    }

    fn shown(&self) -> RwLockReadGuard<'_, Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shakes hands with a client, within a bound.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.shown().acceptor.clone();
        match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(accepted) => accepted,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The version that a client and this server agreed on, as records write it.
pub(crate) fn version(stream: &TlsStream<TcpStream>) -> &'static str {
    match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        // There is no third that is spoken here.
        _ => "TLSv1.3",
    }
}

/// Connects to the server on this machine that left this certificate, and to no other.
///
/// The name in the certificate does not matter: it is compared as a whole, and only the server's own user could write it.
pub(crate) async fn connect(
    stream: TcpStream,
    certificate: &Path,
) -> anyhow::Result<client::TlsStream<impl AsyncRead + AsyncWrite + Unpin + Send + use<>>> {
    let pinned = fs::read(certificate)
        .with_context(|| format!("cannot read `{}`", certificate.display()))?;
    let config = trusting_only(Sha256::digest(pinned).into())?;
    let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
    Ok(TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?)
}

/// A client that trusts the certificate with this SHA-256, whatever it says about itself, and no other. That the server
/// holds its key is checked as always.
pub(crate) fn trusting_only(sha256: [u8; 32]) -> anyhow::Result<ClientConfig> {
    let verifier = Pinned {
        sha256,
        provider: provider(),
    };
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Trusts one certificate.
#[derive(Debug)]
struct Pinned {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if Sha256::digest(end_entity)[..] == self.sha256 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
