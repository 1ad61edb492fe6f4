//! `/packhouse/v1/…`: operations of our own, signed like all others, for service `packhouse`.

use aws::sigv4::body_hash;
use aws::{AccountId, Dialect, Fault, Reason};
use formats::{Body, full};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use iam::api::CreateMachine;
use iam::{Caller, NewAccount};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::body::Arriving;
use crate::doors::control;
use crate::house::{House, Peer};
use crate::metrics::Face;
use crate::record::Record;

/// Makes an account.
pub(crate) const ACCOUNTS: &str = "/packhouse/v1/accounts";

/// The machines of the caller's account; one is `MACHINES/i-…`.
pub(crate) const MACHINES: &str = "/packhouse/v1/machines";

/// What [`ACCOUNTS`] is asked: `{"accountId": "222233334444"}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MakeAccount {
    pub(crate) account_id: AccountId,
}

/// What [`ACCOUNTS`] answers: keys that are shown this once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    pub(crate) account_id: AccountId,
    pub(crate) root: MadeKey,
    pub(crate) admin: MadeKey,
}

/// An access key with its secret, on its way out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeKey {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
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
    let answered = operation(house, peer, record, &parts, body).await;
    answered.unwrap_or_else(|fault| fault.response(Dialect::RestJson, &record.id).map(full))
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
    let claim = control::read(
        house,
        parts,
        &control::rules(house, peer, "packhouse", true),
        dialect,
    )?;
    let signed = house
        .iam
        .by_signature(&claim, &body_hash(&body), peer.source.clone())
        .await;
    let caller = control::caller(signed, dialect)?;
    record.caller = Some(caller.arn().to_owned());
    let route = Route::of(&parts.method, parts.uri.path());
    record.operation = Some(route.name().to_owned());
    match route {
        Route::MakeAccount => {
            let asked = read(&body, r#"{"accountId": "…"}"#)?;
            make_account(house, &caller, &asked).await
        }
        Route::CreateMachine => {
            let asked: CreateMachine = read(&body, r#"{"name": "…", "instanceProfile": "…"}"#)?;
            answered(&house.iam.create_machine_for(&caller, &asked).await?)
        }
        Route::ListMachines => {
            let pairs = claim.query().iter();
            let token = pairs
                .filter(|(name, _)| name == "nextToken")
                .map(|(_, value)| value.as_str())
                .next();
            answered(&house.iam.list_machines_for(&caller, token).await?)
        }
        Route::CreateEnrollmentCode(id) => {
            answered(&house.iam.create_enrollment_code_for(&caller, id).await?)
        }
        Route::DisableMachine(id) => answered(&house.iam.disable_machine_for(&caller, id).await?),
        Route::Nowhere => Err(Fault::validation(
            Reason::UnknownOperation,
            "there is no such operation",
        )),
    }
}

/// What there is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'a> {
    MakeAccount,
    CreateMachine,
    ListMachines,
    CreateEnrollmentCode(&'a str),
    DisableMachine(&'a str),
    Nowhere,
}

impl<'a> Route<'a> {
    fn of(method: &Method, path: &'a str) -> Self {
        let machine = || {
            path.strip_prefix(MACHINES)?
                .strip_prefix('/')?
                .split_once('/')
        };
        match (method, path) {
            (&Method::POST, ACCOUNTS) => Self::MakeAccount,
            (&Method::POST, MACHINES) => Self::CreateMachine,
            (&Method::GET, MACHINES) => Self::ListMachines,
            (&Method::POST, _) => match machine() {
                Some((id, "code")) => Self::CreateEnrollmentCode(id),
                Some((id, "disable")) => Self::DisableMachine(id),
                _ => Self::Nowhere,
            },
            _ => Self::Nowhere,
        }
    }

    /// For the log.
    fn name(self) -> &'static str {
        match self {
            Self::MakeAccount => "MakeAccount",
            Self::CreateMachine => "CreateMachine",
            Self::ListMachines => "ListMachines",
            Self::CreateEnrollmentCode(_) => "CreateEnrollmentCode",
            Self::DisableMachine(_) => "DisableMachine",
            Self::Nowhere => "Unknown",
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|_| Fault::validation(Reason::CannotParse, format!("the body is not `{form}`")))
}

fn answered(told: &impl Serialize) -> Result<Response<Body>, Fault> {
    let body = serde_json::to_vec(told).map_err(|_| Fault::internal())?;
    Ok(control::json(body.into()))
}

/// Accounts keep others apart, so no policy of one can hand this out: it is for the root of the first account.
async fn make_account(
    house: &House,
    caller: &Caller,
    asked: &MakeAccount,
) -> Result<Response<Body>, Fault> {
    if !caller.is_root() || *caller.account() != house.account {
        return Err(Fault::access_denied(
            "only the root of the first account may make accounts",
        ));
    }
    let account = asked.account_id;
    let made = house.iam.create_account(&account).await;
    let NewAccount { root, admin, .. } = made.map_err(|error| match error {
        iam::Error::AccountExists(_) => Fault::new(
            "ConflictException",
            StatusCode::CONFLICT,
            format!("account `{account}` exists"),
        ),
        error => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an account could not be made"
            );
            Fault::internal()
        }
    })?;
    let key = |credentials: &aws::sigv4::Credentials| MadeKey {
        access_key_id: credentials.access_key_id.to_string(),
        secret_access_key: credentials.secret_access_key.expose().clone(),
    };
    let made = Made {
        account_id: account,
        root: key(&root),
        admin: key(&admin),
    };
    answered(&made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_operation() {
        for (method, path, expected) in [
            (Method::POST, "/packhouse/v1/accounts", Route::MakeAccount),
            (Method::POST, "/packhouse/v1/machines", Route::CreateMachine),
            (Method::GET, "/packhouse/v1/machines", Route::ListMachines),
            (
                Method::POST,
                "/packhouse/v1/machines/i-1/code",
                Route::CreateEnrollmentCode("i-1"),
            ),
            (
                Method::POST,
                "/packhouse/v1/machines/i-1/disable",
                Route::DisableMachine("i-1"),
            ),
            (
                Method::GET,
                "/packhouse/v1/machines/i-1/code",
                Route::Nowhere,
            ),
            (
                Method::POST,
                "/packhouse/v1/machines/i-1/code/x",
                Route::Nowhere,
            ),
            (Method::POST, "/packhouse/v1/machines/", Route::Nowhere),
            (Method::GET, "/packhouse/v1/accounts", Route::Nowhere),
            (Method::POST, "/packhouse/v1/machinesx", Route::Nowhere),
        ] {
            assert_eq!(Route::of(&method, path), expected, "{method} {path}");
        }
    }
}
