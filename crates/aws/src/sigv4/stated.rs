//! The authentication fields of a request, from the header or from the query, and what can be
//! said about them without a key.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE};

use super::claim::Rules;
use super::refusal::NotSigned;
use super::{ALGORITHM, TERMINATOR};
use crate::identity::Region;
use crate::time::Timestamp;

/// Seven days, the longest life of a presigned request.
const MAX_EXPIRES_SECONDS: i64 = 604_800;

/// The authentication fields as they stand in the request, from either place.
pub(super) struct Stated<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    pub(super) signature: &'a str,
    pub(super) token: Option<&'a str>,
    /// `X-Amz-Date`.
    amz_date: Option<&'a str>,
    /// The `Date` header, which stands in for the other one.
    http_date: Option<&'a str>,
    /// Only presigned requests have a life of their own, in seconds.
    pub(super) expires: Option<i64>,
}

impl<'a> Stated<'a> {
    pub(super) fn find(
        headers: &'a HeaderMap,
        pairs: &'a [(String, String)],
    ) -> Result<Self, NotSigned> {
        let authorization = single(headers, AUTHORIZATION.as_str())?;
        let algorithm = pairs.iter().find(|(name, _)| name == "X-Amz-Algorithm");
        match (authorization, algorithm) {
            (None, None) => Err(NotSigned::MissingAuthenticationToken),
            (None, Some((_, algorithm))) => {
                check_algorithm(algorithm)?;
                Self::in_query(pairs)
            }
            (Some(_), Some(_)) => Err(NotSigned::incomplete(
                "Credentials must be either in the 'Authorization' header or in the query string.",
            )),
            (Some(value), None) => {
                let (algorithm, fields) = value.split_once(' ').unwrap_or((value, ""));
                if !algorithm.starts_with("AWS") {
                    return Err(NotSigned::MissingAuthenticationToken);
                }
                check_algorithm(algorithm)?;
                Self::in_header(fields, headers)
            }
        }
    }

    fn in_header(fields: &'a str, headers: &'a HeaderMap) -> Result<Self, NotSigned> {
        let mut found = [None; 3];
        let wanted = ["Credential", "SignedHeaders", "Signature"];
        let fields = fields.split(',').filter(|_| !fields.is_empty());
        for field in fields.map(|field| field.trim_matches(' ')) {
            let (name, value) = field.split_once('=').ok_or_else(|| {
                NotSigned::incomplete(
                    "Authorization header holds a field that is no key=value pair.",
                )
            })?;
            let Some(at) = wanted.iter().position(|wanted| *wanted == name) else {
                continue;
            };
            if found[at].replace(value).is_some() {
                return Err(NotSigned::incomplete(format!(
                    "Authorization header has more than one '{name}' parameter."
                )));
            }
        }
        let found = found.map(|value| value.filter(|value| !value.is_empty()));
        if let [Some(credential), Some(signed_headers), Some(signature)] = found {
            return Ok(Self {
                credential,
                signed_headers,
                signature,
                token: single(headers, "x-amz-security-token")?,
                amz_date: single(headers, "x-amz-date")?,
                http_date: single(headers, DATE.as_str())?,
                expires: None,
            });
        }
        let missing: Vec<String> = (wanted.iter().zip(found))
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| format!("Authorization header requires '{name}' parameter."))
            .collect();
        Err(NotSigned::incomplete(missing.join(" ")))
    }

    fn in_query(pairs: &'a [(String, String)]) -> Result<Self, NotSigned> {
        const WANTED: [&str; 6] = [
            "X-Amz-Credential",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-Security-Token",
        ];
        let mut found = [None; 6];
        let mut algorithms = 0;
        for (name, value) in pairs {
            algorithms += usize::from(name == "X-Amz-Algorithm");
            let at = WANTED.iter().position(|wanted| wanted == name);
            let repeated = at.is_some_and(|at| found[at].replace(value.as_str()).is_some());
            if repeated || algorithms > 1 {
                return Err(NotSigned::incomplete(format!(
                    "AWS query-string parameter '{name}' must not be repeated."
                )));
            }
        }
        let need = |at: usize| {
            found[at].filter(|value| !value.is_empty()).ok_or_else(|| {
                let name = WANTED[at];
                NotSigned::incomplete(format!(
                    "AWS query-string parameters must include '{name}'. \
                     Re-examine the query-string parameters."
                ))
            })
        };
        let expires = need(4)?;
        let expires = (expires.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| expires.parse().ok())
            .flatten()
            .filter(|seconds| (1..=MAX_EXPIRES_SECONDS).contains(seconds))
            .ok_or_else(|| {
                NotSigned::incomplete("'X-Amz-Expires' must be between 1 and 604800 seconds.")
            })?;
        Ok(Self {
            credential: need(0)?,
            signed_headers: need(1)?,
            signature: need(2)?,
            token: found[5],
            amz_date: Some(need(3)?),
            http_date: None,
            expires: Some(expires),
        })
    }

    pub(super) fn credential(&self) -> Result<[&'a str; 5], NotSigned> {
        let parts: Vec<&str> = self.credential.split('/').collect();
        parts.try_into().map_err(|_| {
            NotSigned::incomplete(
                "Credential must have exactly 5 slash-delimited elements, \
                 e.g. keyid/date/region/service/term.",
            )
        })
    }

    pub(super) fn signed_headers(&self) -> Result<Vec<&'a str>, NotSigned> {
        let names: Vec<&str> = self.signed_headers.split(';').collect();
        if !names.contains(&"host") {
            return Err(NotSigned::does_not_match(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        let lower = |name: &&str| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase());
        if names.iter().all(lower) && names.is_sorted_by(|a, b| a < b) {
            Ok(names)
        } else {
            Err(NotSigned::does_not_match(
                "'SignedHeaders' must be lower-case, sorted and without repetition.",
            ))
        }
    }

    /// The time that was signed, which must lie on the scope's day.
    pub(super) fn time(&self, scope_date: &str) -> Result<Timestamp, NotSigned> {
        let either =
            |text| Timestamp::parse_amz_date(text).or_else(|| Timestamp::parse_http_date(text));
        let time = match (self.amz_date, self.http_date) {
            (Some(text), _) => Timestamp::parse_amz_date(text),
            (None, Some(text)) => either(text),
            (None, None) => {
                return Err(NotSigned::incomplete(
                    "Authorization header requires existence of either a 'X-Amz-Date' \
                     or a 'Date' header.",
                ));
            }
        };
        let time = time.ok_or_else(|| {
            NotSigned::incomplete("Date must be in ISO-8601 'basic format', e.g. 20260314T150926Z.")
        })?;
        let day = time.amz_day();
        if day == scope_date {
            return Ok(time);
        }
        let date = time.amz_date();
        Err(NotSigned::does_not_match(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
             from HTTP: '{scope_date}' != '{day}', from '{date}'."
        )))
    }

    pub(super) fn check_clock(
        &self,
        time: Timestamp,
        skew: Duration,
        now: Timestamp,
    ) -> Result<(), NotSigned> {
        // Signing dates have whole seconds, so the comparison has too; both ends are included.
        let now = Timestamp::from_seconds(now.seconds());
        let (at, clock) = (time.amz_date(), now.amz_date());
        let minutes = skew.as_secs() / 60;
        let latest = now.plus(skew);
        if time > latest {
            let latest = latest.amz_date();
            return Err(NotSigned::does_not_match(format!(
                "Signature not yet current: {at} is still later than {latest} \
                 ({clock} + {minutes} min.)"
            )));
        }
        let expired = if let Some(seconds) = self.expires {
            let end = Timestamp::from_seconds(time.seconds().saturating_add(seconds));
            (now > end).then(|| format!("{} is now earlier than {clock}", end.amz_date()))
        } else {
            let earliest = now.minus(skew);
            (time < earliest).then(|| {
                let earliest = earliest.amz_date();
                format!("{at} is now earlier than {earliest} ({clock} - {minutes} min.)")
            })
        };
        match expired {
            Some(why) => Err(NotSigned::does_not_match(format!(
                "Signature expired: {why}"
            ))),
            None => Ok(()),
        }
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), NotSigned> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    // Names of algorithms are short; a longer text may be a misplaced secret.
    let shown: String = algorithm.chars().take(32).collect();
    Err(NotSigned::incomplete(format!(
        "Unsupported AWS 'algorithm': '{shown}'"
    )))
}

/// Service, region and terminator of the scope, in AWS's order.
pub(super) fn check_scope(
    [region, service, terminator]: [&str; 3],
    rules: &Rules,
) -> Result<Region, NotSigned> {
    if service != rules.service {
        let expected = rules.service;
        return Err(NotSigned::does_not_match(format!(
            "Credential should be scoped to correct service: '{expected}'."
        )));
    }
    let allowed = |region: &Region| {
        let allowed = rules.regions.as_ref();
        allowed.is_none_or(|allowed| allowed.contains(region))
    };
    let region = region.parse().ok().filter(allowed).ok_or_else(|| {
        NotSigned::does_not_match(format!(
            "Credential should be scoped to a valid region, not '{region}'."
        ))
    })?;
    if terminator != TERMINATOR {
        return Err(NotSigned::does_not_match(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}'."
        )));
    }
    Ok(region)
}

/// A header that may stand at most once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, NotSigned> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    let malformed = || NotSigned::incomplete(format!("Header '{name}' must be one line of text."));
    if values.next().is_some() {
        return Err(malformed());
    }
    value
        .map(|value| std::str::from_utf8(value.as_bytes()).map_err(|_| malformed()))
        .transpose()
}
