//! `packhouse agent`: gives the processes of a machine its role, in the ways in which AWS SDKs look for one.
//!
//! ```text
//! enroll        a code → a key of our own, once                        enroll.rs
//! run           asks the server for sessions of the role               refresh.rs → held.rs
//!               answers SDKs on loopback, from memory                  held.rs → endpoint.rs, request.rs, answers.rs
//! credentials   one session on standard output                         process.rs
//! ```
//!
//! It may stand alone on a machine without a server: it knows the wire (`aws`) and HTTP, and nothing else of this program.

mod answers;
mod arguments;
mod endpoint;
mod enroll;
mod held;
mod link_local;
mod peer;
mod process;
mod refresh;
mod request;
mod run;
mod server;
mod state;
mod tls;
mod tokens;
pub(crate) mod wire;

pub(crate) use arguments::Agent;

/// Does what was typed.
pub(crate) fn act(command: Agent) -> anyhow::Result<()> {
    match command {
        Agent::Enroll(arguments) => enroll::run(&arguments),
        Agent::Run(arguments) => run::run(arguments),
        Agent::Credentials(arguments) => process::run(&arguments),
    }
}

/// A runtime for the little that there is to do at once.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
