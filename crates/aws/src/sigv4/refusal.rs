//! Why a request counts as not signed, and how each service says so.

use http::StatusCode;
use thiserror::Error;

use crate::fault::{Dialect, Fault, Reason};

/// The reasons, one for each way in which a client can help itself.
///
/// The texts are for the client. None of them carries a signature, a token or a canonical request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotSigned {
    /// There are no credentials, or not of a kind this path takes.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// The credentials are malformed.
    #[error("{0}")]
    IncompleteSignature(String),
    /// Signature, clock or scope are wrong.
    #[error("{0}")]
    SignatureDoesNotMatch(String),
    /// The key is unknown, inactive or deleted, or the session token is not that key's.
    #[error("The security token included in the request is invalid.")]
    InvalidClientTokenId,
    /// The signature is right but the session is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The signature is right but the body is not the one whose hash was signed.
    #[error("The body of the request does not match the hash in 'x-amz-content-sha256'.")]
    PayloadMismatch,
    /// The body is signed in a way that only S3 knows.
    #[error("The value of 'x-amz-content-sha256' is not supported by this service.")]
    UnsupportedPayload,
}

impl NotSigned {
    pub(super) fn incomplete(message: impl Into<String>) -> Self {
        Self::IncompleteSignature(message.into())
    }

    pub(super) fn does_not_match(message: impl Into<String>) -> Self {
        Self::SignatureDoesNotMatch(message.into())
    }

    /// A plain mismatch, in AWS's words.
    pub(super) fn mismatch() -> Self {
        Self::does_not_match(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details.",
        )
    }

    /// The reason as one word, for logs and counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::IncompleteSignature(_) => "IncompleteSignature",
            Self::SignatureDoesNotMatch(_) => "SignatureDoesNotMatch",
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
            Self::PayloadMismatch => "PayloadMismatch",
            Self::UnsupportedPayload => "UnsupportedPayload",
        }
    }

    /// The error as a client of that service reads it.
    pub fn fault(&self, dialect: Dialect) -> Fault {
        let json = dialect == Dialect::RestJson;
        let by_dialect = |rest_json, query| if json { rest_json } else { query };
        let (code, status) = match self {
            Self::MissingAuthenticationToken => (
                by_dialect(
                    "MissingAuthenticationTokenException",
                    "MissingAuthenticationToken",
                ),
                StatusCode::FORBIDDEN,
            ),
            Self::IncompleteSignature(_) => (
                by_dialect("IncompleteSignatureException", "IncompleteSignature"),
                StatusCode::BAD_REQUEST,
            ),
            Self::SignatureDoesNotMatch(_) | Self::PayloadMismatch => (
                by_dialect("InvalidSignatureException", "SignatureDoesNotMatch"),
                StatusCode::FORBIDDEN,
            ),
            Self::InvalidClientTokenId => (
                by_dialect("UnrecognizedClientException", "InvalidClientTokenId"),
                StatusCode::FORBIDDEN,
            ),
            Self::ExpiredToken => (
                by_dialect("ExpiredTokenException", "ExpiredToken"),
                StatusCode::FORBIDDEN,
            ),
            Self::UnsupportedPayload if json => {
                return Fault::validation(Reason::Other, self.to_string());
            }
            Self::UnsupportedPayload => ("InvalidParameterValue", StatusCode::BAD_REQUEST),
        };
        let message = match self {
            Self::MissingAuthenticationToken if !json => {
                "Request is missing Authentication Token".to_owned()
            }
            _ => self.to_string(),
        };
        Fault::new(code, status, message)
    }
}
