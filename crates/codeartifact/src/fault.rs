//! From the catalog's errors to the exceptions of the API: one match, so that a new variant asks to be placed.

use std::error::Error as StdError;

use aws::{Fault, Reason};
use catalog::{Error, Kind};
use http::StatusCode;

/// What a client reads of an error of the catalog.
///
/// What happened inside goes to the log and nowhere else; the request's span has its id.
pub(crate) fn fault(error: Error) -> Fault {
    match error {
        Error::Denied(denial) => Fault::access_denied(denial.message),
        Error::Blocked { id: _, message } => Fault::access_denied(message),
        // The one verb of this face that can be held is the one that opens an asset.
        Error::Held(hold) => Fault::not_found(
            Kind::Asset.as_str(),
            hold.what.clone(),
            format!("Asset not found. {hold}"),
        ),
        Error::NotFound { kind, id, message } => Fault::not_found(kind.as_str(), id, message),
        Error::Conflict { kind, id, message } => Fault::conflict(kind.as_str(), id, message),
        Error::Invalid(message) | Error::Mismatch(message) => {
            Fault::validation(Reason::Other, message)
        }
        Error::Quota { kind, id, message } => Fault::quota_exceeded(kind.as_str(), id, message),
        Error::TooLarge { limit_bytes } => Fault::new(
            "ServiceQuotaExceededException",
            StatusCode::PAYMENT_REQUIRED,
            format!("An asset may have at most {limit_bytes} bytes"),
        )
        .with("resourceType", Kind::Asset.as_str()),
        Error::Interrupted(source) => {
            tracing::info!(error = &source as &dyn StdError, "the body of a request ended early");
            Fault::validation(Reason::Other, "the body ended before it was whole")
        }
        Error::Remote(source) => {
            tracing::warn!(error = &source as &dyn StdError, "a public registry failed");
            Fault::internal()
        }
        // 503 rather than 500, so that a balancer too sees that another node may do better.
        Error::Unavailable(source) => {
            tracing::warn!(error = &*source as &dyn StdError, "temporarily unavailable");
            Fault {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(1),
                ..Fault::internal()
            }
        }
        Error::Internal(source) => {
            tracing::error!(error = &*source as &dyn StdError, "the catalog failed");
            Fault::internal()
        }
    }
}
