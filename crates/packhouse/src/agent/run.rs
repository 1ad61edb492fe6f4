//! `packhouse agent run`: listens first, then asks; ends when it is told to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use aws::Clock;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::answers::{Answers, Facts};
use super::arguments::Run;
use super::endpoint;
use super::held::Holder;
use super::link_local::{self, LinkLocal};
use super::peer::Allowed;
use super::refresh::Refresher;
use super::request::LINK_LOCAL;
use super::server::Enrolled;
use super::state::{self, Identity};
use crate::config::Log;
use crate::logging;

/// What clients are told when nothing else is asked for.
const PORT: u16 = 1338;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

pub(crate) fn run(arguments: Run) -> anyhow::Result<()> {
    let _logging = logging::start(Log::Text, &arguments.log_level)?;
    if !arguments.i_understand_everyone_there_gets_this_role {
        let open = arguments
            .listen
            .iter()
            .find(|address| !is_here(address.ip()));
        ensure!(
            open.is_none(),
            "`{}` is reached by others than this machine\nhint: --i-understand-everyone-there-gets-this-role, if they are \
             to have it",
            open.map(ToString::to_string).unwrap_or_default()
        );
    }
    super::runtime()?.block_on(serve(arguments))
}

fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback() || ip == LINK_LOCAL
}

async fn serve(arguments: Run) -> anyhow::Result<()> {
    let directory = &arguments.state.state;
    let identity = Identity::read(directory)?;
    let token_file = arguments
        .token_file
        .clone()
        .unwrap_or_else(|| directory.join("container-token"));
    let facts = Facts {
        machine: identity.machine.clone(),
        account: identity.account,
        region: identity.region.clone(),
        container_token: state::container_token(&token_file)?,
        version_1: arguments.version_1,
    };
    let (clock, holder) = (Clock::system(), Holder::new());
    let (machine, account) = (identity.machine.clone(), identity.account);
    let server = Enrolled::new(identity, clock.clone())?;

    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (listeners, link_local) = listen(&arguments).await?;
    let addresses: Vec<SocketAddr> = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<io::Result<_>>()?;
    write_address(directory, addresses.first())?;
    for address in &addresses {
        tracing::info!(%machine, "listening: AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{address}");
    }
    tracing::info!(
        "listening: AWS_CONTAINER_CREDENTIALS_FULL_URI=http://{}/v1/credentials \
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE={}",
        addresses
            .first()
            .map(ToString::to_string)
            .unwrap_or_default(),
        token_file.canonicalize()?.display()
    );
    let answers = Arc::new(Answers::new(facts, holder.clone(), clock.clone()));
    let allowed = Allowed::new(arguments.allow_uid);
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(endpoint::serve(listener, answers.clone(), allowed.clone()));
    }
    let mut refresher = Refresher::new(server, account, arguments.hours, holder, clock);
    loop {
        tokio::select! {
            () = refresher.run() => {}
            _ = hang_up.recv() => {
                tracing::info!("SIGHUP: asking anew");
                refresher.drop_all();
            }
            Some(ended) = doors.join_next() => {
                let Ok(Err(error)) = ended else { continue };
                return Err(error).context("cannot listen any more");
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    // Nobody is answered any more before the address is taken away.
    doors.shutdown().await;
    if let Some(link_local) = link_local {
        link_local.remove().await;
    }
    tracing::info!("ended");
    Ok(())
}

async fn listen(arguments: &Run) -> anyhow::Result<(Vec<TcpListener>, Option<LinkLocal>)> {
    let mut listeners = Vec::new();
    if arguments.listen.is_empty() {
        listeners.push(bind((Ipv4Addr::LOCALHOST, PORT).into())?);
        match bind((Ipv6Addr::LOCALHOST, PORT).into()) {
            Ok(listener) => listeners.push(listener),
            // Machines without IPv6 have nobody who asks there.
            Err(error) => tracing::warn!("{error:#}"),
        }
    }
    for address in &arguments.listen {
        listeners.push(bind(*address)?);
    }
    if !arguments.link_local {
        return Ok((listeners, None));
    }
    let link_local = LinkLocal::add().await?;
    match bind(link_local::ADDRESS) {
        Ok(listener) => {
            listener.set_ttl(link_local::TTL)?;
            listeners.push(listener);
            Ok((listeners, Some(link_local)))
        }
        Err(error) => {
            link_local.remove().await;
            Err(error)
        }
    }
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bind = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().with_context(|| format!("cannot listen on `{address}`"))
}

/// For scripts: `http://127.0.0.1:1338`.
fn write_address(directory: &Path, address: Option<&SocketAddr>) -> anyhow::Result<()> {
    let Some(address) = address else {
        return Ok(());
    };
    let path = directory.join("address");
    crate::files::replace(&path, format!("http://{address}\n"))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_others_reach_are_known() {
        for (ip, here) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("169.254.169.254", true),
            ("0.0.0.0", false),
            ("::", false),
            ("10.0.0.1", false),
            ("169.254.169.253", false),
        ] {
            assert_eq!(is_here(ip.parse().unwrap()), here, "{ip}");
        }
    }
}
