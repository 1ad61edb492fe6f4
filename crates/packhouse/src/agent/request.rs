//! What a client of this machine asks, and whether it is one: pure, without an answer.
//!
//! A web page or a program that fetches URLs for others can be made to send requests here. Neither can set these headers
//! and methods without showing itself: a browser adds `Origin`, a proxy says that it is one, and a name that was pointed at
//! this machine stands in `Host`.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderName, ORIGIN, VIA};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};

use super::tokens::Ttl;

pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
pub(super) const TOKEN_TTL: HeaderName =
    HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that clients ask without being told.
pub(super) const LINK_LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// For a token of version 2.
    Token(Option<Ttl>),
    /// Something that needs one.
    Data(Data<'a>),
    /// The container endpoint, with what is shown for it.
    Container(Option<&'a [u8]>),
    /// Whether a web page may ask.
    Preflight,
    /// What there is not.
    Nothing,
}

/// What the machine endpoint knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data<'a> {
    /// The name of the role; `extended` is a later form of the same.
    RoleName,
    /// A session of the role with this name.
    Session {
        role: &'a str,
        extended: bool,
    },
    /// The instance profile.
    Profile,
    MachineId,
    Region,
    Zone,
    /// The identity document.
    Document,
    /// What there is not; told only to those who may ask.
    Nothing,
}

impl<'a> Request<'a> {
    pub(super) fn parse(parts: &'a Parts) -> Self {
        let path = parts.uri.path();
        let header = |name| parts.headers.get(name);
        match parts.method {
            Method::OPTIONS => Self::Preflight,
            Method::PUT if path == "/latest/api/token" => {
                let ttl = header(TOKEN_TTL).and_then(|value| value.to_str().ok());
                Self::Token(ttl.and_then(Ttl::parse))
            }
            Method::GET if path == "/v1/credentials" => {
                Self::Container(header(AUTHORIZATION).map(HeaderValue::as_bytes))
            }
            Method::GET => match path.strip_prefix("/latest/") {
                Some(rest) => Self::Data(Data::parse(rest)),
                None => Self::Nothing,
            },
            _ => Self::Nothing,
        }
    }
}

impl<'a> Data<'a> {
    fn parse(path: &'a str) -> Self {
        let iam = path.strip_prefix("meta-data/iam/security-credentials");
        if let Some(rest) = iam {
            let (rest, extended) = match rest.strip_prefix("-extended") {
                Some(rest) => (rest, true),
                None => (rest, false),
            };
            return match rest {
                "" | "/" => Self::RoleName,
                rest => match rest.strip_prefix('/') {
                    Some(role) if !role.contains('/') => Self::Session { role, extended },
                    _ => Self::Nothing,
                },
            };
        }
        match path {
            "meta-data/iam/info" => Self::Profile,
            "meta-data/instance-id" => Self::MachineId,
            "meta-data/placement/region" => Self::Region,
            "meta-data/placement/availability-zone" => Self::Zone,
            "dynamic/instance-identity/document" => Self::Document,
            _ => Self::Nothing,
        }
    }
}

/// Whether the request comes from a client on this machine, as far as it shows. `local` is the address that it was sent to.
pub(super) fn check(parts: &Parts, local: IpAddr) -> Result<(), StatusCode> {
    if parts.method == Method::OPTIONS {
        // Answered alike to everyone, and it says nothing.
        return Ok(());
    }
    // A whole address in the request line is how proxies are spoken to.
    let to_proxy = parts.uri.authority().is_some();
    let shows = |name: &HeaderName| parts.headers.contains_key(name);
    let is_foreign = [X_FORWARDED_FOR, FORWARDED, VIA, ORIGIN].iter().any(shows);
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let is_ours = host.is_some_and(|host| is_ours(host, local)) && hosts.next().is_none();
    if to_proxy || is_foreign || !is_ours {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(())
}

/// Whether a `Host` means this machine by what nobody else can point somewhere.
///
/// An address that was listened on is its own proof: what is feared is a name.
fn is_ours(host: &str, local: IpAddr) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((ip, port)) if is_port(port) => ip,
            _ => return false,
        },
        None => match host.rsplit_once(':') {
            Some((name, port)) if is_port(&host[name.len()..]) && !port.is_empty() => name,
            Some(_) => return false,
            None => host,
        },
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let ip: Option<IpAddr> = name.parse().ok();
    ip.is_some_and(|ip| ip.is_loopback() || ip == LINK_LOCAL || ip == local)
}

/// `:1338`, or nothing.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn reads_requests() {
        let session = |role, extended| Request::Data(Data::Session { role, extended });
        let base = "/latest/meta-data/iam/security-credentials";
        for (line, expected) in [
            (format!("GET {base}/"), Request::Data(Data::RoleName)),
            (format!("GET {base}"), Request::Data(Data::RoleName)),
            (
                format!("GET {base}-extended/"),
                Request::Data(Data::RoleName),
            ),
            (format!("GET {base}/ec2-ca"), session("ec2-ca", false)),
            (
                format!("GET {base}-extended/ec2-ca"),
                session("ec2-ca", true),
            ),
            (format!("GET {base}/ec2-ca/x"), Request::Data(Data::Nothing)),
            (format!("GET {base}x"), Request::Data(Data::Nothing)),
            (format!("POST {base}/"), Request::Nothing),
            (
                "GET /latest/meta-data/iam/info".to_owned(),
                Request::Data(Data::Profile),
            ),
            (
                "GET /latest/meta-data/instance-id".to_owned(),
                Request::Data(Data::MachineId),
            ),
            (
                "GET /latest/meta-data/placement/region".to_owned(),
                Request::Data(Data::Region),
            ),
            (
                "GET /latest/meta-data/placement/availability-zone".to_owned(),
                Request::Data(Data::Zone),
            ),
            (
                "GET /latest/dynamic/instance-identity/document".to_owned(),
                Request::Data(Data::Document),
            ),
            (
                "GET /latest/user-data".to_owned(),
                Request::Data(Data::Nothing),
            ),
            (
                "GET /latest/api/token".to_owned(),
                Request::Data(Data::Nothing),
            ),
            ("PUT /latest/api/token".to_owned(), Request::Token(None)),
            ("POST /latest/api/token".to_owned(), Request::Nothing),
            ("GET /v1/credentials".to_owned(), Request::Container(None)),
            ("GET /".to_owned(), Request::Nothing),
            (
                "GET //latest/meta-data/instance-id".to_owned(),
                Request::Nothing,
            ),
            ("OPTIONS /latest/api/token".to_owned(), Request::Preflight),
        ] {
            let (method, uri) = line.split_once(' ').unwrap();
            assert_eq!(Request::parse(&parts(method, uri, &[])), expected, "{line}");
        }
        let token = parts("PUT", "/latest/api/token", &[(TOKEN_TTL.as_str(), "60")]);
        assert_eq!(Request::parse(&token), Request::Token(Ttl::parse("60")));
        let shown = parts("GET", "/v1/credentials", &[("authorization", "T")]);
        assert_eq!(Request::parse(&shown), Request::Container(Some(b"T")));
    }

    #[test]
    fn only_clients_of_this_machine_are_let_in() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let foreign = [("origin", "https://evil.example"), ("via", "1.1 proxy")];
        let forwarded = [
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
        ];
        for host in [
            "127.0.0.1:1338",
            "127.0.0.1",
            "127.1.2.3:1",
            "[::1]:1338",
            "[::1]",
            "localhost:1338",
            "LocalHost",
            "169.254.169.254",
        ] {
            let fine = parts("GET", "/", &[("host", host)]);
            assert_eq!(check(&fine, loopback), Ok(()), "{host}");
            for header in foreign.iter().chain(&forwarded) {
                let refused = parts("PUT", "/latest/api/token", &[("host", host), *header]);
                assert_eq!(
                    check(&refused, loopback),
                    Err(StatusCode::FORBIDDEN),
                    "{header:?}"
                );
            }
        }
        for host in [
            "evil.example",
            "evil.example:1338",
            "127.0.0.1.evil.example:1338",
            "localhost.evil.example",
            "127.0.0.1:1338:1",
            "127.0.0.1:",
            "[::1",
            "[::1]x",
            "::1",
            "10.0.0.1",
            "0.0.0.0",
            "",
        ] {
            let refused = parts("GET", "/", &[("host", host)]);
            assert_eq!(
                check(&refused, loopback),
                Err(StatusCode::FORBIDDEN),
                "{host}"
            );
        }
        let none = parts("GET", "/", &[]);
        assert_eq!(check(&none, loopback), Err(StatusCode::FORBIDDEN));
        let two = parts("GET", "/", &[("host", "127.0.0.1"), ("host", "127.0.0.1")]);
        assert_eq!(check(&two, loopback), Err(StatusCode::FORBIDDEN));
        let proxy = parts("GET", "http://127.0.0.1/", &[("host", "127.0.0.1")]);
        assert_eq!(check(&proxy, loopback), Err(StatusCode::FORBIDDEN));
        // An address that one listens on by choice is how it is asked.
        let other: IpAddr = "10.0.0.1".parse().unwrap();
        let asked = parts("GET", "/", &[("host", "10.0.0.1:1338")]);
        assert_eq!(check(&asked, other), Ok(()));
    }
}
