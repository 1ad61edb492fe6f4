//! Web identities: somebody shows a token that an issuer signed whom the account trusts (`identity.md` 3.4).
//!
//! What is checked, in this order: the form of the token ([`token`]), that the account has a provider for its issuer, the
//! signature by a key that the issuer publishes ([`keys`], [`issuers`]), the times, the audience. So only the issuers of
//! providers are ever asked for keys, and nothing of a token counts before its signature does.
//!
//! Tokens are read here rather than by a library: the algorithm must not be the token's choice, a member that stands
//! twice must not have two readings, and what those libraries leave to options is most of what matters. The mathematics
//! is that of `aws-lc-rs`, which is here anyway.

#[cfg(fuzzing)]
pub mod fuzzing;
mod issuers;
mod keys;
mod token;

use aws::AccountId;

use crate::Iam;
use crate::oidc_providers::{OidcProvider, provider_arn};
use token::Token;

pub(crate) use issuers::Issuers;
pub(crate) use token::{Claims, texts};

pub use issuers::{Fetched, IssuerDocuments, IssuerSettings, NotFetched};

/// How far the clock of an issuer may be ahead of ours, in seconds.
const AHEAD_SECONDS: f64 = 60.0;
/// Characters of a subject (service model of STS: `webIdentitySubjectType`).
const SUBJECT: std::ops::RangeInclusive<usize> = 1..=255;

/// Who has shown a token, and what it says.
pub(crate) struct WebIdentity {
    pub(crate) provider: OidcProvider,
    pub(crate) subject: String,
    /// The one of its audiences that the provider knows.
    pub(crate) audience: String,
    pub(crate) claims: Claims,
}

/// Why a token proves nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotVerified {
    /// It has not the form of a signed token, or says a thing twice.
    #[error(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    )]
    NotJwt,
    /// The account does not trust its issuer.
    #[error("No OpenIDConnect provider found in your account for {0}")]
    NoProvider(String),
    /// The issuer publishes no key that could have signed it.
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference \
         AssumeRoleWithWebIdentity documentation for requirements"
    )]
    NoKey,
    /// The issuer does not answer, and nothing that it said before is good any more.
    #[error("The identity provider could not be reached to verify the token. Try again.")]
    Unreachable,
    /// The key is there, and it has not signed this.
    #[error("The signature of the token is not valid")]
    Signature,
    /// Its time is over; both in seconds.
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expires}"
    )]
    Expired {
        /// Of this server.
        now: f64,
        /// Of the token.
        expires: f64,
    },
    /// Its time has not come; both in seconds.
    #[error("Token not yet valid: current date/time {now} must not be before the date/time {from}")]
    NotYet {
        /// Of this server.
        now: f64,
        /// Of the token.
        from: f64,
    },
    /// It does not say something that it must.
    #[error("Missing a required claim: {0}")]
    Missing(&'static str),
    /// It is for somebody else.
    #[error("Incorrect token audience")]
    Audience,
    /// Nobody can tell now.
    #[error(transparent)]
    Unavailable(#[from] crate::Error),
}

impl Iam {
    /// Verifies a token for a role of this account.
    pub(crate) async fn verify_web_identity(
        &self,
        account: &AccountId,
        text: &str,
    ) -> Result<WebIdentity, NotVerified> {
        let token = Token::read(text)?;
        let issuer = token
            .claims
            .text("iss")
            .ok_or(NotVerified::Missing("iss"))?;
        let provider = self.provider_of(account, issuer).await?;
        let key = self
            .issuers()
            .key(issuer, &token.key_id, token.algorithm, self.clock())
            .await?;
        if !key.has_signed(token.algorithm, token.signed, &token.signature) {
            return Err(NotVerified::Signature);
        }
        check_times(&token.claims, self.clock().now().epoch_seconds().floor())?;
        let subject = token.claims.text("sub");
        let subject = subject.filter(|subject| {
            SUBJECT.contains(&subject.chars().count()) && !subject.chars().any(char::is_control)
        });
        let subject = subject.ok_or(NotVerified::Missing("sub"))?.to_owned();
        let audience = audience(&token.claims, &provider.client_ids)?;
        Ok(WebIdentity {
            provider,
            subject,
            audience,
            claims: token.claims,
        })
    }

    /// The provider whose URL is exactly the issuer's: an address that merely leads to the same place is somebody else's.
    async fn provider_of(
        &self,
        account: &AccountId,
        issuer: &str,
    ) -> Result<OidcProvider, NotVerified> {
        let found = match issuer.strip_prefix("https://") {
            Some(url) => {
                self.find_provider(account, &provider_arn(account, url))
                    .await?
            }
            None => None,
        };
        let shown = issuer.chars().filter(|c| !c.is_control()).take(255);
        found.ok_or_else(|| NotVerified::NoProvider(shown.collect()))
    }
}

/// It must end, must not have ended, and must not begin or have been made later than a clock may be wrong.
fn check_times(claims: &Claims, now: f64) -> Result<(), NotVerified> {
    let expires = claims.time("exp")?.ok_or(NotVerified::Missing("exp"))?;
    if expires <= now {
        return Err(NotVerified::Expired { now, expires });
    }
    for claim in ["nbf", "iat"] {
        if let Some(from) = claims.time(claim)?
            && from > now + AHEAD_SECONDS
        {
            return Err(NotVerified::NotYet { now, from });
        }
    }
    Ok(())
}

/// The audience that the provider knows. An authorized party, where one is named, must be known as well: the token was
/// made for it.
fn audience(claims: &Claims, known: &[String]) -> Result<String, NotVerified> {
    let is_known = |name: &&str| known.iter().any(|known| known == name);
    let named = claims.texts("aud").ok_or(NotVerified::Missing("aud"))?;
    let audience = named.into_iter().find(is_known);
    let party_is_known = match claims.get("azp") {
        None => true,
        Some(_) => claims.text("azp").as_ref().is_some_and(is_known),
    };
    match audience {
        Some(audience) if party_is_known => Ok(audience.to_owned()),
        _ => Err(NotVerified::Audience),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: f64 = 1_773_500_966.0;

    #[test]
    fn a_token_has_an_end_that_has_not_come_and_a_beginning_that_has() {
        for (claims, expected) in [
            (r#"{"exp":1773500967}"#, "good"),
            (r#"{"exp":1773500966.5,"nbf":1773500966}"#, "good"),
            (
                r#"{"exp":1773500966}"#,
                "Token expired: current date/time 1773500966 must be before the expiration date/time 1773500966",
            ),
            (
                r#"{"exp":-1}"#,
                "Token expired: current date/time 1773500966 must be before the expiration date/time -1",
            ),
            (
                r#"{"exp":1773501966,"nbf":1773501026,"iat":1773501026}"#,
                "good",
            ),
            (
                r#"{"exp":1773501966,"nbf":1773501027}"#,
                "Token not yet valid: current date/time 1773500966 must not be before the date/time 1773501027",
            ),
            (
                r#"{"exp":1773501966,"iat":1773501027}"#,
                "Token not yet valid: current date/time 1773500966 must not be before the date/time 1773501027",
            ),
            ("{}", "Missing a required claim: exp"),
            (r#"{"exp":"1773501966"}"#, "not a valid JWT"),
            (r#"{"exp":null}"#, "not a valid JWT"),
            (r#"{"exp":1773501966,"nbf":"0"}"#, "not a valid JWT"),
        ] {
            let claims = Claims::read(claims.as_bytes()).unwrap();
            let said = match check_times(&claims, NOW) {
                Ok(()) => "good".to_owned(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(expected), "{said}: {expected}");
        }
    }

    #[test]
    fn an_audience_and_the_authorized_party_must_be_known() {
        let known = ["sts.amazonaws.com".to_owned(), "other".to_owned()];
        for (claims, expected) in [
            (r#"{"aud":"sts.amazonaws.com"}"#, Ok("sts.amazonaws.com")),
            (r#"{"aud":["x","other"]}"#, Ok("other")),
            (r#"{"aud":"other","azp":"sts.amazonaws.com"}"#, Ok("other")),
            (r#"{"aud":"x"}"#, Err("Incorrect token audience")),
            (
                r#"{"aud":"STS.amazonaws.com"}"#,
                Err("Incorrect token audience"),
            ),
            (r#"{"aud":[]}"#, Err("Incorrect token audience")),
            (
                r#"{"aud":"other","azp":"x"}"#,
                Err("Incorrect token audience"),
            ),
            (
                r#"{"aud":"other","azp":1}"#,
                Err("Incorrect token audience"),
            ),
            (
                r#"{"aud":"x","azp":"other"}"#,
                Err("Incorrect token audience"),
            ),
            ("{}", Err("Missing a required claim: aud")),
            (
                r#"{"aud":{"other":1}}"#,
                Err("Missing a required claim: aud"),
            ),
        ] {
            let read = Claims::read(claims.as_bytes()).unwrap();
            let found = audience(&read, &known).map_err(|error| error.to_string());
            assert_eq!(
                found.as_deref().map_err(String::as_str),
                expected,
                "{claims}"
            );
        }
        let read = Claims::read(br#"{"aud":"x"}"#).unwrap();
        assert!(audience(&read, &[]).is_err());
    }
}
