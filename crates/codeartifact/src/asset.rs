//! Files of a version: list, get, publish.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use aws::page::{Filters, MaxResults};
use aws::{Fault, Reason};
use bytes::Bytes;
use catalog::{Action, AssetName, AssetRecord, Promise, Then};
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::at::{self, Naming};
use crate::members::{Revision, Sha256, Unfinished, name};
use crate::paging::Asked;
use crate::version::{VersionCoordinates, package_filters};
use crate::{Answer, Body, Failure, Request};

/// `AssetSummary`.
#[derive(Serialize)]
struct Summary {
    name: AssetName,
    size: u64,
    hashes: Hashes,
}

#[derive(Serialize)]
struct Hashes {
    #[serde(rename = "MD5")]
    md5: String,
    #[serde(rename = "SHA-1")]
    sha1: String,
    #[serde(rename = "SHA-256")]
    sha256: String,
    #[serde(rename = "SHA-512")]
    sha512: String,
}

impl From<AssetRecord> for Summary {
    fn from(record: AssetRecord) -> Self {
        let digests = record.digests;
        Self {
            name: record.name,
            size: record.size_bytes,
            hashes: Hashes {
                md5: digests.md5,
                sha1: digests.sha1,
                sha256: digests.sha256,
                sha512: digests.sha512,
            },
        }
    }
}

#[derive(Serialize)]
struct List {
    #[serde(flatten)]
    version: VersionCoordinates,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    assets: Vec<Summary>,
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, asked) = request.read(|read| {
        let at = at::version(read, &cx.caller);
        let asked = Asked::in_query(read);
        Some((at?, asked?))
    })?;
    let id = at.package.id(cx.catalog.formats(), Naming::Existing)?;
    let version = at.version(cx.catalog.formats())?;
    let repository = &at.package.repository;
    let filters = package_filters(repository, &id)
        .into_iter()
        .chain([Some(version.as_str())]);
    let window = asked.window(&request, MaxResults::HUNDRED, Filters::of(filters))?;
    let action = Action::ListPackageVersionAssets;
    let package = cx
        .catalog
        .package(&cx.caller, action, repository, &id)
        .await?;
    let (record, page) = package
        .assets(&version, window.after(), window.limit)
        .await?;
    Answer::json(&List {
        version: VersionCoordinates::of(&id, &record),
        next_token: window.next_token(&request, page.next.as_deref()),
        assets: page.items.into_iter().map(Summary::from).collect(),
    })
}

const ASSET_NAME: HeaderName = HeaderName::from_static("x-assetname");
const PACKAGE_VERSION: HeaderName = HeaderName::from_static("x-packageversion");
const PACKAGE_VERSION_REVISION: HeaderName = HeaderName::from_static("x-packageversionrevision");

pub(crate) async fn get(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, asset, revision) = request.read(|read| {
        let at = at::version(read, &cx.caller);
        let asset = read
            .query("asset", "asset")
            .required_with(name::<AssetName>);
        let revision = read
            .query("revision", "packageVersionRevision")
            .optional::<Revision>();
        Some((at?, asset?, revision?))
    })?;
    let id = at.package.id(cx.catalog.formats(), Naming::Existing)?;
    let version = at.version(cx.catalog.formats())?;
    let action = Action::GetPackageVersionAsset;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.package.repository, &id)
        .await?;
    let revision = revision.as_ref().map(|revision| revision.0.as_str());
    let (record, found) = package.asset(&version, &asset, revision).await?;
    let mut headers = HeaderMap::with_capacity(3);
    for (header, value) in [
        (ASSET_NAME, asset.as_str()),
        (PACKAGE_VERSION, record.version.as_str()),
        (PACKAGE_VERSION_REVISION, &record.revision),
    ] {
        // UTF-8 as it is: SDKs show it wrongly, and nothing else would be the name.
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Fault::internal())?;
        headers.insert(header, value);
    }
    Ok(Answer::Asset {
        asset: Box::new(found),
        headers,
    })
}

/// The only format that is published through the API; the others have protocols of their own.
const GENERIC: &str = "generic";

#[derive(Serialize)]
struct PublishOutput {
    #[serde(flatten)]
    version: VersionCoordinates,
    status: &'static str,
    asset: Summary,
}

pub(crate) async fn publish(mut request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let body = match request.body.take() {
        Some(Body::Stream(body)) => body,
        Some(Body::Whole(bytes)) => Box::pin(futures_util::stream::once(async { Ok(bytes) })),
        None => Box::pin(futures_util::stream::empty()),
    };
    let (at, asset, Sha256(sha256), unfinished) = request.read(|read| {
        let at = at::version(read, &cx.caller);
        let asset = read
            .query("asset", "assetName")
            .required_with(name::<AssetName>);
        let sha256 = read
            .header("x-amz-content-sha256", "assetSHA256")
            .required();
        let unfinished = read
            .query("unfinished", "unfinished")
            .optional::<Unfinished>();
        let unfinished = unfinished?.is_some_and(|unfinished| unfinished.0);
        Some((at?, asset?, sha256?, unfinished))
    })?;
    let format = &at.package.names.format;
    if format.as_str() != GENERIC {
        let message = format!(
            "packages of format `{format}` cannot be published with this operation, only `{GENERIC}`"
        );
        return Err(Fault::validation(Reason::Other, message).into());
    }
    let id = at.package.id(cx.catalog.formats(), Naming::New)?;
    let version = at.version(cx.catalog.formats())?;
    let asset = match cx.catalog.formats().named(GENERIC) {
        Some(rules) => {
            let refused = |invalid| at::refused("assetName", asset.as_str(), invalid);
            rules.asset(asset.as_str()).map_err(refused)?
        }
        None => asset,
    };
    let action = Action::PublishPackageVersion;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.package.repository, &id)
        .await?;
    let publication = package.publish(&version).await?;
    let mut publication = publication.only_until_finished();
    let promise = Promise {
        sha256: Some(sha256),
        ..Promise::default()
    };
    let mut counted = Counted {
        body,
        size_bytes: 0,
    };
    let digests = publication
        .add(asset.clone(), &mut counted, &promise)
        .await?;
    let then = if unfinished {
        Then::Leave
    } else {
        Then::Publish
    };
    let published = publication.commit(then).await?;
    let record = published.version;
    Answer::json(&PublishOutput {
        version: VersionCoordinates::of(&id, &record),
        status: record.status.as_str(),
        asset: Summary {
            name: asset,
            size: counted.size_bytes,
            hashes: Hashes {
                md5: digests.md5,
                sha1: digests.sha1,
                sha256: digests.sha256,
                sha512: digests.sha512,
            },
        },
    })
}

/// A body that knows how long it was.
struct Counted {
    body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    size_bytes: u64,
}

impl Stream for Counted {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.body.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            self.size_bytes += piece.len() as u64;
        }
        polled
    }
}
