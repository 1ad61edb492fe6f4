//! Configuration: settings as meant, made from settings as written ([`Raw`]); all mistakes at once.

mod raw;
pub(crate) mod reference;
pub(crate) mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use aws::{AccountId, Region};
use catalog::ConnectionName;
use ipnet::IpNet;
use store::{BlobSettings, BlobsAddress, DatabaseAddress};
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::master_key::KeySource;

pub(crate) use raw::{Flags, Origin, Raw};
use settings::{Form, SETTINGS, Setting};

use crate::rates::Rates;

/// What the server is to do, complete and parsed.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<TlsFiles>,
    /// Without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) account_id: AccountId,
    pub(crate) region: Region,
    pub(crate) database: DatabaseAddress,
    pub(crate) blobs: BlobsAddress,
    pub(crate) blob_settings: BlobSettings,
    pub(crate) upstreams: BTreeMap<ConnectionName, Url>,
    /// Hosts that registries may point to whatever their addresses are.
    pub(crate) registry_hosts: BTreeSet<String>,
    pub(crate) complete_versions: bool,
    pub(crate) formats: formats::Rules,
    pub(crate) oidc: Oidc,
    pub(crate) master_key: KeySource,
    pub(crate) auth: Auth,
    pub(crate) log: Log,
    pub(crate) log_level: String,
    pub(crate) drain: Duration,
    pub(crate) limits: Limits,
    pub(crate) audit: Audit,
    pub(crate) webhooks: Webhooks,
}

/// How issuers of web identity tokens are asked for their keys.
#[derive(Debug, Clone)]
pub(crate) struct Oidc {
    pub(crate) private_issuers: bool,
    pub(crate) ca_file: Option<PathBuf>,
    /// By issuer.
    pub(crate) jwks_files: BTreeMap<String, PathBuf>,
}

/// How strict it is about who asks.
#[derive(Debug, Clone)]
pub(crate) struct Auth {
    pub(crate) strict_root: bool,
    pub(crate) cap_tokens_to_session: bool,
    pub(crate) max_skew: Duration,
    pub(crate) trust_policy_characters: usize,
    pub(crate) trust_unconfirmed: bool,
}

/// How requests are written down, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    pub(crate) directory: PathBuf,
    pub(crate) file_bytes: u64,
    pub(crate) file_age: Duration,
    pub(crate) keep: Duration,
    pub(crate) records: u64,
    pub(crate) read_window: Duration,
    pub(crate) keep_decisions: Duration,
    pub(crate) decisions: u64,
}

/// How others are told of events.
#[derive(Debug, Clone)]
pub(crate) struct Webhooks {
    pub(crate) private_addresses: bool,
    pub(crate) retry_for: Duration,
    pub(crate) keep_events: Duration,
}

impl Config {
    /// As the audit log takes it.
    pub(crate) fn ledger(&self) -> audit::Settings {
        let Audit {
            directory,
            file_bytes,
            file_age,
            keep,
            records,
            read_window,
            keep_decisions,
            decisions,
        } = self.audit.clone();
        audit::Settings {
            directory,
            files: audit::Keeping {
                bytes: file_bytes,
                age: file_age,
                keep,
            },
            keep_records: keep,
            records,
            keep_decisions,
            decisions,
            read_window,
            region: self.region.clone(),
            account: self.account_id,
        }
    }
}

/// What the port needs to speak TLS.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How many and how large things may be.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) asset_size_bytes: u64,
    pub(crate) assets_per_version: u32,
    pub(crate) domains_per_account: u32,
    pub(crate) repositories_per_domain: u32,
    pub(crate) direct_upstreams: u32,
    pub(crate) upstreams_searched: u32,
    pub(crate) tags_per_resource: u32,
    pub(crate) rates: Rates,
}

impl Limits {
    /// Those that the catalog keeps.
    pub(crate) fn of_catalog(&self) -> catalog::Limits {
        catalog::Limits {
            asset_size_bytes: self.asset_size_bytes,
            assets_per_version: self.assets_per_version,
            domains_per_account: self.domains_per_account,
            repositories_per_domain: self.repositories_per_domain,
            direct_upstreams: self.direct_upstreams,
            upstreams_searched: self.upstreams_searched,
            tags_per_resource: self.tags_per_resource,
        }
    }
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for Log {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Log::Text),
            "json" => Ok(Log::Json),
            _ => Err("it is `text` or `json`"),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistakes(pub(crate) Vec<String>);

impl Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has mistakes:")?;
        for mistake in &self.0 {
            write!(f, "\n  - {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// A row of `packhouse config`: a setting, its value as it may be shown, where that comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// All that was written, read from flags, environment and files, in their order.
#[derive(Debug)]
pub(crate) struct Sources {
    raw: Raw,
    mistakes: Vec<String>,
}

impl Sources {
    /// Reads the file and what was detected; `environment` is all variables of the process.
    pub(crate) fn read(
        flags: Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut mistakes = Vec::new();
        let mut said = Raw::from_environment(environment).under(flags.into_raw());
        said.rename_upstreams(connection_spelled);
        let (file, named) = match said.get("config") {
            Some(written) => (PathBuf::from(&written.text), true),
            None => (data(&said, &Raw::default()).join("packhouse.toml"), false),
        };
        let mut read = |path: &Path, wanted: bool, parse: fn(&str, &Path) -> (Raw, Vec<String>)| {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let (mut raw, more) = parse(&text, path);
                    raw.rename_upstreams(connection_spelled);
                    mistakes.extend(more);
                    raw
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && !wanted => Raw::default(),
                Err(error) => {
                    mistakes.push(format!("file `{}` cannot be read: {error}", path.display()));
                    Raw::default()
                }
            }
        };
        let from_file = read(&file, named, Raw::from_file);
        let detected = data(&said, &from_file).join(DETECTED);
        let found = read(&detected, false, Raw::from_detected);
        Self {
            raw: found.under(from_file).under(said),
            mistakes,
        }
    }

    /// The configuration that is meant. Errors: every mistake in it.
    pub(crate) fn config(&self) -> Result<Config, Mistakes> {
        let mut reader = Reader {
            raw: &self.raw,
            mistakes: self.mistakes.clone(),
        };
        let config = reader.config();
        if reader.mistakes.is_empty() {
            Ok(config)
        } else {
            Err(Mistakes(reader.mistakes))
        }
    }

    /// Where a setting's value comes from.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.raw
            .get(name)
            .map_or(Origin::Default, |written| written.origin.clone())
    }

    /// Every setting as it stands, mistaken or not; secrets hidden.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let data = data(&self.raw, &Raw::default());
        let mut rows = Vec::new();
        for setting in SETTINGS {
            let mut row = |value: String, origin: &Origin| {
                rows.push(Row {
                    name: setting.name.to_owned(),
                    value,
                    origin: origin.clone(),
                });
            };
            match setting.form {
                Form::List => self
                    .raw
                    .all(setting.name)
                    .iter()
                    .for_each(|one| row(one.text.clone(), &one.origin)),
                Form::Upstreams => self.raw.upstreams().iter().for_each(|(name, one)| {
                    row(
                        format!("{name}={}", without_password(&one.text)),
                        &one.origin,
                    );
                }),
                Form::Secret if self.raw.get(setting.name).is_none() => {}
                Form::Secret | Form::Text | Form::Switch => match self.raw.get(setting.name) {
                    Some(one) if setting.form == Form::Secret => {
                        row("(hidden)".to_owned(), &one.origin);
                    }
                    Some(one) => row(without_password(&one.text), &one.origin),
                    None => row(default(setting, &data), &Origin::Default),
                },
            }
        }
        rows.retain(|row| !row.value.is_empty());
        rows
    }
}

/// Where `upstreams detect --write` writes, in the data directory.
pub(crate) const DETECTED: &str = "upstreams.toml";

/// The data directory, before anything else is known.
fn data(strong: &Raw, weak: &Raw) -> PathBuf {
    let written = strong.get("data").or_else(|| weak.get("data"));
    let text = written.map_or(Setting::named("data").default, |written| &written.text);
    PathBuf::from(text)
}

/// The default of a setting, also of those that depend on the data directory.
fn default(setting: &Setting, data: &Path) -> String {
    match setting.name {
        "database" => format!("sqlite:{}", data.join("packhouse.db").display()),
        "blobs" => format!("file:{}", data.join("blobs").display()),
        "master-key-file" => data.join("master.key").display().to_string(),
        "audit-directory" => data.join("audit").display().to_string(),
        _ => setting.default.to_owned(),
    }
}

/// The connection that the environment spells `MAVEN_CENTRAL`: `public:maven-central`.
fn connection_spelled(variable: &str) -> Option<String> {
    let spelled = variable
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let name = variable.to_ascii_lowercase().replace('_', "-");
    let name = name.strip_prefix("public-").unwrap_or(&name);
    spelled.then(|| format!("public:{name}"))
}

/// An address as it may be shown: whatever stands where a password stands is left out.
pub(crate) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Some((user, host)) = authority.rsplit_once('@') else {
        return text
            .split_once("password=")
            .map_or(text, |(before, _)| before)
            .to_owned();
    };
    let user = user.split(':').next().unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    format!("{scheme}://{user}:(hidden)@{host}/{path}")
}

/// A number with bounds, both of which are good.
struct Within<const LOW: u64, const HIGH: u64>(u64);

impl<const LOW: u64, const HIGH: u64> FromStr for Within<LOW, HIGH> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if (LOW..=HIGH).contains(&number) => Ok(Self(number)),
            _ => Err(format!("it is a number from {LOW} to {HIGH}")),
        }
    }
}

struct Reader<'a> {
    raw: &'a Raw,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn config(&mut self) -> Config {
        let data = data(self.raw, &Raw::default());
        let listen: SocketAddr = self.value("listen");
        let insecure_http: bool = self.value("insecure-http");
        let tls = self.tls();
        if !listen.ip().is_loopback() && !insecure_http && tls.is_none() {
            let origin = self.origin("listen");
            self.mistakes.push(format!(
                "`listen` ({origin}) is `{listen}`, where others could read plain HTTP\n    hint: give \
                 `tls-certificate` and `tls-key`, or say `insecure-http` when a proxy in front speaks TLS"
            ));
        }
        let log_level = self.text("log-level");
        if let Err(error) = EnvFilter::try_new(&log_level) {
            self.wrong("log-level", &log_level, &error);
        }
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
                max_skew: Duration::from_secs(
                    self.value::<Within<1, 900>>("auth-max-skew-seconds").0,
                ),
                trust_policy_characters: usize::try_from(
                    self.value::<Within<2048, 4096>>("auth-trust-policy-characters")
                        .0,
                )
                .unwrap_or(usize::MAX),
                trust_unconfirmed: self.value("auth-trust-unconfirmed"),
            },
            log: self.value("log"),
            log_level,
            drain: Duration::from_secs(self.value("drain-seconds")),
            limits: Limits {
                connections: self.value("limit-connections"),
                asset_size_bytes: self.value("limit-asset-size-bytes"),
                assets_per_version: self.value("limit-assets-per-version"),
                domains_per_account: self.value("limit-domains-per-account"),
                repositories_per_domain: self.value("limit-repositories-per-domain"),
                direct_upstreams: self.value("limit-direct-upstreams"),
                upstreams_searched: self.value("limit-upstreams-searched"),
                tags_per_resource: self.value("limit-tags-per-resource"),
                rates: Rates {
                    reads: self.value("limit-reads-per-second"),
                    writes: self.value("limit-writes-per-second"),
                    token: self.value("limit-token-requests-per-second"),
                    address: self.value("limit-address-requests-per-second"),
                    authorization_tokens: self.value("limit-authorization-tokens-per-second"),
                    assets: self.value("limit-assets-per-second"),
                    lists: self.value("limit-lists-per-second"),
                    publishes: self.value("limit-publishes-per-second"),
                    copies: self.value("limit-copies-per-second"),
                },
            },
            audit: Audit {
                directory: PathBuf::from(self.text_or("audit-directory", &data)),
                file_bytes: self.value("audit-file-bytes"),
                file_age: self.hours("audit-file-hours"),
                keep: self.days("audit-days"),
                records: self.value("audit-records"),
                read_window: Duration::from_secs(self.value("audit-read-window-seconds")),
                keep_decisions: self.days("audit-decision-days"),
                decisions: self.value("audit-decisions"),
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
        for raw::Written { text, origin } in self.raw.all("oidc-jwks-file") {
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

    fn text(&self, name: &str) -> String {
        let written = self.raw.get(name).map(|written| written.text.as_str());
        written.unwrap_or(Setting::named(name).default).to_owned()
    }

    fn text_or(&self, name: &str, data: &Path) -> String {
        let written = self.raw.get(name).map(|written| written.text.clone());
        written.unwrap_or_else(|| default(Setting::named(name), data))
    }

    /// The value of a setting that has a default; after a mistake, that default.
    fn value<T: FromStr<Err: Display>>(&mut self, name: &str) -> T {
        self.parsed(name, Setting::named(name).default)
    }

    fn hours(&mut self, name: &str) -> Duration {
        Duration::from_secs(self.value::<u64>(name).saturating_mul(60 * 60))
    }

    fn days(&mut self, name: &str) -> Duration {
        self.hours(name).saturating_mul(24)
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, default: &str) -> T {
        if let Some(text) = self.raw.get(name).map(|written| written.text.clone()) {
            match text.parse() {
                Ok(value) => return value,
                Err(error) => self.wrong(name, &text, &error),
            }
        }
        match default.parse() {
            Ok(value) => value,
            Err(_) => unreachable!(
                "the default of `{name}` is in the list of settings, and a test parses them all"
            ),
        }
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
            memory_bytes: self.value("blobs-memory-bytes"),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
