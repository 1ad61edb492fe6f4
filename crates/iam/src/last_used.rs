//! When a key, or a role, last signed a request.
//!
//! Written down at most every quarter of an hour for each, as on AWS, and never a reason to refuse a request.

use std::time::Duration;

use aws::Timestamp;
use moka::sync::Cache;
use store::Value;

use crate::Iam;
use crate::identity::{Identity, Proof, Whose};

/// How old a note may be.
const EVERY: Duration = Duration::from_mins(15);

/// When each was last written down by this node, by key id or role id.
pub(crate) type Noted = Cache<String, Timestamp>;

/// Nothing noted yet.
pub(crate) fn noted() -> Noted {
    Cache::builder().max_capacity(20_000).build()
}

const OF_KEY: &str = "
    UPDATE access_keys
       SET last_used = $2, last_used_region = $3, last_used_service = $4
     WHERE id = $1";

const OF_ROLE: &str = "
    UPDATE roles
       SET last_used = $2, last_used_region = $3
     WHERE id = $1";

impl Iam {
    /// Notes that somebody has just signed a request.
    pub(crate) async fn note_use(&self, identity: &Identity, region: &str, service: &str) {
        let (sql, id) = match (&identity.credentials, identity.session.as_deref()) {
            (Proof::Key { id, .. }, _) => (OF_KEY, id.to_string()),
            (Proof::Session(_), Some(session)) => match &session.whose {
                Whose::Role(id) => (OF_ROLE, id.clone()),
                Whose::User(_) | Whose::Root(_) => return,
            },
            (Proof::Session(_), None) => return,
        };
        let now = self.clock().now();
        let noted = self.noted().get(&id);
        if noted.is_some_and(|noted| now.since(noted) < EVERY) {
            return;
        }
        self.noted().insert(id.clone(), now);
        let mut values: Vec<Value> = vec![id.into(), now.millis().into(), region.into()];
        if sql == OF_KEY {
            values.push(service.into());
        }
        // Nothing that anybody decides by has changed, so nobody is told.
        let written = self
            .database()
            .write(move |tx| tx.execute(sql, &values))
            .await;
        if let Err(error) = written {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the last use of a key was not written down");
        }
    }
}
