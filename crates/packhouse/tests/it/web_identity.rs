//! Roles for those who show a token of an issuer: the unmodified clients, what is written down, and where we do not go.

use std::fs;
use std::path::Path;
use std::process::Command;

use aws::percent::encode;
use serde_json::json;

use crate::issuer::Issuer;
use crate::machine::{CONSUMER, aws_command, said};
use crate::server::{ACCOUNT, Server};
use crate::wire::{Answer, ask};

const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

fn start(issuer: &Issuer, private: bool) -> Server {
    let ca_file = issuer.ca_file();
    let mut arguments = vec!["--oidc-ca-file", &ca_file];
    if private {
        arguments.push("--oidc-allow-private-issuers");
    }
    Server::start(&arguments)
}

impl Server {
    /// A provider for the issuer, and the role `ci` for one subject of it.
    fn federate(&self, issuer: &Issuer, name: &str) {
        let (url, host) = (issuer.url(name), issuer.host(name));
        let provider = [
            ("Url", url.as_str()),
            ("ClientIDList.member.1", "sts.amazonaws.com"),
        ];
        self.admin("iam", "CreateOpenIDConnectProvider", &provider);
        let trust = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")},
            "Condition": {"StringEquals": {
                format!("{host}:aud"): "sts.amazonaws.com", format!("{host}:sub"): SUBJECT,
            }},
        }})
        .to_string();
        let role = [("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
        self.admin("iam", "CreateRole", &role);
        let policy = [
            ("RoleName", name),
            ("PolicyName", "own"),
            ("PolicyDocument", CONSUMER),
        ];
        self.admin("iam", "PutRolePolicy", &policy);
    }

    /// Shows a token, as SDKs do: without a signature.
    fn show(&self, role: &str, token: &str) -> Answer {
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
        let body = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName=job&WebIdentityToken={token}",
            encode(&arn)
        );
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        ask(&self.address, request)
    }
}

/// The `aws` command or Python with nothing but a token in a file.
fn with_token(mut command: Command, token_file: &str) -> Command {
    command.env("AWS_WEB_IDENTITY_TOKEN_FILE", token_file);
    command.env("AWS_ROLE_ARN", format!("arn:aws:iam::{ACCOUNT}:role/ci"));
    command.env("AWS_ROLE_SESSION_NAME", "job-7");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    // There the command keeps sessions of roles, whoever's they are.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("PYTHONUSERBASE", Path::new(&home).join(".local"));
    }
    command.env("HOME", Path::new(token_file).parent().unwrap());
    command
}

#[test]
fn the_aws_command_and_the_sdk_take_a_role_with_a_token_and_fetch_another_for_packages() {
    let issuer = Issuer::start();
    issuer.publish("ci");
    let server = start(&issuer, true);
    server.make_repository("app");
    server.federate(&issuer, "ci");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, issuer.sign("ci", SUBJECT)).unwrap();
    let file = file.to_str().unwrap();
    let Some(mut command) = aws_command(&server) else {
        return;
    };
    command.args(["sts", "assume-role-with-web-identity", "--role-arn"]);
    command.arg(format!("arn:aws:iam::{ACCOUNT}:role/ci"));
    command.args(["--role-session-name", "by-hand", "--web-identity-token"]);
    command.arg(issuer.sign("ci", SUBJECT));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["SubjectFromWebIdentityToken"], SUBJECT);
    assert_eq!(answer["Audience"], "sts.amazonaws.com");
    assert_eq!(
        answer["AssumedRoleUser"]["Arn"],
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/by-hand")
    );
    let get = [
        "codeartifact",
        "get-authorization-token",
        "--domain",
        "team",
        "--query",
        "authorizationToken",
        "--output",
        "text",
    ];
    let mut command = with_token(aws_command(&server).unwrap(), file);
    let output = command.args(get).output().unwrap();
    assert!(said(&output).starts_with("phk1_"), "{}", said(&output));
    // One who is somebody else.
    let others = tempfile::tempdir().unwrap();
    let strangers = others.path().join("token");
    let token = issuer.sign("ci", "repo:acme/app:pull_request");
    fs::write(&strangers, token).unwrap();
    let mut command = with_token(aws_command(&server).unwrap(), strangers.to_str().unwrap());
    let output = command.args(get).output().unwrap();
    assert!(
        said(&output).contains(
            "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: Not authorized to \
             perform sts:AssumeRoleWithWebIdentity"
        ),
        "{}",
        said(&output)
    );
    // The SDK's own provider of credentials.
    let Some(python) = python(&server) else {
        return;
    };
    let program = "import boto3\n\
                   session = boto3.session.Session()\n\
                   print(session.get_credentials().method)\n\
                   print(session.client('sts').get_caller_identity()['Arn'])\n\
                   print(session.client('codeartifact').get_authorization_token(domain='team')['authorizationToken'][:5])";
    let mut command = with_token(python, file);
    let output = command.args(["-c", program]).output().unwrap();
    assert_eq!(
        said(&output),
        format!(
            "assume-role-with-web-identity\narn:aws:sts::{ACCOUNT}:assumed-role/ci/job-7\nphk1_\n"
        )
    );
}

/// Python, if it has the AWS SDK, in the environment of the `aws` command.
fn python(server: &Server) -> Option<Command> {
    let found = Command::new("python3")
        .args(["-c", "import boto3"])
        .output();
    if !found.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let aws = aws_command(server)?;
    let mut command = Command::new("python3");
    for (name, value) in aws.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Some(command)
}

#[test]
fn who_showed_a_token_is_written_down_and_the_token_is_not() {
    let issuer = Issuer::start();
    issuer.publish("ci");
    let server = start(&issuer, true);
    server.federate(&issuer, "ci");
    let good = issuer.sign("ci", SUBJECT);
    let stranger = issuer.sign("ci", "repo:evil/app:ref:refs/heads/main");
    let forged = {
        let (signed, signature) = good.rsplit_once('.').unwrap();
        format!("{signed}.{}", signature.chars().rev().collect::<String>())
    };
    assert_eq!(server.show("ci", &good).status, 200);
    let refused = server.show("ci", &stranger);
    assert_eq!(refused.status, 403);
    let decision = refused.header("x-packhouse-decision").unwrap();
    assert_eq!(server.show("ci", &forged).status, 400);
    let records = server.records("");
    let records: Vec<_> = records
        .iter()
        .filter(|record| record["eventName"] == "AssumeRoleWithWebIdentity")
        .collect();
    let [forged_one, refused_one, taken] = records[..] else {
        panic!("{records:#?}")
    };
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", issuer.host("ci"));
    assert_eq!(
        taken["userIdentity"],
        json!({"type": "WebIdentityUser", "identityProvider": provider, "userName": SUBJECT})
    );
    assert_eq!(
        taken["requestParameters"]["webIdentity"],
        json!({"iss": issuer.url("ci"), "sub": SUBJECT, "aud": "sts.amazonaws.com", "jti": "token-7"})
    );
    assert_eq!(taken["eventSource"], "sts.amazonaws.com");
    assert_eq!(
        taken["responseElements"]["subjectFromWebIdentityToken"],
        SUBJECT
    );
    assert_eq!(taken["errorCode"], json!(null));
    assert_eq!(refused_one["errorCode"], "AccessDenied");
    assert_eq!(
        refused_one["userIdentity"]["userName"],
        "repo:evil/app:ref:refs/heads/main"
    );
    assert_eq!(forged_one["eventType"], "AwsAuthFailure");
    assert_eq!(forged_one["userIdentity"], json!({"type": "Unknown"}));
    assert_eq!(forged_one["errorCode"], "InvalidIdentityToken");
    assert!(refused_one.to_string().contains(decision));
    let said = server.why(decision);
    let expected = format!(
        "repo:evil/app:ref:refs/heads/main of {provider} asked for sts:AssumeRoleWithWebIdentity on \
         arn:aws:iam::{ACCOUNT}:role/ci; no trust policy allows it.\n"
    );
    assert!(said.starts_with(&expected), "{said}");
    let written = format!("{}{}", server.audit_files(), server.log());
    for token in [&good, &stranger, &forged] {
        for part in token.split('.').skip(1) {
            assert!(!written.contains(part), "{part}");
        }
    }
    assert!(!written.contains("nobody@example.com"));
}

#[test]
fn an_issuer_leads_nowhere_that_it_must_not() {
    const NO_KEY: &str = "retrieve verification key from your identity provider";
    let issuer = Issuer::start();
    let server = start(&issuer, true);
    issuer.publish("good");
    let keys = issuer.keys().to_string();
    issuer.discover("link", "https://169.254.169.254/latest/meta-data");
    issuer.discover("plain", &issuer.url("plain").replace("https:", "http:"));
    issuer.discover("file", "file:///etc/passwd");
    issuer.discover("moved", &format!("{}/jwks", issuer.url("moved")));
    let away = format!("302 Found\r\nlocation: {}/jwks\r\n", issuer.url("good"));
    issuer.put("/moved/jwks", &away, &keys);
    issuer.discover("huge", &format!("{}/jwks", issuer.url("huge")));
    let huge = keys.replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(600 << 10)), 1);
    issuer.put("/huge/jwks", "200 OK\r\n", &huge);
    issuer.discover("broken", &format!("{}/jwks", issuer.url("broken")));
    issuer.put("/broken/jwks", "503 Service Unavailable\r\n", "");
    // Its document says that it is another one.
    let document =
        json!({"issuer": issuer.url("good"), "jwks_uri": format!("{}/jwks", issuer.url("good"))});
    let path = "/alike/.well-known/openid-configuration";
    issuer.put(path, "200 OK\r\n", &document.to_string());
    for (name, expected) in [
        ("good", "<SubjectFromWebIdentityToken>"),
        ("link", NO_KEY),
        ("plain", NO_KEY),
        ("file", NO_KEY),
        ("moved", NO_KEY),
        ("huge", NO_KEY),
        ("alike", NO_KEY),
        ("absent", NO_KEY),
        ("broken", "<Code>IDPCommunicationError</Code>"),
    ] {
        server.federate(&issuer, name);
        let answer = server.show(name, &issuer.sign(name, SUBJECT));
        assert!(
            answer.text().contains(expected),
            "{name}: {}",
            answer.text()
        );
    }
    // Unless the operator says so, an issuer on this machine is not even connected to.
    let server = start(&issuer, false);
    let before = issuer.connections();
    server.federate(&issuer, "good");
    let answer = server.show("good", &issuer.sign("good", SUBJECT));
    assert!(answer.text().contains(NO_KEY), "{}", answer.text());
    assert_eq!(issuer.connections(), before);
    // One whom the machine does not trust is not believed.
    let server = Server::start(&["--oidc-allow-private-issuers"]);
    server.federate(&issuer, "good");
    let answer = server.show("good", &issuer.sign("good", SUBJECT));
    let code = "<Code>IDPCommunicationError</Code>";
    assert!(answer.text().contains(code), "{}", answer.text());
}
