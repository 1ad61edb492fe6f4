//! Whose process is at the other end of a connection on this machine: Linux says so in `/proc/net/tcp`.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// The state of a connection that is open on both sides; in others the kernel may have forgotten whose it was.
const ESTABLISHED: &str = "01";

/// Which users may ask.
#[derive(Debug, Clone)]
pub(super) struct Allowed(Vec<u32>);

impl Allowed {
    /// These; nobody named is everybody.
    pub(super) fn new(users: Vec<u32>) -> Self {
        Self(users)
    }

    /// Whether the process that has connected from `peer` may ask. Not to know is not to allow.
    pub(super) fn admits(&self, peer: SocketAddr, local: SocketAddr) -> bool {
        if self.0.is_empty() {
            return true;
        }
        match user_of(peer, local) {
            Ok(Some(user)) => self.0.contains(&user),
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, "cannot tell whose process is asking");
                false
            }
        }
    }
}

fn user_of(peer: SocketAddr, local: SocketAddr) -> io::Result<Option<u32>> {
    let table = match peer {
        SocketAddr::V4(_) => "/proc/net/tcp",
        SocketAddr::V6(_) => "/proc/net/tcp6",
    };
    Ok(find(&std::fs::read_to_string(table)?, peer, local))
}

/// The user in the line of the peer's own socket: its local address is the peer, its remote address is ours.
///
/// ```text
///   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
///    1: 0100007F:8B2E 0100007F:053A 01 00000000:00000000 00:00000000 00000000  1000        0 41234 …
/// ```
fn find(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let (peer, local) = (spelled(peer), spelled(local));
    table.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let fits = words.next()? == peer && words.next()? == local && words.next()? == ESTABLISHED;
        // Queues, timer, retransmissions.
        fits.then(|| words.nth(3)?.parse().ok()).flatten()
    })
}

/// As the kernel prints it: the address in words of 32 bits in the machine's own order, the port as a number.
fn spelled(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut text = String::with_capacity(37);
    for word in octets.as_chunks::<4>().0 {
        // Writing to a string cannot fail.
        _ = write!(text, "{:08X}", u32::from_ne_bytes(*word));
    }
    _ = write!(text, ":{:04X}", address.port());
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:053A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:053A 0100007F:8B2E 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0100007F:8B2E 0100007F:053A 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 30 10 -1
   3: 0100007F:8B30 0100007F:053A 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_user_of_the_other_end_is_found() {
        let ours: SocketAddr = "127.0.0.1:1338".parse().unwrap();
        for (peer, user) in [
            ("127.0.0.1:35630", Some(1000)),
            // Closed, and no longer anybody's.
            ("127.0.0.1:35632", None),
            ("127.0.0.1:35631", None),
            ("127.0.0.2:35630", None),
        ] {
            assert_eq!(find(TABLE, peer.parse().unwrap(), ours), user, "{peer}");
        }
        assert_eq!(
            spelled("[::1]:1338".parse().unwrap()),
            "00000000000000000000000001000000:053A"
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn ones_own_connection_is_ones_own() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = tokio::net::TcpListener::bind(address).await else {
                continue;
            };
            let local = listener.local_addr().unwrap();
            let client = tokio::net::TcpStream::connect(local).await.unwrap();
            let peer = client.local_addr().unwrap();
            let us = rustix::process::getuid().as_raw();
            assert!(Allowed::new(vec![us]).admits(peer, local), "{address}");
            assert!(!Allowed::new(vec![us + 1]).admits(peer, local), "{address}");
            assert!(Allowed::new(Vec::new()).admits(peer, local), "{address}");
        }
    }
}
