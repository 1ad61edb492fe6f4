//! What is written down of requests, who may read it, and why somebody was refused.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use aws::SecretString;
use aws::percent::encode;
use aws::sigv4::Credentials;
use serde_json::{Value, json};

use crate::described;
use crate::server::{Call, Server, basic, packhouse, until};
use crate::wire::{Answer, Wire, get};

const JAR: &str = "/d/team-111122223333/maven/app/com/example/a/1.0/a-1.0.jar";

impl Server {
    /// One of our own operations.
    pub(crate) fn own(&self, key: &Credentials, method: &str, target: &str, body: &str) -> Answer {
        let call = Call {
            method,
            target,
            headers: &[],
            body: body.as_bytes(),
        };
        let mut wire = Wire::open(&self.address);
        wire.send(self.signed(key, "packhouse", call));
        let answer = wire.answer();
        described::check(method, target, &answer);
        answer
    }

    /// Records, newest first.
    pub(crate) fn records(&self, filter: &str) -> Vec<Value> {
        let target = format!("/packhouse/v1/audit/events?maxResults=1000{filter}");
        let answer = self.own(&self.key("admin-credentials"), "GET", &target, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["events"].as_array().unwrap().clone()
    }

    fn describe_domain(&self, key: &Credentials) -> Answer {
        let call = Call {
            method: "GET",
            target: "/v1/domain?domain=team",
            headers: &[],
            body: b"",
        };
        let mut wire = Wire::open(&self.address);
        wire.send(self.signed(key, "codeartifact", call));
        wire.answer()
    }

    /// What `packhouse why` says of a refusal.
    pub(crate) fn why(&self, id: &str) -> String {
        let mut command = packhouse();
        command.args(["why", id, "--data"]).arg(self.data());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// Everything in the files of the audit log.
    pub(crate) fn audit_files(&self) -> String {
        let files = fs::read_dir(self.data().join("audit")).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        texts.collect()
    }
}

/// A policy that allows or denies these actions on everything.
fn policy(effect: &str, actions: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "This", "Effect": effect, "Action": actions, "Resource": "*"}]
    })
    .to_string()
}

fn named<'a>(records: &'a [Value], event: &str) -> Vec<&'a Value> {
    let found = records.iter().filter(|record| record["eventName"] == event);
    found.collect()
}

#[test]
fn every_call_is_recorded_with_who_asked_for_what() {
    let server = Server::start(&[]);
    server.make_repository("app");
    server.token();
    let records = server.records("");
    let created = named(&records, "CreateRepository")[0];
    assert_eq!(
        created["requestParameters"],
        json!({"domainName": "team", "repositoryName": "app"})
    );
    assert_eq!(created["responseElements"]["repository"]["name"], "app");
    assert_eq!(
        created["userIdentity"]["arn"],
        "arn:aws:iam::111122223333:user/admin"
    );
    assert_eq!(created["readOnly"], false);
    let token = named(&records, "GetAuthorizationToken")[0];
    assert_eq!(
        token["responseElements"],
        json!({"sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS"})
    );
    assert_eq!(token["readOnly"], false);
    // Looking them up is recorded, too.
    assert_eq!(named(&server.records(""), "LookupEvents").len(), 1);
    let lines = server.audit_files();
    assert_eq!(
        lines
            .lines()
            .filter(|line| line.contains("\"eventName\":\"CreateRepository\""))
            .count(),
        1
    );
}

#[test]
fn a_download_is_traced_to_the_call_that_made_its_token() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let token = server.token();
    assert_eq!(get(&server.address, JAR, &basic(&token)).status, 404);
    let upload = format!(
        "PUT {JAR} HTTP/1.1\r\nhost: {}\r\nuser-agent: Apache-Maven/3.9\r\n{}content-length: 3\r\n\r\njar",
        server.address,
        basic(&token)
    );
    let answer = crate::wire::ask(&server.address, upload);
    assert!(matches!(answer.status, 200..=201), "{}", answer.text());
    let records = until("the upload is recorded", || {
        let records = server.records("");
        (named(&records, "PublishPackageVersion").len() == 1).then_some(records)
    });
    let made = named(&records, "GetAuthorizationToken")[0];
    let bearer = &made["additionalEventData"]["bearerTokenId"];
    assert!(bearer.as_str().unwrap().starts_with("ABIA"));
    let upload = named(&records, "PublishPackageVersion")[0];
    assert_eq!(&upload["userIdentity"]["accessKeyId"], bearer);
    assert_eq!(
        upload["requestParameters"],
        json!({
            "domainName": "team", "domainOwner": "111122223333", "repositoryName": "app", "packageFormat": "maven",
            "packageNamespace": "com.example", "packageName": "a", "packageVersion": "1.0"
        })
    );
    assert_eq!(upload["userAgent"], "Apache-Maven/3.9");
    assert_eq!(upload["additionalEventData"]["httpMethod"], "PUT");
    assert_eq!(upload["additionalEventData"]["requestUri"], JAR);
    let missing = named(&records, "ReadFromRepository")[0];
    assert_eq!(
        (
            &missing["userIdentity"]["accessKeyId"],
            &missing["errorCode"]
        ),
        (bearer, &json!("ResourceNotFoundException"))
    );
}

/// A role that denies, one that does not trust, and none at all: from another account they are one.
#[test]
fn nobody_learns_of_a_role_of_another_account_why_it_says_no() {
    let server = Server::start(&[]);
    let root = server.key("root-credentials");
    let account = r#"{"accountId":"222233334444"}"#;
    let made = server.own(&root, "POST", "/packhouse/v1/accounts", account);
    let key = &made.json()["admin"];
    let stranger = Credentials {
        access_key_id: key["accessKeyId"].as_str().unwrap().parse().unwrap(),
        secret_access_key: key["secretAccessKey"].as_str().unwrap().into(),
        session_token: None,
    };
    let statement = |effect: &str, account: &str| json!({"Sid": effect, "Effect": effect, "Principal": {"AWS": account}, "Action": "sts:AssumeRole"});
    let them = "222233334444";
    for (role, statements) in [
        (
            "denies",
            json!([statement("Allow", them), statement("Deny", them)]),
        ),
        ("distrusts", json!([statement("Allow", "111122223333")])),
    ] {
        let trust = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let role = [("RoleName", role), ("AssumeRolePolicyDocument", &trust)];
        server.admin("iam", "CreateRole", &role);
    }
    let mut seen = Vec::new();
    let mut ids = Vec::new();
    for role in ["denies", "distrusts", "absent"] {
        let arn = format!("arn:aws:iam::111122223333:role/{role}");
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=s1&RoleArn={}",
            encode(&arn)
        );
        let answer = server.query(&stranger, "sts", &form);
        assert_eq!(answer.status, 403, "{}", answer.text());
        let id = answer.header("x-packhouse-decision").unwrap().to_owned();
        let target = format!("/packhouse/v1/decisions/{id}");
        let told = server.own(&stranger, "GET", &target, "").json();
        let told = ["reason", "statements", "explanation"].map(|name| told[name].to_string());
        seen.push(told.map(|text| text.replace(role, "ROLE")));
        ids.push(id);
    }
    assert!(seen[0][2].ends_with("no trust policy allows it.\""));
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    let target = "/packhouse/v1/audit/events?eventName=AssumeRole";
    let records = server.own(&stranger, "GET", target, "").json();
    let records = records["events"].as_array().unwrap();
    assert_eq!(records.len(), 3);
    for record in records {
        let data = &record["additionalEventData"];
        assert_eq!(data["decision"], "implicit-trust");
        assert!(data.get("policies").is_none());
    }
    // Whose role it is sees all of it.
    assert!(
        server
            .why(&ids[0])
            .contains("`Deny` of the role's trust policy denies it.")
    );
}

#[test]
fn a_refusal_names_its_decision_and_the_decision_explains_it() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let nobody = server.user("nobody", None);
    let answer = server.describe_domain(&nobody);
    assert_eq!(answer.status, 403);
    let id = answer.header("x-packhouse-decision").unwrap().to_owned();
    assert_eq!(answer.json()["decisionId"], id.as_str());
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.ends_with(
            "because no identity-based policy allows the codeartifact:DescribeDomain action"
        ),
        "{message}"
    );
    let request = answer.header("x-amzn-requestid").unwrap().to_owned();
    for asked in [&id, &request] {
        let said = server.why(asked);
        assert!(
            said.starts_with(
                "arn:aws:iam::111122223333:user/nobody asked for codeartifact:DescribeDomain on \
                 arn:aws:codeartifact:us-east-1:111122223333:domain/team; no identity-based policy allows it.\n"
            ),
            "{said}"
        );
        assert!(said.contains(&id) && said.contains(&request), "{said}");
    }
    let newest = packhouse()
        .args(["why", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(String::from_utf8(newest.stdout).unwrap().contains(&id));
    let unknown = packhouse()
        .args(["why", "nothing", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(!unknown.status.success());
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(said.contains("there is no decision `nothing`"), "{said}");

    let refused = server.records("&errors=true&eventName=DescribeDomain");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["errorCode"], "AccessDenied");
    assert_eq!(refused[0]["additionalEventData"]["decisionId"], id.as_str());
    assert_eq!(refused[0]["requestID"], request.as_str());
}

#[test]
fn every_dialect_names_the_decision() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let deny = policy("Deny", &["codeartifact:ReadFromRepository", "iam:*"]);
    let allow = policy(
        "Allow",
        &[
            "codeartifact:GetAuthorizationToken",
            "sts:GetServiceBearerToken",
        ],
    );
    let reader = server.user("reader", Some(&allow));
    let admin = server.key("admin-credentials");
    let form = format!(
        "Action=PutUserPolicy&Version=2010-05-08&UserName=reader&PolicyName=not&PolicyDocument={}",
        encode(&deny)
    );
    assert_eq!(server.query(&admin, "iam", &form).status, 200);

    let answer = server.query(&reader, "iam", "Action=ListUsers&Version=2010-05-08");
    let id = answer.header("x-packhouse-decision").unwrap();
    let text = answer.text();
    assert!(
        text.contains(&format!(
            "with an explicit deny in an identity-based policy</Message><DecisionId>{id}</DecisionId>"
        )),
        "{text}"
    );

    let call = Call {
        method: "POST",
        target: "/v1/authorization-token?domain=team",
        headers: &[],
        body: b"",
    };
    let mut wire = Wire::open(&server.address);
    wire.send(server.signed(&reader, "codeartifact", call));
    let token = wire.answer().json()["authorizationToken"].clone();
    let mut wire = Wire::open(&server.address);
    wire.send(format!(
        "GET {JAR} HTTP/1.1\r\nhost: {}\r\n{}\r\n",
        server.address,
        basic(token.as_str().unwrap())
    ));
    let (line, answer) = wire.answer_with_line();
    let id = answer.header("x-packhouse-decision").unwrap();
    // All that Maven, pip and NuGet show.
    assert_eq!(line, format!("HTTP/1.1 403 Forbidden, decision {id}"));
    assert_eq!(answer.json()["decisionId"], id);
    let explained = server.own(&admin, "GET", &format!("/packhouse/v1/decisions/{id}"), "");
    let explained = explained.json();
    assert_eq!(
        explained["statements"],
        json!([{"policyType": "identity", "policy": "not", "sid": "This", "index": 0}])
    );
    assert_eq!(explained["reason"], "explicit-identity");
}

#[test]
fn strangers_are_recorded_without_what_they_sent() {
    let server = Server::start(&[]);
    let mut wrong = server.key("admin-credentials");
    wrong.secret_access_key = SecretString::from("wrongwrongwrongwrongwrongwrongwrongwrong");
    assert_eq!(server.describe_domain(&wrong).status, 403);
    let token = "authorization: Bearer phk1_not-a-good-one\r\n";
    assert_eq!(get(&server.address, JAR, token).status, 401);
    // The first half of what package managers do is no refusal of anybody.
    assert_eq!(get(&server.address, JAR, "").status, 401);
    let records = server.records("&errors=true");
    let shown: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["eventType"].as_str().unwrap(),
                record["additionalEventData"]["reason"].as_str().unwrap(),
                record["userIdentity"]["accessKeyId"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("AwsAuthFailure", "TokenInvalid", None),
            (
                "AwsAuthFailure",
                "SignatureDoesNotMatch",
                Some(wrong.access_key_id.as_str())
            )
        ]
    );
    let files = server.audit_files();
    assert!(!files.contains("not-a-good-one") && !files.contains("Signature="));
}

#[test]
fn nothing_secret_is_in_the_audit_log() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let user = server.user("ci", Some(&policy("Allow", &["*"])));
    let session = server.query(
        &user,
        "sts",
        "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900",
    );
    let session = session.text();
    let element = |name: &str| {
        let (_, rest) = session.split_once(&format!("<{name}>")).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let token = server.token();
    get(&server.address, JAR, &basic(&token));
    get(
        &server.address,
        &format!("{JAR}/{token}?x={token}"),
        &basic(&token),
    );
    let admin = server.key("admin-credentials");
    let made = server.own(
        &admin,
        "POST",
        "/packhouse/v1/webhooks",
        r#"{"url":"https://receiver.example/"}"#,
    );
    let root = server.key("root-credentials");
    let account = server.own(
        &root,
        "POST",
        "/packhouse/v1/accounts",
        r#"{"accountId":"222233334444"}"#,
    );
    let machine = server.own(&admin, "POST", "/packhouse/v1/machines", r#"{"name":"m"}"#);
    let account = account.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let secrets = [
        user.secret_access_key.expose().clone(),
        element("SecretAccessKey"),
        element("SessionToken"),
        token,
        text(&made.json()["secret"]),
        text(&account["root"]["secretAccessKey"]),
        text(&account["admin"]["secretAccessKey"]),
        text(&machine.json()["enrollmentCode"]),
    ];
    let records = Value::from(server.records("")).to_string();
    let files = server.audit_files();
    for event in [
        "CreateAccessKey",
        "GetSessionToken",
        "CreateWebhook",
        "MakeAccount",
        "CreateMachine",
    ] {
        assert!(records.contains(event), "{event}");
    }
    for secret in secrets {
        assert!(!records.contains(&secret), "{secret}");
        assert!(!files.contains(&secret), "{secret}");
    }
    assert!(
        records.contains(user.access_key_id.as_str()),
        "ids are no secrets"
    );
    assert!(records.contains("\\\"Effect\\\""), "policies are written");
}

#[test]
fn who_may_look_is_decided_by_policies() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let nobody = server.user("nobody", None);
    let auditor = server.user(
        "auditor",
        Some(&policy("Allow", &["packhouse:LookupEvents"])),
    );
    let events = "/packhouse/v1/audit/events";
    let refused = server.own(&nobody, "GET", events, "");
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json()["message"],
        "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: packhouse:LookupEvents on resource: \
         * because no identity-based policy allows the packhouse:LookupEvents action"
    );
    assert_eq!(server.own(&auditor, "GET", events, "").status, 200);
    assert_eq!(
        server
            .own(&auditor, "GET", "/packhouse/v1/webhooks", "")
            .status,
        403
    );
}

#[test]
fn lookups_are_filtered_and_paged() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let nobody = server.user("nobody", None);
    server.describe_domain(&nobody);
    let principal = encode("arn:aws:iam::111122223333:user/nobody");
    assert_eq!(server.records(&format!("&principal={principal}")).len(), 1);
    let resource = encode("arn:aws:codeartifact:us-east-1:111122223333:domain/*");
    assert_eq!(server.records(&format!("&resource={resource}")).len(), 2);
    assert_eq!(server.records("&startTime=2200-01-01T00:00:00Z").len(), 0);
    assert_eq!(server.records("&endTime=1700000000").len(), 0);
    let admin = server.key("admin-credentials");
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let target = format!(
            "/packhouse/v1/audit/events?endTime=2200-01-01T00:00:00Z&errors=true&maxResults=1{token}"
        );
        let answer = server.own(&admin, "GET", &target, "").json();
        names.extend(answer["events"].as_array().unwrap().iter().cloned());
        match answer["nextToken"].as_str() {
            Some(next) => token = format!("&nextToken={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 1);
    for wrong in [
        "errors=maybe",
        "startTime=yesterday",
        "maxResults=0",
        "nextToken=mine",
    ] {
        let target = format!("/packhouse/v1/audit/events?{wrong}");
        let answer = server.own(&admin, "GET", &target, "");
        assert_eq!(
            (answer.status, answer.header("x-amzn-errortype")),
            (400, Some("ValidationException")),
            "{wrong}"
        );
    }
}

#[test]
fn an_event_reaches_a_webhook() {
    let server = Server::start(&["--webhook-private-addresses"]);
    server.make_repository("app");
    let (url, arrivals) = receiver();
    let admin = server.key("admin-credentials");
    let body = json!({"url": url, "filter": {"formats": ["generic"]}}).to_string();
    let made = server.own(&admin, "POST", "/packhouse/v1/webhooks", &body);
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    let secret = SecretString::from(made["secret"].as_str().unwrap());
    let id = made["webhook"]["id"].as_str().unwrap();
    assert_eq!(server.publish("app", b"bytes").status, 200);
    let (signature, body) = arrivals
        .recv_timeout(std::time::Duration::from_secs(30))
        .unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["detail"]["packageName"], "thing");
    assert_eq!(event["detail"]["operationType"], "Created");
    let seconds = signature
        .split_once("t=")
        .and_then(|(_, rest)| rest.split(',').next())
        .unwrap();
    let sent = aws::Timestamp::from_seconds(seconds.parse().unwrap());
    assert_eq!(signature, audit::sign(&secret, sent, &body).to_string());

    let path = format!("/packhouse/v1/webhooks/{id}");
    let shown = until("the delivery is written down", || {
        let shown = server.own(&admin, "GET", &path, "").json();
        shown["webhook"]["lastDelivered"]
            .is_string()
            .then_some(shown)
    });
    assert_eq!(shown["secret"], Value::Null);
    let replayed = server.own(
        &admin,
        "POST",
        &format!("{path}/replay"),
        r#"{"startTime":"2020-01-01T00:00:00Z"}"#,
    );
    assert_eq!(replayed.json(), json!({"events": 1}));
    let (_, again) = arrivals
        .recv_timeout(std::time::Duration::from_secs(30))
        .unwrap();
    assert_eq!(again, body);
    assert_eq!(server.own(&admin, "DELETE", &path, "").status, 200);
    assert_eq!(server.own(&admin, "GET", &path, "").status, 404);
}

/// A receiver that says 200 to everything; signature and body of what arrives.
fn receiver() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (arrived, arrivals) = mpsc::channel();
    // Ends with the test, when nobody listens to it any more.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut signature, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap() == 0 {
                    return;
                }
                match line.trim_end().split_once(": ") {
                    Some(("x-packhouse-signature", value)) => value.clone_into(&mut signature),
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    None if line.trim_end().is_empty() => break,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.get_mut().write_all(answer).unwrap();
            if arrived.send((signature, body)).is_err() {
                return;
            }
        }
    });
    (url, arrivals)
}

/// What ended without a last word is in the log of the process that follows it.
#[test]
fn records_outlive_the_process() {
    let mut server = Server::start(&[]);
    server.make_repository("app");
    server.terminate();
    assert!(server.wait().success());
    let lines = server.audit_files();
    assert_eq!(lines.lines().count(), 2);
    server.start_again();
    let records = server.records("");
    assert_eq!(named(&records, "CreateRepository").len(), 1);
    assert_eq!(named(&records, "CreateDomain").len(), 1);
}

#[test]
fn standard_output_gets_the_lines_of_the_file_if_that_is_wanted() {
    for (arguments, wanted) in [(&["--audit-stdout"][..], true), (&[], false)] {
        let mut server = Server::start(arguments);
        server.make_repository("app");
        server.terminate();
        assert!(server.wait().success());
        let filed = server.audit_files();
        assert!(
            filed.contains("\"eventName\":\"CreateRepository\""),
            "{filed}"
        );
        assert_eq!(server.out(), if wanted { filed } else { String::new() });
    }
}
