//! The commands beside `serve`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::server::{Server, packhouse};
use crate::wire::get;

#[test]
fn env_prints_what_a_shell_evaluates() {
    let server = Server::start(&[]);
    let print = |arguments: &[&str]| {
        let output = packhouse()
            .arg("env")
            .arg("--data")
            .arg(server.data())
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let (admin, root) = (
        server.key("admin-credentials"),
        server.key("root-credentials"),
    );
    let expected = format!(
        "export AWS_ENDPOINT_URL=http://{}\nexport AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\n\
         export AWS_REGION=us-east-1\nexport AWS_DEFAULT_REGION=us-east-1\nunset AWS_SESSION_TOKEN\n",
        server.address,
        admin.access_key_id,
        admin.secret_access_key.expose()
    );
    assert_eq!(print(&[]), expected);
    assert!(print(&["--root"]).contains(root.access_key_id.as_str()));
    let services = print(&["--services"]);
    for service in ["CODEARTIFACT", "IAM", "STS", "EC2"] {
        assert!(services.contains(&format!(
            "export AWS_ENDPOINT_URL_{service}=http://{}\n",
            server.address
        )));
    }
}

#[test]
fn env_refuses_keys_that_others_may_read() {
    let server = Server::start(&[]);
    let file = server.data().join("admin-credentials");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let output = packhouse()
        .arg("env")
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("mode 0640") && said.contains("chmod 0600"),
        "{said}"
    );
}

#[test]
fn config_shows_values_and_where_they_come_from() {
    let output = packhouse()
        .args([
            "config",
            "--region",
            "eu-west-1",
            "--data",
            "/nowhere/at/all",
        ])
        .env("PACKHOUSE_BLOBS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("PACKHOUSE_BLOBS_SECRET_ACCESS_KEY", "hush")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = |name: &str| {
        let line = shown
            .lines()
            .find(|line| line.split(' ').next() == Some(name))
            .unwrap();
        line.split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("region"), "eu-west-1 flag --region");
    assert_eq!(line("listen"), "127.0.0.1:7070 default");
    assert_eq!(line("blobs"), "file:/nowhere/at/all/blobs default");
    assert_eq!(
        line("blobs-access-key-id"),
        "AKIAEXAMPLE environment PACKHOUSE_BLOBS_ACCESS_KEY_ID"
    );
    assert_eq!(
        line("blobs-secret-access-key"),
        "(hidden) environment PACKHOUSE_BLOBS_SECRET_ACCESS_KEY"
    );
    assert!(!shown.contains("hush"));
}

#[test]
fn another_account_is_made_beside_a_running_server() {
    let server = Server::start(&[]);
    let make = || {
        let mut command = packhouse();
        command
            .args([
                "account",
                "create",
                "--account-id",
                "222233334444",
                "--data",
            ])
            .arg(server.data());
        command.output().unwrap()
    };
    let first = make();
    assert!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
    let key = server.key("credentials-222233334444");
    let answer = server.query(&key, "sts", "Action=GetCallerIdentity&Version=2011-06-15");
    assert!(
        answer.text().contains("<Account>222233334444</Account>"),
        "{}",
        answer.text()
    );
    let said = String::from_utf8([first.stdout, first.stderr].concat()).unwrap();
    assert!(!said.contains(key.secret_access_key.expose()));
    assert!(!make().status.success(), "it is made once");
}

#[test]
fn another_account_is_made_for_a_server_that_does_not_run() {
    let mut server = Server::start(&[]);
    server.kill();
    let made = packhouse()
        .args([
            "account",
            "create",
            "--account-id",
            "222233334444",
            "--data",
        ])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    server.start_again();
    let key = server.key("credentials-222233334444");
    assert_eq!(
        server
            .query(&key, "sts", "Action=GetCallerIdentity&Version=2011-06-15")
            .status,
        200
    );
}

#[test]
fn an_account_must_be_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = packhouse()
        .args(["account", "create", "--data"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--account-id")
    );
}

/// The whole way: a policy that means everybody of the organization, and an account that is put into it and taken out.
#[test]
fn a_domain_is_open_to_accounts_of_an_organization() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let run = |arguments: &[&str]| {
        let mut command = packhouse();
        command.arg("account").args(arguments).arg("--data");
        let output = command.arg(server.data()).output().unwrap();
        let said = [&*output.stdout, &*output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (made, said) = run(&["create", "--account-id", "222233334444"]);
    assert!(made, "{said}");
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"codeartifact:GetAuthorizationToken","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-acme000001"}}}}"#;
    let put = serde_json::json!({"domain": "team", "policyDocument": policy}).to_string();
    let answer = server.call("PUT", "/v1/domain/permissions/policy", put.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let key = server.key("credentials-222233334444");
    let status = || {
        let call = crate::server::Call {
            method: "POST",
            target: "/v1/authorization-token?domain=team&domain-owner=111122223333",
            headers: &[],
            body: b"",
        };
        let request = server.signed(&key, "codeartifact", call);
        crate::wire::ask(&server.address, request).status
    };
    assert_eq!(status(), 403);
    let account = ["organization", "--account-id", "222233334444"];
    let put = [&account[..], &["--organization-id", "o-acme000001"]].concat();
    assert_eq!(
        run(&put),
        (true, "account 222233334444 is in o-acme000001\n".to_owned())
    );
    assert_eq!(status(), 200);
    let take = [&account[..], &["--none"]].concat();
    assert_eq!(
        run(&take),
        (
            true,
            "account 222233334444 is in no organization\n".to_owned()
        )
    );
    assert_eq!(status(), 403);
    for (arguments, said) in [
        (&account[..], "--organization-id"),
        (
            &[&put[..3], &["--organization-id", "acme"]].concat()[..],
            "o-",
        ),
        (
            &["organization", "--account-id", "999900001111", "--none"],
            "there is no account `999900001111`",
        ),
    ] {
        let (done, told) = run(arguments);
        assert!(!done && told.contains(said), "{told}");
    }
}

#[test]
fn only_the_first_root_makes_accounts() {
    let server = Server::start(&[]);
    let call = crate::server::Call {
        method: "POST",
        target: "/packhouse/v1/accounts",
        headers: &[],
        body: br#"{"accountId":"222233334444"}"#,
    };
    let answer = crate::wire::ask(
        &server.address,
        server.signed(&server.key("admin-credentials"), "packhouse", call),
    );
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (403, Some("AccessDeniedException"))
    );
}

#[test]
fn healthcheck_asks_the_running_server() {
    let mut server = Server::start(&[]);
    let check = |data| {
        packhouse()
            .arg("healthcheck")
            .arg("--data")
            .arg(data)
            .output()
            .unwrap()
    };
    assert!(check(server.data()).status.success());
    assert_eq!(get(&server.address, "/readyz", "").text(), "ready\n");
    assert!(
        get(&server.address, "/metrics", "")
            .text()
            .contains("packhouse_requests_total{face=\"other\",status=\"2xx\"}")
    );
    server.kill();
    assert!(!check(server.data()).status.success());
}
