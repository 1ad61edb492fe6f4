//! `GetAuthorizationToken`: the token that package managers carry.

use aws::{Fault, Reason};
use catalog::{Action, Error};
use iam::{Ask, AuthorizeError, TokenDuration};
use serde::Serialize;

use crate::members::DurationSeconds;
use crate::{Answer, Context, Failure, Request, at};

/// Printed nowhere but in the answer: it has a secret in it.
#[derive(Serialize)]
struct Output<'a> {
    #[serde(rename = "authorizationToken")]
    authorization_token: &'a str,
    expiration: f64,
}

pub(crate) async fn get(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, seconds) = request.read(|read| {
        let at = at::domain(read, &cx.caller);
        let seconds = read
            .query("duration", "durationSeconds")
            .optional::<DurationSeconds>();
        Some((at?, seconds?))
    })?;
    let duration = TokenDuration::from_seconds(seconds.map(|seconds| seconds.0))
        .ok_or_else(|| Fault::validation(Reason::FieldValidationFailed, DURATIONS))?;
    let domain = match cx
        .catalog
        .domain(&cx.caller, Action::GetAuthorizationToken, &at)
        .await
    {
        Err(missing @ Error::NotFound { .. }) => {
            // Two permissions are needed, and neither lack may depend on what exists.
            may_carry_a_token(cx, duration).await?;
            return Err(missing.into());
        }
        other => other?,
    };
    may_carry_a_token(cx, duration).await?;
    let issued = cx
        .iam
        .issue_token(&cx.caller, domain.number, &domain.owner, duration)
        .await;
    let token = issued.map_err(|error| match error {
        iam::Error::NoSession => Fault::validation(Reason::Other, NO_SESSION),
        other => unavailable(other),
    })?;
    Answer::json(&Output {
        authorization_token: token.token.expose(),
        expiration: token.expires.epoch_seconds(),
    })
}

const DURATIONS: &str = "durationSeconds must be 0 or from 900 to 43200";
const NO_SESSION: &str =
    "durationSeconds 0 asks for a token that ends with temporary credentials, and these are not";

/// `sts:GetServiceBearerToken`, which no resource policy can grant.
async fn may_carry_a_token(cx: &Context, duration: TokenDuration) -> Result<(), Failure> {
    let ask = Ask {
        caller: &cx.caller,
        action: "sts:GetServiceBearerToken",
        resources: &["*"],
        owner: cx.caller.account(),
        administrator: None,
        domain_policy: None,
        repository_policy: None,
        resource_tags: &[],
        request_tags: None,
        context: &[
            (
                "sts:AWSServiceName",
                "codeartifact.amazonaws.com".to_owned(),
            ),
            ("sts:DurationSeconds", duration.as_seconds().to_string()),
        ],
    };
    cx.iam.authorize(&ask).await.map_err(|error| match error {
        AuthorizeError::Denied(denial) => Error::Denied(denial).into(),
        AuthorizeError::Unavailable(error) => unavailable(error).into(),
    })
}

fn unavailable(error: iam::Error) -> Fault {
    crate::fault::fault(Error::Unavailable(Box::new(error)))
}
