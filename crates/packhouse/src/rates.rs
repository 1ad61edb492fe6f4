//! How many requests a second are answered, by whom they come from. AWS has such limits for every account; here each is
//! off until a number is set.
//!
//! Counted by whole seconds of the clock and by this process alone: what several nodes answer together is so many times
//! more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use aws::{AccountId, Timestamp};
use iam::Caller;

use crate::peer::network;

/// Requests a second, at most; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Of one account that read: operations, and `GET` and `HEAD` of package managers.
    pub(crate) reads: u32,
    /// Of one account, all others.
    pub(crate) writes: u32,
    /// With one authorization token.
    pub(crate) token: u32,
    /// Of one address, without a good token.
    pub(crate) address: u32,
    /// `GetAuthorizationToken`, of one account. So are the following.
    pub(crate) authorization_tokens: u32,
    /// `GetPackageVersionAsset`.
    pub(crate) assets: u32,
    /// `ListPackages`, `ListPackageVersions` and `ListPackageVersionAssets`, each.
    pub(crate) lists: u32,
    /// `PublishPackageVersion`.
    pub(crate) publishes: u32,
    /// `CopyPackageVersions`.
    pub(crate) copies: u32,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counted {
    Reads(AccountId),
    Writes(AccountId),
    Operation(AccountId, &'static str),
    Token(String),
    Address(IpAddr),
}

/// Seconds that are over are forgotten when there are so many counts.
const COUNTS: usize = 10_000;

/// The seconds that are being counted.
pub(crate) struct Meter {
    rates: Rates,
    counts: Mutex<HashMap<Counted, (i64, u32)>>,
}

/// One more would be too many. It may come again in a second.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooFast;

impl TooFast {
    /// When to come again.
    pub(crate) const RETRY_AFTER_SECONDS: u32 = 1;
}

impl Meter {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            rates,
            counts: Mutex::new(HashMap::new()),
        }
    }

    /// Counts a call of an operation of `CodeArtifact`.
    pub(crate) fn call(
        &self,
        caller: &Caller,
        operation: &'static str,
        reads: bool,
        now: Timestamp,
    ) -> Result<(), TooFast> {
        let account = *caller.account();
        let own = match operation {
            "GetAuthorizationToken" => self.rates.authorization_tokens,
            "GetPackageVersionAsset" => self.rates.assets,
            "ListPackages" | "ListPackageVersions" | "ListPackageVersionAssets" => self.rates.lists,
            "PublishPackageVersion" => self.rates.publishes,
            "CopyPackageVersions" => self.rates.copies,
            _ => 0,
        };
        self.count(own, now, || Counted::Operation(account, operation))?;
        self.of_account(account, reads, now)
    }

    /// Counts a request of a package manager that holds a token.
    pub(crate) fn package(
        &self,
        caller: &Caller,
        reads: bool,
        now: Timestamp,
    ) -> Result<(), TooFast> {
        self.count(self.rates.token, now, || {
            Counted::Token(caller.access_key_id())
        })?;
        self.of_account(*caller.account(), reads, now)
    }

    /// Counts a request of a package manager without a good token.
    pub(crate) fn stranger(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), TooFast> {
        let Some(from) = from else {
            return Ok(());
        };
        self.count(self.rates.address, now, || Counted::Address(network(from)))
    }

    fn of_account(&self, account: AccountId, reads: bool, now: Timestamp) -> Result<(), TooFast> {
        if reads {
            self.count(self.rates.reads, now, || Counted::Reads(account))
        } else {
            self.count(self.rates.writes, now, || Counted::Writes(account))
        }
    }

    fn count(
        &self,
        limit: u32,
        now: Timestamp,
        what: impl FnOnce() -> Counted,
    ) -> Result<(), TooFast> {
        if limit == 0 {
            return Ok(());
        }
        let second = now.millis().div_euclid(1000);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTS {
            counts.retain(|_, (counted, _)| *counted == second);
        }
        let (counted, count) = counts.entry(what()).or_insert((second, 0));
        if *counted != second {
            (*counted, *count) = (second, 0);
        }
        if *count >= limit {
            return Err(TooFast);
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_second_are_let_through_and_each_is_counted_apart() {
        let meter = Meter::new(Rates {
            address: 2,
            ..Rates::default()
        });
        let at = Timestamp::from_millis;
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for (from, now, expected) in [
            (Some(one), 1_000, Ok(())),
            (Some(one), 1_500, Ok(())),
            (Some(one), 1_999, Err(TooFast)),
            (Some(other), 1_999, Ok(())),
            (Some(one), 2_000, Ok(())),
            (None, 2_000, Ok(())),
        ] {
            assert_eq!(meter.stranger(from, at(now)), expected, "{from:?} {now}");
        }
        let unlimited = Meter::new(Rates::default());
        for _ in 0..1_000 {
            assert_eq!(unlimited.stranger(Some(one), at(0)), Ok(()));
        }
    }
}
