//! What must not be found in the log, even of a server that logs all it can.

use std::fs;

use crate::server::{Server, basic};
use crate::wire::{ask, get};

#[test]
fn nothing_secret_is_logged_at_any_level() {
    for form in ["text", "json"] {
        let upstream = "public:maven-central=http://registry:in-the-address@127.0.0.1:9/";
        let logging = ["--log", form, "--log-level", "trace"];
        let mut server = Server::start(&[&logging[..], &["--upstream", upstream]].concat());
        server.make_repository("app");
        let connected = server.call(
            "POST",
            "/v1/repository/external-connection?domain=team&external-connection=public:maven-central&repository=app",
            b"",
        );
        assert_eq!(connected.status, 200, "{}", connected.text());
        let (root, admin) = (
            server.key("root-credentials"),
            server.key("admin-credentials"),
        );
        let token = server.token();
        let path = "/d/team-111122223333/maven/app/com/example/a/1.0/a-1.0.jar";
        get(&server.address, path, &basic(&token));
        get(
            &server.address,
            path,
            &format!("authorization: Bearer {token}\r\n"),
        );
        get(
            &server.address,
            path,
            "authorization: Bearer phk1_not-a-good-one\r\n",
        );
        get(
            &server.address,
            &format!("{path}?token=in-the-query"),
            &basic(&token),
        );
        server.query(&root, "sts", "Action=GetCallerIdentity&Version=2011-06-15");
        let session = server.query(&admin, "sts", "Action=GetSessionToken&Version=2011-06-15");
        let session = session.credentials();
        let key = server.user("somebody", None);
        let machine = server.own(&admin, "POST", "/packhouse/v1/machines", r#"{"name":"m"}"#);
        let code = machine.json()["enrollmentCode"]
            .as_str()
            .unwrap()
            .to_owned();
        let webhook = r#"{"url":"https://hooks.example/?in-the-hook"}"#;
        let webhook = server.own(&admin, "POST", "/packhouse/v1/webhooks", webhook);
        let secret = webhook.json()["secret"].as_str().unwrap().to_owned();
        assert_eq!(server.publish("app", b"bytes-of-an-asset").status, 200);
        assert_eq!(
            ask(&server.address, server.asking_for_asset("app")).status,
            200
        );
        server.terminate();
        assert!(server.wait().success());

        let log = server.log() + &server.audit_files();
        assert!(log.contains("answered"));
        let encoded = basic(&token);
        let encoded = encoded
            .trim_start_matches("authorization: Basic ")
            .trim_end();
        let master = fs::read_to_string(server.data().join("master.key")).unwrap();
        for (what, secret) in [
            (
                "the root's secret",
                root.secret_access_key.expose().as_str(),
            ),
            (
                "the administrator's secret",
                admin.secret_access_key.expose(),
            ),
            ("a session's secret", session.secret_access_key.expose()),
            (
                "a session's token",
                session.session_token.as_ref().unwrap().expose(),
            ),
            ("a user's secret", key.secret_access_key.expose()),
            ("an enrolment code", &code),
            ("the secret of a webhook", &secret),
            ("the query of a webhook", "in-the-hook"),
            ("the password of a registry", "in-the-address"),
            ("the master key", master.trim()),
            ("a token", &token),
            ("a token in Basic", encoded),
            ("a token that was refused", "phk1_not-a-good-one"),
            ("a query string", "in-the-query"),
            ("a signature", "Signature="),
            ("an asset", "bytes-of-an-asset"),
        ] {
            let line = log.lines().find(|line| line.contains(secret));
            assert!(
                line.is_none(),
                "{what} is in the log: {}",
                line.unwrap_or_default()
            );
        }
    }
}
