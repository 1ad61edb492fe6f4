//! What was read is kept, and every writing transaction says what it changed.
//!
//! Two caches, for the two look-ups of a warm read: the repositories and groups of a domain, and the assets of a repository. An
//! entry carries the stamp that its topic had *before* it was read; a commit moves the topic's stamp on, here before the
//! write returns and on other nodes through the database's notifications. So an entry is either true or not used. When
//! a node cannot confirm that it hears the others, nothing kept is used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use store::{Database, Location, Touched};

use crate::asset::AssetRecord;
use crate::domain::{Domain, DomainAt};
use crate::group::Groups;
use crate::names::{AssetId, PackageId, RepositoryName};
use crate::package::VersionRecord;
use crate::repository::Repository;

/// Domains whose repositories are kept.
const DOMAINS: u64 = 1_000;

/// Assets whose records are kept: some 1 KB each.
const ASSETS: u64 = 50_000;

/// A domain with all its repositories, at most 1000 by quota, and all its package groups.
pub(crate) struct DomainMap {
    pub(crate) domain: Arc<Domain>,
    pub(crate) repositories: HashMap<RepositoryName, Arc<Repository>>,
    pub(crate) groups: Groups,
}

/// An asset of a version, with what decides whether it may be served.
#[derive(Debug, Clone)]
pub(crate) struct ShelvedAsset {
    pub(crate) version: VersionRecord,
    pub(crate) record: AssetRecord,
    pub(crate) location: Location,
    /// Whether a scrub has found that its bytes are not what they were.
    pub(crate) is_quarantined: bool,
}

/// What a topic was at some moment. Equal stamps: nothing has happened to it in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    everything: u64,
    topic: u64,
}

#[derive(Default)]
struct Stamps {
    everything: AtomicU64,
    topics: RwLock<HashMap<String, Arc<AtomicU64>>>,
}

impl Stamps {
    fn now(&self, topic: &str) -> Stamp {
        let topic = self
            .topics
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(topic)
            .map_or(0, |number| number.load(Ordering::Acquire));
        Stamp {
            everything: self.everything.load(Ordering::Acquire),
            topic,
        }
    }

    fn move_on(&self, touched: &Touched) {
        match touched {
            Touched::Everything => {
                self.everything.fetch_add(1, Ordering::AcqRel);
            }
            Touched::Topics(topics) => {
                for topic in topics {
                    let known = {
                        let map = self.topics.read().unwrap_or_else(PoisonError::into_inner);
                        map.get(topic).cloned()
                    };
                    let number = known.unwrap_or_else(|| {
                        let mut map = self.topics.write().unwrap_or_else(PoisonError::into_inner);
                        Arc::clone(map.entry(topic.clone()).or_default())
                    });
                    number.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
    }
}

/// The topic that a transaction touches when it changes a domain, one of its repositories or one of its groups.
pub(crate) fn domain_topic(at: &DomainAt) -> String {
    format!("domain:{}/{}", at.owner, at.name)
}

/// The topic that a transaction touches when it changes packages of a repository.
pub(crate) fn packages_topic(repository_id: &str) -> String {
    format!("packages:{repository_id}")
}

/// The topic that a transaction touches besides when it changes this package, or one of the few others of the topic: the
/// packages of a repository share 256 of them, so that no number is held for each package there ever was.
pub(crate) fn package_topic(repository: &Repository, package: &PackageId) -> String {
    // The same on all nodes, whatever they were built with.
    let [first, ..] = <[u8; 32]>::from(Sha256::digest(package.to_string()));
    format!("{}#{first:02x}", repository.topic)
}

/// The caches.
pub(crate) struct Shelf {
    database: Database,
    stamps: Arc<Stamps>,
    domains: Cache<DomainAt, (Stamp, Arc<DomainMap>)>,
    assets: Cache<(Arc<str>, AssetId), (Stamp, Arc<ShelvedAsset>)>,
}

impl Shelf {
    pub(crate) fn new(database: &Database) -> Self {
        let stamps = Arc::new(Stamps::default());
        let moved = Arc::clone(&stamps);
        database.on_touch(move |touched| moved.move_on(touched));
        Self {
            database: database.clone(),
            stamps,
            domains: Cache::new(DOMAINS),
            assets: Cache::new(ASSETS),
        }
    }

    /// What the topic is now. Taken before reading what is then [put](Shelf::put_domain) here.
    pub(crate) fn stamp(&self, topic: &str) -> Stamp {
        self.stamps.now(topic)
    }

    /// Whether nothing has happened to these since.
    pub(crate) fn stands(&self, stamps: &[(Arc<str>, Stamp)]) -> bool {
        stamps
            .iter()
            .all(|(topic, stamp)| self.stamps.now(topic) == *stamp)
            && self.database.confirmed()
    }

    pub(crate) fn domain(&self, at: &DomainAt, now: Stamp) -> Option<Arc<DomainMap>> {
        let (stamp, map) = self.domains.get(at)?;
        (stamp == now && self.database.confirmed()).then_some(map)
    }

    pub(crate) fn put_domain(&self, at: &DomainAt, stamp: Stamp, map: &Arc<DomainMap>) {
        self.domains.insert(at.clone(), (stamp, Arc::clone(map)));
    }

    pub(crate) fn asset(&self, repository: &Repository, id: &AssetId) -> Option<Arc<ShelvedAsset>> {
        let (stamp, asset) = self.assets.get(&(Arc::clone(&repository.id), id.clone()))?;
        (stamp == self.stamp(&repository.topic) && self.database.confirmed()).then_some(asset)
    }

    pub(crate) fn put_asset(
        &self,
        repository: &Repository,
        id: &AssetId,
        stamp: Stamp,
        asset: &Arc<ShelvedAsset>,
    ) {
        self.assets.insert(
            (Arc::clone(&repository.id), id.clone()),
            (stamp, Arc::clone(asset)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_when_its_topic_or_everything_is_touched_and_not_otherwise() {
        let stamps = Stamps::default();
        let before = stamps.now("a");
        stamps.move_on(&Touched::Topics(vec!["b".to_owned()]));
        assert_eq!(stamps.now("a"), before);
        stamps.move_on(&Touched::Topics(vec!["a".to_owned()]));
        let touched = stamps.now("a");
        assert_ne!(touched, before);
        stamps.move_on(&Touched::Everything);
        assert_ne!(stamps.now("a"), touched);
    }
}
