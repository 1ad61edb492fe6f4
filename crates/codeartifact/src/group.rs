//! Package groups: their ten operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::AccountId;
use aws::page::{Filters, MaxResults};
use aws::reader::{Field, Reader};
use catalog::{
    Action, AssociatedPackage, DomainAt, DomainName, FormatName, GroupAt, GroupChange, GroupMode,
    GroupName, GroupRestriction, Namespace, NewPackageGroup, PackageGroup, PackageName, Page,
    RepositoryName,
};
use iam::Caller;
use serde::Serialize;

use crate::at::Naming;
use crate::members::{self, ContactInfo, Description, name};
use crate::paging::{Asked, Window};
use crate::pattern::{PatternText, Prefix, pattern};
use crate::{Answer, Failure, Request, at};

/// `PackageGroupDescription`, and `PackageGroupSummary`, which has the same members.
#[derive(Serialize)]
struct GroupOutput {
    arn: String,
    pattern: String,
    #[serde(rename = "domainName")]
    domain_name: DomainName,
    #[serde(rename = "domainOwner")]
    domain_owner: AccountId,
    #[serde(rename = "createdTime")]
    created_time: f64,
    #[serde(rename = "contactInfo", skip_serializing_if = "Option::is_none")]
    contact_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "originConfiguration")]
    origin_configuration: OriginConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Reference>,
}

/// `PackageGroupOriginConfiguration`: always all three restrictions, which clients read without asking.
#[derive(Serialize)]
struct OriginConfiguration {
    restrictions: BTreeMap<&'static str, RestrictionOutput>,
}

#[derive(Serialize)]
struct RestrictionOutput {
    mode: &'static str,
    #[serde(rename = "effectiveMode")]
    effective_mode: &'static str,
    #[serde(rename = "inheritedFrom", skip_serializing_if = "Option::is_none")]
    inherited_from: Option<Reference>,
    #[serde(rename = "repositoriesCount", skip_serializing_if = "Option::is_none")]
    repositories_count: Option<usize>,
}

/// `PackageGroupReference`.
#[derive(Serialize)]
struct Reference {
    arn: String,
    pattern: String,
}

impl From<&GroupName> for Reference {
    fn from(name: &GroupName) -> Self {
        Self {
            arn: name.arn.clone(),
            pattern: name.pattern.to_string(),
        }
    }
}

impl From<&PackageGroup> for GroupOutput {
    fn from(group: &PackageGroup) -> Self {
        let restrictions = GroupRestriction::ALL.map(|restriction| {
            let rule = group.rule(restriction);
            let has_list = rule.mode == GroupMode::AllowSpecificRepositories;
            let output = RestrictionOutput {
                mode: rule.mode.as_str(),
                effective_mode: rule.effective_mode.as_str(),
                inherited_from: rule.inherited_from.as_ref().map(Reference::from),
                repositories_count: has_list.then(|| rule.allowed.len()),
            };
            (restriction.as_str(), output)
        });
        Self {
            arn: group.arn.clone(),
            pattern: group.pattern.to_string(),
            domain_name: group.domain.name.clone(),
            domain_owner: group.domain.owner,
            created_time: group.created.epoch_seconds(),
            contact_info: group.contact_info.clone(),
            description: group.description.clone(),
            origin_configuration: OriginConfiguration {
                restrictions: restrictions.into(),
            },
            parent: group.parent.as_ref().map(Reference::from),
        }
    }
}

#[derive(Serialize)]
struct Output {
    #[serde(rename = "packageGroup")]
    package_group: GroupOutput,
}

fn described(group: &PackageGroup) -> Result<Answer, Failure> {
    Answer::json(&Output {
        package_group: group.into(),
    })
}

/// The domain of the query, and the group that this member names.
fn group_at(
    read: &mut Reader<'_>,
    caller: &Caller,
    member: impl FnOnce(&mut Reader<'_>) -> Option<String>,
) -> Option<GroupAt> {
    let domain = at::domain(read, caller);
    let pattern = member(read);
    Some(GroupAt {
        domain: domain?,
        pattern: pattern?,
    })
}

fn in_query(read: &mut Reader<'_>) -> Option<String> {
    let pattern = read
        .query("package-group", "packageGroup")
        .required::<PatternText>();
    Some(pattern?.0)
}

fn in_body(read: &mut Reader<'_>) -> Option<String> {
    let pattern = read
        .body("packageGroup", "packageGroup")
        .required::<PatternText>();
    Some(pattern?.0)
}

/// The one for which the model has no constraint.
fn any_in_query(read: &mut Reader<'_>) -> Option<String> {
    read.query("package-group", "packageGroup").required()
}

/// `contactInfo` and `description` of the body.
fn words(read: &mut Reader<'_>) -> Option<(Option<String>, Option<String>)> {
    let contact_info = read
        .body("contactInfo", "contactInfo")
        .optional::<ContactInfo>();
    let description = read
        .body("description", "description")
        .optional::<Description>();
    let contact_info = contact_info?.map(|contact_info| contact_info.0);
    Some((contact_info, description?.map(|description| description.0)))
}

pub(crate) async fn create(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (domain, new) = request.read(|read| {
        let domain = at::domain(read, &cx.caller);
        let pattern = read
            .body("packageGroup", "packageGroup")
            .required_with(pattern);
        let words = words(read);
        let tags = members::tags(read);
        let (contact_info, description) = words?;
        let new = NewPackageGroup {
            pattern: pattern?,
            contact_info,
            description,
            tags: tags?,
        };
        Some((domain?, new))
    })?;
    let group = cx
        .catalog
        .create_package_group(&cx.caller, &domain, new)
        .await?;
    described(&group)
}

pub(crate) async fn describe(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| group_at(read, &cx.caller, in_query))?;
    let action = Action::DescribePackageGroup;
    let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
    described(&group)
}

pub(crate) async fn update(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, (contact_info, description)) = request.read(|read| {
        let at = group_at(read, &cx.caller, in_body);
        let words = words(read);
        Some((at?, words?))
    })?;
    let action = Action::UpdatePackageGroup;
    let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
    described(&*group.update(contact_info, description).await?)
}

pub(crate) async fn delete(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| group_at(read, &cx.caller, any_in_query))?;
    let action = Action::DeletePackageGroup;
    let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
    described(&*group.delete().await?)
}

#[derive(Serialize)]
struct Updated {
    #[serde(rename = "packageGroup")]
    package_group: GroupOutput,
    #[serde(rename = "allowedRepositoryUpdates")]
    allowed_repository_updates: BTreeMap<&'static str, Updates>,
}

type Updates = BTreeMap<&'static str, Vec<RepositoryName>>;

/// `addAllowedRepositories` or `removeAllowedRepositories` of the body: how many there may be is not the model's rule.
fn repositories(field: Field<'_, '_>) -> Option<Vec<(GroupRestriction, RepositoryName)>> {
    let repositories = field.optional_list_of(usize::MAX, |entry| {
        entry.required_structure(|read| {
            let repository = read
                .body("repositoryName", "repositoryName")
                .required_with(name);
            let restriction = read
                .body("originRestrictionType", "originRestrictionType")
                .required_with(members::group_restriction);
            Some((restriction?, repository?))
        })
    });
    Some(repositories?.unwrap_or_default())
}

pub(crate) async fn update_origin_configuration(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, change) = request.read(|read| {
        let at = group_at(read, &cx.caller, in_query);
        let modes = read.body("restrictions", "restrictions").optional_map_of(
            |restriction| restriction.required_with(members::group_restriction),
            |mode| mode.required_with(members::group_mode),
        );
        let add = repositories(read.body("addAllowedRepositories", "addAllowedRepositories"));
        let remove =
            repositories(read.body("removeAllowedRepositories", "removeAllowedRepositories"));
        let change = GroupChange {
            modes: modes?.unwrap_or_default().into_iter().collect(),
            add: add?,
            remove: remove?,
        };
        Some((at?, change))
    })?;
    let action = Action::UpdatePackageGroupOriginConfiguration;
    let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
    let (group, changed) = group.set_origin(change).await?;
    let updates = changed.into_iter().map(|(restriction, change)| {
        let updates = [("ADDED", change.added), ("REMOVED", change.removed)];
        let updates = updates.into_iter().filter(|(_, names)| !names.is_empty());
        (restriction.as_str(), updates.collect())
    });
    Answer::json(&Updated {
        package_group: (&*group).into(),
        allowed_repository_updates: updates.collect(),
    })
}

#[derive(Serialize)]
struct Groups {
    #[serde(rename = "packageGroups")]
    package_groups: Vec<GroupOutput>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

fn listed(
    request: &Request<'_>,
    window: &Window,
    page: &Page<Arc<PackageGroup>>,
) -> Result<Answer, Failure> {
    let groups = page.items.iter();
    Answer::json(&Groups {
        package_groups: groups.map(|group| GroupOutput::from(&**group)).collect(),
        next_token: window.next_token(request, page.next.as_deref()),
    })
}

fn filters(domain: &DomainAt, what: &str, how: Option<&str>) -> Filters {
    let (owner, name) = (domain.owner.as_str(), domain.name.as_str());
    Filters::of([Some(owner), Some(name), Some(what), how])
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, prefix, asked) = request.read(|read| {
        let at = at::domain(read, &cx.caller);
        let asked = Asked::in_query(read);
        let prefix = read.query("prefix", "prefix").optional::<Prefix>();
        Some((at?, prefix?.unwrap_or_default().0, asked?))
    })?;
    let window = asked.window(&request, MaxResults::HUNDRED, filters(&at, &prefix, None))?;
    let action = Action::ListPackageGroups;
    let domain = cx.catalog.domain(&cx.caller, action, &at).await?;
    let page = domain
        .package_groups(&prefix, window.after(), window.limit)
        .await?;
    listed(&request, &window, &page)
}

pub(crate) async fn list_sub_groups(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, asked) = request.read(|read| {
        let at = group_at(read, &cx.caller, in_query);
        let asked = Asked::in_query(read);
        Some((at?, asked?))
    })?;
    let filters = filters(&at.domain, &at.pattern, None);
    let window = asked.window(&request, MaxResults::HUNDRED, filters)?;
    let action = Action::ListSubPackageGroups;
    let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
    let page = group.sub_groups(window.after(), window.limit).await?;
    listed(&request, &window, &page)
}

#[derive(Serialize)]
struct Allowed {
    #[serde(rename = "allowedRepositories")]
    allowed_repositories: Vec<RepositoryName>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(crate) async fn list_allowed_repositories(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, restriction, asked) = request.read(|read| {
        let at = group_at(read, &cx.caller, in_query);
        let restriction = read
            .query("originRestrictionType", "originRestrictionType")
            .required_with(members::group_restriction);
        let asked = Asked::in_query(read);
        Some((at?, restriction?, asked?))
    })?;
    let filters = filters(&at.domain, &at.pattern, Some(restriction.as_str()));
    let window = asked.window(&request, MaxResults::HUNDRED, filters)?;
    let action = Action::ListAllowedRepositoriesForGroup;
    let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
    let page = group.allowed_repositories(restriction, window.after(), window.limit);
    Answer::json(&Allowed {
        next_token: window.next_token(&request, page.next.as_deref()),
        allowed_repositories: page.items,
    })
}

/// `AssociatedPackage`.
#[derive(Serialize)]
struct PackageOutput {
    format: FormatName,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    package: PackageName,
    #[serde(rename = "associationType")]
    association_type: &'static str,
}

impl From<AssociatedPackage> for PackageOutput {
    fn from(package: AssociatedPackage) -> Self {
        let AssociatedPackage { id, association } = package;
        Self {
            format: id.format,
            namespace: id.namespace,
            package: id.name,
            association_type: association.as_str(),
        }
    }
}

#[derive(Serialize)]
struct Packages {
    packages: Vec<PackageOutput>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(crate) async fn list_packages(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, asked, preview) = request.read(|read| {
        let at = group_at(read, &cx.caller, in_query);
        let asked = Asked::in_query(read);
        let preview = read.query("preview", "preview").optional::<bool>()?;
        let at = at?;
        // There need be no such group, but there must be such a pattern.
        let preview = preview
            .filter(|preview| *preview)
            .map(|_| pattern(&at.pattern));
        if let Some(Err(violation)) = &preview {
            read.refuse("packageGroup", Some(&at.pattern), violation);
        }
        Some((at, asked?, preview.and_then(Result::ok)))
    })?;
    let how = preview.is_some().then_some("preview");
    let filters = filters(&at.domain, &at.pattern, how);
    let window = asked.window(&request, MaxResults::HUNDRED, filters)?;
    let (after, limit) = (window.after(), window.limit);
    let page = if let Some(pattern) = preview {
        cx.catalog
            .preview_packages(&cx.caller, &at.domain, &pattern, after, limit)
            .await?
    } else {
        let action = Action::ListAssociatedPackages;
        let group = cx.catalog.package_group(&cx.caller, action, &at).await?;
        group.packages(after, limit).await?
    };
    Answer::json(&Packages {
        next_token: window.next_token(&request, page.next.as_deref()),
        packages: page.items.into_iter().map(PackageOutput::from).collect(),
    })
}

#[derive(Serialize)]
struct Associated {
    #[serde(rename = "packageGroup")]
    package_group: GroupOutput,
    #[serde(rename = "associationType")]
    association_type: &'static str,
}

pub(crate) async fn associated(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, names) = request.read(|read| {
        let at = at::domain(read, &cx.caller);
        let names = at::names(read);
        Some((at?, names?))
    })?;
    let id = names.id(cx.catalog.formats(), Naming::Existing)?;
    let (group, how) = cx.catalog.associated_group(&cx.caller, &at, &id).await?;
    Answer::json(&Associated {
        package_group: (&*group).into(),
        association_type: how.as_str(),
    })
}
