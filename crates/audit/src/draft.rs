//! What is known of one request while it runs.
//!
//! Doors fill it in as they learn; nothing gets in that nobody put there. Most requests to `/healthz` and the like never
//! become a record: a draft is one only when it was called by somebody, or refused to a stranger.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws::{AccountId, Timestamp};
use http::{HeaderValue, Method};
use iam::{Caller, Trace};
use serde_json::{Map, Value};

/// How a request arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// As it is sent to the client (`x-amzn-requestid`).
    pub request_id: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// From where, as far as it is known.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
    /// In which version, `TLSv1.3`, where it ended here and not at a proxy.
    pub tls_version: Option<&'static str>,
    /// What it says it wants to speak to.
    pub host: Option<HeaderValue>,
    /// What it says it is.
    pub user_agent: Option<HeaderValue>,
}

/// Which face of the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The operations of CodeArtifact.
    CodeArtifact,
    /// A package manager's own protocol.
    Packages,
    /// IAM.
    Iam,
    /// STS.
    Sts,
    /// The few operations of EC2.
    Ec2,
    /// Our own operations.
    Packhouse,
}

impl Service {
    /// `codeartifact.amazonaws.com`; our own operations are no service of AWS, and say `packhouse`.
    pub fn source(self) -> &'static str {
        match self {
            Self::CodeArtifact | Self::Packages => "codeartifact.amazonaws.com",
            Self::Iam => "iam.amazonaws.com",
            Self::Sts => "sts.amazonaws.com",
            Self::Ec2 => "ec2.amazonaws.com",
            Self::Packhouse => "packhouse",
        }
    }
}

/// An error as its client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// `AccessDeniedException`.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// The id of the decision, if it is one that can be explained.
    pub decision: Option<String>,
}

/// One request, to be recorded at its end.
#[derive(Debug)]
pub struct Draft {
    /// Made when first asked for: of many alike, one has a record.
    id: OnceLock<String>,
    /// How it arrived.
    pub arrival: Arrival,
    trace: Trace,
    state: Mutex<State>,
}

/// What is learnt of a request as it goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) who: Who,
    pub(crate) service: Option<Service>,
    pub(crate) operation: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) response: Option<Value>,
    pub(crate) refused: Option<Refused>,
    pub(crate) outcome: Option<Outcome>,
    /// Whether a row of the outbox goes with something that was changed.
    pub(crate) committed: bool,
}

/// Who asked.
#[derive(Debug, Clone, Default)]
pub(crate) enum Who {
    /// Nobody that a record would be about.
    #[default]
    Nobody,
    /// Somebody who proved it.
    Caller(Caller),
    /// A web identity, which has no account: provider and subject.
    WebIdentity { provider: String, subject: String },
    /// A service that acts by itself, such as the one that gives machines their credentials, in an account.
    Service(&'static str, Option<AccountId>),
    /// Somebody who did not: the key that was claimed, and why it was refused.
    Stranger {
        key: Option<String>,
        reason: &'static str,
    },
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    /// Of the answer's body; `None` while it is being sent.
    pub(crate) bytes: Option<u64>,
}

impl Draft {
    /// A request that has just arrived.
    pub fn new(arrival: Arrival) -> Arc<Self> {
        Arc::new(Self {
            id: OnceLock::new(),
            arrival,
            trace: Trace::default(),
            state: Mutex::default(),
        })
    }

    /// That of its record.
    pub(crate) fn id(&self) -> &str {
        self.id.get_or_init(|| new_id(self.arrival.at))
    }

    /// Collects what it asks for; run everything that answers it inside [`Trace::follow`].
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Somebody has proved who they are.
    pub fn called_by(&self, caller: &Caller) {
        self.state().who = Who::Caller(caller.clone());
    }

    /// A web identity was vouched for by its provider.
    pub fn called_by_web_identity(&self, provider: impl Into<String>, subject: impl Into<String>) {
        self.state().who = Who::WebIdentity {
            provider: provider.into(),
            subject: subject.into(),
        };
    }

    /// A service acts by itself: `ec2.amazonaws.com`, for somebody in this account.
    pub fn called_by_service(&self, service: &'static str, account: Option<AccountId>) {
        self.state().who = Who::Service(service, account);
    }

    /// Credentials were refused: which key they claimed to be, and why in a word. Never anything of the credentials.
    pub fn refused_to_stranger(
        &self,
        service: Service,
        claimed_key: Option<&str>,
        reason: &'static str,
    ) {
        let mut state = self.state();
        state.service = Some(service);
        state.who = Who::Stranger {
            key: claimed_key.filter(|key| is_key_id(key)).map(str::to_owned),
            reason,
        };
    }

    /// What is asked for: `DescribeDomain` of CodeArtifact.
    pub fn asks(&self, service: Service, operation: impl Into<String>, read_only: bool) {
        let mut state = self.state();
        state.service = Some(service);
        state.operation = Some(operation.into());
        state.read_only = read_only;
    }

    /// A package manager asks; what for is seen by the action that it is found to need.
    pub fn asks_for_packages(&self) {
        self.state().service = Some(Service::Packages);
    }

    /// With these members, all of which may be written down.
    pub fn with(&self, parameters: Map<String, Value>) {
        self.state().parameters = parameters;
    }

    /// What of the answer may be written down.
    pub fn answered_with(&self, response: Value) {
        self.state().response = Some(response);
    }

    /// It was not done.
    pub fn refused(&self, refused: Refused) {
        self.state().refused = Some(refused);
    }

    /// The id of the last refusal in it, for an answer that says no and does not name one.
    pub fn last_refusal(&self) -> Option<String> {
        let evaluations = self.trace.evaluations();
        evaluations.into_iter().rev().find_map(|asked| asked.id)
    }

    /// The answer is known; `bytes` once it was sent.
    pub fn ended(&self, status: u16, bytes: Option<u64>) {
        self.state().outcome = Some(Outcome { status, bytes });
    }

    pub(crate) fn commits(&self) {
        self.state().committed = true;
    }

    /// What it has in common with others that become one record with it, if it only read a package and was let.
    pub(crate) fn alike(&self) -> Option<String> {
        let state = self.state();
        let Who::Caller(caller) = &state.who else {
            return None;
        };
        let is_plain = state.service == Some(Service::Packages)
            && state.operation.is_none()
            && state.refused.is_none()
            && !state.committed
            && matches!(self.arrival.method, Method::GET | Method::HEAD)
            && self.trace.only_asked("codeartifact:ReadFromRepository");
        if !is_plain {
            return None;
        }
        let Arrival {
            method,
            path,
            source_ip,
            user_agent,
            ..
        } = &self.arrival;
        let status = state.outcome.map_or(0, |outcome| outcome.status);
        let agent = user_agent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        Some(format!(
            "{}\n{}\n{source_ip:?}\n{}\n{method} {path}\n{status}",
            caller.arn(),
            caller.access_key_id(),
            agent.escape_ascii(),
        ))
    }

    pub(crate) fn snapshot(&self) -> State {
        self.state().clone()
    }

    /// Whether somebody asked who did not prove who they are.
    pub(crate) fn is_of_stranger(&self) -> bool {
        matches!(self.state().who, Who::Stranger { .. })
    }

    /// Whether a record is made of it.
    pub fn is_recorded(&self) -> bool {
        !matches!(self.state().who, Who::Nobody)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be the id of a key: anything else in its place may be a secret by mistake.
fn is_key_id(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// A UUID of version 7, so that records sort by time.
pub(crate) fn new_id(at: Timestamp) -> String {
    let mut chance = [0; 10];
    getrandom::fill(&mut chance)
        .expect("an operating system without random numbers serves no request");
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &chance)
        .into_uuid()
        .to_string()
}

/// Before all ids of that time.
pub(crate) fn first_id(at: Timestamp) -> String {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    // The hyphen sorts before every digit.
    format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_every_time_has_a_first() {
        let at = Timestamp::from_millis;
        let (early, late) = (new_id(at(1_773_500_966_000)), new_id(at(1_773_500_966_001)));
        assert!(early < late);
        assert!(first_id(at(1_773_500_966_000)) < early && early < first_id(at(1_773_500_966_001)));
        assert!(first_id(at(1_773_500_966_001)) < late);
    }

    #[test]
    fn a_secret_in_the_place_of_a_key_id_is_not_kept() {
        for (text, kept) in [
            ("AKIAIOSFODNN7EXAMPLE", true),
            ("ASIAIOSFODNN7EXAMPLE", true),
            ("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", false),
            ("", false),
            ("AKIA", false),
        ] {
            assert_eq!(is_key_id(text), kept, "{text}");
        }
    }
}
