//! Machines that have a role; who may is decided in `iam`, beside the EC2 operations on the same machines.

use super::{Answered, Call, answer_with};

pub(super) async fn create(call: Call<'_>) -> Answered {
    let asked = call.read(r#"{"name": "…", "instanceProfile": "…"}"#)?;
    answer_with(
        &call
            .house
            .iam
            .create_machine_for(call.caller, &asked)
            .await?,
    )
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let token = call.query("nextToken");
    answer_with(&call.house.iam.list_machines_for(call.caller, token).await?)
}

pub(super) async fn create_code(call: Call<'_>) -> Answered {
    let made = call
        .house
        .iam
        .create_enrollment_code_for(call.caller, call.id);
    answer_with(&made.await?)
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    answer_with(
        &call
            .house
            .iam
            .delete_machine_for(call.caller, call.id)
            .await?,
    )
}

pub(super) async fn disable(call: Call<'_>) -> Answered {
    answer_with(
        &call
            .house
            .iam
            .disable_machine_for(call.caller, call.id)
            .await?,
    )
}
