//! Files of versions, and the one way their bytes leave.

use std::ops::Range;

use aws::Timestamp;
use bytes::Bytes;
use store::{ByteStream, Digests};

use crate::Result;
use crate::names::{AssetId, AssetName};

/// A file of a version, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRecord {
    /// Its name.
    pub name: AssetName,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its digests.
    pub digests: Digests,
    /// When it was stored, or when the registry it came from says it was last changed.
    pub modified: Timestamp,
}

/// A file that may be served: its facts, and its bytes when asked for.
///
/// While it is still being fetched from a registry, size and digests may not be known; [`Asset::settled`] waits.
pub struct Asset {
    /// Which file.
    pub id: AssetId,
    /// When it was stored here, or last changed at its registry.
    pub modified: Timestamp,
    pub(crate) _source: (),
}

impl Asset {
    /// Its size in bytes, if known.
    pub fn size_bytes(&self) -> Option<u64> {
        todo!()
    }

    /// Its digests, if known: always, except while it is being fetched.
    pub fn digests(&self) -> Option<&Digests> {
        todo!()
    }

    /// The whole of it, if it is small and in memory already.
    pub fn in_memory(&self) -> Option<Bytes> {
        todo!()
    }

    /// Waits until a running fetch has ended, so that size and digests are known and a range can be read.
    pub async fn settled(self) -> Result<Asset> {
        todo!()
    }

    /// Its bytes, or those of `range` (only when settled). A fetch that fails breaks the stream: it never ends cleanly.
    pub async fn bytes(&self, _range: Option<Range<u64>>) -> Result<ByteStream> {
        todo!()
    }
}
