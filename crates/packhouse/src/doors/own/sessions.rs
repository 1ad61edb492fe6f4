//! Taking back what was issued; who may is decided in `iam`.

use super::{Answered, Call, answer_with};

pub(super) async fn revoke(call: Call<'_>) -> Answered {
    let asked = call.read(r#"{"userName": "…"}, {"roleName": "…"} or {"id": "…"}"#)?;
    let revoked = call.house.iam.revoke_sessions_for(call.caller, &asked);
    answer_with(&revoked.await?)
}
