//! The log: one line for each thing that happens, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Log;

/// Starts logging, panics included. `level` is a filter like `info,catalog=debug`, checked by [`crate::config`].
pub(crate) fn start(form: Log, level: &str) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_span_events(FmtSpan::NONE)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
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
}
