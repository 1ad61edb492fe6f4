//! The things that calls are about, loaded with all that conditions may look at, whether they are there or not.

use aws::{Arn, Fault};

use super::call::{Asked, Call, Target};
use super::fault::invalid_input;
use crate::Error;
use crate::error::Noun;
use crate::groups::Group;
use crate::holders::HolderKind;
use crate::instance_profiles::InstanceProfile;
use crate::managed_policies::ManagedPolicy;
use crate::oidc_providers::OidcProvider;
use crate::roles::Role;
use crate::tags::Tag;
use crate::users::User;

/// The condition key for the boundary of the user or role.
pub(super) const BOUNDARY: &str = "iam:PermissionsBoundary";

/// A user, group or role, as far as its policies are concerned.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) id: String,
    pub(super) name: String,
}

impl Call<'_> {
    /// The user of this name.
    pub(super) async fn user(&self, name: &str) -> Result<Target<User>, Fault> {
        let found = self.iam.find_user(self.account(), name).await?;
        let arn = found.as_ref().map(User::arn);
        let id = found.as_ref().map(|user| user.id.as_str());
        let asked = self.named("user", name, arn, id).await?;
        Ok(Target {
            asked,
            found,
            absent: Error::not_found(Noun::User, name),
        })
    }

    /// The group of this name.
    pub(super) async fn group(&self, name: &str) -> Result<Target<Group>, Fault> {
        let found = self.iam.find_group(self.account(), name).await?;
        let arn = found.as_ref().map(Group::arn);
        let asked = self.named("group", name, arn, None).await?;
        Ok(Target {
            asked,
            found,
            absent: Error::not_found(Noun::Group, name),
        })
    }

    /// The role of this name.
    pub(super) async fn role(&self, name: &str) -> Result<Target<Role>, Fault> {
        let found = self.iam.find_role(self.account(), name).await?;
        let arn = found.as_ref().map(Role::arn);
        let id = found.as_ref().map(|role| role.id.as_str());
        let asked = self.named("role", name, arn, id).await?;
        Ok(Target {
            asked,
            found,
            absent: Error::not_found(Noun::Role, name),
        })
    }

    /// A user, group or role whose policies the call is about; the boundary that it has is a condition key.
    pub(super) async fn holder(
        &self,
        kind: HolderKind,
        name: &str,
    ) -> Result<Target<Holder>, Fault> {
        let holder = |id: &str, name: &str| Holder {
            id: id.to_owned(),
            name: name.to_owned(),
        };
        let (found, boundary, asked, absent) = match kind {
            HolderKind::User => {
                let target = self.user(name).await?;
                let found = target.found.as_ref();
                (
                    found.map(|user| holder(&user.id, &user.name)),
                    found.and_then(|user| user.boundary.clone()),
                    target.asked,
                    target.absent,
                )
            }
            HolderKind::Group => {
                let target = self.group(name).await?;
                let found = target.found.as_ref();
                let found = found.map(|group| holder(&group.id, &group.name));
                (found, None, target.asked, target.absent)
            }
            HolderKind::Role => {
                let target = self.role(name).await?;
                let found = target.found.as_ref();
                (
                    found.map(|role| holder(&role.id, &role.name)),
                    found.and_then(|role| role.boundary.clone()),
                    target.asked,
                    target.absent,
                )
            }
        };
        Ok(Target {
            found,
            asked: asked.with_optional(BOUNDARY, boundary.as_deref()),
            absent,
        })
    }

    /// The instance profile of this name.
    pub(super) async fn profile(&self, name: &str) -> Result<Target<InstanceProfile>, Fault> {
        let found = self.iam.find_instance_profile(self.account(), name).await?;
        let arn = found.as_ref().map(InstanceProfile::arn);
        let id = found.as_ref().map(|profile| profile.id.as_str());
        let mut asked = self.named("instance-profile", name, arn, id).await?;
        asked.shown = Some(format!("instance profile {name}"));
        Ok(Target {
            asked,
            found,
            absent: Error::not_found(Noun::InstanceProfile, name),
        })
    }

    /// The managed policy of this ARN.
    pub(super) async fn policy(&self, arn: &str) -> Result<Target<ManagedPolicy>, Fault> {
        let read = iam_arn(arn, "policy/")?;
        let found = self.iam.find_policy(self.account(), arn).await?;
        let tags = match &found {
            Some(policy) => self.iam.principal_tags(&policy.id).await?,
            None => Vec::new(),
        };
        // AWS's own belong to everybody.
        let owner = read.account_id().unwrap_or(*self.account());
        let mut asked = Asked::about(arn, &owner);
        asked.shown = Some(format!("policy {arn}"));
        asked.resource_tags = tags;
        Ok(Target {
            asked,
            found,
            absent: Error::not_found(Noun::Policy, arn),
        })
    }

    /// The OIDC provider of this ARN.
    pub(super) async fn provider(&self, arn: &str) -> Result<Target<OidcProvider>, Fault> {
        let read = iam_arn(arn, "oidc-provider/")?;
        let found = self.iam.find_provider(self.account(), arn).await?;
        let tags = match &found {
            Some(provider) => self.iam.principal_tags(&provider.arn).await?,
            None => Vec::new(),
        };
        let owner = read.account_id().unwrap_or(*self.account());
        let mut asked = Asked::about(arn, &owner);
        asked.resource_tags = tags;
        Ok(Target {
            asked,
            found,
            absent: Error::not_found(Noun::OidcProvider, arn),
        })
    }

    /// The question about something that goes by a name. What is not there is asked for as if it were at `/`.
    async fn named(
        &self,
        kind: &str,
        name: &str,
        arn: Option<String>,
        id: Option<&str>,
    ) -> Result<Asked, Fault> {
        let account = self.account();
        let arn = arn.unwrap_or_else(|| format!("arn:aws:iam::{account}:{kind}/{name}"));
        let tags: Vec<Tag> = match id {
            Some(id) => self.iam.principal_tags(id).await?,
            None => Vec::new(),
        };
        let mut asked = Asked::about(arn, account);
        asked.shown = Some(format!("{kind} {name}"));
        asked.resource_tags = tags;
        Ok(asked)
    }
}

/// An ARN of IAM about this kind of thing. Errors: `InvalidInput`.
pub(super) fn iam_arn(text: &str, kind: &str) -> Result<Arn, Fault> {
    let fits = |arn: &Arn| {
        arn.partition() == "aws"
            && arn.service() == "iam"
            && arn.region().is_empty()
            && !arn.account().is_empty()
            && arn
                .resource()
                .strip_prefix(kind)
                .is_some_and(|rest| !rest.is_empty())
    };
    let arn = text.parse().ok().filter(fits);
    arn.ok_or_else(|| invalid_input(format!("ARN {text} is not valid.")))
}
