//! What can go wrong, without HTTP: variants by what a caller would do. Each face maps them to its own wire.

use crate::remote::RemoteError;
use crate::screen::Hold;

/// What an error is about, in the words of the API (`resourceType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A domain.
    Domain,
    /// A repository.
    Repository,
    /// A package.
    Package,
    /// A version of a package.
    PackageVersion,
    /// A file of a version.
    Asset,
    /// A package group.
    PackageGroup,
    /// A run of a job.
    Run,
    /// The rules of a repository.
    LifecycleRules,
}

impl Kind {
    /// As the API spells it: `package-version`. It has no word for what AWS has not, nor for a package group.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Kind::Domain => Some("domain"),
            Kind::Repository => Some("repository"),
            Kind::Package => Some("package"),
            Kind::PackageVersion => Some("package-version"),
            Kind::Asset => Some("asset"),
            Kind::PackageGroup | Kind::Run | Kind::LifecycleRules => None,
        }
    }
}

/// An error of the catalog. `message` is written for the client; what happened inside is in the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No policy allows it, or one denies it.
    #[error("{}", .0.message)]
    Denied(Box<iam::Denial>),
    /// An origin control refuses it; the sentence names the control.
    #[error("{message}")]
    Blocked {
        /// Id by which the refusal is found again.
        id: String,
        /// What, on which package, why.
        message: String,
    },
    /// The token is good, but for another domain.
    #[error("the token was issued for another domain")]
    WrongDomain,
    /// It exists and is kept back: see [`crate::screen`].
    #[error("{0}")]
    Held(Hold),
    /// It is not there.
    #[error("{message}")]
    NotFound {
        /// What is missing.
        kind: Kind,
        /// Its name as the caller wrote it.
        id: String,
        /// The sentence.
        message: String,
    },
    /// It is there already, or in a state that forbids this.
    #[error("{message}")]
    Conflict {
        /// What is in the way.
        kind: Kind,
        /// Its name.
        id: String,
        /// The sentence.
        message: String,
    },
    /// The request cannot be meant.
    #[error("{0}")]
    Invalid(String),
    /// A limit would be exceeded.
    #[error("{message}")]
    Quota {
        /// The limited thing.
        kind: Kind,
        /// Its name.
        id: String,
        /// Which limit.
        message: String,
    },
    /// More bytes than an asset may have.
    #[error("an asset may have at most {limit_bytes} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The bytes do not have the digest that was promised with them.
    #[error("{0}")]
    Mismatch(String),
    /// The sender stopped before the body was whole.
    #[error("the body ended early")]
    Interrupted(#[source] std::io::Error),
    /// A public registry could not be asked, or answered wrongly.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Not to be had just now; asking again may help.
    #[error("temporarily unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect of ours or of the machine below.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The catalog's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(source.into())
    }

    pub(crate) fn not_found(kind: Kind, id: impl Into<String>, message: impl Into<String>) -> Self {
        Error::NotFound {
            kind,
            id: id.into(),
            message: message.into(),
        }
    }

    pub(crate) fn conflict(kind: Kind, id: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Conflict {
            kind,
            id: id.into(),
            message: message.into(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict { .. }
            | store::Error::Unavailable { .. }
            | store::Error::Locked { .. } => Error::Unavailable(Box::new(error)),
            other => Error::Internal(Box::new(other)),
        }
    }
}

impl From<store::BlobError> for Error {
    fn from(error: store::BlobError) -> Self {
        match error {
            store::BlobError::TooLarge { limit } => Error::TooLarge { limit_bytes: limit },
            store::BlobError::Body(source) => Error::Interrupted(source),
            store::BlobError::Unavailable(_) => Error::Unavailable(Box::new(error)),
            other => Error::Internal(Box::new(other)),
        }
    }
}
