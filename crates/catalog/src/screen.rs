//! May this version be seen, served, kept here now: the one question, with all its rules.
//!
//! Pure over what was loaded. The list, the download and the retention of a version all ask here, so they cannot
//! disagree; a new rule is one arm.

use std::fmt;

use crate::package::Status;

/// What somebody wants with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// To name it in a list that clients read.
    List,
    /// To send its bytes, or to keep it in another repository.
    Serve,
}

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

/// Whether a version in this state may be seen so. `what` is asked only for a refusal.
pub fn screen(status: Status, view: View, what: impl FnOnce() -> String) -> Result<(), Hold> {
    let passes = match (status, view) {
        (Status::Published, _) | (Status::Unlisted, View::Serve) => true,
        (Status::Unlisted, View::List)
        | (Status::Unfinished | Status::Archived | Status::Disposed, _) => false,
    };
    if passes {
        Ok(())
    } else {
        Err(Hold {
            what: what(),
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_decides_who_sees_a_version() {
        for (status, listed, served) in [
            (Status::Published, true, true),
            (Status::Unlisted, false, true),
            (Status::Unfinished, false, false),
            (Status::Archived, false, false),
            (Status::Disposed, false, false),
        ] {
            let passes = |view| screen(status, view, String::new).is_ok();
            assert_eq!(
                (passes(View::List), passes(View::Serve)),
                (listed, served),
                "{status}"
            );
        }
    }
}
