//! A refusal, before a format puts it into its clients' words.

use catalog::{Error, RemoteError};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::protocol::{Body, full};

/// Why a request is not done, as an HTTP status, a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The exception that the API would name: `ConflictException`.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
    /// Id by which the decision is found again, where there was one.
    pub decision: Option<String>,
    /// After how many seconds asking again may help.
    pub retry_after: Option<u64>,
}

/// Seconds after which a client may ask again when nobody knows better.
const RETRY_SECONDS: u64 = 30;

impl Refusal {
    /// A refusal without an id.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code(status),
            message: message.into(),
            decision: None,
            retry_after: None,
        }
    }

    /// What an error of the catalog means to a package manager. What clients may not find out reads as "not there".
    ///
    /// An upstream that fails is never "not there": Maven and Gradle write down a 404 and keep failing long after.
    pub fn of(error: &Error) -> Self {
        let says = |status| Self::new(status, error.to_string());
        match error {
            Error::Denied(denial) => Self {
                decision: Some(denial.id.clone()),
                ..Self::new(StatusCode::FORBIDDEN, denial.message.clone())
            },
            Error::Blocked { id, message } => Self {
                decision: Some(id.clone()),
                ..Self::new(StatusCode::FORBIDDEN, message.clone())
            },
            Error::WrongDomain => says(StatusCode::FORBIDDEN),
            Error::Held(_) | Error::NotFound { .. } => says(StatusCode::NOT_FOUND),
            Error::Conflict { .. } => says(StatusCode::CONFLICT),
            Error::Invalid(_) | Error::Mismatch(_) | Error::Interrupted(_) => {
                says(StatusCode::BAD_REQUEST)
            }
            Error::Quota { .. } => Self {
                code: "ServiceQuotaExceededException",
                ..says(StatusCode::BAD_REQUEST)
            },
            Error::TooLarge { .. } => says(StatusCode::PAYLOAD_TOO_LARGE),
            Error::Remote(remote) => Self::of_remote(remote),
            Error::Unavailable(_) => Self {
                retry_after: Some(RETRY_SECONDS),
                ..says(StatusCode::SERVICE_UNAVAILABLE)
            },
            Error::Internal(_) => says(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn of_remote(error: &RemoteError) -> Self {
        let says = |status| Self::new(status, error.to_string());
        match error {
            RemoteError::NotConfigured { .. } => Self {
                retry_after: Some(RETRY_SECONDS),
                ..says(StatusCode::SERVICE_UNAVAILABLE)
            },
            RemoteError::Unreachable { retry_after, .. } => Self {
                retry_after: Some(retry_after.as_secs().max(1)),
                ..says(StatusCode::SERVICE_UNAVAILABLE)
            },
            RemoteError::TimedOut { .. } => Self {
                retry_after: Some(RETRY_SECONDS),
                ..says(StatusCode::GATEWAY_TIMEOUT)
            },
            RemoteError::Wrong { .. } => says(StatusCode::BAD_GATEWAY),
        }
    }

    /// `{"message": …, "code": …}`, and the id of the decision if there is one; RFC 9457 problem details for those who
    /// accept them (Maven 3.9 and 4 print their `detail`).
    pub fn answer(&self, accept: Option<&HeaderValue>) -> Response<Body> {
        let wants_problem = accept
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/problem+json"));
        let (media_type, mut body) = if wants_problem {
            let problem = json!({
                "type": "about:blank",
                "title": self.status.canonical_reason().unwrap_or("Error"),
                "status": self.status.as_u16(),
                "detail": self.message,
            });
            ("application/problem+json", problem)
        } else {
            let plain = json!({"message": self.message, "code": self.code});
            ("application/json", plain)
        };
        if let Some(decision) = &self.decision {
            body["decisionId"] = json!(decision);
        }
        let mut answer = Response::new(full(body.to_string()));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        answer
    }
}

fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        409 => "ConflictException",
        413 => "ServiceQuotaExceededException",
        429 => "ThrottlingException",
        400..=499 => "ValidationException",
        _ => "InternalServerException",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catalog::Kind;

    use super::*;

    #[test]
    fn every_error_has_its_status() {
        let connection: catalog::ConnectionName = "public:maven-central".parse().expect("a name");
        let not_found = Error::NotFound {
            kind: Kind::Package,
            id: "a".into(),
            message: "no".into(),
        };
        let conflict = Error::Conflict {
            kind: Kind::Asset,
            id: "a".into(),
            message: "no".into(),
        };
        let unreachable = RemoteError::Unreachable {
            connection: connection.clone(),
            message: "refused".into(),
            retry_after: Duration::from_secs(12),
        };
        for (error, status, retry_after) in [
            (not_found, 404, None),
            (conflict, 409, None),
            (Error::Invalid("no".into()), 400, None),
            (Error::Mismatch("no".into()), 400, None),
            (Error::TooLarge { limit_bytes: 1 }, 413, None),
            (Error::Remote(unreachable), 503, Some(12)),
            (
                Error::Remote(RemoteError::TimedOut { connection }),
                504,
                Some(30),
            ),
            (Error::Unavailable("no".into()), 503, Some(30)),
            (Error::Internal("secret".into()), 500, None),
        ] {
            let refusal = Refusal::of(&error);
            assert_eq!(refusal.status.as_u16(), status, "{error}");
            assert_eq!(refusal.retry_after, retry_after, "{error}");
            assert!(!refusal.message.contains("secret"));
        }
    }

    #[test]
    fn problem_details_are_for_those_who_ask() {
        let refusal = Refusal::new(StatusCode::CONFLICT, "no");
        let plain = refusal.answer(Some(&HeaderValue::from_static("*/*")));
        assert_eq!(plain.headers()[CONTENT_TYPE], "application/json");
        let problem = refusal.answer(Some(&HeaderValue::from_static(
            "application/problem+json,*/*",
        )));
        assert_eq!(problem.headers()[CONTENT_TYPE], "application/problem+json");
    }
}
