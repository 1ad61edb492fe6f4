//! `/agent/v1/…`: machines. They prove themselves by a code once, and by the key that they made then ever after; there is
//! no signature of version 4 here, because nothing that could sign one has been given out yet.

use std::borrow::Cow;

use audit::{Refused, Service};
use aws::{AccountId, Dialect, Fault, Reason, SecretString};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use formats::Body;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use iam::{BoundRole, Enrollment, MachineAnswer, NotMachine};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::wire::{
    BINDING, CREDENTIALS, ENROLL, Enroll, Enrolled, Refusal, Role, Session, Signed, Told,
};
use crate::body::{Arriving, NotWhole};
use crate::doors::control;
use crate::house::House;
use crate::metrics::Face;
use crate::peer::Peer;
use crate::record::Record;

/// What is asked here is a few hundred bytes.
const LIMIT_BYTES: usize = 16 << 10;
/// Of an address or a name in it.
const LIMIT_TEXT: usize = 512;

/// What SDKs explain as a missing trust relationship with EC2.
const UNTRUSTED: &str = "AssumeRoleUnauthorizedAccess";

pub(crate) async fn answer(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: Parts,
    body: Arriving,
) -> Response<Body> {
    record.face = Face::Own;
    record.dialect = Some(Dialect::RestJson);
    let from = peer.source.ip;
    let answered = if let Some(wait) = house.attempts.wait(from, house.clock.now()) {
        // A minute at most.
        let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(60);
        Err(Fault::throttling(seconds))
    } else {
        let answered = operation(house, peer, record, &parts, body).await;
        if let Err(fault) = &answered
            && matches!(
                fault.status,
                StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN
            )
        {
            house.attempts.failed(from, house.clock.now());
        }
        answered
    };
    answered.unwrap_or_else(|fault| record.refuse(fault, Dialect::RestJson))
}

async fn operation(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: &Parts,
    body: Arriving,
) -> Result<Response<Body>, Fault> {
    let name = match (&parts.method, parts.uri.path()) {
        (&Method::POST, ENROLL) => "EnrollMachine",
        (&Method::POST, CREDENTIALS) => "GetMachineCredentials",
        (&Method::POST, BINDING) => "GetMachineRole",
        _ => {
            return Err(Fault::new(
                "UnknownOperationException",
                StatusCode::NOT_FOUND,
                "there is no such operation",
            ));
        }
    };
    record.operation = Some(name.to_owned());
    // Until it has proved which machine it is, it is a stranger.
    record
        .draft
        .refused_to_stranger(Service::Packhouse, None, "NotProved");
    record
        .draft
        .asks(Service::Packhouse, name, name == "GetMachineRole");
    let body = whole(body).await?;
    if parts.uri.path() == ENROLL {
        enroll(house, peer, record, read(&body)?).await
    } else {
        let asks_for_session = parts.uri.path() == CREDENTIALS;
        tell(house, peer, record, read(&body)?, asks_for_session).await
    }
}

async fn whole(body: Arriving) -> Result<Bytes, Fault> {
    body.whole(LIMIT_BYTES).await.map_err(|error| match error {
        NotWhole::TooLarge => Fault::new(
            "RequestEntityTooLargeException",
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body of a request may have at most {LIMIT_BYTES} bytes"),
        ),
        NotWhole::Broken(_) => Fault::new(
            "RequestTimeout",
            StatusCode::REQUEST_TIMEOUT,
            "the body ended before it was whole",
        ),
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    // The error is not shown: it may quote a code.
    serde_json::from_slice(body).map_err(|_| malformed())
}

fn malformed() -> Fault {
    Fault::validation(Reason::CannotParse, "the body is not what this asks for")
}

async fn enroll(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    asked: Enroll,
) -> Result<Response<Body>, Fault> {
    let public_key = URL_SAFE_NO_PAD.decode(&asked.public_key).ok();
    let public_key = public_key.and_then(|key| key.try_into().ok());
    let fits =
        |text: &str| (1..=LIMIT_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
    let is_fine = fits(&asked.server)
        && asked.host_name.as_deref().is_none_or(fits)
        && asked.host_id.as_deref().is_none_or(fits);
    let Some(public_key) = public_key.filter(|_| is_fine) else {
        return Err(malformed());
    };
    let enrolled = house.iam.enroll_machine(Enrollment {
        code: SecretString::from(asked.code),
        public_key,
        server: asked.server,
        host_name: asked.host_name,
        host_id: asked.host_id,
        from: peer.source.ip,
    });
    let Some(enrolled) = enrolled.await.map_err(|error| unavailable(&error))? else {
        return Err(Fault::access_denied(
            "the code is not one, was used already, or is older than an hour",
        ));
    };
    tracing::info!(machine = %enrolled.machine, account = %enrolled.account, "a machine was enrolled");
    record.called_by_machine(enrolled.machine.to_string(), Some(enrolled.account));
    record.draft.with(machine(
        enrolled.machine.as_str(),
        Some(enrolled.account.as_str()),
    ));
    json(&Enrolled {
        machine_id: enrolled.machine.to_string(),
        account_id: enrolled.account,
        region: house.region.clone(),
    })
}

async fn tell(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    signed: Signed,
    asks_for_session: bool,
) -> Result<Response<Body>, Fault> {
    // A statement of one kind is no good where the other is asked for.
    if signed.statement.contains("\nbinding\n") == asks_for_session {
        return Err(malformed());
    }
    let signature = URL_SAFE_NO_PAD.decode(&signed.signature);
    let signature = signature.map_err(|_| malformed())?;
    let answer = house
        .iam
        .answer_machine(&signed.statement, &signature, &peer.source)
        .await
        .map_err(|error| refused(&error))?;
    // Only now is it known to be true.
    let id = signed.statement.lines().nth(3).unwrap_or_default();
    record.called_by_machine(id, account_of(&answer));
    record.draft.with(machine(id, None));
    if let MachineAnswer::Session(role, temporary) = &answer {
        record.draft.answered_with(serde_json::json!({
            "roleName": role.role_name,
            "credentials": {
                "accessKeyId": temporary.credentials.access_key_id.as_str(),
                "expiration": temporary.expires.iso8601(),
            },
        }));
    }
    let refusal = match &answer {
        MachineAnswer::Untrusted(role) => Some(untrusted(record, &role.role_name)),
        MachineAnswer::NoRole | MachineAnswer::Bound(_) | MachineAnswer::Session(..) => None,
    };
    json(&match answer {
        MachineAnswer::NoRole => Told::default(),
        MachineAnswer::Bound(role) => Told {
            role: Some(shown(role)),
            ..Told::default()
        },
        MachineAnswer::Untrusted(role) => Told {
            role: Some(shown(role)),
            session: None,
            refusal,
        },
        MachineAnswer::Session(role, temporary) => {
            let credentials = temporary.credentials;
            let token = credentials.session_token.as_ref();
            Told {
                role: Some(shown(role)),
                session: Some(Session {
                    access_key_id: credentials.access_key_id.to_string(),
                    secret_access_key: credentials.secret_access_key.expose().clone(),
                    token: token
                        .map(|token| token.expose().clone())
                        .unwrap_or_default(),
                    expiration: temporary.expires.iso8601(),
                }),
                refusal: None,
            }
        }
    })
}

/// The role does not trust machines: a refusal, though the agent's question is answered. It is what the machine's own
/// clients are told, with the id of the decision, since they see nothing else of this answer.
fn untrusted(record: &Record, role: &str) -> Refusal {
    let decision = record.draft.last_refusal();
    let id = decision
        .as_ref()
        .map(|id| format!(" (decision {id})"))
        .unwrap_or_default();
    let message = format!(
        "EC2 cannot assume the role {role}: its trust policy does not allow sts:AssumeRole to ec2.amazonaws.com{id}"
    );
    record.draft.refused(Refused {
        code: "AccessDenied".to_owned(),
        message: message.clone(),
        decision,
    });
    Refusal {
        code: UNTRUSTED.to_owned(),
        message,
    }
}

/// The account that the machine's role is in; the machine's own.
fn account_of(answer: &MachineAnswer) -> Option<AccountId> {
    let (MachineAnswer::Bound(role)
    | MachineAnswer::Untrusted(role)
    | MachineAnswer::Session(role, _)) = answer
    else {
        return None;
    };
    role.profile_arn.split(':').nth(4)?.parse().ok()
}

/// What of it is written down.
fn machine(id: &str, account: Option<&str>) -> serde_json::Map<String, serde_json::Value> {
    let mut parameters = serde_json::Map::new();
    parameters.insert("machineId".to_owned(), id.into());
    if let Some(account) = account {
        parameters.insert("accountId".to_owned(), account.into());
    }
    parameters
}

fn shown(role: BoundRole) -> Role {
    Role {
        association_id: role.association_id,
        id: role.role_id,
        name: role.role_name,
        instance_profile_arn: role.profile_arn,
        instance_profile_id: role.profile_id,
    }
}

fn refused(error: &NotMachine) -> Fault {
    let (code, status) = match error {
        NotMachine::Malformed => return malformed(),
        NotMachine::Clock => ("RequestExpiredException", StatusCode::BAD_REQUEST),
        NotMachine::Refused => ("UnrecognizedClientException", StatusCode::FORBIDDEN),
        NotMachine::Disabled => ("MachineDisabledException", StatusCode::FORBIDDEN),
        NotMachine::Unavailable(error) => return unavailable(error),
    };
    Fault::new(Cow::Borrowed(code), status, error.to_string())
}

fn unavailable(error: &iam::Error) -> Fault {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a machine cannot be answered"
    );
    Fault {
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after: Some(1),
        ..Fault::internal()
    }
}

fn json(told: &impl Serialize) -> Result<Response<Body>, Fault> {
    let body = serde_json::to_vec(told).map_err(|_| Fault::internal())?;
    let mut response = control::json(body.into());
    let no_store = http::HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(http::header::CACHE_CONTROL, no_store);
    Ok(response)
}
