//! What is kept of a document: its bytes or their absence, and what is needed to ask for it again.

use std::sync::Arc;
use std::time::Duration;

use aws::Timestamp;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use store::Location;

use super::super::{Asking, Document};

/// Longer validators are not kept: they would be sent back with every question.
const VALIDATOR_BYTES: usize = 1024;

/// What an entry takes in memory besides its bytes and its path, roughly.
const OVERHEAD_BYTES: usize = 400;

/// How far the clocks of two machines of one installation may be apart.
const SKEW: Duration = Duration::from_mins(1);

/// What we have of a document.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// `None`: the registry says that there is none.
    pub(super) content: Option<Content>,
    pub(super) validators: Validators,
    pub(super) changed: Timestamp,
    pub(super) asked: Timestamp,
}

/// The bytes of a document.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) body: Bytes,
    pub(super) sha256: Arc<str>,
}

/// What a registry recognises its own document by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Kept {
    pub(super) fn new(content: Option<Content>, validators: Validators, asked: Timestamp) -> Self {
        let changed = validators.changed().unwrap_or(asked);
        Self {
            content,
            validators,
            changed,
            asked,
        }
    }

    /// The same bytes, seen once more.
    pub(super) fn seen_again(&self, validators: Validators, asked: Timestamp) -> Self {
        let changed = validators.changed().unwrap_or(self.changed);
        Self {
            content: self.content.clone(),
            validators,
            changed,
            asked,
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.content.is_some()
    }

    pub(super) fn has(&self, sha256: &str) -> bool {
        self.content
            .as_ref()
            .is_some_and(|content| *content.sha256 == *sha256)
    }

    /// A clock that was set back does not make a copy fresh for longer; other machines' clocks may be a bit ahead.
    pub(super) fn is_fresh(&self, asking: &Asking, now: Timestamp) -> bool {
        let lifetime = if self.is_present() {
            asking.lifetime
        } else {
            asking.absence_lifetime
        };
        self.asked <= now.plus(SKEW) && now < self.asked.plus(lifetime)
    }

    /// As others see it; `None` when there is none.
    pub(super) fn document(&self, is_stale: bool) -> Option<Document> {
        let content = self.content.as_ref()?;
        Some(Document {
            body: content.body.clone(),
            identity: Arc::clone(&content.sha256),
            changed: self.changed,
            is_stale,
        })
    }

    /// Bytes in memory, under this path.
    pub(super) fn weight(&self, path: &str) -> u32 {
        let body = self
            .content
            .as_ref()
            .map_or(0, |content| content.body.len());
        u32::try_from(body + path.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
    }
}

impl Validators {
    /// Those of an answer.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let text = headers.get(name)?.to_str().ok()?;
            (text.len() <= VALIDATOR_BYTES).then(|| text.to_owned())
        };
        Self {
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
        }
    }

    /// These, and where one is missing, that of `other`: a registry may send with `unchanged` only what is new.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            etag: self.etag.or_else(|| other.etag.clone()),
            last_modified: self.last_modified.or_else(|| other.last_modified.clone()),
        }
    }

    /// The conditions under which the document is wanted again.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        [
            (header::IF_NONE_MATCH, &self.etag),
            (header::IF_MODIFIED_SINCE, &self.last_modified),
        ]
        .into_iter()
        .filter_map(|(name, text)| Some((name, HeaderValue::from_str(text.as_ref()?).ok()?)))
    }

    fn changed(&self) -> Option<Timestamp> {
        Timestamp::parse_http_date(self.last_modified.as_ref()?)
    }
}

/// A row's location and the kept document that it stands for, without bytes yet.
pub(super) struct Recorded {
    pub(super) location: Option<Location>,
    pub(super) size_bytes: u64,
    pub(super) sha256: Arc<str>,
    pub(super) validators: Validators,
    pub(super) changed: Timestamp,
    pub(super) asked: Timestamp,
}

impl Recorded {
    pub(super) fn with(self, body: Option<Bytes>) -> Kept {
        Kept {
            content: body.map(|body| Content {
                body,
                sha256: self.sha256,
            }),
            validators: self.validators,
            changed: self.changed,
            asked: self.asked,
        }
    }
}
