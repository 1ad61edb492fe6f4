//! One request, as it stands in the log and in the counters.

use std::time::Instant;

use aws::Dialect;
use http::{Method, StatusCode};

use crate::house::SharedHouse;
use crate::metrics::Face;
use crate::request_id;

/// What is known of a request; the doors fill it in, and the end of the answer writes it down.
///
/// Never in here: a token, a signature, a query string.
pub(crate) struct Record {
    house: SharedHouse,
    /// In every answer, for the log and for support.
    pub(crate) id: String,
    started: Instant,
    method: Method,
    path: String,
    /// Who answers.
    pub(crate) face: Face,
    /// How an error is to be written, once that is known.
    pub(crate) dialect: Option<Dialect>,
    /// The caller's ARN.
    pub(crate) caller: Option<String>,
    /// `DescribeDomain`, `maven`.
    pub(crate) operation: Option<String>,
    /// `domain/repository`.
    pub(crate) repository: Option<String>,
}

impl Record {
    pub(crate) fn new(house: &SharedHouse, method: &Method, path: &str) -> Self {
        house
            .metrics
            .running
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            house: house.clone(),
            id: request_id::next(house.clock.now()),
            started: Instant::now(),
            method: method.clone(),
            path: path.to_owned(),
            face: Face::Other,
            dialect: None,
            caller: None,
            operation: None,
            repository: None,
        }
    }

    /// Writes the request down. `is_whole`: whether the answer was sent to its end.
    pub(crate) fn end(&self, status: StatusCode, bytes: u64, is_whole: bool) {
        let took = self.started.elapsed();
        self.house
            .metrics
            .running
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        self.house
            .metrics
            .answered(self.face, status.as_u16(), took, bytes);
        let ms = took.as_secs_f64() * 1000.0;
        let status = status.as_u16();
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    request.id = %self.id,
                    request.method = %self.method,
                    request.path = &*self.path,
                    caller = self.caller.as_deref(),
                    operation = self.operation.as_deref(),
                    repository = self.repository.as_deref(),
                    status,
                    bytes,
                    duration_ms = ms,
                    $message
                )
            };
        }
        match self.face {
            _ if !is_whole => line!(info, "answer broken off"),
            // Half of what Maven asks is without credentials, to be challenged: nothing to look at.
            Face::Packages(_) if status == StatusCode::UNAUTHORIZED => line!(debug, "challenged"),
            Face::Other => line!(debug, "answered"),
            _ => line!(info, "answered"),
        }
    }
}
