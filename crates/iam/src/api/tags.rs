//! Tags: `TagUser`, `UntagUser`, `ListUserTags`, and the same for roles, policies, instance profiles and OIDC providers.

use aws::Fault;

use super::call::{Answered, Asked, Call, Target};
use super::params::{self, Params};
use super::shapes;
use crate::Error;

/// What can carry tags.
#[derive(Clone, Copy)]
pub(super) enum Tagged {
    User,
    Role,
    Policy,
    InstanceProfile,
    OidcProvider,
}

impl Tagged {
    /// The parameter that says which one.
    fn read(self, read: &mut Params<'_>) -> Option<String> {
        match self {
            Self::User => read.required("UserName", params::name::<128>),
            Self::Role => read.required("RoleName", params::name::<64>),
            Self::Policy => read.required("PolicyArn", params::arn),
            Self::InstanceProfile => read.required("InstanceProfileName", params::name::<128>),
            Self::OidcProvider => read.required("OpenIDConnectProviderArn", params::arn),
        }
    }

    /// The holder of its tags.
    async fn target(self, call: Call<'_>, name: &str) -> Result<Target<String>, Fault> {
        fn holder<T>(target: Target<T>, id: impl Fn(&T) -> &str) -> Target<String> {
            Target {
                found: target.found.map(|found| id(&found).to_owned()),
                asked: target.asked,
                absent: target.absent,
            }
        }
        Ok(match self {
            Self::User => holder(call.user(name).await?, |user| &user.id),
            Self::Role => holder(call.role(name).await?, |role| &role.id),
            Self::InstanceProfile => holder(call.profile(name).await?, |profile| &profile.id),
            Self::OidcProvider => holder(call.provider(name).await?, |provider| &provider.arn),
            Self::Policy => holder(call.policy(name).await?, |policy| &policy.id),
        })
    }

    /// AWS's policies carry no tags of others.
    fn require_own(self, name: &str) -> Result<(), Error> {
        match self {
            Self::Policy if crate::managed_policies::shipped(name).is_some() => {
                Err(Error::Unmodifiable(name.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

pub(super) async fn tag(call: Call<'_>, kind: Tagged) -> Answered {
    let mut read = call.params();
    let name = kind.read(&mut read);
    let tags = read.required_tags();
    let (name, tags) = read.finish(|| Some((name?, tags?)))?;
    params::check_tags(&tags)?;
    let target = kind.target(call, &name).await?;
    let target = Target {
        asked: target.asked.with_tags(&tags),
        ..target
    };
    let holder = call.permit(target).await?;
    kind.require_own(&name)?;
    call.iam.tag(&holder, tags).await?;
    call.done()
}

pub(super) async fn untag(call: Call<'_>, kind: Tagged) -> Answered {
    let mut read = call.params();
    let name = kind.read(&mut read);
    let keys = read.required_list("TagKeys", crate::quotas::TAGS, params::key);
    let (name, keys) = read.finish(|| Some((name?, keys?)))?;
    let target = kind.target(call, &name).await?;
    let target = Target {
        asked: Asked {
            tag_keys: Some(keys.clone()),
            ..target.asked
        },
        ..target
    };
    let holder = call.permit(target).await?;
    kind.require_own(&name)?;
    call.iam.untag(&holder, keys).await?;
    call.done()
}

pub(super) async fn list(call: Call<'_>, kind: Tagged) -> Answered {
    let mut read = call.params();
    let name = kind.read(&mut read);
    let paging = read.paging();
    let (name, paging) = read.finish(|| Some((name?, paging?)))?;
    let page = call.page(&paging, &[Some(&name)])?;
    let target = kind.target(call, &name).await?;
    let tags = target.asked.resource_tags.clone();
    call.permit(target).await?;
    let shown = call.show_of(&page, tags);
    call.answer(|xml| {
        shapes::tags(xml, &shown.items);
        shown.end(xml);
    })
}
