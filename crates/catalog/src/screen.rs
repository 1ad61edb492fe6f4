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
    /// What keeps it back.
    pub why: Why,
}

/// What keeps a version back, or a file of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The state of the version.
    Status(Status),
    /// The bytes of the file are not what they were when it came.
    Damaged,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Status(status) => write!(f, "{} is {status}", self.what),
            Why::Damaged => write!(f, "{} is damaged and in quarantine", self.what),
        }
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
            why: Why::Status(status),
        })
    }
}

/// Whether the bytes of a file may be sent, beside what [`screen`] says of its version.
pub fn screen_bytes(is_quarantined: bool, what: impl FnOnce() -> String) -> Result<(), Hold> {
    if is_quarantined {
        Err(Hold {
            what: what(),
            why: Why::Damaged,
        })
    } else {
        Ok(())
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
