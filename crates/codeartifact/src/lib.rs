//! The operations of the `CodeArtifact` API, as thin translations onto the verbs of the catalog.
//!
//! [`OPERATIONS`] is the whole of it, a line each. A door that has verified a signature finds the line of a request
//! ([`find`]), fills a [`Context`], and runs it with [`call`]. Each operation does the same four things in the same
//! order: read and check every member of its input, ask the catalog for a permit (which is where authorisation and
//! then existence are decided), call one verb, and write its answer in the words of the service model.
//!
//! Bytes do not stop here: the body of a published asset is handed through to the catalog as a stream, and an asset
//! that is asked for leaves as [`Answer::Asset`], for the door to deliver.

use std::io;
use std::pin::Pin;

use aws::Fault;
use aws::page::Sealer;
use aws::reader::Reader;
use aws::rest_json;
use bytes::Bytes;
use catalog::Catalog;
use futures_core::Stream;
use http::HeaderMap;
use iam::{Caller, Iam};
use serde::Serialize;

mod asset;
mod at;
mod connection;
mod domain;
mod fault;
mod group;
mod members;
mod names;
mod operation;
mod package;
mod paging;
mod pattern;
mod policy;
mod repository;
mod tag;
mod token;
mod version;
mod versions;

pub use connection::CONNECTIONS;
pub use fault::fault;
pub use operation::{Kind, OPERATIONS, Operation, find, unknown};
pub use repository::Endpoints;

/// Everything an operation knows besides its input: this server and this caller.
pub struct Context {
    /// Domains, repositories, packages.
    pub catalog: Catalog,
    /// Who may what, and the tokens.
    pub iam: Iam,
    /// Who is asking.
    pub caller: Caller,
    /// Where package managers reach this server.
    pub endpoints: Endpoints,
    /// Seals page tokens.
    pub sealer: Sealer,
}

/// What a client sent, its signature verified.
pub struct Input {
    /// The pairs of the query string, decoded once: those that were signed.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of a request.
pub enum Body {
    /// Held whole: the documents of [`Kind::Json`] and [`Kind::AssetOut`].
    Whole(Bytes),
    /// As it comes: the bytes of [`Kind::AssetIn`].
    Stream(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

/// What a client is answered.
pub enum Answer {
    /// 200, `application/json`, this body.
    Json(Bytes),
    /// 200, the bytes of the asset, with these headers besides those that describe the bytes.
    Asset {
        /// What to deliver.
        asset: Box<catalog::Asset>,
        /// `X-AssetName`, `X-PackageVersion`, `X-PackageVersionRevision`.
        headers: HeaderMap,
    },
    /// An error, to be written as REST-JSON.
    Fault(Fault),
}

impl Answer {
    /// Errors: `InternalServerException` for an output that cannot be written as JSON, which none of ours is.
    fn json(output: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(output).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an output cannot be written"
            );
            Fault::internal()
        })?;
        Ok(Answer::Json(body.into()))
    }
}

/// Runs an operation.
///
/// Never fails: whatever is wrong is the answer.
pub async fn call(cx: &Context, operation: &'static Operation, input: Input) -> Answer {
    match run(cx, operation, input).await {
        Ok(answer) => answer,
        Err(Failure(fault)) => Answer::Fault(fault),
    }
}

async fn run(cx: &Context, operation: &'static Operation, input: Input) -> Result<Answer, Failure> {
    let Input {
        query,
        headers,
        body,
    } = input;
    let (document, body) = match (operation.kind, body) {
        (Kind::Json | Kind::AssetOut, Body::Whole(bytes)) => (bytes, None),
        (Kind::Json | Kind::AssetOut, Body::Stream(_)) => return Err(Fault::internal().into()),
        (Kind::AssetIn, body) => (Bytes::new(), Some(body)),
    };
    let input = rest_json::Input::new(query, headers, &document)?;
    let named = at::Named::of(&input);
    let answer = (operation.run)(Request {
        cx,
        operation,
        input,
        body,
    })
    .await;
    answer.map_err(|Failure(fault)| Failure(fault::about(fault, named)))
}

/// One call, as the functions of the table see it.
pub(crate) struct Request<'a> {
    cx: &'a Context,
    operation: &'static Operation,
    input: rest_json::Input,
    /// The asset that is coming, for [`Kind::AssetIn`].
    body: Option<Body>,
}

impl Request<'_> {
    /// Reads the input; errors: `ValidationException` with everything that is wrong with it.
    fn read<T>(&self, input: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, Fault> {
        let mut reader = Reader::new(&self.input);
        let value = input(&mut reader);
        reader.finish(|| value)
    }
}

/// A fault on its way out, so that `?` works on everything that can refuse.
pub(crate) struct Failure(Fault);

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<catalog::Error> for Failure {
    fn from(error: catalog::Error) -> Self {
        Self(fault::fault(error))
    }
}
