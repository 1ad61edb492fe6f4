//! `maven-metadata.xml`: reading the ones that clients and registries send, rendering ours.

use std::fmt::Write as _;

use catalog::{ListedVersion, PackageId, Timestamp};

use super::snapshot::{Snapshot, Stamp, compact, is_build};
use super::xml::{Doctype, MAX_NODES, XmlError, escape, walk};

/// Most versions that are read from one document.
pub(crate) const MAX_VERSIONS: usize = 100_000;
/// Most nodes of a registry's document: each version is a blank, a start, a text and an end.
const MAX_REMOTE_NODES: usize = 5 * MAX_VERSIONS;

/// What a `maven-metadata.xml` says, whatever its level. Versions and names are as written, not yet checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// `<groupId>`
    pub group: Option<String>,
    /// `<artifactId>`
    pub artifact: Option<String>,
    /// Whether there is a `<versioning>`, even an empty one.
    pub has_versioning: bool,
    /// `<versions>`, in document order.
    pub versions: Vec<String>,
    /// `<lastUpdated>`
    pub last_updated: Option<String>,
    /// `<snapshot>`: timestamp and build number.
    pub snapshot: Option<Stamp>,
    /// `<snapshotVersions>`
    pub files: Vec<SnapshotFile>,
    /// `<plugins>`
    pub plugins: Vec<Plugin>,
}

/// One `<snapshotVersion>`: a file of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SnapshotFile {
    /// `sources`; empty for the main file.
    pub classifier: String,
    /// `jar`, `tar.gz`.
    pub extension: String,
    /// `1.1-20261122.194127-1`, or the plain `1.1-SNAPSHOT`.
    pub value: String,
    /// `yyyyMMddHHmmss`
    pub updated: String,
}

/// One `<plugin>` of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Plugin {
    /// What people call it.
    pub name: String,
    /// What is typed before the colon of a goal.
    pub prefix: String,
    /// The artifact in this group.
    pub artifact: String,
}

/// Why uploaded metadata is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetadataError {
    /// It is no XML that is read here.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is another document.
    #[error("the root of the document is not `metadata`")]
    Root,
}

impl Metadata {
    /// Reads what a client sends.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        Self::read(bytes, Doctype::Refuse, MAX_NODES)
    }

    /// Reads what a registry sends.
    pub(crate) fn parse_remote(bytes: &[u8]) -> Result<Self, MetadataError> {
        Self::read(bytes, Doctype::Ignore, MAX_REMOTE_NODES)
    }

    fn read(bytes: &[u8], doctype: Doctype, max_nodes: usize) -> Result<Self, MetadataError> {
        let mut read = Self::default();
        let mut is_metadata = false;
        let mut moment = String::new();
        let mut number = String::new();
        let mut file = SnapshotFile::default();
        let mut plugin = Plugin::default();
        walk(bytes, doctype, max_nodes, |names, text| {
            let Some((root, names)) = names.split_first() else {
                return;
            };
            is_metadata = root == "metadata";
            let mut path = [""; 4];
            if names.len() > path.len() {
                return;
            }
            for (slot, name) in path.iter_mut().zip(names) {
                *slot = name;
            }
            let text = || text.to_owned();
            match path {
                ["groupId", "", ..] => read.group = Some(text()),
                ["artifactId", "", ..] => read.artifact = Some(text()),
                ["versioning", "", ..] => read.has_versioning = true,
                ["versioning", "versions", "version", ""] if read.versions.len() < MAX_VERSIONS => {
                    read.versions.push(text());
                }
                ["versioning", "lastUpdated", "", ..] => read.last_updated = Some(text()),
                ["versioning", "snapshot", "timestamp", ""] => moment = text(),
                ["versioning", "snapshot", "buildNumber", ""] => number = text(),
                ["versioning", "snapshot", "", ..] => {
                    read.snapshot = number
                        .parse()
                        .ok()
                        .and_then(|number| Stamp::new(&moment, number));
                }
                ["versioning", "snapshotVersions", "snapshotVersion", field] => match field {
                    "classifier" => file.classifier = text(),
                    "extension" => file.extension = text(),
                    "value" => file.value = text(),
                    "updated" => file.updated = text(),
                    "" => read.files.push(std::mem::take(&mut file)),
                    _ => {}
                },
                ["plugins", "plugin", field, ""] => match field {
                    "name" => plugin.name = text(),
                    "prefix" => plugin.prefix = text(),
                    "artifactId" => plugin.artifact = text(),
                    "" => read.plugins.push(std::mem::take(&mut plugin)),
                    _ => {}
                },
                _ => {}
            }
        })?;
        if is_metadata {
            Ok(read)
        } else {
            Err(MetadataError::Root)
        }
    }
}

/// What is rendered of an artifact.
pub(crate) struct ArtifactPart<'a> {
    /// Its group id.
    pub group: &'a str,
    /// Its artifact id.
    pub artifact: &'a str,
    /// Its versions, oldest first.
    pub versions: &'a [&'a ListedVersion],
    /// The newest change of any of them.
    pub changed: Timestamp,
}

/// The document of a directory that is an artifact, a group with plugins, or both.
pub(crate) fn render(artifact: Option<&ArtifactPart<'_>>, plugins: &[Plugin]) -> String {
    let mut out = String::with_capacity(512 + artifact.map_or(0, |part| 48 * part.versions.len()));
    out.push_str(HEAD);
    if let Some(part) = artifact {
        leaf(&mut out, 2, "groupId", part.group);
        leaf(&mut out, 2, "artifactId", part.artifact);
        out.push_str("  <versioning>\n");
        let mut newest_first = part
            .versions
            .iter()
            .rev()
            .map(|listed| listed.version.as_str());
        if let Some(latest) = newest_first.clone().next() {
            leaf(&mut out, 4, "latest", latest);
        }
        if let Some(release) = newest_first.find(|version| Snapshot::parse(version).is_none()) {
            leaf(&mut out, 4, "release", release);
        }
        out.push_str("    <versions>\n");
        for listed in part.versions {
            leaf(&mut out, 6, "version", listed.version.as_str());
        }
        out.push_str("    </versions>\n");
        leaf(&mut out, 4, "lastUpdated", &compact(part.changed));
        out.push_str("  </versioning>\n");
    }
    if !plugins.is_empty() {
        out.push_str("  <plugins>\n");
        for plugin in plugins {
            out.push_str("    <plugin>\n");
            leaf(&mut out, 6, "name", &plugin.name);
            leaf(&mut out, 6, "prefix", &plugin.prefix);
            leaf(&mut out, 6, "artifactId", &plugin.artifact);
            out.push_str("    </plugin>\n");
        }
        out.push_str("  </plugins>\n");
    }
    out.push_str(TAIL);
    out
}

/// The document of a snapshot: where its current files are.
pub(crate) fn render_snapshot(
    group: &str,
    artifact: &str,
    snapshot: &Snapshot,
    build: Option<&Stamp>,
    files: &[SnapshotFile],
) -> String {
    let mut out = String::with_capacity(512 + 256 * files.len());
    out.push_str(HEAD);
    leaf(&mut out, 2, "groupId", group);
    leaf(&mut out, 2, "artifactId", artifact);
    out.push_str("  <versioning>\n");
    if let Some(updated) = files.iter().map(|file| file.updated.as_str()).max() {
        leaf(&mut out, 4, "lastUpdated", updated);
    }
    if let Some(build) = build {
        out.push_str("    <snapshot>\n");
        leaf(&mut out, 6, "timestamp", build.moment());
        leaf(&mut out, 6, "buildNumber", &build.number().to_string());
        out.push_str("    </snapshot>\n");
    }
    out.push_str("    <snapshotVersions>\n");
    for file in files {
        out.push_str("      <snapshotVersion>\n");
        if !file.classifier.is_empty() {
            leaf(&mut out, 8, "classifier", &file.classifier);
        }
        leaf(&mut out, 8, "extension", &file.extension);
        leaf(&mut out, 8, "value", &file.value);
        leaf(&mut out, 8, "updated", &file.updated);
        out.push_str("      </snapshotVersion>\n");
    }
    out.push_str("    </snapshotVersions>\n  </versioning>\n");
    leaf(&mut out, 2, "version", snapshot.version().as_str());
    out.push_str(TAIL);
    out
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata>\n";
const TAIL: &str = "</metadata>\n";

fn leaf(out: &mut String, indent: usize, name: &str, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{:indent$}<{name}>{}</{name}>", "", escape(text));
}

/// Whether a version may stand in the document of an artifact: builds of snapshots never do.
pub(crate) fn is_listed(version: &str) -> bool {
    !is_build(version)
}

/// What a published version shows as its own metadata document; the same for every version of the package.
pub(crate) fn neutral(package: &PackageId) -> String {
    format!(
        "<metadata modelVersion=\"1.1.0\"><groupId>{}</groupId><artifactId>{}</artifactId></metadata>",
        escape(package.namespace_text()),
        escape(package.name.as_str()),
    )
}
