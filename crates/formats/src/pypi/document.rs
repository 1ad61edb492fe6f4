//! The pages that are served: a project's files, and the projects of a repository, as JSON and HTML (PEP 503, 592, 629,
//! 658, 691, 700, 714, 740, 792).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

use super::facts::{CoreMetadata, ProjectStatus};
use super::negotiate::Form;

/// What stands in a path segment as it is (RFC 3986, section 2.3); `+` and `!` of versions are encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A project's page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page<'a> {
    /// The normalised name.
    pub name: &'a str,
    /// The versions that have files, oldest first.
    pub versions: Vec<&'a str>,
    /// The files, by version and name.
    pub files: Vec<File<'a>>,
    /// What a registry says of the project's state.
    pub status: Option<&'a ProjectStatus>,
}

/// A file on a page.
#[derive(Debug, Clone)]
pub(crate) struct File<'a> {
    /// Its name.
    pub filename: &'a str,
    /// The version as whose file it is served.
    pub version: &'a str,
    /// Digests in hex, by algorithm; the strongest one counts in HTML.
    pub hashes: BTreeMap<&'a str, &'a str>,
    /// Its size in bytes, if known.
    pub size_bytes: Option<u64>,
    /// Which Pythons it is for.
    pub requires_python: Option<&'a str>,
    /// When it was uploaded, `2026-01-01T00:00:00.000000Z`.
    pub uploaded: Option<String>,
    /// Why it was yanked, if it was.
    pub yanked: Option<&'a str>,
    /// Whether its metadata is served beside it.
    pub core_metadata: CoreMetadata<'a>,
    /// Whether there are attestations of it.
    pub has_provenance: bool,
}

impl File<'_> {
    /// Relative to the page, so that a page says nothing about the host it comes from.
    fn url(&self) -> String {
        format!(
            "{}/{}",
            utf8_percent_encode(self.version, SEGMENT),
            utf8_percent_encode(self.filename, SEGMENT)
        )
    }

    fn provenance(&self, project: &str) -> Option<String> {
        self.has_provenance
            .then(|| format!("../../integrity/{project}/{}/provenance", self.url()))
    }
}

impl Page<'_> {
    /// The page in this form.
    pub(crate) fn render(&self, form: Form) -> String {
        match form {
            Form::Json => self.json(),
            Form::VersionedHtml | Form::Html => self.html(),
        }
    }

    /// The least version of the interface that has all that the page says.
    fn api_version(&self) -> &'static str {
        if self.status.is_some() {
            "1.4"
        } else if self.files.iter().any(|file| file.has_provenance) {
            "1.3"
        } else if self.files.iter().all(|file| file.size_bytes.is_some()) {
            "1.1"
        } else {
            // Sizes must be there from 1.1 on, and HTML pages of registries have none.
            "1.0"
        }
    }

    fn json(&self) -> String {
        let page = JsonPage {
            meta: Meta {
                api_version: self.api_version(),
            },
            name: self.name,
            project_status: self.status,
            versions: &self.versions,
            files: self
                .files
                .iter()
                .map(|file| JsonFile {
                    filename: file.filename,
                    url: file.url(),
                    hashes: &file.hashes,
                    requires_python: file.requires_python,
                    size: file.size_bytes,
                    upload_time: file.uploaded.as_deref(),
                    yanked: Yanked(file.yanked),
                    core_metadata: &file.core_metadata,
                    dist_info_metadata: &file.core_metadata,
                    provenance: file.provenance(self.name),
                })
                .collect(),
        };
        serde_json::to_string(&page).expect("texts, numbers and lists have a JSON form")
    }

    fn html(&self) -> String {
        let mut html = String::with_capacity(256 + self.files.len() * 512);
        let api_version = self.api_version();
        let name = self.name;
        let head = format!(
            "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"{api_version}\">"
        );
        html.push_str(&head);
        if let Some(status) = self.status {
            attribute_meta(&mut html, "pypi:project-status", &status.status);
            if let Some(reason) = &status.reason {
                attribute_meta(&mut html, "pypi:project-status-reason", reason);
            }
        }
        _ = write!(
            html,
            "<title>Links for {name}</title></head><body>\n<h1>Links for {name}</h1>\n"
        );
        for file in &self.files {
            self.link(&mut html, file);
        }
        html.push_str("</body></html>\n");
        html
    }

    fn link(&self, html: &mut String, file: &File<'_>) {
        html.push_str("<a href=\"");
        html.push_str(&file.url());
        let strongest = ["sha256", "sha512", "sha384", "blake2b_256", "sha1", "md5"]
            .iter()
            .find_map(|algorithm| Some((algorithm, file.hashes.get(algorithm)?)));
        if let Some((algorithm, digest)) = strongest {
            _ = write!(html, "#{algorithm}={digest}");
        }
        html.push('"');
        if let Some(python) = file.requires_python {
            attribute(html, "data-requires-python", python);
        }
        let metadata = match file.core_metadata {
            CoreMetadata::None => None,
            CoreMetadata::Unhashed => Some("true".to_owned()),
            CoreMetadata::Sha256(sha256) => Some(format!("sha256={sha256}")),
        };
        if let Some(metadata) = metadata {
            attribute(html, "data-core-metadata", &metadata);
            attribute(html, "data-dist-info-metadata", &metadata);
        }
        if let Some(reason) = file.yanked {
            attribute(html, "data-yanked", reason);
        }
        if let Some(provenance) = file.provenance(self.name) {
            attribute(html, "data-provenance", &provenance);
        }
        html.push('>');
        escape(html, file.filename);
        html.push_str("</a><br/>\n");
    }
}

/// The projects of a repository, by normalised name.
pub(crate) fn list(names: &[String], form: Form) -> String {
    if form == Form::Json {
        let projects: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({ "name": name }))
            .collect();
        let page = serde_json::json!({"meta": {"api-version": "1.1"}, "projects": projects});
        return page.to_string();
    }
    let mut html = String::from(
        "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.1\">\
         <title>Simple index</title></head><body>\n",
    );
    for name in names {
        _ = writeln!(html, "<a href=\"{name}/\">{name}</a><br/>");
    }
    html.push_str("</body></html>\n");
    html
}

fn attribute(html: &mut String, name: &str, value: &str) {
    _ = write!(html, " {name}=\"");
    escape(html, value);
    html.push('"');
}

fn attribute_meta(html: &mut String, name: &str, value: &str) {
    _ = write!(html, "<meta name=\"{name}\"");
    attribute(html, "content", value);
    html.push('>');
}

fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#x27;"),
            other => html.push(other),
        }
    }
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "api-version")]
    api_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct JsonPage<'a> {
    meta: Meta,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_status: Option<&'a ProjectStatus>,
    versions: &'a [&'a str],
    files: Vec<JsonFile<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct JsonFile<'a> {
    filename: &'a str,
    url: String,
    hashes: &'a BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_python: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_time: Option<&'a str>,
    yanked: Yanked<'a>,
    core_metadata: &'a CoreMetadata<'a>,
    dist_info_metadata: &'a CoreMetadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<String>,
}

/// `false`, `true` without a reason, or the reason.
struct Yanked<'a>(Option<&'a str>);

impl Serialize for Yanked<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => to.serialize_bool(false),
            Some("") => to.serialize_bool(true),
            Some(reason) => to.serialize_str(reason),
        }
    }
}
