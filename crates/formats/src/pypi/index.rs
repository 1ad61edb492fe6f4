//! A registry's page of a project, read from JSON (PEP 691) or HTML (PEP 503).

use std::collections::{BTreeMap, HashMap};

use catalog::{Timestamp, Version};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::facts::ProjectStatus;
use super::filename::{Distribution, Kind};
use super::html::{Attributes, Html};
use super::version;

/// Files of a project, at most.
const MAX_FILES: usize = 500_000;
/// Longest text of a page that is passed on (a reason, a specifier), in bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Why a page cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IndexError {
    /// It is JSON of another kind.
    #[error("it is not a project page: {0}")]
    Json(String),
    /// It says a version of the interface that is not known here.
    #[error("it has version {0} of the interface")]
    ApiVersion(String),
    /// It is HTML without what every project page has.
    #[error("it is some page, but not that of a project")]
    NoPage,
    /// It has too many files.
    #[error("it has more than {MAX_FILES} files")]
    TooMany,
}

/// A project's page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// The files, in the registry's order.
    pub files: Vec<IndexFile>,
    /// What it says of the project's state.
    pub status: Option<ProjectStatus>,
    /// Where relative addresses begin, if not at the page.
    pub base: Option<String>,
    by_name: HashMap<String, usize>,
}

/// A file of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IndexFile {
    /// Its name.
    pub filename: String,
    /// Its version: the first spelling on the page, for all files of the version.
    pub version: String,
    /// Where it is: absolute, or relative to the page.
    pub url: String,
    /// Digests in lower-case hex, by algorithm.
    pub hashes: BTreeMap<String, String>,
    /// Its size in bytes.
    pub size_bytes: Option<u64>,
    /// Which Pythons it is for.
    pub requires_python: Option<String>,
    /// Why it was yanked, if it was.
    pub yanked: Option<String>,
    /// When it was uploaded, `2026-01-01T00:00:00.000000Z`.
    pub uploaded: Option<String>,
    /// The SHA-256 of its core metadata, which then is beside it.
    pub core_metadata: Option<String>,
    /// Where attestations of it are.
    pub provenance: Option<String>,
    /// Whether it is a wheel.
    pub is_wheel: bool,
}

impl IndexFile {
    /// When it was uploaded, to the millisecond.
    pub(crate) fn uploaded_at(&self) -> Option<Timestamp> {
        Timestamp::parse_iso8601(self.uploaded.as_deref()?)
    }
}

impl Index {
    /// Reads a page of `project`. Files of other projects, of unknown kinds, with strange names or without an address on
    /// the web are left out, and those that nobody installs any more unless they are wanted.
    pub(crate) fn parse(body: &[u8], project: &str, with_legacy: bool) -> Result<Self, IndexError> {
        let begins_as_json = body
            .iter()
            .find(|b| !b.is_ascii_whitespace())
            .is_some_and(|b| *b == b'{');
        let Page {
            files,
            status,
            base,
        } = if begins_as_json {
            json(body)?
        } else {
            html(body)?
        };
        let mut index = Self {
            files: Vec::with_capacity(files.len()),
            status,
            base,
            by_name: HashMap::with_capacity(files.len()),
        };
        let mut spellings: HashMap<String, String> = HashMap::new();
        for mut file in files {
            let Some(found) = Distribution::parse(&file.filename, project) else {
                continue;
            };
            let is_wanted = with_legacy || !found.kind.is_legacy();
            if !is_wanted || index.by_name.contains_key(&file.filename) {
                continue;
            }
            let identity = version::identity(found.version).into_owned();
            let version = if let Some(known) = spellings.get(&identity) {
                known.clone()
            } else {
                let canonical = version::canonical(found.version);
                let spelling = canonical
                    .as_ref()
                    .map_or(found.version, Version::as_str)
                    .to_owned();
                if spelling.parse::<Version>().is_err() {
                    continue;
                }
                spellings.insert(identity, spelling.clone());
                spelling
            };
            file.is_wheel = found.kind == Kind::Wheel;
            if !file.is_wheel {
                file.core_metadata = None;
            }
            file.version = version;
            index
                .by_name
                .insert(file.filename.clone(), index.files.len());
            index.files.push(file);
        }
        Ok(index)
    }

    /// The file of this name.
    pub(crate) fn file(&self, filename: &str) -> Option<&IndexFile> {
        self.by_name.get(filename).map(|at| &self.files[*at])
    }
}

/// A page as it was written.
struct Page {
    files: Vec<IndexFile>,
    status: Option<ProjectStatus>,
    base: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonPage {
    #[serde(default)]
    meta: JsonMeta,
    files: Vec<JsonFile>,
    #[serde(default)]
    project_status: Option<ProjectStatus>,
}

#[derive(Deserialize, Default)]
struct JsonMeta {
    #[serde(rename = "api-version", default)]
    api_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    requires_python: Option<String>,
    #[serde(default)]
    yanked: Option<Flag>,
    #[serde(default)]
    upload_time: Option<String>,
    #[serde(default)]
    core_metadata: Option<Sidecar>,
    #[serde(default)]
    dist_info_metadata: Option<Sidecar>,
    #[serde(default)]
    provenance: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sidecar {
    Hashes(BTreeMap<String, String>),
    Other(serde::de::IgnoredAny),
}

impl Sidecar {
    fn sha256(self) -> Option<String> {
        match self {
            Sidecar::Other(_) => None,
            Sidecar::Hashes(hashes) => hashes.get("sha256").and_then(|hex| digest(hex)),
        }
    }
}

fn json(body: &[u8]) -> Result<Page, IndexError> {
    let page: JsonPage =
        serde_json::from_slice(body).map_err(|error| IndexError::Json(error.to_string()))?;
    if let Some(api_version) = page.meta.api_version
        && api_version.split('.').next() != Some("1")
    {
        return Err(IndexError::ApiVersion(api_version));
    }
    if page.files.len() > MAX_FILES {
        return Err(IndexError::TooMany);
    }
    let files = page.files.into_iter().map(|file| {
        let hashes = file
            .hashes
            .into_iter()
            .filter_map(|(algorithm, hex)| Some((algorithm, digest(&hex)?)));
        IndexFile {
            filename: file.filename,
            version: String::new(),
            url: file.url,
            hashes: hashes.collect(),
            size_bytes: file.size,
            requires_python: file.requires_python.as_deref().and_then(short),
            yanked: match file.yanked {
                None | Some(Flag::Bool(false)) => None,
                Some(Flag::Bool(true)) => Some(String::new()),
                Some(Flag::Text(reason)) => Some(short(&reason).unwrap_or_default()),
            },
            uploaded: file.upload_time.and_then(|text| upload_time(&text)),
            core_metadata: file
                .core_metadata
                .or(file.dist_info_metadata)
                .and_then(Sidecar::sha256),
            provenance: file.provenance.as_deref().and_then(short),
            is_wheel: false,
        }
    });
    Ok(Page {
        files: files.collect(),
        status: page.project_status,
        base: None,
    })
}

fn html(body: &[u8]) -> Result<Page, IndexError> {
    let text = String::from_utf8_lossy(body);
    let page = Html::read(&text, MAX_FILES).ok_or(IndexError::TooMany)?;
    if let Some(api_version) = page.meta("pypi:repository-version")
        && api_version.split('.').next() != Some("1")
    {
        return Err(IndexError::ApiVersion(api_version.to_owned()));
    }
    let files: Vec<IndexFile> = page.links.iter().filter_map(linked).collect();
    // The page of a captive portal has links too, but none to a distribution.
    if files.is_empty() && page.meta("pypi:repository-version").is_none() {
        return Err(IndexError::NoPage);
    }
    let status = page
        .meta("pypi:project-status")
        .map(|status| ProjectStatus {
            status: status.to_owned(),
            reason: page
                .meta("pypi:project-status-reason")
                .map(ToOwned::to_owned),
        });
    Ok(Page {
        files,
        status,
        base: page.base,
    })
}

fn linked(link: &Attributes) -> Option<IndexFile> {
    let href = link.get("href")?.trim();
    let (address, fragment) = href.split_once('#').unwrap_or((href, ""));
    let path = address.split('?').next().unwrap_or(address);
    let filename = path.rsplit('/').next().unwrap_or(path);
    let filename = percent_decode_str(filename)
        .decode_utf8()
        .ok()?
        .into_owned();
    Kind::strip(&filename)?;
    let hashes = fragment
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(algorithm, hex)| Some((algorithm.to_owned(), digest(hex)?)));
    let sidecar = link
        .get("data-core-metadata")
        .or_else(|| link.get("data-dist-info-metadata"));
    Some(IndexFile {
        filename,
        version: String::new(),
        url: address.to_owned(),
        hashes: hashes.collect(),
        size_bytes: None,
        requires_python: link.get("data-requires-python").and_then(short),
        yanked: link
            .get("data-yanked")
            .map(|reason| short(reason).unwrap_or_default()),
        uploaded: None,
        core_metadata: sidecar.and_then(|said| digest(said.strip_prefix("sha256=")?)),
        provenance: link.get("data-provenance").and_then(short),
        is_wheel: false,
    })
}

/// A time in the spelling of the standard, with six digits after the second, whatever a registry makes of it.
fn upload_time(text: &str) -> Option<String> {
    Timestamp::parse_iso8601(text)?;
    let (seconds, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let digits: String = fraction
        .strip_prefix('.')
        .unwrap_or("")
        .chars()
        .take(6)
        .collect();
    Some(format!("{seconds}.{digits:0<6}Z"))
}

/// A digest in hex, of whatever length, as lower case.
fn digest(hex: &str) -> Option<String> {
    let is_digest = (32..=128).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest.then(|| hex.to_ascii_lowercase())
}

fn short(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= MAX_TEXT_BYTES).then(|| text.to_owned())
}
