//! Whether the process lives, whether it can serve, and what it counts. For machines; nothing here needs credentials.

use std::time::Duration;

use formats::{Body, full};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use tokio::time::timeout;

use crate::house::House;
use crate::http::text;

/// A balancer asks every few seconds and has its own limit; a database that takes longer than this is not there.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn answer(house: &House, parts: &Parts) -> Response<Body> {
    let mut response = match (parts.uri.path(), &parts.method) {
        ("/healthz" | "/readyz" | "/metrics", method)
            if !matches!(*method, Method::GET | Method::HEAD) =>
        {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
        ("/healthz", _) => text(StatusCode::OK, "ok\n"),
        ("/readyz", _) => ready(house).await,
        ("/metrics", _) => {
            let mut page = Response::new(full(house.metrics.page(house.ledger.counts())));
            let form = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            page.headers_mut().insert(CONTENT_TYPE, form);
            page
        }
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether requests can be served here: not while ending, not without the database.
async fn ready(house: &House) -> Response<Body> {
    let refused = |why: &'static str| text(StatusCode::SERVICE_UNAVAILABLE, why);
    if house.is_ending() {
        return refused("ending\n");
    }
    if !house.database.confirmed() {
        return refused("the other nodes have not been heard of\n");
    }
    match timeout(PATIENCE, house.database.rows("SELECT 1 AS one", Vec::new())).await {
        Ok(Ok(_)) => text(StatusCode::OK, "ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "not ready: the database does not answer"
            );
            refused("the database does not answer\n")
        }
        Err(_) => refused("the database does not answer in time\n"),
    }
}
