//! Blobs in an S3 bucket.
#![expect(clippy::disallowed_types, reason = "here buckets are spoken to")]

use std::ffi::OsString;
use std::fs::File;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutPayload, RetryConfig,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{BlobError, BlobSettings, ByteStream, Listed, Location, PIECE, read};

/// A body larger than this goes in parts of this size: the least that S3 takes, because parts are held in memory.
const PART: u64 = 5 * 1024 * 1024;
/// Parts in memory at a time, of all bodies together: 4 × 5 MiB.
const PARTS_AT_ONCE: usize = 4;
/// S3 takes no more parts than this; a body of more than 50 GB has larger ones.
const MOST_PARTS: u64 = 10_000;

pub(super) struct Bucket {
    store: AmazonS3,
    prefix: Path,
    parts: Arc<Semaphore>,
}

impl Bucket {
    pub(super) fn new(
        bucket: &str,
        prefix: &str,
        settings: &BlobSettings,
    ) -> Result<Self, BlobError> {
        Ok(Self {
            store: configure(bucket, settings, std::env::vars_os())
                .build()
                .map_err(BlobError::unavailable)?,
            prefix: Path::parse(prefix).map_err(BlobError::unavailable)?,
            parts: Arc::new(Semaphore::new(PARTS_AT_ONCE)),
        })
    }

    fn path(&self, location: Location) -> Path {
        location
            .key()
            .split('/')
            .fold(self.prefix.clone(), Path::join)
    }

    pub(super) async fn check(&self) -> Result<(), BlobError> {
        self.list().next().await.transpose().map(drop)
    }

    pub(super) async fn keep(
        &self,
        location: Location,
        file: &Arc<File>,
        size: u64,
    ) -> Result<(), BlobError> {
        let path = self.path(location);
        if size <= PART {
            let _permit = self.parts.acquire().await.map_err(BlobError::unavailable)?;
            let whole = payload(file, 0..size).await?;
            return self
                .store
                .put(&path, whole)
                .await
                .map(drop)
                .map_err(BlobError::unavailable);
        }
        let mut upload = self
            .store
            .put_multipart(&path)
            .await
            .map_err(BlobError::unavailable)?;
        let sent = self.send(upload.as_mut(), file, size).await;
        let ended = match sent {
            Ok(()) => upload
                .complete()
                .await
                .map(drop)
                .map_err(BlobError::unavailable),
            Err(error) => Err(error),
        };
        // Parts of an upload that is neither completed nor aborted are paid for, and no listing shows them.
        if ended.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, %location, "cannot abort a multipart upload");
        }
        ended
    }

    async fn send(
        &self,
        upload: &mut dyn MultipartUpload,
        file: &Arc<File>,
        size: u64,
    ) -> Result<(), BlobError> {
        let length = PART.max(size.div_ceil(MOST_PARTS));
        let mut sending = JoinSet::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start + length);
            let permit = Arc::clone(&self.parts).acquire_owned().await;
            let permit = permit.map_err(BlobError::unavailable)?;
            // Its number is that of this call. As a task it goes on, and gives its permit back, while this waits for the next permit.
            let part = upload.put_part(payload(file, start..end).await?);
            sending.spawn(async move {
                let sent = part.await;
                drop(permit);
                sent
            });
            while let Some(sent) = sending.try_join_next() {
                sent.map_err(BlobError::unavailable)?
                    .map_err(BlobError::unavailable)?;
            }
            start = end;
        }
        while let Some(sent) = sending.join_next().await {
            sent.map_err(BlobError::unavailable)?
                .map_err(BlobError::unavailable)?;
        }
        Ok(())
    }

    pub(super) async fn size(&self, location: Location) -> Result<u64, BlobError> {
        let found = self.store.head(&self.path(location)).await;
        found
            .map(|found| found.size)
            .map_err(|error| failed(error, location))
    }

    /// All of a blob that should have `size` bytes, which are few.
    pub(super) async fn whole(&self, location: Location, size: u64) -> Result<Bytes, BlobError> {
        let got = self.store.get(&self.path(location)).await;
        let got = got.map_err(|error| failed(error, location))?;
        expect_size(&got.meta, location, size)?;
        got.bytes().await.map_err(BlobError::unavailable)
    }

    pub(super) async fn read(
        &self,
        location: Location,
        size: u64,
        range: Range<u64>,
    ) -> Result<ByteStream, BlobError> {
        if range.is_empty() {
            return Ok(Box::pin(stream::empty()));
        }
        let options = GetOptions {
            range: (range != (0..size)).then(|| GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let got = self.store.get_opts(&self.path(location), options).await;
        let got = got.map_err(|error| failed(error, location))?;
        expect_size(&got.meta, location, size)?;
        Ok(whole_or_error(
            got.into_stream().map_err(std::io::Error::other),
            range.end - range.start,
        ))
    }

    pub(super) async fn remove(&self, location: Location) -> Result<(), BlobError> {
        match self.store.delete(&self.path(location)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobError::unavailable(error)),
        }
    }

    pub(super) fn list(&self) -> Pin<Box<dyn Stream<Item = Result<Listed, BlobError>> + Send>> {
        let listing = self
            .store
            .list(Some(&self.prefix))
            .map_err(BlobError::unavailable);
        // What has another name is not ours.
        Box::pin(listing.try_filter_map(async |found| {
            let location = found.location.filename().and_then(|name| name.parse().ok());
            Ok(location.map(|location| Listed {
                location,
                size: found.size,
                modified_at: found.last_modified.timestamp_millis(),
            }))
        }))
    }
}

/// Bytes of the spool file, in pieces that share nothing.
async fn payload(file: &Arc<File>, range: Range<u64>) -> Result<PutPayload, BlobError> {
    let pieces: Vec<Bytes> = read::pieces(Arc::clone(file), range)
        .try_collect()
        .await
        .map_err(BlobError::unavailable)?;
    Ok(pieces.into_iter().collect())
}

fn expect_size(found: &ObjectMeta, location: Location, expected: u64) -> Result<(), BlobError> {
    match found.size {
        size if size == expected => Ok(()),
        found => Err(BlobError::Damaged {
            location,
            expected,
            found,
        }),
    }
}

fn failed(error: object_store::Error, location: Location) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing { location },
        error => BlobError::unavailable(error),
    }
}

/// Cuts what the network gives into pieces of at most 256 KiB, and makes an answer that ends early an error.
fn whole_or_error(
    body: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    length: u64,
) -> ByteStream {
    let mut left = length;
    let counted = body
        .map_ok(|piece| stream::iter(cut(piece)))
        .try_flatten()
        .map(Some)
        .chain(stream::iter([None]))
        .filter_map(move |item| {
            let item = match item {
                Some(Ok(piece)) => {
                    left = left.saturating_sub(piece.len() as u64);
                    Some(Ok(piece))
                }
                Some(Err(error)) => Some(Err(error)),
                None if left > 0 => Some(Err(std::io::ErrorKind::UnexpectedEof.into())),
                None => None,
            };
            std::future::ready(item)
        });
    Box::pin(counted)
}

fn cut(mut bytes: Bytes) -> impl Iterator<Item = std::io::Result<Bytes>> {
    let most = usize::try_from(PIECE).unwrap_or(usize::MAX);
    std::iter::from_fn(move || {
        let length = bytes.len().min(most);
        (length > 0).then(|| Ok(bytes.split_to(length)))
    })
}

fn configure(
    bucket: &str,
    settings: &BlobSettings,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> AmazonS3Builder {
    // A transfer may take as long as it moves; what stops it is silence.
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(Duration::from_secs(30));
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(RetryConfig {
            max_retries: 5,
            retry_timeout: Duration::from_secs(30),
            ..RetryConfig::default()
        });
    for (name, value) in environment {
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
            && name.starts_with("AWS_")
            && let Ok(key) = name.to_ascii_lowercase().parse()
            // Our users have AWS_ENDPOINT_URL pointing at ourselves; where the bucket is, is not said there.
            && !matches!(key, AmazonS3ConfigKey::Endpoint)
        {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder.with_bucket_name(bucket);
    let path_style = settings.path_style.unwrap_or(true);
    if let Some(path_style) = settings.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    if let Some(endpoint) = &settings.endpoint {
        let endpoint = if path_style {
            endpoint.clone()
        } else {
            hosted(endpoint, bucket)
        };
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let Some(id) = &settings.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = &settings.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    builder
}

/// The endpoint with the bucket in its host, as `object_store` wants it then.
fn hosted(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn configured(settings: &BlobSettings, variables: &[(&str, &str)]) -> [Option<String>; 4] {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let builder = configure("bucket", settings, variables);
        [
            AmazonS3ConfigKey::S3Endpoint,
            AmazonS3ConfigKey::Endpoint,
            AmazonS3ConfigKey::Region,
            AmazonS3ConfigKey::AccessKeyId,
        ]
        .map(|key| builder.get_config_value(&key))
    }

    #[test]
    fn what_is_not_set_comes_from_the_environment_but_never_the_general_endpoint() {
        let environment = [
            ("AWS_ENDPOINT_URL", "http://ourselves"),
            ("AWS_ENDPOINT", "http://ourselves"),
            ("AWS_ENDPOINT_URL_S3", "http://s3"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "theirs"),
            ("AWS_SOMETHING", "else"),
            ("HOME", "/"),
        ];
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            configured(&BlobSettings::default(), &environment),
            [
                some("http://s3"),
                None,
                some("eu-central-1"),
                some("theirs")
            ]
        );
        let settings = BlobSettings {
            endpoint: some("http://minio:9000"),
            region: some("us-east-1"),
            access_key_id: some("ours"),
            ..BlobSettings::default()
        };
        assert_eq!(
            configured(&settings, &environment),
            [
                some("http://minio:9000"),
                None,
                some("us-east-1"),
                some("ours")
            ]
        );
        let settings = BlobSettings {
            path_style: Some(false),
            ..settings
        };
        assert_eq!(
            configured(&settings, &[])[0],
            some("http://bucket.minio:9000")
        );
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_an_error_and_pieces_are_small() {
        let body = |lengths: &[usize]| {
            let pieces: Vec<_> = lengths
                .iter()
                .map(|length| Ok(Bytes::from(vec![0; *length])))
                .collect();
            stream::iter(pieces)
        };
        let pieces: Vec<Bytes> = whole_or_error(body(&[700_000, 0, 10]), 700_010)
            .try_collect()
            .await
            .unwrap();
        let lengths: Vec<_> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [262_144, 262_144, 175_712, 10]);
        let mut short = whole_or_error(body(&[100]), 101);
        assert_eq!(short.next().await.unwrap().unwrap().len(), 100);
        assert!(short.next().await.unwrap().is_err());
        assert!(short.next().await.is_none());
    }
}
