//! The operations of IAM and STS: a table, and a file per noun.
//!
//! The door has authenticated the caller and read the form; each function reads its parameters, is allowed, acts and
//! answers.

mod access_keys;
mod account;
mod attachments;
mod boundaries;
mod call;
mod details;
mod ec2;
mod empty;
mod fault;
mod filters;
mod groups;
mod identity;
mod inline;
mod instance_profiles;
mod machines;
mod oidc_providers;
mod operations;
mod params;
mod policies;
mod roles;
mod shapes;
mod simulate;
mod sts;
mod tags;
mod targets;
mod users;
mod versions;

use std::pin::Pin;

use aws::query::Form;
use aws::{Fault, QueryService};
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{Caller, Iam};
use call::{Answered, Call};

pub use ec2::{EC2_OPERATIONS, Ec2Operation};
pub use machines::{CreateMachine, MachineWithCode, Machines, ShownMachine};
pub use operations::OPERATIONS;

/// One operation that is answered here.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Whose it is.
    pub service: QueryService,
    /// Its name, the parameter `Action`.
    pub name: &'static str,
    function: Function,
}

type Function = for<'a> fn(Call<'a>) -> Answer<'a>;
type Answer<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// What `GetSessionToken` credentials may call: they carry no proof of a second factor, so nothing that such a proof could
/// be asked for.
const OWN_SESSION_MAY: [&str; 3] = ["AssumeRole", "GetCallerIdentity", "GetSessionToken"];

/// The service that a version of the Query protocol belongs to.
pub fn service(version: Option<&str>) -> Option<QueryService> {
    match version {
        Some("2010-05-08") => Some(QueryService::Iam),
        Some("2011-06-15") => Some(QueryService::Sts),
        _ => None,
    }
}

impl Iam {
    /// Answers a call of IAM or STS.
    ///
    /// Errors: `MissingAction`; `InvalidAction` for what AWS has and this does not; `InvalidClientTokenId` for credentials
    /// of `GetSessionToken` where they are no good; the operation's own.
    pub async fn call(
        &self,
        caller: &Caller,
        form: &Form,
        request_id: &str,
    ) -> Result<Response<Bytes>, Fault> {
        let name = form.action()?;
        let service = service(form.version());
        let operation = OPERATIONS
            .iter()
            .find(|operation| Some(operation.service) == service && operation.name == name);
        let Some(operation) = operation else {
            return Err(form.unknown_action());
        };
        let for_own_session =
            operation.service == QueryService::Sts && OWN_SESSION_MAY.contains(&operation.name);
        if caller.identity().is_own_session() && !for_own_session {
            return Err(Fault::new(
                "InvalidClientTokenId",
                StatusCode::FORBIDDEN,
                "The security token included in the request is invalid.",
            ));
        }
        (operation.function)(Call {
            iam: self,
            caller,
            form,
            service: operation.service,
            operation: operation.name,
            request_id,
        })
        .await
    }
}
