//! Secrets at rest.

use std::fs;
use std::time::Duration;

use aws::sigv4::Credentials;
use iam::vault::{Owner, Place, VaultError};
use iam::{Error, Iam, MasterKey, NewSession, NotSignedBy, Settings};

use crate::house::{House, NOW, region, sign_in};

const ROLE: &str = "AROAQEC2CAVECTOR0001A";

on_each_database! {
    a_sealed_value_opens_in_its_own_place_only,
    swapped_secrets_do_not_open,
    another_master_key_is_refused_at_the_start,
    the_master_key_can_be_changed_under_way,
    derived_keys_are_the_same_on_every_node,
    no_secret_is_printed,
}

async fn a_sealed_value_opens_in_its_own_place_only(house: House) {
    let vault = house.iam.vault();
    let other = "444455556666".parse().unwrap();
    let owner = Owner::Account(&house.account);
    let place = Place {
        table: "upstreams",
        column: "password",
        key: "1",
    };
    let sealed = vault.seal(owner, place, b"open sesame").await.unwrap();
    assert_eq!(
        &**vault.open(owner, place, &sealed).await.unwrap(),
        b"open sesame"
    );
    assert_ne!(
        vault.seal(owner, place, b"open sesame").await.unwrap(),
        sealed,
        "a nonce is used once"
    );
    vault
        .seal(Owner::Account(&other), place, b"makes the data key")
        .await
        .unwrap();
    for (owner, place) in [
        (Owner::Account(&other), place),
        (Owner::Installation, place),
        (
            owner,
            Place {
                table: "upstream",
                ..place
            },
        ),
        (
            owner,
            Place {
                column: "user",
                ..place
            },
        ),
        (owner, Place { key: "2", ..place }),
        (owner, Place { key: "", ..place }),
    ] {
        let refused = vault.open(owner, place, &sealed).await;
        assert!(
            matches!(refused, Err(Error::Vault(VaultError::Tampered { .. }))),
            "{owner:?} {place:?}"
        );
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(vault.open(owner, place, &changed).await.is_err(), "{at}");
    }
    for nonsense in ["", "A", "AQAAAAE", "not base64!"] {
        assert!(
            vault.open(owner, place, nonsense).await.is_err(),
            "{nonsense}"
        );
    }
}

async fn swapped_secrets_do_not_open(house: House) {
    let (root, admin) = (
        house.keys.root.access_key_id.as_str(),
        house.keys.admin.access_key_id.as_str(),
    );
    house
        .change(
            "UPDATE access_keys
                SET secret = (SELECT other.secret FROM access_keys other WHERE other.id = $2)
              WHERE id = $1",
            &[root, admin],
        )
        .await;
    let mixed = Credentials {
        secret_access_key: house.keys.admin.secret_access_key.clone(),
        ..house.keys.root.clone()
    };
    for credentials in [&house.keys.root, &mixed] {
        let refused = sign_in(&house.another_node().await, credentials, NOW).await;
        assert!(
            matches!(
                refused,
                Err(NotSignedBy::Unavailable(Error::Vault(
                    VaultError::Tampered { .. }
                )))
            ),
            "{refused:?}"
        );
    }
    house.signed_in(&house.keys.admin).await;
}

async fn another_master_key_is_refused_at_the_start(house: House) {
    let settings = Settings::new(region(), house.clock.clone());
    let opened = Iam::open(
        house.database.clone(),
        MasterKey::from_bytes([1; 32]),
        settings,
    )
    .await;
    assert!(matches!(
        opened.map(drop),
        Err(Error::Vault(VaultError::OtherMasterKey { .. }))
    ));
}

async fn the_master_key_can_be_changed_under_way(house: House) {
    let settings = || Settings::new(region(), house.clock.clone());
    let open =
        async |key: &MasterKey| Iam::open(house.database.clone(), key.clone(), settings()).await;
    let new = MasterKey::from_bytes([1; 32]);
    let both = open(&new.with_previous(&house.master_key())).await.unwrap();
    sign_in(&both, &house.keys.admin, NOW).await.unwrap();
    assert_eq!(
        both.vault().rewrap().await.unwrap(),
        2,
        "one of the account, one of the installation"
    );
    assert_eq!(both.vault().rewrap().await.unwrap(), 0);
    sign_in(&open(&new).await.unwrap(), &house.keys.admin, NOW)
        .await
        .unwrap();
    assert!(open(&house.master_key()).await.is_err());
    // A node that still has the old one goes on with what it has opened.
    house.signed_in(&house.keys.admin).await;
}

async fn derived_keys_are_the_same_on_every_node(house: House) {
    let other = house.another_node().await;
    assert_eq!(*house.iam.sealer_key("pages"), *other.sealer_key("pages"));
    assert_ne!(*house.iam.sealer_key("pages"), *other.sealer_key("markers"));
}

async fn no_secret_is_printed(house: House) {
    let caller = house.signed_in(&house.keys.admin).await;
    let token = house
        .iam
        .issue_token(&caller, 1, &house.account, iam::TokenDuration::DEFAULT)
        .await
        .unwrap();
    let printed = format!("{:?} {token:?} {caller:?}", house.keys);
    for secret in [
        token.token.expose(),
        house.keys.root.secret_access_key.expose(),
        house.keys.admin.secret_access_key.expose(),
    ] {
        assert!(!printed.contains(secret.as_str()), "{printed}");
    }
}

/// The files of a database are searched for every secret that was ever made with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_files_of_the_database() {
    let house = House::sqlite().await;
    let (_, ci) = house.user("ci").await;
    house.role(ROLE, "ec2-ca").await;
    let new = NewSession::new(ROLE, "job", Duration::from_hours(1));
    let temporary = house
        .iam
        .start_session(&house.account, None, new)
        .await
        .unwrap()
        .credentials;
    let caller = house.signed_in(&temporary).await;
    let token = house.token(&caller).await;
    let place = Place {
        table: "upstreams",
        column: "password",
        key: "1",
    };
    house
        .iam
        .vault()
        .seal(Owner::Account(&house.account), place, b"open sesame")
        .await
        .unwrap();
    house
        .iam
        .delete_access_key(&house.account, &ci.access_key_id)
        .await
        .unwrap();

    let master = fs::read_to_string(house.directory().join("master.key")).unwrap();
    let master_bytes = hex::decode(master.trim()).unwrap();
    let mut secrets: Vec<Vec<u8>> = [&house.keys.root, &house.keys.admin, &ci, &temporary]
        .iter()
        .map(|credentials| credentials.secret_access_key.expose().clone().into_bytes())
        .collect();
    secrets.extend([
        master.trim().into(),
        master_bytes,
        token.clone().into_bytes(),
    ]);
    secrets.push(
        temporary
            .session_token
            .unwrap()
            .expose()
            .clone()
            .into_bytes(),
    );
    // What tokens are worth without their prefix, and a known word to be sure that the search would find one.
    secrets.push(token["phk1_".len()..].into());

    let mut searched = Vec::new();
    for entry in fs::read_dir(house.directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "master.key" {
            searched.extend(fs::read(path).unwrap());
        }
    }
    let found = |word: &[u8]| searched.windows(word.len()).any(|window| window == word);
    assert!(
        found(house.keys.admin.access_key_id.as_str().as_bytes()),
        "the search finds what is there"
    );
    for secret in &secrets {
        assert!(!found(secret), "{}", String::from_utf8_lossy(secret));
        assert!(!found(hex::encode(secret).as_bytes()));
    }
}
