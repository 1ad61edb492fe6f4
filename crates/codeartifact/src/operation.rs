//! The table: 48 operations, one a line.
//!
//! Method, path and name are the published service model's, and a test compares every line with it. A line without a
//! function at its end is an operation that this version does not have; it is answered as such, whatever its input.

use std::future::Future;
use std::pin::Pin;

use http::{Method, StatusCode};

use aws::{Fault, Reason};
use catalog::Action;

use crate::{Answer, Failure, Request};
use crate::{
    asset, connection, domain, package, policy, repository, tag, token, version, versions,
};

/// Where the bytes of an asset travel, which tells the door how to treat the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nowhere: JSON in (or nothing), JSON out. The body may be read whole, under the cap for documents.
    Json,
    /// In the request: its body must be handed on as it comes, never held.
    AssetIn,
    /// In the answer.
    AssetOut,
}

/// A line of the table.
#[derive(Debug)]
pub struct Operation {
    /// As AWS names it: `CreateDomain`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The whole path; there are no parameters in it.
    pub path: &'static str,
    /// Where bytes travel.
    pub kind: Kind,
    /// What it asks for: always the first, the others where the input calls for them.
    pub actions: &'static [Action],
    pub(crate) run: Option<Run>,
}

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send + 'a>>;
pub(crate) type Run = for<'a> fn(Request<'a>) -> Running<'a>;

impl Operation {
    /// Whether this version of Packhouse has it.
    pub fn is_implemented(&self) -> bool {
        self.run.is_some()
    }

    /// 501 and not a name of the service model: SDKs retry on `InternalServerException`, and nothing here is gained by
    /// asking again.
    pub(crate) fn not_implemented(&self) -> Fault {
        Fault::new(
            "NotImplementedException",
            StatusCode::NOT_IMPLEMENTED,
            format!(
                "Operation {} is not implemented yet by this version of Packhouse",
                self.name
            ),
        )
    }
}

/// The operation with this method and path.
pub fn find(method: &Method, path: &str) -> Option<&'static Operation> {
    OPERATIONS
        .iter()
        .find(|operation| operation.path == path && operation.method == *method)
}

/// What to answer when [`find`] finds none: `ValidationException`, reason `UNKNOWN_OPERATION`.
pub fn unknown(method: &Method, path: &str) -> Fault {
    Fault::validation(
        Reason::UnknownOperation,
        format!("no operation has the method {method} and the path `{path}`"),
    )
}

macro_rules! operations {
    ($($name:ident $method:ident $path:literal $kind:ident [$($action:ident)+] $(=> $run:path)?;)*) => {
        /// Every operation of the `CodeArtifact` API, by name.
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            method: Method::$method,
            path: $path,
            kind: Kind::$kind,
            actions: &[$(Action::$action),+],
            run: operations!(@run $($run)?),
        },)*];
    };
    (@run) => { None };
    (@run $run:path) => { Some(|request| Box::pin($run(request))) };
}

#[rustfmt::skip]
operations! {
    AssociateExternalConnection           POST   "/v1/repository/external-connection"        Json     [AssociateExternalConnection] => connection::associate;
    CopyPackageVersions                   POST   "/v1/package/versions/copy"                 Json     [CopyPackageVersions ReadFromRepository] => versions::copy;
    CreateDomain                          POST   "/v1/domain"                                Json     [CreateDomain TagResource] => domain::create;
    CreatePackageGroup                    POST   "/v1/package-group"                         Json     [CreatePackageGroup TagResource];
    CreateRepository                      POST   "/v1/repository"                            Json     [CreateRepository AssociateWithDownstreamRepository TagResource] => repository::create;
    DeleteDomain                          DELETE "/v1/domain"                                Json     [DeleteDomain] => domain::delete;
    DeleteDomainPermissionsPolicy         DELETE "/v1/domain/permissions/policy"             Json     [DeleteDomainPermissionsPolicy] => policy::delete_of_domain;
    DeletePackage                         DELETE "/v1/package"                               Json     [DeletePackage] => package::delete;
    DeletePackageGroup                    DELETE "/v1/package-group"                         Json     [DeletePackageGroup];
    DeletePackageVersions                 POST   "/v1/package/versions/delete"               Json     [DeletePackageVersions] => versions::delete;
    DeleteRepository                      DELETE "/v1/repository"                            Json     [DeleteRepository] => repository::delete;
    DeleteRepositoryPermissionsPolicy     DELETE "/v1/repository/permissions/policies"       Json     [DeleteRepositoryPermissionsPolicy] => policy::delete_of_repository;
    DescribeDomain                        GET    "/v1/domain"                                Json     [DescribeDomain] => domain::describe;
    DescribePackage                       GET    "/v1/package"                               Json     [DescribePackage] => package::describe;
    DescribePackageGroup                  GET    "/v1/package-group"                         Json     [DescribePackageGroup];
    DescribePackageVersion                GET    "/v1/package/version"                       Json     [DescribePackageVersion] => version::describe;
    DescribeRepository                    GET    "/v1/repository"                            Json     [DescribeRepository] => repository::describe;
    DisassociateExternalConnection        DELETE "/v1/repository/external-connection"        Json     [DisassociateExternalConnection] => connection::disassociate;
    DisposePackageVersions                POST   "/v1/package/versions/dispose"              Json     [DisposePackageVersions] => versions::dispose;
    GetAssociatedPackageGroup             GET    "/v1/get-associated-package-group"          Json     [GetAssociatedPackageGroup];
    GetAuthorizationToken                 POST   "/v1/authorization-token"                   Json     [GetAuthorizationToken] => token::get;
    GetDomainPermissionsPolicy            GET    "/v1/domain/permissions/policy"             Json     [GetDomainPermissionsPolicy] => policy::get_of_domain;
    GetPackageVersionAsset                GET    "/v1/package/version/asset"                 AssetOut [GetPackageVersionAsset] => asset::get;
    GetPackageVersionReadme               GET    "/v1/package/version/readme"                Json     [GetPackageVersionReadme] => version::readme;
    GetRepositoryEndpoint                 GET    "/v1/repository/endpoint"                   Json     [GetRepositoryEndpoint] => repository::endpoint;
    GetRepositoryPermissionsPolicy        GET    "/v1/repository/permissions/policy"         Json     [GetRepositoryPermissionsPolicy] => policy::get_of_repository;
    ListAllowedRepositoriesForGroup       GET    "/v1/package-group-allowed-repositories"    Json     [ListAllowedRepositoriesForGroup];
    ListAssociatedPackages                GET    "/v1/list-associated-packages"              Json     [ListAssociatedPackages];
    ListDomains                           POST   "/v1/domains"                               Json     [ListDomains] => domain::list;
    ListPackageGroups                     POST   "/v1/package-groups"                        Json     [ListPackageGroups];
    ListPackageVersionAssets              POST   "/v1/package/version/assets"                Json     [ListPackageVersionAssets] => asset::list;
    ListPackageVersionDependencies        POST   "/v1/package/version/dependencies"          Json     [ListPackageVersionDependencies] => version::dependencies;
    ListPackageVersions                   POST   "/v1/package/versions"                      Json     [ListPackageVersions] => version::list;
    ListPackages                          POST   "/v1/packages"                              Json     [ListPackages] => package::list;
    ListRepositories                      POST   "/v1/repositories"                          Json     [ListRepositories] => repository::list;
    ListRepositoriesInDomain              POST   "/v1/domain/repositories"                   Json     [ListRepositoriesInDomain] => repository::list_in_domain;
    ListSubPackageGroups                  POST   "/v1/package-groups/sub-groups"             Json     [ListSubPackageGroups];
    ListTagsForResource                   POST   "/v1/tags"                                  Json     [ListTagsForResource] => tag::list;
    PublishPackageVersion                 POST   "/v1/package/version/publish"               AssetIn  [PublishPackageVersion] => asset::publish;
    PutDomainPermissionsPolicy            PUT    "/v1/domain/permissions/policy"             Json     [PutDomainPermissionsPolicy] => policy::put_of_domain;
    PutPackageOriginConfiguration         POST   "/v1/package"                               Json     [PutPackageOriginConfiguration] => package::put_origin_configuration;
    PutRepositoryPermissionsPolicy        PUT    "/v1/repository/permissions/policy"         Json     [PutRepositoryPermissionsPolicy] => policy::put_of_repository;
    TagResource                           POST   "/v1/tag"                                   Json     [TagResource] => tag::tag;
    UntagResource                         POST   "/v1/untag"                                 Json     [UntagResource] => tag::untag;
    UpdatePackageGroup                    PUT    "/v1/package-group"                         Json     [UpdatePackageGroup];
    UpdatePackageGroupOriginConfiguration PUT    "/v1/package-group-origin-configuration"    Json     [UpdatePackageGroupOriginConfiguration];
    UpdatePackageVersionsStatus           POST   "/v1/package/versions/update_status"        Json     [UpdatePackageVersionsStatus] => versions::update_status;
    UpdateRepository                      PUT    "/v1/repository"                            Json     [UpdateRepository AssociateWithDownstreamRepository] => repository::update;
}
