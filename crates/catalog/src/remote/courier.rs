//! Sends a small document to an address that a user named, and says only what status came back.
//!
//! The address is somebody's who may configure webhooks, not the operator's, so what it leads to must be public unless
//! the operator says otherwise; the link's own addresses are out of reach either way ([`guard`]). Redirects are not
//! followed, and the body of an answer is not read: neither is anything that a receiver could use.
#![expect(
    clippy::disallowed_types,
    reason = "the other way around from `client.rs`: it sends and reads nothing"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use url::Url;

use super::guard::{self, Place, Refused, Resolver};
use crate::{Error, Result};

/// Until a connection is made.
const CONNECT: Duration = Duration::from_secs(5);
/// Until the head of the answer.
const WHOLE: Duration = Duration::from_secs(15);
/// Who sends.
const USER_AGENT: &str = concat!("packhouse/", env!("CARGO_PKG_VERSION"));

/// Sends documents; cheap to clone.
#[derive(Clone)]
pub struct Courier {
    client: reqwest::Client,
    place: Place,
}

/// Why nothing was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It is an address that may not be reached from here.
    #[error("the address is not public")]
    NotPublic,
    /// Nobody answered in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The name does not resolve, nobody listens, or the certificate is not good.
    #[error("no connection could be made")]
    NoConnection,
    /// The connection broke.
    #[error("the connection broke")]
    Broken,
}

impl Courier {
    /// `private`: whether receivers may stand in the house's own networks and on this machine.
    ///
    /// Errors: the machine's certificates cannot be read.
    pub fn new(private: bool) -> Result<Self> {
        let place = if private {
            Place::Configured
        } else {
            Place::Elsewhere
        };
        let resolver = Resolver {
            place,
            proxies: Arc::new(guard::proxies()),
        };
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .dns_resolver(resolver)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, place })
    }

    /// Posts a document; the status of the answer, whatever it is.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> std::result::Result<u16, NotSent> {
        guard::may_reach(self.place, url).map_err(|_| NotSent::NotPublic)?;
        let sent = self
            .client
            .post(url.clone())
            .headers(headers)
            .body(body)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) if is_not_public(&error) => Err(NotSent::NotPublic),
            Err(error) if error.is_timeout() => Err(NotSent::TimedOut),
            Err(error) if error.is_connect() => Err(NotSent::NoConnection),
            Err(_) => Err(NotSent::Broken),
        }
    }
}

/// Whether the resolver found only addresses that may not be connected to.
pub(super) fn is_not_public(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.downcast_ref() == Some(&Refused::NotPublic) {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_public_is_not_reached_unless_the_operator_says_so() {
        let post = async |private, url: &str| {
            let courier = Courier::new(private).unwrap();
            let url: Url = url.parse().unwrap();
            courier.post(&url, HeaderMap::new(), Bytes::new()).await
        };
        for url in [
            "http://127.0.0.1:1/",
            "http://localhost:1/",
            "http://[::1]:1/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert_eq!(post(false, url).await, Err(NotSent::NotPublic), "{url}");
        }
        assert_eq!(
            post(true, "http://169.254.169.254/").await,
            Err(NotSent::NotPublic)
        );
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(
            post(true, &format!("http://{address}/")).await,
            Err(NotSent::NoConnection)
        );
    }
}
