//! Reads a small document at an address that a user named: the keys of an issuer of identity tokens.
//!
//! The issuer is somebody's who may make identity providers, and its document names a further address of anybody's choice
//! ([`Stranger`]). Both are asked over HTTPS alone. An issuer that moved its keys says so in its document, not by a redirect.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, StatusCode};
use iam::{Fetched, IssuerDocuments, NotFetched};
use url::Url;

use super::guard::Refused;
use super::stranger::{Stranger, is_not_public};
use crate::{Error, Result};

/// Until a connection is made.
const CONNECT: Duration = Duration::from_secs(3);
/// Until all of the answer is there (`identity.md` 3.4).
const WHOLE: Duration = Duration::from_secs(5);

/// Reads documents; cheap to clone.
#[derive(Debug, Clone)]
pub struct Enquirer(Stranger);

/// Why a document was not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("the address is not one that begins with https:// and a host")]
    Address,
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("it leads elsewhere ({0}), and is not followed there")]
    Redirect(StatusCode),
    #[error("the answer has more than {0} bytes")]
    TooLarge(u64),
}

impl Enquirer {
    /// `private`: whether issuers may stand in the house's own networks and on this machine. `authorities`: certificates, in
    /// PEM, that vouch for issuers besides those that the machine trusts.
    ///
    /// Errors: the machine's certificates cannot be read, or `authorities` are none.
    pub fn new(private: bool, authorities: Option<&[u8]>) -> Result<Self> {
        let authorities = match authorities {
            Some(pem) => reqwest::Certificate::from_pem_bundle(pem).map_err(Error::internal)?,
            None => Vec::new(),
        };
        Stranger::new(private, (CONNECT, WHOLE), |client| {
            client.https_only(true).tls_certs_merge(authorities)
        })
        .map(Self)
    }

    async fn get(&self, url: &str, limit_bytes: u64) -> std::result::Result<Fetched, NotFetched> {
        let wrong = |why: NotTaken| NotFetched::Wrong(Box::new(why));
        let url = Url::parse(url).ok().filter(|url| url.scheme() == "https");
        let url = url.ok_or_else(|| wrong(NotTaken::Address))?;
        let Self(stranger) = self;
        let reach = stranger.may_reach(&url);
        reach.map_err(|refused| NotFetched::Wrong(refused.into()))?;
        let request = stranger.client.get(url).header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(not_fetched)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(wrong(NotTaken::Redirect(status)));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(NotFetched::Unreachable(Box::new(NotTaken::Status(status))));
        }
        if status != StatusCode::OK {
            return Err(wrong(NotTaken::Status(status)));
        }
        let fresh_for = max_age(answer.headers());
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(not_fetched)? {
            if (body.len() + piece.len()) as u64 > limit_bytes {
                return Err(wrong(NotTaken::TooLarge(limit_bytes)));
            }
            body.extend_from_slice(&piece);
        }
        let body: Bytes = body.freeze();
        Ok(Fetched { body, fresh_for })
    }
}

impl IssuerDocuments for Enquirer {
    fn read<'a>(
        &'a self,
        url: &'a str,
        limit_bytes: u64,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Fetched, NotFetched>> + Send + 'a>> {
        Box::pin(self.get(url, limit_bytes))
    }
}

fn not_fetched(error: reqwest::Error) -> NotFetched {
    if is_not_public(&error) {
        NotFetched::Wrong(Box::new(Refused::NotPublic))
    } else {
        NotFetched::Unreachable(Box::new(error))
    }
}

/// `max-age` of `Cache-Control`; nothing is kept of what must not be.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let mut directives = said.split(',').map(str::trim);
    if directives
        .clone()
        .any(|it| matches!(it, "no-store" | "no-cache"))
    {
        return Some(Duration::ZERO);
    }
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds
        .trim_matches('"')
        .parse()
        .ok()
        .map(Duration::from_secs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_https_to_public_addresses_is_asked_unless_the_operator_says_so() {
        let ask = async |private, url: &str| {
            let enquirer = Enquirer::new(private, None).unwrap();
            match enquirer.read(url, 1024).await {
                Ok(_) => "good".to_owned(),
                Err(NotFetched::Unreachable(_)) => "unreachable".to_owned(),
                Err(NotFetched::Wrong(why)) => why.to_string(),
            }
        };
        let not_public = Refused::NotPublic.to_string();
        for url in [
            "https://127.0.0.1:1/jwks",
            "https://localhost:1/jwks",
            "https://[::1]:1/jwks",
            "https://[::ffff:127.0.0.1]:1/jwks",
            "https://2130706433/jwks",
            "https://10.0.0.1/jwks",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert_eq!(ask(false, url).await, not_public, "{url}");
        }
        assert_eq!(
            ask(true, "https://169.254.169.254/").await,
            not_public,
            "not even then"
        );
        for url in ["http://127.0.0.1:1/", "file:///etc/passwd", "127.0.0.1", ""] {
            assert_eq!(ask(true, url).await, NotTaken::Address.to_string(), "{url}");
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(
            ask(true, &format!("https://{address}/")).await,
            "unreachable"
        );
        assert!(Enquirer::new(true, Some(b"-----BEGIN CERTIFICATE-----\n")).is_err());
    }

    #[test]
    fn how_long_a_document_is_good_is_said_in_its_head() {
        for (said, expected) in [
            ("max-age=300", Some(300)),
            ("public, max-age=21600, must-revalidate", Some(21_600)),
            ("no-store, max-age=300", Some(0)),
            ("s-maxage=5", None),
            ("max-age=x", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, said.parse().unwrap())]);
            assert_eq!(
                max_age(&headers),
                expected.map(Duration::from_secs),
                "{said}"
            );
        }
    }
}
