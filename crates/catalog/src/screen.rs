//! May this version be seen, served, kept here now: the one question, with all its rules.

use std::fmt;

use crate::package::Status;

/// Why a version that exists is kept back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What is kept back: `com.acme:lib-a:1.0`.
    pub what: String,
    /// The state that keeps it back.
    pub status: Status,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.what, self.status)
    }
}
