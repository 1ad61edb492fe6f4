//! Requests that are signed with stored keys.

use std::time::Duration;

use aws::sigv4::{Claim, Credentials, NotSigned, Rules, body_hash};
use aws::{Dialect, SecretString};
use iam::{NotSignedBy, Principal, Source, Status};

use crate::house::{BODY, House, NOW, signed};

on_each_database! {
    a_stored_key_signs_for_its_user,
    only_the_very_request_that_was_signed_is_good,
    a_key_that_is_unknown_inactive_or_deleted_is_refused_alike,
    a_new_key_is_good_at_once_even_when_it_was_asked_for_before,
    a_body_that_arrives_later_is_bound_by_its_declared_hash,
}

fn refused(result: Result<iam::Caller, NotSignedBy>) -> NotSigned {
    match result {
        Err(NotSignedBy::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn with_secret(credentials: &Credentials, secret: &str) -> Credentials {
    Credentials {
        secret_access_key: SecretString::from(secret),
        ..credentials.clone()
    }
}

async fn a_stored_key_signs_for_its_user(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    assert_eq!(caller.arn(), "arn:aws:iam::111122223333:user/admin");
    assert!(
        matches!(caller.principal(), Principal::User { name, path, id } if name == "admin" && path == "/" && id == caller.user_id())
    );
    assert_eq!(
        caller.access_key_id(),
        house.keys.admin.access_key_id.as_str()
    );
    assert_eq!((caller.expires(), caller.domain_number()), (None, None));
    assert!(!caller.is_root());
    // And on a node that has never seen the key.
    let other = house.another_node().await;
    assert_eq!(
        crate::house::sign_in(&other, &house.keys.admin, NOW)
            .await
            .unwrap()
            .arn(),
        caller.arn()
    );
}

async fn only_the_very_request_that_was_signed_is_good(house: House) {
    let keys = &house.keys.admin;
    let wrong = refused(house.sign_in(&with_secret(keys, "wrong")).await);
    assert_eq!(wrong.reason(), "SignatureDoesNotMatch");
    let parts = signed(keys, BODY, NOW);
    let claim = Claim::read(&parts, &Rules::new("sts", None), NOW).unwrap();
    let altered = house
        .iam
        .by_signature(&claim, &body_hash(b"Action=Other"), Source::default())
        .await;
    assert_eq!(refused(altered), wrong);
    let others = with_secret(keys, house.keys.root.secret_access_key.expose());
    assert_eq!(refused(house.sign_in(&others).await), wrong);
    house.signed_in(keys).await;
}

async fn a_key_that_is_unknown_inactive_or_deleted_is_refused_alike(house: House) {
    let (_, keys) = house.user("ci").await;
    let id = &keys.access_key_id;
    house.signed_in(&keys).await;

    let unknown = Credentials {
        access_key_id: "AKIAVECTORUNKNOWN001".parse().unwrap(),
        ..keys.clone()
    };
    let refusal = refused(house.sign_in(&unknown).await);
    assert_eq!(refusal, NotSigned::InvalidClientTokenId);
    assert_eq!(
        refusal.fault(Dialect::RestJson).code,
        "UnrecognizedClientException"
    );

    house
        .iam
        .set_access_key_status(&house.account, id, Status::Inactive)
        .await
        .unwrap();
    assert_eq!(refused(house.sign_in(&keys).await), refusal);
    house
        .iam
        .set_access_key_status(&house.account, id, Status::Active)
        .await
        .unwrap();
    house.signed_in(&keys).await;

    house
        .iam
        .delete_access_key(&house.account, id)
        .await
        .unwrap();
    assert_eq!(refused(house.sign_in(&keys).await), refusal);
    assert!(
        house
            .iam
            .delete_access_key(&house.account, id)
            .await
            .is_err()
    );

    let token = Credentials {
        session_token: Some(SecretString::from("phs1_")),
        ..house.keys.admin.clone()
    };
    assert_eq!(refused(house.sign_in(&token).await), refusal);
}

async fn a_new_key_is_good_at_once_even_when_it_was_asked_for_before(house: House) {
    let (user, _) = house.user("ci").await;
    let keys = house
        .iam
        .create_access_key(&house.account, Some(&user.id))
        .await
        .unwrap();
    let id = keys.access_key_id.as_str();
    // Taken away behind this node's back, asked for, and put back.
    house
        .change(
            "UPDATE access_keys SET id = 'AKIAMOVED' WHERE id = $1",
            &[id],
        )
        .await;
    assert_eq!(
        refused(house.sign_in(&keys).await),
        NotSigned::InvalidClientTokenId
    );
    house
        .change(
            "UPDATE access_keys SET id = $1 WHERE id = 'AKIAMOVED'",
            &[id],
        )
        .await;
    assert_eq!(house.signed_in(&keys).await.user_id(), user.id);
}

async fn a_body_that_arrives_later_is_bound_by_its_declared_hash(house: House) {
    let hash = body_hash(b"an asset of many gigabytes");
    let request = http::Request::post("http://localhost:7070/v1/package/version/publish")
        .header("x-amz-content-sha256", &hash);
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let region = crate::house::region();
    let signer = aws::sigv4::Signer {
        credentials: &house.keys.admin,
        region: &region,
        service: "codeartifact",
    };
    signer.sign(&mut parts, &hash, NOW).unwrap();
    let claim = Claim::read(&parts, &Rules::new("codeartifact", None), NOW).unwrap();
    house
        .iam
        .by_signature_before_body(&claim, Source::default())
        .await
        .unwrap();
    let late = NOW.plus(Duration::from_mins(6));
    assert!(Claim::read(&parts, &Rules::new("codeartifact", None), late).is_err());
}
