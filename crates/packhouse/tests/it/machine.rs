//! A machine of the test's own: its agent, and what an administrator does for it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use aws::percent::encode;
use tempfile::TempDir;

use crate::server::{Server, packhouse, until};
use crate::wire::{Answer, ask, get};

pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub(crate) const CONSUMER: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"codeartifact:GetAuthorizationToken","Resource":"*"},{"Effect":"Allow","Action":"sts:GetServiceBearerToken","Resource":"*","Condition":{"StringEquals":{"sts:AWSServiceName":"codeartifact.amazonaws.com"}}}]}"#;
pub(crate) const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Server {
    /// `packhouse machine …`, which must go well; gives its JSON.
    pub(crate) fn machine(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.machine_command(arguments).arg("--json").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn machine_command(&self, arguments: &[&str]) -> Command {
        let mut command = packhouse();
        command.arg("machine").args(arguments);
        command.arg("--data").arg(self.data());
        command
    }

    /// Id and code of a new machine.
    pub(crate) fn new_machine(&self) -> (String, String) {
        let made = self.machine(&["create", "--name", "build-01"]);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (
            text(&made["machine"]["machineId"]),
            text(&made["enrollmentCode"]),
        )
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An operation of IAM or EC2 by the administrator.
    pub(crate) fn admin(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> String {
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
    pub(crate) fn role(&self, name: &str, policy: Option<&str>) {
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
    pub(crate) fn bind(&self, machine: &str, profile: &str) -> String {
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
pub(crate) struct Agent {
    pub(crate) directory: TempDir,
    child: Option<Child>,
    pub(crate) machine: String,
}

impl Agent {
    /// Not enrolled yet.
    pub(crate) fn new(machine: impl Into<String>) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            child: None,
            machine: machine.into(),
        }
    }

    /// Enrolled, and not running yet.
    pub(crate) fn enroll(server: &Server) -> Self {
        let (machine, code) = server.new_machine();
        let agent = Self::new(machine);
        let output = agent.enroll_with(&server.url(), &code);
        assert!(output.status.success(), "{}", said(&output));
        agent
    }

    pub(crate) fn enroll_with(&self, server: &str, code: &str) -> Output {
        packhouse()
            .args(["agent", "enroll", "--server", server, "--code", code])
            .arg("--state")
            .arg(self.state())
            .output()
            .unwrap()
    }

    pub(crate) fn start(mut self, arguments: &[&str]) -> Self {
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

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// `127.0.0.1:1338`.
    pub(crate) fn address(&self) -> String {
        let url = fs::read_to_string(self.state().join("address")).unwrap();
        url.trim().trim_start_matches("http://").to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn token(&self) -> String {
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

    pub(crate) fn get(&self, path: &str) -> Answer {
        let header = format!("x-aws-ec2-metadata-token: {}\r\n", self.token());
        get(&self.address(), path, &header)
    }

    /// The name of the role, if there is one.
    pub(crate) fn role(&self) -> Option<String> {
        let answer = self.get(ROLES);
        (answer.status == 200).then(|| answer.text().to_owned())
    }

    /// The JSON that SDKs read, as soon as there is a session.
    pub(crate) fn session(&self) -> serde_json::Value {
        until("the agent has a session", || {
            let role = self.role()?;
            let answer = self.get(&format!("{ROLES}{role}"));
            (answer.status == 200).then(|| answer.json())
        })
    }

    /// The `aws` command with the agent as its only source of credentials; `None` where there is no such command.
    pub(crate) fn aws(&self, server: &Server) -> Option<Command> {
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
pub(crate) fn aws_command(server: &Server) -> Option<Command> {
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

pub(crate) fn said(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    )
}
