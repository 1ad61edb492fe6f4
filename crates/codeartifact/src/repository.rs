//! Repositories: create, describe, update, list, delete, and where package managers find them.

use aws::AccountId;
use aws::page::{Filters, MaxResults};
use catalog::{
    Action, ConnectionName, DomainAt, DomainName, FormatName, NewRepository, Page, Repository,
    RepositoryAt, RepositoryChange, RepositoryName,
};
use serde::Serialize;

use crate::connection;
use crate::members::{self, Description, name};
use crate::paging::{Asked, Window};
use crate::{Answer, Failure, Request, at};

/// `RepositoryDescription`, and without its neighbours `RepositorySummary`.
#[derive(Serialize)]
struct RepositoryOutput {
    name: RepositoryName,
    #[serde(rename = "administratorAccount")]
    administrator_account: AccountId,
    #[serde(rename = "domainName")]
    domain_name: DomainName,
    #[serde(rename = "domainOwner")]
    domain_owner: AccountId,
    arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "createdTime")]
    created_time: f64,
    #[serde(flatten)]
    neighbours: Option<Neighbours>,
}

#[derive(Serialize)]
struct Neighbours {
    upstreams: Vec<Upstream>,
    #[serde(rename = "externalConnections")]
    external_connections: Vec<Connection>,
}

#[derive(Serialize)]
struct Upstream {
    #[serde(rename = "repositoryName")]
    repository_name: RepositoryName,
}

#[derive(Serialize)]
struct Connection {
    #[serde(rename = "externalConnectionName")]
    external_connection_name: ConnectionName,
    #[serde(rename = "packageFormat", skip_serializing_if = "Option::is_none")]
    package_format: Option<&'static str>,
    status: &'static str,
}

/// As the service sends it; the service model has it in other capitals, and clients compare with this.
const AVAILABLE: &str = "AVAILABLE";

impl RepositoryOutput {
    fn summary(repository: &Repository) -> Self {
        Self {
            name: repository.name.clone(),
            administrator_account: repository.administrator,
            domain_name: repository.domain.name.clone(),
            domain_owner: repository.domain.owner,
            arn: repository.arn.clone(),
            description: repository.description.clone(),
            created_time: repository.created.epoch_seconds(),
            neighbours: None,
        }
    }

    fn full(repository: &Repository) -> Self {
        let upstream = |name: &RepositoryName| Upstream {
            repository_name: name.clone(),
        };
        let connected = |name: &ConnectionName| Connection {
            external_connection_name: name.clone(),
            package_format: connection::format(name.as_str()),
            status: AVAILABLE,
        };
        let neighbours = Neighbours {
            upstreams: repository.upstreams.iter().map(upstream).collect(),
            external_connections: repository.connection.iter().map(connected).collect(),
        };
        Self {
            neighbours: Some(neighbours),
            ..Self::summary(repository)
        }
    }
}

/// `{"repository": …}`, and `{}` for a repository that was not there to be deleted.
#[derive(Serialize)]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<RepositoryOutput>,
}

/// The answer that describes one repository.
pub(crate) fn described(repository: &Repository) -> Result<Answer, Failure> {
    Answer::json(&Output {
        repository: Some(RepositoryOutput::full(repository)),
    })
}

pub(crate) async fn create(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (domain, new) = request.read(|read| {
        let at = at::repository(read, &cx.caller);
        let description = read
            .body("description", "description")
            .optional::<Description>();
        let upstreams = members::upstreams(read);
        let tags = members::tags(read);
        let RepositoryAt { domain, name } = at?;
        let new = NewRepository {
            name,
            description: description?.map(|description| description.0),
            upstreams: upstreams?.unwrap_or_default(),
            tags: tags?,
        };
        Some((domain, new))
    })?;
    let repository = cx
        .catalog
        .create_repository(&cx.caller, &domain, new)
        .await?;
    described(&repository)
}

pub(crate) async fn describe(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::repository(read, &cx.caller))?;
    let repository = cx
        .catalog
        .repository(&cx.caller, Action::DescribeRepository, &at)
        .await?;
    described(&repository)
}

pub(crate) async fn update(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, change) = request.read(|read| {
        let at = at::repository(read, &cx.caller);
        let description = read
            .body("description", "description")
            .optional::<Description>();
        let upstreams = members::upstreams(read);
        let change = RepositoryChange {
            description: description?.map(|description| description.0),
            upstreams: upstreams?,
        };
        Some((at?, change))
    })?;
    let repository = cx
        .catalog
        .repository(&cx.caller, Action::UpdateRepository, &at)
        .await?;
    described(&repository.update(change).await?)
}

pub(crate) async fn delete(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::repository(read, &cx.caller))?;
    let deleted = cx.catalog.delete_repository(&cx.caller, &at).await?;
    let repository = deleted.map(|repository| RepositoryOutput::full(&repository));
    Answer::json(&Output { repository })
}

#[derive(Serialize)]
struct List {
    repositories: Vec<RepositoryOutput>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (prefix, asked) = request.read(|read| {
        let prefix = read
            .query("repository-prefix", "repositoryPrefix")
            .optional_with(name);
        let asked = Asked::in_query(read);
        Some((prefix?, asked?))
    })?;
    let prefix: Option<RepositoryName> = prefix;
    let account = cx.caller.account().as_str();
    let filters = Filters::of([Some(account), prefix.as_ref().map(RepositoryName::as_str)]);
    let window = asked.window(&request, MaxResults::FIFTY, filters)?;
    let page = cx
        .catalog
        .list_repositories(&cx.caller, prefix.as_ref(), window.after(), window.limit)
        .await?;
    listed(&request, &window, &page)
}

pub(crate) async fn list_in_domain(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, administrator, prefix, asked) = request.read(|read| {
        let at = at::domain(read, &cx.caller);
        let administrator = read
            .query("administrator-account", "administratorAccount")
            .optional::<AccountId>();
        let prefix = read
            .query("repository-prefix", "repositoryPrefix")
            .optional_with(name);
        let asked = Asked::in_query(read);
        Some((at?, administrator?, prefix?, asked?))
    })?;
    let prefix: Option<RepositoryName> = prefix;
    let filters = Filters::of([
        Some(at.owner.as_str()),
        Some(at.name.as_str()),
        administrator.as_ref().map(AccountId::as_str),
        prefix.as_ref().map(RepositoryName::as_str),
    ]);
    let window = asked.window(&request, MaxResults::FIFTY, filters)?;
    let domain = cx
        .catalog
        .domain(&cx.caller, Action::ListRepositoriesInDomain, &at)
        .await?;
    let page = domain
        .repositories(
            administrator.as_ref(),
            prefix.as_ref(),
            window.after(),
            window.limit,
        )
        .await?;
    listed(&request, &window, &page)
}

fn listed(
    request: &Request<'_>,
    window: &Window,
    page: &Page<Repository>,
) -> Result<Answer, Failure> {
    Answer::json(&List {
        repositories: page.items.iter().map(RepositoryOutput::summary).collect(),
        next_token: window.next_token(request, page.next.as_deref()),
    })
}

/// Where package managers reach this server.
#[derive(Debug, Clone)]
pub struct Endpoints {
    base: String,
}

impl Endpoints {
    /// From the address that clients can reach: scheme, host, port where it is not the scheme's own, no path:
    /// `https://packages.example.com:8443`.
    pub fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// `https://packages.example.com:8443/d/my-domain-111122223333/maven/my-repository/`. It ends in a slash, because
    /// clients append to it; the names in it need no escaping.
    pub fn of(
        &self,
        domain: &DomainAt,
        format: &FormatName,
        repository: &RepositoryName,
    ) -> String {
        let DomainAt { owner, name } = domain;
        format!("{}/d/{name}-{owner}/{format}/{repository}/", self.base)
    }
}

#[derive(Serialize)]
struct Endpoint {
    #[serde(rename = "repositoryEndpoint")]
    repository_endpoint: String,
}

pub(crate) async fn endpoint(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, format) = request.read(|read| {
        let at = at::repository(read, &cx.caller);
        let format = read
            .query("format", "format")
            .required_with(members::format);
        let kind = read
            .query("endpointType", "endpointType")
            .optional_with(members::only(&["dualstack", "ipv4"]));
        kind?;
        Some((at?, format?))
    })?;
    cx.catalog
        .repository(&cx.caller, Action::GetRepositoryEndpoint, &at)
        .await?;
    let repository_endpoint = cx.endpoints.of(&at.domain, &format, &at.name);
    Answer::json(&Endpoint {
        repository_endpoint,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn endpoints_end_in_one_slash() {
        let domain = DomainAt {
            owner: "111122223333".parse().unwrap(),
            name: "my-domain".parse().unwrap(),
        };
        for base in ["http://localhost:8080", "http://localhost:8080/"] {
            let found = Endpoints::new(base).of(
                &domain,
                &"maven".parse().unwrap(),
                &"my_Repository.1".parse().unwrap(),
            );
            let expected = "http://localhost:8080/d/my-domain-111122223333/maven/my_Repository.1/";
            assert_eq!(found, expected);
        }
    }
}
