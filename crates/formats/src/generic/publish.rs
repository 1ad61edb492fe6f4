//! PUT: one file into a version.

use catalog::{AssetId, AssetRecord, OpenRepository, Result, Then};
use http::header::ETAG;
use http::request::Parts;
use http::{Response, StatusCode};

use super::name::are_confusable;
use crate::document::insert;
use crate::protocol::{Body, empty};
use crate::upload;

pub(crate) async fn answer(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    id: AssetId,
    is_unfinished: bool,
) -> Result<Response<Body>> {
    let promise = upload::promise(&parts.headers)?;
    let mut publication = repository.publish(&id.version).await?;
    if publication.existing().is_some()
        && let Ok(files) = repository.assets(&id.version).await
    {
        warn_of_twins(&id, &files);
    }
    let digests = publication
        .add(id.name, upload::pieces(body), &promise)
        .await?;
    let then = if is_unfinished {
        Then::Leave
    } else {
        Then::Publish
    };
    let published = publication.commit(then).await?;
    let mut answer = Response::new(empty());
    *answer.status_mut() = if published.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    insert(
        answer.headers_mut(),
        ETAG,
        format!("\"{}\"", digests.sha256),
    );
    Ok(answer)
}

/// Two files that look alike are allowed, and worth knowing about.
fn warn_of_twins(id: &AssetId, files: &[AssetRecord]) {
    for file in files {
        if are_confusable(file.name.as_str(), id.name.as_str()) {
            tracing::warn!(asset = %id, twin = %file.name, "a file is published beside one that looks like it");
        }
    }
}
