//! Reads method and path into a [`Request`]; pure.

use std::fmt;
use std::sync::LazyLock;

use catalog::{AssetId, AssetName, Digests, FormatName, Namespace, PackageId, Version};
use http::Method;
use percent_encoding::percent_decode_str;

use super::snapshot::{Snapshot, Stamp, is_build};

/// The methods of this endpoint, as `Allow` lists them. No `DAV`, or older clients would try MKCOL.
pub(crate) const ALLOW: &str = "GET, HEAD, PUT, OPTIONS";
/// Longest path, in bytes, decoded.
const MAX_PATH_BYTES: usize = 2048;
/// Longest segment, in characters: that of every name in the API.
const MAX_SEGMENT_CHARS: usize = 255;
/// The name of the index documents.
pub(crate) const METADATA: &str = "maven-metadata.xml";
/// Deepest chain of checksums of checksums; two is what anybody has seen.
const MAX_CHECKSUMS: usize = 4;

pub(crate) static FORMAT: LazyLock<FormatName> =
    LazyLock::new(|| "maven".parse().expect("five lower-case letters"));

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Which methods there are.
    Options,
    /// GET or HEAD.
    Read(Path),
    /// PUT.
    Write(Path),
}

/// A path of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// What it leads to.
    pub target: Target,
    /// The checksums that are meant, of the target first: `x.jar.sha256.sha1` is the SHA-1 of the SHA-256 of `x.jar`.
    pub checksums: Vec<Algorithm>,
}

/// Where a path leads, checksums aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file of a version.
    File(File),
    /// `maven-metadata.xml` of a directory.
    Metadata(Directory),
}

/// `com/acme/lib-a/1.0/lib-a-1.0.jar`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Group and artifact id.
    pub package: PackageId,
    /// The version directory.
    pub directory: Version,
    /// The file's name.
    pub name: AssetName,
    /// What the name says of a snapshot.
    pub kind: FileKind,
}

/// How the name of a file states its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// As the directory does.
    Release,
    /// `lib-a-1.1-SNAPSHOT.jar` in `1.1-SNAPSHOT`.
    Plain(Snapshot),
    /// `lib-a-1.1-20261122.194127-1.jar` in `1.1-SNAPSHOT`.
    Stamped(Snapshot, Stamp),
}

impl File {
    /// The file as a file of `version`.
    pub(crate) fn in_version(&self, version: Version) -> AssetId {
        self.package.version(version).asset(self.name.clone())
    }

    /// The file as a file of its directory.
    pub(crate) fn id(&self) -> AssetId {
        self.in_version(self.directory.clone())
    }
}

/// The directory of a metadata document, which may be that of a group, an artifact or a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory(Vec<String>);

impl Directory {
    /// As a group: `com/acme` is `com.acme`.
    pub(crate) fn group(&self) -> Option<Namespace> {
        self.0.join(".").parse().ok()
    }

    /// As an artifact: `com/acme/lib-a` is `com.acme:lib-a`.
    pub(crate) fn package(&self) -> Option<PackageId> {
        package(&self.0)
    }

    /// As a snapshot: `com/acme/lib-a/1.1-SNAPSHOT`.
    pub(crate) fn snapshot(&self) -> Option<(PackageId, Snapshot)> {
        let (last, before) = self.0.split_last()?;
        Some((package(before)?, Snapshot::parse(last)?))
    }

    /// The path of the document in this directory.
    pub(crate) fn document(&self) -> String {
        format!("{self}/{METADATA}")
    }
}

/// The path of the directory: `com/acme/lib-a`.
impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

fn package(segments: &[String]) -> Option<PackageId> {
    let (artifact, group) = segments.split_last()?;
    if group.is_empty() {
        return None;
    }
    Some(PackageId {
        format: FORMAT.clone(),
        namespace: Some(group.join(".").parse().ok()?),
        name: artifact.parse().ok()?,
    })
}

/// A digest by the extension of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// `.md5`
    Md5,
    /// `.sha1`
    Sha1,
    /// `.sha256`
    Sha256,
    /// `.sha512`
    Sha512,
}

impl Algorithm {
    /// All, strongest first: the order in which a registry's checksums are asked for.
    pub(crate) const ALL: [Self; 4] = [Self::Sha512, Self::Sha256, Self::Sha1, Self::Md5];

    /// The extension, without its dot.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Digits of the digest in hex.
    pub(crate) fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// This one among the digests of something.
    pub(crate) fn of(self, digests: &Digests) -> &str {
        match self {
            Self::Md5 => &digests.md5,
            Self::Sha1 => &digests.sha1,
            Self::Sha256 => &digests.sha256,
            Self::Sha512 => &digests.sha512,
        }
    }

    fn strip(name: &str) -> Option<(&str, Self)> {
        let (rest, extension) = name.rsplit_once('.')?;
        let algorithm = Self::ALL
            .into_iter()
            .find(|one| one.as_str() == extension)?;
        Some((rest, algorithm))
    }
}

/// Why a request is refused before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// 400, 404 or 405.
    pub status: u16,
    /// The sentence.
    pub message: String,
}

impl Request {
    /// Reads a method and a path below the repository's base, percent-encoded as it came.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, Refused> {
        let (is_write, status) = match *method {
            Method::OPTIONS => return Ok(Self::Options),
            Method::GET | Method::HEAD => (false, 404),
            Method::PUT => (true, 400),
            _ => {
                return Err(Refused {
                    status: 405,
                    message: format!("this endpoint knows {ALLOW}"),
                });
            }
        };
        let path = Path::parse(path, is_write).map_err(|reason| Refused {
            status,
            message: format!("not a path of a Maven repository: {reason}"),
        })?;
        Ok(if is_write {
            Self::Write(path)
        } else {
            Self::Read(path)
        })
    }
}

impl Path {
    fn parse(raw: &str, is_write: bool) -> Result<Self, &'static str> {
        let segments = segments(raw)?;
        let (last, before) = segments.split_last().ok_or("it is empty")?;
        if matches!(segments[0].as_str(), ".meta" | ".index" | ".nexus") {
            return Err("the first segment is reserved");
        }
        let mut name = last.as_str();
        let mut checksums = Vec::new();
        while let Some((rest, algorithm)) = Algorithm::strip(name) {
            checksums.push(algorithm);
            name = rest;
        }
        if checksums.len() > MAX_CHECKSUMS {
            return Err("it is a checksum of too many checksums");
        }
        checksums.reverse();
        let target = if name == METADATA {
            Target::Metadata(directory(before, is_write)?)
        } else {
            Target::File(file(before, name, is_write)?)
        };
        Ok(Self { target, checksums })
    }
}

/// Splits a path and decodes its segments, once.
fn segments(raw: &str) -> Result<Vec<String>, &'static str> {
    let raw = raw.strip_prefix('/').unwrap_or(raw);
    // Before decoding, so that no longer path is ever decoded: each byte has at most three characters.
    if raw.len() > 3 * MAX_PATH_BYTES {
        return Err("it is too long");
    }
    let mut bytes = 0;
    raw.split('/')
        .map(|segment| {
            let segment = percent_decode_str(segment)
                .decode_utf8()
                .map_err(|_| "it is not UTF-8")?;
            bytes += segment.len() + 1;
            if bytes > MAX_PATH_BYTES + 1 {
                return Err("it is too long");
            }
            check_segment(&segment)?;
            Ok(segment.into_owned())
        })
        .collect()
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    if matches!(segment, "" | "." | "..") {
        return Err("a segment is empty, `.` or `..`");
    }
    if segment.chars().count() > MAX_SEGMENT_CHARS {
        return Err("a segment has more than 255 characters");
    }
    // A slash can only be here if it was encoded, a percent sign only if the path was encoded twice or badly.
    let is_forbidden =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\' | '%' | '#' | '?');
    if segment.contains(is_forbidden) {
        return Err("a segment has a character that no name may have");
    }
    Ok(())
}

fn directory(segments: &[String], is_write: bool) -> Result<Directory, &'static str> {
    let (last, before) = segments
        .split_last()
        .ok_or("there is no metadata of the root")?;
    let directory = Directory(segments.to_vec());
    if Snapshot::parse(last).is_some() {
        let (artifact, group) = before
            .split_last()
            .ok_or("a version belongs to an artifact")?;
        check_group(group)?;
        if is_write {
            check_group_to_publish(group)?;
            check_artifact_to_publish(artifact)?;
            check_version_to_publish(last)?;
        }
        directory.snapshot().ok_or("its names are too long")?;
        return Ok(directory);
    }
    // The last segment may be that of a group or an artifact: both readings have to be good.
    check_group(before)?;
    if is_write {
        check_group_to_publish(before)?;
        check_artifact_to_publish(last)?;
    }
    directory.group().ok_or("its names are too long")?;
    Ok(directory)
}

fn file(before: &[String], name: &str, is_write: bool) -> Result<File, &'static str> {
    let [group @ .., artifact, version] = before else {
        return Err("a file is in group/artifact/version");
    };
    if group.is_empty() {
        return Err("a file is in group/artifact/version");
    }
    check_group(group)?;
    if is_write {
        check_group_to_publish(group)?;
        check_artifact_to_publish(artifact)?;
        check_version_to_publish(version)?;
        check_printable(name)?;
    }
    if is_build(version) {
        return Err("a build of a snapshot is in the directory of the snapshot");
    }
    let kind = file_kind(artifact, version, name)
        .ok_or("the file's name does not begin with artifact and version")?;
    Ok(File {
        package: package(&before[..before.len() - 1]).ok_or("its names are too long")?,
        directory: version.parse().map_err(|_| "its version is none")?,
        name: name.parse().map_err(|_| "its name is none")?,
        kind,
    })
}

/// A name is `{artifact}-{version}` and then nothing, a dot or a hyphen.
fn file_kind(artifact: &str, version: &str, name: &str) -> Option<FileKind> {
    let rest = name.strip_prefix(artifact)?.strip_prefix('-')?;
    let ends_well = |rest: &str| rest.is_empty() || rest.starts_with(['.', '-']);
    let is_plain = rest.strip_prefix(version).is_some_and(ends_well);
    let Some(snapshot) = Snapshot::parse(version) else {
        return is_plain.then_some(FileKind::Release);
    };
    if is_plain {
        return Some(FileKind::Plain(snapshot));
    }
    let (stamp, rest) = Stamp::parse_prefix(rest.strip_prefix(snapshot.base())?)?;
    ends_well(rest).then_some(FileKind::Stamped(snapshot, stamp))
}

/// `a.b/c` and `a/b/c` would both be `a.b.c`.
fn check_group(group: &[String]) -> Result<(), &'static str> {
    if group.iter().any(|segment| segment.contains('.')) {
        return Err("a segment of the group has a dot");
    }
    Ok(())
}

fn check_group_to_publish(group: &[String]) -> Result<(), &'static str> {
    if group.iter().all(|segment| is_plain_id(segment)) {
        Ok(())
    } else {
        Err("a group id is made of ASCII letters, digits, `_`, `.` and `-`")
    }
}

pub(crate) fn check_artifact_to_publish(artifact: &str) -> Result<(), &'static str> {
    if !is_plain_id(artifact) {
        return Err("an artifact id is made of ASCII letters, digits, `_`, `.` and `-`");
    }
    check_ambiguous(artifact)
}

fn check_version_to_publish(version: &str) -> Result<(), &'static str> {
    check_printable(version)?;
    check_ambiguous(version)
}

/// Nothing under such a name could be told from a document of ours.
fn check_ambiguous(name: &str) -> Result<(), &'static str> {
    if matches!(name, "." | ".." | METADATA) || Algorithm::strip(name).is_some() {
        return Err("a name that ends like a checksum or metadata would be taken for one");
    }
    Ok(())
}

fn check_printable(name: &str) -> Result<(), &'static str> {
    if name.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("names are made of printable ASCII")
    }
}

pub(crate) fn is_plain_id(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}
