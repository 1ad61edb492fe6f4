//! Asking a registry: one place for addresses, redirects, retries, time-outs and what an answer means.
//!
//! Two HTTP clients, alike but for the names that they resolve ([`guard`]): one for the host that the operator
//! configured, one for wherever else the registry points. Neither follows redirects nor unpacks bodies on its own.
#![expect(
    clippy::disallowed_types,
    reason = "the one file that speaks HTTP to registries"
)]

use std::collections::HashSet;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws::{Clock, Timestamp};
use backon::{ExponentialBuilder, Retryable as _};
use base64::Engine as _;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::breaker::{Breaker, Gravity, Pass};
use super::guard::{self, MAX_REDIRECTS, NotResolved, Place, Refused, Resolver};
use super::{RemoteError, RemoteSettings};
use crate::names::ConnectionName;

/// Attempts after the first one.
const RETRIES: usize = 2;

/// Before the first retry; doubled before the second, and each lengthened by up to as much again.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Who asks.
const USER_AGENT: &str = concat!("packhouse/", env!("CARGO_PKG_VERSION"));

/// What is wanted of a registry.
pub(super) struct Request {
    pub(super) method: Method,
    /// Below the base of the registry, or absolute.
    pub(super) path: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<bytes::Bytes>,
}

/// What it answered, when it answered.
pub(super) enum Answer {
    Found(reqwest::Response),
    /// Unchanged, with what the head says.
    Unchanged(HeaderMap),
    Absent,
}

/// One registry: where it is, and how it fares.
pub(super) struct Registry {
    pub(super) connection: ConnectionName,
    pub(super) breaker: Breaker,
    /// Without user and password; ends in `/`.
    base: Url,
    authorization: Option<HeaderValue>,
}

impl Registry {
    /// At an address like `https://user:password@host/path/`. Errors: what is wrong with the address.
    pub(super) fn new(
        connection: ConnectionName,
        address: &Url,
        back_off: Duration,
    ) -> Result<Self, &'static str> {
        if !matches!(address.scheme(), "http" | "https") || address.host().is_none() {
            return Err("it does not begin with http:// or https:// and a host");
        }
        let authorization = basic(address);
        let mut base = address.clone();
        let cleaned = base.set_username("").and_then(|()| base.set_password(None));
        cleaned.map_err(|()| "its user and password cannot be read")?;
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self {
            connection,
            breaker: Breaker::new(back_off),
            base,
            authorization,
        })
    }

    /// The address of `path`. `None` when it would lead out of the registry, up past its base.
    pub(super) fn address(&self, path: &str) -> Option<Url> {
        if path.starts_with("https://") || path.starts_with("http://") {
            return without_user(Url::parse(path).ok()?);
        }
        let url = Url::parse(&format!("{}{}", self.base, path.trim_start_matches('/'))).ok()?;
        let below = url.origin() == self.base.origin() && url.path().starts_with(self.base.path());
        below.then_some(url)
    }

    /// See [`super::Remote::is_of_same_site`]. Names belong together when their last two labels are the same: coarse, and
    /// so only a question of where to ask first, never of what is believed.
    pub(super) fn is_of_same_site(&self, address: &str) -> bool {
        let Ok(url) = Url::parse(address) else {
            return false;
        };
        let is_protected = url.scheme() == "https" || url.scheme() == self.base.scheme();
        let site = |url: &Url| match url.host() {
            Some(url::Host::Domain(name)) => {
                let mut labels: Vec<_> = name.rsplit('.').take(2).collect();
                labels.reverse();
                Some(labels.join("."))
            }
            host => host.map(|host| host.to_string()),
        };
        is_protected && site(&url).is_some() && site(&url) == site(&self.base)
    }

    /// What is sent to prove who we are: to the configured scheme, host and port only.
    fn authorization_for(&self, url: &Url) -> Option<&HeaderValue> {
        self.authorization
            .as_ref()
            .filter(|_| url.origin() == self.base.origin())
    }

    pub(super) fn wrong(&self, message: impl Into<String>) -> RemoteError {
        RemoteError::Wrong {
            connection: self.connection.clone(),
            message: message.into(),
        }
    }

    pub(super) fn timed_out(&self) -> RemoteError {
        RemoteError::TimedOut {
            connection: self.connection.clone(),
        }
    }

    pub(super) fn unreachable(&self, message: String, retry_after: Duration) -> RemoteError {
        RemoteError::Unreachable {
            connection: self.connection.clone(),
            message,
            retry_after,
        }
    }

    /// Why it is not asked just now, if so.
    pub(super) fn resting(&self, now: Timestamp) -> Option<RemoteError> {
        self.breaker.open_for(now).map(|time| self.left_alone(time))
    }

    fn left_alone(&self, time: Duration) -> RemoteError {
        self.unreachable(
            "it failed a moment ago and is left alone for a while".to_owned(),
            time,
        )
    }

    pub(super) fn note_opened(&self, time: Option<Duration>, why: &RemoteError) {
        if let Some(time) = time {
            tracing::warn!(
                connection = %self.connection,
                seconds = time.as_secs(),
                error = %why,
                "a public registry failed and is left alone for a while"
            );
        }
    }
}

/// `Basic …`, from the user and password of an address.
fn basic(address: &Url) -> Option<HeaderValue> {
    let password = address.password();
    if address.username().is_empty() && password.is_none() {
        return None;
    }
    let mut plain: Vec<u8> = percent_decode_str(address.username()).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(password.unwrap_or_default()));
    let text = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(plain)
    );
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Of an address that came from outside: a user in it is none of ours.
fn without_user(mut url: Url) -> Option<Url> {
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

/// Asks registries. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    configured: reqwest::Client,
    elsewhere: reqwest::Client,
    proxies: Arc<HashSet<String>>,
    pub(super) clock: Clock,
    pub(super) settings: Arc<RemoteSettings>,
}

/// Why one attempt failed.
struct Fault {
    error: RemoteError,
    /// `None`: the registry is well, and only this cannot be had.
    gravity: Option<Gravity>,
    /// Worth another attempt at once.
    passing: bool,
    retry_after: Option<Duration>,
}

impl Fault {
    fn wrong(registry: &Registry, message: impl Into<String>) -> Self {
        Self {
            error: registry.wrong(message),
            gravity: None,
            passing: false,
            retry_after: None,
        }
    }

    fn timed_out(registry: &Registry) -> Self {
        let gravity = Some(Gravity::Registry);
        Self {
            error: registry.timed_out(),
            gravity,
            passing: false,
            retry_after: None,
        }
    }
}

impl Client {
    /// Errors: the machine's certificates cannot be read.
    pub(super) fn new(settings: RemoteSettings, clock: Clock) -> Result<Self, reqwest::Error> {
        let proxies = Arc::new(guard::proxies());
        let build = |place| {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
                .connect_timeout(settings.connect_timeout)
                .dns_resolver(Resolver {
                    place,
                    proxies: Arc::clone(&proxies),
                })
                .build()
        };
        Ok(Self {
            configured: build(Place::Configured)?,
            elsewhere: build(Place::Elsewhere)?,
            proxies,
            clock,
            settings: Arc::new(settings),
        })
    }

    /// Asks, unless the registry is left alone just now. All attempts and redirects together have the time of the first
    /// byte. The body of what was found has not been read.
    pub(super) async fn ask(
        &self,
        registry: &Registry,
        request: &Request,
    ) -> Result<Answer, RemoteError> {
        let url = registry.address(&request.path);
        let url = url.ok_or_else(|| registry.wrong("a path that leads out of the registry"))?;
        let pass = registry.breaker.enter(self.clock.now());
        let pass = pass.map_err(|time| registry.left_alone(time))?;
        let attempt = || self.follow(registry, request, &url);
        let delays = ExponentialBuilder::default()
            .with_min_delay(RETRY_DELAY)
            .with_factor(2.0)
            .with_max_times(RETRIES)
            .with_jitter();
        let attempts = attempt
            .retry(delays)
            .when(|fault| fault.passing && registry.resting(self.clock.now()).is_none());
        let outcome = match timeout(self.settings.first_byte_timeout, attempts).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::timed_out(registry)),
        };
        self.settle(registry, pass, outcome)
    }

    /// Tells the breaker how it went.
    fn settle(
        &self,
        registry: &Registry,
        pass: Pass<'_>,
        outcome: Result<Answer, Fault>,
    ) -> Result<Answer, RemoteError> {
        let fault = match outcome {
            Err(
                fault @ Fault {
                    gravity: Some(_), ..
                },
            ) => fault,
            well => {
                if pass.succeeded() {
                    tracing::info!(connection = %registry.connection, "a public registry answers again");
                }
                return well.map_err(|fault| fault.error);
            }
        };
        let Fault {
            error,
            gravity,
            retry_after,
            ..
        } = fault;
        let opened = pass.failed(
            gravity.unwrap_or(Gravity::Path),
            retry_after,
            self.clock.now(),
        );
        registry.note_opened(opened, &error);
        Err(match (opened, error) {
            (
                Some(retry_after),
                RemoteError::Unreachable {
                    connection,
                    message,
                    ..
                },
            ) => RemoteError::Unreachable {
                connection,
                message,
                retry_after,
            },
            (_, error) => error,
        })
    }

    /// One attempt: the request and the redirects that it meets.
    async fn follow(
        &self,
        registry: &Registry,
        request: &Request,
        start: &Url,
    ) -> Result<Answer, Fault> {
        let mut url = start.clone();
        let mut from = registry.base.scheme().to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(registry, request, &from, &url).await?;
            if !is_redirect(response.status()) {
                return self.read_head(registry, request, response);
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            let next = location.and_then(|text| url.join(text).ok());
            let next = next.ok_or_else(|| Fault::wrong(registry, "a redirect to nowhere"))?;
            url.scheme().clone_into(&mut from);
            url = next;
        }
        Err(Fault::wrong(
            registry,
            format!("more than {MAX_REDIRECTS} redirects"),
        ))
    }

    async fn send(
        &self,
        registry: &Registry,
        request: &Request,
        from: &str,
        url: &Url,
    ) -> Result<reqwest::Response, Fault> {
        let place = guard::check(
            &registry.base,
            &self.settings.hosts,
            from,
            url,
            &self.proxies,
        )
        .map_err(|refused| Fault::wrong(registry, points_to(refused)))?;
        let url = without_user(url.clone())
            .ok_or_else(|| Fault::wrong(registry, points_to(Refused::Host)))?;
        let client = match place {
            Place::Configured => &self.configured,
            Place::Elsewhere => &self.elsewhere,
        };
        let authorization = registry.authorization_for(&url).cloned();
        let mut builder = client.request(request.method.clone(), url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        if let Some(value) = authorization {
            builder = builder.header(header::AUTHORIZATION, value);
        }
        builder
            .send()
            .await
            .map_err(|error| self.unsent(registry, &error.without_url()))
    }

    /// What an answer means that is no redirect.
    fn read_head(
        &self,
        registry: &Registry,
        request: &Request,
        response: reqwest::Response,
    ) -> Result<Answer, Fault> {
        let status = response.status();
        let (gravity, passing) = match status {
            StatusCode::OK => return Ok(Answer::Found(response)),
            StatusCode::PARTIAL_CONTENT
                if request
                    .headers
                    .iter()
                    .any(|(name, _)| name == header::RANGE) =>
            {
                return Ok(Answer::Found(response));
            }
            StatusCode::NOT_MODIFIED => return Ok(Answer::Unchanged(response.headers().clone())),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Answer::Absent),
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => (Some(Gravity::Registry), true),
            StatusCode::TOO_MANY_REQUESTS => (Some(Gravity::Registry), false),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (Some(Gravity::Path), false),
            status if status.is_server_error() => (Some(Gravity::Path), false),
            status if status.is_client_error() => (None, false),
            status => return Err(Fault::wrong(registry, format!("status {status}"))),
        };
        let now = self.clock.now();
        let asked = response.headers().get(header::RETRY_AFTER);
        let retry_after = asked
            .and_then(|value| retry_after(value, now))
            .filter(|_| gravity.is_some());
        let error = registry.unreachable(format!("it answers {status}"), self.settings.back_off);
        Err(Fault {
            error,
            gravity,
            passing: passing && retry_after.is_none(),
            retry_after,
        })
    }

    /// Why there is no answer at all.
    fn unsent(&self, registry: &Registry, error: &reqwest::Error) -> Fault {
        if let Some(refused) = cause::<Refused>(error) {
            return Fault::wrong(registry, points_to(*refused));
        }
        tracing::debug!(
            connection = %registry.connection,
            cause = %chain(error),
            "a public registry did not answer"
        );
        if error.is_timeout() {
            return Fault::timed_out(registry);
        }
        let kind = cause::<io::Error>(error).map(io::Error::kind);
        let (message, passing) = if cause::<NotResolved>(error).is_some() {
            ("its name does not resolve".to_owned(), true)
        } else {
            match kind {
                // What the TLS library reports: the same certificate would come again.
                Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                    ("no secure connection can be made to it".to_owned(), false)
                }
                Some(kind) if error.is_connect() => (format!("no connection: {kind}"), true),
                Some(kind) => (format!("the connection broke: {kind}"), true),
                None => ("the connection broke".to_owned(), true),
            }
        };
        let error = registry.unreachable(message, self.settings.back_off);
        Fault {
            error,
            gravity: Some(Gravity::Registry),
            passing,
            retry_after: None,
        }
    }
}

fn points_to(refused: Refused) -> String {
    format!("it points to {refused}")
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Seconds, or a date.
fn retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(Timestamp::parse_http_date(text)?.since(now)),
    }
}

/// The innermost cause of this type.
pub(super) fn cause<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut found = None;
    let mut next = error.source();
    while let Some(error) = next {
        found = error.downcast_ref().or(found);
        next = error.source();
    }
    found
}

/// An error and its causes, in a line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn registry(address: &str) -> Registry {
        let address = Url::parse(address).unwrap();
        Registry::new("public:x".parse().unwrap(), &address, Duration::ZERO).unwrap()
    }

    #[test]
    fn paths_stay_below_the_base() {
        let registry = registry("https://user:secret@registry.test/a?x#y");
        for (path, expected) in [
            ("b/c.jar", Some("https://registry.test/a/b/c.jar")),
            ("/b", Some("https://registry.test/a/b")),
            ("", Some("https://registry.test/a/")),
            ("b?q=1", Some("https://registry.test/a/b?q=1")),
            ("b%2fc", Some("https://registry.test/a/b%2fc")),
            (
                "//other.test/b",
                Some("https://registry.test/a/other.test/b"),
            ),
            ("../b", None),
            ("b/../../c", None),
            ("%2e%2e/b", None),
            ("https://files.test/b", Some("https://files.test/b")),
            (
                "https://me:secret@files.test/b",
                Some("https://files.test/b"),
            ),
        ] {
            let found = registry.address(path);
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{path}");
        }
    }

    #[test]
    fn user_and_password_go_to_the_configured_origin_only() {
        let registry = registry("https://us%40er:se%3Acret@registry.test/a/");
        for (url, sent) in [
            ("https://registry.test/b", true),
            ("https://registry.test:444/b", false),
            ("http://registry.test/b", false),
            ("https://files.test/b", false),
        ] {
            let value = registry.authorization_for(&Url::parse(url).unwrap());
            let expected = sent.then_some("Basic dXNAZXI6c2U6Y3JldA==");
            assert_eq!(
                value.map(|value| value.to_str().unwrap()),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn a_site_is_a_host_and_those_of_its_owner() {
        let registry = registry("https://registry.example.test/npm/");
        for (address, is_same) in [
            ("https://registry.example.test/a", true),
            ("https://files.example.test/a", true),
            ("http://registry.example.test/a", false),
            ("https://registry.other.test/a", false),
            ("https://example.test.evil.test/a", false),
            ("https://127.0.0.1/a", false),
            ("a/-/a.tgz", false),
        ] {
            assert_eq!(registry.is_of_same_site(address), is_same, "{address}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused() {
        for text in ["ftp://registry.test/", "file:///a", "data:,a"] {
            let name = "public:x".parse().unwrap();
            let found = Registry::new(name, &Url::parse(text).unwrap(), Duration::ZERO);
            assert!(found.is_err(), "{text}");
        }
    }

    #[test]
    fn a_registry_says_when_to_come_again_in_seconds_or_as_a_date() {
        let now = Timestamp::from_seconds(1_773_500_966);
        for (text, seconds) in [
            ("120", Some(120)),
            ("Sat, 14 Mar 2026 15:10:26 GMT", Some(60)),
            ("Sat, 14 Mar 2026 15:08:26 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let found = retry_after(&HeaderValue::from_static(text), now);
            assert_eq!(found, seconds.map(Duration::from_secs), "{text}");
        }
    }
}
