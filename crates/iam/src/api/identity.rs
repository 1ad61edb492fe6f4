//! Who am I, and whose is this key.

use aws::AccessKeyId;

use super::call::{Answered, Call};
use super::fault::validation_error;
use super::params;

/// `GetCallerIdentity`: needs no permission, and even an explicit deny does not stop it.
pub(super) async fn get_caller_identity(call: Call<'_>) -> Answered {
    call.answer(|xml| {
        xml.text("UserId", call.caller.user_id())
            .text("Account", call.caller.account())
            .text("Arn", call.caller.arn());
    })
}

/// `GetAccessKeyInfo`: the account of any key, for whoever signs.
pub(super) async fn get_access_key_info(call: Call<'_>) -> Answered {
    super::sts::require(call, &["AccessKeyId"])?;
    let mut read = call.params();
    let id = read.required("AccessKeyId", params::access_key_id);
    let id = read.finish(|| id)?;
    let account = match id.parse::<AccessKeyId>() {
        Ok(id) if id.is_temporary() => call.iam.account_of_temporary_key(&id).await?,
        Ok(id) => call.iam.access_key(&id).await?.map(|key| key.account),
        Err(_) => None,
    };
    let account = account.ok_or_else(|| validation_error(format!("Invalid access key: {id}")))?;
    call.answer(|xml| {
        xml.text("Account", account);
    })
}
