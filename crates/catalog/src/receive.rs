//! Bytes that come before it is known which version they belong to: npm's publish document has them in its middle, a form
//! may have them first.

use bytes::Bytes;
use store::{Digests, SealedReader};

use crate::action::Action;
use crate::names::{AssetName, PackageId};
use crate::open::OpenRepository;
use crate::publish::Promise;
use crate::upstream::Walk;
use crate::{Error, Result};

/// Bytes coming in. Dropped: nothing is left.
pub struct Receiving {
    incoming: store::Incoming,
}

/// Bytes that are here whole, with their digests, and belong to nothing yet. Dropped: nothing is left.
pub struct Received {
    pub(crate) sealed: store::Sealed,
}

impl OpenRepository {
    /// Refuses what [`OpenRepository::publish`] would refuse of every version of a package: `PublishPackageVersion`, then
    /// origin controls. For formats that learn the version from the body: nothing of it should be taken in vain.
    pub async fn may_publish_to(&self, package: &PackageId) -> Result<()> {
        let permit = self.permit(Action::PublishPackageVersion, package).await?;
        let catalog = &self.catalog;
        let mut walk = Walk::begin(catalog, &self.repository, self.format, package).await?;
        let here = walk.next(catalog).await?;
        let recorded = here.as_ref().and_then(|stop| stop.package.as_ref());
        walk.ruling()
            .may_publish(&permit.repository, recorded, self.now())
    }

    /// Takes in bytes for a package after [`OpenRepository::may_publish_to`]; at most those of an asset.
    pub async fn receive(&self, package: &PackageId) -> Result<Receiving> {
        self.may_publish_to(package).await?;
        let limit_bytes = self.catalog.0.limits.asset_size_bytes;
        Ok(Receiving {
            incoming: self.catalog.0.blobs.incoming(limit_bytes),
        })
    }
}

impl OpenRepository {
    /// Bytes of an asset, at most: what announces more can be refused before it is sent.
    pub fn asset_limit_bytes(&self) -> u64 {
        self.catalog.0.limits.asset_size_bytes
    }

    /// The same as [`OpenRepository::receive`] before even the package is known, from whoever may read: a form may have its file before its fields.
    /// Nothing can be done with the bytes but to add them to a publication, which asks for the permission.
    pub async fn receive_unnamed(&self) -> Result<Receiving> {
        self.may_read().await?;
        let limit_bytes = self.catalog.0.limits.asset_size_bytes;
        Ok(Receiving {
            incoming: self.catalog.0.blobs.incoming(limit_bytes),
        })
    }
}

impl Receiving {
    /// Takes the next bytes. Errors: `TooLarge`.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.incoming.write(bytes).await?)
    }

    /// They are whole.
    pub async fn seal(self) -> Result<Received> {
        let sealed = self.incoming.seal().await?;
        Ok(Received { sealed })
    }
}

impl Received {
    /// How many.
    pub fn size_bytes(&self) -> u64 {
        self.sealed.size()
    }

    /// Their digests.
    pub fn digests(&self) -> &Digests {
        self.sealed.digests()
    }

    /// Reads them from the beginning, on a thread that may block.
    pub fn reader(&self) -> SealedReader {
        self.sealed.reader()
    }

    /// Compares with what was promised. Errors: `Mismatch`.
    pub(crate) fn check(&self, name: &AssetName, promise: &Promise) -> Result<()> {
        promise
            .check(self.size_bytes(), self.digests())
            .map_err(|problem| {
                Error::Mismatch(format!(
                    "asset {name} does not match what was promised: {problem}"
                ))
            })
    }
}
