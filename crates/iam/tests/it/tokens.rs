//! Bearer tokens, from issue to refusal.

use std::time::Duration;

use iam::tokens::Refused;
use iam::{AuthorizeError, Error, NewSession, NotAuthenticated, Source, Status, TokenDuration};

use crate::house::{DOMAIN, House, NOW, READ, REPOSITORY};

const ROLE: &str = "AROAQEC2CAVECTOR0001A";

on_each_database! {
    a_token_is_its_holder_and_decided_by_the_policies_of_now,
    a_token_lasts_as_long_as_was_asked_and_no_second_longer,
    a_token_may_outlive_its_session_unless_it_was_tied_to_it,
    a_token_dies_with_its_key_and_does_not_come_back,
    a_token_dies_with_its_user,
    one_token_can_be_revoked_alone,
    a_token_issues_no_token,
    nothing_is_issued_when_the_clock_went_back,
    keys_rotate_without_breaking_tokens,
    dropping_a_key_kills_what_it_signed,
    a_node_learns_of_another_nodes_key,
}

async fn by_token(house: &House, token: &str) -> Result<iam::Caller, NotAuthenticated> {
    house.iam.by_token(token, Source::default()).await
}

async fn a_token_is_its_holder_and_decided_by_the_policies_of_now(house: House) {
    let (ci, keys) = house.user("ci").await;
    let issued = {
        let caller = house.signed_in(&keys).await;
        house
            .iam
            .issue_token(&caller, DOMAIN, &house.account, TokenDuration::DEFAULT)
            .await
            .unwrap()
    };
    assert_eq!(issued.token.expose().len(), 128);
    assert!(issued.token.expose().starts_with("phk1_"));
    assert!(issued.bearer_id.starts_with("ABIA"));
    let caller = by_token(&house, issued.token.expose()).await.unwrap();
    assert_eq!(caller.arn(), "arn:aws:iam::111122223333:user/build/ci");
    assert_eq!(caller.domain_number(), Some(DOMAIN));
    assert_eq!(caller.access_key_id(), issued.bearer_id);
    assert_eq!(caller.expires(), Some(issued.expires));

    let Err(AuthorizeError::Denied(denial)) = house.iam.authorize(&house.ask(&caller)).await else {
        panic!("nothing allows it");
    };
    assert_eq!(
        denial.message,
        "User: arn:aws:iam::111122223333:user/build/ci is not authorized to perform: codeartifact:ReadFromRepository on resource: \
         arn:aws:codeartifact:us-east-1:111122223333:repository/my-domain/my-repo because no identity-based policy allows the \
         codeartifact:ReadFromRepository action"
    );
    assert_eq!(
        (
            denial.action.as_str(),
            denial.resource.as_str(),
            denial.caller.as_str()
        ),
        (READ, REPOSITORY, caller.arn())
    );
    assert_eq!(denial.reason.as_str(), "implicit-identity");

    house
        .iam
        .attach_policy(
            &ci.id,
            "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess",
        )
        .await
        .unwrap();
    assert!(house.may_read(&caller).await);
    assert!(house.may_read(&caller).await, "from memory");
    house
        .iam
        .detach_policy(
            &ci.id,
            "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess",
        )
        .await
        .unwrap();
    assert!(!house.may_read(&caller).await);
}

async fn a_token_lasts_as_long_as_was_asked_and_no_second_longer(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let issued = house
        .iam
        .issue_token(&caller, DOMAIN, &house.account, TokenDuration::Seconds(900))
        .await
        .unwrap();
    assert_eq!(issued.expires, NOW.plus(Duration::from_mins(15)));
    house.turn(Duration::from_secs(899));
    by_token(&house, issued.token.expose()).await.unwrap();
    house.turn(Duration::from_secs(1));
    assert!(matches!(
        by_token(&house, issued.token.expose()).await,
        Err(NotAuthenticated::Refused(Refused::Expired))
    ));
    let endless = house
        .iam
        .issue_token(&caller, DOMAIN, &house.account, TokenDuration::Session)
        .await;
    assert!(matches!(endless, Err(Error::NoSession)));
}

async fn a_token_may_outlive_its_session_unless_it_was_tied_to_it(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let new = NewSession::new(ROLE, "i-0123456789abcdef0", Duration::from_mins(15));
    let temporary = house
        .iam
        .start_session(&house.account, None, new)
        .await
        .unwrap();
    let caller = house.signed_in(&temporary.credentials).await;
    let tied = house
        .iam
        .issue_token(&caller, DOMAIN, &house.account, TokenDuration::Session)
        .await
        .unwrap();
    let long = house
        .iam
        .issue_token(&caller, DOMAIN, &house.account, TokenDuration::DEFAULT)
        .await
        .unwrap();
    assert_eq!(tied.expires, temporary.expires);
    house.turn(Duration::from_mins(15));
    assert!(by_token(&house, tied.token.expose()).await.is_err());
    let bearer = by_token(&house, long.token.expose()).await.unwrap();
    assert_eq!(
        bearer.arn(),
        "arn:aws:sts::111122223333:assumed-role/ec2-ca/i-0123456789abcdef0"
    );
}

async fn a_token_dies_with_its_key_and_does_not_come_back(house: House) {
    let (_, keys) = house.user("ci").await;
    let token = house.token(&house.signed_in(&keys).await).await;
    let under_way = by_token(&house, &token).await.unwrap();
    let other = house.token(&house.signed_in(&house.keys.admin).await).await;

    house
        .iam
        .set_access_key_status(&house.account, &keys.access_key_id, Status::Inactive)
        .await
        .unwrap();
    assert!(matches!(
        by_token(&house, &token).await,
        Err(NotAuthenticated::Revoked)
    ));
    assert!(!house.may_read(&under_way).await);
    by_token(&house, &other).await.unwrap();

    house
        .iam
        .set_access_key_status(&house.account, &keys.access_key_id, Status::Active)
        .await
        .unwrap();
    assert!(matches!(
        by_token(&house, &token).await,
        Err(NotAuthenticated::Revoked)
    ));
    house.turn(Duration::from_secs(1));
    let fresh = house.token(&house.signed_in(&keys).await).await;
    by_token(&house, &fresh).await.unwrap();

    house
        .iam
        .delete_access_key(&house.account, &keys.access_key_id)
        .await
        .unwrap();
    assert!(matches!(
        by_token(&house, &fresh).await,
        Err(NotAuthenticated::Revoked)
    ));
    assert!(matches!(
        house
            .another_node()
            .await
            .by_token(&fresh, Source::default())
            .await,
        Err(NotAuthenticated::Revoked)
    ));
}

async fn a_token_dies_with_its_user(house: House) {
    let (ci, keys) = house.user("ci").await;
    let token = house.token(&house.signed_in(&keys).await).await;
    by_token(&house, &token).await.unwrap();
    house
        .change("DELETE FROM access_keys WHERE user_id = $1", &[&ci.id])
        .await;
    house
        .change("DELETE FROM users WHERE id = $1", &[&ci.id])
        .await;
    assert!(matches!(
        by_token(&house, &token).await,
        Err(NotAuthenticated::Gone)
    ));
    // A namesake is somebody else.
    house.user("ci").await;
    assert!(by_token(&house, &token).await.is_err());
}

async fn one_token_can_be_revoked_alone(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let (leaked, other) = (house.token(&caller).await, house.token(&caller).await);
    house.iam.revoke_token(&leaked).await.unwrap();
    assert!(matches!(
        by_token(&house, &leaked).await,
        Err(NotAuthenticated::Revoked)
    ));
    by_token(&house, &other).await.unwrap();
}

async fn a_token_issues_no_token(house: House) {
    let token = house.token(&house.signed_in(&house.keys.admin).await).await;
    let bearer = by_token(&house, &token).await.unwrap();
    let again = house
        .iam
        .issue_token(&bearer, DOMAIN, &house.account, TokenDuration::DEFAULT)
        .await;
    assert!(matches!(again, Err(Error::NoSession)));
}

async fn nothing_is_issued_when_the_clock_went_back(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let issue = async || {
        house
            .iam
            .issue_token(&caller, DOMAIN, &house.account, TokenDuration::DEFAULT)
            .await
    };
    issue().await.unwrap();
    house.clock.set(NOW.minus(Duration::from_mins(5)));
    issue().await.unwrap();
    house.clock.set(NOW.minus(Duration::from_secs(301)));
    assert!(matches!(issue().await, Err(Error::ClockWentBack)));
    house.clock.set(NOW);
    issue().await.unwrap();
}

async fn states(house: &House) -> Vec<String> {
    let rows = house
        .database
        .rows(
            "SELECT state FROM token_keys WHERE purpose = 'bearer' ORDER BY created, kid",
            vec![],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.text("state").unwrap()).collect()
}

async fn keys_rotate_without_breaking_tokens(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let other_node = house.another_node().await;
    let rotate = async |duration: Duration| {
        house.turn(duration);
        house.iam.rotate(house.clock.now()).await.unwrap();
        other_node.rotate(house.clock.now()).await.unwrap();
    };
    assert_eq!(states(&house).await, ["active"]);
    rotate(Duration::from_mins(23 * 60 + 55)).await;
    assert_eq!(states(&house).await, ["active", "pending"]);
    let old = house.token(&caller).await;
    rotate(Duration::from_mins(5)).await;
    assert_eq!(states(&house).await, ["retiring", "active"]);
    let new = house.token(&caller).await;
    for token in [&old, &new] {
        by_token(&house, token).await.unwrap();
        other_node.by_token(token, Source::default()).await.unwrap();
    }
    rotate(Duration::from_hours(11)).await;
    by_token(&house, &old).await.unwrap();
    rotate(Duration::from_hours(2)).await;
    assert_eq!(states(&house).await, ["gone", "active", "pending"][..2]);
    let rows = house
        .database
        .rows("SELECT secret FROM token_keys WHERE state = 'gone'", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text("secret").unwrap(), "");
}

async fn dropping_a_key_kills_what_it_signed(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let token = house.token(&caller).await;
    let rows = house
        .database
        .rows(
            "SELECT kid FROM token_keys WHERE purpose = 'bearer'",
            vec![],
        )
        .await
        .unwrap();
    house
        .iam
        .drop_token_key(u16::try_from(rows[0].int("kid").unwrap()).unwrap())
        .await
        .unwrap();
    assert!(matches!(
        by_token(&house, &token).await,
        Err(NotAuthenticated::Refused(Refused::UnknownKey))
    ));
    let fresh = house.token(&caller).await;
    by_token(&house, &fresh).await.unwrap();
    assert!(house.iam.drop_token_key(999).await.is_err());
}

async fn a_node_learns_of_another_nodes_key(house: House) {
    let other_node = house.another_node().await;
    // Behind this node's back: nothing is touched.
    let number = 7_i64;
    let sealed = {
        let place = iam::vault::Place {
            table: "token_keys",
            column: "secret",
            key: "7",
        };
        house
            .iam
            .vault()
            .seal(iam::vault::Owner::Installation, place, &[9; 32])
            .await
            .unwrap()
    };
    let values = [number.into(), sealed.into()];
    let insert = "INSERT INTO token_keys (kid, purpose, state, secret, created, changed) VALUES ($1, 'bearer', 'retiring', $2, 0, 0)";
    let written: Result<u64, store::Error> = house
        .database
        .write(move |tx| tx.execute(insert, &values))
        .await;
    written.unwrap();
    let caller = house.signed_in(&house.keys.admin).await;
    house.token(&caller).await;
    let mut keys = iam::tokens::Keyring::default();
    keys.insert(7, &[9; 32]);
    let rows = house
        .database
        .rows("SELECT id FROM sessions", vec![])
        .await
        .unwrap();
    let now = u32::try_from(house.clock.now().seconds()).unwrap();
    let bearer = iam::tokens::Bearer {
        flags: 0,
        key: 7,
        issued: now,
        expires: now + 900,
        token: [1; 16].into(),
        session: rows[0].parse("id").unwrap(),
        domain: DOMAIN,
        account: house.account.number(),
    };
    let token = bearer.seal(&keys).unwrap();
    house.turn(Duration::from_secs(5));
    other_node
        .by_token(&token, Source::default())
        .await
        .unwrap();
}
