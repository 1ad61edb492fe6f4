//! Sends a small document to an address that a user named, and says only what status came back.
//!
//! The address is somebody's who may configure webhooks ([`Stranger`]). The body of an answer is not read: it is nothing
//! that a receiver could use.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use url::Url;

use super::stranger::{Stranger, is_not_public};
use crate::Result;

/// Until a connection is made.
const CONNECT: Duration = Duration::from_secs(5);
/// Until the head of the answer.
const WHOLE: Duration = Duration::from_secs(15);

/// Sends documents; cheap to clone.
#[derive(Debug, Clone)]
pub struct Courier(Stranger);

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
        Stranger::new(private, (CONNECT, WHOLE), |client| client).map(Self)
    }

    /// Posts a document; the status of the answer, whatever it is.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> std::result::Result<u16, NotSent> {
        let Self(stranger) = self;
        stranger.may_reach(url).map_err(|_| NotSent::NotPublic)?;
        let sent = stranger
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
