//! Publishing: bytes first, then one transaction.

use bytes::Bytes;
use futures_core::Stream;
use std::io;
use store::Digests;

use crate::Result;
use crate::names::{AssetName, VersionId};
use crate::package::VersionRecord;

/// A version being published. Dropped: nothing is visible, and the bytes are swept.
pub struct Publication {
    pub(crate) id: VersionId,
}

/// What a sender promises about the bytes that follow. Compared before anything is kept.
#[derive(Debug, Clone, Default)]
pub struct Promise {
    /// Length in bytes.
    pub size_bytes: Option<u64>,
    /// MD5, lower-case hex.
    pub md5: Option<String>,
    /// SHA-1, lower-case hex.
    pub sha1: Option<String>,
    /// SHA-256, lower-case hex.
    pub sha256: Option<String>,
    /// SHA-512, lower-case hex.
    pub sha512: Option<String>,
}

/// What becomes of the version when its publication is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is finished: Published, if it was Unfinished or new.
    Publish,
    /// It stays as it is; a new one is Unfinished.
    Leave,
}

/// What was published.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version, as it is now.
    pub version: VersionRecord,
    /// Whether any asset is new; `false` when every one was here already with the same bytes.
    pub is_new: bool,
}

impl Publication {
    /// Which version.
    pub fn id(&self) -> &VersionId {
        &self.id
    }

    /// The version as it is now, if it exists.
    pub fn existing(&self) -> Option<&VersionRecord> {
        todo!()
    }

    /// Stores a file: streams it, computes its digests, compares them with the promise. Nothing is visible yet.
    ///
    /// Errors: `TooLarge`, `Quota`, `Mismatch`, `Interrupted`; `Invalid` when the format cannot read the description in it.
    pub async fn add(
        &mut self,
        _name: AssetName,
        _body: impl Stream<Item = io::Result<Bytes>> + Send,
        _promise: &Promise,
    ) -> Result<Digests> {
        todo!()
    }

    /// Makes what was added visible, in one transaction. Errors: `Conflict` when a file of the name has other bytes, or
    /// the version takes no more files.
    pub async fn commit(self, _then: Then) -> Result<Published> {
        todo!()
    }
}
