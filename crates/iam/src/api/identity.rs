//! Who am I.

use aws::QueryService;
use aws::query::query_response;

use super::{Answer, Call};

/// `GetCallerIdentity`: needs no permission, and even an explicit deny does not stop it.
pub(super) fn get_caller_identity(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let Call { caller, request_id } = call;
        Ok(query_response(
            "GetCallerIdentity",
            QueryService::Sts,
            request_id,
            |xml| {
                xml.text("UserId", caller.user_id());
                xml.text("Account", caller.account());
                xml.text("Arn", caller.arn());
            },
        ))
    })
}
