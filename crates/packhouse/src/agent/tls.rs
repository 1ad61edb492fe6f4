//! Whom the agent takes for its server: whoever the machine's certificates vouch for, or one certificate and no other.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::server::Pin;
use crate::tls::{provider, trusting_only};

/// What makes TLS connections to the server.
pub(super) fn connector(pin: Option<&Pin>) -> anyhow::Result<TlsConnector> {
    let config = match pin {
        Some(pin) => trusting_only(pin.sha256())?,
        None => ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
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
