//! `GetAuthorizationToken`'s last step: a token for somebody who was allowed to have one.

use std::time::Duration;

use aws::{AccountId, SecretString, Timestamp};

use crate::caller::{Caller, Principal};
use crate::ids::Id128;
use crate::sessions::{Kind, second};
use crate::tokens::{self, Bearer};
use crate::{Error, Iam, trace};

/// How long a token is to be good (`identity.md` 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenDuration {
    /// As long as the caller's temporary credentials: `durationSeconds` 0.
    Session,
    /// 900 to 43 200 seconds.
    Seconds(u32),
}

impl TokenDuration {
    /// Twelve hours.
    pub const DEFAULT: Self = Self::Seconds(43_200);

    /// From `durationSeconds`: absent is twelve hours, 0 the session's; `None` for what AWS refuses, 1 to 899 included.
    pub fn from_seconds(seconds: Option<i64>) -> Option<Self> {
        match seconds {
            None => Some(Self::DEFAULT),
            Some(0) => Some(Self::Session),
            Some(seconds @ 900..=43_200) => u32::try_from(seconds).ok().map(Self::Seconds),
            Some(_) => None,
        }
    }

    /// What policies see as `sts:DurationSeconds`; 0 stays 0, which policies rely on.
    pub fn as_seconds(self) -> u32 {
        match self {
            Self::Session => 0,
            Self::Seconds(seconds) => seconds,
        }
    }
}

/// A token, once.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// 128 characters, `phk1_…`.
    pub token: SecretString,
    /// The first second in which it is no longer good.
    pub expires: Timestamp,
    /// The name under which the audit log shows it: `ABIA…`.
    pub bearer_id: String,
}

impl Iam {
    /// Issues a bearer token for one domain. Permissions were checked before.
    ///
    /// Errors: [`Error::NoSession`] when it is to end with a session that the caller does not have, or when the caller
    /// itself came with a bearer token.
    pub async fn issue_token(
        &self,
        caller: &Caller,
        domain_number: u64,
        domain_owner: &AccountId,
        duration: TokenDuration,
    ) -> Result<IssuedToken, Error> {
        if caller.domain_number().is_some() {
            return Err(Error::NoSession);
        }
        let issued = self.time_of_issue()?;
        let ends = caller
            .expires()
            .map(|ends| Timestamp::from_seconds(ends.seconds()));
        let expires = match (duration, ends) {
            (TokenDuration::Session, ends) => ends.ok_or(Error::NoSession)?,
            (TokenDuration::Seconds(seconds), ends) => {
                let wanted = issued.plus(Duration::from_secs(seconds.into()));
                let cap = ends.filter(|_| self.settings().cap_tokens_to_session);
                cap.map_or(wanted, |cap| cap.min(wanted))
            }
        };
        let known = self.known().await?;
        let key = known.bearer.signing.ok_or(Error::NoTokenKey)?;
        let session = self.session_for_token(caller, issued, expires).await?;
        let token = Bearer {
            flags: flags(caller),
            key,
            issued: tokens::seconds(issued),
            expires: tokens::seconds(expires),
            token: Id128::new(),
            session,
            domain: domain_number,
            account: domain_owner.number(),
        };
        let text = token.seal(&known.bearer.keys).ok_or(Error::NoTokenKey)?;
        let bearer_id = token.token.bearer_id();
        // Every use of the token can be traced to this call.
        trace::note("bearerTokenId", || bearer_id.clone());
        Ok(IssuedToken {
            token: SecretString::from(text.as_str()),
            expires,
            bearer_id,
        })
    }

    /// Revokes one bearer token that was found where it should not be, if it is one of ours.
    pub async fn revoke_token(&self, token: &str) -> Result<(), crate::NotAuthenticated> {
        let known = self.known().await?;
        let bearer = Bearer::open(token, &known.bearer.keys, second(self.clock().now()))?;
        Ok(self
            .revoke(crate::revocations::Subject::Token(bearer.token))
            .await?)
    }
}

fn flags(caller: &Caller) -> u8 {
    let temporary = caller
        .identity()
        .session
        .as_ref()
        .is_some_and(|session| session.kind != Kind::Token);
    let role = matches!(caller.principal(), Principal::Session { .. });
    (u8::from(temporary) * tokens::TEMPORARY) | (u8::from(role) * tokens::ROLE_SESSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_that_aws_takes() {
        for (seconds, expected) in [
            (None, Some(43_200)),
            (Some(0), Some(0)),
            (Some(1), None),
            (Some(899), None),
            (Some(900), Some(900)),
            (Some(43_200), Some(43_200)),
            (Some(43_201), None),
            (Some(-1), None),
        ] {
            assert_eq!(
                TokenDuration::from_seconds(seconds).map(TokenDuration::as_seconds),
                expected,
                "{seconds:?}"
            );
        }
    }
}
