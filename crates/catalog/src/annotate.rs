//! What the clients of a format may do to versions that are there: mark them, hide them, delete them.

use std::sync::Arc;

use crate::action::Action;
use crate::change::Novelty;
use crate::names::{PackageId, Version};
use crate::open::OpenRepository;
use crate::package::Status;
use crate::versions::{Outcomes, Selection};
use crate::{Result, record};

impl OpenRepository {
    /// Writes the format's own documents of versions of this repository anew, in one transaction. `edit` gives the new
    /// text, or `None` to leave it; it may be called more than once. The result is the versions that changed; versions
    /// that are not here are left out.
    ///
    /// Errors: those of [`OpenRepository::may_annotate`].
    pub async fn edit_documents(
        &self,
        package: &PackageId,
        versions: Vec<Version>,
        edit: impl Fn(&Version, Option<&str>) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Vec<Version>> {
        let permit = self.annotating(package).await?;
        let (repository, id, by) = (Arc::clone(&self.repository), package.clone(), permit.by());
        self.catalog
            .0
            .database
            .write(move |tx| {
                let mut changed = Vec::new();
                let Some(row) = record::package(tx, &repository, &id)? else {
                    return Ok(changed);
                };
                for version in &versions {
                    let Some(mut found) = record::version(tx, &row, version)? else {
                        continue;
                    };
                    let Some(text) = edit(version, found.document.as_deref()) else {
                        continue;
                    };
                    if found.document.as_ref() == Some(&text) {
                        continue;
                    }
                    found.document = Some(text);
                    let assets = record::assets(tx, &found)?;
                    let novelty = Novelty {
                        created: false,
                        described: true,
                    };
                    record::save(tx, &repository, &by, &id, &mut found, &assets, novelty)?;
                    changed.push(version.clone());
                }
                if !changed.is_empty() {
                    record::edited(tx, &row, &by)?;
                }
                Ok(changed)
            })
            .await
    }

    /// Gives versions of this repository another state; `UpdatePackageVersionsStatus`. All or none. Errors: `NotFound`
    /// (package), `Invalid` for a state that is no target.
    pub async fn set_status(
        &self,
        package: &PackageId,
        versions: Vec<Version>,
        target: Status,
    ) -> Result<Outcomes> {
        let selection = Selection {
            versions,
            ..Selection::default()
        };
        self.permit(Action::UpdatePackageVersionsStatus, package)
            .await?
            .set_status(selection, target)
            .await
    }

    /// `DeletePackageVersions` on the package. Called by [`OpenRepository::delete_versions`]; a format calls it itself
    /// where a client asks to delete what goes with a version.
    pub async fn may_delete(&self, package: &PackageId) -> Result<()> {
        self.permit(Action::DeletePackageVersions, package)
            .await
            .map(drop)
    }

    /// Deletes versions of this repository; `DeletePackageVersions`. All or none. Errors: `NotFound` (package).
    pub async fn delete_versions(
        &self,
        package: &PackageId,
        versions: Vec<Version>,
    ) -> Result<Outcomes> {
        let selection = Selection {
            versions,
            ..Selection::default()
        };
        self.permit(Action::DeletePackageVersions, package)
            .await?
            .delete_versions(selection)
            .await
    }
}
