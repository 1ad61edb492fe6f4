//! REST-JSON: input from query string, headers and body; output as JSON.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fault::{Fault, REQUEST_ID, Reason};
use crate::percent;

/// A request as its operation sees it: decoded, but not yet understood. [`crate::reader::Reader`]
/// reads it.
#[derive(Debug, Clone, Default)]
pub struct Input {
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Map<String, Value>,
}

impl Input {
    /// Takes the pairs that were signed ([`crate::sigv4::Claim::query`]), the headers, and a body
    /// that is empty or a JSON object.
    ///
    /// Errors: `ValidationException`, `OTHER` for a repeated query parameter, `CANNOT_PARSE` for a
    /// body that is anything else. Unknown parameters and members are kept and never looked at.
    pub fn new(
        query: Vec<(String, String)>,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<Self, Fault> {
        let mut names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let repeated = names.windows(2).find(|pair| pair[0] == pair[1]);
        if let Some([name, _]) = repeated {
            let message = format!("The query parameter '{name}' must not be repeated");
            return Err(Fault::validation(Reason::Other, message));
        }
        let body = if body.is_empty() {
            Map::new()
        } else {
            serde_json::from_slice(body).map_err(|_| {
                Fault::validation(Reason::CannotParse, "The request body is not a JSON object")
            })?
        };
        Ok(Self {
            query,
            headers,
            body,
        })
    }

    /// The same from a raw query string, decoded once; a raw `+` is a plus.
    ///
    /// Errors: as [`Input::new`], and `CANNOT_PARSE` for a broken escape.
    pub fn from_raw_query(query: &str, headers: HeaderMap, body: &[u8]) -> Result<Self, Fault> {
        let pairs = percent::decode_pairs(query, false).ok_or_else(|| {
            Fault::validation(Reason::CannotParse, "The query string is not valid")
        })?;
        Self::new(pairs, headers, body)
    }

    /// The decoded value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of a header, if it is plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The JSON body, empty when there was none.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }
}

/// An answer: JSON body, `application/json`, request id.
///
/// An output that cannot be written as JSON (it has a map with keys that are no strings, or its
/// own `Serialize` fails) becomes `InternalServerException`.
pub fn json_response(
    status: StatusCode,
    output: &impl Serialize,
    request_id: &str,
) -> Response<Bytes> {
    let Ok(body) = serde_json::to_vec(output) else {
        return Fault::internal().response(crate::Dialect::RestJson, request_id);
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}
