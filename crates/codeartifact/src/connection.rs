//! External connections of a repository: to associate one, and to end it.

use aws::reader::Reader;
use aws::{Fault, Reason};
use catalog::{Action, ConnectionName, RepositoryAt};
use iam::Caller;

use crate::members::name;
use crate::repository::described;
use crate::{Answer, Failure, Request, at};

/// The external connections that AWS has names for, and the format of each. That a server serves the format, or knows the
/// address of the registry, is another matter: the connection can be made beforehand.
pub const CONNECTIONS: &[(&str, &str)] = &[
    ("public:npmjs", "npm"),
    ("public:pypi", "pypi"),
    ("public:maven-central", "maven"),
    ("public:maven-googleandroid", "maven"),
    ("public:maven-gradleplugins", "maven"),
    ("public:maven-commonsware", "maven"),
    ("public:maven-clojars", "maven"),
    ("public:nuget-org", "nuget"),
    ("public:ruby-gems-org", "ruby"),
    ("public:crates-io", "cargo"),
];

/// The format of a connection's registry.
pub(crate) fn format(connection: &str) -> Option<&'static str> {
    let known = CONNECTIONS.iter().find(|(name, _)| *name == connection)?;
    Some(known.1)
}

fn input(read: &mut Reader<'_>, caller: &Caller) -> Option<(RepositoryAt, ConnectionName)> {
    let at = at::repository(read, caller);
    let connection = read
        .query("external-connection", "externalConnection")
        .required_with(name);
    Some((at?, connection?))
}

pub(crate) async fn associate(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, connection) = request.read(|read| input(read, &cx.caller))?;
    if format(connection.as_str()).is_none() {
        let message = format!("`{connection}` is not the name of an external connection");
        return Err(Fault::validation(Reason::Other, message).into());
    }
    let action = Action::AssociateExternalConnection;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    described(&repository.connect(&connection).await?)
}

pub(crate) async fn disassociate(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, connection) = request.read(|read| input(read, &cx.caller))?;
    let action = Action::DisassociateExternalConnection;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    described(&repository.disconnect(&connection).await?)
}
