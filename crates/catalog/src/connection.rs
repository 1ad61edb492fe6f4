//! The connection of a repository to a public registry: one at most, and never beside upstreams.

use std::sync::Arc;

use crate::error::Kind;
use crate::names::ConnectionName;
use crate::permit::{Permit, no_repository};
use crate::repository::{CONNECTION, Repository};
use crate::shelf::domain_topic;
use crate::{Error, Result};

/// Only where there is none, and no upstream: two requests cannot both succeed.
const CONNECT: &str = "
    UPDATE repositories
       SET connection = $2
     WHERE id = $1
       AND connection IS NULL
       AND NOT EXISTS (SELECT 1 FROM upstreams WHERE repository_id = $1)";

const DISCONNECT: &str = "
    UPDATE repositories
       SET connection = NULL
     WHERE id = $1
       AND connection = $2";

impl Permit<Repository> {
    /// Connects it to a public registry. Which names there are is the face's to know.
    ///
    /// Errors: `Invalid` (another connection, upstreams), `Conflict` (this connection already).
    pub async fn connect(&self, connection: &ConnectionName) -> Result<Repository> {
        let repository = Arc::clone(&self.thing);
        let wanted = connection.clone();
        self.catalog
            .0
            .database
            .write(move |tx| {
                let id = &*repository.id;
                if tx.execute(CONNECT, &[id.into(), wanted.as_str().into()])? == 0 {
                    let rows = tx.rows(CONNECTION, &[id.into()])?;
                    let row = rows.first().ok_or_else(|| no_repository(&repository.at()))?;
                    return Err(match row.opt_text("connection")? {
                        Some(present) if present == wanted.as_str() => Error::conflict(
                            Kind::Repository,
                            repository.name.as_str(),
                            format!("repository `{}` has the external connection `{wanted}` already", repository.name),
                        ),
                        Some(_) => Error::Invalid("ExternalConnections for repositories are currently limited to 1".into()),
                        None => Error::Invalid(format!(
                            "repository `{}` has upstream repositories, so it cannot have an external connection",
                            repository.name
                        )),
                    });
                }
                tx.touch(&domain_topic(&repository.domain.at()));
                Ok(())
            })
            .await?;
        self.catalog.read_again(&self.at()).await
    }

    /// Ends its connection. Errors: `NotFound` when it has not this one.
    pub async fn disconnect(&self, connection: &ConnectionName) -> Result<Repository> {
        let repository = Arc::clone(&self.thing);
        let unwanted = connection.clone();
        self.catalog
            .0
            .database
            .write(move |tx| {
                if tx.execute(
                    DISCONNECT,
                    &[(&*repository.id).into(), unwanted.as_str().into()],
                )? == 0
                {
                    return Err(Error::not_found(
                        Kind::Repository,
                        repository.name.as_str(),
                        format!(
                            "repository `{}` has no external connection `{unwanted}`",
                            repository.name
                        ),
                    ));
                }
                tx.touch(&domain_topic(&repository.domain.at()));
                Ok(())
            })
            .await?;
        self.catalog.read_again(&self.at()).await
    }
}
