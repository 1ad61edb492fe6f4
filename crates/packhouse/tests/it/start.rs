//! From nothing to the first answer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::server::{ACCOUNT, Call, Server, packhouse};
use crate::wire::{ask, get};

fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = packhouse()
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(arguments)
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_configuration_with_mistakes_stops_the_start_and_all_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let arguments = [
        "--listen",
        "0.0.0.0:0",
        "--account-id",
        "1",
        "--region",
        "Nowhere!",
        "--log",
        "loud",
    ];
    let said = refused(&data, &arguments);
    for expected in [
        "`listen` (flag --listen)",
        "`account-id` (flag --account-id)",
        "`region` (flag --region)",
        "`log` (flag --log)",
    ] {
        assert!(said.contains(expected), "no {expected} in:\n{said}");
    }
    assert!(!data.exists(), "nothing is made before everything is right");
}

#[test]
fn the_first_start_makes_keys_that_a_restart_keeps() {
    let mut server = Server::start(&[]);
    for file in ["root-credentials", "admin-credentials", "master.key"] {
        let mode = fs::metadata(server.data().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let (root, admin) = (
        server.key("root-credentials"),
        server.key("admin-credentials"),
    );
    let identity = "Action=GetCallerIdentity&Version=2011-06-15";
    for (key, arn) in [
        (&root, format!("arn:aws:iam::{ACCOUNT}:root")),
        (&admin, format!("arn:aws:iam::{ACCOUNT}:user/admin")),
    ] {
        let answer = server.query(key, "sts", identity);
        assert!(
            answer.text().contains(&format!("<Arn>{arn}</Arn>")),
            "{}",
            answer.text()
        );
    }
    let first = fs::read_to_string(server.data().join("admin-credentials")).unwrap();
    server.terminate();
    assert!(server.wait().success());
    server.start_again();
    assert_eq!(
        fs::read_to_string(server.data().join("admin-credentials")).unwrap(),
        first
    );
    assert_eq!(server.query(&admin, "sts", identity).status, 200);
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::start(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = format!("sqlite:{}/db", elsewhere.path().display());
    for arguments in [
        &["--listen", "127.0.0.1:0"][..],
        &["--database", &elsewhere],
    ] {
        let said = refused(&server.data(), arguments);
        assert!(said.contains("in use by another process"), "{said}");
    }
    assert_eq!(get(&server.address, "/readyz", "").status, 200);
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    let mut server = Server::start(&[]);
    server.kill();
    let key = server.data().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(&server.data(), &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("mode 0644"), "{said}");
}

#[test]
fn another_master_key_is_noticed_at_the_start() {
    let mut server = Server::start(&[]);
    server.kill();
    let key = server.data().join("master.key");
    fs::write(&key, "00".repeat(32)).unwrap();
    let said = refused(&server.data(), &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("sealed"), "{said}");
}

#[test]
fn the_account_of_the_configuration_is_that_of_the_first_start_only() {
    let mut server = Server::start(&["--account-id", "222233334444"]);
    server.kill();
    server.start_again_with(&[]);
    assert!(!server.data().join("credentials-111122223333").exists());
    let root = server.key("root-credentials");
    let call = Call {
        method: "POST",
        target: "/packhouse/v1/accounts",
        headers: &[("content-type", "application/json")],
        body: br#"{"accountId":"333344445555"}"#,
    };
    let answer = ask(&server.address, server.signed(&root, "packhouse", call));
    assert_eq!(
        answer.status,
        200,
        "root of the first account runs the installation: {}",
        answer.text()
    );
}

#[test]
fn blobs_that_cannot_be_reached_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--blobs",
        "s3://nowhere/at/all",
        "--blobs-endpoint",
        "http://127.0.0.1:1",
        "--blobs-region",
        "us-east-1",
    ];
    let said = refused(directory.path(), &arguments);
    assert!(said.contains("blobs `s3://nowhere/at/all`"), "{said}");
}

#[test]
fn plain_http_beyond_loopback_has_to_be_wanted() {
    let server = Server::start(&["--insecure-http"]);
    assert_eq!(get(&server.address, "/healthz", "").status, 200);
}
