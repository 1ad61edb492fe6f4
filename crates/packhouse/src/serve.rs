//! `packhouse serve`: start, run, end.
//!
//! Start: configuration, limits of the process, database, keys, catalog, port; then the address is written down, and only
//! then does a script that waits for it go on. End: the first signal stops accepting and lets what runs come to its end;
//! a second one does not wait.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, Flags, Sources};
use crate::connection::{Phase, Port};
use crate::files::{Endpoint, Files};
use crate::guests::Guests;
use crate::house::House;
use crate::tls::Tls;
use crate::{jobs, logging, setup};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long fetches that nobody waits for any more may go on after the last request.
const FETCHES: Duration = Duration::from_secs(30);

/// Threads that wait for the disk. Each keeps some memory for the pieces of 256 KiB that it reads; more of them than a disk
/// has use for cost only that (`make bench` prints the memory of sixteen transfers at once).
const BLOCKING_THREADS: usize = 32;

pub(crate) fn run(flags: Flags) -> anyhow::Result<()> {
    let sources = Sources::read(flags, crate::environment());
    let config = sources.config()?;
    let _logging = logging::start(config.log, &config.log_level)?;
    for told in sources.exposed() {
        tracing::warn!("{told}");
    }
    raise_file_limit();
    keep_memory_private();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    let ended = runtime.block_on(serve(config));
    // What still runs on blocking threads is not waited for: whoever wanted it is gone.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let _lock = setup::data_directory(&config)?.lock()?;
    let ground = setup::ground(&config).await?;
    let account = setup::first_account(&config, &ground.iam).await?;
    let house = setup::house(&config, ground, account).await?;
    // Of a process that was ended while it changed the master key.
    house.master_key.settle(&house.iam).await?;

    let tls = tls(&config)?;
    let listener =
        listen(config.listen).with_context(|| format!("cannot listen on `{}`", config.listen))?;
    let address = listener.local_addr()?;
    let url = say_where(&config, address)
        .with_context(|| format!("cannot write into `{}`", config.data.display()))?;

    let (phase, watched) = watch::channel(Phase::Running);
    let dispatcher = setup::dispatcher(&config, &house)?;
    let keep_events = config.webhooks.keep_events;
    let jobs = jobs::run(Arc::clone(&house), dispatcher, keep_events, watched.clone());
    let jobs = tokio::spawn(jobs);
    let renewals = tls.clone().map(|tls| tokio::spawn(tls.keep_up()));
    let port = Port {
        house: Arc::clone(&house),
        tls,
        connections: config.limits.connections,
        guests: Arc::new(Guests::new(config.limits.connections_per_address)),
        drain: config.drain,
    };
    let mut port = tokio::spawn(port.serve(listener, watched));
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!("packhouse {version}: listening on {address}, reached at {url}");

    tokio::select! {
        name = signals.next() => tracing::info!("{name}: no new connections; running transfers come to their end"),
        ended = &mut port => ended.context("the port has failed")?,
    }
    house.is_ending.store(true, Ordering::Relaxed);
    // Nobody listens any more only if everything has ended already.
    _ = phase.send(Phase::Ending);
    tokio::select! {
        name = signals.next() => tracing::warn!("{name} again: not waiting"),
        () = wait(&house, port, jobs) => tracing::info!("ended"),
    }
    if let Some(renewals) = renewals {
        renewals.abort();
    }
    Ok(())
}

/// What the port shows, if it speaks TLS. A certificate that an earlier server left for the commands is removed if not.
fn tls(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    let left = Files::new(&config.data).certificate();
    match &config.tls {
        Some(files) => Ok(Some(Arc::new(Tls::open(files.clone(), left)?))),
        None if left.exists() => {
            let removed = std::fs::remove_file(&left);
            removed.with_context(|| format!("cannot remove `{}`", left.display()))?;
            Ok(None)
        }
        None => Ok(None),
    }
}

/// Writes down where the server is, for the commands and scripts of this machine; tells where clients reach it.
fn say_where(config: &Config, address: SocketAddr) -> std::io::Result<String> {
    let files = Files::new(&config.data);
    let reached = reached_at(address).to_string();
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("{scheme}://{reached}"));
    let region = config.region.to_string();
    let endpoint = Endpoint { url, region };
    files.write_endpoint(&reached, &endpoint)?;
    Ok(endpoint.url)
}

async fn wait(house: &House, port: JoinHandle<()>, jobs: JoinHandle<()>) {
    for (task, what) in [(port, "the port"), (jobs, "the jobs")] {
        if let Err(error) = task.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "{what} did not end well"
            );
        }
    }
    if tokio::time::timeout(FETCHES, house.catalog.drain())
        .await
        .is_err()
    {
        tracing::warn!("fetches from registries were cut off");
    }
    house.ledger.close().await;
}

/// A port that can be had again at once after the process that had it is gone.
fn listen(address: SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where this machine's own clients reach it: listening everywhere is not an address.
fn reached_at(address: SocketAddr) -> SocketAddr {
    let mut reached = address;
    if address.ip().is_unspecified() {
        reached.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reached
}

/// As many open files as the system lets this process have: a connection is one, an asset being sent another.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
}

/// No core dumps, and no debugger of another process: there are keys in memory.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "a crash may leave a core dump, with keys in it");
    }
}

/// The signals that end a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn listening_everywhere_is_reached_on_loopback() {
        for (address, reached) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(reached_at(address.parse().unwrap()).to_string(), reached);
        }
    }
}
