//! Keys that are changed or lost, under way.

use std::time::Duration;

use iam::vault::Wrapping;
use iam::{Iam, KeyHolder, MasterKey, Settings, Source};

use crate::house::{House, NOW, region, sign_in};

on_each_database! {
    token_keys_are_rotated_and_old_tokens_stay_good,
    the_master_key_is_changed_in_steps_that_may_be_interrupted,
    a_node_that_does_not_know_the_new_master_key_says_so,
    keys_are_made_anew_and_the_old_ones_are_dead,
    after_a_lost_master_key_everything_but_keys_is_there,
}

async fn token_keys_are_rotated_and_old_tokens_stay_good(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let old = house.token(&caller).await;
    let states = async || {
        let keys = house.iam.token_keys().await.unwrap();
        let shown = keys
            .iter()
            .map(|key| format!("{} {}", key.purpose, key.state));
        shown.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(states().await, "bearer active, sts active");
    for _ in 0..2 {
        house.iam.rotate_token_keys().await.unwrap();
        let expected = "bearer active, bearer pending, sts active, sts pending";
        assert_eq!(states().await, expected, "asked twice, made once");
    }
    house.turn(Duration::from_mins(5));
    house.iam.rotate(house.clock.now()).await.unwrap();
    let expected = "bearer retiring, bearer active, sts retiring, sts active";
    assert_eq!(states().await, expected);
    house.signed_in(&house.keys.admin).await;
    let new = house.token(&caller).await;
    for node in [&house.iam, &house.another_node().await] {
        for token in [&old, &new] {
            node.by_token(token, Source::default()).await.unwrap();
        }
    }
    // Eleven hours later the old token is good for almost an hour, and its key is still there.
    house.turn(Duration::from_hours(11));
    house.iam.rotate(house.clock.now()).await.unwrap();
    let node = house.another_node().await;
    node.by_token(&old, Source::default()).await.unwrap();
}

async fn the_master_key_is_changed_in_steps_that_may_be_interrupted(house: House) {
    let path = house.directory().join("master.key");
    for account in ["444455556666", "777788889999"] {
        let account = account.parse().unwrap();
        house.iam.create_account(&account).await.unwrap();
    }
    // A process that was killed after it had stored the new key, and wrapped one of the data keys.
    let next = MasterKey::generate().with_previous(&house.master_key());
    next.replace(&path).unwrap();
    let settings = Settings::new(region(), house.clock.clone());
    let open = async || {
        let key = MasterKey::from_file(&path).unwrap();
        Iam::open(house.database.clone(), key, settings.clone()).await
    };
    let restarted = open().await.unwrap();
    let wrapping = async |iam: &Iam| iam.vault().wrapping().await.unwrap();
    assert_eq!(wrapping(&restarted).await, Wrapping::Unfinished);
    sign_in(&restarted, &house.keys.admin, NOW).await.unwrap();
    // What an account gets meanwhile is wrapped by the new one.
    let meanwhile = "888899990000".parse().unwrap();
    let meanwhile = restarted.create_account(&meanwhile).await.unwrap();
    assert_eq!(restarted.vault().rewrap().await.unwrap(), 4);
    assert_eq!(wrapping(&restarted).await, Wrapping::Settled);
    assert_eq!(restarted.vault().rewrap().await.unwrap(), 0);
    for iam in [&restarted, &open().await.unwrap()] {
        for key in [&house.keys.admin, &meanwhile.admin] {
            sign_in(iam, key, NOW).await.unwrap();
        }
    }
    // The server that runs takes the next one in use without a start.
    let third = MasterKey::generate();
    assert_eq!(restarted.change_master_key(&third).await.unwrap(), 5);
    assert!(restarted.master_key().is_same(&third));
    sign_in(&restarted, &house.keys.root, NOW).await.unwrap();
    let alone = Iam::open(house.database.clone(), third, settings.clone()).await;
    sign_in(&alone.unwrap(), &house.keys.root, NOW)
        .await
        .unwrap();
}

async fn a_node_that_does_not_know_the_new_master_key_says_so(house: House) {
    let other = house.another_node().await;
    sign_in(&other, &house.keys.admin, NOW).await.unwrap();
    let next = MasterKey::generate();
    house.iam.change_master_key(&next).await.unwrap();
    assert_eq!(other.vault().wrapping().await.unwrap(), Wrapping::Unknown);
    // It goes on with what it has read, and is told the key.
    sign_in(&other, &house.keys.root, NOW).await.unwrap();
    let told = next.with_previous(&house.master_key());
    assert_eq!(other.change_master_key(&told).await.unwrap(), 0);
    assert_eq!(other.vault().wrapping().await.unwrap(), Wrapping::Settled);
}

async fn keys_are_made_anew_and_the_old_ones_are_dead(house: House) {
    let token = house.token(&house.signed_in(&house.keys.admin).await).await;
    let root = house.iam.reset_key(&house.account, KeyHolder::Root).await;
    let root = root.unwrap().unwrap();
    assert!(house.sign_in(&house.keys.root).await.is_err());
    assert!(house.signed_in(&root).await.is_root());
    house.signed_in(&house.keys.admin).await;

    let admin = house.iam.reset_key(&house.account, KeyHolder::Admin).await;
    let admin = admin.unwrap().unwrap();
    assert!(house.sign_in(&house.keys.admin).await.is_err());
    let by_token = house.iam.by_token(&token, Source::default()).await;
    assert!(by_token.is_err(), "issued from the old key");
    let signed_in = house.signed_in(&admin).await;
    assert_eq!(signed_in.arn(), "arn:aws:iam::111122223333:user/admin");
    assert!(house.may_read(&signed_in).await);

    // One who was deleted is made again.
    let root = house.signed_in(&root).await;
    let user = ("UserName", "admin");
    let access = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
    let key = ("AccessKeyId", admin.access_key_id.as_str());
    for (operation, parameters) in [
        ("DeleteAccessKey", &[user, key][..]),
        ("DetachUserPolicy", &[user, access]),
        ("DeleteUser", &[user]),
    ] {
        house.call(&root, operation, parameters).await.unwrap();
    }
    let admin = house.iam.reset_key(&house.account, KeyHolder::Admin).await;
    let again = house.signed_in(&admin.unwrap().unwrap()).await;
    assert!(house.may_read(&again).await);
    assert_ne!(again.user_id(), signed_in.user_id());
    let nowhere = "999999999999".parse().unwrap();
    let none = house.iam.reset_key(&nowhere, KeyHolder::Root).await;
    assert!(none.unwrap().is_none());
}

async fn after_a_lost_master_key_everything_but_keys_is_there(house: House) {
    let (_, key) = house.user("ci").await;
    let token = house.token(&house.signed_in(&key).await).await;
    let settings = Settings::new(region(), house.clock.clone());
    let new = MasterKey::generate();
    assert!(Iam::is_sealed(&house.database).await.unwrap());
    let opened = Iam::open(house.database.clone(), new.clone(), settings.clone()).await;
    assert!(matches!(opened, Err(iam::Error::Vault(_))));

    Iam::forget_all_keys(&house.database).await.unwrap();
    assert!(!Iam::is_sealed(&house.database).await.unwrap());
    let iam = Iam::open(house.database.clone(), new, settings)
        .await
        .unwrap();
    for lost in [&key, &house.keys.admin, &house.keys.root] {
        assert!(sign_in(&iam, lost, NOW).await.is_err());
    }
    assert!(iam.by_token(&token, Source::default()).await.is_err());
    let root = iam.reset_key(&house.account, KeyHolder::Root).await;
    let root = sign_in(&iam, &root.unwrap().unwrap(), NOW).await.unwrap();
    let users = iam
        .call(
            &root,
            &aws::query::Form::parse(b"Action=GetUser&Version=2010-05-08&UserName=ci").unwrap(),
            "test",
        )
        .await;
    assert!(users.is_ok(), "the users are there");
}
