//! What the door needs of a package format.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;
use catalog::{BoxFuture, ByteStream, Error, Format, OpenRepository};
use futures_util::TryStreamExt as _;
use http::header::ALLOW;
use http::{Extensions, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};

/// Whatever breaks a body.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The body of a request or an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is at hand, sent in one piece.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that arrives piece by piece.
pub(crate) fn streamed(bytes: ByteStream) -> Body {
    StreamBody::new(bytes.map_ok(Frame::data).map_err(BoxError::from)).boxed_unsync()
}

/// A package format with its protocol.
pub trait Protocol: Format {
    /// Answers a request. Its path is relative to the repository's base, still percent-encoded, with or without a slash
    /// in front; who is asking has been found out. Errors are rendered by [`Protocol::refuse`].
    fn serve<'a>(
        &'a self,
        request: Request<Body>,
        repository: &'a OpenRepository,
    ) -> BoxFuture<'a, Result<Response<Body>, Error>>;

    /// An error as this format's clients read it. `accept` is the `Accept` header of the request.
    fn refuse(&self, error: &Error, accept: Option<&HeaderValue>) -> Response<Body>;

    /// What a client reads that has no good token, beside the challenges: media type and text. Most show nothing of it.
    fn unauthenticated(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What a user does to use a repository with the clients of this format.
    fn connect(&self, endpoint: &Endpoint) -> Vec<Step>;
}

/// The address of a repository as this very client has it, ending in `/`; the door puts it into the extensions of a
/// request. For documents whose clients do not follow relative addresses (npm's tarballs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(pub Arc<str>);

impl Base {
    /// That of a request; `/` when the door did not say.
    pub fn of(extensions: &Extensions) -> Self {
        let base = extensions.get::<Self>();
        base.cloned().unwrap_or_else(|| Self("/".into()))
    }
}

/// What stands behind the status in the first line of an answer, for clients that show nothing else of one that says no
/// (twine). An extension of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// Characters of a reason, at most.
const REASON_CHARS: usize = 400;

impl Reason {
    /// A sentence, as far as it can stand there: printable ASCII, and not too long.
    pub fn new(message: &str) -> Self {
        let printable = |c: char| {
            let fits = c == ' ' || c.is_ascii_graphic();
            if fits { c } else { '?' }
        };
        Self(message.chars().map(printable).take(REASON_CHARS).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A repository as a client addresses it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its base address, ending in `/`: `https://host/d/my-domain-111122223333/maven/my-repo/`.
    pub url: String,
    /// The domain's name.
    pub domain: String,
    /// The account that owns the domain, 12 digits.
    pub domain_owner: String,
    /// The repository's name.
    pub repository: String,
}

impl Endpoint {
    /// The step that gets a token, where a client reads it from `CODEARTIFACT_AUTH_TOKEN`.
    pub(crate) fn token(&self) -> Step {
        let Self {
            domain,
            domain_owner,
            ..
        } = self;
        Step {
            title: "A token, for twelve hours",
            file: None,
            text: format!(
                "export CODEARTIFACT_AUTH_TOKEN=$(aws codeartifact get-authorization-token \
                 --domain {domain} --domain-owner {domain_owner} --query authorizationToken --output text)"
            ),
        }
    }
}

/// Says which methods there are: `GET, HEAD`.
pub(crate) fn allow(answer: &mut Response<Body>, methods: &'static str) {
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
}

/// One step of connecting a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about, for a heading: `Maven: credentials`.
    pub title: &'static str,
    /// The file to put the text into; `None` when it is typed into a shell.
    pub file: Option<&'static str>,
    /// The text, ready to copy.
    pub text: String,
}
