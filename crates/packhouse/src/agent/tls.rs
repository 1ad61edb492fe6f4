//! Whom the agent takes for its server: whoever the machine's certificates vouch for, or one certificate and no other.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
    verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::server::Pin;

/// What makes TLS connections to the server.
pub(super) fn connector(pin: Option<&Pin>) -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = match pin {
        Some(pin) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned::new(pin.clone(), &provider)))
            .with_no_client_auth(),
        None => config
            .with_root_certificates(of_the_system())
            .with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn of_the_system() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "a certificate of the system does not read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

/// One certificate, whatever it says about itself: it was named by somebody who knows. That the server holds its key is
/// checked as always.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(pin: Pin, provider: &CryptoProvider) -> Self {
        Self {
            pin,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pin.is_of(&Sha256::digest(end_entity.as_ref()).into()) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;

    use super::*;

    /// A certificate that nobody vouches for; `None` where there is no tool to make one.
    fn certificate(directory: &Path) -> Option<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
        let (key, certificate) = (directory.join("key.pem"), directory.join("cert.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-days", "2", "-subj", "/CN=somebody", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .ok()?;
        assert!(made.status.success());
        Some((
            CertificateDer::from_pem_file(certificate).unwrap(),
            PrivateKeyDer::from_pem_file(key).unwrap(),
        ))
    }

    #[tokio::test]
    async fn a_pinned_certificate_is_trusted_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let Some((certificate, key)) = certificate(directory.path()) else {
            return;
        };
        let right = hex::encode(Sha256::digest(certificate.as_ref()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Clients that do not trust it break off.
                _ = acceptor.accept(stream).await;
            }
        });
        let wrong = "00".repeat(32);
        for (pin, is_trusted) in [(Some(right), true), (Some(wrong), false), (None, false)] {
            let pin: Option<Pin> = pin.map(|pin| pin.parse().unwrap());
            let connector = connector(pin.as_ref()).unwrap();
            let stream = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let connected = connector.connect(name, stream).await;
            assert_eq!(connected.is_ok(), is_trusted, "{pin:?}");
        }
    }
}
