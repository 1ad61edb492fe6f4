//! Access keys: `CreateAccessKey`, `ListAccessKeys`, `UpdateAccessKey`, `DeleteAccessKey`, `GetAccessKeyLastUsed`.
//!
//! Without a user name they mean the caller, root included.

use aws::{AccessKeyId, AccountId, Fault};

use super::call::{Answered, Asked, Call, Target};
use super::params;
use super::users::user_or_root;
use crate::Error;
use crate::access_keys::{AccessKey, LastUsed, Status};
use crate::error::Noun;
use crate::identity::Whose;
use crate::users::User;

/// Whose keys.
struct Owner {
    whose: Whose,
    /// As in answers; root has none.
    user_name: Option<String>,
}

impl Owner {
    fn of(user: User) -> Self {
        Self {
            whose: Whose::User(user.id),
            user_name: Some(user.name),
        }
    }

    fn user_id(&self) -> Option<&str> {
        match &self.whose {
            Whose::User(id) => Some(id),
            Whose::Root(_) | Whose::Role(_) => None,
        }
    }
}

/// The owner that a call names, if the caller may.
async fn owner(call: Call<'_>, name: Option<&str>) -> Result<Owner, Fault> {
    Ok(match user_or_root(call, name).await? {
        Some(user) => Owner::of(user),
        None => Owner {
            whose: Whose::Root(*call.account()),
            user_name: None,
        },
    })
}

/// The owner's key of this id.
async fn key_of(call: Call<'_>, owner: &Owner, id: &str) -> Result<AccessKeyId, Fault> {
    let keys = call.iam.access_keys(&owner.whose).await?.into_iter();
    let mut keys = keys.map(|key| key.id);
    let key = keys.find(|key| key.as_str() == id);
    Ok(key.ok_or_else(|| Error::not_found(Noun::AccessKey, id))?)
}

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<128>);
    let name = read.finish(|| name)?;
    let owner = owner(call, name.as_deref()).await?;
    let now = call.iam.clock().now();
    let key = call
        .iam
        .create_access_key(call.account(), owner.user_id())
        .await?;
    call.answer(|xml| {
        xml.element("AccessKey", |xml| {
            xml.optional("UserName", owner.user_name.as_deref())
                .text("AccessKeyId", &key.access_key_id)
                .text("Status", Status::Active)
                .text("SecretAccessKey", key.secret_access_key.expose())
                .time("CreateDate", now);
        });
    })
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<128>);
    let paging = read.paging();
    let (name, paging) = read.finish(|| Some((name?, paging?)))?;
    let page = call.page(&paging, &[name.as_deref()])?;
    let owner = owner(call, name.as_deref()).await?;
    let keys = call.iam.access_keys(&owner.whose).await?;
    let shown = call.show_of(&page, keys);
    call.answer(|xml| {
        xml.list("AccessKeyMetadata", &shown.items, |xml, key| {
            xml.optional("UserName", owner.user_name.as_deref())
                .text("AccessKeyId", &key.id)
                .text("Status", key.status)
                .time("CreateDate", key.created);
        });
        shown.end(xml);
    })
}

pub(super) async fn update(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<128>);
    let id = read.required("AccessKeyId", params::access_key_id);
    let status = read.required("Status", |text| {
        let words = [("Active", Status::Active), ("Inactive", Status::Inactive)];
        params::one_of(text, &words, &["Active", "Inactive"])
    });
    let (name, id, status) = read.finish(|| Some((name?, id?, status?)))?;
    let owner = owner(call, name.as_deref()).await?;
    let key = key_of(call, &owner, &id).await?;
    call.iam
        .set_access_key_status(call.account(), &key, status)
        .await?;
    call.done()
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<128>);
    let id = read.required("AccessKeyId", params::access_key_id);
    let (name, id) = read.finish(|| Some((name?, id?)))?;
    let owner = owner(call, name.as_deref()).await?;
    let key = key_of(call, &owner, &id).await?;
    call.iam.delete_access_key(call.account(), &key).await?;
    call.done()
}

/// Asked for on the user whose key it is, so who may not see that user does not learn that the key exists.
pub(super) async fn last_used(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let id = read.required("AccessKeyId", params::access_key_id);
    let id = read.finish(|| id)?;
    let key = match id.parse::<AccessKeyId>() {
        Ok(id) => call.iam.access_key(&id).await?,
        Err(_) => None,
    };
    let key = key.filter(|key| key.account == *call.account());
    let user = match key.as_ref().map(|key| &key.whose) {
        Some(Whose::User(id)) => call.iam.user_by_id(call.account(), id).await?,
        _ => None,
    };
    let asked = match (&key, &user) {
        (Some(_), Some(user)) => call.user(&user.name).await?.asked,
        (Some(_), None) => Asked::about(root_arn(call.account()), call.account()),
        (None, _) => Asked::about("*", call.account()),
    };
    let target = Target {
        found: key,
        asked: Asked {
            shown: None,
            ..asked
        },
        absent: Error::not_found(Noun::AccessKey, id),
    };
    let AccessKey { last_used, .. } = call.permit(target).await?;
    call.answer(|xml| {
        xml.optional("UserName", user.as_ref().map(|user| user.name.as_str()));
        xml.element("AccessKeyLastUsed", |xml| match &last_used {
            Some(LastUsed {
                at,
                service,
                region,
            }) => {
                xml.time("LastUsedDate", *at)
                    .text("ServiceName", service)
                    .text("Region", region);
            }
            None => {
                xml.text("ServiceName", "N/A").text("Region", "N/A");
            }
        });
    })
}

fn root_arn(account: &AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}
