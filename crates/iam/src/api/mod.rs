//! The operations of IAM and STS: a table, and a file per noun.
//!
//! The door has authenticated the caller and read the form; each function authorizes, acts and answers.

mod identity;

use std::pin::Pin;

use aws::query::Form;
use aws::{Fault, QueryService};
use bytes::Bytes;
use http::Response;

use crate::{Caller, Iam};

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
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Fault>> + Send + 'a>>;

/// One call of an operation.
#[derive(Clone, Copy)]
struct Call<'a> {
    caller: &'a Caller,
    request_id: &'a str,
}

/// All operations.
pub const OPERATIONS: &[Operation] = &[Operation {
    service: QueryService::Sts,
    name: "GetCallerIdentity",
    function: identity::get_caller_identity,
}];

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
    /// Errors: `MissingAction`; `InvalidAction` for what AWS has and this does not; the operation's own.
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
        match operation {
            Some(operation) => (operation.function)(Call { caller, request_id }).await,
            None => Err(form.unknown_action()),
        }
    }
}
