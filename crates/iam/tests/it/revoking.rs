//! Every event that takes something back (`identity.md` 5.4): refused by the next request here, and within two seconds by
//! another process on the same database.

use std::time::{Duration, Instant};

use aws::sigv4::Credentials;
use iam::api::RevokeSessions;
use iam::tokens::Bearer;
use iam::{Iam, Source, Status, TokenDuration};

use crate::assuming::take;
use crate::calls::credentials;
use crate::house::{DOMAIN, House, may, sign_in};

on_each_database! {
    what_is_taken_back_is_refused_by_the_next_request,
    what_came_of_a_session_is_taken_back_with_it_however_late,
    a_long_line_is_taken_back_by_its_first_session,
    only_what_was_issued_before_is_revoked,
    nobody_revokes_anything_of_another_account,
    whoever_may_not_learns_nothing_about_sessions,
    a_token_is_revoked_by_the_name_in_the_audit_log,
}

/// How long another process may take to hear of it.
const SOON: Duration = Duration::from_secs(2);
/// The longest that a machine which does much else may need, and shorter than the time after which nothing is trusted.
const LATE: Duration = Duration::from_secs(20);

const READS: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// The rows of the table, and two that belong to them.
const EVENTS: [&str; 10] = [
    "key deleted",
    "key deactivated",
    "user deleted",
    "role deleted",
    "session revoked",
    "user revoked",
    "role revoked",
    "token revoked",
    "policy changed",
    "signing key dropped",
];

/// Somebody with a key, a role session that was obtained with it, and a token of each.
struct Stage {
    name: String,
    key: Credentials,
    role: Credentials,
    token_of_user: String,
    token_of_role: String,
}

impl Stage {
    async fn set(house: &House, number: usize) -> Self {
        let name = format!("person-{number}");
        let (user, key) = house.user(&name).await;
        house
            .iam
            .put_inline_policy(&user.id, "own", READS)
            .await
            .unwrap();
        let role_name = format!("role-{number}");
        let arn = house
            .role_for(&role_name, r#"{"AWS":"111122223333"}"#, "")
            .await;
        let policy = [
            ("RoleName", role_name.as_str()),
            ("PolicyName", "own"),
            ("PolicyDocument", READS),
        ];
        house.admin("PutRolePolicy", &policy).await;
        let caller = house.signed_in(&key).await;
        let role = credentials(&take(house, &caller, &arn, &[]).await.unwrap());
        let token_of_user = house.token(&caller).await;
        let token_of_role = house.token(&house.signed_in(&role).await).await;
        Self {
            name,
            key,
            role,
            token_of_user,
            token_of_role,
        }
    }

    /// Makes it happen, and says whose token is dead after it: the user's, the role's.
    async fn happen(&self, house: &House, event: &str, number: usize) -> (bool, bool) {
        let role = format!("role-{number}");
        let admin = house.signed_in(&house.keys.admin).await;
        let revoke = async |asked: RevokeSessions| {
            house.iam.revoke_sessions_for(&admin, &asked).await.unwrap();
        };
        let key = [
            ("UserName", self.name.as_str()),
            ("AccessKeyId", self.key.access_key_id.as_str()),
        ];
        let own_of = |kind, name| [(kind, name), ("PolicyName", "own")];
        match event {
            "key deleted" => {
                house
                    .iam
                    .delete_access_key(&house.account, &self.key.access_key_id)
                    .await
                    .unwrap();
                (true, true)
            }
            "key deactivated" => {
                house
                    .iam
                    .set_access_key_status(
                        &house.account,
                        &self.key.access_key_id,
                        Status::Inactive,
                    )
                    .await
                    .unwrap();
                (true, true)
            }
            "user deleted" => {
                house.admin("DeleteAccessKey", &key).await;
                house
                    .admin("DeleteUserPolicy", &own_of("UserName", self.name.as_str()))
                    .await;
                house.admin("DeleteUser", &key[..1]).await;
                (true, true)
            }
            "role deleted" => {
                house
                    .admin("DeleteRolePolicy", &own_of("RoleName", role.as_str()))
                    .await;
                house.admin("DeleteRole", &[("RoleName", &role)]).await;
                (false, true)
            }
            "session revoked" => {
                revoke(RevokeSessions::Id(self.role.access_key_id.to_string())).await;
                (false, true)
            }
            "user revoked" => {
                revoke(RevokeSessions::UserName(self.name.clone())).await;
                (true, true)
            }
            "role revoked" => {
                revoke(RevokeSessions::RoleName(role)).await;
                (false, true)
            }
            "token revoked" => {
                revoke(RevokeSessions::Id(
                    Bearer::name(&self.token_of_user).unwrap(),
                ))
                .await;
                (true, false)
            }
            "policy changed" => {
                house
                    .admin("DeleteUserPolicy", &own_of("UserName", self.name.as_str()))
                    .await;
                (true, false)
            }
            "signing key dropped" => {
                let keys = house.iam.token_keys().await.unwrap();
                let active = keys
                    .iter()
                    .find(|key| key.purpose == "bearer" && key.state == "active");
                house
                    .iam
                    .drop_token_key(active.unwrap().number)
                    .await
                    .unwrap();
                (true, true)
            }
            other => panic!("{other}"),
        }
    }

    /// Whether the two tokens still open the door and may read.
    async fn is_good(&self, house: &House, node: &Iam) -> (bool, bool) {
        let good = async |token: &str| match node.by_token(token, Source::default()).await {
            Ok(caller) => may(node, &house.ask(&caller)).await,
            Err(_) => false,
        };
        (
            good(&self.token_of_user).await,
            good(&self.token_of_role).await,
        )
    }
}

async fn what_is_taken_back_is_refused_by_the_next_request(house: House) {
    for (number, event) in EVENTS.into_iter().enumerate() {
        let stage = Stage::set(&house, number).await;
        assert_eq!(stage.is_good(&house, &house.iam).await, (true, true));
        let (user, role) = stage.happen(&house, event, number).await;
        assert_eq!(
            stage.is_good(&house, &house.iam).await,
            (!user, !role),
            "{event}"
        );
        let signs = sign_in(&house.iam, &stage.role, house.clock.now()).await;
        let role_is_gone = role && event != "signing key dropped";
        assert_eq!(signs.is_err(), role_is_gone, "{event}");
    }
}

/// One process at a time may use an `SQLite` file, so this is about the other database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_takes_back_another_refuses_within_two_seconds() {
    let Some(house) = House::postgres().await else {
        return;
    };
    let other = house.another_process().await;
    let mut all = Vec::new();
    for (number, event) in EVENTS.into_iter().enumerate() {
        let stage = Stage::set(&house, number).await;
        // Everything is in that process's memory before.
        let began = Instant::now();
        while stage.is_good(&house, &other).await != (true, true) {
            assert!(began.elapsed() < LATE, "{event}: never good");
        }
        let (user, role) = stage.happen(&house, event, number).await;
        let began = Instant::now();
        while stage.is_good(&house, &other).await != (!user, !role) {
            assert!(began.elapsed() < LATE, "{event}: still good");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        all.push(began.elapsed());
    }
    all.sort_unstable();
    assert!(all[all.len() / 2] < SOON, "{all:?}");
}

/// Two roles down the line, two hours on, when both sessions are over and only the token lives.
async fn what_came_of_a_session_is_taken_back_with_it_however_late(house: House) {
    let admin = house.signed_in(&house.keys.admin).await;
    let last = house
        .role_for("last", r#"{"AWS":"111122223333"}"#, "")
        .await;
    let own = |role: &str| {
        let own = [("RoleName", role), ("PolicyName", "own")];
        own.map(|(name, value)| (name, value.to_owned()))
    };
    for (number, event) in ["session revoked", "role revoked", "role deleted"]
        .into_iter()
        .enumerate()
    {
        let stage = Stage::set(&house, number).await;
        let middle = house.signed_in(&stage.role).await;
        let last_session = take(&house, &middle, &last, &[]).await.unwrap();
        let end = house.signed_in(&credentials(&last_session)).await;
        let token = house.token(&end).await;
        house.turn(Duration::from_hours(2));
        house.iam.forget(house.clock.now()).await.unwrap();
        house.iam.by_token(&token, Source::default()).await.unwrap();
        let role = format!("role-{number}");
        match event {
            "role deleted" => {
                let own = own(&role);
                let own = own.each_ref().map(|(name, value)| (*name, value.as_str()));
                house.admin("DeleteRolePolicy", &own).await;
                house.admin("DeleteRole", &own[..1]).await;
            }
            event => {
                let asked = match event {
                    "role revoked" => RevokeSessions::RoleName(role),
                    _ => RevokeSessions::Id(stage.role.access_key_id.to_string()),
                };
                house.iam.revoke_sessions_for(&admin, &asked).await.unwrap();
            }
        }
        assert!(
            house.iam.by_token(&token, Source::default()).await.is_err(),
            "{event}"
        );
    }
}

/// A role that takes itself again and again has a line without end; what is kept of it has one.
async fn a_long_line_is_taken_back_by_its_first_session(house: House) {
    let stage = Stage::set(&house, 1).await;
    let arn = "arn:aws:iam::111122223333:role/role-1";
    let mut held = stage.role.clone();
    for _ in 0..40 {
        let caller = house.signed_in(&held).await;
        held = credentials(&take(&house, &caller, arn, &[]).await.unwrap());
    }
    house.signed_in(&held).await;
    let admin = house.signed_in(&house.keys.admin).await;
    let first = RevokeSessions::Id(stage.role.access_key_id.to_string());
    house.iam.revoke_sessions_for(&admin, &first).await.unwrap();
    assert!(house.sign_in(&held).await.is_err());
}

async fn only_what_was_issued_before_is_revoked(house: House) {
    let stage = Stage::set(&house, 1).await;
    let admin = house.signed_in(&house.keys.admin).await;
    let user = RevokeSessions::UserName(stage.name.clone());
    let revoked = house.iam.revoke_sessions_for(&admin, &user).await.unwrap();
    assert_eq!(
        revoked.revoked,
        "arn:aws:iam::111122223333:user/build/person-1"
    );
    assert_eq!(revoked.issued_until, house.clock.now().iso8601());
    // The key is good as ever, and so is what is issued from the next second on.
    house.turn(Duration::from_secs(1));
    let token = house.token(&house.signed_in(&stage.key).await).await;
    house.iam.by_token(&token, Source::default()).await.unwrap();
}

async fn nobody_revokes_anything_of_another_account(house: House) {
    let stage = Stage::set(&house, 1).await;
    let away = "444455556666".parse().unwrap();
    let keys = house.iam.create_account(&away).await.unwrap();
    let stranger = house.signed_in(&keys.admin).await;
    let bearer = Bearer::name(&stage.token_of_user).unwrap();
    for (asked, is_refused) in [
        (RevokeSessions::UserName(stage.name.clone()), true),
        (RevokeSessions::RoleName("role-1".to_owned()), true),
        (
            RevokeSessions::Id(stage.role.access_key_id.to_string()),
            true,
        ),
        (
            RevokeSessions::Id(stage.key.access_key_id.to_string()),
            true,
        ),
        // A token's name says nothing about whose it is, so it is noted, and kills nothing.
        (RevokeSessions::Id(bearer), false),
    ] {
        let answer = house.iam.revoke_sessions_for(&stranger, &asked).await;
        assert_eq!(answer.is_err(), is_refused, "{asked:?}");
        if let Err(fault) = answer {
            assert_eq!(fault.code, "ResourceNotFoundException", "{asked:?}");
        }
        assert_eq!(stage.is_good(&house, &house.iam).await, (true, true));
    }
}

async fn whoever_may_not_learns_nothing_about_sessions(house: House) {
    let stage = Stage::set(&house, 1).await;
    let (_, key) = house.user("nobody").await;
    let nobody = house.signed_in(&key).await;
    for (asked, resource) in [
        (
            RevokeSessions::UserName("person-9".to_owned()),
            "arn:aws:iam::111122223333:user/person-9",
        ),
        (
            RevokeSessions::RoleName("role-9".to_owned()),
            "arn:aws:iam::111122223333:role/role-9",
        ),
        (
            RevokeSessions::Id(stage.key.access_key_id.to_string()),
            "arn:aws:iam::111122223333:user/build/person-1",
        ),
        (RevokeSessions::Id("ABIAAAAAAAAAAAAAAAAA".to_owned()), "*"),
        (RevokeSessions::Id("ASIAAAAAAAAAAAAAAAAA".to_owned()), "*"),
    ] {
        let fault = house
            .iam
            .revoke_sessions_for(&nobody, &asked)
            .await
            .unwrap_err();
        assert_eq!(fault.code, "AccessDeniedException", "{asked:?}");
        let said = format!(
            "is not authorized to perform: packhouse:RevokeSessions on resource: {resource} "
        );
        assert!(fault.message.contains(&said), "{}", fault.message);
    }
    for nonsense in ["", "AKIA", "ABIA/../../../x-x-x-x", "AROAAAAAAAAAAAAAAAAA"] {
        let asked = RevokeSessions::Id(nonsense.to_owned());
        let fault = house
            .iam
            .revoke_sessions_for(&nobody, &asked)
            .await
            .unwrap_err();
        assert_eq!(fault.code, "ValidationException", "{nonsense}");
    }
}

async fn a_token_is_revoked_by_the_name_in_the_audit_log(house: House) {
    let admin = house.signed_in(&house.keys.admin).await;
    let issue = async || {
        house
            .iam
            .issue_token(&admin, DOMAIN, &house.account, TokenDuration::DEFAULT)
            .await
            .unwrap()
    };
    let (leaked, other) = (issue().await, issue().await);
    let by_token = async |text: &str| house.iam.by_token(text, Source::default()).await;
    let name = by_token(leaked.token.expose())
        .await
        .unwrap()
        .access_key_id();
    assert_eq!(Bearer::name(leaked.token.expose()).unwrap(), name);
    for nonsense in ["", "phk1_", "phk1_AAAA", &leaked.token.expose()[1..]] {
        assert_eq!(Bearer::name(nonsense), None, "{nonsense}");
    }
    let asked = RevokeSessions::Id(name);
    house.iam.revoke_sessions_for(&admin, &asked).await.unwrap();
    assert!(by_token(leaked.token.expose()).await.is_err());
    by_token(other.token.expose()).await.unwrap();
}
