//! Decisions that were made before and still hold (`identity.md` 5.5).
//!
//! They are kept with the identity that they are about, so nobody's requests push out another's decisions, and they
//! vanish with it when anything about identities changes. The rest of what a decision depends on is its key: action,
//! resources, whose they are, the texts of their policies, and those parts of the request that any policy involved
//! looks at. Reads are asked per repository, so one entry serves a whole `npm install`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::Timestamp;

use crate::authorize::Answer;
use crate::policy::Policy;

/// How many decisions are kept of one identity.
const ENTRIES: usize = 128;
/// How long a denial holds: who has just been granted something must not wait longer than this for a change that this
/// cache cannot see.
const DENIED_FOR: Duration = Duration::from_secs(5);

/// Which parts of a request a policy looks at; all the others cannot change its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub(crate) struct Mentions {
    pub(crate) time: bool,
    pub(crate) source_ip: bool,
    pub(crate) secure_transport: bool,
    pub(crate) resource_tags: bool,
    pub(crate) request_tags: bool,
}

impl Mentions {
    pub(crate) fn of(policy: &Policy) -> Self {
        let mut mentions = Self::default();
        for key in policy.context_keys() {
            match key.as_str() {
                "aws:currenttime" | "aws:epochtime" => mentions.time = true,
                "aws:sourceip" => mentions.source_ip = true,
                "aws:securetransport" => mentions.secure_transport = true,
                "aws:tagkeys" => mentions.request_tags = true,
                key => {
                    mentions.request_tags |= key.starts_with("aws:requesttag/");
                    mentions.resource_tags |= key.starts_with("aws:resourcetag/");
                }
            }
        }
        mentions
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            time: self.time || other.time,
            source_ip: self.source_ip || other.source_ip,
            secure_transport: self.secure_transport || other.secure_transport,
            resource_tags: self.resource_tags || other.resource_tags,
            request_tags: self.request_tags || other.request_tags,
        }
    }
}

/// What a decision depends on, written so that two different questions are never the same bytes.
#[derive(Default)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A part of any length.
    pub(crate) fn push(&mut self, part: &[u8]) {
        // A part of 4 GiB would be needed for two lengths to look alike.
        self.0.extend((part.len() as u64).to_be_bytes());
        self.0.extend(part);
    }

    /// A part that may be absent.
    pub(crate) fn push_option(&mut self, part: Option<&[u8]>) {
        self.0.push(part.is_some().into());
        if let Some(part) = part {
            self.push(part);
        }
    }

    /// How many parts follow, where their number varies.
    pub(crate) fn push_count(&mut self, count: usize) {
        self.0.extend((count as u64).to_be_bytes());
    }
}

/// One identity's decisions.
#[derive(Default)]
pub(crate) struct Decisions(Mutex<HashMap<Box<[u8]>, Kept>>);

#[derive(Clone)]
struct Kept {
    answer: Answer,
    until: Option<Timestamp>,
}

impl Decisions {
    /// The answer to this very question, if it still holds.
    pub(crate) fn get(&self, key: &Key, now: Timestamp) -> Option<Answer> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key.0.as_slice())?;
        found
            .until
            .is_none_or(|until| now < until)
            .then(|| found.answer.clone())
    }

    /// Keeps an answer: a denial for five seconds, the rest for as long as the identity stays as it is.
    pub(crate) fn put(&self, key: Key, answer: &Answer, now: Timestamp) {
        let until = answer.is_err().then(|| now.plus(DENIED_FOR));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ENTRIES {
            kept.clear();
        }
        kept.insert(
            key.0.into_boxed_slice(),
            Kept {
                answer: answer.clone(),
                until,
            },
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::authorize::{Grant, Refusal};
    use crate::policy::{PolicyType, Reason};

    #[allow(
        clippy::unnecessary_wraps,
        reason = "an answer, like those that refuse"
    )]
    fn granted() -> Answer {
        Ok(Grant {
            reason: Reason::Identity,
            grounds: [].into(),
        })
    }

    fn key(parts: &[&str]) -> Key {
        let mut key = Key::default();
        for part in parts {
            key.push(part.as_bytes());
        }
        key
    }

    #[test]
    fn parts_that_read_the_same_when_joined_are_different_keys() {
        assert_ne!(key(&["ab", "c"]).0, key(&["a", "bc"]).0);
        assert_ne!(key(&["abc"]).0, key(&["abc", ""]).0);
        let (mut absent, mut empty) = (Key::default(), Key::default());
        absent.push_option(None);
        empty.push_option(Some(b""));
        assert_ne!(absent.0, empty.0);
    }

    #[test]
    fn denials_are_forgotten_after_five_seconds_and_grants_are_not() {
        let decisions = Decisions::default();
        let now = Timestamp::from_seconds(1_773_500_966);
        let refusal = Refusal {
            message: "no".into(),
            reason: Reason::Implicit(PolicyType::Identity),
            grounds: [].into(),
        };
        decisions.put(key(&["denied"]), &Err(refusal), now);
        decisions.put(key(&["allowed"]), &granted(), now);
        let later = |seconds| now.plus(Duration::from_secs(seconds));
        assert!(decisions.get(&key(&["denied"]), later(4)).unwrap().is_err());
        assert!(decisions.get(&key(&["denied"]), later(5)).is_none());
        assert!(
            decisions
                .get(&key(&["allowed"]), later(100_000))
                .unwrap()
                .is_ok()
        );
        assert!(
            decisions
                .get(&key(&["asked for the first time"]), now)
                .is_none()
        );
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let decisions = Decisions::default();
        let now = Timestamp::from_seconds(1_773_500_966);
        for number in 0..10_000 {
            decisions.put(key(&[&number.to_string()]), &granted(), now);
        }
        assert!(decisions.0.lock().unwrap().len() <= ENTRIES);
    }
}
