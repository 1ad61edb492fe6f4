//! A record: one request in the form of CloudTrail (`identity.md` 7, `access-and-limits.md` 10).

use std::collections::BTreeSet;

use aws::{AccountId, Region};
use http::{HeaderValue, Method};
use iam::Evaluation;
use iam::policy::{PolicyType, Reason};
use serde_json::{Map, Value, json};

use crate::decision::SILENT;
use crate::draft::{Arrival, Draft, Service, State, Who};
use crate::fetches::{self, Times};
use crate::identity::user_identity;

/// The version of the form.
const EVENT_VERSION: &str = "1.11";
/// Characters of what a client says of itself, at most.
const TEXT: usize = 1024;
/// What stands where a secret was.
pub(crate) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// A request as it is kept: a document, and what it is found by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) at: i64,
    /// Whose copies there are.
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) event: String,
    pub(crate) principal: String,
    pub(crate) resource: String,
    pub(crate) failed: bool,
    /// Which version it fetched, if it did.
    pub(crate) fetched: Option<(fetches::Key, Times)>,
    /// Without `recipientAccountId`.
    document: Map<String, Value>,
}

/// Where this server is, for what a request does not say.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) region: Region,
    /// Gets the copies that are nobody's.
    pub(crate) account: AccountId,
}

impl Record {
    /// The copy of an account, as one line without its end.
    pub(crate) fn line(&self, account: &AccountId) -> String {
        let mut document = self.document.clone();
        document.insert("recipientAccountId".to_owned(), json!(account.as_str()));
        Value::Object(document).to_string()
    }

    /// The record of a draft; `None` of one that is none.
    pub(crate) fn of(draft: &Draft, home: &Home) -> Option<Self> {
        let state = draft.snapshot();
        if matches!(state.who, Who::Nobody) {
            return None;
        }
        let evaluations = draft.trace().evaluations();
        let service = state.service.unwrap_or(Service::Packhouse);
        let event = event_name(&state, service, &evaluations, &draft.arrival.method);
        let read_only = if service == Service::Packages {
            event == "ReadFromRepository"
        } else {
            state.read_only
        };
        let arrival = &draft.arrival;
        let is_stranger = matches!(state.who, Who::Stranger { .. });
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        put("eventVersion", json!(EVENT_VERSION));
        put("eventID", json!(draft.id()));
        put("requestID", json!(arrival.request_id));
        put("eventTime", json!(arrival.at.iso8601()));
        put("eventSource", json!(service.source()));
        put("eventName", json!(event));
        put("awsRegion", json!(home.region.as_str()));
        put(
            "eventType",
            json!(if is_stranger {
                "AwsAuthFailure"
            } else {
                "AwsApiCall"
            }),
        );
        put("eventCategory", json!("Management"));
        put("managementEvent", json!(true));
        put("readOnly", json!(read_only));
        put("userIdentity", user_identity(&state.who));
        if let Some(ip) = arrival.source_ip {
            put("sourceIPAddress", json!(ip.to_canonical().to_string()));
        }
        if let Some(agent) = text(arrival.user_agent.as_ref()) {
            put("userAgent", json!(cut(agent)));
        }
        put(
            "requestParameters",
            parameters(&state, service, draft.trace().notes()),
        );
        let refused = state.refused.as_ref();
        let response = state.response.clone().filter(|_| refused.is_none());
        put("responseElements", response.unwrap_or(Value::Null));
        if let Some(refused) = refused {
            put("errorCode", json!(error_code(&refused.code)));
            put("errorMessage", json!(cut(&refused.message)));
        }
        let resources: BTreeSet<_> = evaluations
            .iter()
            .filter(|asked| asked.resource != "*")
            .map(|asked| (asked.resource.as_str(), asked.owner.as_str()))
            .collect();
        if !resources.is_empty() {
            let resources = resources
                .iter()
                .map(|(arn, account)| json!({"ARN": arn, "accountId": account}));
            put("resources", resources.collect());
        }
        put(
            "additionalEventData",
            additional(draft, &state, service, &evaluations),
        );
        if arrival.secure {
            put("tlsDetails", tls_details(arrival));
        }
        let fetched = fetched(
            draft,
            &state,
            service,
            &event,
            document.get("requestParameters"),
        );
        let resource = evaluations
            .iter()
            .map(|asked| asked.resource.as_str())
            .find(|resource| *resource != "*");
        Some(Self {
            id: draft.id().to_owned(),
            at: arrival.at.millis(),
            accounts: accounts(&state.who, &evaluations, home),
            event,
            principal: match &state.who {
                Who::Caller(caller) => caller.arn().to_owned(),
                _ => String::new(),
            },
            resource: resource.unwrap_or_default().to_owned(),
            failed: refused.is_some() || is_stranger,
            fetched,
            document,
        })
    }

    /// The same for several requests that differ in nothing but their time.
    pub(crate) fn standing_for(mut self, count: u64, until: aws::Timestamp) -> Self {
        self.add("count", json!(count));
        self.add("until", json!(until.iso8601()));
        if let Some((_, times)) = &mut self.fetched {
            times.count = count;
            times.last = until.millis();
        }
        self
    }

    /// The same for requests that were refused and are not recorded one by one.
    pub(crate) fn add(&mut self, name: &str, value: Value) {
        let data = self
            .document
            .entry("additionalEventData")
            .or_insert_with(|| json!({}));
        data[name] = value;
    }

    /// A record about the ledger itself.
    pub(crate) fn about_ledger(
        id: String,
        at: aws::Timestamp,
        home: &Home,
        event: &str,
        count: u64,
    ) -> Self {
        let document = json!({
            "eventVersion": EVENT_VERSION, "eventID": id, "eventTime": at.iso8601(), "eventSource": "packhouse",
            "eventName": event, "awsRegion": home.region.as_str(), "eventType": "AwsServiceEvent",
            "eventCategory": "Management", "managementEvent": true, "readOnly": true,
            "userIdentity": {"type": "AWSService", "invokedBy": "packhouse"}, "requestParameters": null,
            "responseElements": null, "additionalEventData": {"count": count},
        });
        Self {
            id,
            at: at.millis(),
            accounts: vec![home.account],
            event: event.to_owned(),
            principal: String::new(),
            resource: String::new(),
            failed: true,
            fetched: None,
            document: match document {
                Value::Object(document) => document,
                _ => Map::new(),
            },
        }
    }
}

/// Which version a request has fetched a file of, if it has.
fn fetched(
    draft: &Draft,
    state: &State,
    service: Service,
    event: &str,
    parameters: Option<&Value>,
) -> Option<(fetches::Key, Times)> {
    let arrival = &draft.arrival;
    let sends_files = match service {
        Service::Packages => arrival.method == "GET" && event == "ReadFromRepository",
        Service::CodeArtifact => event == "GetPackageVersionAsset",
        _ => false,
    };
    let was_sent = state
        .outcome
        .is_some_and(|outcome| matches!(outcome.status, 200 | 206));
    let (Some(Value::Object(parameters)), Who::Caller(caller)) = (parameters, &state.who) else {
        return None;
    };
    if !sends_files || !was_sent || state.refused.is_some() {
        return None;
    }
    let source = arrival.source_ip.map(|ip| ip.to_canonical().to_string());
    let key = fetches::key(parameters, caller, source)?;
    Some((key, Times::once(arrival.at)))
}

/// Package requests are named after the action that they ask for.
fn event_name(
    state: &State,
    service: Service,
    evaluations: &[Evaluation],
    method: &Method,
) -> String {
    if let Some(operation) = &state.operation {
        return operation.clone();
    }
    if service != Service::Packages {
        return "Unknown".to_owned();
    }
    let actions = evaluations
        .iter()
        .filter_map(|asked| asked.action.strip_prefix("codeartifact:"));
    // Whoever writes reads on the way: what was written says more.
    let (mut read, mut other) = (None, None);
    for action in actions {
        match action {
            "ReadFromRepository" => read = Some(action),
            action => other = other.or(Some(action)),
        }
    }
    let asked = other.or(read);
    asked
        .unwrap_or(match *method {
            Method::GET | Method::HEAD => "ReadFromRepository",
            _ => "PublishPackageVersion",
        })
        .to_owned()
}

fn parameters(state: &State, service: Service, notes: Vec<(&'static str, String)>) -> Value {
    let mut parameters = state.parameters.clone();
    if service == Service::Packages {
        for (name, value) in notes.into_iter().filter(|(name, _)| *name != BEARER) {
            parameters.insert(name.to_owned(), json!(value));
        }
    }
    if parameters.is_empty() {
        Value::Null
    } else {
        Value::Object(parameters)
    }
}

const BEARER: &str = "bearerTokenId";

fn additional(draft: &Draft, state: &State, service: Service, evaluations: &[Evaluation]) -> Value {
    let mut data = json!({});
    if service == Service::Packages {
        data["httpMethod"] = json!(draft.arrival.method.as_str());
        data["requestUri"] = json!(scrubbed(&draft.arrival.path));
    }
    for (name, value) in draft.trace().notes() {
        if name == BEARER {
            data[BEARER] = json!(value);
        }
    }
    if let Some(last) = evaluations.last() {
        let of_others = is_others_trust(&state.who, last);
        let reason = if of_others { SILENT } else { last.reason };
        data["decision"] = json!(reason.as_str());
        // Of its own policies only: what others have written about it is theirs to see.
        let own = last
            .grounds
            .iter()
            .filter(|ground| !matches!(ground.kind, PolicyType::Resource | PolicyType::Trust))
            .filter(|_| !of_others);
        let policies: BTreeSet<_> = own
            .map(|ground| ground.arn.as_ref().unwrap_or(&ground.policy))
            .collect();
        if !policies.is_empty() {
            data["policies"] = json!(policies);
        }
    }
    if let Some(id) = state
        .refused
        .as_ref()
        .and_then(|refused| refused.decision.as_ref())
    {
        data["decisionId"] = json!(id);
    }
    if let Who::Stranger { reason, .. } = &state.who {
        data["reason"] = json!(reason);
    }
    match state.outcome {
        Some(outcome) => {
            data["httpStatus"] = json!(outcome.status);
            if let Some(bytes) = outcome.bytes {
                data["bytesTransferredOut"] = json!(bytes);
            }
        }
        // What a crash leaves: it was done, and nobody knows whether its client was told.
        None => data["unanswered"] = json!(true),
    }
    data
}

/// What is known of the connection, where it ended here.
fn tls_details(arrival: &Arrival) -> Value {
    let mut details = json!({"clientProvidedHostHeader": text(arrival.host.as_ref())});
    if let Some(version) = arrival.tls_version {
        details["tlsVersion"] = json!(version);
    }
    details
}

/// Whether a role of another account has said no: its record must look like that of one which is not there.
fn is_others_trust(who: &Who, asked: &Evaluation) -> bool {
    let is_of_trust = matches!(
        asked.reason,
        Reason::Explicit(PolicyType::Trust) | Reason::Implicit(PolicyType::Trust)
    );
    is_of_trust && matches!(who, Who::Caller(caller) if *caller.account() != asked.owner)
}

/// All accounts that a request concerns: the caller's, and those of what it asked for.
fn accounts(who: &Who, evaluations: &[Evaluation], home: &Home) -> Vec<AccountId> {
    let mut accounts = Vec::new();
    let mut add = |account: AccountId| {
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    };
    match who {
        Who::Caller(caller) => add(*caller.account()),
        Who::Service(_, Some(account)) => add(*account),
        _ => {}
    }
    for asked in evaluations {
        add(asked.owner);
        if let Some(administrator) = asked.administrator {
            add(administrator);
        }
    }
    if accounts.is_empty() {
        accounts.push(home.account);
    }
    accounts
}

/// CloudTrail's spelling, which differs from the wire's in this one.
fn error_code(code: &str) -> &str {
    match code {
        "AccessDeniedException" => "AccessDenied",
        code => code,
    }
}

/// What a header says, if that is text.
fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok()
}

/// At most so much of what a client says.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A path without what looks like a token of ours: clients have put them into addresses before.
fn scrubbed(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let secret = ["phk1_", "phs1_"].iter().any(|mark| segment.contains(mark));
        if secret { HIDDEN } else { segment }
    });
    cut(&segments.collect::<Vec<_>>().join("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_paths_are_hidden() {
        for (path, expected) in [
            ("/d/team-1/npm/app/left-pad", "/d/team-1/npm/app/left-pad"),
            ("/d/phk1_abc/npm", "/d/HIDDEN_DUE_TO_SECURITY_REASONS/npm"),
            (
                "/-/user/token/aws:phk1_x",
                "/-/user/token/HIDDEN_DUE_TO_SECURITY_REASONS",
            ),
        ] {
            assert_eq!(scrubbed(path), expected);
        }
        assert_eq!(scrubbed(&"ä".repeat(5000)).chars().count(), TEXT);
    }
}
