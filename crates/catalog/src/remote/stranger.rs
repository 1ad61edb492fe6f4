//! The client for addresses that a user named: receivers of events, issuers of identity tokens.
//!
//! The user is somebody who may name them, not the operator, so what they lead to must be public unless the operator says
//! otherwise; the link's own addresses are out of reach either way ([`guard`]). Redirects are not followed.
#![expect(
    clippy::disallowed_types,
    reason = "not a registry as in `client.rs`: anybody's host, which is trusted with nothing"
)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::guard::{self, Place, Refused, Resolver};
use crate::{Error, Result};

/// Who asks.
const USER_AGENT: &str = concat!("packhouse/", env!("CARGO_PKG_VERSION"));

/// A client that leads to strangers; cheap to clone.
#[derive(Clone)]
pub(super) struct Stranger {
    /// Ask [`Stranger::may_reach`] before it.
    pub(super) client: reqwest::Client,
    pub(super) place: Place,
}

/// Without the client, which knows its proxies.
impl fmt::Debug for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stranger").field(&self.place).finish()
    }
}

impl Stranger {
    /// `private`: whether they may stand in the house's own networks and on this machine. `connect`: until a connection is
    /// made; `whole`: until all of the answer is there. `more`: what else the client is.
    ///
    /// Errors: the machine's certificates cannot be read.
    pub(super) fn new(
        private: bool,
        (connect, whole): (Duration, Duration),
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self> {
        let place = if private {
            Place::Configured
        } else {
            Place::Elsewhere
        };
        let resolver = Resolver {
            place,
            proxies: Arc::new(guard::proxies()),
        };
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(connect)
            .timeout(whole)
            .dns_resolver(resolver);
        let client = more(builder).build().map_err(Error::internal)?;
        Ok(Self { client, place })
    }

    /// Whether this address may be asked. A name is looked at again when it is resolved: see [`is_not_public`].
    pub(super) fn may_reach(&self, url: &Url) -> std::result::Result<(), Refused> {
        guard::may_reach(self.place, url)
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
