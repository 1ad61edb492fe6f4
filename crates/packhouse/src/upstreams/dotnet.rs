//! dotnet lists its sources: `E ADDRESS` for enabled ones, `D ADDRESS` for others.

use super::Answer;
use super::machine::Machine;

pub(super) async fn ask(machine: &Machine) -> Answer {
    let text = match machine
        .output("dotnet", &["nuget", "list", "source", "--format", "Short"])
        .await
    {
        Ok(text) => text,
        Err(why) => return Answer::nothing(why),
    };
    // After the letter may stand `M` for sources of the machine and `O` for official ones.
    let enabled = text.lines().filter_map(|line| {
        let (flags, address) = line.trim().split_once(' ')?;
        (flags.starts_with('E') && flags.len() <= 3).then_some(address.trim())
    });
    match enabled
        .into_iter()
        .find(|address| address.starts_with("http") && address.ends_with("/index.json"))
    {
        Some(address) => Answer::found(address, "`dotnet nuget list source`"),
        None => Answer::nothing("`dotnet nuget list source` names none of protocol version 3"),
    }
}
