//! Configuration: settings as meant, made from settings as written ([`Raw`]); all mistakes at once.

mod raw;
mod reader;
pub(crate) mod reference;
pub(crate) mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use aws::{AccountId, Region};
use catalog::ConnectionName;
use ipnet::IpNet;
use store::{BlobSettings, BlobsAddress, DatabaseAddress};
use url::Url;

use crate::master_key::KeySource;
use crate::rates::Rates;

pub(crate) use raw::{Flags, Origin, Raw};
use reader::Reader;
use settings::{Form, SETTINGS, Setting};

/// What the server is to do, complete and parsed.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<TlsFiles>,
    /// Without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// That the first start makes.
    pub(crate) account_id: AccountId,
    pub(crate) region: Region,
    pub(crate) database: DatabaseAddress,
    pub(crate) blobs: BlobsAddress,
    pub(crate) blob_settings: BlobSettings,
    pub(crate) upstreams: BTreeMap<ConnectionName, Url>,
    /// Hosts that registries may point to whatever their addresses are.
    pub(crate) registry_hosts: BTreeSet<String>,
    pub(crate) complete_versions: bool,
    /// With the built-in trust root: that of the file is read at the start.
    pub(crate) formats: formats::Rules,
    pub(crate) trust_root: Option<PathBuf>,
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
    pub(crate) to_stdout: bool,
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
    /// As the audit log takes it; `account` is the first one.
    pub(crate) fn ledger(&self, account: AccountId) -> audit::Settings {
        let Audit {
            directory,
            to_stdout,
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
            to_stdout,
            keep_records: keep,
            records,
            keep_decisions,
            decisions,
            read_window,
            region: self.region.clone(),
            account,
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
    pub(crate) connections_per_address: usize,
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

    /// A sentence for each secret that stands in a file which others than its owner may read.
    pub(crate) fn exposed(&self) -> Vec<String> {
        let is_exposed = |origin: &Origin| match origin {
            Origin::File(path) | Origin::Detected(path) => {
                std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
            }
            _ => false,
        };
        let upstreams = self
            .raw
            .upstreams()
            .values()
            .map(|one| ("upstream", false, one));
        let others = SETTINGS.iter().flat_map(|setting| {
            let is_secret = setting.form == Form::Secret;
            let written = self.raw.all(setting.name).iter();
            written.map(move |one| (setting.name, is_secret, one))
        });
        let secrets = others.chain(upstreams).filter(|(_, is_secret, one)| {
            (*is_secret || without_password(&one.text) != one.text) && is_exposed(&one.origin)
        });
        let told = secrets.map(|(name, _, one)| {
            format!(
                "`{name}` ({}) holds a secret, and others than the file's owner may read it",
                one.origin
            )
        });
        told.collect()
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
