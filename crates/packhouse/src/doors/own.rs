//! `/packhouse/v1/…`: operations of our own, signed like all others, for service `packhouse`.
//!
//! They stand in one table; a line gives the route, the action that is asked for, and what of it is written down.

mod accounts;
mod audit;
mod jobs;
mod keys;
mod lifecycle;
mod machines;
mod place;
mod search;
mod sessions;
mod webhooks;

use std::pin::Pin;

use ::audit::Service;
use aws::sigv4::body_hash;
use aws::{AccountId, Dialect, Fault, Reason};
use bytes::Bytes;
use formats::Body;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use iam::{Ask, AuthorizeError, Caller};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::Url;

use crate::body::Arriving;
use crate::doors::control;
use crate::house::House;
use crate::metrics::Face;
use crate::peer::Peer;
use crate::record::Record;
use crate::written;

pub(crate) use accounts::{InOrganization, Made, MadeKey, MakeAccount};
pub(crate) use audit::Decisions;
use audit::limit;
pub(crate) use keys::{Changed, SigningKeys};

/// Makes an account; the organization of one is `ACCOUNTS/ID/organization`.
pub(crate) const ACCOUNTS: &str = "/packhouse/v1/accounts";
/// The machines of the caller's account; one is `MACHINES/i-…`.
pub(crate) const MACHINES: &str = "/packhouse/v1/machines";
/// Takes back what was issued.
pub(crate) const REVOKE: &str = "/packhouse/v1/sessions/revoke";
/// The keys that sign tokens; one is `SIGNING_KEYS/NUMBER`.
pub(crate) const SIGNING_KEYS: &str = "/packhouse/v1/keys";
/// Changes the master key.
pub(crate) const MASTER_KEY: &str = "/packhouse/v1/master-key/change";
/// Refusals of the caller's account; one is `DECISIONS/ID`.
pub(crate) const DECISIONS: &str = "/packhouse/v1/decisions";

/// Runs of jobs; one is `JOBS/ID`.
pub(crate) const JOBS: &str = "/packhouse/v1/jobs";
/// Who fetched a version.
pub(crate) const FETCHES: &str = "/packhouse/v1/fetches";
/// The description of all of them, which is no secret: it is read without a signature.
pub(crate) const DESCRIPTION: &str = "/packhouse/v1/openapi.json";

/// `OpenAPI` 3.1; a test compares it with the table.
const OPENAPI: &str = include_str!("../../../../docs/openapi.json");

/// One operation.
pub(crate) struct Operation {
    /// Its name; it asks for the action `packhouse:NAME`, except for those that only root may call.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// `{id}` stands for one segment.
    pub(crate) path: &'static str,
    /// What is asked for, in words where it is no action. Its own action comes first; those that follow are asked of the
    /// catalog.
    pub(crate) action: &'static str,
    /// Members of query and body that may be written down, and those of the answer.
    parameters: &'static [&'static str],
    answer: &'static [&'static str],
    run: Run,
}

/// The JSON of an answer.
type Answered = Result<Bytes, Fault>;
type Running<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;
type Run = for<'a> fn(Call<'a>) -> Running<'a>;

/// One call of an operation.
#[derive(Clone, Copy)]
struct Call<'a> {
    operation: &'static Operation,
    house: &'a House,
    caller: &'a Caller,
    query: &'a [(String, String)],
    /// What stands for `{id}`; empty where nothing does.
    id: &'a str,
    body: &'a [u8],
}

macro_rules! operations {
    ($($name:ident $method:ident $path:literal $action:literal [$($parameter:literal)*] [$($answer:literal)*] => $run:path;)*) => {
        /// All of them.
        pub(crate) static OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            method: Method::$method,
            path: concat!("/packhouse/v1/", $path),
            action: $action,
            parameters: &[$($parameter),*],
            answer: &[$($answer),*],
            run: |call| Box::pin($run(call)),
        },)*];
    };
}

#[rustfmt::skip]
operations! {
    MakeAccount          POST   "accounts"               "root of the first account"      ["accountId"] ["accountId"] => accounts::make;
    SetOrganization      PUT    "accounts/{id}/organization" "root of the first account"  ["organizationId"] ["organizationId"] => accounts::set_organization;
    CreateMachine        POST   "machines"               "packhouse:CreateMachine"        ["name" "instanceProfile"] ["machine"] => machines::create;
    ListMachines         GET    "machines"               "packhouse:ListMachines"         [] [] => machines::list;
    CreateEnrollmentCode POST   "machines/{id}/code"     "packhouse:CreateEnrollmentCode" [] ["machine"] => machines::create_code;
    DisableMachine       POST   "machines/{id}/disable"  "packhouse:DisableMachine"       [] [] => machines::disable;
    DeleteMachine        DELETE "machines/{id}"          "packhouse:DeleteMachine"        [] [] => machines::delete;
    RevokeSessions       POST   "sessions/revoke"        "packhouse:RevokeSessions"       ["userName" "roleName" "id"] ["revoked" "issuedUntil"] => sessions::revoke;
    ListSigningKeys      GET    "keys"                   "packhouse:ListSigningKeys"      [] [] => keys::list;
    RotateSigningKeys    POST   "keys/rotate"            "packhouse:RotateSigningKeys"    [] [] => keys::rotate;
    DropSigningKey       POST   "keys/{id}/drop"         "packhouse:DropSigningKey"       [] [] => keys::drop;
    ChangeMasterKey      POST   "master-key/change"      "packhouse:ChangeMasterKey"      [] ["rewrapped"] => keys::change_master;
    LookupEvents         GET    "audit/events"           "packhouse:LookupEvents"         ["startTime" "endTime" "principal" "eventName" "resource" "errors" "maxResults"] [] => audit::lookup;
    ListDecisions        GET    "decisions"              "packhouse:ListDecisions"        ["maxResults"] [] => audit::list;
    GetDecision          GET    "decisions/{id}"         "packhouse:GetDecision"          [] [] => audit::explain;
    CreateWebhook        POST   "webhooks"               "packhouse:CreateWebhook"        ["url" "description" "filter"] ["webhook"] => webhooks::create;
    ListWebhooks         GET    "webhooks"               "packhouse:ListWebhooks"         [] [] => webhooks::list;
    GetWebhook           GET    "webhooks/{id}"          "packhouse:GetWebhook"           [] [] => webhooks::get;
    UpdateWebhook        PUT    "webhooks/{id}"          "packhouse:UpdateWebhook"        ["url" "description" "filter" "enabled"] ["webhook"] => webhooks::update;
    DeleteWebhook        DELETE "webhooks/{id}"          "packhouse:DeleteWebhook"        [] [] => webhooks::delete;
    RotateWebhookSecret  POST   "webhooks/{id}/secret"   "packhouse:RotateWebhookSecret"  [] [] => webhooks::rotate;
    ReplayEvents         POST   "webhooks/{id}/replay"   "packhouse:ReplayEvents"         ["startTime" "endTime"] ["events"] => webhooks::replay;
    SearchPackages       GET    "search"                 "packhouse:SearchPackages codeartifact:ReadFromRepository"       ["domain" "domainOwner" "repository" "text" "name" "namespace" "format" "license" "hash" "maxResults"] [] => search::search;
    ListPackageVersionFetches GET "fetches"              "packhouse:ListPackageVersionFetches codeartifact:ListPackageVersions" ["domain" "domainOwner" "repository" "format" "namespace" "package" "version" "maxResults"] [] => search::fetches;
    PutLifecycleRules    PUT    "lifecycle/rules"        "packhouse:PutLifecycleRules codeartifact:UpdateRepository"    ["domain" "domainOwner" "repository" "rules"] [] => lifecycle::put;
    GetLifecycleRules    GET    "lifecycle/rules"        "packhouse:GetLifecycleRules codeartifact:DescribeRepository"    ["domain" "domainOwner" "repository"] [] => lifecycle::get;
    DeleteLifecycleRules DELETE "lifecycle/rules"        "packhouse:DeleteLifecycleRules codeartifact:UpdateRepository" ["domain" "domainOwner" "repository"] [] => lifecycle::delete;
    PreviewLifecycle     POST   "lifecycle/preview"      "packhouse:PreviewLifecycle codeartifact:DescribeRepository"     ["domain" "domainOwner" "repository" "rules"] [] => lifecycle::preview;
    StartLifecycleRun    POST   "lifecycle/runs"         "packhouse:StartLifecycleRun codeartifact:UpdateRepository"    ["domain" "domainOwner" "repository"] ["run"] => lifecycle::start;
    ListLifecycleRuns    GET    "lifecycle/runs"         "packhouse:ListLifecycleRuns codeartifact:DescribeRepository"    ["domain" "domainOwner" "repository" "maxResults"] [] => lifecycle::runs;
    GetLifecycleRun      GET    "lifecycle/runs/{id}"    "packhouse:GetLifecycleRun codeartifact:DescribeRepository"      ["domain" "domainOwner" "repository" "maxResults"] [] => lifecycle::run;
    UndoLifecycleRun     POST   "lifecycle/runs/{id}/undo" "packhouse:UndoLifecycleRun codeartifact:UpdateRepository"   ["domain" "domainOwner" "repository"] ["run"] => lifecycle::undo;
    ListRemovedVersions  GET    "removed-versions"       "packhouse:ListRemovedVersions codeartifact:ListPackageVersions"  ["domain" "domainOwner" "repository" "format" "namespace" "package" "maxResults"] [] => lifecycle::removed;
    RestorePackageVersions POST "removed-versions/restore" "packhouse:RestorePackageVersions codeartifact:PublishPackageVersion" ["domain" "domainOwner" "repository" "format" "namespace" "package" "versions"] ["successfulVersions" "failedVersions"] => lifecycle::restore;
    StartJob             POST   "jobs"                   "packhouse:StartJob"             ["job"] ["run"] => jobs::start;
    ListJobRuns          GET    "jobs"                   "packhouse:ListJobRuns"          ["job" "maxResults"] [] => jobs::list;
    GetJobRun            GET    "jobs/{id}"              "packhouse:GetJobRun"            [] [] => jobs::get;
    ListQuarantinedBlobs GET    "quarantine"             "packhouse:ListQuarantinedBlobs" ["maxResults"] [] => jobs::quarantine;
}

/// The operation with this method and path, and what stands for `{id}`.
fn find<'a>(method: &Method, path: &'a str) -> Option<(&'static Operation, &'a str)> {
    OPERATIONS.iter().find_map(|operation| {
        let id = fits(operation.path, path)?;
        (operation.method == *method).then_some((operation, id))
    })
}

/// What stands for `{id}`, if the path is one of these; empty where nothing does.
fn fits<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((start, end)) = pattern.split_once("{id}") else {
        return (pattern == path).then_some("");
    };
    let id = path.strip_prefix(start)?.strip_suffix(end)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

pub(crate) async fn answer(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: Parts,
    body: Arriving,
) -> Response<Body> {
    record.face = Face::Own;
    record.dialect = Some(Dialect::RestJson);
    if parts.method == Method::GET && parts.uri.path() == DESCRIPTION {
        return control::json(Bytes::from_static(OPENAPI.as_bytes()));
    }
    let answered = operation(house, peer, record, &parts, body).await;
    answered.unwrap_or_else(|fault| record.refuse(fault, Dialect::RestJson))
}

async fn operation(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: &Parts,
    body: Arriving,
) -> Result<Response<Body>, Fault> {
    let dialect = Dialect::RestJson;
    let body = control::whole(body, dialect).await?;
    let rules = control::rules(house, peer, "packhouse", true);
    let claim = control::read(house, record, parts, &rules, dialect)?;
    let signed = house
        .iam
        .by_signature(&claim, &body_hash(&body), peer.source.clone())
        .await;
    let caller = control::caller(record, &claim, signed, dialect)?;
    record.called_by(&caller);
    let Some((operation, id)) = find(&parts.method, parts.uri.path()) else {
        return Err(Fault::validation(
            Reason::UnknownOperation,
            "there is no such operation",
        ));
    };
    record.operation = Some(operation.name.to_owned());
    let reads = written::is_read_only(Service::Packhouse, operation.name);
    record.draft.asks(Service::Packhouse, operation.name, reads);
    let query = claim.query();
    record.draft.with(operation.parameters(id, query, &body));
    let call = Call {
        operation,
        house,
        caller: &caller,
        query,
        id,
        body: &body,
    };
    let answer = (operation.run)(call).await?;
    if let Some(answer) = operation.answer(&answer) {
        record.draft.answered_with(answer);
    }
    Ok(control::json(answer))
}

impl Operation {
    /// `packhouse:GetWebhook`.
    fn own_action(&self) -> &'static str {
        let end = self.action.find(' ').unwrap_or(self.action.len());
        &self.action[..end]
    }

    fn parameters(&self, id: &str, query: &[(String, String)], body: &[u8]) -> Map<String, Value> {
        let mut written = Map::new();
        if !id.is_empty() {
            written.insert("id".to_owned(), json!(id));
        }
        let pairs = query
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)));
        let document = match serde_json::from_slice(body) {
            Ok(Value::Object(document)) => document,
            _ => Map::new(),
        };
        let members = pairs
            .chain(document)
            .filter(|(name, _)| self.parameters.contains(&name.as_str()));
        written.extend(members);
        shorten_address(&mut written);
        written
    }

    fn answer(&self, body: &[u8]) -> Option<Value> {
        if self.answer.is_empty() {
            return None;
        }
        let Ok(Value::Object(mut document)) = serde_json::from_slice(body) else {
            return None;
        };
        document.retain(|name, _| self.answer.contains(&name.as_str()));
        if let Some(Value::Object(webhook)) = document.get_mut("webhook") {
            shorten_address(webhook);
        }
        (!document.is_empty()).then_some(Value::Object(document))
    }
}

/// Leaves of an address that is written down what says where it leads: a user, a password or a query may let somebody in.
fn shorten_address(members: &mut Map<String, Value>) {
    let Some(address) = members.get_mut("url") else {
        return;
    };
    let url = address.as_str().and_then(|text| Url::parse(text).ok());
    *address = match url {
        Some(url) if url.has_host() => {
            json!(format!(
                "{}{}",
                url.origin().ascii_serialization(),
                url.path()
            ))
        }
        _ => Value::Null,
    };
}

impl Call<'_> {
    /// A parameter of the query.
    fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body. `form`: what it looks like.
    fn read<T: DeserializeOwned>(&self, form: &str) -> Result<T, Fault> {
        // What is wrong with it is not shown: it may quote a secret.
        serde_json::from_slice(self.body).map_err(|_| {
            Fault::validation(Reason::CannotParse, format!("the body is not `{form}`"))
        })
    }

    /// Whether the caller may do what the operation is called, to something in its own account.
    async fn may(&self, resource: &str) -> Result<(), Fault> {
        self.may_to(resource, self.caller.account()).await
    }

    /// The same for something in any account: in another one than its own, nobody may.
    async fn may_to(&self, resource: &str, owner: &AccountId) -> Result<(), Fault> {
        let ask = Ask {
            caller: self.caller,
            action: self.operation.own_action(),
            resources: &[resource],
            owner,
            administrator: None,
            domain_policy: None,
            repository_policy: None,
            resource_tags: &[],
            request_tags: None,
            context: &[],
        };
        let may = self.house.iam.authorize(&ask).await;
        may.map_err(|error| match error {
            AuthorizeError::Denied(denial) => {
                Fault::access_denied(denial.message).decided(denial.id)
            }
            AuthorizeError::Unavailable(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot tell who may what"
                );
                Fault {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    retry_after: Some(1),
                    ..Fault::internal()
                }
            }
        })
    }
}

fn answer_with(told: &impl Serialize) -> Answered {
    let body = serde_json::to_vec(told).map_err(|_| Fault::internal())?;
    Ok(body.into())
}

/// What a client reads when something could not be found or told.
fn failed(error: ::audit::Error) -> Fault {
    match error {
        ::audit::Error::NotFound { kind, id } => {
            let message = format!("there is no {kind} `{id}` in this account");
            Fault::not_found(None, id, message)
        }
        ::audit::Error::Invalid(message) => {
            Fault::validation(Reason::FieldValidationFailed, message)
        }
        error => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an operation of our own failed"
            );
            Fault::internal()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_operation() {
        for (method, path, expected) in [
            (Method::POST, "accounts", Some(("MakeAccount", ""))),
            (Method::POST, "machines", Some(("CreateMachine", ""))),
            (Method::GET, "machines", Some(("ListMachines", ""))),
            (
                Method::POST,
                "machines/i-1/code",
                Some(("CreateEnrollmentCode", "i-1")),
            ),
            (
                Method::POST,
                "machines/i-1/disable",
                Some(("DisableMachine", "i-1")),
            ),
            (Method::GET, "decisions/0198", Some(("GetDecision", "0198"))),
            (Method::GET, "decisions", Some(("ListDecisions", ""))),
            (Method::GET, "decisions/", None),
            (Method::GET, "webhooks/a/secret", None),
            (
                Method::POST,
                "webhooks/a/secret",
                Some(("RotateWebhookSecret", "a")),
            ),
            (Method::GET, "machines/i-1/code", None),
            (Method::POST, "machines/i-1/code/x", None),
            (Method::POST, "machines/", None),
            (Method::GET, "accounts", None),
            (Method::POST, "machinesx", None),
        ] {
            let path = format!("/packhouse/v1/{path}");
            let found = find(&method, &path).map(|(operation, id)| (operation.name, id));
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn an_operation_asks_for_the_action_of_its_name() {
        let of_root = ["MakeAccount", "SetOrganization"];
        let asks = OPERATIONS.iter().filter(|one| !of_root.contains(&one.name));
        for operation in asks {
            assert_eq!(
                operation.own_action(),
                format!("packhouse:{}", operation.name)
            );
        }
    }

    /// Name, method and path of everything in the description, and its parameters and members.
    fn described() -> Vec<(String, String, String, Vec<String>)> {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described = Vec::new();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let mut names: Vec<_> = parameters.map(|one| text(&one["name"])).collect();
                let mut schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                if let Some(name) = schema["$ref"].as_str() {
                    let name = name.rsplit('/').next().unwrap();
                    schema = &document["components"]["schemas"][name];
                }
                let members = schema["properties"].as_object().into_iter().flatten();
                names.extend(members.map(|(name, _)| name.clone()));
                let name = text(&operation["operationId"]);
                described.push((name, method.to_uppercase(), path.clone(), names));
            }
        }
        described
    }

    #[test]
    fn the_description_has_every_operation_and_nothing_else() {
        let described = described();
        for operation in OPERATIONS {
            let found = described.iter().find(|one| one.0 == operation.name);
            let (_, method, path, names) =
                found.unwrap_or_else(|| panic!("{} is not described", operation.name));
            assert_eq!(
                (method.as_str(), path.as_str()),
                (operation.method.as_str(), operation.path)
            );
            for parameter in operation.parameters {
                let found = names.iter().any(|name| name == parameter);
                assert!(found, "{}: {parameter} is not described", operation.name);
            }
        }
        let known = |name: &str| OPERATIONS.iter().any(|one| one.name == name);
        let others: Vec<_> = described.iter().filter(|one| !known(&one.0)).collect();
        assert_eq!(others.len(), 1, "{others:?}");
        assert_eq!(others[0].2, DESCRIPTION);
    }

    #[test]
    fn of_an_address_it_is_written_down_where_it_leads() {
        for (address, written) in [
            (
                json!("https://u:hush@a.example:8443/b?key=hush#c"),
                json!("https://a.example:8443/b"),
            ),
            (json!("https://a.example/"), json!("https://a.example/")),
            (json!("hush"), Value::Null),
            (json!("data:hush"), Value::Null),
            (json!(["hush"]), Value::Null),
        ] {
            let operation = OPERATIONS
                .iter()
                .find(|one| one.name == "CreateWebhook")
                .unwrap();
            let body = serde_json::to_vec(&json!({"url": address})).unwrap();
            assert_eq!(
                operation.parameters("", &[], &body)["url"],
                written,
                "{address}"
            );
            let answer =
                serde_json::to_vec(&json!({"webhook": {"url": address}, "secret": "hush"}))
                    .unwrap();
            let answer = operation.answer(&answer).unwrap();
            assert_eq!(answer, json!({"webhook": {"url": written}}));
        }
    }

    #[test]
    fn nothing_secret_is_written_down() {
        for operation in OPERATIONS {
            for name in operation.parameters.iter().chain(operation.answer) {
                let name = name.to_ascii_lowercase();
                let secret = ["secret", "token", "code", "key", "root", "admin"];
                let found = secret.iter().any(|word| name.contains(word));
                assert!(!found, "{} {name}", operation.name);
            }
        }
    }
}
