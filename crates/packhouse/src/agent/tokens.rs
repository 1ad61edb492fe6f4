//! Tokens of the machine endpoint, version 2: random, in memory only, so they are good for this run of the agent.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::SecretString;
use tokio::time::Instant;

use super::state::random_token;

/// More are not kept; each client holds one or two.
const LIVE: usize = 1024;

/// How long a token may live, in seconds: six hours at most, as on EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ttl(u32);

impl Ttl {
    /// 1 to 21600.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = is_number.then(|| text.parse().ok()).flatten()?;
        (1..=21_600).contains(&seconds).then_some(Self(seconds))
    }

    pub(super) fn seconds(self) -> u32 {
        self.0
    }
}

/// The tokens that live, each with its end.
pub(super) struct Tokens(Mutex<HashMap<String, Instant>>);

impl Tokens {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// A new one. When there are too many, the one that would end first goes.
    pub(super) fn issue(&self, ttl: Ttl) -> anyhow::Result<SecretString> {
        let token = random_token()?;
        let now = Instant::now();
        let mut live = self.live();
        if live.len() >= LIVE {
            live.retain(|_, end| *end > now);
        }
        if live.len() >= LIVE {
            let first = live.iter().min_by_key(|(_, end)| **end);
            if let Some(first) = first.map(|(token, _)| token.clone()) {
                live.remove(&first);
            }
        }
        let end = now + Duration::from_secs(ttl.0.into());
        live.insert(token.expose().clone(), end);
        Ok(token)
    }

    pub(super) fn accepts(&self, token: &str) -> bool {
        let end = self.live().get(token).copied();
        end.is_some_and(|end| end > Instant::now())
    }

    fn live(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn lives_are_1_to_21600_seconds() {
        for (text, seconds) in [
            ("1", Some(1)),
            ("21600", Some(21_600)),
            ("0", None),
            ("21601", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("", None),
            ("99999999999", None),
        ] {
            assert_eq!(Ttl::parse(text).map(Ttl::seconds), seconds, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_until_its_end() {
        let tokens = Tokens::new();
        let token = tokens.issue(Ttl(10)).unwrap();
        assert!(tokens.accepts(token.expose()));
        assert!(!tokens.accepts("something else"));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!tokens.accepts(token.expose()));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_1024_live() {
        let tokens = Tokens::new();
        let short = tokens.issue(Ttl(10)).unwrap();
        let long = tokens.issue(Ttl(21_600)).unwrap();
        for _ in 0..2 * LIVE {
            tokens.issue(Ttl(60)).unwrap();
        }
        assert_eq!(tokens.live().len(), LIVE);
        assert!(!tokens.accepts(short.expose()));
        assert!(tokens.accepts(long.expose()));
    }
}
