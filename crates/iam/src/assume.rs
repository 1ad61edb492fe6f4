//! Taking a role: what a session inherits, what is passed to it, and how much room that needs (`identity.md` 3.3).

use std::io::Write as _;

use aws::AccountId;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::caller::Caller;
use crate::error::Noun;
use crate::managed_policies::{policy_arn, shipped};
use crate::policy::{PolicyKind, PolicySource, validate};
use crate::sessions::{Session, SessionPolicies};
use crate::tags::{Tag, tag_key};
use crate::{Error, Iam};

/// Room for the session policies and tags of one session, in bytes after compression.
const PACKED_ROOM: u64 = 4096;

/// Why a session cannot have the tags that were passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TagConflict {
    /// A transitive key is not among the passed tags.
    #[error("One of the specified transitive tag keys is not among the session tags.")]
    NotPassed,
    /// An inherited tag was to be replaced.
    #[error(
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the \
         calling session."
    )]
    Inherited,
}

/// Tags of a new session over those of its role, and which of them its own children inherit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionTags {
    pub(crate) tags: Vec<Tag>,
    pub(crate) transitive: Vec<String>,
}

impl SessionTags {
    /// The passed tags over the inherited ones.
    pub(crate) fn of(
        taker: Option<&Caller>,
        passed: Vec<Tag>,
        transitive: Vec<String>,
    ) -> Result<Self, TagConflict> {
        Self::over(
            taker.and_then(|taker| taker.identity().session.as_deref()),
            passed,
            transitive,
        )
    }

    fn over(
        parent: Option<&Session>,
        passed: Vec<Tag>,
        transitive: Vec<String>,
    ) -> Result<Self, TagConflict> {
        let has =
            |tags: &[Tag], key: &str| tags.iter().any(|(known, _)| tag_key(known) == tag_key(key));
        if !transitive.iter().all(|key| has(&passed, key)) {
            return Err(TagConflict::NotPassed);
        }
        let Some(parent) = parent else {
            return Ok(Self {
                tags: passed,
                transitive,
            });
        };
        let inherits = |key: &str| {
            let mut keys = parent.transitive_tags.iter();
            keys.any(|known| tag_key(known) == tag_key(key))
        };
        if passed.iter().any(|(key, _)| inherits(key)) {
            return Err(TagConflict::Inherited);
        }
        let inherited = parent.tags.iter().filter(|(key, _)| inherits(key)).cloned();
        Ok(Self {
            tags: inherited.chain(passed).collect(),
            transitive: parent
                .transitive_tags
                .iter()
                .cloned()
                .chain(transitive)
                .collect(),
        })
    }
}

/// How much of the room for session policies and tags is used, in percent; `None` when there are none.
///
/// How AWS packs them is not public; here it is the size after compression.
pub(crate) fn packed_size(policies: Option<&SessionPolicies>, tags: &[Tag]) -> Option<u64> {
    if policies.is_none() && tags.is_empty() {
        return None;
    }
    let mut text = String::new();
    if let Some(policies) = policies {
        text.push_str(policies.inline.as_deref().unwrap_or_default());
        for arn in &policies.managed {
            text.push('\n');
            text.push_str(arn);
        }
    }
    for (key, value) in tags {
        text.push('\n');
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
    let packed = packed
        .write_all(text.as_bytes())
        .and_then(|()| packed.finish());
    // Writing to memory does not fail; what could not be packed would not fit.
    let size = packed.map_or(PACKED_ROOM + 1, |packed| packed.len() as u64);
    Some((size * 100).div_ceil(PACKED_ROOM))
}

impl Iam {
    /// Checks what a session of a role of this account is to be limited to; `None` when nothing was passed.
    ///
    /// Errors: [`Error::Malformed`]; [`Error::NotFound`] for a managed policy that is not there.
    pub(crate) async fn passed_policies(
        &self,
        account: &AccountId,
        inline: Option<String>,
        managed: Vec<String>,
    ) -> Result<Option<SessionPolicies>, Error> {
        if let Some(text) = &inline {
            validate(PolicyKind::Session, text, PolicySource::named("session"))?;
        }
        let own = policy_arn(account, "/", "");
        for arn in &managed {
            let known = shipped(arn).is_some()
                || arn.starts_with(&own) && self.managed_policy(arn).await?.is_some();
            if !known {
                return Err(Error::not_found(Noun::Attachable, arn.as_str()));
            }
        }
        let passed = inline.is_some() || !managed.is_empty();
        Ok(passed.then_some(SessionPolicies { inline, managed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passed_needs_no_room_and_noise_needs_more_than_there_is() {
        assert_eq!(packed_size(None, &[]), None);
        let tag = ("team".to_owned(), "build".to_owned());
        assert_eq!(packed_size(None, std::slice::from_ref(&tag)), Some(1));
        let noise: Vec<Tag> = (0..50_u64)
            .map(|n| {
                let value = (0..28).map(|m| {
                    let mixed = (n * 31 + m + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    format!("{mixed:016x}")
                });
                (n.to_string(), value.collect::<String>())
            })
            .collect();
        assert!(packed_size(None, &noise) > Some(100));
    }
}
