//! Temporary credentials.

use std::time::Duration;

use aws::SecretString;
use aws::sigv4::{Credentials, NotSigned};
use iam::{Id128, NewSession, NotSignedBy, Principal, SessionPolicies, Temporary};

use crate::house::House;

const ROLE: &str = "AROAQEC2CAVECTOR0001A";

on_each_database! {
    a_session_of_a_role_has_the_roles_name_without_its_path,
    a_session_token_must_be_that_of_its_key,
    only_a_holder_of_the_secret_learns_that_a_session_is_over,
    a_revoked_session_takes_its_children_along,
    a_session_dies_with_the_key_that_it_was_obtained_with,
    a_session_policy_limits_what_its_role_may,
    sessions_are_forgotten_when_nothing_needs_them,
}

fn reason(result: Result<iam::Caller, NotSignedBy>) -> &'static str {
    match result {
        Ok(_) => "good",
        Err(NotSignedBy::Refused(refused)) => refused.reason(),
        Err(NotSignedBy::Unavailable(error)) => panic!("{error:?}"),
    }
}

async fn session(house: &House, taker: Option<&iam::Caller>, minutes: u64) -> Temporary {
    let new = NewSession::new(ROLE, "i-0123456789abcdef0", Duration::from_mins(minutes));
    house
        .iam
        .start_session(&house.account, taker, new)
        .await
        .unwrap()
}

async fn a_session_of_a_role_has_the_roles_name_without_its_path(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let temporary = session(&house, None, 60).await;
    assert!(temporary.credentials.access_key_id.is_temporary());
    let caller = house.signed_in(&temporary.credentials).await;
    assert_eq!(
        caller.arn(),
        "arn:aws:sts::111122223333:assumed-role/ec2-ca/i-0123456789abcdef0"
    );
    assert_eq!(
        caller.user_id(),
        "AROAQEC2CAVECTOR0001A:i-0123456789abcdef0"
    );
    assert_eq!(caller.expires(), Some(temporary.expires));
    assert_eq!(
        caller.access_key_id(),
        temporary.credentials.access_key_id.as_str()
    );
    assert!(
        matches!(caller.principal(), Principal::Session { role_path, .. } if role_path == "/machines/")
    );
    let nobody = NewSession::new("AROANOBODY", "x", Duration::from_hours(1));
    assert!(
        house
            .iam
            .start_session(&house.account, None, nobody)
            .await
            .is_err()
    );
}

async fn a_session_token_must_be_that_of_its_key(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let (one, other) = (
        session(&house, None, 60).await.credentials,
        session(&house, None, 60).await.credentials,
    );
    let with = |token: Option<SecretString>| Credentials {
        session_token: token,
        ..one.clone()
    };
    assert_eq!(reason(house.sign_in(&one).await), "good");
    for token in [
        None,
        other.session_token.clone(),
        Some(SecretString::from("phs1_AAAA")),
        Some(SecretString::from("x")),
    ] {
        assert_eq!(
            reason(house.sign_in(&with(token)).await),
            "InvalidClientTokenId"
        );
    }
}

async fn only_a_holder_of_the_secret_learns_that_a_session_is_over(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let temporary = session(&house, None, 15).await.credentials;
    house.turn(Duration::from_secs(899));
    assert_eq!(reason(house.sign_in(&temporary).await), "good");
    house.turn(Duration::from_secs(1));
    assert_eq!(
        reason(house.sign_in(&temporary).await),
        NotSigned::ExpiredToken.reason()
    );
    let guessed = Credentials {
        secret_access_key: SecretString::from("guessed"),
        ..temporary
    };
    assert_eq!(
        reason(house.sign_in(&guessed).await),
        "SignatureDoesNotMatch"
    );
}

async fn a_revoked_session_takes_its_children_along(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let parent = session(&house, None, 60).await.credentials;
    let parent_caller = house.signed_in(&parent).await;
    let child = session(&house, Some(&parent_caller), 60).await.credentials;
    let child_caller = house.signed_in(&child).await;
    let token = house.token(&child_caller).await;
    let bystander = session(&house, None, 60).await.credentials;
    house
        .iam
        .by_token(&token, iam::Source::default())
        .await
        .unwrap();

    let id = session_id(&house, &parent).await;
    house.iam.revoke_session(id).await.unwrap();
    assert_eq!(reason(house.sign_in(&parent).await), "InvalidClientTokenId");
    assert_eq!(reason(house.sign_in(&child).await), "InvalidClientTokenId");
    assert_eq!(reason(house.sign_in(&bystander).await), "good");
    assert!(
        house
            .iam
            .by_token(&token, iam::Source::default())
            .await
            .is_err()
    );
    // Even a request that is under way.
    assert!(!house.may_read(&child_caller).await);
    assert!(matches!(
        house
            .another_node()
            .await
            .by_token(&token, iam::Source::default())
            .await,
        Err(iam::NotAuthenticated::Revoked)
    ));
}

async fn session_id(house: &House, credentials: &Credentials) -> Id128 {
    let rows = house
        .database
        .rows("SELECT id FROM sessions", vec![])
        .await
        .unwrap();
    let ids = rows.iter().map(|row| row.parse::<Id128>("id").unwrap());
    ids.into_iter()
        .find(|id| id.temporary_key_id() == credentials.access_key_id.as_str())
        .unwrap()
}

async fn a_session_dies_with_the_key_that_it_was_obtained_with(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let (_, keys) = house.user("ci").await;
    let taker = house.signed_in(&keys).await;
    let first = session(&house, Some(&taker), 60).await.credentials;
    let second = session(&house, Some(&house.signed_in(&first).await), 60)
        .await
        .credentials;
    house.turn(Duration::from_secs(1));
    house
        .iam
        .delete_access_key(&house.account, &keys.access_key_id)
        .await
        .unwrap();
    assert_eq!(reason(house.sign_in(&first).await), "InvalidClientTokenId");
    assert_eq!(reason(house.sign_in(&second).await), "InvalidClientTokenId");
}

async fn a_session_policy_limits_what_its_role_may(house: House) {
    house.role(ROLE, "ec2-ca").await;
    house
        .iam
        .attach_policy(ROLE, "arn:aws:iam::aws:policy/AdministratorAccess")
        .await
        .unwrap();
    let limits = [
        (None, true),
        (Some(SessionPolicies { inline: None, managed: vec!["arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess".into()] }), true),
        (Some(SessionPolicies { inline: None, managed: vec!["arn:aws:iam::aws:policy/IAMReadOnlyAccess".into()] }), false),
        // It was deleted since.
        (Some(SessionPolicies { inline: None, managed: vec!["arn:aws:iam::111122223333:policy/gone".into()] }), false),
        (
            Some(SessionPolicies {
                inline: Some(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"codeartifact:Read*","Resource":"*"}}"#.into()),
                managed: vec![],
            }),
            true,
        ),
    ];
    for (policies, expected) in limits {
        let mut new = NewSession::new(ROLE, "job", Duration::from_hours(1));
        new.policies.clone_from(&policies);
        let temporary = house
            .iam
            .start_session(&house.account, None, new)
            .await
            .unwrap();
        let caller = house.signed_in(&temporary.credentials).await;
        assert_eq!(house.may_read(&caller).await, expected, "{policies:?}");
        // A token is the session, limits included.
        let token = house.token(&caller).await;
        let bearer = house
            .iam
            .by_token(&token, iam::Source::default())
            .await
            .unwrap();
        assert_eq!(house.may_read(&bearer).await, expected, "{policies:?}");
    }
}

async fn sessions_are_forgotten_when_nothing_needs_them(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let short = session(&house, None, 15).await.credentials;
    let token = house.token(&house.signed_in(&short).await).await;
    session(&house, None, 15).await;
    house.turn(Duration::from_hours(1));
    assert_eq!(
        house.iam.forget(house.clock.now()).await.unwrap(),
        1,
        "the other one has a token of twelve hours"
    );
    house
        .iam
        .by_token(&token, iam::Source::default())
        .await
        .unwrap();
    house.turn(Duration::from_hours(12));
    assert_eq!(house.iam.forget(house.clock.now()).await.unwrap(), 1);
}
