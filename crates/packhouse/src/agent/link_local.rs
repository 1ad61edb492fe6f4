//! The address where AWS clients look for a machine endpoint without being told: put on the loopback device while the
//! agent runs.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Port 80, as clients expect.
pub(super) const ADDRESS: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(
    std::net::Ipv4Addr::new(169, 254, 169, 254),
    80,
));

/// Only this machine: an answer that leaves it, into a container with an address of its own, dies at the first router.
pub(super) const TTL: u32 = 1;

/// The address on the device.
pub(super) struct LinkLocal {
    is_ours: bool,
}

impl LinkLocal {
    /// Puts it there; needs root.
    pub(super) async fn add() -> anyhow::Result<Self> {
        let output = ip("add")
            .output()
            .await
            .context("cannot run `ip`, which puts 169.254.169.254 on the loopback device")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let is_there = said.contains("exists") || said.contains("already assigned");
        if !output.status.success() && !is_there {
            bail!(
                "cannot put 169.254.169.254 on the loopback device: {}\nhint: it needs root",
                said.trim()
            );
        }
        Ok(Self { is_ours: !is_there })
    }

    /// Takes it away again, if it was put there.
    pub(super) async fn remove(self) {
        if !self.is_ours {
            return;
        }
        match ip("del").status().await {
            Ok(status) if status.success() => {}
            _ => tracing::warn!("169.254.169.254 is left on the loopback device"),
        }
    }
}

fn ip(verb: &str) -> Command {
    let mut command = Command::new("ip");
    command
        .args(["address", verb, "169.254.169.254/32", "dev", "lo"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
