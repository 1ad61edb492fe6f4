//! Searching one open repository: what a package manager's own search asks for.

use std::collections::HashMap;
use std::sync::Arc;

use aws::Timestamp;
use store::Value;

use super::walk::{Place, Plan};
use super::{PackageFound, Search};
use crate::change::read_package_id;
use crate::format::Manifest;
use crate::names::{PackageId, Version};
use crate::open::OpenRepository;
use crate::page::Page;
use crate::{Error, Result};

/// Packages of one statement.
const AT_ONCE: usize = 10;

/// Packages with the version that stands for them: the one of the label `$1`, or the newest that is listed.
const SUMMARIES: &str = "
    SELECT found.package_id, packages.format, packages.namespace, packages.name,
           COALESCE(named.version, newest.version) AS version,
           COALESCE(named.published_upstream, named.published, newest.published_upstream, newest.published) AS published,
           COALESCE(named.manifest, newest.manifest) AS manifest
      FROM search_packages AS found
      JOIN packages ON packages.id = found.package_id
      JOIN versions AS newest ON newest.package_id = found.package_id AND newest.version = found.version
      LEFT JOIN labels ON labels.package_id = found.package_id AND labels.label = $1
      LEFT JOIN versions AS named ON named.package_id = found.package_id AND named.version = labels.version
                                 AND named.status = 'Published'
     WHERE found.package_id IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// A package of a repository with the version that stands for it.
#[derive(Debug, Clone)]
pub struct PackageSummary {
    /// Which.
    pub id: PackageId,
    /// The version that the format's [display label](crate::Format::display_label) names, if it is listed; else the
    /// newest that is.
    pub version: Version,
    /// When it was published; at the registry, if it comes from one.
    pub published: Timestamp,
    /// What it says of itself, without its readme.
    pub manifest: Manifest,
}

impl OpenRepository {
    /// Packages of this format that this very repository records, best first. Of `search`, format and repository do not
    /// count. A page may have fewer entries than `limit` and still say where to go on.
    ///
    /// Errors: `Denied`; `Invalid` (as [`Catalog::search`](crate::Catalog::search)).
    pub async fn search(
        &self,
        search: &Search,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<PackageFound>> {
        self.may_read().await?;
        let plan = Plan::of(&Search {
            format: Some(self.format.name()),
            ..search.clone()
        })?;
        let place = after.map(str::parse::<Place>).transpose()?;
        self.catalog
            .walk(&[Arc::clone(&self.repository)], &plan, place, limit)
            .await
    }

    /// What there is to show of packages that were found, in their order. Those that have gone since are left out.
    pub async fn summaries(&self, found: &[PackageFound]) -> Result<Vec<PackageSummary>> {
        self.may_read().await?;
        let label = self.format.display_label().unwrap_or_default();
        let mut summaries = Vec::with_capacity(found.len());
        for some in found.chunks(AT_ONCE) {
            let ids = some.iter().map(|found| found.row_id.as_str());
            let ids = ids.chain(std::iter::repeat("")).take(AT_ONCE);
            let values = std::iter::once(label).chain(ids).map(Value::from);
            let rows = self.catalog.0.database.rows(SUMMARIES, values.collect());
            let rows: HashMap<_, _> = rows
                .await?
                .into_iter()
                .map(|row| Ok((row.text("package_id")?, row)))
                .collect::<Result<_>>()?;
            for row in some.iter().filter_map(|found| rows.get(&found.row_id)) {
                let mut manifest: Manifest =
                    serde_json::from_str(row.as_str("manifest")?).map_err(Error::internal)?;
                manifest.readme = None;
                summaries.push(PackageSummary {
                    id: read_package_id(row)?,
                    version: row.parse("version")?,
                    published: Timestamp::from_millis(row.int("published")?),
                    manifest,
                });
            }
        }
        Ok(summaries)
    }
}
