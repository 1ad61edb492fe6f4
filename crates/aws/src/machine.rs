//! How a machine says that it is itself: its id, and the statement that its agent signs.
//!
//! A statement is text, six lines of it, so that what was signed and what is read are the same bytes:
//!
//! ```text
//! packhouse/agent/1
//! credentials 3600                        or: binding
//! https://packages.example                the server, as the agent was told at its enrolment
//! i-0123456789abcdef0
//! 2026-03-14T15:09:26Z
//! 00112233445566778899aabbccddeeff        made up for this statement
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::time::Timestamp;

const FORM: &str = "packhouse/agent/1";
/// Digits after `i-`, as EC2 has them.
const ID_DIGITS: usize = 17;
/// 128 bits.
const NONCE_DIGITS: usize = 32;
/// Longer addresses of servers are not signed.
const SERVER_BYTES: usize = 512;

/// The text is no machine id, or no statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} does not have its form")]
pub struct InvalidMachine {
    what: &'static str,
}

/// The id of a machine: `i-` and 17 lower-case hex digits, as EC2 writes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(Arc<str>);

impl MachineId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MachineId {
    type Err = InvalidMachine;

    fn from_str(text: &str) -> Result<Self, InvalidMachine> {
        let digits = text.strip_prefix("i-").filter(|it| is_hex(it, ID_DIGITS));
        let invalid = InvalidMachine { what: "machine id" };
        digits.map(|_| Self(text.into())).ok_or(invalid)
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a machine wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A session of its role.
    Credentials {
        /// How long it is to last.
        seconds: u32,
    },
    /// To know which role that is.
    Binding,
}

/// What an agent signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it wants.
    pub purpose: Purpose,
    /// The server it was made for; no other may use it.
    pub server: String,
    /// Who says so.
    pub machine: MachineId,
    /// When, in whole seconds.
    pub at: Timestamp,
    /// 32 hex digits that no other statement of this machine has.
    pub nonce: String,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORM}")?;
        match self.purpose {
            Purpose::Credentials { seconds } => writeln!(f, "credentials {seconds}")?,
            Purpose::Binding => writeln!(f, "binding")?,
        }
        writeln!(f, "{}\n{}", self.server, self.machine)?;
        writeln!(f, "{}\n{}", self.at.iso8601(), self.nonce)
    }
}

impl FromStr for Statement {
    type Err = InvalidMachine;

    /// Reads what [`Statement`] prints and nothing else: not one byte more or less.
    fn from_str(text: &str) -> Result<Self, InvalidMachine> {
        let read = || {
            let mut lines = text.split('\n');
            let mut line = || lines.next();
            if line()? != FORM {
                return None;
            }
            let purpose = match line()? {
                "binding" => Purpose::Binding,
                other => Purpose::Credentials {
                    seconds: other.strip_prefix("credentials ")?.parse().ok()?,
                },
            };
            let server = line()?.to_owned();
            let machine = line()?.parse().ok()?;
            let at = Timestamp::parse_iso8601(line()?)?;
            let nonce = line()?.to_owned();
            let statement = Self {
                purpose,
                server,
                machine,
                at,
                nonce,
            };
            let fits = is_hex(&statement.nonce, NONCE_DIGITS)
                && (1..=SERVER_BYTES).contains(&statement.server.len())
                && statement.to_string() == text;
            fits.then_some(statement)
        };
        read().ok_or(InvalidMachine { what: "statement" })
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TEXT: &str = "packhouse/agent/1\ncredentials 3600\nhttps://packages.example\ni-0123456789abcdef0\n\
                        2026-03-14T15:09:26Z\n00112233445566778899aabbccddeeff\n";

    #[test]
    fn statements_are_read_back_from_their_text() {
        let statement: Statement = TEXT.parse().unwrap();
        assert_eq!(statement.purpose, Purpose::Credentials { seconds: 3600 });
        assert_eq!(statement.server, "https://packages.example");
        assert_eq!(statement.machine.as_str(), "i-0123456789abcdef0");
        assert_eq!(statement.at, Timestamp::from_seconds(1_773_500_966));
        assert_eq!(statement.to_string(), TEXT);
        let binding = TEXT.replace("credentials 3600", "binding");
        let statement: Statement = binding.parse().unwrap();
        assert_eq!(
            (statement.purpose, statement.to_string()),
            (Purpose::Binding, binding)
        );
    }

    #[test]
    fn statements_have_one_spelling() {
        for (from, to) in [
            ("agent/1", "agent/2"),
            ("credentials 3600", "credentials +3600"),
            ("credentials 3600", "credentials 03600"),
            ("credentials 3600", "credentials"),
            ("credentials 3600", "binding 3600"),
            ("https://packages.example", ""),
            ("i-0123456789abcdef0", "i-0123456789ABCDEF0"),
            ("09:26Z", "09:26.0Z"),
            ("09:26Z", "09:26+00:00"),
            ("eeff\n", "eeff"),
            ("eeff\n", "eeff\n\n"),
            ("eeff\n", "eefg\n"),
            ("eeff\n", "ee\n"),
            ("\n", "\r\n"),
        ] {
            assert!(TEXT.replace(from, to).parse::<Statement>().is_err(), "{to}");
        }
        assert!("".parse::<Statement>().is_err());
    }

    #[test]
    fn machine_ids_are_those_of_ec2() {
        for (text, is_one) in [
            ("i-0123456789abcdef0", true),
            ("i-0123456789abcdef", false),
            ("i-0123456789abcdef01", false),
            ("i-0123456789abcdefg", false),
            ("0123456789abcdef0", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<MachineId>().is_ok(), is_one, "{text}");
        }
    }
}
