//! First starts.

use aws::query::Form;
use iam::{Error, Principal};

use crate::house::{BODY, House};

on_each_database! {
    a_second_start_makes_nothing,
    each_account_has_keys_of_its_own,
    everybody_may_ask_who_they_are,
    operations_that_are_not_here_are_invalid_actions,
}

async fn a_second_start_makes_nothing(house: House) {
    assert!(
        house
            .iam
            .first_start(&house.account)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        house
            .another_node()
            .await
            .first_start(&house.account)
            .await
            .unwrap()
            .is_none()
    );
    let again = house.iam.create_account(&house.account).await;
    assert!(matches!(again, Err(Error::AccountExists(account)) if account == house.account));
    let keys = house
        .database
        .rows("SELECT id FROM access_keys", vec![])
        .await
        .unwrap();
    assert_eq!(keys.len(), 2);
    house.signed_in(&house.keys.admin).await;
}

async fn each_account_has_keys_of_its_own(house: House) {
    let other = "444455556666".parse().unwrap();
    let keys = house.iam.create_account(&other).await.unwrap();
    let all = [&house.keys.root, &house.keys.admin, &keys.root, &keys.admin];
    for (at, one) in all.iter().enumerate() {
        for another in &all[at + 1..] {
            assert_ne!(one.access_key_id, another.access_key_id);
            assert_ne!(one.secret_access_key, another.secret_access_key);
        }
    }
    assert_eq!(*house.signed_in(&keys.admin).await.account(), other);
    assert_eq!(
        *house.signed_in(&house.keys.admin).await.account(),
        house.account
    );
}

async fn everybody_may_ask_who_they_are(house: House) {
    house.role("AROAQEC2CAVECTOR0001A", "ec2-ca").await;
    let new = iam::NewSession::new(
        "AROAQEC2CAVECTOR0001A",
        "i-0123456789abcdef0",
        std::time::Duration::from_hours(1),
    );
    let machine = house
        .iam
        .start_session(&house.account, None, new)
        .await
        .unwrap();
    let (ci, ci_keys) = house.user("ci").await;
    for (credentials, user_id, arn) in [
        (
            &house.keys.root,
            "111122223333",
            "arn:aws:iam::111122223333:root",
        ),
        (
            &ci_keys,
            ci.id.as_str(),
            "arn:aws:iam::111122223333:user/build/ci",
        ),
        (
            &machine.credentials,
            "AROAQEC2CAVECTOR0001A:i-0123456789abcdef0",
            "arn:aws:sts::111122223333:assumed-role/ec2-ca/i-0123456789abcdef0",
        ),
    ] {
        let caller = house.signed_in(credentials).await;
        let answer = house
            .iam
            .call(
                &caller,
                &Form::parse(BODY).unwrap(),
                "b8a8c3e2-5d4f-4f5a-9c3d-0123456789ab",
            )
            .await
            .unwrap();
        let expected = format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <UserId>{user_id}</UserId><Account>111122223333</Account><Arn>{arn}</Arn></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>b8a8c3e2-5d4f-4f5a-9c3d-0123456789ab</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>"
        );
        let body = std::str::from_utf8(answer.body()).unwrap();
        assert!(body.ends_with(&expected), "{body}");
    }
    let root = house.signed_in(&house.keys.root).await;
    assert!(root.is_root());
    assert_eq!(*root.principal(), Principal::Root);
}

async fn operations_that_are_not_here_are_invalid_actions(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    for (body, code, message) in [
        (
            "Action=Fly&Version=2011-06-15",
            "InvalidAction",
            "Could not find operation Fly for version 2011-06-15",
        ),
        (
            "Action=GetCallerIdentity&Version=2010-05-08",
            "InvalidAction",
            "Could not find operation GetCallerIdentity for version 2010-05-08",
        ),
        ("Version=2011-06-15", "MissingAction", ""),
    ] {
        let fault = house
            .iam
            .call(&caller, &Form::parse(body.as_bytes()).unwrap(), "id")
            .await
            .unwrap_err();
        assert_eq!(
            (fault.code.as_ref(), fault.status.as_u16()),
            (code, 400),
            "{body}"
        );
        assert!(
            message.is_empty() || fault.message == message,
            "{}",
            fault.message
        );
    }
}
