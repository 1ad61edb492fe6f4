//! Who is at the other end, through whatever stands in front.
//!
//! Forwarding headers count only when a proxy of ours has sent them: anybody else could write there what they like.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use http::header::{HOST, HeaderName};
use http::uri::Authority;
use iam::Source;
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From {
    pub(crate) address: SocketAddr,
    /// `TLSv1.3`; `None` for plain HTTP.
    pub(crate) tls_version: Option<&'static str>,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) source: Source,
    /// Whether the other end of the connection is a proxy of ours.
    pub(crate) is_proxied: bool,
    /// The version of TLS in which the client itself spoke to us.
    pub(crate) tls_version: Option<&'static str>,
}

impl Peer {
    /// The address of this server as the client has it, without a slash: `https://packages.example`.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> Option<String> {
        let forwarded = self
            .is_proxied
            .then(|| last(headers, &X_FORWARDED_HOST))
            .flatten();
        let host: Authority = forwarded.or_else(|| last(headers, &HOST))?.parse().ok()?;
        let scheme = if self.source.secure_transport {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{host}"))
    }
}

/// The networks of our own proxies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Who has sent a request.
    pub(crate) fn peer(&self, from: From, headers: &HeaderMap) -> Peer {
        let ip = from.address.ip().to_canonical();
        let is_proxied = self.is_ours(ip);
        let (ip, secure_transport) = if is_proxied {
            // As the client has it, not the proxy.
            let scheme = last(headers, &X_FORWARDED_PROTO);
            let is_secure = scheme.map_or(from.tls_version.is_some(), |scheme| {
                scheme.eq_ignore_ascii_case("https")
            });
            (self.forwarded_for(headers).unwrap_or(ip), is_secure)
        } else {
            (ip, from.tls_version.is_some())
        };
        Peer {
            source: Source {
                ip: Some(ip),
                secure_transport,
            },
            is_proxied,
            tls_version: from.tls_version.filter(|_| !is_proxied),
        }
    }

    /// The rightmost address that is not a proxy of ours: what stands left of it came from outside.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let addresses = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut nearest = None;
        for address in addresses {
            let Some(ip) = parse_ip(address.trim()) else {
                break;
            };
            nearest = Some(ip);
            if !self.is_ours(ip) {
                break;
            }
        }
        nearest
    }

    /// Whether there is a proxy of ours at this address.
    pub(crate) fn is_ours(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }
}

/// What counts as one address where requests or connections are counted: who has one of version 6 has at least 2⁶⁴ of them.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let mut segments = ip.segments();
            segments[4..].fill(0);
            Ipv6Addr::from(segments).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

/// The last entry of a header: the one that the nearest proxy wrote.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    (!last.is_empty()).then_some(last)
}

/// An address with or without brackets and port.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let ip = text
        .parse::<IpAddr>()
        .ok()
        .or_else(with_port)
        .or_else(in_brackets)?;
    Some(ip.to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_address_is_the_rightmost_that_is_not_a_proxy_of_ours() {
        let proxies = Proxies::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "fd00::/8".parse().unwrap(),
        ]);
        for (from, lines, expected) in [
            (
                "192.0.2.1:1",
                vec![("x-forwarded-for", "203.0.113.9")],
                "192.0.2.1",
            ),
            ("10.0.0.1:1", vec![], "10.0.0.1"),
            (
                "10.0.0.1:1",
                vec![("x-forwarded-for", "203.0.113.9")],
                "203.0.113.9",
            ),
            (
                "10.0.0.1:1",
                vec![("x-forwarded-for", "198.51.100.1, 203.0.113.9")],
                "203.0.113.9",
            ),
            (
                "10.0.0.1:1",
                vec![("x-forwarded-for", "203.0.113.9, 10.0.0.2,10.0.0.3")],
                "203.0.113.9",
            ),
            (
                "10.0.0.1:1",
                vec![
                    ("x-forwarded-for", "198.51.100.1"),
                    ("x-forwarded-for", "203.0.113.9"),
                ],
                "203.0.113.9",
            ),
            (
                "10.0.0.1:1",
                vec![("x-forwarded-for", "203.0.113.9, nonsense, 10.0.0.2")],
                "10.0.0.2",
            ),
            (
                "10.0.0.1:1",
                vec![("x-forwarded-for", "nonsense")],
                "10.0.0.1",
            ),
            (
                "10.0.0.1:1",
                vec![("x-forwarded-for", "203.0.113.9:4711")],
                "203.0.113.9",
            ),
            (
                "[fd00::1]:1",
                vec![("x-forwarded-for", "[2001:db8::1]")],
                "2001:db8::1",
            ),
            (
                "[::ffff:10.0.0.1]:1",
                vec![("x-forwarded-for", "::ffff:203.0.113.9")],
                "203.0.113.9",
            ),
        ] {
            let from = From {
                address: from.parse().unwrap(),
                tls_version: None,
            };
            let peer = proxies.peer(from, &headers(&lines));
            assert_eq!(
                peer.source.ip,
                Some(expected.parse().unwrap()),
                "{from:?} {lines:?}"
            );
        }
    }

    #[test]
    fn scheme_and_host_are_those_of_the_client() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let forwarded = [
            ("host", "inner:7070"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "packages.example"),
        ];
        for (from, is_tls, lines, expected) in [
            ("192.0.2.1:1", false, &forwarded[..], "http://inner:7070"),
            ("192.0.2.1:1", true, &forwarded[..1], "https://inner:7070"),
            (
                "10.0.0.1:1",
                false,
                &forwarded[..],
                "https://packages.example",
            ),
            ("10.0.0.1:1", false, &forwarded[..1], "http://inner:7070"),
            (
                "10.0.0.1:1",
                true,
                &[("host", "inner"), ("x-forwarded-proto", "http")],
                "http://inner",
            ),
        ] {
            let from = From {
                address: from.parse().unwrap(),
                tls_version: is_tls.then_some("TLSv1.3"),
            };
            let headers = headers(lines);
            let base = proxies.peer(from, &headers).base_url(&headers);
            assert_eq!(base.as_deref(), Some(expected), "{from:?} {lines:?}");
        }
        let none = HeaderMap::new();
        let from = From {
            address: "192.0.2.1:1".parse().unwrap(),
            tls_version: None,
        };
        assert_eq!(proxies.peer(from, &none).base_url(&none), None);
    }
}
