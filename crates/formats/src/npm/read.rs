//! What clients read: packuments, manifests, tarballs, tags.

use std::sync::Arc;

use catalog::{Error, ListedVersion, Listing, OpenRepository, PackageId, Purpose, Version};
use http::header::{CACHE_CONTROL, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};

use super::document::{self, Shape};
use super::edit::{no_package, no_version, tarball};
use super::json::{Members, Object};
use super::request::version_of_file;
use super::semver::SemVer;
use crate::deliver::deliver;
use crate::document::Document;
use crate::protocol::{Base, Body};

/// Answers `GET {pkg}`.
pub(crate) async fn packument(
    parts: &Parts,
    repository: &OpenRepository,
    package: &PackageId,
) -> Result<Response<Body>, Error> {
    let Base(base) = Base::of(&parts.extensions);
    let shape = Shape::asked_for(&parts.headers);
    let variant = format!("{shape:?} {base}");
    let of = package.clone();
    let rendered = repository.rendered(package, &variant, move |listing| {
        if listing.versions.is_empty() {
            return Err(no_package(&of));
        }
        let text = document::packument(&listing, &base, shape);
        let changed = Some(listing.changed);
        let document = Document::new(text, shape.media_type(), changed);
        // Of a large one they take a while, which is none of the runtime's threads'.
        document.digests();
        Ok(document)
    });
    let document: Arc<Document> = rendered.await?.ok_or_else(|| no_package(package))?;
    Ok(answer(&document, &parts.method, &parts.headers).await)
}

/// A document of ours, with what npm's clients expect of its head.
async fn answer(document: &Document, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let mut answer = document.answer(method, headers).await;
    let out = answer.headers_mut();
    out.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=0, must-revalidate"),
    );
    out.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    answer
}

/// Answers `GET {pkg}/{version-or-tag}`. A version that is not listed is told of to who knows it.
pub(crate) async fn manifest(
    parts: &Parts,
    repository: &OpenRepository,
    package: &PackageId,
    wanted: &str,
) -> Result<Response<Body>, Error> {
    let Base(base) = Base::of(&parts.extensions);
    let recorded = match wanted.parse::<Version>() {
        Ok(version) if SemVer::parse(wanted).is_some() => {
            repository.version(&package.version(version)).await?
        }
        _ => None,
    };
    let document = if let Some(listed) = recorded {
        Arc::new(told(package, &listed, &base))
    } else {
        let variant = format!("{wanted} of {base}");
        let (of, wanted) = (package.clone(), wanted.to_owned());
        let rendered = repository.rendered(package, &variant, move |listing| {
            let listed = find(&listing, &wanted).ok_or_else(|| no_version(&wanted))?;
            Ok(told(&of, listed, &base))
        });
        rendered.await?.ok_or_else(|| no_package(package))?
    };
    Ok(answer(&document, &parts.method, &parts.headers).await)
}

fn told(package: &PackageId, listed: &ListedVersion, base: &str) -> Document {
    let mut out = String::new();
    document::manifest(&mut out, package, listed, base, Shape::Full);
    Document::new(out, Shape::Full.media_type(), listed.published)
}

/// A listed version by its name or by a tag of it.
fn find<'l>(listing: &'l Listing, wanted: &str) -> Option<&'l ListedVersion> {
    let labels = document::labels(listing);
    let named = labels.iter().find(|(label, _)| *label == wanted);
    let version = named.map_or(wanted, |(_, version)| version.as_str());
    let mut versions = listing.versions.iter();
    versions.find(|listed| listed.version.as_str() == version)
}

/// Answers `GET {pkg}/-/{file}`.
pub(crate) async fn file(
    parts: &Parts,
    repository: &OpenRepository,
    package: &PackageId,
    file: &str,
) -> Result<Response<Body>, Error> {
    let purpose = if parts.method == Method::HEAD {
        Purpose::Look
    } else {
        Purpose::Take
    };
    let ruled = version_of_file(package, file).and_then(|text| text.parse::<Version>().ok());
    let opened = match &ruled {
        Some(version) => repository.asset(&tarball(package, version), purpose).await,
        None => Err(no_version(file)),
    };
    let asset = match opened {
        Err(Error::NotFound { .. }) => {
            let version = odd_name(repository, package, file).await?;
            let version = version.filter(|version| ruled.as_ref() != Some(version));
            let version = version.ok_or_else(|| no_version(file))?;
            repository
                .asset(&tarball(package, &version), purpose)
                .await?
        }
        opened => opened?,
    };
    deliver(
        &parts.method,
        &parts.headers,
        asset,
        "application/octet-stream",
        [],
    )
    .await
}

/// The version whose tarball its registry calls so, though that is not how tarballs are called; lock files name them.
async fn odd_name(
    repository: &OpenRepository,
    package: &PackageId,
    file: &str,
) -> Result<Option<Version>, Error> {
    let Some(listing) = repository.package(package).await? else {
        return Ok(None);
    };
    let is_called_so = |listed: &&ListedVersion| {
        let text = listed
            .document
            .as_deref()
            .filter(|text| text.contains(file));
        let members = text.map(Members::parse).and_then(Result::ok);
        let dist = members.and_then(|members| members.object("dist"));
        let url = dist.as_ref().and_then(|dist| dist.text("tarball"));
        url.is_some_and(|url| url.rsplit('/').next() == Some(file))
    };
    let found = listing.versions.iter().find(is_called_so);
    Ok(found.map(|listed| listed.version.clone()))
}

/// Answers `GET -/package/{pkg}/dist-tags`.
pub(crate) async fn tags(
    parts: &Parts,
    repository: &OpenRepository,
    package: &PackageId,
) -> Result<Response<Body>, Error> {
    let of = package.clone();
    let rendered = repository.rendered(package, "tags", move |listing| {
        if listing.versions.is_empty() {
            return Err(no_package(&of));
        }
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        for (label, version) in document::labels(&listing) {
            object.text(label, version.as_str());
        }
        object.end();
        let changed = Some(listing.changed);
        Ok(Document::new(out, Shape::Full.media_type(), changed))
    });
    let document: Arc<Document> = rendered.await?.ok_or_else(|| no_package(package))?;
    Ok(answer(&document, &parts.method, &parts.headers).await)
}
