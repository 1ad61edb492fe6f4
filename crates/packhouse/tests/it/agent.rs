//! Machines from end to end: the commands, and the agent over the wire.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::machine::{Agent, CONSUMER, ROLES, TRUST, said};
use crate::server::{ACCOUNT, Server, packhouse, until};
use crate::tls;
use crate::wire::{ask, get};

#[test]
fn machines_are_made_listed_and_disabled_by_command() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    let (waiting, _) = server.new_machine();
    let output = server.machine_command(&["list"]).output().unwrap();
    let listed = said(&output);
    for (machine, state) in [(&agent.machine, "enrolled"), (&waiting, "waiting")] {
        let line = listed
            .lines()
            .find(|line| line.starts_with(machine.as_str()));
        assert!(line.is_some_and(|line| line.contains(state)), "{listed}");
    }
    let output = server.machine_command(&["disable", &waiting]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let all = server.machine(&["list"]);
    let all = all.as_array().unwrap();
    let disabled = all.iter().find(|it| it["machineId"] == *waiting);
    assert_eq!(disabled.unwrap()["state"], "disabled");
    let output = server.machine_command(&["delete", &waiting]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(!server.machine(&["list"]).to_string().contains(&waiting));
    // What cannot be done is said in the server's words.
    let absent = server
        .machine_command(&["disable", "i-00000000000000000"])
        .output()
        .unwrap();
    assert!(!absent.status.success());
    assert!(
        said(&absent).contains("there is no machine"),
        "{}",
        said(&absent)
    );
    // For people there is a line to type.
    let made = server
        .machine_command(&["create", "--name", "build-02"])
        .output();
    let made = said(&made.unwrap());
    let hint = format!(
        "packhouse agent enroll --server {} --code phe1_",
        server.url()
    );
    assert!(made.contains(&hint), "{made}");
}

#[test]
fn a_machine_is_enrolled_once_and_its_key_stays_with_it() {
    let server = Server::start(&[]);
    let (_, code) = server.new_machine();
    let agent = Agent::new("");
    let output = agent.enroll_with(&server.url(), &code);
    assert!(output.status.success(), "{}", said(&output));
    let identity = agent.state().join("identity.json");
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&agent.state()), mode(&identity)), (0o700, 0o600));
    let kept: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&identity).unwrap()).unwrap();
    let again = agent.enroll_with(&server.url(), &code);
    assert!(!again.status.success() && said(&again).contains("was used already"));
    // A failed enrolment leaves the former one as it was.
    let now: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&identity).unwrap()).unwrap();
    assert_eq!(now, kept);
    // Neither code nor key are in a log or in the database.
    let secrets = [code.as_str(), kept["privateKey"].as_str().unwrap()];
    for file in fs::read_dir(server.data()).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        for secret in secrets {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
    assert!(!secrets.iter().any(|secret| server.log().contains(secret)));
}

#[test]
fn a_server_on_another_machine_needs_tls() {
    let agent = Agent::new("");
    let output = agent.enroll_with("http://192.0.2.1:7070", "phe1_x");
    assert!(!output.status.success());
    assert!(said(&output).contains("not https"), "{}", said(&output));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_trusted_when_it_is_named() {
    let server = tls::start("127.0.0.1:0");
    let (machine, code) = server.new_machine();
    let agent = Agent::new(machine);
    let url = format!("https://{}", server.address);
    let certificate = fs::read(server.data().join("certificate")).unwrap();
    let right = hex::encode(Sha256::digest(certificate));
    let wrong = "00".repeat(32);
    let enroll = |pin: Option<&str>| {
        let mut command = packhouse();
        command.args(["agent", "enroll", "--server", &url, "--code", &code]);
        command.arg("--state").arg(agent.state());
        command.args(pin.map(|pin| format!("--pin={pin}")));
        command.output().unwrap()
    };
    for pin in [None, Some(wrong.as_str())] {
        assert!(!enroll(pin).status.success(), "{pin:?}");
    }
    // Nobody was told the code, so it is still good.
    let output = enroll(Some(&right));
    assert!(output.status.success(), "{}", said(&output));
    // The agent keeps to that certificate.
    let agent = agent.start(&[]);
    until("the agent has heard from its server", || {
        agent.log().contains("no role is attached").then_some(())
    });
}

#[test]
fn the_agent_listens_where_others_are_only_when_told_twice() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = packhouse()
            .args(["agent", "run", "--listen", address, "--state"])
            .arg(agent.state())
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(
            said(&output).contains("--i-understand-everyone-there-gets-this-role"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn a_role_comes_and_goes_while_the_agent_runs() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server).start(&[]);
    assert_eq!(agent.role(), None);
    assert_eq!(
        agent.get("/latest/meta-data/instance-id").text(),
        agent.machine
    );
    server.role("ec2-ca", Some(CONSUMER));
    server.role("other", None);
    let association = server.bind(&agent.machine, "ec2-ca");
    let session = agent.session();
    assert_eq!(session["Code"], "Success");
    assert_eq!(session["Type"], "AWS-HMAC");
    let text = |name: &str| session[name].as_str().unwrap();
    let credentials = aws::sigv4::Credentials {
        access_key_id: text("AccessKeyId").parse().unwrap(),
        secret_access_key: text("SecretAccessKey").into(),
        session_token: Some(text("Token").into()),
    };
    let asked = "Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(server.query(&credentials, "sts", asked).status, 200);
    let records = server.records("&eventName=GetCallerIdentity");
    let context = &records[0]["userIdentity"]["sessionContext"];
    assert_eq!(context["ec2RoleDelivery"], "2.0");
    let other = [
        ("AssociationId", association.as_str()),
        ("IamInstanceProfile.Name", "other"),
    ];
    server.admin("ec2", "ReplaceIamInstanceProfileAssociation", &other);
    // Told to, it asks at once; otherwise it would within seconds.
    agent.signal("-HUP");
    until("the agent has the other role", || {
        (agent.role()? == "other").then_some(())
    });
    assert_ne!(agent.session()["AccessKeyId"], session["AccessKeyId"]);
    server.machine(&["disable", &agent.machine]);
    agent.signal("-HUP");
    until("the agent has nothing", || {
        agent.role().is_none().then_some(())
    });
    until("the agent says why", || {
        agent
            .log()
            .contains("the machine is disabled")
            .then_some(())
    });
}

#[test]
fn what_a_machine_has_outlives_its_server() {
    let mut server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    server.bind(&agent.machine, "ec2-ca");
    let agent = agent.start(&[]);
    let session = agent.session();
    server.kill();
    // It finds out by itself, and says so once.
    until("the agent misses its server", || {
        agent.log().contains("no answer").then_some(())
    });
    assert_eq!(agent.session(), session);
}

#[test]
fn a_role_without_trust_in_machines_is_named_and_refused() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    let people = TRUST.replace(
        r#"{"Service":"ec2.amazonaws.com"}"#,
        &format!(r#"{{"AWS":"{ACCOUNT}"}}"#),
    );
    let update = [("RoleName", "ec2-ca"), ("PolicyDocument", people.as_str())];
    server.admin("iam", "UpdateAssumeRolePolicy", &update);
    server.bind(&agent.machine, "ec2-ca");
    let agent = agent.start(&[]);
    let told = agent.session();
    assert_eq!(told["Code"], "AssumeRoleUnauthorizedAccess");
    let message = told["Message"].as_str().unwrap();
    assert!(message.contains("ec2-ca"), "{message}");
    // A refusal like any other: recorded, and explained by the id that the client was told.
    let id = message.split_once("(decision ").unwrap().1;
    let id = id.trim_end_matches(')');
    assert_eq!(
        server.why(id).lines().next().unwrap(),
        format!(
            "ec2.amazonaws.com asked for sts:AssumeRole on arn:aws:iam::{ACCOUNT}:role/ec2-ca; no trust policy allows it."
        )
    );
    let records = server.records("&errors=true&eventName=GetMachineCredentials");
    assert_eq!(
        records[0]["userIdentity"],
        serde_json::json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"})
    );
    assert_eq!(records[0]["errorCode"], "AccessDenied");
    assert_eq!(records[0]["responseElements"], serde_json::Value::Null);
    let update = [("RoleName", "ec2-ca"), ("PolicyDocument", TRUST)];
    server.admin("iam", "UpdateAssumeRolePolicy", &update);
    until("the role is trusted", || {
        (agent.session()["Code"] == "Success").then_some(())
    });
}

#[test]
fn requests_that_are_not_from_this_machines_clients_get_nothing() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    server.bind(&agent.machine, "ec2-ca");
    let agent = agent.start(&[]);
    let secret = agent.session()["SecretAccessKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let (address, token) = (agent.address(), agent.token());
    let shown = format!("x-aws-ec2-metadata-token: {token}\r\n");
    let path = format!("{ROLES}ec2-ca");
    let raw = |line: &str, headers: &str| {
        let answer = ask(&address, format!("{line} HTTP/1.1\r\n{headers}\r\n"));
        assert!(!answer.text().contains(&secret), "{line} {headers}");
        assert!(answer.header("access-control-allow-origin").is_none());
        answer.status
    };
    let line = format!("GET {path}");
    let ours = format!("host: {address}\r\n");
    let ttl = "x-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
    // A name that was pointed at this machine, with everything else right.
    for host in [
        "evil.example",
        "evil.example:1338",
        "127.0.0.1.evil.example",
    ] {
        let host = format!("host: {host}\r\n");
        assert_eq!(raw(&line, &format!("{host}{shown}")), 403);
        assert_eq!(raw("PUT /latest/api/token", &format!("{host}{ttl}")), 403);
    }
    for foreign in [
        "origin: http://evil.example",
        "x-forwarded-for: 10.0.0.1",
        "via: 1.1 p",
    ] {
        let headers = format!("{ours}{foreign}\r\n");
        assert_eq!(raw(&line, &format!("{headers}{shown}")), 403, "{foreign}");
        assert_eq!(
            raw("PUT /latest/api/token", &format!("{headers}{ttl}")),
            403
        );
    }
    assert_eq!(raw(&line, &ours), 401);
    assert_eq!(
        raw(&line, &format!("{ours}x-aws-ec2-metadata-token: x\r\n")),
        401
    );
    assert_eq!(raw(&format!("OPTIONS {path}"), &ours), 405);
    assert_eq!(
        raw(
            &format!("GET http://evil.example{path}"),
            &format!("{ours}{shown}")
        ),
        403
    );
    assert_eq!(raw("GET /v1/credentials", &ours), 401);
    // The same request without anything foreign is answered.
    let answer = ask(&address, format!("{line} HTTP/1.1\r\n{ours}{shown}\r\n"));
    assert!(answer.text().contains(&secret));
    // Another run of the agent does not know the token of this one.
    drop(agent);
}

#[test]
fn processes_of_other_users_are_refused_when_users_are_named() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    let us = fs::metadata(agent.directory.path()).unwrap();
    let us = std::os::unix::fs::MetadataExt::uid(&us);
    let agent = agent.start(&["--allow-uid", &us.to_string()]);
    assert_eq!(agent.get("/latest/meta-data/instance-id").status, 200);
    // To be somebody else one has to be root.
    if us == 0 {
        let url = format!("http://{}/latest/api/token", agent.address());
        let somebody = Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "curl",
                "-sS",
            ])
            .args(["-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT"])
            .args(["-H", "x-aws-ec2-metadata-token-ttl-seconds: 60", &url])
            .env("NO_PROXY", "127.0.0.1")
            .output();
        if let Ok(output) = somebody {
            assert_eq!(said(&output), "403");
        }
    }
    let other = Agent::enroll(&server).start(&["--allow-uid", &(us + 1).to_string()]);
    let address = other.address();
    assert_eq!(
        get(&address, "/latest/meta-data/instance-id", "").status,
        403
    );
}

#[test]
fn guessing_codes_is_stopped() {
    let server = Server::start(&[]);
    let (_, code) = server.new_machine();
    let body = |code: &str| {
        let key = "A".repeat(43);
        format!(r#"{{"code":"{code}","publicKey":"{key}","server":"http://x"}}"#)
    };
    let post = |body: &str| {
        let request = format!(
            "POST /agent/v1/enroll HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        ask(&server.address, request)
    };
    for guess in 0..20 {
        let answer = post(&body(&format!("phe1_{guess:032x}")));
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    let answer = post(&body(&code));
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn nonsense_at_the_door_of_machines_is_refused() {
    let server = Server::start(&[]);
    let post = |path: &str, body: &str| {
        let request = format!(
            "POST /agent/v1/{path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        ask(&server.address, request)
    };
    let long = format!(r#"{{"code":"{}"}}"#, "x".repeat(20_000));
    for (path, body, status) in [
        ("enroll", "", 400),
        ("enroll", "{}", 400),
        (
            "enroll",
            r#"{"code":"x","publicKey":"x","server":"x"}"#,
            400,
        ),
        ("enroll", long.as_str(), 413),
        ("credentials", "[]", 400),
        ("credentials", r#"{"statement":"","signature":""}"#, 400),
        ("credentials", r#"{"statement":"x","signature":"!"}"#, 400),
        (
            "binding",
            r#"{"statement":"packhouse/agent/1\nbinding\n","signature":""}"#,
            400,
        ),
        ("nothing", "{}", 404),
    ] {
        let answer = post(path, body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        assert!(answer.header("x-amzn-errortype").is_some());
    }
    assert_eq!(
        get(&server.address, "/agent/v1/credentials", "").status,
        404
    );
}
