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
mod ec2_lists;
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
mod revoking;
mod roles;
mod shapes;
mod simulate;
mod sts;
mod tags;
mod targets;
mod users;
mod versions;
mod web_identity;

use std::pin::Pin;

use aws::query::{Form, query_response};
use aws::xml::Xml;
use aws::{Fault, QueryService};
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::caller::Source;
use crate::{Caller, Iam};
use call::{Answered, Call};

pub use ec2::{EC2_OPERATIONS, Ec2Operation};
pub use machines::{CreateMachine, MachineWithCode, Machines, ShownMachine};
pub use operations::OPERATIONS;
pub use revoking::{RevokeSessions, Revoked};

/// One operation that is answered here.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Whose it is.
    pub service: QueryService,
    /// Its name, the parameter `Action`.
    pub name: &'static str,
    function: Function,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    /// For a caller who has signed.
    Signed(for<'a> fn(Call<'a>) -> Answer<'a>),
    /// For anybody: what they show instead is the operation's to judge.
    Unsigned(for<'a> fn(Unsigned<'a>) -> Answer<'a>),
}

type Answer<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// Somebody without a key, whom an identity provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The provider's ARN.
    pub provider: String,
    /// What it calls them.
    pub subject: String,
}

/// One call without a signature.
#[derive(Clone, Copy)]
struct Unsigned<'a> {
    iam: &'a Iam,
    source: &'a Source,
    /// Told as soon as it is proven who calls, before anything is changed or refused because of who it is.
    vouched: &'a (dyn Fn(Vouched) + Send + Sync),
    form: &'a Form,
    service: QueryService,
    operation: &'static str,
    request_id: &'a str,
}

impl Unsigned<'_> {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "every operation ends with it, and gives what it gives"
    )]
    fn answer(&self, result: impl FnOnce(&mut Xml)) -> Answered {
        Ok(query_response(
            self.operation,
            self.service,
            self.request_id,
            result,
        ))
    }
}

/// The operation that a form asks for, if there is one.
fn find(form: &Form) -> Option<&'static Operation> {
    let (service, name) = (service(form.version())?, form.action().ok()?);
    OPERATIONS
        .iter()
        .find(|operation| operation.service == service && operation.name == name)
}

/// Whether the form asks for an operation that comes without a signature. One that it comes with counts for nothing.
pub fn is_unsigned(form: &Form) -> bool {
    find(form).is_some_and(|operation| matches!(operation.function, Function::Unsigned(_)))
}

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
        form.action()?;
        let operation = find(form).ok_or_else(|| form.unknown_action())?;
        let for_own_session =
            operation.service == QueryService::Sts && OWN_SESSION_MAY.contains(&operation.name);
        if caller.identity().is_own_session() && !for_own_session {
            return Err(Fault::new(
                "InvalidClientTokenId",
                StatusCode::FORBIDDEN,
                "The security token included in the request is invalid.",
            ));
        }
        match operation.function {
            Function::Signed(function) => {
                function(Call {
                    iam: self,
                    caller,
                    form,
                    service: operation.service,
                    operation: operation.name,
                    request_id,
                })
                .await
            }
            Function::Unsigned(_) => {
                let nobody_listens = |_| {};
                self.call_unsigned(caller.source(), &nobody_listens, form, request_id)
                    .await
            }
        }
    }

    /// Answers a call that came without a signature. `vouched` is told who calls as soon as that is proven, before
    /// anything is changed, or refused because of who it is.
    ///
    /// Errors: `InvalidAction` for operations that need a signature; the operation's own.
    pub async fn call_unsigned(
        &self,
        source: &Source,
        vouched: &(dyn Fn(Vouched) + Send + Sync),
        form: &Form,
        request_id: &str,
    ) -> Result<Response<Bytes>, Fault> {
        match find(form).map(|operation| (operation, operation.function)) {
            Some((operation, Function::Unsigned(function))) => {
                function(Unsigned {
                    iam: self,
                    source,
                    vouched,
                    form,
                    service: operation.service,
                    operation: operation.name,
                    request_id,
                })
                .await
            }
            Some((_, Function::Signed(_))) | None => Err(form.unknown_action()),
        }
    }
}
