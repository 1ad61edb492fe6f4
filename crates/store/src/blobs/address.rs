//! Where the blobs are, as it is written in the configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// `file:PATH` or `s3://bucket/prefix`, the prefix being optional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobsAddress(pub(super) Kind);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Files(PathBuf),
    Bucket { bucket: String, prefix: String },
}

/// Why a text is not the address of a blob store.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBlobsAddress {
    /// It does not begin with a scheme that we know.
    #[error("the address of the blobs begins with `file:` or `s3://`")]
    Scheme,
    /// `file:` and nothing after it.
    #[error("`file:` must be followed by the path of a directory")]
    NoPath,
    /// `s3://` and no bucket after it.
    #[error("`s3://` must be followed by the name of a bucket")]
    NoBucket,
}

impl FromStr for BlobsAddress {
    type Err = InvalidBlobsAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("file:") {
            // `file:///srv/blobs` is the same as `file:/srv/blobs`.
            let path = path
                .strip_prefix("//")
                .filter(|path| path.starts_with('/'))
                .unwrap_or(path);
            return match path {
                "" => Err(InvalidBlobsAddress::NoPath),
                path => Ok(Self(Kind::Files(path.into()))),
            };
        }
        let rest = text
            .strip_prefix("s3://")
            .ok_or(InvalidBlobsAddress::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(InvalidBlobsAddress::NoBucket);
        }
        let prefix = prefix.trim_matches('/');
        Ok(Self(Kind::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        }))
    }
}

impl fmt::Display for BlobsAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Files(path) => write!(out, "file:{}", path.display()),
            Kind::Bucket { bucket, prefix } if prefix.is_empty() => write!(out, "s3://{bucket}"),
            Kind::Bucket { bucket, prefix } => write!(out, "s3://{bucket}/{prefix}"),
        }
    }
}

/// What else a blob store is told. Printing it leaves the secret key out.
///
/// What is `None` comes from the ordinary variables of AWS (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_S3`, …) or the machine's
/// role; never from `AWS_ENDPOINT_URL`, which the users of this server have pointing at the server itself.
#[derive(Clone)]
pub struct BlobSettings {
    /// The address of the S3 service: `http://127.0.0.1:9000`. Plain HTTP is used when it is written.
    pub endpoint: Option<String>,
    /// `us-east-1`, unless said otherwise.
    pub region: Option<String>,
    /// Whether the bucket is named in the path (`true`, the default) or in the host.
    pub path_style: Option<bool>,
    /// The key's public half.
    pub access_key_id: Option<String>,
    /// The key's secret half.
    pub secret_access_key: Option<String>,
    /// How many bytes of small blobs may be kept in memory.
    pub memory_bytes: u64,
}

impl Default for BlobSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            path_style: None,
            access_key_id: None,
            secret_access_key: None,
            memory_bytes: 64 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for BlobSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BlobSettings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("access_key_id", &self.access_key_id)
            .field(
                "secret_access_key",
                &self.secret_access_key.as_ref().map(|_| "…"),
            )
            .field("memory_bytes", &self.memory_bytes)
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, shown) in [
            ("file:/srv/blobs", "file:/srv/blobs"),
            ("file:blobs", "file:blobs"),
            ("file:///srv/blobs", "file:/srv/blobs"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ] {
            assert_eq!(
                text.parse::<BlobsAddress>().unwrap().to_string(),
                shown,
                "{text}"
            );
        }
        for text in [
            "",
            "file:",
            "s3://",
            "s3:///prefix",
            "/srv/blobs",
            "gs://bucket",
        ] {
            assert!(text.parse::<BlobsAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_secret_key_is_not_shown() {
        let settings = BlobSettings {
            secret_access_key: Some("hush".into()),
            ..BlobSettings::default()
        };
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
