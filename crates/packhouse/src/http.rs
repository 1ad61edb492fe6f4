//! From a request to its answer: who it is for, what comes back if that breaks, what is written down.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws::{Dialect, Fault, QueryService};
use formats::{Body, full};
use futures_util::FutureExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tracing::Instrument as _;

use crate::body::{Arriving, Leaving};
use crate::doors::{agent, control, health, own, packages};
use crate::house::SharedHouse;
use crate::peer::From;
use crate::record::Record;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The doors, by the first segment of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// `/d/…`: package managers.
    Packages,
    /// `/v1/…`: `CodeArtifact`.
    CodeArtifact,
    /// `POST /`, or `GET /` with an `Action`: IAM, STS, EC2.
    Query,
    /// `/packhouse/v1/…`: our own operations.
    Own,
    /// `/agent/v1/…`: machines.
    Agent,
    /// `/healthz`, `/readyz`, `/metrics`.
    Health,
    /// Nothing here.
    Nowhere,
}

impl Door {
    fn of(method: &Method, path: &str, query: Option<&str>) -> Self {
        let first = path
            .strip_prefix('/')
            .and_then(|rest| rest.split('/').next());
        match first {
            Some("d") => Door::Packages,
            Some("v1") => Door::CodeArtifact,
            Some("packhouse") => Door::Own,
            Some("agent") => Door::Agent,
            Some("healthz" | "readyz" | "metrics") => Door::Health,
            Some("") if path == "/" && (method == Method::POST || is_action(query)) => Door::Query,
            _ => Door::Nowhere,
        }
    }
}

fn is_action(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("Action=")))
}

/// Answers a request. Nothing that happens inside ends the connection.
pub(crate) async fn answer(
    house: SharedHouse,
    from: From,
    request: Request<Incoming>,
) -> Result<Response<Leaving>, Infallible> {
    let (parts, incoming) = request.into_parts();
    let peer = house.proxies.peer(from, &parts.headers);
    let mut record = Record::new(&house, &peer, &parts);
    let draft = Arc::clone(&record.draft);
    let body = Arriving::new(incoming, parts.headers.contains_key(EXPECT));
    let door = Door::of(&parts.method, parts.uri.path(), parts.uri.query());
    let is_head = parts.method == Method::HEAD;
    let span = tracing::info_span!("request", request.id = record.id());

    // Boxed: each wrapper below would hold it a second time.
    let through = Box::pin(async {
        match door {
            Door::Packages => packages::answer(&house, &peer, &mut record, parts, body).await,
            // Whatever is less often asked need not make the future of each package request larger.
            Door::CodeArtifact => {
                Box::pin(control::rest(&house, &peer, &mut record, parts, body)).await
            }
            Door::Query => Box::pin(control::query(&house, &peer, &mut record, parts, body)).await,
            Door::Own => Box::pin(own::answer(&house, &peer, &mut record, parts, body)).await,
            Door::Agent => Box::pin(agent::answer(&house, &peer, &mut record, parts, body)).await,
            Door::Health => health::answer(&house, &parts).await,
            Door::Nowhere => nowhere(),
        }
    });
    // Whatever is asked in there is traced, and whatever is changed is recorded with the change.
    let through = house
        .ledger
        .companion(&draft)
        .accompany(draft.trace().follow(through));
    let answered = AssertUnwindSafe(through)
        .catch_unwind()
        .instrument(span)
        .await;
    let mut response = answered.unwrap_or_else(|_| {
        // What went wrong was logged by the hook of `logging`.
        house.metrics.panics.fetch_add(1, Ordering::Relaxed);
        defect(door, &record)
    });
    if let Ok(id) = HeaderValue::from_str(record.id()) {
        let headers = response.headers_mut();
        headers.insert(aws::fault::REQUEST_ID, id.clone());
        headers.insert(X_REQUEST_ID, id);
    }
    let length = if is_head { Some(0) } else { length(&response) };
    let status = response.status();
    record.answered(status);
    Ok(response.map(|body| Leaving::new(body, record, status, length)))
}

fn length(response: &Response<Body>) -> Option<u64> {
    let announced = || {
        response
            .headers()
            .get(CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    };
    response.body().size_hint().exact().or_else(announced)
}

/// The answer to a request whose code panicked, as the client behind that door can read it.
fn defect(door: Door, record: &Record) -> Response<Body> {
    let dialect = match door {
        Door::CodeArtifact | Door::Own | Door::Agent => Dialect::RestJson,
        Door::Query => record.dialect.unwrap_or(Dialect::Query(QueryService::Iam)),
        Door::Packages | Door::Health | Door::Nowhere => {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
        }
    };
    record.refuse(Fault::internal(), dialect)
}

fn nowhere() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "not found\n")
}

/// A short plain answer.
pub(crate) fn text(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_door() {
        for (method, path, query, door) in [
            (
                Method::GET,
                "/d/team-111122223333/maven/app/x",
                None,
                Door::Packages,
            ),
            (Method::GET, "/d", None, Door::Packages),
            (Method::GET, "/v1/domain", None, Door::CodeArtifact),
            (Method::POST, "/", None, Door::Query),
            (
                Method::GET,
                "/",
                Some("Action=GetCallerIdentity&Version=2011-06-15"),
                Door::Query,
            ),
            (Method::GET, "/", None, Door::Nowhere),
            (Method::POST, "/agent/v1/enroll", None, Door::Agent),
            (Method::GET, "/readyz", None, Door::Health),
            (Method::GET, "//v1/domain", None, Door::Nowhere),
            (Method::GET, "/download", None, Door::Nowhere),
            (Method::OPTIONS, "*", None, Door::Nowhere),
        ] {
            assert_eq!(Door::of(&method, path, query), door, "{method} {path}");
        }
    }
}
