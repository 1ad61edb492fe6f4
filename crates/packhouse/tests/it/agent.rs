//! Machines from end to end: the commands, the agent, and what the unmodified AWS clients make of it. Where there is no
//! `aws` command, its part is not played.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use aws::percent::encode;
use tempfile::TempDir;

use crate::server::{ACCOUNT, Server, packhouse, until};
use crate::wire::{Answer, ask, get};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const CONSUMER: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"codeartifact:GetAuthorizationToken","Resource":"*"},{"Effect":"Allow","Action":"sts:GetServiceBearerToken","Resource":"*","Condition":{"StringEquals":{"sts:AWSServiceName":"codeartifact.amazonaws.com"}}}]}"#;
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Server {
    /// `packhouse machine …`, which must go well; gives its JSON.
    fn machine(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.machine_command(arguments).arg("--json").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn machine_command(&self, arguments: &[&str]) -> Command {
        let mut command = packhouse();
        command.arg("machine").args(arguments);
        command.arg("--data").arg(self.data());
        command
    }

    /// Id and code of a new machine.
    fn new_machine(&self) -> (String, String) {
        let made = self.machine(&["create", "--name", "build-01"]);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (
            text(&made["machine"]["machineId"]),
            text(&made["enrollmentCode"]),
        )
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An operation of IAM or EC2 by the administrator.
    fn admin(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let version = match service {
            "ec2" => "2016-11-15",
            _ => "2010-05-08",
        };
        let mut form = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            form = format!("{form}&{name}={}", encode(value));
        }
        let answer = self.query(&self.key("admin-credentials"), service, &form);
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        answer.text().to_owned()
    }

    /// A role with a policy, in a profile of the same name.
    fn role(&self, name: &str, policy: Option<&str>) {
        let role = ("RoleName", name);
        let profile = ("InstanceProfileName", name);
        let trust = ("AssumeRolePolicyDocument", TRUST);
        self.admin("iam", "CreateRole", &[role, trust]);
        self.admin("iam", "CreateInstanceProfile", &[profile]);
        self.admin("iam", "AddRoleToInstanceProfile", &[profile, role]);
        if let Some(policy) = policy {
            let policy = [role, ("PolicyName", "own"), ("PolicyDocument", policy)];
            self.admin("iam", "PutRolePolicy", &policy);
        }
    }

    /// The id of the association.
    fn bind(&self, machine: &str, profile: &str) -> String {
        let parameters = [
            ("InstanceId", machine),
            ("IamInstanceProfile.Name", profile),
        ];
        let answer = self.admin("ec2", "AssociateIamInstanceProfile", &parameters);
        let start = answer.find("iip-assoc-").unwrap();
        answer[start..start + "iip-assoc-".len() + 17].to_owned()
    }
}

/// An agent with a state directory of its own; ends with the test.
struct Agent {
    directory: TempDir,
    child: Option<Child>,
    machine: String,
}

impl Agent {
    /// Enrolled, and not running yet.
    fn enroll(server: &Server) -> Self {
        let (machine, code) = server.new_machine();
        let directory = tempfile::tempdir().unwrap();
        let agent = Self {
            directory,
            child: None,
            machine,
        };
        let output = agent.enroll_with(&server.url(), &code);
        assert!(output.status.success(), "{}", said(&output));
        agent
    }

    fn enroll_with(&self, server: &str, code: &str) -> Output {
        packhouse()
            .args(["agent", "enroll", "--server", server, "--code", code])
            .arg("--state")
            .arg(self.state())
            .output()
            .unwrap()
    }

    fn start(mut self, arguments: &[&str]) -> Self {
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let child = packhouse()
            .args(["agent", "run", "--listen", "127.0.0.1:0", "--state"])
            .arg(self.state())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        until("the agent listens", || {
            fs::metadata(self.state().join("address")).ok()
        });
        self
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// `127.0.0.1:1338`.
    fn address(&self) -> String {
        let url = fs::read_to_string(self.state().join("address")).unwrap();
        url.trim().trim_start_matches("http://").to_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn token(&self) -> String {
        let address = self.address();
        let answer = ask(
            &address,
            format!(
                "PUT /latest/api/token HTTP/1.1\r\nhost: {address}\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
            ),
        );
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }

    fn get(&self, path: &str) -> Answer {
        let header = format!("x-aws-ec2-metadata-token: {}\r\n", self.token());
        get(&self.address(), path, &header)
    }

    /// The name of the role, if there is one.
    fn role(&self) -> Option<String> {
        let answer = self.get(ROLES);
        (answer.status == 200).then(|| answer.text().to_owned())
    }

    /// The JSON that SDKs read, as soon as there is a session.
    fn session(&self) -> serde_json::Value {
        until("the agent has a session", || {
            let role = self.role()?;
            let answer = self.get(&format!("{ROLES}{role}"));
            (answer.status == 200).then(|| answer.json())
        })
    }

    /// The `aws` command with the agent as its only source of credentials; `None` where there is no such command.
    fn aws(&self, server: &Server) -> Option<Command> {
        let mut command = aws_command(server)?;
        command.env(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            format!("http://{}", self.address()),
        );
        command.env("AWS_EC2_METADATA_V1_DISABLED", "true");
        Some(command)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Without any credentials of its own.
fn aws_command(server: &Server) -> Option<Command> {
    let found = Command::new("aws").arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut command = Command::new("aws");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_ENDPOINT_URL", server.url())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_PAGER", "")
        .env("NO_PROXY", "127.0.0.1");
    Some(command)
}

fn said(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    )
}

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
    let agent = Agent {
        directory: tempfile::tempdir().unwrap(),
        child: None,
        machine: String::new(),
    };
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
    let agent = Agent {
        directory: tempfile::tempdir().unwrap(),
        child: None,
        machine: String::new(),
    };
    let output = agent.enroll_with("http://192.0.2.1:7070", "phe1_x");
    assert!(!output.status.success());
    assert!(said(&output).contains("not https"), "{}", said(&output));
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
    assert!(told["Message"].as_str().unwrap().contains("ec2-ca"));
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

#[test]
fn the_aws_command_is_refused_and_then_allowed_with_the_agent_alone() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let agent = Agent::enroll(&server).start(&[]);
    let token = |expected: i32| -> Option<String> {
        let mut command = agent.aws(&server)?;
        command.args([
            "codeartifact",
            "get-authorization-token",
            "--domain",
            "team",
        ]);
        command.args(["--query", "authorizationToken", "--output", "text"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
        Some(said(&output).trim().to_owned())
    };
    let Some(refused) = token(255) else { return };
    assert_eq!(
        refused,
        "Unable to locate credentials. You can configure credentials by running \"aws configure\"."
    );
    server.role("ec2-ca", None);
    server.bind(&agent.machine, "ec2-ca");
    agent.session();
    let arn = format!(
        "arn:aws:sts::{ACCOUNT}:assumed-role/ec2-ca/{}",
        agent.machine
    );
    assert_eq!(
        token(255).unwrap(),
        format!(
            "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation: User: {arn} is not \
             authorized to perform: codeartifact:GetAuthorizationToken on resource: \
             arn:aws:codeartifact:us-east-1:{ACCOUNT}:domain/team because no identity-based policy allows the \
             codeartifact:GetAuthorizationToken action"
        )
    );
    let policy = [
        ("RoleName", "ec2-ca"),
        ("PolicyName", "own"),
        ("PolicyDocument", CONSUMER),
    ];
    server.admin("iam", "PutRolePolicy", &policy);
    assert!(token(0).unwrap().starts_with("phk1_"));
    // With version 1 as well as 2 at hand, clients take 2; the same as a profile that chains from the machine.
    let config = agent.directory.path().join("config");
    let chained = format!(
        "[profile chained]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/next\ncredential_source = Ec2InstanceMetadata\n"
    );
    fs::write(&config, chained).unwrap();
    let trust = TRUST.replace(
        r#"{"Service":"ec2.amazonaws.com"}"#,
        &format!(r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:role/ec2-ca"}}"#),
    );
    let next = [("RoleName", "next"), ("AssumeRolePolicyDocument", &trust)];
    server.admin("iam", "CreateRole", &next);
    let mut command = agent.aws(&server).unwrap();
    command.env("AWS_CONFIG_FILE", &config);
    command.args(["--profile", "chained", "sts", "get-caller-identity"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("assumed-role/next/botocore-session-"));
}

#[test]
fn the_aws_command_reads_the_container_endpoint_and_runs_the_process() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    let arn = format!(
        "arn:aws:sts::{ACCOUNT}:assumed-role/ec2-ca/{}",
        agent.machine
    );
    let agent = agent.start(&[]);
    let Some(mut command) = aws_command(&server) else {
        return;
    };
    command.env("AWS_EC2_METADATA_DISABLED", "true").args([
        "sts",
        "get-caller-identity",
        "--query",
        "Arn",
        "--output",
        "text",
    ]);
    let uri = format!("http://{}/v1/credentials", agent.address());
    let token_file = agent.state().join("container-token");
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri);
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token_file);
    // Without a role the client repeats the agent's sentence.
    until("the agent has heard from its server", || {
        agent.log().contains("no role is attached").then_some(())
    });
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(
        said(&output).contains("no role is attached to this machine"),
        "{}",
        said(&output)
    );
    server.bind(&agent.machine, "ec2-ca");
    agent.session();
    let output = command.output().unwrap();
    assert_eq!(said(&output).trim(), arn);
    command.env_remove("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
    let output = command.output().unwrap();
    assert!(said(&output).contains("401"), "{}", said(&output));
    // Neither endpoint, but a program to run.
    command.env_remove("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    command.env_remove("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let config = agent.directory.path().join("config");
    let program = format!(
        "[default]\ncredential_process = {} agent credentials --format process --state {}\n",
        env!("CARGO_BIN_EXE_packhouse"),
        agent.state().display()
    );
    fs::write(&config, program).unwrap();
    command.env("AWS_CONFIG_FILE", &config);
    let output = command.output().unwrap();
    assert_eq!(said(&output).trim(), arn);
}

#[test]
fn the_aws_command_binds_and_lists_machines() {
    let server = Server::start(&[]);
    let agent = Agent::enroll(&server);
    server.role("ec2-ca", None);
    server.role("other", None);
    let key = server.key("admin-credentials");
    let aws = |arguments: &[&str]| -> Option<String> {
        let mut command = aws_command(&server)?;
        command
            .env("AWS_ACCESS_KEY_ID", key.access_key_id.as_str())
            .env("AWS_SECRET_ACCESS_KEY", key.secret_access_key.expose())
            .arg("ec2")
            .args(arguments)
            .args(["--output", "text"]);
        Some(said(&command.output().unwrap()).trim().to_owned())
    };
    let machine = agent.machine.as_str();
    let bind = [
        "associate-iam-instance-profile",
        "--instance-id",
        machine,
        "--iam-instance-profile",
        "Name=ec2-ca",
        "--query",
        "IamInstanceProfileAssociation.AssociationId",
    ];
    let Some(association) = aws(&bind) else {
        return;
    };
    assert!(association.starts_with("iip-assoc-"), "{association}");
    assert_eq!(
        aws(&bind).unwrap(),
        format!(
            "An error occurred (IncorrectState) when calling the AssociateIamInstanceProfile operation: There is an existing \
             association for instance {machine}"
        )
    );
    let instances =
        "Reservations[].Instances[].[InstanceId,State.Name,Tags[0].Value,IamInstanceProfile.Arn]";
    assert_eq!(
        aws(&[
            "describe-instances",
            "--instance-ids",
            machine,
            "--query",
            instances
        ])
        .unwrap(),
        format!("{machine}\trunning\tbuild-01\tarn:aws:iam::{ACCOUNT}:instance-profile/ec2-ca")
    );
    let replaced = aws(&[
        "replace-iam-instance-profile-association",
        "--association-id",
        &association,
        "--iam-instance-profile",
        "Name=other",
        "--query",
        "IamInstanceProfileAssociation.AssociationId",
    ])
    .unwrap();
    let filter = format!("Name=instance-id,Values={machine}");
    let listed = aws(&[
        "describe-iam-instance-profile-associations",
        "--filters",
        &filter,
        "--query",
        "IamInstanceProfileAssociations[].[AssociationId,State]",
    ]);
    assert_eq!(listed.unwrap(), format!("{replaced}\tassociated"));
    let gone = aws(&[
        "disassociate-iam-instance-profile",
        "--association-id",
        &replaced,
        "--query",
        "IamInstanceProfileAssociation.State",
    ]);
    assert_eq!(gone.unwrap(), "disassociating");
}
