//! What this node knows without asking the database, and how it notices that it no longer knows.
//!
//! Every transaction that changes anything about identities touches one topic. Each touch makes a new *generation*, and
//! whatever was read under an older one is read anew when it is next needed. The number is taken before the reading
//! begins, so a change that slips in between only costs another reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws::sigv4::SigningKey;
use aws::{AccessKeyId, AccountId, Timestamp};
use moka::sync::Cache;
use store::{Database, Touched};

use crate::access_keys::Status;
use crate::identity::{Holder, Identity, Whose};
use crate::ids::Id128;
use crate::revocations::{self, Revocations};
use crate::sessions::Session;
use crate::token_keys::{self, Purpose, Ring};
use crate::{Error, Iam};

/// What transactions touch that change anything about identities.
pub(crate) const TOPIC: &str = "iam";

/// An unknown token key makes this node look into the database, but no more often than this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What every request needs, as of one generation.
pub(crate) struct Known {
    generation: u64,
    read_at: Timestamp,
    pub(crate) revocations: Revocations,
    pub(crate) bearer: Ring,
    pub(crate) sts: Ring,
    organizations: Vec<(AccountId, String)>,
}

impl Known {
    pub(crate) fn organization(&self, account: &AccountId) -> Option<&str> {
        self.organizations
            .iter()
            .find(|(known, _)| known == account)
            .map(|(_, organization)| organization.as_str())
    }
}

/// What a request may come with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Key(AccessKeyId),
    Session(Id128),
}

/// Something read under a generation; `None` when there is no such thing.
struct Dated<T> {
    generation: u64,
    thing: Option<Arc<T>>,
}

impl<T> Clone for Dated<T> {
    fn clone(&self) -> Self {
        Self {
            generation: self.generation,
            thing: self.thing.clone(),
        }
    }
}

/// The number of the newest change that this node has heard of.
#[derive(Clone, Default)]
pub(crate) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(crate) fn follow(database: &Database) -> Self {
        let generation = Self::default();
        let number = Arc::clone(&generation.0);
        database.on_touch(move |touched| {
            let ours = match touched {
                Touched::Topics(topics) => topics.iter().any(|topic| topic == TOPIC),
                Touched::Everything => true,
            };
            if ours {
                number.fetch_add(1, Ordering::SeqCst);
            }
        });
        generation
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What was read, each with its generation.
pub(crate) struct Caches {
    identities: Cache<Origin, Dated<Identity>>,
    holders: Cache<(AccountId, Whose), Dated<Holder>>,
    /// Rows of sessions do not change, so they outlive generations.
    sessions: Cache<Id128, Arc<Session>>,
    /// Good for a day; the secret itself is wiped once this is derived. By key, day, region and service.
    pub(crate) signing_keys: Cache<(AccessKeyId, String), SigningKey>,
}

impl Caches {
    /// Bounded by number: an identity with all the decisions it may keep is some 60 KB, and 2 KB as a rule.
    pub(crate) fn new() -> Self {
        let (hour, day) = (Duration::from_hours(1), Duration::from_hours(24));
        Self {
            identities: Cache::builder()
                .max_capacity(20_000)
                .time_to_idle(hour)
                .build(),
            holders: Cache::builder()
                .max_capacity(20_000)
                .time_to_idle(hour)
                .build(),
            sessions: Cache::builder()
                .max_capacity(50_000)
                .time_to_idle(day)
                .build(),
            signing_keys: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(day)
                .build(),
        }
    }
}

const ORGANIZATIONS: &str = "
    SELECT id, organization_id
      FROM accounts
     WHERE organization_id IS NOT NULL
     ORDER BY id";

impl Iam {
    /// Keys, revocations and organizations as of now. Errors: [`Error::Unconfirmed`].
    pub(crate) async fn known(&self) -> Result<Arc<Known>, Error> {
        self.confirm()?;
        match self.known_slot().load_full() {
            Some(known) if known.generation == self.generation().now() => Ok(known),
            _ => {
                // One reads, the others wait for it.
                let _reading = self.reading().lock().await;
                match self.known_slot().load_full() {
                    Some(known) if known.generation == self.generation().now() => Ok(known),
                    _ => self.read_known().await,
                }
            }
        }
    }

    /// The same, read again because somebody came with a token key that is not among them; at most every five seconds.
    pub(crate) async fn known_again(&self) -> Result<Arc<Known>, Error> {
        let _reading = self.reading().lock().await;
        match self.known_slot().load_full() {
            Some(known) if self.clock().now().since(known.read_at) < LOOK_AGAIN => Ok(known),
            _ => self.read_known().await,
        }
    }

    async fn read_known(&self) -> Result<Arc<Known>, Error> {
        let (generation, read_at) = (self.generation().now(), self.clock().now());
        let mut organizations = Vec::new();
        for row in self.database().rows(ORGANIZATIONS, Vec::new()).await? {
            organizations.push((row.parse("id")?, row.text("organization_id")?));
        }
        let known = Arc::new(Known {
            generation,
            read_at,
            revocations: revocations::load(self.database()).await?,
            bearer: token_keys::load(self.vault(), self.database(), Purpose::Bearer).await?,
            sts: token_keys::load(self.vault(), self.database(), Purpose::Sts).await?,
            organizations,
        });
        self.known_slot().store(Some(Arc::clone(&known)));
        Ok(known)
    }

    /// Who stands behind a key or session, as of now; `None` when nobody does.
    pub(crate) async fn identity(&self, origin: &Origin) -> Result<Option<Arc<Identity>>, Error> {
        let generation = self.generation().now();
        if let Some(found) = self.caches().identities.get(origin)
            && found.generation == generation
        {
            return Ok(found.thing);
        }
        let thing = match origin {
            Origin::Key(id) => self.identity_of_key(id).await?,
            Origin::Session(id) => self.identity_of_session(*id).await?,
        };
        let thing = thing.map(Arc::new);
        self.caches().identities.insert(
            origin.clone(),
            Dated {
                generation,
                thing: thing.clone(),
            },
        );
        Ok(thing)
    }

    /// A principal with its policies, as of now; `None` when it is gone.
    pub(crate) async fn holder(
        &self,
        account: &AccountId,
        whose: &Whose,
    ) -> Result<Option<Arc<Holder>>, Error> {
        let generation = self.generation().now();
        let key = (*account, whose.clone());
        if let Some(found) = self.caches().holders.get(&key)
            && found.generation == generation
        {
            return Ok(found.thing);
        }
        let thing = self.read_holder(account, whose).await?.map(Arc::new);
        self.caches().holders.insert(
            key,
            Dated {
                generation,
                thing: thing.clone(),
            },
        );
        Ok(thing)
    }

    async fn identity_of_key(&self, id: &AccessKeyId) -> Result<Option<Identity>, Error> {
        let Some(key) = self.access_key(id).await? else {
            return Ok(None);
        };
        if key.status != Status::Active {
            return Ok(None);
        }
        let Some(holder) = self.holder(&key.account, &key.whose).await? else {
            return Ok(None);
        };
        let known = self.known().await?;
        let organization = known.organization(&holder.account);
        Ok(Some(Identity::of_key(
            Arc::clone(&holder),
            key,
            organization,
        )))
    }

    async fn identity_of_session(&self, id: Id128) -> Result<Option<Identity>, Error> {
        let session = match self.caches().sessions.get(&id) {
            Some(session) => session,
            None => match self.load_session(id).await? {
                Some(session) => Arc::new(session),
                None => return Ok(None),
            },
        };
        self.caches().sessions.insert(id, Arc::clone(&session));
        let Some(holder) = self.holder(&session.account, &session.whose).await? else {
            return Ok(None);
        };
        let policies = match &session.policies {
            Some(policies) => Some(self.session_set(policies).await?),
            None => None,
        };
        let known = self.known().await?;
        let revoked = session.is_revoked(&known.revocations);
        let organization = known.organization(&holder.account);
        Ok(Some(Identity::of_session(
            Arc::clone(&holder),
            session,
            policies,
            revoked,
            organization,
        )))
    }
}
