//! Reads method and path into a [`Request`]; pure.

use std::sync::LazyLock;

use catalog::{AssetName, FormatName, PackageId};
use http::Method;
use percent_encoding::percent_decode_str;

use super::filename::{self, Kind};
use super::name;

/// The methods of this endpoint, as `Allow` lists them.
pub(crate) const ALLOW: &str = "GET, HEAD, POST, OPTIONS";
/// Longest path, in bytes, encoded.
const MAX_PATH_BYTES: usize = 4096;
/// Longest version, in bytes: that of every name in the API.
const MAX_VERSION_BYTES: usize = 255;

pub(crate) static FORMAT: LazyLock<FormatName> =
    LazyLock::new(|| "pypi".parse().expect("four lower-case letters"));

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Which methods there are.
    Options,
    /// The projects of the repository.
    List,
    /// The page of a project.
    Project(PackageId),
    /// The page has another address, relative to this one.
    Moved(String),
    /// A distribution file.
    File(Place),
    /// The core metadata of a wheel (PEP 658).
    Metadata(Place),
    /// The attestations of a file (PEP 740).
    Provenance(Place),
    /// An upload.
    Upload,
}

/// Where a file is: `simple/{project}/{version}/{file}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The project.
    pub package: PackageId,
    /// The version in the path, in whatever spelling.
    pub version: String,
    /// The file.
    pub name: AssetName,
}

/// Why a request is refused before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// 404 or 405.
    pub status: u16,
    /// The sentence.
    pub message: &'static str,
}

impl Request {
    /// Reads a method and a path below the repository's base, percent-encoded as it came.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, Refused> {
        let not_found = |message| Refused {
            status: 404,
            message,
        };
        match *method {
            Method::OPTIONS => Ok(Self::Options),
            Method::GET | Method::HEAD => {
                let path = segments(path).ok_or_else(|| not_found("not a path of this index"))?;
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                read(&path).ok_or_else(|| not_found("not a path of this index"))
            }
            // Without a redirect between the forms: twine does not follow any.
            Method::POST if matches!(path.trim_matches('/'), "" | "legacy") => Ok(Self::Upload),
            Method::POST => Err(not_found("uploads go to the address of the repository")),
            _ => Err(Refused {
                status: 405,
                message: "this endpoint knows GET, HEAD, POST and OPTIONS",
            }),
        }
    }
}

fn read(path: &[&str]) -> Option<Request> {
    match path {
        ["simple", ""] => Some(Request::List),
        ["simple"] => Some(Request::Moved("simple/".to_owned())),
        ["simple", project] => {
            let package = name::package(project)?;
            Some(Request::Moved(format!("{}/", package.name)))
        }
        ["simple", project, ""] => {
            let package = name::package(project)?;
            if package.name.as_str() == *project {
                Some(Request::Project(package))
            } else {
                Some(Request::Moved(format!("../{}/", package.name)))
            }
        }
        ["simple", project, version, file] => match file.strip_suffix(".metadata") {
            Some(file) => {
                let place = place(project, version, file)?;
                let (_, kind) = Kind::strip(file)?;
                (kind == Kind::Wheel).then_some(Request::Metadata(place))
            }
            None => place(project, version, file).map(Request::File),
        },
        ["integrity", project, version, file, "provenance"] => {
            place(project, version, file).map(Request::Provenance)
        }
        _ => None,
    }
}

fn place(project: &str, version: &str, file: &str) -> Option<Place> {
    let is_version = !version.is_empty()
        && version.len() <= MAX_VERSION_BYTES
        && version.bytes().all(|b| b.is_ascii_graphic());
    let is_file = filename::is_plain(file) && Kind::strip(file).is_some();
    if !is_version || !is_file {
        return None;
    }
    Some(Place {
        package: name::package(project)?,
        version: version.to_owned(),
        name: file.parse().ok()?,
    })
}

/// Splits a path and decodes its segments, once. A slash at the end leaves an empty one.
fn segments(raw: &str) -> Option<Vec<String>> {
    let raw = raw.strip_prefix('/').unwrap_or(raw);
    if raw.len() > MAX_PATH_BYTES {
        return None;
    }
    raw.split('/')
        .map(|segment| {
            let segment = percent_decode_str(segment).decode_utf8().ok()?;
            // A slash can only be here if it was encoded.
            (!segment.contains('/')).then(|| segment.into_owned())
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(project: &str, version: &str, file: &str) -> Place {
        Place {
            package: name::package(project).unwrap(),
            version: version.to_owned(),
            name: file.parse().unwrap(),
        }
    }

    #[test]
    fn reads_requests() {
        let wheel = "a_b-1.0-py3-none-any.whl";
        let package = name::package("a-b").unwrap();
        for (path, expected) in [
            ("/simple/", Some(Request::List)),
            ("simple", Some(Request::Moved("simple/".to_owned()))),
            ("/simple/a-b/", Some(Request::Project(package))),
            ("/simple/a-b", Some(Request::Moved("a-b/".to_owned()))),
            ("/simple/A_B", Some(Request::Moved("a-b/".to_owned()))),
            ("/simple/A.B/", Some(Request::Moved("../a-b/".to_owned()))),
            (
                "/simple/a-b/1.0/a_b-1.0-py3-none-any.whl",
                Some(Request::File(at("a-b", "1.0", wheel))),
            ),
            (
                "/simple/A_B/1.0/a_b-1.0-py3-none-any.whl",
                Some(Request::File(at("a-b", "1.0", wheel))),
            ),
            (
                "/simple/a/1.0%2Bcu1/a-1.0%2Bcu1.tar.gz",
                Some(Request::File(at("a", "1.0+cu1", "a-1.0+cu1.tar.gz"))),
            ),
            (
                "/simple/a-b/1.0/a_b-1.0-py3-none-any.whl.metadata",
                Some(Request::Metadata(at("a-b", "1.0", wheel))),
            ),
            (
                "/integrity/a-b/1.0/a_b-1.0-py3-none-any.whl/provenance",
                Some(Request::Provenance(at("a-b", "1.0", wheel))),
            ),
            ("/simple/a/1.0/a-1.0.tar.gz.metadata", None),
            ("/simple/a/1.0/a-1.0.tar.gz.asc", None),
            ("/simple/a/1.0/a-1.0.rpm", None),
            ("/simple/a/1.0/", None),
            ("/simple/a/1.0", None),
            ("/simple//", None),
            ("//simple/", None),
            ("/simple/-a/", None),
            ("/simple/%2e%2e/", None),
            ("/simple/../etc/", None),
            ("/simple/a%2fb/", None),
            ("/simple/a/1.0/..%2f..%2fx.whl", None),
            ("/simple/a/1.0/%00.whl", None),
            ("/simple/a/1.0/\u{202e}.whl", None),
            ("/simple/a/%ff/a-1.0.tar.gz", None),
            ("/a/json", None),
            ("/pypi/a/json", None),
            ("/", None),
        ] {
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(Request::parse(&method, path).ok(), expected, "{path}");
            }
        }
        let long = format!("/simple/{}/", "a".repeat(5000));
        assert!(Request::parse(&Method::GET, &long).is_err());
    }

    #[test]
    fn uploads_need_no_redirect() {
        for path in ["", "/", "legacy", "/legacy/"] {
            assert_eq!(Request::parse(&Method::POST, path), Ok(Request::Upload));
        }
        for (method, path, status) in [
            (Method::POST, "/pypi", 404),
            (Method::POST, "/simple/a/", 404),
            (Method::PUT, "/", 405),
            (Method::DELETE, "/simple/a/", 405),
        ] {
            let refused = Request::parse(&method, path).unwrap_err();
            assert_eq!(refused.status, status, "{method} {path}");
        }
    }
}
