//! One request, as it stands in the log, in the counters and, as a draft, in the audit log.

use std::sync::Arc;
use std::time::Instant;

use audit::{Arrival, Draft, Refused};
use aws::{AccountId, Dialect, Fault};
use formats::{Body, full};
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{Response, StatusCode};
use iam::Caller;
use iam::api::Vouched;

use crate::house::SharedHouse;
use crate::metrics::Face;
use crate::peer::Peer;
use crate::request_id;

/// What is known of a request; the doors fill it in, and the end of the answer writes it down.
///
/// Never in here: a token, a signature, a query string.
pub(crate) struct Record {
    house: SharedHouse,
    started: Instant,
    /// Who answers.
    pub(crate) face: Face,
    /// How an error is to be written, once that is known.
    pub(crate) dialect: Option<Dialect>,
    caller: Option<String>,
    /// `DescribeDomain`, `maven`.
    pub(crate) operation: Option<String>,
    /// `domain/repository`.
    pub(crate) repository: Option<String>,
    /// What the audit log is told of it.
    pub(crate) draft: Arc<Draft>,
    is_noted: bool,
}

impl Record {
    pub(crate) fn new(house: &SharedHouse, peer: &Peer, parts: &Parts) -> Self {
        house
            .metrics
            .running
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = house.clock.now();
        let draft = Draft::new(Arrival {
            request_id: request_id::next(now),
            at: now,
            method: parts.method.clone(),
            path: shown(parts.uri.path()),
            source_ip: peer.source.ip,
            secure: peer.source.secure_transport,
            tls_version: peer.tls_version,
            host: parts.headers.get(HOST).cloned(),
            user_agent: parts.headers.get(USER_AGENT).cloned(),
        });
        Self {
            house: house.clone(),
            started: Instant::now(),
            face: Face::Other,
            dialect: None,
            caller: None,
            operation: None,
            repository: None,
            draft,
            is_noted: false,
        }
    }

    /// In every answer, for the log and for support.
    pub(crate) fn id(&self) -> &str {
        &self.draft.arrival.request_id
    }

    /// Somebody has proved who they are.
    pub(crate) fn called_by(&mut self, caller: &Caller) {
        self.caller = Some(caller.arn().to_owned());
        self.draft.called_by(caller);
    }

    /// A machine has proved which one it is: the service that gives out roles acts for it.
    pub(crate) fn called_by_machine(
        &mut self,
        machine: impl Into<String>,
        account: Option<AccountId>,
    ) {
        self.caller = Some(machine.into());
        self.draft.called_by_service("ec2.amazonaws.com", account);
    }

    /// A provider vouches for whoever shows its token.
    pub(crate) fn called_by_web_identity(&mut self, vouched: &Vouched) {
        let Vouched { provider, subject } = vouched;
        self.caller = Some(format!("{provider} {subject}"));
    }

    /// The answer that says no: as its client reads it, and written down with the decision that it rests on.
    pub(crate) fn refuse(&self, mut fault: Fault, dialect: Dialect) -> Response<Body> {
        if fault.decision.is_none() && fault.status == StatusCode::FORBIDDEN {
            fault.decision = self.draft.last_refusal();
        }
        self.draft.refused(Refused {
            code: fault.code.to_string(),
            message: fault.message.clone(),
            decision: fault.decision.clone(),
        });
        fault.response(dialect, self.id()).map(full)
    }

    /// The head of the answer is known. What is not a download is recorded here, before its client can read it, so that
    /// whoever asks right afterwards finds it.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        if !matches!(self.face, Face::Packages(_)) || !status.is_success() {
            self.note(status, None);
        }
    }

    fn note(&mut self, status: StatusCode, bytes: Option<u64>) {
        if !std::mem::replace(&mut self.is_noted, true) {
            self.draft.ended(status.as_u16(), bytes);
            self.house.ledger.note(&self.draft);
        }
    }

    /// Writes the request down. `is_whole`: whether the answer was sent to its end.
    pub(crate) fn end(&mut self, status: StatusCode, bytes: u64, is_whole: bool) {
        self.note(status, Some(bytes));
        let took = self.started.elapsed();
        self.house
            .metrics
            .running
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        self.house
            .metrics
            .answered(self.face, status.as_u16(), took, bytes);
        let ms = took.as_secs_f64() * 1000.0;
        let status = status.as_u16();
        let arrival = &self.draft.arrival;
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    request.id = %arrival.request_id,
                    request.method = %arrival.method,
                    request.path = &*arrival.path,
                    caller = self.caller.as_deref(),
                    operation = self.operation.as_deref(),
                    repository = self.repository.as_deref(),
                    status,
                    bytes,
                    duration_ms = ms,
                    $message
                )
            };
        }
        match self.face {
            _ if !is_whole => line!(info, "answer broken off"),
            // Half of what Maven asks is without credentials, to be challenged: nothing to look at.
            Face::Packages(_) if status == StatusCode::UNAUTHORIZED => line!(debug, "challenged"),
            Face::Other => line!(debug, "answered"),
            _ => line!(info, "answered"),
        }
    }
}

/// A path as it may be written down: `npm logout` sends its token in it.
fn shown(path: &str) -> String {
    const TOKEN: &str = "/-/user/token/";
    match path.find(TOKEN) {
        Some(at) => format!("{}(hidden)", &path[..at + TOKEN.len()]),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_is_not_written_down() {
        for (path, expected) in [
            (
                "/d/a-111122223333/npm/app/-/user/token/secret",
                "/d/a-111122223333/npm/app/-/user/token/(hidden)",
            ),
            (
                "/d/a-111122223333/npm/app/user",
                "/d/a-111122223333/npm/app/user",
            ),
        ] {
            assert_eq!(shown(path), expected);
        }
    }
}
