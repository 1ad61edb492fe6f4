//! The structures of IAM's answers.

use std::collections::HashMap;

use aws::xml::Xml;

use crate::attachments::Attached;
use crate::groups::Group;
use crate::inline_policies::InlinePolicy;
use crate::instance_profiles::InstanceProfile;
use crate::managed_policies::ManagedPolicy;
use crate::policy_versions::PolicyVersion;
use crate::roles::Role;
use crate::tags::Tag;
use crate::users::User;

/// The members that all answers about a user share.
pub(super) fn user(xml: &mut Xml, user: &User) {
    xml.text("Path", &user.path)
        .text("UserName", &user.name)
        .text("UserId", &user.id)
        .text("Arn", user.arn())
        .time("CreateDate", user.created);
}

/// The members of a group.
pub(super) fn group(xml: &mut Xml, group: &Group) {
    xml.text("Path", &group.path)
        .text("GroupName", &group.name)
        .text("GroupId", &group.id)
        .text("Arn", group.arn())
        .time("CreateDate", group.created);
}

/// The members that all answers about a role share; `trust` is its trust policy as it is shown.
pub(super) fn role(xml: &mut Xml, role: &Role, trust: &str) {
    xml.text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", role.arn())
        .time("CreateDate", role.created)
        .document("AssumeRolePolicyDocument", trust);
}

/// When a role was last used; written even when it never was.
pub(super) fn role_last_used(xml: &mut Xml, role: &Role) {
    xml.element("RoleLastUsed", |xml| {
        if let Some((at, region)) = &role.last_used {
            xml.time("LastUsedDate", *at).text("Region", region);
        }
    });
}

/// A boundary, if there is one.
pub(super) fn boundary(xml: &mut Xml, arn: Option<&str>) {
    if let Some(arn) = arn {
        xml.element("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy")
                .text("PermissionsBoundaryArn", arn);
        });
    }
}

/// Tags; left out when there are none, where the SDKs do not ask for the list.
pub(super) fn some_tags(xml: &mut Xml, tags: &[Tag]) {
    if !tags.is_empty() {
        self::tags(xml, tags);
    }
}

/// Tags, written even when there are none.
pub(super) fn tags(xml: &mut Xml, tags: &[Tag]) {
    xml.list("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key).text("Value", value);
    });
}

/// The members of a managed policy but for its description and tags, which lists leave out.
pub(super) fn policy(xml: &mut Xml, policy: &ManagedPolicy, description: bool) {
    xml.text("PolicyName", &policy.name)
        .text("PolicyId", &policy.id)
        .text("Arn", &policy.arn)
        .text("Path", &policy.path)
        .text("DefaultVersionId", version_id(policy.default_version))
        .text("AttachmentCount", policy.attachments)
        .text("PermissionsBoundaryUsageCount", policy.boundaries)
        .text("IsAttachable", true);
    if description {
        xml.optional("Description", policy.description.as_deref());
    }
    xml.time("CreateDate", policy.created)
        .time("UpdateDate", policy.updated);
}

/// The members of a version, its text only where the operation shows it.
pub(super) fn policy_version(xml: &mut Xml, version: &PolicyVersion, document: bool) {
    if document {
        xml.document("Document", &version.document);
    }
    xml.text("VersionId", version_id(version.number))
        .text("IsDefaultVersion", version.is_default)
        .time("CreateDate", version.created);
}

/// `v1`.
fn version_id(number: i64) -> String {
    format!("v{number}")
}

/// Managed policies as they are attached.
pub(super) fn attached(xml: &mut Xml, name: &str, policies: &[Attached]) {
    xml.list(name, policies, |xml, attached| {
        xml.text("PolicyName", &attached.name)
            .text("PolicyArn", &attached.arn);
    });
}

/// Inline policies with their texts.
pub(super) fn inline(xml: &mut Xml, name: &str, policies: &[InlinePolicy]) {
    xml.list(name, policies, |xml, policy| {
        xml.text("PolicyName", &policy.name)
            .document("PolicyDocument", &policy.document);
    });
}

/// Roles by their ids, each with its trust policy as it is shown.
pub(super) type ShownRoles = HashMap<String, (Role, String)>;

/// The members of an instance profile but for its tags.
pub(super) fn instance_profile(xml: &mut Xml, profile: &InstanceProfile, roles: &ShownRoles) {
    xml.text("Path", &profile.path)
        .text("InstanceProfileName", &profile.name)
        .text("InstanceProfileId", &profile.id)
        .text("Arn", profile.arn())
        .time("CreateDate", profile.created);
    let roles = profile.role_id.as_ref().and_then(|id| roles.get(id));
    xml.list("Roles", roles, |xml, (role, trust)| {
        self::role(xml, role, trust);
    });
}
