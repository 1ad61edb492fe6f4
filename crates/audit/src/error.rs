//! What can go wrong, by what a caller would do.

/// Why something could not be written down, found or told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing in this account.
    #[error("there is no {kind} `{id}`")]
    NotFound {
        /// `decision`, `webhook`.
        kind: &'static str,
        /// As it was asked for.
        id: String,
    },
    /// What was asked for cannot be meant; the sentence is for the client.
    #[error("{0}")]
    Invalid(String),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Iam(#[from] iam::Error),
    /// The catalog could not say what happened.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file cannot be written.
    #[error("cannot write `{path}`")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A row holds what this program never writes.
    #[error("stored {what} does not read")]
    Damaged {
        /// What it is.
        what: &'static str,
        /// Why it does not read.
        #[source]
        source: serde_json::Error,
    },
}
