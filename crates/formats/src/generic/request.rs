//! Reads method, path and query into a [`Request`]; pure.

use std::sync::LazyLock;

use catalog::{
    AssetId, AssetName, FormatName, InvalidName, Namespace, PackageId, PackageName, Version,
    VersionId,
};
use http::Method;
use percent_encoding::percent_decode_str;

use super::name;

/// The methods of this endpoint, as `Allow` lists them.
pub(crate) const ALLOW: &str = "GET, HEAD, PUT, OPTIONS";

pub(crate) static FORMAT: LazyLock<FormatName> =
    LazyLock::new(|| "generic".parse().expect("seven lower-case letters"));

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Which methods there are.
    Options,
    /// The published versions of a package: `GET ns/package/`.
    Versions(PackageId),
    /// The files of a version: `GET ns/package/1.0/`.
    Assets(VersionId),
    /// A file: `GET ns/package/1.0/file`.
    Asset(AssetId),
    /// A file to be stored: `PUT ns/package/1.0/file`.
    Publish {
        /// Which.
        asset: AssetId,
        /// Whether more files follow before the version is published: `?unfinished=true`.
        is_unfinished: bool,
    },
}

/// Why a request is refused before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// 400, 404 or 405.
    pub status: u16,
    /// The sentence.
    pub message: String,
}

impl Refused {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl Request {
    /// Reads a method, a path below the repository's base and a query, percent-encoded as they came.
    pub(crate) fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Refused> {
        let is_write = match *method {
            Method::OPTIONS => return Ok(Self::Options),
            Method::GET | Method::HEAD => false,
            Method::PUT => true,
            _ => return Err(Refused::new(405, format!("this endpoint knows {ALLOW}"))),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let segments = path.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match segments[..] {
            [namespace, package, version, asset] if !asset.is_empty() => {
                let version = version_id(namespace, package, version)?;
                let asset = version.asset(asset_name(asset)?);
                if is_write {
                    let is_unfinished = is_unfinished(query)?;
                    Ok(Self::Publish {
                        asset,
                        is_unfinished,
                    })
                } else {
                    Ok(Self::Asset(asset))
                }
            }
            [namespace, package, version, ""] if !is_write => {
                Ok(Self::Assets(version_id(namespace, package, version)?))
            }
            [namespace, package, ""] if !is_write => {
                Ok(Self::Versions(package_id(namespace, package)?))
            }
            _ if is_write => Err(Refused::new(
                400,
                "a file is put to namespace/package/version/file",
            )),
            _ => Err(Refused::new(
                404,
                "there is namespace/package/, namespace/package/version/ and namespace/package/version/file",
            )),
        }
    }
}

/// Decodes a segment, once. What is decoded to a slash stays in the segment, where no name may have it.
fn decode(segment: &str) -> Result<String, Refused> {
    let bytes = segment.as_bytes();
    let is_encoded = bytes.iter().enumerate().all(|(at, byte)| {
        let digits = bytes.get(at + 1..at + 3);
        *byte != b'%' || digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !is_encoded {
        return Err(Refused::new(400, "the path is not percent-encoded"));
    }
    percent_decode_str(segment)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refused::new(400, "the path is not UTF-8"))
}

pub(crate) fn package_id(namespace: &str, package: &str) -> Result<PackageId, Refused> {
    Ok(PackageId {
        format: FORMAT.clone(),
        namespace: Some(coordinate::<Namespace>("namespace", namespace)?),
        name: coordinate::<PackageName>("package", package)?,
    })
}

fn version_id(namespace: &str, package: &str, version: &str) -> Result<VersionId, Refused> {
    let version = coordinate::<Version>("version", version)?;
    Ok(package_id(namespace, package)?.version(version))
}

fn coordinate<T: std::str::FromStr<Err = InvalidName>>(
    what: &str,
    text: &str,
) -> Result<T, Refused> {
    name::check_coordinate(text)
        .and_then(|()| text.parse())
        .map_err(|reason| Refused::new(400, format!("the {what} is none: {reason}")))
}

fn asset_name(text: &str) -> Result<AssetName, Refused> {
    name::asset(text).map_err(|reason| Refused::new(400, reason.to_string()))
}

fn is_unfinished(query: Option<&str>) -> Result<bool, Refused> {
    let mut values = query.unwrap_or_default().split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == "unfinished").then_some(value)
    });
    let value = values.next();
    if values.next().is_some() {
        return Err(Refused::new(400, "unfinished is given twice"));
    }
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => Ok(false),
        Some("true" | "unfinished") => Ok(true),
        Some(_) => Err(Refused::new(400, "unfinished is true or false")),
    }
}
