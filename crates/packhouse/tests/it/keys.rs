//! `packhouse key` and `packhouse session`, against a server that runs or was stopped.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use aws::sigv4::Credentials;

use crate::server::{ACCOUNT, Server, basic, packhouse, until};
use crate::wire::get;

impl Server {
    /// `packhouse key …` or another command on this server's directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = packhouse();
        command.args(arguments).arg("--data").arg(self.data());
        command
    }

    pub(crate) fn run_well(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn run_badly(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        said(&output)
    }

    /// Whether a key signs.
    pub(crate) fn knows(&self, key: &Credentials) -> bool {
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        let answer = self.query(key, "sts", form);
        assert!(matches!(answer.status, 200 | 403), "{}", answer.text());
        answer.status == 200
    }

    /// The status of a package request with this token: 404 when it is good, for there is no such package.
    pub(crate) fn status_with(&self, token: &str) -> u16 {
        let path = format!("/d/team-{ACCOUNT}/maven/app/com/example/a/1.0/a-1.0.jar");
        get(&self.address, &path, &basic(token)).status
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ready() -> (Server, String) {
    let server = Server::start(&[]);
    server.make_repository("app");
    let token = server.token();
    assert_eq!(server.status_with(&token), 404);
    (server, token)
}

#[test]
fn keys_rotate_while_the_server_serves_and_a_restart_reads_everything() {
    let (mut server, token) = ready();
    let (old_root, old_admin) = (
        server.key("root-credentials"),
        server.key("admin-credentials"),
    );
    let file = server.data().join("master.key");
    let first = fs::read_to_string(&file).unwrap();

    let shown = server.run_well(&["key", "rotate"]);
    assert_eq!(shown.matches(" pending ").count(), 2, "{shown}");
    assert_eq!(shown.matches(" active ").count(), 2, "{shown}");
    assert!(shown.contains("the master key was changed"), "{shown}");
    let second = fs::read_to_string(&file).unwrap();
    assert!(
        second.ends_with(&format!("\n{first}")),
        "the one before is the second line"
    );
    assert_eq!(second.lines().count(), 2);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(server.knows(&old_root) && server.knows(&old_admin));
    assert_eq!(server.status_with(&token), 404, "old tokens stay good");

    let shown = server.run_well(&["key", "rotate", "admin", "root"]);
    let (root, admin) = (
        server.key("root-credentials"),
        server.key("admin-credentials"),
    );
    assert!(shown.contains(admin.access_key_id.as_str()), "{shown}");
    assert!(!shown.contains(admin.secret_access_key.expose().as_str()));
    assert!(server.knows(&root) && server.knows(&admin));
    assert!(!server.knows(&old_root) && !server.knows(&old_admin));
    assert_eq!(server.status_with(&token), 401, "issued from the old key");

    server.kill();
    server.start_again();
    assert!(server.knows(&root) && server.knows(&admin));
    assert_eq!(server.status_with(&server.token()), 404);
    let log = server.log();
    for secret in second.lines() {
        assert!(!log.contains(secret));
    }
}

#[test]
fn a_change_of_the_master_key_that_was_killed_is_gone_on_with_at_the_start() {
    let (mut server, _) = ready();
    let admin = server.key("admin-credentials");
    server.kill();
    // Stored, and nothing wrapped yet.
    let file = server.data().join("master.key");
    let first = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\n{first}", "5a".repeat(32))).unwrap();
    server.start_again();
    assert!(server.knows(&admin));
    server.kill();
    // All is wrapped by the new one now.
    fs::write(&file, "5a".repeat(32)).unwrap();
    server.start_again();
    assert!(server.knows(&admin));
}

#[test]
fn the_master_key_may_come_from_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    let script = directory.path().join("print");
    fs::write(&file, "6b".repeat(32)).unwrap();
    fs::write(&script, format!("#!/bin/sh\ncat {}\n", file.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let command = script.display().to_string();
    let mut server = Server::start(&["--master-key-command", &command]);
    assert!(!server.data().join("master.key").exists());
    let admin = server.key("admin-credentials");
    assert!(server.knows(&admin));
    // Nobody but the command knows how to make another one.
    let refused = server.run_badly(&["key", "rotate", "master"]);
    assert!(refused.contains("the server's log says why"), "{refused}");
    until("the log says why", || {
        let says = server.log().contains("still prints the key that is in use");
        says.then_some(())
    });
    let both = format!("{}\n{}\n", "7c".repeat(32), "6b".repeat(32));
    fs::write(&file, both).unwrap();
    server.run_well(&["key", "rotate", "master"]);
    assert!(server.knows(&admin));
    server.kill();
    fs::write(&file, "7c".repeat(32)).unwrap();
    server.start_again();
    assert!(server.knows(&admin));
    server.kill();
    for (prints, expected) in [
        ("8d".repeat(32), "which is not the one given"),
        (
            "nonsense".to_owned(),
            "did not print a line of 64 hex digits",
        ),
    ] {
        fs::write(&file, prints).unwrap();
        let refused = server.run_badly(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--master-key-command",
            &command,
        ]);
        assert!(refused.contains(expected), "{refused}");
    }
    assert!(!server.log().contains(&"7c".repeat(32)));
}

#[test]
fn a_dropped_signing_key_takes_its_tokens_with_it() {
    let (server, token) = ready();
    let keys: serde_json::Value =
        serde_json::from_str(&server.run_well(&["key", "list", "--json"])).unwrap();
    let keys = keys["keys"].as_array().unwrap();
    let bearer = keys.iter().find(|key| key["purpose"] == "bearer").unwrap();
    let shown = server.run_well(&["key", "drop", &bearer["number"].to_string()]);
    assert_eq!(shown.matches(" active ").count(), 2, "{shown}");
    assert_eq!(server.status_with(&token), 401);
    assert_eq!(server.status_with(&server.token()), 404);
    let refused = server.run_badly(&["key", "drop", "999"]);
    assert!(
        refused.contains("there is no signing key `999`"),
        "{refused}"
    );
}

#[test]
fn lost_keys_are_replaced_from_the_host() {
    let (mut server, token) = ready();
    let (root, admin) = (
        server.key("root-credentials"),
        server.key("admin-credentials"),
    );
    for file in ["root-credentials", "admin-credentials"] {
        fs::remove_file(server.data().join(file)).unwrap();
    }
    let refused = server.run_badly(&["key", "reset"]);
    assert!(refused.contains("stop the server first"), "{refused}");
    server.terminate();
    server.wait();
    let shown = server.run_well(&["key", "reset"]);
    assert!(shown.contains("root-credentials") && shown.contains("admin-credentials"));
    // Nothing is lost that the master key opens.
    let refused = server.run_badly(&["key", "reset", "--i-lost-the-key"]);
    assert!(refused.contains("it opens this database"), "{refused}");
    let refused = server.run_badly(&["key", "reset", "--account-id", "222233334444"]);
    assert!(
        refused.contains("there is no account `222233334444`"),
        "{refused}"
    );
    server.start_again();
    assert!(!server.knows(&root) && !server.knows(&admin));
    assert_eq!(server.status_with(&token), 401);
    let (root, admin) = (
        server.key("root-credentials"),
        server.key("admin-credentials"),
    );
    assert!(server.knows(&root) && server.knows(&admin));
    assert_eq!(server.status_with(&server.token()), 404);
    let target = "/packhouse/v1/audit/events?eventName=ResetKeys";
    let events = server.own(&server.key("admin-credentials"), "GET", target, "");
    let events = events.json()["events"].as_array().unwrap().clone();
    let whose: Vec<_> = events
        .iter()
        .map(|event| event["requestParameters"]["whose"].as_str().unwrap())
        .collect();
    assert_eq!(whose, ["admin", "root"], "{events:?}");
}

#[test]
fn a_lost_master_key_costs_all_keys_and_nothing_else() {
    let (mut server, token) = ready();
    let admin = server.key("admin-credentials");
    server.terminate();
    server.wait();
    let file = server.data().join("master.key");
    fs::remove_file(&file).unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["key", "reset"]] {
        let refused = server.run_badly(arguments);
        assert!(
            refused.contains("is not there, and this database was sealed"),
            "{refused}"
        );
        assert!(!file.exists(), "no other is made in its place");
    }
    server.run_well(&["key", "reset", "--i-lost-the-key"]);
    server.start_again();
    assert!(!server.knows(&admin));
    assert_eq!(server.status_with(&token), 401);
    assert_eq!(
        server.status_with(&server.token()),
        404,
        "the packages are there"
    );
}

#[test]
fn sessions_and_tokens_are_revoked_from_the_command_line() {
    let (server, first) = ready();
    let second = server.token();
    let mut command = server.command(&["session", "revoke", "--token"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(first.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("ABIA"), "{shown}");
    assert_eq!(
        (server.status_with(&first), server.status_with(&second)),
        (401, 404)
    );

    let shown = server.run_well(&["session", "revoke", "--user", "admin"]);
    assert!(
        shown.contains("user/admin: what was issued until "),
        "{shown}"
    );
    assert_eq!(server.status_with(&second), 401);
    assert!(server.knows(&server.key("admin-credentials")));
    let refused = server.run_badly(&["session", "revoke", "--role", "nobody"]);
    assert!(
        refused.contains("there is no role `nobody` in this account"),
        "{refused}"
    );
    for arguments in [
        &["session", "revoke"][..],
        &["session", "revoke", "--user", "a", "--role", "b"],
    ] {
        assert!(server.run_badly(arguments).contains("Usage"));
    }
    // What was done is recorded, the token is not.
    let target = "/packhouse/v1/audit/events?eventName=RevokeSessions";
    let events = server
        .own(&server.key("admin-credentials"), "GET", target, "")
        .text()
        .to_owned();
    assert!(events.contains("\"userName\":\"admin\""), "{events}");
    assert!(events.contains("\"id\":\"ABIA"), "{events}");
    assert!(!events.contains(&first[..40]));
}
