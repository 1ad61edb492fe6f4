//! Temporary credentials of those who hold a long-term key, and what becomes of all of them when something is deleted.

use crate::assuming::{ANYBODY, may_assume, take};
use crate::calls::credentials;
use crate::house::{ACCOUNT, House};

on_each_database! {
    session_tokens_are_for_long_term_keys_and_good_for_little,
    keys_tell_their_account,
    what_is_deleted_takes_its_sessions_along,
    last_use_is_written_down,
}

async fn session_tokens_are_for_long_term_keys_and_good_for_little(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    let admin = house.signed_in(&house.keys.admin).await;
    let token = house.call(&admin, "GetSessionToken", &[]).await.unwrap();
    assert_eq!(token.text("Credentials/Expiration"), "2026-03-15T03:09:26Z");
    let own = house.signed_in(&credentials(&token)).await;
    assert_eq!(own.arn(), "arn:aws:iam::111122223333:user/admin");
    house.call(&own, "GetCallerIdentity", &[]).await.unwrap();
    take(&house, &own, &arn, &[]).await.unwrap();
    for (operation, parameters) in [
        ("ListUsers", &[][..]),
        (
            "GetAccessKeyInfo",
            &[("AccessKeyId", "AKIAVECTORUSER000001")],
        ),
    ] {
        let fault = house.call(&own, operation, parameters).await.unwrap_err();
        assert_eq!(
            (
                fault.code.as_ref(),
                fault.status.as_u16(),
                fault.message.as_str()
            ),
            (
                "InvalidClientTokenId",
                403,
                "The security token included in the request is invalid."
            )
        );
    }
    let role = house
        .signed_in(&credentials(
            &take(&house, &admin, &arn, &[]).await.unwrap(),
        ))
        .await;
    for session in [&own, &role] {
        let fault = house
            .call(session, "GetSessionToken", &[])
            .await
            .unwrap_err();
        assert_eq!(
            fault.to_string(),
            "AccessDeniedException: Cannot call GetSessionToken with session credentials"
        );
    }
    let root = house.signed_in(&house.keys.root).await;
    for duration in ["900", "129600"] {
        let token = house
            .call(&root, "GetSessionToken", &[("DurationSeconds", duration)])
            .await
            .unwrap();
        let expected = if duration == "900" {
            "2026-03-14T15:24:26Z"
        } else {
            "2026-03-14T16:09:26Z"
        };
        assert_eq!(token.text("Credentials/Expiration"), expected);
        let root = house.signed_in(&credentials(&token)).await;
        assert!(root.is_root());
        assert!(take(&house, &root, &arn, &[]).await.is_err());
    }
    let fault = house
        .call(&admin, "GetSessionToken", &[("DurationSeconds", "129601")])
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ValidationException");
    // Nobody needs a permission for it.
    let (nobody, _) = house.user_with("nobody", "").await;
    house.call(&nobody, "GetSessionToken", &[]).await.unwrap();
}

async fn keys_tell_their_account(house: House) {
    let other = "444455556666".parse().unwrap();
    let theirs = house.iam.create_account(&other).await.unwrap();
    let them = house.signed_in(&theirs.admin).await;
    let admin = house.signed_in(&house.keys.admin).await;
    let token = house.call(&them, "GetSessionToken", &[]).await.unwrap();
    let temporary = token.text("Credentials/AccessKeyId");
    for (key, account) in [
        (house.keys.root.access_key_id.as_str(), ACCOUNT),
        (theirs.admin.access_key_id.as_str(), "444455556666"),
        (temporary, "444455556666"),
    ] {
        let info = house
            .call(&admin, "GetAccessKeyInfo", &[("AccessKeyId", key)])
            .await
            .unwrap();
        assert_eq!(info.text("Account"), account);
    }
    for key in ["AKIAVECTORUSER000001", "ASIAVECTORUSER000002"] {
        let fault = house
            .call(&admin, "GetAccessKeyInfo", &[("AccessKeyId", key)])
            .await
            .unwrap_err();
        assert_eq!(
            (fault.code.as_ref(), fault.status.as_u16()),
            ("ValidationError", 400)
        );
    }
}

async fn what_is_deleted_takes_its_sessions_along(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    let (alice, keys) = house.user_with("alice", &may_assume()).await;
    let taken = credentials(&take(&house, &alice, &arn, &[]).await.unwrap());
    let own = credentials(&house.call(&alice, "GetSessionToken", &[]).await.unwrap());
    house.signed_in(&taken).await;
    // A role is deleted and made again: its old sessions stay dead.
    house.admin("DeleteRole", &[("RoleName", "target")]).await;
    assert!(house.sign_in(&taken).await.is_err());
    house.role_for("target", ANYBODY, "").await;
    assert!(house.sign_in(&taken).await.is_err());
    let taken = credentials(&take(&house, &alice, &arn, &[]).await.unwrap());
    house.signed_in(&taken).await;
    house.signed_in(&own).await;
    // Her key is switched off: what came from it is dead, for good.
    let key = keys.access_key_id.as_str();
    for status in ["Inactive", "Active"] {
        house
            .admin(
                "UpdateAccessKey",
                &[
                    ("UserName", "alice"),
                    ("AccessKeyId", key),
                    ("Status", status),
                ],
            )
            .await;
        assert!(house.sign_in(&taken).await.is_err());
        assert!(house.sign_in(&own).await.is_err());
    }
    house.turn(std::time::Duration::from_secs(1));
    let alice = house.signed_in(&keys).await;
    let taken = credentials(&take(&house, &alice, &arn, &[]).await.unwrap());
    house.signed_in(&taken).await;
    house
        .admin(
            "DeleteAccessKey",
            &[("UserName", "alice"), ("AccessKeyId", key)],
        )
        .await;
    assert!(house.sign_in(&taken).await.is_err());
    assert!(house.sign_in(&keys).await.is_err());
    house
        .admin(
            "DeleteUserPolicy",
            &[("UserName", "alice"), ("PolicyName", "own")],
        )
        .await;
    house.admin("DeleteUser", &[("UserName", "alice")]).await;
    assert!(house.call(&alice, "GetUser", &[]).await.is_err());
}

async fn last_use_is_written_down(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    house.admin("CreateUser", &[("UserName", "alice")]).await;
    let key = house
        .admin("CreateAccessKey", &[("UserName", "alice")])
        .await;
    let id = key.text("AccessKey/AccessKeyId").to_owned();
    let never = house
        .admin("GetAccessKeyLastUsed", &[("AccessKeyId", &id)])
        .await;
    assert_eq!(never.text("UserName"), "alice");
    assert_eq!(never.text("AccessKeyLastUsed/ServiceName"), "N/A");
    assert!(never.find("AccessKeyLastUsed/LastUsedDate").is_none());
    let keys = aws::sigv4::Credentials {
        access_key_id: id.parse().unwrap(),
        secret_access_key: key.text("AccessKey/SecretAccessKey").into(),
        session_token: None,
    };
    for (minutes, expected) in [(0, "15:09:26"), (10, "15:09:26"), (6, "15:25:26")] {
        house.turn(std::time::Duration::from_mins(minutes));
        house.signed_in(&keys).await;
        let used = house
            .admin("GetAccessKeyLastUsed", &[("AccessKeyId", &id)])
            .await;
        assert_eq!(
            used.text("AccessKeyLastUsed/LastUsedDate"),
            format!("2026-03-14T{expected}Z")
        );
        assert_eq!(used.text("AccessKeyLastUsed/ServiceName"), "sts");
        assert_eq!(used.text("AccessKeyLastUsed/Region"), "us-east-1");
    }
    let role = house.admin("GetRole", &[("RoleName", "target")]).await;
    assert!(role.find("Role/RoleLastUsed/Region").is_none());
    let admin = house.signed_in(&house.keys.admin).await;
    house
        .signed_in(&credentials(
            &take(&house, &admin, &arn, &[]).await.unwrap(),
        ))
        .await;
    let role = house.admin("GetRole", &[("RoleName", "target")]).await;
    assert_eq!(
        role.text("Role/RoleLastUsed/LastUsedDate"),
        "2026-03-14T15:25:26Z"
    );
}
