//! Things that nobody has here. Terraform and the command line walk these lists when they delete a user, so they are empty
//! rather than unknown.

use super::call::{Answered, Asked, Call, Target};
use super::params;
use super::users::user_or_root;
use crate::Error;
use crate::error::Noun;

/// A list of something that users could have, for one user or the caller.
pub(super) async fn of_user(call: Call<'_>, list: &'static str) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<128>);
    let paging = read.paging();
    let (name, _) = read.finish(|| Some((name?, paging?)))?;
    user_or_root(call, name.as_deref()).await?;
    call.answer(|xml| {
        xml.element(list, |_| ()).text("IsTruncated", false);
    })
}

/// A list of something that an account could have.
pub(super) async fn of_account(call: Call<'_>, list: &'static str) -> Answered {
    let mut read = call.params();
    let paging = read.paging();
    read.finish(|| paging)?;
    call.authorize_anywhere().await?;
    call.answer(|xml| {
        xml.element(list, |_| ()).text("IsTruncated", false);
    })
}

/// The one list that has no pages.
pub(super) async fn saml_providers(call: Call<'_>) -> Answered {
    call.authorize_anywhere().await?;
    call.answer(|xml| {
        xml.element("SAMLProviderList", |_| ());
    })
}

/// `GetLoginProfile` and `DeleteLoginProfile`: there are no passwords.
pub(super) async fn login_profile(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<64>);
    let name = read.finish(|| name)?;
    let user = user_or_root(call, name.as_deref()).await?;
    let name = user.map_or_else(|| call.account().to_string(), |user| user.name);
    Err(Error::not_found(Noun::LoginProfile, name).into())
}

/// `GetAccountPasswordPolicy`: there are no passwords.
pub(super) async fn password_policy(call: Call<'_>) -> Answered {
    let target = Target::<()> {
        found: None,
        asked: Asked::about("*", call.account()),
        absent: Error::not_found(Noun::PasswordPolicy, call.account().as_str()),
    };
    call.permit(target).await?;
    call.done()
}
