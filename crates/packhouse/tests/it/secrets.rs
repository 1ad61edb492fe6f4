//! What must not be found in the log, even of a server that logs all it can.

use std::fs;

use crate::server::{Server, basic};
use crate::wire::{ask, get};

#[test]
fn nothing_secret_is_logged_at_any_level() {
    for form in ["text", "json"] {
        let mut server = Server::start(&["--log", form, "--log-level", "trace"]);
        server.make_repository("app");
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
        server.query(&admin, "sts", "Action=GetSessionToken&Version=2011-06-15");
        assert_eq!(server.publish("app", b"bytes-of-an-asset").status, 200);
        assert_eq!(
            ask(&server.address, server.asking_for_asset("app")).status,
            200
        );
        server.terminate();
        assert!(server.wait().success());

        let log = server.log();
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
