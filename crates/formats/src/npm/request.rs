//! Reads method, path and query into a [`Request`]; pure. And the names of packages, wherever they stand.

use std::sync::LazyLock;

use catalog::{FormatName, InvalidName, PackageId, Version};
use http::Method;
use percent_encoding::percent_decode_str;

use super::semver::SemVer;

/// The methods of this endpoint, as `Allow` lists them.
pub(crate) const ALLOW: &str = "GET, HEAD, PUT, POST, DELETE";

/// Characters of a name with its scope, at most.
const NAME_LENGTH: usize = 214;

pub(crate) static FORMAT: LazyLock<FormatName> =
    LazyLock::new(|| "npm".parse().expect("three lower-case letters"));

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// The base itself: some clients look whether anybody is there.
    Root,
    /// Everything about a package: `GET {pkg}`.
    Packument(PackageId),
    /// One version, or what a tag names: `GET {pkg}/latest`.
    Manifest(PackageId, String),
    /// `GET {pkg}/-/{file}`.
    Tarball(PackageId, String),
    /// A document about a package: to publish, to deprecate, and more: `PUT {pkg}`.
    Put(PackageId),
    /// The document without some versions: `PUT {pkg}/-rev/{rev}`.
    PutRevision(PackageId, String),
    /// `DELETE {pkg}/-rev/{rev}`.
    Delete(PackageId, String),
    /// `DELETE {pkg}/-/{file}/-rev/{rev}`.
    DeleteTarball(PackageId, String),
    /// `GET -/package/{pkg}/dist-tags`.
    Tags(PackageId),
    /// A map of them: `PUT` or `POST` of the same.
    SetTags(PackageId),
    /// `PUT -/package/{pkg}/dist-tags/{tag}`.
    SetTag(PackageId, String),
    /// `DELETE -/package/{pkg}/dist-tags/{tag}`.
    RemoveTag(PackageId, String),
    /// `GET -/ping`.
    Ping,
    /// `GET -/whoami`.
    WhoAmI,
    /// `GET -/v1/search`.
    Search(Search),
    /// `POST -/npm/v1/security/advisories/bulk`.
    Advisories,
    /// `POST -/npm/v1/security/audits` and `…/quick`.
    Audit,
    /// `GET -/npm/v1/keys`.
    Keys,
    /// `GET -/npm/v1/attestations/{pkg}@{version}`.
    Attestations(PackageId, Version),
    /// `DELETE -/user/token/{token}`.
    Logout,
    /// Users, tokens, organisations: what IAM is for.
    Unsupported(&'static str),
}

/// What is searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// Words, all of which must be found.
    pub(crate) text: String,
    /// Results, at most.
    pub(crate) size: usize,
    /// Results before them.
    pub(crate) from: usize,
}

/// Results of a search, at most.
const SEARCH_SIZE: usize = 250;

/// Why a request is refused before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// 400, 404 or 405.
    pub(crate) status: u16,
    /// The sentence.
    pub(crate) message: String,
}

impl Refused {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

/// `/`-separated segments of a raw path, decoded once.
fn segments(path: &str) -> Result<Vec<String>, Refused> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let decode = |segment: &str| {
        let decoded = percent_decode_str(segment).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Refused::new(400, "the path is not UTF-8"))
    };
    path.split('/').map(decode).collect()
}

impl Request {
    /// Reads a method, a path below the repository's base and a query, percent-encoded as they came.
    pub(crate) fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Refused> {
        let segments = segments(path)?;
        let words: Vec<_> = segments.iter().map(String::as_str).collect();
        match words[..] {
            [] if is_read(method) => Ok(Self::Root),
            [] => Err(method_refused()),
            ["-", _, ..] => special(method, &words[1..], query),
            _ => {
                let (package, rest) = package_of(&words)?;
                of_package(method, package, rest)
            }
        }
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn method_refused() -> Refused {
    Refused::new(405, format!("this endpoint knows {ALLOW}"))
}

/// The package that a path begins with: `@acme/leaf`, in one segment or in two, or `lodash`.
fn package_of<'a, 'b>(words: &'b [&'a str]) -> Result<(PackageId, &'b [&'a str]), Refused> {
    let (name, rest) = match words {
        [scope, name, rest @ ..] if scope.starts_with('@') && !scope.contains('/') => {
            (format!("{scope}/{name}"), rest)
        }
        [name, rest @ ..] => ((*name).to_owned(), rest),
        [] => return Err(Refused::new(404, "no package is named")),
    };
    let package = parse_name(&name).map_err(|error| Refused::new(400, error.to_string()))?;
    Ok((package, rest))
}

fn of_package(method: &Method, package: PackageId, rest: &[&str]) -> Result<Request, Refused> {
    let is_read = is_read(method);
    match (rest, method) {
        ([], _) if is_read => Ok(Request::Packument(package)),
        ([], &Method::PUT) => Ok(Request::Put(package)),
        (["-rev", rev], &Method::PUT) => Ok(Request::PutRevision(package, (*rev).to_owned())),
        (["-rev", rev], &Method::DELETE) => Ok(Request::Delete(package, (*rev).to_owned())),
        (["-", file @ .., "-rev", _], &Method::DELETE) if !file.is_empty() => {
            Ok(Request::DeleteTarball(package, file.join("/")))
        }
        (["-", file @ ..], _) if is_read && matches!(file.len(), 1 | 2) => {
            Ok(Request::Tarball(package, file.join("/")))
        }
        ([wanted], _) if is_read && *wanted != "-" => {
            Ok(Request::Manifest(package, (*wanted).to_owned()))
        }
        ([] | ["-rev" | "-", ..], _) => Err(method_refused()),
        _ => Err(Refused::new(404, "there is nothing of this name")),
    }
}

/// What stands below `-/`.
fn special(method: &Method, words: &[&str], query: Option<&str>) -> Result<Request, Refused> {
    let is_read = is_read(method);
    let is_post = *method == Method::POST;
    match words {
        ["ping"] if is_read => Ok(Request::Ping),
        ["whoami"] if is_read => Ok(Request::WhoAmI),
        ["v1", "search"] if is_read => Ok(Request::Search(search(query))),
        ["npm", "v1", "security", "advisories", "bulk"] if is_post => Ok(Request::Advisories),
        ["npm", "v1", "security", "audits"] | ["npm", "v1", "security", "audits", "quick"]
            if is_post =>
        {
            Ok(Request::Audit)
        }
        ["npm", "v1", "keys"] if is_read => Ok(Request::Keys),
        ["npm", "v1", "attestations", subject @ ..] if is_read => attestations(&subject.join("/")),
        ["package", rest @ ..] => {
            let (package, rest) = package_of(rest)?;
            match (rest, method) {
                (["dist-tags"], _) if is_read => Ok(Request::Tags(package)),
                (["dist-tags"], &Method::PUT | &Method::POST) => Ok(Request::SetTags(package)),
                (["dist-tags", tag], &Method::PUT | &Method::POST) => {
                    Ok(Request::SetTag(package, (*tag).to_owned()))
                }
                (["dist-tags", tag], &Method::DELETE) => {
                    Ok(Request::RemoveTag(package, (*tag).to_owned()))
                }
                (["dist-tags", ..], _) => Err(method_refused()),
                _ => Ok(Request::Unsupported(MANAGED_BY_IAM)),
            }
        }
        ["user", "token", _] if *method == Method::DELETE => Ok(Request::Logout),
        ["v1", "login", ..] => Ok(Request::Unsupported(LOG_IN_WITH_AWS)),
        ["user", ..] if *method == Method::PUT => Ok(Request::Unsupported(LOG_IN_WITH_AWS)),
        _ => Ok(Request::Unsupported(MANAGED_BY_IAM)),
    }
}

const LOG_IN_WITH_AWS: &str = "not supported: use `aws codeartifact login --tool npm`";

/// What is said of things that npm's registry manages and we do not.
pub(crate) const MANAGED_BY_IAM: &str = "not supported: manage access with IAM";

fn attestations(subject: &str) -> Result<Request, Refused> {
    let split = subject.rfind('@').filter(|at| *at > 0);
    let (name, version) = split
        .map(|at| (&subject[..at], &subject[at + 1..]))
        .ok_or_else(|| Refused::new(400, "say which version: `name@version`"))?;
    let says = |error: InvalidName| Refused::new(400, error.to_string());
    let package = parse_name(name).map_err(says)?;
    if SemVer::parse(version).is_none() {
        return Err(Refused::new(400, "say which version: `name@1.2.3`"));
    }
    Ok(Request::Attestations(
        package,
        version.parse().map_err(says)?,
    ))
}

fn search(query: Option<&str>) -> Search {
    let mut search = Search {
        size: 20,
        ..Search::default()
    };
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8_lossy();
        match key {
            "text" => search.text = value.into_owned(),
            "size" => search.size = value.parse().unwrap_or(search.size).min(SEARCH_SIZE),
            "from" => search.from = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    search
}

/// `@acme/leaf` as its two parts, `leaf` as its one. Nothing is checked.
pub(crate) fn split_name(name: &str) -> (Option<&str>, &str) {
    let scoped = name.strip_prefix('@').and_then(|rest| rest.split_once('/'));
    scoped.map_or((None, name), |(scope, name)| (Some(scope), name))
}

/// A package by its full name, as read: whatever the public registry has let in over the years, and nothing that is
/// also a path.
pub(crate) fn parse_name(name: &str) -> Result<PackageId, InvalidName> {
    let (scope, name) = match name.strip_prefix('@') {
        Some(rest) => {
            let parts = rest.split_once('/');
            let (scope, name) = parts.ok_or_else(|| refused("a scope is followed by a name"))?;
            (Some(scope), name)
        }
        None => (None, name),
    };
    package(scope, name)
}

/// A package by scope, without `@`, and name.
pub(crate) fn package(scope: Option<&str>, name: &str) -> Result<PackageId, InvalidName> {
    if scope.is_some_and(|scope| scope.starts_with('@')) {
        return Err(refused("a namespace is a scope without `@`"));
    }
    for part in scope.into_iter().chain([name]) {
        let is_plain = part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!*'()".contains(&byte));
        if !is_plain || matches!(part, "" | "." | "..") {
            return Err(refused(
                "a name is made of letters, digits and `-._~!*'()`, with at most one scope",
            ));
        }
    }
    let length = name.len() + scope.map_or(0, |scope| scope.len() + 2);
    if length > NAME_LENGTH {
        return Err(refused(
            "a name has at most 214 characters, its scope included",
        ));
    }
    Ok(PackageId {
        format: FORMAT.clone(),
        namespace: scope.map(str::parse).transpose()?,
        name: name.parse()?,
    })
}

fn refused(why: &str) -> InvalidName {
    InvalidName::Refused(why.to_owned())
}

/// What a new package may be called.
pub(crate) fn check_new(package: &PackageId) -> Result<(), InvalidName> {
    let name = package.name.as_str();
    let is_word = |text: &str, first: &str, more: &[u8]| {
        let is_good =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
        text.bytes().all(is_good) && !text.starts_with(|c| first.contains(c))
    };
    if !is_word(name, "._", b"._~-") {
        return Err(refused(
            "a new package has a name of lower-case letters, digits and `._~-`, without `.` or `_` in front",
        ));
    }
    if matches!(name, "node_modules" | "favicon.ico") {
        return Err(refused("this name is taken by something else"));
    }
    let scope = package.namespace_text();
    if !is_word(scope, "._", b"-~._") {
        return Err(refused(
            "a new scope is made of lower-case letters, digits and `-._~`, without `.` or `_` in front",
        ));
    }
    Ok(())
}

/// `@acme/leaf`, `leaf`.
pub(crate) fn full_name(package: &PackageId) -> String {
    match &package.namespace {
        Some(scope) => format!("@{scope}/{}", package.name),
        None => package.name.to_string(),
    }
}

/// The version in the name of a tarball, verbatim: `leaf-1.0.0.tgz`, `@acme/leaf-1.0.0.tgz`. `None` for names that do
/// not follow the rule.
pub(crate) fn version_of_file<'a>(package: &PackageId, file: &'a str) -> Option<&'a str> {
    let stem = file.strip_suffix(".tgz")?;
    let scoped = full_name(package);
    let stem = stem
        .strip_prefix(package.name.as_str())
        .or_else(|| stem.strip_prefix(scoped.as_str()))?;
    stem.strip_prefix('-').filter(|version| !version.is_empty())
}
