//! External connections of a repository: to associate one, and to end it.

use aws::reader::Reader;
use catalog::{Action, ConnectionName, RepositoryAt};
use iam::Caller;

use crate::members::name;
use crate::repository::described;
use crate::{Answer, Failure, Request, at};

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
    let action = Action::AssociateExternalConnection;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    described(
        &repository.connect(&connection).await?,
        cx.catalog.formats(),
    )
}

pub(crate) async fn disassociate(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, connection) = request.read(|read| input(read, &cx.caller))?;
    let action = Action::DisassociateExternalConnection;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    described(
        &repository.disconnect(&connection).await?,
        cx.catalog.formats(),
    )
}
