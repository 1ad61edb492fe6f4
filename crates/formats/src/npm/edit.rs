//! Changes to what is there: deprecations, tags, and deletion where the server allows it.

use std::collections::BTreeMap;

use catalog::{
    AssetId, Error, Kind, ListedVersion, Listing, OpenRepository, PackageId, Purpose, Version,
    VersionRecord,
};
use http::request::Parts;
use http::{Response, StatusCode};

use super::document::{deprecation, revision};
use super::json::{self, Members, Unique};
use super::manifest::{self, DEPRECATED_HERE};
use super::publish::{Document, check_label};
use super::request::{MANAGED_BY_IAM, full_name};
use super::{TARBALL, ok, refusal};
use crate::protocol::Body;
use crate::upload;

/// Bytes of a tag, or of a map of them.
const TAG_BYTES: usize = 64 << 10;

/// Answers a document without a tarball: deprecations, or what IAM is for.
pub(crate) async fn put(
    repository: &OpenRepository,
    package: &PackageId,
    document: &Document,
) -> Result<Response<Body>, Error> {
    let sent = document.read(package)?;
    let Some(versions) = sent.versions.as_ref().filter(|_| sent.users.is_none()) else {
        return Ok(refusal(StatusCode::FORBIDDEN, MANAGED_BY_IAM));
    };
    let attached = sent.attachments.as_ref().map_or(0, |all| all.0.len());
    if attached > 0 {
        return Err(Error::Invalid(
            "nothing that is attached is a tarball".to_owned(),
        ));
    }
    let wanted = deprecations(&versions.0)?;
    let listing = listing(repository, package).await?;
    let is_sent = |listed: &ListedVersion| versions.0.get(listed.version.as_str()).is_some();
    if !listing.versions.iter().any(is_sent) {
        return Err(Error::Invalid(
            "no tarball is attached, and none of the versions is there".to_owned(),
        ));
    }
    let changes = deprecate(repository, &listing, wanted).await?;
    if !changes.is_empty() {
        let versions = changes.keys().cloned().collect();
        repository
            .edit_documents(package, versions, move |version, document| {
                let text = manifest::quoted(changes.get(version)?);
                manifest::with(document.unwrap_or("{}"), &[(DEPRECATED_HERE, Some(&text))])
            })
            .await?;
    }
    Ok(ok(StatusCode::CREATED))
}

/// What a document says about versions, where it says anything. An empty text takes it back.
fn deprecations(versions: &Members<'_>) -> Result<BTreeMap<Version, String>, Error> {
    let mut wanted = BTreeMap::new();
    for (key, value) in versions.iter() {
        let members = Members::parse(value.get())
            .map_err(|_| Error::Invalid(format!("the version {key} is not an object")))?;
        let (Some(said), Ok(version)) = (members.get("deprecated"), key.parse()) else {
            continue;
        };
        let text = json::text(said).map(Into::into);
        wanted.insert(version, text.unwrap_or_default());
    }
    Ok(wanted)
}

/// Those that change something, about versions that this repository then records: one that only an upstream has is
/// taken first.
async fn deprecate(
    repository: &OpenRepository,
    listing: &Listing,
    mut wanted: BTreeMap<Version, String>,
) -> Result<BTreeMap<Version, String>, Error> {
    let package = &listing.package;
    for listed in &listing.versions {
        if wanted
            .get(&listed.version)
            .is_some_and(|text| *text == said(listed))
        {
            wanted.remove(&listed.version);
        }
    }
    let recorded = repository.versions(package).await?;
    let is_recorded = |version: &Version| recorded.iter().any(|record| record.version == *version);
    for listed in &listing.versions {
        if wanted.contains_key(&listed.version) && !is_recorded(&listed.version) {
            let asset = tarball(package, &listed.version);
            repository
                .asset(&asset, Purpose::Take)
                .await?
                .settled()
                .await?;
        }
    }
    Ok(wanted)
}

fn said(listed: &ListedVersion) -> String {
    let members = listed.document.as_deref().map(Members::parse);
    let members = members.and_then(Result::ok).unwrap_or_default();
    let text = deprecation(&members).and_then(|text| serde_json::from_str(text).ok());
    text.unwrap_or_default()
}

/// The tarball of a version.
pub(crate) fn tarball(package: &PackageId, version: &Version) -> AssetId {
    package.version(version.clone()).asset(TARBALL.clone())
}

/// The list of a package. Errors: `NotFound`.
pub(crate) async fn listing(
    repository: &OpenRepository,
    package: &PackageId,
) -> Result<Listing, Error> {
    let listing = repository.package(package).await?;
    let listing = listing.filter(|listing| !listing.versions.is_empty());
    listing.ok_or_else(|| no_package(package))
}

/// What is said of a package that is not there.
pub(crate) fn no_package(package: &PackageId) -> Error {
    Error::NotFound {
        kind: Kind::Package,
        id: full_name(package),
        message: format!("package `{}` not found", full_name(package)),
    }
}

/// What is said of a version that is not there.
pub(crate) fn no_version(wanted: &str) -> Error {
    Error::NotFound {
        kind: Kind::PackageVersion,
        id: wanted.to_owned(),
        message: format!("version not found: {wanted}"),
    }
}

/// Answers `PUT -/package/{pkg}/dist-tags/{tag}`, whose body is a version as a JSON string.
pub(crate) async fn set_tag(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    package: &PackageId,
    tag: &str,
) -> Result<Response<Body>, Error> {
    repository.may_annotate(package).await?;
    let body = upload::whole(&parts.headers, body, TAG_BYTES).await?;
    let version: String = serde_json::from_slice(&body)
        .map_err(|_| Error::Invalid("the body is not a version as a JSON string".to_owned()))?;
    set(repository, package, vec![(tag.to_owned(), version)]).await
}

/// Answers a map of tags.
pub(crate) async fn set_tags(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    package: &PackageId,
) -> Result<Response<Body>, Error> {
    repository.may_annotate(package).await?;
    let body = upload::whole(&parts.headers, body, TAG_BYTES).await?;
    let read = serde_json::from_slice::<Unique<'_>>(&body);
    let tags = read.map_err(|_| Error::Invalid("the body is not a map of tags".to_owned()))?;
    let pairs = tags.0.iter().map(|(tag, value)| {
        let version = json::text(value);
        let version =
            version.ok_or_else(|| Error::Invalid(format!("the tag `{tag}` names no version")))?;
        Ok((tag.to_owned(), version.into_owned()))
    });
    let pairs = pairs.collect::<Result<Vec<_>, Error>>()?;
    set(repository, package, pairs).await
}

async fn set(
    repository: &OpenRepository,
    package: &PackageId,
    pairs: Vec<(String, String)>,
) -> Result<Response<Body>, Error> {
    let listing = listing(repository, package).await?;
    let mut changes = Vec::new();
    for (tag, version) in pairs {
        check_label(&tag)?;
        let listed = listing
            .versions
            .iter()
            .find(|listed| listed.version.as_str() == version);
        let listed = listed.ok_or_else(|| no_version(&version))?;
        changes.push((tag, Some(listed.version.clone())));
    }
    repository.label(package, changes).await?;
    Ok(ok(StatusCode::CREATED))
}

/// Answers `DELETE -/package/{pkg}/dist-tags/{tag}`.
pub(crate) async fn remove_tag(
    repository: &OpenRepository,
    package: &PackageId,
    tag: &str,
) -> Result<Response<Body>, Error> {
    repository.may_annotate(package).await?;
    if tag == "latest" {
        return Err(Error::Invalid(
            "the tag `latest` can be moved, not removed".to_owned(),
        ));
    }
    listing(repository, package).await?;
    repository
        .label(package, vec![(tag.to_owned(), None)])
        .await?;
    Ok(ok(StatusCode::OK))
}

/// Answers `PUT {pkg}/-rev/{rev}`: versions that are missing in the document are deleted, if the server allows it.
pub(crate) async fn put_revision(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    package: &PackageId,
    rev: &str,
) -> Result<Response<Body>, Error> {
    let recorded = current(repository, package, rev).await?;
    let document = Document::receive(parts, body, repository, package).await?;
    let sent = document.read(package)?;
    let Some(kept) = &sent.versions else {
        return Ok(refusal(StatusCode::FORBIDDEN, MANAGED_BY_IAM));
    };
    let going = recorded
        .into_iter()
        .map(|record| record.version)
        .filter(|version| kept.0.get(version.as_str()).is_none());
    delete(repository, package, going.collect()).await
}

/// Answers `DELETE {pkg}/-rev/{rev}`: all that this repository has of it, if the server allows it.
pub(crate) async fn delete_all(
    repository: &OpenRepository,
    package: &PackageId,
    rev: &str,
) -> Result<Response<Body>, Error> {
    let recorded = current(repository, package, rev).await?;
    let versions = recorded.into_iter().map(|record| record.version);
    delete(repository, package, versions.collect()).await
}

/// What this repository records, for somebody who has seen it as it is now and shown it to clients.
async fn current(
    repository: &OpenRepository,
    package: &PackageId,
    rev: &str,
) -> Result<Vec<VersionRecord>, Error> {
    let listing = listing(repository, package).await?;
    if revision(&listing) != rev {
        return Err(Error::Conflict {
            kind: Kind::Package,
            id: full_name(package),
            message: "the package has changed meanwhile; look at it again".to_owned(),
        });
    }
    let mut recorded = repository.versions(package).await?;
    recorded.retain(|record| {
        listing
            .versions
            .iter()
            .any(|listed| listed.version == record.version)
    });
    Ok(recorded)
}

async fn delete(
    repository: &OpenRepository,
    package: &PackageId,
    versions: Vec<Version>,
) -> Result<Response<Body>, Error> {
    if !versions.is_empty() {
        repository.delete_versions(package, versions).await?;
    }
    Ok(ok(StatusCode::OK))
}
