//! gem lists its sources after a heading.

use super::Answer;
use super::machine::Machine;

pub(super) async fn ask(machine: &Machine) -> Answer {
    let text = match machine.output("gem", &["sources"]).await {
        Ok(text) => text,
        Err(why) => return Answer::nothing(why),
    };
    match text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("http"))
    {
        Some(address) => Answer::found(address, "`gem sources`"),
        None => Answer::nothing("`gem sources` names none"),
    }
}
