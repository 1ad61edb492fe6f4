//! `/packhouse/v1/…`: operations of our own, signed like all others, for service `packhouse`.

use aws::sigv4::body_hash;
use aws::{AccountId, Dialect, Fault, Reason};
use formats::{Body, full};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use iam::{Caller, NewAccount};
use serde::{Deserialize, Serialize};

use crate::body::Arriving;
use crate::doors::control;
use crate::house::House;
use crate::metrics::Face;
use crate::peer::Peer;
use crate::record::Record;

/// Makes an account.
pub(crate) const ACCOUNTS: &str = "/packhouse/v1/accounts";

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
    match (&parts.method, parts.uri.path()) {
        (&Method::POST, ACCOUNTS) => {
            record.operation = Some("MakeAccount".to_owned());
            let asked = serde_json::from_slice(&body).map_err(|_| {
                Fault::validation(
                    Reason::CannotParse,
                    "the body is not `{\"accountId\": \"…\"}`",
                )
            })?;
            make_account(house, &caller, &asked).await
        }
        _ => Err(Fault::validation(
            Reason::UnknownOperation,
            "there is no such operation",
        )),
    }
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
    let body = serde_json::to_vec(&made).map_err(|_| Fault::internal())?;
    Ok(control::json(body.into()))
}
