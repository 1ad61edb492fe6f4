//! Tags of domains, repositories and package groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam::{Caller, RequestTags};

use crate::action::Action;
use crate::domain::{Domain, DomainAt, read_tags};
use crate::error::Kind;
use crate::group::{self, GroupAt, PackageGroup, no_group};
use crate::names::is_other;
use crate::permit::{Permit, Subject, no_domain, no_repository};
use crate::repository::{Repository, RepositoryAt};
use crate::shelf::domain_topic;
use crate::{Catalog, Error, Result};

/// What may carry tags.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TaggedAt {
    /// A domain.
    Domain(DomainAt),
    /// A repository.
    Repository(RepositoryAt),
    /// A package group.
    PackageGroup(GroupAt),
}

const OF_DOMAIN: &str = "
    SELECT tags
      FROM domains
     WHERE id = $1";

const OF_REPOSITORY: &str = "
    SELECT tags
      FROM repositories
     WHERE id = $1";

const OF_PACKAGE_GROUP: &str = "
    SELECT tags
      FROM package_groups
     WHERE id = $1";

const SET_OF_DOMAIN: &str = "
    UPDATE domains
       SET tags = $2
     WHERE id = $1";

const SET_OF_REPOSITORY: &str = "
    UPDATE repositories
       SET tags = $2
     WHERE id = $1";

const SET_OF_PACKAGE_GROUP: &str = "
    UPDATE package_groups
       SET tags = $2
     WHERE id = $1";

/// A thing with tags that the caller may act on.
enum Tagged {
    Domain(Permit<Domain>),
    Repository(Permit<Repository>),
    PackageGroup(Permit<PackageGroup>),
}

/// What a change does to the tags that are there.
type Edit = dyn Fn(&mut BTreeMap<String, String>) + Send + Sync;

impl Catalog {
    /// The tags of a thing, in key order. Errors: `Denied`, `NotFound`.
    pub async fn tags(&self, caller: &Caller, at: &TaggedAt) -> Result<Vec<(String, String)>> {
        let action = Action::ListTagsForResource;
        Ok(match self.tagged(caller, action, at, None).await? {
            Tagged::Domain(domain) => domain.tags.clone(),
            Tagged::Repository(repository) => repository.tags.clone(),
            Tagged::PackageGroup(group) => group.tags.clone(),
        })
    }

    /// Adds tags, over those of the same keys. Errors: `Invalid`, `Denied`, `NotFound`, `Quota`.
    pub async fn tag(
        &self,
        caller: &Caller,
        at: &TaggedAt,
        tags: Vec<(String, String)>,
    ) -> Result<()> {
        let (kind, id) = at.named();
        let tags = checked(tags, self.0.limits.tags_per_resource, kind, id)?;
        let tagged = self
            .tagged(
                caller,
                Action::TagResource,
                at,
                Some(RequestTags::Put(&tags)),
            )
            .await?;
        let edit = move |present: &mut BTreeMap<String, String>| present.extend(tags.clone());
        self.edit_tags(tagged, Arc::new(edit)).await
    }

    /// Removes the tags of these keys; keys that are not there are no error. Errors: `Denied`, `NotFound`.
    pub async fn untag(&self, caller: &Caller, at: &TaggedAt, keys: Vec<String>) -> Result<()> {
        let removed = Some(RequestTags::Remove(&keys));
        let tagged = self
            .tagged(caller, Action::UntagResource, at, removed)
            .await?;
        let edit = move |present: &mut BTreeMap<String, String>| {
            present.retain(|key, _| !keys.contains(key));
        };
        self.edit_tags(tagged, Arc::new(edit)).await
    }

    /// The thing, if the caller may do `action` to its tags. Errors: `Denied`, then `NotFound`.
    async fn tagged(
        &self,
        caller: &Caller,
        action: Action,
        at: &TaggedAt,
        request_tags: Option<RequestTags<'_>>,
    ) -> Result<Tagged> {
        let domain_at = at.domain();
        let map = self.find_domain(domain_at).await?;
        let (arn, repository) = match at {
            TaggedAt::Domain(at) => (self.domain_arn(at), None),
            TaggedAt::Repository(at) => {
                let found = map.as_ref().and_then(|map| map.repositories.get(&at.name));
                (self.repository_arn(at), found)
            }
            TaggedAt::PackageGroup(at) => {
                let group = self.package_group_asking(caller, action, at, request_tags);
                return group.await.map(Tagged::PackageGroup);
            }
        };
        let subject = Subject {
            resources: &[&arn],
            owner: &domain_at.owner,
            domain: map.as_ref().map(|map| &*map.domain),
            repository: repository.map(|repository| &**repository),
            group: None,
            request_tags,
        };
        self.authorize(caller, action, subject).await?;
        let map = map.as_ref().ok_or_else(|| no_domain(domain_at))?;
        let TaggedAt::Repository(at) = at else {
            let domain = Arc::clone(&map.domain);
            return Ok(Tagged::Domain(self.permit(domain, caller, action)));
        };
        let repository = repository.ok_or_else(|| no_repository(at))?;
        let repository = self.permit(Arc::clone(repository), caller, action);
        Ok(Tagged::Repository(repository))
    }

    async fn edit_tags(&self, tagged: Tagged, edit: Arc<Edit>) -> Result<()> {
        let (limit, now) = (self.0.limits.tags_per_resource, self.now());
        let (at, read, write) = match &tagged {
            Tagged::Domain(domain) => (TaggedAt::Domain(domain.at()), OF_DOMAIN, SET_OF_DOMAIN),
            Tagged::Repository(repository) => {
                let at = TaggedAt::Repository(repository.at());
                (at, OF_REPOSITORY, SET_OF_REPOSITORY)
            }
            Tagged::PackageGroup(group) => {
                let at = TaggedAt::PackageGroup(group.at());
                (at, OF_PACKAGE_GROUP, SET_OF_PACKAGE_GROUP)
            }
        };
        self.0
            .database
            .write(move |tx| {
                let id = match &tagged {
                    Tagged::Domain(domain) => domain.id.to_string(),
                    Tagged::Repository(repository) => repository.id.to_string(),
                    Tagged::PackageGroup(group) => group::row_id(tx, group, now)?,
                };
                let rows = tx.rows(read, &[(&*id).into()])?;
                let row = rows.first().ok_or_else(|| at.missing())?;
                let mut tags: BTreeMap<_, _> = read_tags(row)?.into_iter().collect();
                edit(&mut tags);
                if tags.len() > limit as usize {
                    let (kind, id) = at.named();
                    return Err(too_many(limit, kind, id));
                }
                let tags: Vec<_> = tags.into_iter().collect();
                let text = serde_json::to_string(&tags).map_err(Error::internal)?;
                tx.execute(write, &[(&*id).into(), text.into()])?;
                tx.touch(&domain_topic(at.domain()));
                Ok(())
            })
            .await
    }
}

impl TaggedAt {
    fn domain(&self) -> &DomainAt {
        match self {
            TaggedAt::Domain(at) => at,
            TaggedAt::Repository(at) => &at.domain,
            TaggedAt::PackageGroup(at) => &at.domain,
        }
    }

    fn named(&self) -> (Kind, &str) {
        match self {
            TaggedAt::Domain(at) => (Kind::Domain, at.name.as_str()),
            TaggedAt::Repository(at) => (Kind::Repository, at.name.as_str()),
            TaggedAt::PackageGroup(at) => (Kind::PackageGroup, &at.pattern),
        }
    }

    fn missing(&self) -> Error {
        match self {
            TaggedAt::Domain(at) => no_domain(at),
            TaggedAt::Repository(at) => no_repository(at),
            TaggedAt::PackageGroup(at) => no_group(&at.domain, &at.pattern),
        }
    }
}

fn too_many(limit: u32, kind: Kind, id: &str) -> Error {
    Error::Quota {
        kind,
        id: id.to_owned(),
        message: format!("a resource may have at most {limit} tags"),
    }
}

/// Checks tags that a request brings and puts them in key order. Errors: `Invalid` (a key that is doubled, reserved or
/// misspelt), `Quota`.
pub(crate) fn checked(
    tags: Vec<(String, String)>,
    limit: u32,
    kind: Kind,
    id: &str,
) -> Result<Vec<(String, String)>> {
    let mut checked = BTreeMap::new();
    for (key, value) in tags {
        let length = key.chars().count();
        if length == 0 || length > 128 || key.chars().any(is_other) {
            return Err(Error::Invalid(format!(
                "tag key `{key}` must have 1 to 128 characters and no control characters"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::Invalid(format!(
                "tag key `{key}` must not begin with `aws:`"
            )));
        }
        if value.chars().count() > 256 || value.chars().any(is_other) {
            return Err(Error::Invalid(format!(
                "the value of tag `{key}` must have at most 256 characters and no control characters"
            )));
        }
        if checked.contains_key(&key) {
            return Err(Error::Invalid(format!("tag key `{key}` is given twice")));
        }
        checked.insert(key, value);
    }
    if checked.len() > limit as usize {
        return Err(too_many(limit, kind, id));
    }
    Ok(checked.into_iter().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(tags: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        checked(tags, 2, Kind::Domain, "d")
    }

    #[test]
    fn tags_are_sorted_and_the_wrong_ones_refused() {
        assert_eq!(check(&[("b", "2"), ("a", "")]).unwrap()[0].0, "a");
        assert!(matches!(
            check(&[("a", "1"), ("a", "2")]),
            Err(Error::Invalid(_))
        ));
        assert!(matches!(check(&[("aws:x", "1")]), Err(Error::Invalid(_))));
        assert!(matches!(check(&[("", "1")]), Err(Error::Invalid(_))));
        assert!(matches!(check(&[("a", "\n")]), Err(Error::Invalid(_))));
        assert!(matches!(
            check(&[("a", ""), ("b", ""), ("c", "")]),
            Err(Error::Quota { .. })
        ));
    }
}
