//! What a registry says anew of files that were taken from it, written back.
//!
//! A list brings them up to date each time it is made, so nobody needs this while the registry is asked. It is for
//! afterwards: a file that was yanked stays so when the connection is removed, or the upstream is closed.

use std::sync::Arc;

use crate::listing::ListedVersion;
use crate::names::{AssetName, ConnectionName, PackageId, Version};
use crate::repository::Repository;
use crate::shelf::package_topic;
use crate::{Catalog, Result, record};

/// A file of which a registry says something else than is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Refreshed {
    version: Version,
    asset: AssetName,
    connection: ConnectionName,
    before: Arc<str>,
    now: Arc<str>,
}

/// Changes the files of a listed version with `refresh`, and gives those of which another thing is said now.
pub(crate) fn watch(
    listed: &mut ListedVersion,
    connection: &ConnectionName,
    refresh: impl FnOnce(&mut ListedVersion),
) -> Vec<Refreshed> {
    let documents = |listed: &ListedVersion| -> Vec<_> {
        let assets = listed.assets.iter();
        assets.map(|asset| asset.document.clone()).collect()
    };
    let before = documents(listed);
    refresh(listed);
    // Further files stand behind those that were there.
    let pairs = before.into_iter().zip(&listed.assets);
    pairs
        .filter_map(|(before, asset)| {
            let (before, now) = (before?, asset.document.clone()?);
            (before != now).then(|| Refreshed {
                version: listed.version.clone(),
                asset: asset.name.clone(),
                connection: connection.clone(),
                before,
                now,
            })
        })
        .collect()
}

/// Only where the same was remembered of the file, and it came from that registry.
const REMEMBER: &str = "
    UPDATE assets
       SET document = $9
     WHERE name = $7
       AND document = $8
       AND version_id IN (SELECT versions.id
                            FROM packages
                            JOIN versions ON versions.package_id = packages.id
                           WHERE repository_id = $1
                             AND format = $2
                             AND namespace = $3
                             AND packages.name = $4
                             AND version = $5
                             AND origin_connection = $6)";

impl Catalog {
    /// Remembers it, in all of these repositories. No revision changes: the files are the same.
    pub(crate) async fn remember(
        &self,
        repositories: Vec<Arc<Repository>>,
        package: &PackageId,
        refreshed: Vec<Refreshed>,
    ) -> Result<()> {
        let package = package.clone();
        self.0
            .database
            .write(move |tx| {
                for repository in &repositories {
                    let mut changed = 0;
                    for file in &refreshed {
                        let mut values = record::package_key(repository, &package);
                        values.extend([
                            file.version.as_str().into(),
                            file.connection.as_str().into(),
                            file.asset.as_str().into(),
                            (&*file.before).into(),
                            (&*file.now).into(),
                        ]);
                        changed += tx.execute(REMEMBER, &values)?;
                    }
                    if changed > 0 {
                        tx.touch(&repository.topic);
                        tx.touch(&package_topic(repository, &package));
                    }
                }
                Ok(())
            })
            .await
    }
}
