//! `GetAccountAuthorizationDetails`: everything that permissions come from, in one list of pages.

use aws::Violation;
use aws::xml::Xml;

use super::call::{Answered, Call};
use super::{params, roles, shapes};
use crate::Error;
use crate::attachments::Attached;
use crate::groups::Group;
use crate::inline_policies::InlinePolicy;
use crate::instance_profiles::InstanceProfile;
use crate::lists::Part;
use crate::managed_policies::{ManagedPolicy, PolicyFilter};
use crate::policy_versions::PolicyVersion;
use crate::roles::Role;
use crate::tags::Tag;
use crate::users::{User, name_key};

/// The kinds of entries, in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Group,
    Role,
    LocalManagedPolicy,
    AwsManagedPolicy,
}

const KINDS: [Kind; 5] = [
    Kind::User,
    Kind::Group,
    Kind::Role,
    Kind::LocalManagedPolicy,
    Kind::AwsManagedPolicy,
];

fn kind(text: &str) -> Result<Kind, Violation> {
    let words = [
        ("User", Kind::User),
        ("Role", Kind::Role),
        ("Group", Kind::Group),
        ("LocalManagedPolicy", Kind::LocalManagedPolicy),
        ("AWSManagedPolicy", Kind::AwsManagedPolicy),
    ];
    params::one_of(
        text,
        &words,
        &[
            "User",
            "Role",
            "Group",
            "LocalManagedPolicy",
            "AWSManagedPolicy",
        ],
    )
}

/// One entry, not yet looked into.
enum Entry {
    User(User),
    Group(Group),
    Role(Role),
    Policy(ManagedPolicy),
}

impl Entry {
    /// Where the list goes on after it: the kind's place and the name.
    fn cursor(&self) -> String {
        let (kind, name) = match self {
            Self::User(user) => (Kind::User, &user.name),
            Self::Group(group) => (Kind::Group, &group.name),
            Self::Role(role) => (Kind::Role, &role.name),
            Self::Policy(policy) if policy.account.is_none() => {
                (Kind::AwsManagedPolicy, &policy.name)
            }
            Self::Policy(policy) => (Kind::LocalManagedPolicy, &policy.name),
        };
        let place = KINDS.iter().position(|known| *known == kind);
        format!("{} {}", place.unwrap_or_default(), name_key(name))
    }
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let filter = read.list("Filter", KINDS.len(), kind);
    let paging = read.paging();
    let (filter, paging) = read.finish(|| Some((filter?, paging?)))?;
    let wanted = |kind: &Kind| filter.is_empty() || filter.contains(kind);
    let wanted = KINDS.map(|kind| wanted(&kind).then_some("x"));
    let page = call.page(&paging, &wanted)?;
    call.authorize_anywhere().await?;
    let entries = entries(call, &wanted, page.part(None)).await?;
    let shown = call.show(&page, entries, Entry::cursor);
    let mut details = Details::default();
    for entry in &shown.items {
        details.add(call, entry).await?;
    }
    call.answer(|xml| {
        details.write(xml);
        shown.end(xml);
    })
}

/// The entries of one page, kind after kind.
async fn entries(
    call: Call<'_>,
    wanted: &[Option<&str>; KINDS.len()],
    part: Part<'_>,
) -> Result<Vec<Entry>, Error> {
    let (place, after) = part.after.split_once(' ').unwrap_or(("0", ""));
    let place: usize = place.parse().unwrap_or(0);
    let (iam, account) = (call.iam, call.account());
    let mut entries = Vec::new();
    for (at, kind) in KINDS.into_iter().enumerate().skip(place) {
        let found = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        if wanted[at].is_none() || found >= part.limit {
            continue;
        }
        let part = Part {
            after: if at == place { after } else { "" },
            limit: part.limit - found,
            ..part
        };
        let filter = PolicyFilter { usage: None, part };
        match kind {
            Kind::User => {
                entries.extend(iam.users(account, part).await?.into_iter().map(Entry::User));
            }
            Kind::Group => {
                let groups = iam.groups(account, part).await?;
                entries.extend(groups.into_iter().map(Entry::Group));
            }
            Kind::Role => {
                entries.extend(iam.roles(account, part).await?.into_iter().map(Entry::Role));
            }
            Kind::LocalManagedPolicy => {
                let policies = iam.customer_policies(account, filter).await?;
                entries.extend(policies.into_iter().map(Entry::Policy));
            }
            Kind::AwsManagedPolicy => {
                let policies = iam.aws_policies(account, filter).await?;
                entries.extend(policies.into_iter().map(Entry::Policy));
            }
        }
    }
    Ok(entries)
}

/// What a user, group or role holds.
struct Held {
    inline: Vec<InlinePolicy>,
    attached: Vec<Attached>,
    tags: Vec<Tag>,
}

/// The entries of a page with all that is shown of them.
#[derive(Default)]
struct Details {
    users: Vec<(User, Held, Vec<Group>)>,
    groups: Vec<(Group, Held)>,
    roles: Vec<RoleDetail>,
    policies: Vec<(ManagedPolicy, Vec<PolicyVersion>)>,
}

struct RoleDetail {
    role: Role,
    trust: String,
    held: Held,
    profiles: Vec<InstanceProfile>,
    profile_roles: shapes::ShownRoles,
}

async fn held(call: Call<'_>, holder_id: &str) -> Result<Held, Error> {
    Ok(Held {
        inline: call.iam.inline_policies(holder_id).await?,
        attached: call.iam.attached(holder_id).await?,
        tags: call.iam.principal_tags(holder_id).await?,
    })
}

impl Details {
    async fn add(&mut self, call: Call<'_>, entry: &Entry) -> Result<(), aws::Fault> {
        match entry {
            Entry::User(user) => {
                let held = held(call, &user.id).await?;
                let groups = call.iam.groups_of_user(user, Part::all()).await?;
                self.users.push((user.clone(), held, groups));
            }
            Entry::Group(group) => {
                let held = held(call, &group.id).await?;
                self.groups.push((group.clone(), held));
            }
            Entry::Role(role) => {
                let profiles = call
                    .iam
                    .instance_profiles_of_role(role, Part::all())
                    .await?;
                self.roles.push(RoleDetail {
                    trust: call.iam.shown_policy(&role.trust_policy).await?,
                    held: held(call, &role.id).await?,
                    profile_roles: roles::shown(call, [role.clone()]).await?,
                    profiles,
                    role: role.clone(),
                });
            }
            Entry::Policy(policy) => {
                let versions = call.iam.versions(policy).await?;
                self.policies.push((policy.clone(), versions));
            }
        }
        Ok(())
    }

    fn write(&self, xml: &mut Xml) {
        xml.list(
            "UserDetailList",
            &self.users,
            |xml, (user, held, groups)| {
                shapes::user(xml, user);
                shapes::inline(xml, "UserPolicyList", &held.inline);
                xml.text_list("GroupList", groups.iter().map(|group| &group.name));
                shapes::attached(xml, "AttachedManagedPolicies", &held.attached);
                shapes::boundary(xml, user.boundary.as_deref());
                shapes::tags(xml, &held.tags);
            },
        )
        .list("GroupDetailList", &self.groups, |xml, (group, held)| {
            shapes::group(xml, group);
            shapes::inline(xml, "GroupPolicyList", &held.inline);
            shapes::attached(xml, "AttachedManagedPolicies", &held.attached);
        })
        .list("RoleDetailList", &self.roles, |xml, detail| {
            detail.write(xml);
        })
        .list("Policies", &self.policies, |xml, (policy, versions)| {
            shapes::policy(xml, policy, true);
            xml.list("PolicyVersionList", versions, |xml, version| {
                shapes::policy_version(xml, version, true);
            });
        });
    }
}

impl RoleDetail {
    fn write(&self, xml: &mut Xml) {
        shapes::role(xml, &self.role, &self.trust);
        xml.list("InstanceProfileList", &self.profiles, |xml, profile| {
            shapes::instance_profile(xml, profile, &self.profile_roles);
        });
        shapes::inline(xml, "RolePolicyList", &self.held.inline);
        shapes::attached(xml, "AttachedManagedPolicies", &self.held.attached);
        shapes::boundary(xml, self.role.boundary.as_deref());
        shapes::tags(xml, &self.held.tags);
        shapes::role_last_used(xml, &self.role);
    }
}
