//! cargo: a source that replaces the public registry. Its default is built in and cargo does not print it.

use std::path::PathBuf;

use super::Answer;
use super::machine::Machine;

pub(super) async fn ask(machine: &Machine) -> Answer {
    let home = machine
        .variable("CARGO_HOME")
        .map_or_else(|| machine.home().join(".cargo"), PathBuf::from);
    for name in ["config.toml", "config"] {
        let path = home.join(name);
        if let Some(text) = machine.read(&path).await
            && let Some(index) = replacement(&text)
        {
            let place = path.display().to_string();
            return match index.strip_prefix("sparse+") {
                Some(address) => Answer::found(address, place),
                None => Answer::nothing(format!("{place} names an index that is not sparse")),
            };
        }
    }
    Answer::nothing(
        "no source replacement in cargo's settings, and cargo does not print its default",
    )
}

/// The index that stands in for the public registry, through as many replacements as there are.
fn replacement(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    let sources = table.get("source")?.as_table()?;
    let mut name = "crates-io";
    // Each source is visited once at most, so a circle ends.
    for _ in 0..sources.len() {
        let source = sources.get(name)?;
        match source.get("replace-with") {
            Some(next) => name = next.as_str()?,
            None => return source.get("registry")?.as_str().map(str::to_owned),
        }
    }
    None
}
