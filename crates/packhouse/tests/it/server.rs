//! A server of the test's own, ended with the test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aws::percent::encode;
use aws::sigv4::{Credentials, Signer, body_hash};
use aws::{Clock, Region, SecretString};
use http::Request;
use tempfile::TempDir;

use crate::wire::{Answer, Wire};

/// The account that a server makes unless told otherwise.
pub(crate) const ACCOUNT: &str = "111122223333";

/// The binary under test, without anything of the environment that could change what it does.
pub(crate) fn packhouse() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packhouse"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PACKHOUSE_")
            || name.to_string_lossy().starts_with("AWS_")
        {
            command.env_remove(name);
        }
    }
    command
}

/// A running server.
pub(crate) struct Server {
    directory: TempDir,
    child: Child,
    pub(crate) address: String,
    arguments: Vec<String>,
    /// How far its clock is ahead.
    ahead: Duration,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        Self::start_on("127.0.0.1:0", directory, arguments)
    }

    /// In a directory that has something in it already.
    pub(crate) fn start_on(listen: &str, directory: TempDir, arguments: Vec<String>) -> Self {
        let (child, address) = run(directory.path(), &arguments, listen, Duration::ZERO);
        Self {
            directory,
            child,
            address,
            arguments,
            ahead: Duration::ZERO,
        }
    }

    /// Starts again in the same directory, on another port; the process must have ended.
    pub(crate) fn start_again(&mut self) {
        self.start_later(self.ahead);
    }

    /// The same with other arguments.
    pub(crate) fn start_again_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().copied().map(str::to_owned).collect();
        self.start_again();
    }

    /// The same as [`Self::start_again`] with a clock that is so far ahead: what was issued before and has expired by then is seen to have.
    pub(crate) fn start_later(&mut self, ahead: Duration) {
        let (child, address) = run(self.directory.path(), &self.arguments, "127.0.0.1:0", ahead);
        self.child = child;
        self.address = address;
        self.ahead = ahead;
    }

    pub(crate) fn data(&self) -> PathBuf {
        data(self.directory.path())
    }

    /// All that was logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// All that was written to standard output so far.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(self.directory.path().join("out")).unwrap()
    }

    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended, within a bound.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the server ends", || self.child.try_wait().unwrap())
    }

    /// A key out of a credentials file.
    pub(crate) fn key(&self, file: &str) -> Credentials {
        let text = fs::read_to_string(self.data().join(file)).unwrap();
        let value = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.trim_start_matches([' ', '=']).to_owned()
        };
        Credentials {
            access_key_id: value("aws_access_key_id").parse().unwrap(),
            secret_access_key: SecretString::new(value("aws_secret_access_key")),
            session_token: None,
        }
    }

    /// The head of a signed request with its body, as bytes.
    pub(crate) fn signed(&self, key: &Credentials, service: &str, call: Call<'_>) -> Vec<u8> {
        let Call {
            method,
            target,
            headers,
            body,
        } = call;
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", &self.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let region: Region = "us-east-1".parse().unwrap();
        let signer = Signer {
            credentials: key,
            region: &region,
            service,
        };
        signer
            .sign(
                &mut parts,
                &body_hash(body),
                Clock::system().now().plus(self.ahead),
            )
            .unwrap();
        let mut bytes = format!(
            "{method} {target} HTTP/1.1\r\ncontent-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        for (name, value) in &parts.headers {
            bytes.extend(format!("{name}: ").into_bytes());
            bytes.extend(value.as_bytes());
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    /// Calls an operation of `CodeArtifact` as the user `admin`.
    pub(crate) fn call(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        let key = self.key("admin-credentials");
        let call = Call {
            method,
            target,
            headers: &[],
            body,
        };
        let mut wire = Wire::open(&self.address);
        wire.send(self.signed(&key, "codeartifact", call));
        wire.answer()
    }

    /// Calls an operation of IAM or STS as the holder of a key.
    pub(crate) fn query(&self, key: &Credentials, service: &str, form: &str) -> Answer {
        let call = Call {
            method: "POST",
            target: "/",
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: form.as_bytes(),
        };
        let mut wire = Wire::open(&self.address);
        wire.send(self.signed(key, service, call));
        wire.answer()
    }

    /// Calls an operation of IAM as the user `admin`; it succeeds.
    pub(crate) fn iam(&self, form: &str) -> Answer {
        let admin = self.key("admin-credentials");
        let answer = self.query(&admin, "iam", &format!("{form}&Version=2010-05-08"));
        assert_eq!(answer.status, 200, "{form}: {}", answer.text());
        answer
    }

    /// A user of this name with this policy, or without any; its key.
    pub(crate) fn user(&self, name: &str, policy: Option<&str>) -> Credentials {
        self.iam(&format!("Action=CreateUser&UserName={name}"));
        if let Some(policy) = policy {
            self.put_policy(name, policy);
        }
        self.iam(&format!("Action=CreateAccessKey&UserName={name}"))
            .credentials()
    }

    /// Replaces the user's own policy.
    pub(crate) fn put_policy(&self, user: &str, policy: &str) {
        let document = encode(policy);
        self.iam(&format!(
            "Action=PutUserPolicy&UserName={user}&PolicyName=own&PolicyDocument={document}"
        ));
    }

    /// Makes the domain `team` and a repository in it.
    pub(crate) fn make_repository(&self, name: &str) {
        let made = self.call("POST", "/v1/domain?domain=team", b"{}");
        assert!(matches!(made.status, 200 | 409), "{}", made.text());
        let made = self.call(
            "POST",
            &format!("/v1/repository?domain=team&repository={name}"),
            b"{}",
        );
        assert_eq!(made.status, 200, "{}", made.text());
    }

    /// A token for the domain `team`.
    pub(crate) fn token(&self) -> String {
        let answer = self.call("POST", "/v1/authorization-token?domain=team", b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["authorizationToken"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Publishes `generic/thing` 1.0 with one asset, `thing.bin`, in the repository of the domain `team`.
    pub(crate) fn publish(&self, repository: &str, body: &[u8]) -> Answer {
        let hash = body_hash(body);
        let target = format!(
            "/v1/package/version/publish?asset=thing.bin&domain=team&format=generic&namespace=ns&package=thing&\
             repository={repository}&version=1.0"
        );
        let call = Call {
            method: "POST",
            target: &target,
            headers: &[("x-amz-content-sha256", &hash)],
            body,
        };
        let mut wire = Wire::open(&self.address);
        wire.send(self.signed(&self.key("admin-credentials"), "codeartifact", call));
        wire.answer()
    }

    /// A signed request for that asset.
    pub(crate) fn asking_for_asset(&self, repository: &str) -> Vec<u8> {
        let target = format!(
            "/v1/package/version/asset?asset=thing.bin&domain=team&format=generic&namespace=ns&package=thing&\
             repository={repository}&version=1.0"
        );
        let call = Call {
            method: "GET",
            target: &target,
            headers: &[],
            body: b"",
        };
        self.signed(&self.key("admin-credentials"), "codeartifact", call)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
        if thread::panicking() {
            // The log of a test that failed is what its reader wants first.
            eprintln_log(&self.log());
        }
    }
}

#[allow(clippy::print_stderr, reason = "a test that failed says why")]
fn eprintln_log(log: &str) {
    eprintln!("--- the server's log ---\n{log}");
}

/// What is sent to an operation.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn run(directory: &Path, arguments: &[String], listen: &str, ahead: Duration) -> (Child, String) {
    let data = data(directory);
    let address = data.join("address");
    if address.exists() {
        fs::remove_file(&address).unwrap();
    }
    let append = |name| {
        let mut options = File::options();
        let options = options.create(true).append(true);
        options.open(directory.join(name)).unwrap()
    };
    let mut command = packhouse();
    if !ahead.is_zero() {
        command
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME", format!("+{}s", ahead.as_secs()))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    let mut child = command
        .args(["serve", "--listen", listen, "--data"])
        .arg(&data)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(append("out"))
        .stderr(append("log"))
        .spawn()
        .unwrap();
    let address = until("the server listens", || {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the server ended: {}",
            fs::read_to_string(directory.join("log")).unwrap()
        );
        let address = fs::read_to_string(&address).ok()?;
        address.strip_suffix('\n').map(str::to_owned)
    });
    (child, address)
}

/// The library that shows a process another time, from the Debian package `faketime`.
fn faketime() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap();
    let mut places = places.map(|place| place.unwrap().path().join("faketime/libfaketime.so.1"));
    places
        .find(|library| library.exists())
        .expect("the Debian package `faketime` is installed")
}

/// Waits for a condition, a minute at most.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "waited a minute until {what}"
        );
        thread::yield_now();
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// What `Authorization` says with this token as the password of Basic.
pub(crate) fn basic(token: &str) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("aws:{token}"));
    format!("authorization: Basic {encoded}\r\n")
}
