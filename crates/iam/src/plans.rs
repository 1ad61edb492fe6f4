//! Every statement that a request may wait for finds its rows by an index, whatever the size of the tables.

#![allow(clippy::unwrap_used, reason = "tests")]

use aws::Clock;
use store::{Database, Value};

use crate::{Iam, MasterKey, Settings};
use crate::{
    access_keys, attachments, groups, inline_policies, instance_profiles, machine_profiles,
    machine_sessions, machines, managed_policies, oidc_providers, policies, policy_versions,
    principals, roles, sessions, tags, users, vault,
};

const STATEMENTS: &[(&str, &str)] = &[
    ("access_keys::BY_ID", access_keys::BY_ID),
    ("access_keys::OF_ROOT", access_keys::OF_ROOT),
    ("access_keys::OF_USER", access_keys::OF_USER),
    ("attachments::COUNT_OTHERS", attachments::COUNT_OTHERS),
    ("attachments::OF_HOLDER", attachments::OF_HOLDER),
    ("groups::BY_NAME", groups::BY_NAME),
    ("groups::COUNT_MEMBERS", groups::COUNT_MEMBERS),
    ("groups::COUNT_OTHERS_OF_USER", groups::COUNT_OTHERS_OF_USER),
    ("groups::LIST", groups::LIST),
    ("groups::MEMBERS", groups::MEMBERS),
    ("groups::OF_USER", groups::OF_USER),
    ("inline_policies::BY_NAME", inline_policies::BY_NAME),
    ("inline_policies::OF_HOLDER", inline_policies::OF_HOLDER),
    ("instance_profiles::BY_ID", instance_profiles::BY_ID),
    ("instance_profiles::BY_NAME", instance_profiles::BY_NAME),
    ("instance_profiles::LIST", instance_profiles::LIST),
    ("instance_profiles::OF_ROLE", instance_profiles::OF_ROLE),
    ("machine_profiles::DELETE", machine_profiles::DELETE),
    (
        "machine_sessions::FORGET_NONCES",
        machine_sessions::FORGET_NONCES,
    ),
    (
        "machine_sessions::STILL_BOUND",
        machine_sessions::STILL_BOUND,
    ),
    ("machines::BY_ASSOCIATION", machines::BY_ASSOCIATION),
    ("machines::BY_CODE", machines::BY_CODE),
    ("machines::BY_ID", machines::BY_ID),
    ("machines::COUNT", machines::COUNT),
    ("machines::LIST", machines::LIST),
    ("managed_policies::BY_ARN", managed_policies::BY_ARN),
    ("managed_policies::LIST", managed_policies::LIST),
    ("oidc_providers::BY_ARN", oidc_providers::BY_ARN),
    ("oidc_providers::OF_ACCOUNT", oidc_providers::OF_ACCOUNT),
    ("policies::MANAGED", policies::MANAGED),
    ("policies::OF_HOLDER", policies::OF_HOLDER),
    ("policy_versions::COUNT", policy_versions::COUNT),
    ("policy_versions::OF_POLICY", policy_versions::OF_POLICY),
    ("principals::ROLE_BY_ID", principals::ROLE_BY_ID),
    ("principals::USER_BY_ID", principals::USER_BY_ID),
    ("roles::BY_ID", roles::BY_ID),
    ("roles::BY_NAME", roles::BY_NAME),
    ("roles::LIST", roles::LIST),
    ("roles::PROFILES", roles::PROFILES),
    ("sessions::ID_BY_PREFIX", sessions::ID_BY_PREFIX),
    ("sessions::ACCOUNT_BY_PREFIX", sessions::ACCOUNT_BY_PREFIX),
    ("sessions::BY_ID", sessions::BY_ID),
    ("sessions::FORGET_REVOCATIONS", sessions::FORGET_REVOCATIONS),
    ("sessions::FORGET_SESSIONS", sessions::FORGET_SESSIONS),
    ("sessions::KEEP_UNTIL", sessions::KEEP_UNTIL),
    ("sessions::OF_MACHINE", sessions::OF_MACHINE),
    ("tags::COUNT", tags::COUNT),
    ("tags::TAGS", tags::TAGS),
    ("users::BY_ID", users::BY_ID),
    ("users::BY_NAME", users::BY_NAME),
    ("users::COUNT", users::COUNT),
    ("users::KEYS", users::KEYS),
    ("users::LIST", users::LIST),
    ("users::MEMBERSHIPS", users::MEMBERSHIPS),
    ("vault::NEWEST", vault::NEWEST),
    ("vault::VERSION", vault::VERSION),
];

#[tokio::test]
async fn no_statement_walks_a_whole_table() {
    let database = Database::open(&"sqlite::memory:".parse().unwrap())
        .await
        .unwrap();
    let settings = Settings::new("us-east-1".parse().unwrap(), Clock::system());
    Iam::open(database.clone(), MasterKey::from_bytes([7; 32]), settings)
        .await
        .unwrap();
    for (name, sql) in STATEMENTS {
        // A statement is a text of the program; this one lives as long as the test.
        let explain: &'static str = format!("EXPLAIN QUERY PLAN {sql}").leak();
        let values = (1..=9)
            .filter(|number| sql.contains(&format!("${number}")))
            .map(|_| Value::from(""));
        let rows = database.rows(explain, values.collect()).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
        assert!(
            !plan.is_empty() && !plan.iter().any(|step| step.starts_with("SCAN ")),
            "{name}: {plan:#?}"
        );
    }
}
