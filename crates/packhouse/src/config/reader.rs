//! From settings as written to settings as meant: one value after the other, each mistake with where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use catalog::ConnectionName;
use formats::TrustRoot;
use ipnet::IpNet;
use store::BlobSettings;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::raw::{Origin, Raw, Written};
use super::settings::Setting;
use super::{
    Audit, Auth, Config, Limits, Oidc, TlsFiles, Webhooks, data, default, without_password,
};
use crate::master_key::KeySource;
use crate::rates::Rates;

/// A day in seconds: nobody waits for longer.
const DAY: u64 = 24 * 60 * 60;
/// A century in days, beyond which times cannot be reckoned with.
const CENTURY: u64 = 36_500;
/// Places that can be given out at once: many times the sockets that a process may have.
const MOST_CONNECTIONS: usize = 1 << 24;
/// Of an asset, in bytes: what a bucket takes as one object, 5 TiB.
const MOST_ASSET_BYTES: u64 = 5 << 40;

/// Reads settings; what cannot be meant is collected.
pub(super) struct Reader<'a> {
    pub(super) raw: &'a Raw,
    pub(super) mistakes: Vec<String>,
}

impl Reader<'_> {
    /// All of them. Where there are mistakes it is not to be used.
    pub(super) fn config(&mut self) -> Config {
        let data = data(self.raw, &Raw::default());
        let listen = self.listen();
        let insecure_http: bool = self.value("insecure-http");
        let tls = self.tls();
        if !listen.ip().is_loopback() && !insecure_http && tls.is_none() {
            let origin = self.origin("listen");
            self.mistakes.push(format!(
                "`listen` ({origin}) is `{listen}`, where others could read plain HTTP\n    hint: give \
                 `tls-certificate` and `tls-key`, or say `insecure-http` when a proxy in front speaks TLS"
            ));
        }
        let log_level = self.log_level();
        Config {
            listen,
            tls,
            public_url: self.public_url(),
            trusted_proxies: self.networks("trusted-proxy"),
            account_id: self.value("account-id"),
            region: self.value("region"),
            database: self.parsed("database", &default(Setting::named("database"), &data)),
            blobs: self.parsed("blobs", &default(Setting::named("blobs"), &data)),
            blob_settings: self.blob_settings(),
            upstreams: self.upstreams(),
            registry_hosts: self.registry_hosts(),
            complete_versions: self.value("complete-versions"),
            formats: self.formats(),
            trust_root: self
                .raw
                .get("pypi-trust-root")
                .map(|it| it.text.clone().into()),
            oidc: Oidc {
                private_issuers: self.value("oidc-allow-private-issuers"),
                ca_file: self
                    .raw
                    .get("oidc-ca-file")
                    .map(|it| it.text.clone().into()),
                jwks_files: self.jwks_files(),
            },
            master_key: self.master_key(&data),
            auth: Auth {
                strict_root: self.value("auth-strict-root"),
                cap_tokens_to_session: self.value("auth-cap-tokens-to-session"),
                max_skew: self.seconds("auth-max-skew-seconds", 1..=900),
                trust_policy_characters: self.number("auth-trust-policy-characters", 2048..=4096),
                trust_unconfirmed: self.value("auth-trust-unconfirmed"),
            },
            log: self.value("log"),
            log_level,
            drain: self.seconds("drain-seconds", 0..=DAY),
            limits: Limits {
                connections: self.number("limit-connections", 1..=MOST_CONNECTIONS),
                connections_per_address: self
                    .number("limit-connections-per-address", 1..=MOST_CONNECTIONS),
                asset_size_bytes: self.number("limit-asset-size-bytes", 1..=MOST_ASSET_BYTES),
                assets_per_version: self.number("limit-assets-per-version", 0..=u32::MAX),
                domains_per_account: self.number("limit-domains-per-account", 0..=u32::MAX),
                repositories_per_domain: self.number("limit-repositories-per-domain", 0..=u32::MAX),
                direct_upstreams: self.number("limit-direct-upstreams", 0..=u32::MAX),
                upstreams_searched: self.number("limit-upstreams-searched", 0..=u32::MAX),
                tags_per_resource: self.number("limit-tags-per-resource", 0..=u32::MAX),
                rates: Rates {
                    reads: self.number("limit-reads-per-second", 0..=u32::MAX),
                    writes: self.number("limit-writes-per-second", 0..=u32::MAX),
                    token: self.number("limit-token-requests-per-second", 0..=u32::MAX),
                    address: self.number("limit-address-requests-per-second", 0..=u32::MAX),
                    authorization_tokens: self
                        .number("limit-authorization-tokens-per-second", 0..=u32::MAX),
                    assets: self.number("limit-assets-per-second", 0..=u32::MAX),
                    lists: self.number("limit-lists-per-second", 0..=u32::MAX),
                    publishes: self.number("limit-publishes-per-second", 0..=u32::MAX),
                    copies: self.number("limit-copies-per-second", 0..=u32::MAX),
                },
            },
            audit: Audit {
                directory: PathBuf::from(self.text_or("audit-directory", &data)),
                to_stdout: self.value("audit-stdout"),
                file_bytes: self.number("audit-file-bytes", 1..=u64::MAX),
                file_age: self.hours("audit-file-hours"),
                keep: self.days("audit-days"),
                records: self.number("audit-records", 0..=u64::MAX),
                read_window: self.seconds("audit-read-window-seconds", 0..=DAY),
                keep_decisions: self.days("audit-decision-days"),
                decisions: self.number("audit-decisions", 0..=u64::MAX),
            },
            webhooks: Webhooks {
                private_addresses: self.value("webhook-private-addresses"),
                retry_for: self.hours("webhook-retry-hours"),
                keep_events: self.days("webhook-event-days"),
            },
            data,
        }
    }

    /// What this server settles for its formats.
    fn formats(&mut self) -> formats::Rules {
        formats::Rules {
            maven: formats::maven::Rules {
                requires_pom: self.value("maven-require-pom"),
                is_strict_about_poms: self.value("maven-strict-pom"),
                accepts_unverified: !self.value::<bool>("maven-refuse-unverified"),
            },
            npm: formats::npm::Rules {
                allows_unpublish: self.value("npm-allow-unpublish"),
                accepts_unverified: self.value("npm-allow-unverified"),
                private_scopes: self.private_scopes(),
            },
            pypi: formats::pypi::Rules {
                accepts_unverified: self.value("pypi-allow-unverified"),
                shows_legacy_files: self.value("pypi-legacy-files"),
                synthesizes_metadata: self.value("pypi-synthesize-metadata"),
            },
            generic: formats::generic::Rules {
                has_endpoint: self.value("generic-http"),
            },
            trust_root: TrustRoot::default(),
        }
    }

    fn private_scopes(&mut self) -> BTreeSet<formats::npm::Scope> {
        let mut scopes = BTreeSet::new();
        for written in self.raw.all("npm-private-scope") {
            match written.text.parse() {
                Ok(scope) => _ = scopes.insert(scope),
                Err(error) => self.mistakes.push(format!(
                    "`npm-private-scope` ({}) is `{}`, not a scope like `@acme`: {error}",
                    written.origin, written.text
                )),
            }
        }
        scopes
    }

    fn jwks_files(&mut self) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        for Written { text, origin } in self.raw.all("oidc-jwks-file") {
            match text.split_once('=') {
                Some((issuer, path)) if issuer.starts_with("https://") && !path.is_empty() => {
                    files.insert(issuer.to_owned(), path.into());
                }
                _ => self.mistakes.push(format!(
                    "`oidc-jwks-file` ({origin}) is `{text}`, not an address and a file as in `https://issuer.example=keys.json`"
                )),
            }
        }
        files
    }

    fn origin(&self, name: &str) -> Origin {
        self.raw
            .get(name)
            .map_or(Origin::Default, |written| written.origin.clone())
    }

    fn wrong(&mut self, name: &str, text: &str, why: &dyn Display) {
        let origin = self.origin(name);
        let shown = without_password(text);
        self.mistakes
            .push(format!("`{name}` ({origin}) is `{shown}`: {why}"));
    }

    fn text_or(&self, name: &str, data: &Path) -> String {
        let written = self.raw.get(name).map(|written| written.text.clone());
        written.unwrap_or_else(|| default(Setting::named(name), data))
    }

    /// The value of a setting that has a default; after a mistake, that default.
    fn value<T: FromStr<Err: Display>>(&mut self, name: &str) -> T {
        self.parsed(name, Setting::named(name).default)
    }

    fn seconds(&mut self, name: &str, bounds: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, bounds))
    }

    /// At least one: what is kept or tried for no time at all is lost before anybody has seen it.
    fn hours(&mut self, name: &str) -> Duration {
        Duration::from_hours(self.number(name, 1..=24 * CENTURY))
    }

    fn days(&mut self, name: &str) -> Duration {
        Duration::from_hours(24 * self.number(name, 1..=CENTURY))
    }

    /// A number within its bounds, both of which are good.
    fn number<T: FromStr + PartialOrd + Display>(
        &mut self,
        name: &str,
        bounds: RangeInclusive<T>,
    ) -> T {
        let (low, high) = bounds.into_inner();
        self.read(name, Setting::named(name).default, |text| {
            match text.parse() {
                Ok(number) if (&low..=&high).contains(&&number) => Ok(number),
                _ => Err(format!("it is a number from {low} to {high}")),
            }
        })
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, default: &str) -> T {
        self.read(name, default, |text| {
            text.parse().map_err(|error: T::Err| error.to_string())
        })
    }

    fn read<T>(
        &mut self,
        name: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        if let Some(text) = self.raw.get(name).map(|written| written.text.clone()) {
            match parse(&text) {
                Ok(value) => return value,
                Err(error) => self.wrong(name, &text, &error),
            }
        }
        match parse(default) {
            Ok(value) => value,
            Err(_) => unreachable!(
                "the default of `{name}` is in the list of settings, and a test parses them all"
            ),
        }
    }

    fn listen(&mut self) -> SocketAddr {
        self.read("listen", Setting::named("listen").default, |text| {
            text.parse().map_err(|_| {
                "it is an address and a port, like `127.0.0.1:7070` or `[::]:443`".to_owned()
            })
        })
    }

    fn log_level(&mut self) -> String {
        self.read("log-level", Setting::named("log-level").default, |text| {
            EnvFilter::try_new(text).map_err(|error| error.to_string())?;
            // A word by itself would be the name of a part of the program, and everything else silent.
            let word = text.split(',').map(str::trim).find(|directive| {
                let names_part = directive.contains(['=', '[', ':']) || directive.is_empty();
                !names_part && directive.parse::<LevelFilter>().is_err()
            });
            match word {
                Some(word) => Err(format!(
                    "`{word}` is not one of `error`, `warn`, `info`, `debug`, `trace` and `off`"
                )),
                None => Ok(text.to_owned()),
            }
        })
    }

    fn web_address(&mut self, name: &str) -> Option<Url> {
        let text = self.raw.get(name)?.text.clone();
        let url = text.parse::<Url>().map_err(|error| error.to_string());
        match url.and_then(|url| web_address(&url).map(|()| url).map_err(str::to_owned)) {
            Ok(url) => Some(url),
            Err(why) => {
                self.wrong(name, &text, &why);
                None
            }
        }
    }

    fn master_key(&mut self, data: &Path) -> KeySource {
        let Some(command) = self.raw.get("master-key-command") else {
            return KeySource::File(PathBuf::from(self.text_or("master-key-file", data)));
        };
        let words: Vec<_> = command.text.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            self.wrong("master-key-command", "", &"there is no command in it");
        }
        if self.raw.get("master-key-file").is_some() {
            self.mistakes.push(
                "`master-key-file` and `master-key-command` are both set, and there is one master key".to_owned(),
            );
        }
        KeySource::Command(words)
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        let path = |name| {
            self.raw
                .get(name)
                .map(|written| PathBuf::from(&written.text))
        };
        match (path("tls-certificate"), path("tls-key")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            _ => {
                let sentence =
                    "`tls-certificate` and `tls-key` belong together, and only one of them is set";
                self.mistakes.push(sentence.to_owned());
                None
            }
        }
    }

    fn public_url(&mut self) -> Option<String> {
        let url = self.web_address("public-url")?;
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.path() != "/"
        {
            self.wrong(
                "public-url",
                url.as_str(),
                &"it is a scheme, a host and perhaps a port, nothing else",
            );
        }
        Some(url.as_str().trim_end_matches('/').to_owned())
    }

    fn networks(&mut self, name: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for written in self.raw.all(name) {
            let address = || written.text.parse::<IpAddr>().ok().map(IpNet::from);
            match written.text.parse().ok().or_else(address) {
                Some(network) => networks.push(network),
                None => self.mistakes.push(format!(
                    "`{name}` ({}) is `{}`: it is a network like `10.0.0.0/8`, or an address",
                    written.origin, written.text
                )),
            }
        }
        networks
    }

    fn registry_hosts(&mut self) -> BTreeSet<String> {
        let mut hosts = BTreeSet::new();
        for written in self.raw.all("registry-host") {
            match url::Host::parse(&written.text) {
                Ok(host) => _ = hosts.insert(host.to_string()),
                Err(_) => self.mistakes.push(format!(
                    "`registry-host` ({}) is `{}`: it is a name or an address, without scheme, port and path",
                    written.origin, written.text
                )),
            }
        }
        hosts
    }

    fn blob_settings(&mut self) -> BlobSettings {
        let text = |name| self.raw.get(name).map(|written| written.text.clone());
        let (access_key_id, secret_access_key) =
            (text("blobs-access-key-id"), text("blobs-secret-access-key"));
        let region = text("blobs-region");
        if access_key_id.is_some() != secret_access_key.is_some() {
            self.mistakes.push(
                "`blobs-access-key-id` and `blobs-secret-access-key` belong together, and only one of them is set".to_owned(),
            );
        }
        BlobSettings {
            endpoint: self
                .web_address("blobs-endpoint")
                .map(|url| url.as_str().trim_end_matches('/').to_owned()),
            region,
            path_style: Some(self.value("blobs-path-style")),
            access_key_id,
            secret_access_key,
            memory_bytes: self.number("blobs-memory-bytes", 0..=u64::MAX),
        }
    }

    fn upstreams(&mut self) -> BTreeMap<ConnectionName, Url> {
        let mut upstreams = BTreeMap::new();
        for (name, written) in self.raw.upstreams() {
            match upstream(name, &written.text) {
                Ok((name, url)) => {
                    upstreams.insert(name, url);
                }
                Err(why) => self.mistakes.push(format!(
                    "`upstream` ({}) is `{name}={}`: {why}",
                    written.origin,
                    without_password(&written.text)
                )),
            }
        }
        upstreams
    }
}

fn upstream(name: &str, address: &str) -> Result<(ConnectionName, Url), String> {
    let known = connections();
    if !known.contains(name) {
        let known: Vec<_> = known.into_iter().collect();
        return Err(format!(
            "there is no such connection; there are {}",
            known.join(", ")
        ));
    }
    let url: Url = address
        .parse()
        .map_err(|error| format!("not an address: {error}"))?;
    web_address(&url).map_err(str::to_owned)?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    Ok((name, url))
}

/// Names of all connections that there can be: those of the API, so that what `upstreams detect` finds does not depend on
/// which formats a version serves.
fn connections() -> BTreeSet<&'static str> {
    codeartifact::CONNECTIONS
        .iter()
        .map(|(name, _)| *name)
        .collect()
}

fn web_address(url: &Url) -> Result<(), &'static str> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(())
    } else {
        Err("it begins with `http://` or `https://` and a host")
    }
}
