//! What a client of this machine is told, exactly as SDKs read it. Everything comes from memory.

use std::net::IpAddr;
use std::sync::Arc;

use aws::credentials::machine_failure;
use aws::{AccountId, Clock, MachineId, Region, SecretString, Timestamp};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::held::{Held, Holder};
use super::request::{Data, Request, TOKEN, TOKEN_TTL, check};
use super::tokens::{Tokens, Ttl};

pub(super) type Answer = Response<Full<Bytes>>;

/// What never changes while the agent runs.
pub(super) struct Facts {
    pub(super) machine: MachineId,
    pub(super) account: AccountId,
    pub(super) region: Region,
    /// What clients of the container endpoint must show.
    pub(super) container_token: SecretString,
    /// Answer requests without a token of version 2.
    pub(super) version_1: bool,
}

/// The side of the agent that answers.
pub(super) struct Answers {
    facts: Facts,
    holder: Holder,
    tokens: Tokens,
    clock: Clock,
}

impl Answers {
    pub(super) fn new(facts: Facts, holder: Holder, clock: Clock) -> Self {
        Self {
            facts,
            holder,
            tokens: Tokens::new(),
            clock,
        }
    }

    /// Answers one request. `local` is the address that it was sent to.
    pub(super) fn answer(&self, parts: &Parts, local: IpAddr) -> Answer {
        let mut answer = match check(parts, local) {
            Ok(()) => self.to(parts),
            Err(status) => text(status, "this endpoint serves the processes of this machine"),
        };
        // A cache would hand a role on, and keep one that was taken away.
        let no_store = HeaderValue::from_static("no-store");
        answer.headers_mut().insert(CACHE_CONTROL, no_store);
        answer
    }

    fn to(&self, parts: &Parts) -> Answer {
        match Request::parse(parts) {
            Request::Token(Some(ttl)) => self.token(ttl),
            // botocore gives up on 400, and falls back to version 1 on anything else.
            Request::Token(None) => text(StatusCode::BAD_REQUEST, "the token's life is 1 to 21600"),
            Request::Data(data) if self.may_ask(parts) => self.data(&data),
            Request::Data(_) => text(StatusCode::UNAUTHORIZED, "a token is needed"),
            Request::Container(shown) => self.container(shown),
            Request::Preflight => text(StatusCode::METHOD_NOT_ALLOWED, ""),
            Request::Nothing => nothing(),
        }
    }

    fn token(&self, ttl: Ttl) -> Answer {
        match self.tokens.issue(ttl) {
            Ok(token) => {
                let mut answer = text(StatusCode::OK, token.expose().clone());
                answer
                    .headers_mut()
                    .insert(TOKEN_TTL, HeaderValue::from(ttl.seconds()));
                answer
            }
            Err(error) => {
                tracing::error!("no token: {error}");
                text(StatusCode::BAD_REQUEST, "there are no tokens")
            }
        }
    }

    fn may_ask(&self, parts: &Parts) -> bool {
        match parts.headers.get(TOKEN) {
            Some(token) => token.to_str().is_ok_and(|token| self.tokens.accepts(token)),
            None => self.facts.version_1,
        }
    }

    fn data(&self, data: &Data<'_>) -> Answer {
        let held = self.holder.get();
        let region = &self.facts.region;
        match data {
            Data::RoleName => match held.role() {
                Some(role) => text(StatusCode::OK, role.name.clone()),
                None => nothing(),
            },
            Data::Session { role, extended } => session(&held, role, *extended),
            Data::Profile => match held.role() {
                Some(role) => {
                    let told = json!({
                        "Code": "Success",
                        "LastUpdated": updated(&held, self.clock.now()).iso8601(),
                        "InstanceProfileArn": role.instance_profile_arn,
                        "InstanceProfileId": role.instance_profile_id,
                    });
                    text(StatusCode::OK, told.to_string())
                }
                None => nothing(),
            },
            Data::MachineId => text(StatusCode::OK, self.facts.machine.to_string()),
            Data::Region => text(StatusCode::OK, region.to_string()),
            Data::Zone => text(StatusCode::OK, format!("{region}a")),
            Data::Document => text(StatusCode::OK, self.document()),
            Data::Nothing => nothing(),
        }
    }

    fn document(&self) -> String {
        let Facts {
            machine,
            account,
            region,
            ..
        } = &self.facts;
        let told = json!({
            "accountId": account,
            "architecture": std::env::consts::ARCH,
            "availabilityZone": format!("{region}a"),
            "instanceId": machine.as_str(),
            "region": region,
            "version": "2017-09-30",
        });
        told.to_string()
    }

    /// Clients quote what they are told here when it is no success, so it is a sentence.
    fn container(&self, shown: Option<&[u8]>) -> Answer {
        let is_right = shown.is_some_and(|shown| self.facts.container_token.matches(shown));
        if !is_right {
            return text(
                StatusCode::UNAUTHORIZED,
                "the Authorization header is not what stands in the agent's token file",
            );
        }
        match &*self.holder.get() {
            Held::Nothing { why } => text(StatusCode::SERVICE_UNAVAILABLE, *why),
            Held::Refused { refusal, .. } => {
                text(StatusCode::SERVICE_UNAVAILABLE, refusal.message.clone())
            }
            Held::Session { answer, .. } => {
                let mut told = text(StatusCode::OK, answer.container().expose().clone());
                let json = HeaderValue::from_static("application/json");
                told.headers_mut().insert(CONTENT_TYPE, json);
                told
            }
        }
    }
}

/// The session, or why there is none, in the form that SDKs know; 404 for the name of another role.
fn session(held: &Arc<Held>, wanted: &str, extended: bool) -> Answer {
    match &**held {
        Held::Session { role, answer } if role.name == wanted => {
            let told = if extended {
                answer.machine_extended()
            } else {
                answer.machine()
            };
            text(StatusCode::OK, told.expose().clone())
        }
        Held::Refused {
            role,
            refusal,
            since,
        } if role.name == wanted => text(
            StatusCode::OK,
            machine_failure(&refusal.code, &refusal.message, *since),
        ),
        _ => nothing(),
    }
}

fn updated(held: &Held, now: Timestamp) -> Timestamp {
    match held {
        Held::Session { answer, .. } => answer.updated,
        Held::Refused { since, .. } => *since,
        Held::Nothing { .. } => now,
    }
}

fn nothing() -> Answer {
    text(StatusCode::NOT_FOUND, "not found")
}

/// Never with a newline at the end: clients take all of it.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
