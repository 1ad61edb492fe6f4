//! Versions of a package: list, describe, readme, dependencies.

use aws::page::{Filters, MaxResults};
use aws::{Fault, Reason};
use catalog::{
    Action, ConnectionName, Dependency, FormatName, Kind, License, Namespace, Origin, OriginType,
    PackageId, PackageName, RepositoryAt, RepositoryName, Status, Version, VersionFilter,
    VersionRecord,
};
use serde::Serialize;

use crate::at::Naming;
use crate::members::{self, StatusFilter, only};
use crate::paging::Asked;
use crate::{Answer, Failure, Request, at};

/// `PackageVersionOrigin`.
#[derive(Serialize)]
struct OriginOutput {
    #[serde(rename = "domainEntryPoint", skip_serializing_if = "Option::is_none")]
    domain_entry_point: Option<EntryPoint>,
    #[serde(rename = "originType")]
    origin_type: &'static str,
}

#[derive(Serialize)]
struct EntryPoint {
    #[serde(rename = "repositoryName", skip_serializing_if = "Option::is_none")]
    repository_name: Option<RepositoryName>,
    #[serde(
        rename = "externalConnectionName",
        skip_serializing_if = "Option::is_none"
    )]
    external_connection_name: Option<ConnectionName>,
}

impl From<Origin> for OriginOutput {
    fn from(origin: Origin) -> Self {
        let is_known = origin.repository.is_some() || origin.connection.is_some();
        let entry = EntryPoint {
            repository_name: origin.repository,
            external_connection_name: origin.connection,
        };
        Self {
            domain_entry_point: is_known.then_some(entry),
            origin_type: origin.origin_type.as_str(),
        }
    }
}

/// Which package, in the words of the lists.
#[derive(Serialize)]
pub(crate) struct Coordinates {
    format: FormatName,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    package: PackageName,
}

impl From<&PackageId> for Coordinates {
    fn from(id: &PackageId) -> Self {
        let PackageId {
            format,
            namespace,
            name,
        } = id.clone();
        Self {
            format,
            namespace,
            package: name,
        }
    }
}

/// Which version, in the words of what lists its parts.
#[derive(Serialize)]
pub(crate) struct VersionCoordinates {
    #[serde(flatten)]
    package: Coordinates,
    version: Version,
    #[serde(rename = "versionRevision")]
    version_revision: String,
}

impl VersionCoordinates {
    pub(crate) fn of(id: &PackageId, record: &VersionRecord) -> Self {
        Self {
            package: id.into(),
            version: record.version.clone(),
            version_revision: record.revision.clone(),
        }
    }
}

/// What binds a page token to a package.
pub(crate) fn package_filters<'a>(at: &'a RepositoryAt, id: &'a PackageId) -> [Option<&'a str>; 6] {
    [
        Some(at.domain.owner.as_str()),
        Some(at.domain.name.as_str()),
        Some(at.name.as_str()),
        Some(id.format.as_str()),
        id.namespace.as_ref().map(Namespace::as_str),
        Some(id.name.as_str()),
    ]
}

#[derive(Serialize)]
struct Summary {
    version: Version,
    revision: String,
    status: &'static str,
    origin: OriginOutput,
}

impl From<VersionRecord> for Summary {
    fn from(record: VersionRecord) -> Self {
        Self {
            version: record.version,
            revision: record.revision,
            status: record.status.as_str(),
            origin: record.origin.into(),
        }
    }
}

#[derive(Serialize)]
struct List {
    #[serde(
        rename = "defaultDisplayVersion",
        skip_serializing_if = "Option::is_none"
    )]
    default_display_version: Option<Version>,
    #[serde(flatten)]
    package: Coordinates,
    versions: Vec<Summary>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, status, origin, newest_first, asked) = request.read(|read| {
        let at = at::package(read, &cx.caller);
        let status = read.query("status", "status").optional::<StatusFilter>();
        let sort = read
            .query("sortBy", "sortBy")
            .optional_with(only(&["PUBLISHED_TIME"]));
        let asked = Asked::in_query(read);
        let origin = read
            .query("originType", "originType")
            .optional_with(members::origin_type);
        Some((at?, status?, origin?, sort?.is_some(), asked?))
    })?;
    let id = at.id(cx.catalog.formats(), Naming::Existing)?;
    let filters = package_filters(&at.repository, &id).into_iter().chain([
        status.map(|status| match status {
            StatusFilter::Recorded(status) => status.as_str(),
            StatusFilter::Deleted => "Deleted",
        }),
        origin.map(OriginType::as_str),
        newest_first.then_some("PUBLISHED_TIME"),
    ]);
    let window = asked.window(&request, MaxResults::FIFTY, Filters::of(filters))?;
    let action = Action::ListPackageVersions;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.repository, &id)
        .await?;
    // Fails when there is no such package, so it comes first.
    let default_display_version = package.default_display_version().await?;
    let (versions, next) = match status {
        Some(StatusFilter::Deleted) => (Vec::new(), None),
        Some(StatusFilter::Recorded(_)) | None => {
            let status = status.and_then(StatusFilter::recorded);
            let filter = VersionFilter {
                status,
                origin,
                newest_first,
            };
            let page = package
                .versions(filter, window.after(), window.limit)
                .await?;
            (page.items, page.next)
        }
    };
    Answer::json(&List {
        default_display_version,
        package: (&id).into(),
        versions: versions.into_iter().map(Summary::from).collect(),
        next_token: window.next_token(&request, next.as_deref()),
    })
}

impl StatusFilter {
    fn recorded(self) -> Option<Status> {
        match self {
            StatusFilter::Recorded(status) => Some(status),
            StatusFilter::Deleted => None,
        }
    }
}

/// `PackageVersionDescription`.
#[derive(Serialize)]
struct Description {
    format: FormatName,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    #[serde(rename = "packageName")]
    package_name: PackageName,
    #[serde(rename = "displayName")]
    display_name: String,
    version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(rename = "homePage", skip_serializing_if = "Option::is_none")]
    home_page: Option<String>,
    #[serde(
        rename = "sourceCodeRepository",
        skip_serializing_if = "Option::is_none"
    )]
    source_code_repository: Option<String>,
    #[serde(rename = "publishedTime")]
    published_time: f64,
    licenses: Vec<LicenseInfo>,
    revision: String,
    status: &'static str,
    origin: OriginOutput,
}

#[derive(Serialize)]
struct LicenseInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<License> for LicenseInfo {
    fn from(License { name, url }: License) -> Self {
        Self { name, url }
    }
}

#[derive(Serialize)]
struct Described {
    #[serde(rename = "packageVersion")]
    package_version: Description,
}

/// The longest `displayName` of the service model, in characters.
const MAX_DISPLAY_NAME: usize = 255;

pub(crate) async fn describe(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::version(read, &cx.caller))?;
    let id = at.package.id(cx.catalog.formats(), Naming::Existing)?;
    let version = at.version(cx.catalog.formats())?;
    let action = Action::DescribePackageVersion;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.package.repository, &id)
        .await?;
    let (record, manifest) = package.version(&version).await?;
    let display_name = manifest.display_name.filter(|name| !name.is_empty());
    let display_name = display_name.unwrap_or_else(|| id.name.to_string());
    Answer::json(&Described {
        package_version: Description {
            format: id.format,
            namespace: id.namespace,
            package_name: id.name,
            display_name: display_name.chars().take(MAX_DISPLAY_NAME).collect(),
            version: record.version,
            summary: manifest.summary,
            home_page: manifest.home_page,
            source_code_repository: manifest.source_code_repository,
            published_time: record.published.epoch_seconds(),
            licenses: manifest
                .licenses
                .into_iter()
                .map(LicenseInfo::from)
                .collect(),
            revision: record.revision,
            status: record.status.as_str(),
            origin: record.origin.into(),
        },
    })
}

#[derive(Serialize)]
struct Readme {
    #[serde(flatten)]
    version: VersionCoordinates,
    readme: String,
}

pub(crate) async fn readme(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::version(read, &cx.caller))?;
    let id = at.package.id(cx.catalog.formats(), Naming::Existing)?;
    let version = at.version(cx.catalog.formats())?;
    let action = Action::GetPackageVersionReadme;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.package.repository, &id)
        .await?;
    let (record, manifest) = package.version(&version).await?;
    let readme = manifest.readme.ok_or_else(|| {
        Fault::not_found(
            Kind::PackageVersion.as_str(),
            version.as_str(),
            format!("Readme not found. Package version {version} of {id} has no readme"),
        )
    })?;
    Answer::json(&Readme {
        version: VersionCoordinates::of(&id, &record),
        readme,
    })
}

#[derive(Serialize)]
struct DependencyOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(rename = "dependencyType", skip_serializing_if = "Option::is_none")]
    dependency_type: Option<String>,
    #[serde(rename = "versionRequirement", skip_serializing_if = "Option::is_none")]
    version_requirement: Option<String>,
}

impl From<Dependency> for DependencyOutput {
    fn from(dependency: Dependency) -> Self {
        let Dependency {
            namespace,
            package,
            dependency_type,
            version_requirement,
        } = dependency;
        Self {
            namespace,
            package,
            dependency_type,
            version_requirement,
        }
    }
}

#[derive(Serialize)]
struct DependencyList {
    #[serde(flatten)]
    version: VersionCoordinates,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    dependencies: Vec<DependencyOutput>,
}

pub(crate) async fn dependencies(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, asked) = request.read(|read| {
        let at = at::version(read, &cx.caller);
        let asked = Asked::token_in_query(read);
        Some((at?, asked?))
    })?;
    let id = at.package.id(cx.catalog.formats(), Naming::Existing)?;
    let version = at.version(cx.catalog.formats())?;
    let repository = &at.package.repository;
    let filters = package_filters(repository, &id)
        .into_iter()
        .chain([Some(version.as_str())]);
    let window = asked.window(&request, MaxResults::HUNDRED, Filters::of(filters))?;
    let action = Action::ListPackageVersionDependencies;
    let package = cx
        .catalog
        .package(&cx.caller, action, repository, &id)
        .await?;
    let (record, manifest) = package.version(&version).await?;
    // The order is the document's, so a place in it is a number; it counts only for the document it was made from.
    let start = match window.after() {
        None => 0,
        Some(place) => place
            .split_once(' ')
            .filter(|(revision, _)| *revision == record.revision)
            .and_then(|(_, start)| start.parse::<usize>().ok())
            .ok_or_else(|| Fault::validation(Reason::Other, CHANGED))?,
    };
    let end = start.saturating_add(window.limit as usize);
    let next = (end < manifest.dependencies.len()).then(|| format!("{} {end}", record.revision));
    let page = manifest
        .dependencies
        .into_iter()
        .skip(start)
        .take(window.limit as usize);
    Answer::json(&DependencyList {
        version: VersionCoordinates::of(&id, &record),
        next_token: window.next_token(&request, next.as_deref()),
        dependencies: page.map(DependencyOutput::from).collect(),
    })
}

const CHANGED: &str = "The pagination token is not valid any more: the package version has changed";
