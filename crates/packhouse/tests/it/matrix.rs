//! Everything that can be asked, by everybody who could ask: each route and operation that `packhouse operations` lists, as
//! nobody, with a token, with what has expired or was revoked, from another account, without a policy, and with the right
//! one.
//!
//! `matrix.txt` says what is sent; an operation that is not in it fails the test, so that nobody adds one without saying
//! who may call it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws::percent::encode;
use aws::sigv4::Credentials;
use serde::Serialize;
use serde_json::json;

use crate::server::{ACCOUNT, Call, Server, basic, packhouse};
use crate::wire::{Answer, ask};

const OTHER: &str = "222233334444";

/// What has a life of at most twelve hours is over after so long.
const LATER: Duration = Duration::from_hours(13);

/// A line of `matrix.txt`.
struct Row {
    service: &'static str,
    name: &'static str,
    who: Vec<&'static str>,
    method: &'static str,
    target: String,
    body: &'static str,
}

impl Row {
    fn is(&self, word: &str) -> bool {
        self.who.contains(&word)
    }

    fn call(&self) -> Call<'_> {
        Call {
            method: self.method,
            target: &self.target,
            headers: match self.service {
                "iam" | "sts" | "ec2" => &[("content-type", "application/x-www-form-urlencoded")],
                _ if self.name == "PublishPackageVersion" => &[(
                    "x-amz-content-sha256",
                    "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9",
                )],
                _ => &[],
            },
            body: self.body.as_bytes(),
        }
    }
}

fn rows() -> Vec<Row> {
    let lines = include_str!("matrix.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.splitn(4, ' ');
            let mut word = || words.next().unwrap_or_default();
            let (service, name, who, request) = (word(), word(), word(), word());
            let version = match service {
                "iam" => "2010-05-08",
                "sts" => "2011-06-15",
                "ec2" => "2016-11-15",
                _ => "",
            };
            let (method, target, body) = if version.is_empty() {
                let mut parts = request.splitn(3, ' ');
                let mut part = || parts.next().unwrap_or_default();
                (part(), part().to_owned(), part())
            } else {
                let form = format!("Action={name}&Version={version}&{request}");
                // Rows live as long as the test.
                ("POST", "/".to_owned(), &*form.leak())
            };
            let target = match service {
                "packages" => format!("/d/team-{ACCOUNT}/{name}/app/{target}"),
                _ => target,
            };
            Row {
                service,
                name,
                who: who.split(',').collect(),
                method,
                target,
                body,
            }
        })
        .collect()
}

/// What `packhouse operations` lists: service and name, and the actions that are asked for.
fn operations() -> BTreeMap<(String, String), Vec<String>> {
    let output = packhouse().arg("operations").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    text.lines()
        .map(|line| {
            let words = words(line);
            let actions = words.iter().skip(3).filter(|word| word.contains(':'));
            (
                (words[0].clone(), words[1].clone()),
                actions.cloned().collect(),
            )
        })
        .collect()
}

/// Keys and tokens of everybody who asks.
struct Cast {
    expired: (Credentials, String),
    revoked: (Credentials, String),
    other: (Credentials, String),
    idle: (Credentials, String),
    right: (Credentials, String),
    /// Of another domain.
    wrong_token: String,
}

fn allowing(actions: &[impl Serialize]) -> String {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

impl Server {
    /// From now on the user may do this, and nothing else.
    fn allow(&self, user: &str, actions: &[String]) {
        if !actions.is_empty() {
            self.put_policy(user, &allowing(actions));
        }
    }

    fn token_of(&self, key: &Credentials, domain: &str) -> String {
        let target = format!("/v1/authorization-token?domain={domain}&domain-owner={ACCOUNT}");
        let call = Call {
            method: "POST",
            target: &target,
            headers: &[],
            body: b"",
        };
        let answer = ask(&self.address, self.signed(key, "codeartifact", call));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let token = &answer.json()["authorizationToken"];
        token.as_str().unwrap().to_owned()
    }

    fn send(&self, row: &Row, key: &Credentials) -> Answer {
        ask(&self.address, self.signed(key, row.service, row.call()))
    }

    /// Without a signature, with this header.
    fn send_bare(&self, row: &Row, header: &str) -> Answer {
        let (method, target, body) = (row.method, &row.target, row.body);
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut wire = crate::wire::Wire::open(&self.address);
        wire.send(request);
        if method == "HEAD" {
            return wire.head().unwrap();
        }
        wire.answer()
    }
}

const TOKEN: &[&str] = &[
    "codeartifact:GetAuthorizationToken",
    "sts:GetServiceBearerToken",
];

/// The house with everybody in it, thirteen hours after some of them got what they have.
fn stage() -> (Server, Cast) {
    let mut server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(
        server.call("POST", "/v1/domain?domain=aside", b"{}").status,
        200
    );
    let made = packhouse()
        .args(["account", "create", "--account-id", OTHER, "--data"])
        .arg(server.data())
        .output();
    assert!(made.unwrap().status.success());
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{OTHER}"}},
            "Action":"codeartifact:GetAuthorizationToken","Resource":"*"}}]}}"#
    );
    let body = json!({"domain": "team", "policyDocument": policy}).to_string();
    let put = server.call("PUT", "/v1/domain/permissions/policy", body.as_bytes());
    assert_eq!(put.status, 200, "{}", put.text());

    let admin = server.key("admin-credentials");
    let form = "Action=GetSessionToken&DurationSeconds=900&Version=2011-06-15";
    let session = server.query(&admin, "sts", form).credentials();
    let expired_token = server.token_of(&session, "team");
    server.terminate();
    server.wait();
    server.start_later(LATER);

    let revoked = server.user("revoked", Some(&allowing(&["*"])));
    let revoked_token = server.token_of(&revoked, "team");
    server.iam(&format!(
        "Action=UpdateAccessKey&UserName=revoked&Status=Inactive&AccessKeyId={}",
        revoked.access_key_id.as_str()
    ));
    let other = server.key(&format!("credentials-{OTHER}"));
    let idle = server.user("idle", Some(&allowing(TOKEN)));
    let idle_token = server.token_of(&idle, "team");
    server.iam("Action=DeleteUserPolicy&UserName=idle&PolicyName=own");
    let trust =
        json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"});
    let trust = json!({"Version": "2012-10-17", "Statement": [trust]}).to_string();
    server.iam(&format!(
        "Action=CreateRole&RoleName=trusting&AssumeRolePolicyDocument={}",
        encode(&trust)
    ));
    let right = server.user("right", Some(&allowing(TOKEN)));
    let cast = Cast {
        expired: (session, expired_token),
        revoked: (revoked, revoked_token),
        other: (other.clone(), server.token_of(&other, "team")),
        idle: (idle, idle_token),
        right: (right.clone(), server.token_of(&right, "team")),
        wrong_token: server.token_of(&admin, "aside"),
    };
    (server, cast)
}

/// The code of an answer that says no; empty when it says something else.
fn code(answer: &Answer) -> String {
    if let Some(code) = answer.header("x-amzn-errortype") {
        return code.trim_end_matches("Exception").to_owned();
    }
    answer.element("Code").unwrap_or_default().to_owned()
}

const DENIED: &[&str] = &["AccessDenied", "UnauthorizedOperation"];

/// Collects what is not as it should be, so that one run shows all of it.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn expect(&mut self, row: &Row, who: &str, answer: &Answer, is_right: bool) {
        if !is_right {
            let Row {
                service,
                name,
                method,
                target,
                ..
            } = row;
            let (status, code) = (answer.status, code(answer));
            let text = String::from_utf8_lossy(&answer.body);
            self.0.push(format!(
                "{service} {name} ({method} {target}) as {who}: {status} {code} {text}"
            ));
        }
    }
}

fn signed_rows(server: &Server, cast: &Cast, row: &Row, actions: &[String], found: &mut Findings) {
    let mut is = |who: &str, answer: &Answer, codes: &[&str]| {
        let right = matches!(answer.status, 400 | 401 | 403) && codes.contains(&&*code(answer));
        found.expect(row, who, answer, right);
    };
    let none = &["MissingAuthenticationToken"];
    is("nobody", &server.send_bare(row, ""), none);
    let bearer = format!("authorization: Bearer {}\r\n", cast.right.1);
    let token_codes = &[
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "InvalidSignature",
        "AuthFailure",
    ];
    is(
        "holder of a token",
        &server.send_bare(row, &bearer),
        token_codes,
    );
    let codes = &["ExpiredToken", "RequestExpired"];
    is("expired", &server.send(row, &cast.expired.0), codes);
    let codes = &["InvalidClientTokenId", "UnrecognizedClient", "AuthFailure"];
    is("revoked", &server.send(row, &cast.revoked.0), codes);

    let answer = server.send(row, &cast.idle.0);
    let denied = DENIED.contains(&&*code(&answer));
    let names = |action: &String| answer.text().contains(action.as_str());
    let expected = match (row.is("open"), row.is("root")) {
        (true, _) => !matches!(answer.status, 401 | 403),
        (_, true) => denied,
        _ => denied && actions.iter().any(names),
    };
    found.expect(row, "somebody without a policy", &answer, expected);

    let answer = server.send(row, &cast.other.0);
    let denied = DENIED.contains(&&*code(&answer));
    let expected = match (row.is("own"), row.is("open")) {
        (true, _) | (_, true) => !answer.text().contains(&format!("::{ACCOUNT}:user/")) || denied,
        _ => denied,
    };
    found.expect(row, "admin of another account", &answer, expected);

    server.allow("right", actions);
    let answer = server.send(row, &cast.right.0);
    let denied = DENIED.contains(&&*code(&answer)) || answer.status == 401;
    let expected = denied == row.is("root");
    found.expect(row, "somebody with the right policy", &answer, expected);
}

fn package_rows(server: &Server, cast: &Cast, row: &Row, actions: &[String], found: &mut Findings) {
    let statuses = [
        ("nobody", None, 401),
        ("expired", Some(&cast.expired.1), 401),
        ("revoked", Some(&cast.revoked.1), 401),
        (
            "holder of another domain's token",
            Some(&cast.wrong_token),
            401,
        ),
        ("admin of another account", Some(&cast.other.1), 403),
        ("somebody without a policy", Some(&cast.idle.1), 403),
    ];
    for (who, token, expected) in statuses {
        let header = token.map(|token| basic(token)).unwrap_or_default();
        let answer = server.send_bare(row, &header);
        found.expect(row, who, &answer, answer.status == expected);
    }
    server.allow("right", actions);
    let answer = server.send_bare(row, &basic(&cast.right.1));
    let expected = !matches!(answer.status, 401 | 403 | 500..);
    found.expect(row, "somebody with the right policy", &answer, expected);
}

#[test]
fn everything_that_can_be_asked_is_refused_to_all_but_those_who_may() {
    let operations = operations();
    let rows = rows();
    let classified: BTreeSet<_> = rows
        .iter()
        .map(|row| (row.service.to_owned(), row.name.to_owned()))
        .collect();
    for (service, name) in operations.keys() {
        assert!(
            classified.contains(&(service.clone(), name.clone())),
            "{service} {name} is new: say in matrix.txt what is sent to it and who may"
        );
    }
    let (server, cast) = stage();
    let mut found = Findings::default();
    for row in &rows {
        let key = (row.service.to_owned(), row.name.to_owned());
        let actions = operations
            .get(&key)
            .unwrap_or_else(|| panic!("{key:?} is gone: take it out of matrix.txt"));
        match row.service {
            "packages" => package_rows(&server, &cast, row, actions, &mut found),
            _ if row.is("first") => {
                let answer = server.send_bare(row, "");
                let expected = match row.service {
                    "health" | "public" => answer.status == 200,
                    _ => matches!(answer.status, 400 | 401 | 403),
                };
                found.expect(row, "nobody", &answer, expected);
            }
            _ => signed_rows(&server, &cast, row, actions, &mut found),
        }
    }
    let Findings(found) = found;
    assert!(
        found.is_empty(),
        "{} findings:\n{}",
        found.len(),
        found.join("\n")
    );
}
