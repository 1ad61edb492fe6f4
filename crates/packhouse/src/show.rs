//! `packhouse config`: every setting, its value, and where that comes from.

use std::io::Write as _;

use crate::cli;
use crate::config::{Sources, reference};

pub(crate) fn run(arguments: cli::Show) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.reference {
        out.write_all(reference::page().as_bytes())?;
        return Ok(());
    }
    let sources = Sources::read(arguments.flags, crate::environment());
    let rows = sources.rows();
    let widest =
        |length: fn(&crate::config::Row) -> usize| rows.iter().map(length).max().unwrap_or(0);
    let name = widest(|row| row.name.len());
    let value = widest(|row| row.value.chars().count().min(48));
    for row in &rows {
        writeln!(
            out,
            "{:name$}  {:value$}  {}",
            row.name, row.value, row.origin
        )?;
    }
    sources.config()?;
    Ok(())
}
