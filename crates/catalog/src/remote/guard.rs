//! Which addresses may be connected to, so that a public registry cannot make this server read what only it can reach.
//!
//! The check is on the address that is connected to: names are resolved by [`Resolver`], whose answer is what the
//! connection is made with, and addresses in numbers are looked at before ([`check`]), because they are never resolved.
//!
//! The host that the operator configured is trusted, for it may well stand in the house; every other one, reached
//! through a redirect or an address in a document, must be public. What is given up: behind an HTTP proxy the proxy
//! resolves the names, so there only addresses in numbers are looked at.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Redirects that are followed before it is called a loop ("maven" 7.4 of the specification).
pub(super) const MAX_REDIRECTS: usize = 5;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The host that the operator configured.
    Configured,
    /// Anywhere else: must be public.
    Elsewhere,
}

/// Why an address is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Not HTTP, or back from HTTPS to HTTP.
    #[error("an address that is neither of the same scheme nor https")]
    Scheme,
    /// It has no host.
    #[error("an address without a host")]
    Host,
    /// In a network of the house, of the machine, or of the cloud's own services.
    #[error("an address that is not public")]
    NotPublic,
}

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("the name does not resolve")]
pub(super) struct NotResolved(#[source] Option<std::io::Error>);

/// Says where `url` is for the registry at `base`, coming from an address of scheme `from`.
///
/// `hosts` are those that the operator trusts besides; `proxies` are the proxies on the way: they may be connected to, so they must not be asked for.
pub(super) fn check(
    base: &Url,
    hosts: &BTreeSet<String>,
    from: &str,
    url: &Url,
    proxies: &HashSet<String>,
) -> Result<Place, Refused> {
    let same_or_better = url.scheme() == from || url.scheme() == "https";
    if !same_or_better || !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme);
    }
    let host = url.host().ok_or(Refused::Host)?;
    let is_named = url.host_str().is_some_and(|host| hosts.contains(host));
    if base.host().as_ref() == Some(&host) || is_named {
        return Ok(Place::Configured);
    }
    let public = match host {
        Host::Ipv4(address) => is_public(address.into()),
        Host::Ipv6(address) => is_public(address.into()),
        Host::Domain(name) => !proxies.contains(name),
    };
    if public {
        Ok(Place::Elsewhere)
    } else {
        Err(Refused::NotPublic)
    }
}

/// Whether an address may be connected to that stands in numbers; names are left to the [`Resolver`].
pub(super) fn may_reach(place: Place, url: &Url) -> Result<(), Refused> {
    let address: IpAddr = match url.host().ok_or(Refused::Host)? {
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
        Host::Domain(_) => return Ok(()),
    };
    if is_allowed(place, address) {
        Ok(())
    } else {
        Err(Refused::NotPublic)
    }
}

/// The hosts of the proxies that the environment names, which the HTTP client uses on its own.
pub(super) fn proxies() -> HashSet<String> {
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        .into_iter()
        .flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()])
        .filter_map(|name| std::env::var(name).ok())
        .filter_map(|text| proxy_host(&text))
        .collect()
}

/// The host of `http://user:password@proxy:3128`, or of `proxy:3128`.
fn proxy_host(text: &str) -> Option<String> {
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
    };
    Some(url.ok()?.host_str()?.to_owned())
}

/// Resolves names as the machine does and leaves only addresses that may be connected to.
pub(super) struct Resolver {
    pub(super) place: Place,
    pub(super) proxies: Arc<HashSet<String>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let place = self.place;
        let trusted = self.proxies.contains(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|error| NotResolved(Some(error)))?.collect();
            if found.is_empty() {
                return Err(NotResolved(None).into());
            }
            let may = |address: &SocketAddr| trusted || is_allowed(place, address.ip());
            let allowed: Vec<SocketAddr> = found.into_iter().filter(may).collect();
            if allowed.is_empty() {
                return Err(Refused::NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether a name at `place` may resolve to this address. Not even a configured name may lead to the services that a
/// cloud gives its machines: they hand out credentials, and no registry is there.
fn is_allowed(place: Place, address: IpAddr) -> bool {
    match place {
        Place::Elsewhere => is_public(address),
        Place::Configured => !is_of_the_link(address),
    }
}

/// Link-local addresses and those of cloud metadata services outside that range.
fn is_of_the_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_of_the_link_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_of_the_link_v4(inner),
            None => {
                // fe80::/10, and the metadata address of Amazon's machines among the unique local ones.
                (address.segments()[0] & 0xffc0) == 0xfe80
                    || address == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)
            }
        },
    }
}

fn is_of_the_link_v4(address: Ipv4Addr) -> bool {
    matches!(
        address.octets(),
        [169, 254, ..] | [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16]
    )
}

/// Whether an address is one of the public Internet: outside of everything that IANA's registries of special-purpose
/// addresses call not globally reachable, and not the address at which one cloud's machines ask their host.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(base, bits): &([u8; 4], u32)| {
        let other = u32::from(address) ^ u32::from_be_bytes(*base);
        other >> (32 - bits) == 0
    };
    !SPECIAL_V4.iter().any(within) && !is_of_the_link_v4(address)
}

/// Base and number of leading bits: IANA's special-purpose addresses that are not globally reachable, multicast, and the
/// rest from 240 on.
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Only `2000::/3` is given out; of that not the documentation and benchmarking ranges, nor what stands below `2001::/23`.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let given_out = first & 0xe000 == 0x2000;
    let special = match first {
        0x2001 => second <= 0x01ff || second == 0x0db8,
        0x3fff => second <= 0x0fff,
        _ => false,
    };
    given_out && !special
}

/// The version 4 address inside a mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`), translated (`64:ff9b::a.b.c.d`,
/// `64:ff9b:1:…`) or 6to4 (`2002:aabb:ccdd::`) one, through which it can be reached.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x0064, 0xff9b, .., high, low] => {
            Some(from(high, low))
        }
        [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for (text, public) in [
            ("1.1.1.1", true),
            ("172.15.255.255", true),
            ("172.32.0.0", true),
            ("100.63.0.1", true),
            ("100.128.0.1", true),
            ("192.0.1.1", true),
            ("223.255.255.255", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("169.254.169.254", false),
            ("168.63.129.16", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.192", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700:4700::1111", true),
            ("2a00:1450:4001::1", true),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:1.1.1.1", true),
            ("::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::101:101", true),
            ("2002:7f00:1::", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }

    #[test]
    fn a_configured_name_may_lead_into_the_house_but_not_to_the_clouds_own_services() {
        for (text, allowed) in [
            ("1.1.1.1", true),
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("fc00::1", true),
            ("169.254.169.254", false),
            ("::ffff:169.254.169.254", false),
            ("100.100.100.200", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(is_allowed(Place::Configured, address), allowed, "{text}");
        }
    }

    #[test]
    fn every_address_on_the_way_is_looked_at() {
        let proxies = HashSet::from(["proxy.test".to_owned()]);
        let (http, https) = ("http://registry.test/a/", "https://registry.test/a/");
        let inside = "http://127.0.0.1:81/";
        let hosts = BTreeSet::from(["10.1.2.3".to_owned()]);
        for (base, from, to, expected) in [
            (
                https,
                "https",
                "https://registry.test/b",
                Ok(Place::Configured),
            ),
            (
                https,
                "https",
                "https://REGISTRY.test:444/",
                Ok(Place::Configured),
            ),
            (https, "https", "https://files.test/b", Ok(Place::Elsewhere)),
            (
                https,
                "https",
                "http://registry.test/b",
                Err(Refused::Scheme),
            ),
            (http, "http", "http://files.test/b", Ok(Place::Elsewhere)),
            (http, "http", "https://files.test/b", Ok(Place::Elsewhere)),
            (
                http,
                "https",
                "http://registry.test/b",
                Err(Refused::Scheme),
            ),
            (http, "http", "ftp://files.test/b", Err(Refused::Scheme)),
            (http, "http", "file:///etc/passwd", Err(Refused::Scheme)),
            (http, "http", "data:,x", Err(Refused::Scheme)),
            (https, "https", "https://1.1.1.1/", Ok(Place::Elsewhere)),
            (
                https,
                "https",
                "https://127.0.0.1/",
                Err(Refused::NotPublic),
            ),
            (
                https,
                "https",
                "https://2130706433/",
                Err(Refused::NotPublic),
            ),
            (https, "https", "https://0x7f.1/", Err(Refused::NotPublic)),
            (https, "https", "https://[::1]/", Err(Refused::NotPublic)),
            (
                https,
                "https",
                "https://proxy.test/",
                Err(Refused::NotPublic),
            ),
            (
                inside,
                "http",
                "http://127.0.0.1:82/",
                Ok(Place::Configured),
            ),
            (
                inside,
                "http",
                "http://127.0.0.2:81/",
                Err(Refused::NotPublic),
            ),
            (
                https,
                "https",
                "https://10.1.2.3:8443/",
                Ok(Place::Configured),
            ),
            (https, "https", "http://10.1.2.3/", Err(Refused::Scheme)),
            (
                inside,
                "http",
                "http://169.254.169.254/",
                Err(Refused::NotPublic),
            ),
        ] {
            let url = Url::parse(to).unwrap();
            let found = check(&Url::parse(base).unwrap(), &hosts, from, &url, &proxies);
            assert_eq!(found, expected, "{base} from {from} to {to}");
        }
    }

    #[test]
    fn proxies_are_named_with_or_without_a_scheme() {
        for (text, host) in [
            ("http://user:secret@proxy.test:3128", Some("proxy.test")),
            ("proxy.test:3128", Some("proxy.test")),
            ("", None),
        ] {
            assert_eq!(proxy_host(text).as_deref(), host, "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_unless_it_was_configured() {
        let resolve = async |place, proxies: &[&str]| {
            let proxies = proxies.iter().map(|name| (*name).to_owned()).collect();
            let resolver = Resolver {
                place,
                proxies: Arc::new(proxies),
            };
            let found = resolver.resolve("localhost".parse().unwrap()).await;
            found
                .map(Iterator::count)
                .map_err(|error| error.downcast::<Refused>().unwrap())
        };
        assert!(resolve(Place::Configured, &[]).await.unwrap() > 0);
        assert!(resolve(Place::Elsewhere, &["localhost"]).await.unwrap() > 0);
        assert_eq!(
            *resolve(Place::Elsewhere, &[]).await.unwrap_err(),
            Refused::NotPublic
        );
    }
}
