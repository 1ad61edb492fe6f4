//! Reads that differ in nothing but their time, as one record with a count.

use std::collections::HashMap;
use std::time::Duration;

use aws::Timestamp;

use crate::record::Record;

/// Different reads that are held back at once.
const HELD: usize = 10_000;

/// Holds reads back for a while.
#[derive(Debug)]
pub(crate) struct Window {
    length: Duration,
    began: Option<Timestamp>,
    held: HashMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    first: Record,
    last: Timestamp,
    count: u64,
}

impl Window {
    /// Of length zero: nothing is held back.
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            length,
            began: None,
            held: HashMap::new(),
        }
    }

    /// Takes a read in; gives its record back when it has to be recorded by itself. `key` is all that it has in common
    /// with the ones it stands for: only of the first of them is a record made.
    pub(crate) fn hold(
        &mut self,
        key: String,
        at: Timestamp,
        record: impl FnOnce() -> Option<Record>,
    ) -> Option<Record> {
        if self.length.is_zero() {
            return record();
        }
        if let Some(held) = self.held.get_mut(&key) {
            held.count += 1;
            held.last = held.last.max(at);
            return None;
        }
        let first = record()?;
        if self.held.len() >= HELD {
            return Some(first);
        }
        self.began.get_or_insert(at);
        let held = Held {
            first,
            last: at,
            count: 1,
        };
        self.held.insert(key, held);
        None
    }

    /// What was held back, once its time is over.
    pub(crate) fn release(&mut self, now: Timestamp) -> Vec<Record> {
        match self.began {
            Some(began) if now.since(began) >= self.length => self.release_all(),
            _ => Vec::new(),
        }
    }

    /// Everything that was held back, in the order of its first.
    pub(crate) fn release_all(&mut self) -> Vec<Record> {
        self.began = None;
        let mut records: Vec<_> = self
            .held
            .drain()
            .map(|(_, held)| match held.count {
                1 => held.first,
                count => held.first.standing_for(count, held.last),
            })
            .collect();
        records.sort_by(|a, b| a.id.cmp(&b.id));
        records
    }
}
