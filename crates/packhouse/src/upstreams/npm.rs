//! npm says it itself, whatever it is made of: variables, three files, or built in.

use super::Answer;
use super::machine::Machine;

pub(super) async fn ask(machine: &Machine) -> Answer {
    match machine.output("npm", &["config", "get", "registry"]).await {
        Ok(text) => match text.trim() {
            "" | "undefined" | "null" => Answer::nothing("`npm config get registry` names none"),
            address => Answer::found(address, "`npm config get registry`"),
        },
        Err(why) => Answer::nothing(why),
    }
}
