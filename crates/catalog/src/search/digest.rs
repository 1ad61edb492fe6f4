//! Searching for a file by its digest.

use std::fmt;
use std::str::FromStr;

use aws::Timestamp;
use iam::Caller;

use super::statements::{BY_MD5, BY_SHA1, BY_SHA256, BY_SHA512};
use crate::change::read_package_id;
use crate::domain::DomainAt;
use crate::names::{AssetName, PackageId, RepositoryName, Version};
use crate::package::Status;
use crate::page::Page;
use crate::{Catalog, Result};

/// Rows read at a time: those of repositories that may not be read are passed over without a trace.
const AT_A_TIME: i64 = 1_000;

/// A digest in hex: its length says which, 32 characters for MD5, 40 for SHA-1, 64 for SHA-256, 128 for SHA-512.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestText(String);

/// The text is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 32, 40, 64 or 128 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for DigestText {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && matches!(text.len(), 32 | 40 | 64 | 128) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidDigest)
        }
    }
}

impl fmt::Display for DigestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DigestText {
    fn statement(&self) -> &'static str {
        match self.0.len() {
            32 => BY_MD5,
            40 => BY_SHA1,
            64 => BY_SHA256,
            _ => BY_SHA512,
        }
    }
}

/// A file that was found by its digest: of a version in any state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFound {
    /// The repository.
    pub repository: RepositoryName,
    /// The package.
    pub id: PackageId,
    /// The version.
    pub version: Version,
    /// Its state.
    pub status: Status,
    /// When it came into the repository.
    pub published: Timestamp,
    /// The file.
    pub asset: AssetName,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its SHA-256, whichever digest was asked for.
    pub sha256: String,
}

impl Catalog {
    /// The files of a domain that have this digest, in the repositories that the caller may read, oldest version first.
    /// Errors: as [`Catalog::search`].
    pub async fn search_files(
        &self,
        caller: &Caller,
        at: &DomainAt,
        digest: &DigestText,
        only: Option<&RepositoryName>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<FileFound>> {
        let (domain, readable) = self.readable(caller, at, only).await?;
        let place = after
            .and_then(|after| after.split_once('/'))
            .unwrap_or_default();
        let (mut version_id, mut name) = (place.0.to_owned(), place.1.to_owned());
        let mut found = Vec::new();
        loop {
            let values = vec![
                (&*domain).into(),
                digest.0.as_str().into(),
                version_id.as_str().into(),
                name.as_str().into(),
                AT_A_TIME.into(),
            ];
            let rows = self.0.database.rows(digest.statement(), values).await?;
            for row in &rows {
                version_id = row.text("version_id")?;
                name = row.text("asset")?;
                if let Some(repository) = readable.get(row.as_str("repository_id")?) {
                    let file = FileFound {
                        repository: repository.name.clone(),
                        id: read_package_id(row)?,
                        version: row.parse("version")?,
                        status: row.parse("status")?,
                        published: Timestamp::from_millis(row.int("published")?),
                        asset: row.parse("asset")?,
                        size_bytes: row.size("size_bytes")?,
                        sha256: row.text("sha256")?,
                    };
                    found.push((format!("{version_id}/{name}"), file));
                }
                if found.len() > limit as usize {
                    break;
                }
            }
            let is_last = rows.len() < usize::try_from(AT_A_TIME).unwrap_or_default();
            if is_last || found.len() > limit as usize {
                let page = Page::cut(found, limit, |(place, _)| place.clone());
                return Ok(page.map(|(_, file)| file));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_known_by_its_length() {
        for (length, statement) in [
            (32, BY_MD5),
            (40, BY_SHA1),
            (64, BY_SHA256),
            (128, BY_SHA512),
        ] {
            let digest: DigestText = "AB".repeat(length / 2).parse().unwrap();
            assert_eq!(digest.statement(), statement);
            assert_eq!(digest.to_string(), "ab".repeat(length / 2));
        }
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(63)] {
            assert_eq!(text.parse::<DigestText>(), Err(InvalidDigest), "{text}");
        }
    }
}
