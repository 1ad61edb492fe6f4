//! pip: `PIP_INDEX_URL`, then its settings, then the default that is built into it.
//!
//! pip knows the address of the index, `…/simple/`; wanted is what stands before that.

use super::Answer;
use super::machine::Machine;

/// pip has no command that prints its default, only this constant.
const ASK_PIP: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";

pub(super) async fn ask(machine: &Machine) -> Answer {
    if let Some(address) = machine.variable("PIP_INDEX_URL") {
        return base(address, "PIP_INDEX_URL");
    }
    for pip in ["pip", "pip3"] {
        for key in ["global.index-url", "install.index-url"] {
            // Ends with a failure when the key is not set, which is usual.
            if let Ok(address) = machine.output(pip, &["config", "get", key]).await {
                return base(&address, &format!("`{pip} config get {key}`"));
            }
        }
    }
    match machine.output("python3", &["-c", ASK_PIP]).await {
        Ok(address) => base(&address, "built into pip"),
        Err(why) => Answer::nothing(format!("no settings, and {why}")),
    }
}

fn base(address: &str, place: &str) -> Answer {
    let address = address.trim().trim_end_matches('/');
    match address.strip_suffix("/simple") {
        Some(base) => Answer::found(format!("{base}/"), place),
        None => Answer::nothing(format!("the index of {place} does not end in `/simple`")),
    }
}
