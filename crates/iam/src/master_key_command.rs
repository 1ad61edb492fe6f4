//! The master key as a command prints it: a key service's own program, or a few lines of somebody's.
//!
//! Run without a shell. What it prints is read into memory that is wiped, and shown nowhere; what it complains about on
//! standard error goes where this process's own complaints go.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::master_key::{MasterKey, MasterKeyError, TEXT, fill};

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

impl MasterKey {
    /// Runs a program with its arguments and reads the key from what it prints, as a file would hold it. Blocks.
    ///
    /// Errors: when it cannot be run, ends with an error, prints something else or takes longer than `patience`; then it
    /// is killed.
    pub fn from_command(command: &[String], patience: Duration) -> Result<Self, MasterKeyError> {
        let (program, arguments) = command.split_first().ok_or_else(|| MasterKeyError::NoKey {
            program: String::new(),
            problem: "has no name".to_owned(),
        })?;
        let failed = |source| MasterKeyError::Command {
            program: program.clone(),
            source,
        };
        let problem = |problem: String| MasterKeyError::NoKey {
            program: program.clone(),
            problem,
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let until = Instant::now() + patience;
        let too_long = || problem(format!("took longer than {} s", patience.as_secs_f64()));
        let Some(read) = printed(&mut child, until) else {
            end(&mut child);
            return Err(too_long());
        };
        let (text, length) = read.map_err(failed)?;
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break status,
                None if Instant::now() >= until => {
                    end(&mut child);
                    return Err(too_long());
                }
                None => thread::park_timeout(LOOK),
            }
        };
        if !status.success() {
            return Err(problem(format!("failed: {status}")));
        }
        Self::parse(&text[..length])
            .ok_or_else(|| problem("did not print a line of 64 hex digits, or two".to_owned()))
    }
}

type Printed = io::Result<(Zeroizing<[u8; TEXT]>, usize)>;

/// What it prints until it closes its output or has printed too much; `None` when that takes too long.
fn printed(child: &mut Child, until: Instant) -> Option<Printed> {
    let mut output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    // Not waited for: whatever a killed program has started may keep the pipe open.
    thread::spawn(move || {
        let mut text = Zeroizing::new([0; TEXT]);
        let read = fill(&mut output, text.as_mut_slice());
        // Nobody listens any more when it took too long.
        drop(sender.send(read.map(|length| (text, length))));
    });
    receiver
        .recv_timeout(until.saturating_duration_since(Instant::now()))
        .ok()
}

/// It may have ended by itself meanwhile.
fn end(child: &mut Child) {
    drop(child.kill());
    drop(child.wait());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<MasterKey, String> {
        let command = ["sh", "-c", script].map(str::to_owned);
        let key = MasterKey::from_command(&command, Duration::from_millis(500));
        key.map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_prints_the_key_or_its_failure_is_told_without_what_it_printed() {
        let key = "00112233445566778899aabbccddeeff".repeat(2);
        let other = "ff".repeat(32);
        let read = run(&format!("echo {key}; echo {other}")).unwrap();
        assert!(read.is_same(&MasterKey::parse(key.as_bytes()).unwrap()));
        let other = MasterKey::parse(other.as_bytes()).unwrap();
        assert!(read.cipher_named(&other.name()).is_some());
        for (script, expected) in [
            (format!("echo {key}; exit 3"), "failed: exit status: 3"),
            (format!("echo {key}x"), "did not print"),
            (format!("yes {key}"), "failed: "),
            ("true".to_owned(), "did not print"),
            (format!("echo {key}; sleep 60"), "took longer than 0.5 s"),
        ] {
            let Err(said) = run(&script) else {
                panic!("{script}")
            };
            assert!(said.contains(expected), "{script}: {said}");
            assert!(!said.contains("00112233"), "{said}");
        }
        let nothing = MasterKey::from_command(&["/no/such/program".to_owned()], LOOK);
        assert!(matches!(nothing, Err(MasterKeyError::Command { .. })));
    }
}
