//! The log: one line for each thing that happens, on standard error.
//!
//! Lines are handed to a thread that gathers them for [`GATHER`] and writes them at once: under load one write takes
//! many, and a reader of the log that is slow for a moment holds up nobody. When it stays behind by [`LIMIT_BYTES`],
//! requests wait for it; no line is dropped. A process that is killed takes the last moment's lines with it.
//!
//! Given up: waking the thread for each line, which cost a request more than writing the line itself.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Log;

/// How much may wait to be written.
const LIMIT_BYTES: usize = 1 << 20;
/// From here on it is written without gathering more.
const ENOUGH_BYTES: usize = LIMIT_BYTES / 4;
/// How long lines are gathered. Nobody who watches a log sees the difference.
const GATHER: Duration = Duration::from_millis(5);

/// Keeps the log going; when it is dropped, all that was logged has been written.
#[must_use]
pub(crate) struct Logging {
    waiting: Arc<Waiting>,
    writer: Option<JoinHandle<()>>,
}

/// Starts logging, panics included. `level` is a filter like `info,catalog=debug`, checked by [`crate::config`].
pub(crate) fn start(form: Log, level: &str) -> io::Result<Logging> {
    let waiting = Arc::new(Waiting::default());
    let theirs = Arc::clone(&waiting);
    let writer = thread::Builder::new().name("log".to_owned());
    let writer = writer.spawn(move || theirs.write_to(&mut io::stderr()))?;
    let lines = Lines(Arc::clone(&waiting));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_span_events(FmtSpan::NONE)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(move || lines.clone());
    // Already started means a test started it; its choice stands.
    _ = match form {
        Log::Text => lines.try_init(),
        Log::Json => lines.json().flatten_event(true).try_init(),
    };
    // Only what stands in the program is written: a message made at the moment may hold a user's data.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let message = panic
            .payload()
            .downcast_ref::<&'static str>()
            .copied()
            .unwrap_or("(made at run time)");
        tracing::error!(place, message, "a defect: please report it");
    }));
    Ok(Logging {
        waiting,
        writer: Some(writer),
    })
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.waiting.lock().has_ended = true;
        self.waiting.filled.notify_all();
        // It ends by itself; if it has panicked there is nothing left to write with.
        _ = self.writer.take().map(JoinHandle::join);
    }
}

/// Lines that are not written yet.
#[derive(Default)]
struct Waiting {
    state: Mutex<State>,
    /// There is something to write, or the end.
    filled: Condvar,
    /// There is room again.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Waiting {
    /// Whoever panicked in between has left whole lines.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let state = self.lock();
        let full = |state: &mut State| state.bytes.len() >= LIMIT_BYTES && !state.has_ended;
        let waited = self.emptied.wait_while(state, full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        // The thread waits for a first line, and then for enough of them; it need not hear of those between.
        let before = state.bytes.len();
        state.bytes.extend_from_slice(line);
        let is_enough = before < ENOUGH_BYTES && state.bytes.len() >= ENOUGH_BYTES;
        drop(state);
        if before == 0 || is_enough {
            self.filled.notify_one();
        }
    }

    /// Writes until the end. What cannot be written is lost: there is no other place to say so.
    fn write_to(&self, out: &mut impl io::Write) {
        let mut taken = Vec::new();
        loop {
            let nothing = |state: &mut State| state.bytes.is_empty() && !state.has_ended;
            let waited = self.filled.wait_while(self.lock(), nothing);
            let state = waited.unwrap_or_else(PoisonError::into_inner);
            if state.bytes.is_empty() {
                return;
            }
            let few = |state: &mut State| state.bytes.len() < ENOUGH_BYTES && !state.has_ended;
            let waited = self.filled.wait_timeout_while(state, GATHER, few);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut state.bytes, &mut taken);
            drop(state);
            self.emptied.notify_all();
            _ = out.write_all(&taken).and_then(|()| out.flush());
            taken.clear();
        }
    }
}

/// Where the subscriber writes its lines, each in one call.
#[derive(Clone)]
struct Lines(Arc<Waiting>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A reader of the log that takes little at a time.
    #[derive(Default)]
    struct Slow(Vec<u8>);

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let some = bytes.len().min(1000);
            self.0.extend_from_slice(&bytes[..some]);
            thread::yield_now();
            Ok(some)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_whole_and_in_the_order_of_its_thread() {
        let waiting = Arc::new(Waiting::default());
        let theirs = Arc::clone(&waiting);
        let writer = thread::spawn(move || {
            let mut out = Slow::default();
            theirs.write_to(&mut out);
            out.0
        });
        let lines = |name: usize| {
            let mut out = Lines(Arc::clone(&waiting));
            // More than may wait, so that the limit is met too.
            thread::spawn(move || {
                for n in 0..5000 {
                    let line = format!("{name} {n} {}\n", "x".repeat(100));
                    out.write_all(line.as_bytes()).unwrap();
                }
            })
        };
        for writer in [lines(0), lines(1), lines(2)] {
            writer.join().unwrap();
        }
        waiting.lock().has_ended = true;
        waiting.filled.notify_all();
        let written = String::from_utf8(writer.join().unwrap()).unwrap();
        let mut next = [0; 3];
        for line in written.lines() {
            let mut words = line.split(' ');
            let name: usize = words.next().unwrap().parse().unwrap();
            assert_eq!(words.next().unwrap().parse::<usize>().unwrap(), next[name]);
            assert_eq!(words.next().unwrap().len(), 100);
            next[name] += 1;
        }
        assert_eq!(next, [5000; 3]);
    }
}
