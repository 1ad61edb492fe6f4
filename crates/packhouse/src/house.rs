//! What every request finds: the parts of the house, put together once at the start.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audit::{Ledger, Webhooks};
use aws::page::Sealer;
use aws::{AccountId, Clock, Region};
use catalog::{Catalog, FormatName};
use formats::Protocol;
use http::HeaderMap;
use http::header::{HOST, HeaderName};
use http::uri::Authority;
use iam::{Iam, Source};
use ipnet::IpNet;
use store::Database;

use crate::attempts::Attempts;
use crate::metrics::Metrics;

/// The parts of a running server. Everything in it is cheap to share.
pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) iam: Iam,
    pub(crate) catalog: Catalog,
    pub(crate) protocols: Vec<(FormatName, &'static dyn Protocol)>,
    pub(crate) clock: Clock,
    /// The first account, whose root runs the installation.
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) sealer: Sealer,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) metrics: Metrics,
    /// Where requests are written down.
    pub(crate) ledger: Ledger,
    pub(crate) webhooks: Webhooks,
    /// Of agents that were refused.
    pub(crate) attempts: Attempts,
    /// Set when the process was asked to end: it finishes what runs and asks for no more.
    pub(crate) is_ending: AtomicBool,
}

/// Where a request comes from, through whatever stands in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) source: Source,
    /// Whether the other end of the connection is a proxy of ours.
    pub(crate) is_proxied: bool,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

impl House {
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Who is at the other end. Forwarding headers count only when a proxy of ours has sent them: anybody else could
    /// write there what they like.
    pub(crate) fn peer(&self, address: SocketAddr, headers: &HeaderMap) -> Peer {
        let ip = address.ip().to_canonical();
        if !self.is_trusted(ip) {
            return Peer {
                source: Source {
                    ip: Some(ip),
                    secure_transport: false,
                },
                is_proxied: false,
            };
        }
        Peer {
            source: Source {
                ip: Some(self.forwarded_for(headers).unwrap_or(ip)),
                secure_transport: text(headers, &X_FORWARDED_PROTO)
                    .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
            },
            is_proxied: true,
        }
    }

    /// The rightmost address that is not a proxy of ours: what stands left of it came from outside.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let all: Vec<_> = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let addresses = all.iter().flat_map(|line| line.split(',')).map(str::trim);
        let mut nearest = None;
        for address in addresses.rev() {
            let Some(ip) = parse_ip(address) else { break };
            nearest = Some(ip);
            if !self.is_trusted(ip) {
                break;
            }
        }
        nearest
    }

    fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&ip))
    }

    /// The address of this server as the client has it: `https://packages.example`, without a slash.
    pub(crate) fn base_url(&self, peer: &Peer, headers: &HeaderMap) -> Option<String> {
        if let Some(url) = &self.public_url {
            return Some(url.clone());
        }
        let forwarded = peer
            .is_proxied
            .then(|| text(headers, &X_FORWARDED_HOST))
            .flatten();
        let host: Authority = forwarded.or_else(|| text(headers, &HOST))?.parse().ok()?;
        let scheme = if peer.source.secure_transport {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{host}"))
    }
}

/// The last value of a header, the last in a list: the one that the nearest proxy wrote.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    (!last.is_empty()).then_some(last)
}

/// An address with or without brackets and port.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let ip = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    Some(ip.ok().or_else(bare)?.to_canonical())
}

pub(crate) type SharedHouse = Arc<House>;
