//! Packages: describe and list.

use aws::page::{Filters, MaxResults};
use aws::{Fault, Reason};
use catalog::{
    Action, FormatName, Namespace, Package, PackageFilter, PackageName, Restriction, Restrictions,
};
use serde::Serialize;

use crate::at::Naming;
use crate::members::{self, name};
use crate::names;
use crate::paging::Asked;
use crate::{Answer, Failure, Request, at};

/// `PackageOriginConfiguration`.
#[derive(Serialize)]
pub(crate) struct OriginConfiguration {
    restrictions: OriginRestrictions,
}

#[derive(Serialize)]
struct OriginRestrictions {
    publish: &'static str,
    upstream: &'static str,
}

impl From<Restrictions> for OriginConfiguration {
    fn from(restrictions: Restrictions) -> Self {
        let Restrictions { publish, upstream } = restrictions;
        let restrictions = OriginRestrictions {
            publish: publish.as_str(),
            upstream: upstream.as_str(),
        };
        Self { restrictions }
    }
}

/// `PackageDescription`, where the name is `name`.
#[derive(Serialize)]
struct Description {
    format: FormatName,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    name: PackageName,
    #[serde(rename = "originConfiguration")]
    origin_configuration: OriginConfiguration,
}

/// `PackageSummary`, where it is `package`.
#[derive(Serialize)]
struct Summary {
    format: FormatName,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    package: PackageName,
    #[serde(rename = "originConfiguration")]
    origin_configuration: OriginConfiguration,
}

impl From<Package> for Summary {
    fn from(package: Package) -> Self {
        Self {
            format: package.id.format,
            namespace: package.id.namespace,
            package: package.id.name,
            origin_configuration: package.restrictions.into(),
        }
    }
}

#[derive(Serialize)]
struct Output {
    package: Description,
}

pub(crate) async fn describe(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::package(read, &cx.caller))?;
    let id = at.id(cx.catalog.formats(), Naming::Existing)?;
    let action = Action::DescribePackage;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.repository, &id)
        .await?;
    let package = package.describe().await?;
    Answer::json(&Output {
        package: Description {
            format: package.id.format,
            namespace: package.id.namespace,
            name: package.id.name,
            origin_configuration: package.restrictions.into(),
        },
    })
}

#[derive(Serialize)]
struct Deleted {
    #[serde(rename = "deletedPackage")]
    deleted_package: Summary,
}

pub(crate) async fn delete(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::package(read, &cx.caller))?;
    let id = at.id(cx.catalog.formats(), Naming::Existing)?;
    let action = Action::DeletePackage;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.repository, &id)
        .await?;
    Answer::json(&Deleted {
        deleted_package: package.delete().await?.into(),
    })
}

#[derive(Serialize)]
struct Controlled {
    #[serde(rename = "originConfiguration")]
    origin_configuration: OriginConfiguration,
}

pub(crate) async fn put_origin_configuration(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, restrictions) = request.read(|read| {
        let at = at::package(read, &cx.caller);
        let restrictions = read
            .body("restrictions", "restrictions")
            .required_structure(|read| {
                let publish = read
                    .body("publish", "publish")
                    .required_with(members::restriction);
                let upstream = read
                    .body("upstream", "upstream")
                    .required_with(members::restriction);
                Some(Restrictions {
                    publish: publish?,
                    upstream: upstream?,
                })
            });
        Some((at?, restrictions?))
    })?;
    // The package need not exist: it may be controlled before it comes.
    let id = at.id(cx.catalog.formats(), Naming::Existing)?;
    let action = Action::PutPackageOriginConfiguration;
    let package = cx
        .catalog
        .package(&cx.caller, action, &at.repository, &id)
        .await?;
    let package = package.set_restrictions(restrictions).await?;
    Answer::json(&Controlled {
        origin_configuration: package.restrictions.into(),
    })
}

#[derive(Serialize)]
struct List {
    packages: Vec<Summary>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, filter, asked) = request.read(|read| {
        let at = at::repository(read, &cx.caller);
        let format = read
            .query("format", "format")
            .optional_with(members::format);
        let namespace = read
            .query("namespace", "namespace")
            .optional_with(name::<Namespace>);
        let prefix = read
            .query("package-prefix", "packagePrefix")
            .optional_with(name::<PackageName>);
        let asked = Asked::in_query(read);
        let publish = read
            .query("publish", "publish")
            .optional_with(members::restriction);
        let upstream = read
            .query("upstream", "upstream")
            .optional_with(members::restriction);
        let format = format?;
        let normal = |text: &str| match &format {
            Some(format) => names::normal(format, text).into_owned(),
            None => text.to_owned(),
        };
        let filter = PackageFilter {
            namespace_prefix: namespace?.map(|prefix| normal(prefix.as_str())),
            name_prefix: prefix?.map(|prefix| normal(prefix.as_str())),
            format,
            publish: publish?,
            upstream: upstream?,
        };
        Some((at?, filter, asked?))
    })?;
    if filter.namespace_prefix.is_some() && filter.format.is_none() {
        let message = "namespace can only be given together with format";
        return Err(Fault::validation(Reason::Other, message).into());
    }
    let filters = Filters::of([
        Some(at.domain.owner.as_str()),
        Some(at.domain.name.as_str()),
        Some(at.name.as_str()),
        filter.format.as_ref().map(FormatName::as_str),
        filter.namespace_prefix.as_deref(),
        filter.name_prefix.as_deref(),
        filter.publish.map(Restriction::as_str),
        filter.upstream.map(Restriction::as_str),
    ]);
    let window = asked.window(&request, MaxResults::HUNDRED, filters)?;
    let repository = cx
        .catalog
        .repository(&cx.caller, Action::ListPackages, &at)
        .await?;
    let page = repository
        .packages(&filter, window.after(), window.limit)
        .await?;
    let next_token = window.next_token(&request, page.next.as_deref());
    Answer::json(&List {
        packages: page.items.into_iter().map(Summary::from).collect(),
        next_token,
    })
}
