//! Credentials as files and answers that AWS clients read by themselves.
//!
//! The file is the shared credentials file (`~/.aws/credentials`, also our `root-credentials`); the
//! answers are those of the machine endpoint, the container endpoint and `credential_process`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::identity::AccountId;
use crate::secret::SecretString;
use crate::sigv4::Credentials;
use crate::time::Timestamp;

/// The file could not be written or must not be trusted.
#[derive(Debug, Error)]
pub enum CredentialsFileError {
    /// There is one already; it is never overwritten.
    #[error("`{0}` exists already")]
    Exists(PathBuf),
    /// There is none.
    #[error("`{0}` does not exist")]
    Absent(PathBuf),
    /// Others may read it, so it may be no secret any more.
    #[error(
        "`{path}` can be read by others (mode {mode:04o})\nhint: chmod 600 it, and replace the key if others are on this machine"
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It has no such section.
    #[error("`{path}` has no profile `{profile}`")]
    NoProfile {
        /// The file.
        path: PathBuf,
        /// The section that was asked for.
        profile: String,
    },
    /// A line of the section cannot be understood, or a key is missing. The line is not shown: it
    /// may hold a secret.
    #[error("`{path}`: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The system says no.
    #[error("cannot access `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One section of the file:
///
/// ```text
/// [default]
/// aws_access_key_id = AKIAIOSFODNN7EXAMPLE
/// aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
/// ```
pub fn section(profile: &str, credentials: &Credentials) -> SecretString {
    let Credentials {
        access_key_id,
        secret_access_key,
        session_token,
    } = credentials;
    let secret = secret_access_key.expose();
    let mut text = format!(
        "[{profile}]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret}\n"
    );
    if let Some(token) = session_token {
        text.push_str("aws_session_token = ");
        text.push_str(token.expose());
        text.push('\n');
    }
    text.into()
}

/// Writes a new file with one profile, readable by its owner only, and flushes it to disk.
///
/// Errors: `Exists` (also for a dangling link), `Io`.
pub fn write_new(
    path: &Path,
    profile: &str,
    credentials: &Credentials,
) -> Result<(), CredentialsFileError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => CredentialsFileError::Exists(path),
            _ => CredentialsFileError::Io { path, source },
        }
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(section(profile, credentials).expose().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Files are a few hundred bytes; what is larger than this is something else.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads one profile of a file that nobody but its owner may read.
///
/// Errors: all but `Exists`.
pub fn read(path: &Path, profile: &str) -> Result<Credentials, CredentialsFileError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => CredentialsFileError::Absent(path),
            _ => CredentialsFileError::Io { path, source },
        }
    };
    let file = File::open(path).map_err(failed)?;
    // Of the open file, not of the path, so that it cannot be exchanged in between.
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(CredentialsFileError::Readable { path, mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match parse(&text, profile) {
        Ok(Some(credentials)) => Ok(credentials),
        Ok(None) => Err(CredentialsFileError::NoProfile {
            path: path.to_owned(),
            profile: profile.to_owned(),
        }),
        Err(why) => Err(CredentialsFileError::Malformed {
            path: path.to_owned(),
            why,
        }),
    }
}

/// The section named `profile`. Other keys of it, other sections and comments are passed over.
fn parse(text: &str, profile: &str) -> Result<Option<Credentials>, &'static str> {
    let mut inside = false;
    let mut found = false;
    let [mut key, mut secret, mut token] = [None; 3];
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.strip_suffix(']').ok_or("a section is not closed")?;
            inside = name.trim() == profile;
            found |= inside;
        } else if inside {
            let (name, value) = line.split_once('=').ok_or("a line is no `key = value`")?;
            let value = Some(value.trim());
            match name.trim() {
                "aws_access_key_id" => key = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    if !found {
        return Ok(None);
    }
    let key = key.ok_or("`aws_access_key_id` is missing")?;
    let secret = secret.filter(|secret| !secret.is_empty());
    let secret = secret.ok_or("`aws_secret_access_key` is missing")?;
    Ok(Some(Credentials {
        access_key_id: key.parse().map_err(|_| "`aws_access_key_id` is not one")?,
        secret_access_key: secret.into(),
        session_token: token.filter(|token| !token.is_empty()).map(Into::into),
    }))
}

/// Temporary credentials and when they end: what the three kinds of endpoint tell a client.
#[derive(Debug, Clone)]
pub struct SessionAnswer {
    /// Key, secret and token.
    pub credentials: Credentials,
    /// The real end, told in whole seconds.
    pub expiration: Timestamp,
    /// When they were fetched.
    pub updated: Timestamp,
    /// Whose they are; told where the client may be told.
    pub account: AccountId,
}

impl SessionAnswer {
    /// The machine endpoint's answer for a role:
    /// `{"Code": "Success", "LastUpdated", "Type": "AWS-HMAC", "AccessKeyId", "SecretAccessKey",
    /// "Token", "Expiration"}`.
    pub fn machine(&self) -> SecretString {
        self.with_machine_members(self.members("Token"))
    }

    /// The same with `AccountId`, as `security-credentials-extended` answers.
    pub fn machine_extended(&self) -> SecretString {
        let mut members = self.members("Token");
        members.insert("AccountId".to_owned(), json!(self.account));
        self.with_machine_members(members)
    }

    /// The container endpoint's answer: `{"AccessKeyId", "SecretAccessKey", "Token", "Expiration",
    /// "AccountId"}`. Clients crash when one of the first four is missing.
    pub fn container(&self) -> SecretString {
        let mut members = self.members("Token");
        members.insert("AccountId".to_owned(), json!(self.account));
        print(members)
    }

    /// What a `credential_process` prints: `{"Version": 1, "AccessKeyId", "SecretAccessKey",
    /// "SessionToken", "Expiration"}`.
    pub fn process(&self) -> SecretString {
        let mut members = self.members("SessionToken");
        members.insert("Version".to_owned(), json!(1));
        print(members)
    }

    fn members(&self, token_name: &str) -> Map<String, Value> {
        let credentials = &self.credentials;
        let token = credentials.session_token.as_ref();
        let token = token.map_or("", |token| token.expose());
        [
            ("AccessKeyId", json!(credentials.access_key_id)),
            (
                "SecretAccessKey",
                json!(credentials.secret_access_key.expose()),
            ),
            (token_name, json!(token)),
            ("Expiration", json!(self.expiration.iso8601())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }

    fn with_machine_members(&self, mut members: Map<String, Value>) -> SecretString {
        members.insert("Code".to_owned(), json!("Success"));
        members.insert("LastUpdated".to_owned(), json!(self.updated.iso8601()));
        members.insert("Type".to_owned(), json!("AWS-HMAC"));
        print(members)
    }
}

/// The machine endpoint's answer when there are no credentials: `{"Code", "Message",
/// "LastUpdated"}`.
///
/// When the trust policy refuses, the code is `AssumeRoleUnauthorizedAccess`, which SDKs explain.
pub fn machine_failure(code: &str, message: &str, now: Timestamp) -> String {
    json!({"Code": code, "Message": message, "LastUpdated": now.iso8601()}).to_string()
}

fn print(members: Map<String, Value>) -> SecretString {
    Value::Object(members).to_string().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=EXAMPLEKE".into(),
            session_token: token.map(Into::into),
        }
    }

    #[test]
    fn what_is_written_is_read_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        for token in [None, Some("FwoGZXIvYXdz//==")] {
            let path = directory.path().join(format!("c{}", token.is_some()));
            write_new(&path, "default", &credentials(token)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
            assert_eq!(read(&path, "default").unwrap(), credentials(token));
            let again = write_new(&path, "default", &credentials(None));
            assert!(matches!(again, Err(CredentialsFileError::Exists(_))));
            assert!(matches!(
                read(&path, "other"),
                Err(CredentialsFileError::NoProfile { .. })
            ));
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        write_new(&path, "default", &credentials(None)).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path, "default").unwrap_err();
            assert!(
                matches!(error, CredentialsFileError::Readable { mode: found, .. } if found == mode)
            );
            assert!(!error.to_string().contains("wJalr"));
        }
        let absent = read(&directory.path().join("none"), "default");
        assert!(matches!(absent, Err(CredentialsFileError::Absent(_))));
    }

    #[test]
    fn a_file_written_by_others_is_understood() {
        let text = "# mine\n[other]\naws_access_key_id=AKIAOTHER\n\n[ default ]\nregion = x\n\
                    aws_access_key_id=AKIAIOSFODNN7EXAMPLE\n; note\n\
                    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCY=EXAMPLEKE\naws_session_token=\n";
        assert_eq!(parse(text, "default"), Ok(Some(credentials(None))));
        for (text, expected) in [
            ("", Ok(None)),
            ("[default]\n", Err("`aws_access_key_id` is missing")),
            (
                "[default]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE",
                Err("`aws_secret_access_key` is missing"),
            ),
            (
                "[default]\naws_access_key_id=wJalrXUtnFEMI/K7\naws_secret_access_key=x",
                Err("`aws_access_key_id` is not one"),
            ),
            ("[default\n", Err("a section is not closed")),
            (
                "[default]\nwJalrXUtnFEMI",
                Err("a line is no `key = value`"),
            ),
        ] {
            assert_eq!(parse(text, "default"), expected, "{text}");
        }
    }

    #[test]
    fn answers_have_the_members_that_clients_need() {
        let answer = SessionAnswer {
            credentials: credentials(Some("token")),
            expiration: Timestamp::from_millis(1_773_500_966_999),
            updated: Timestamp::from_seconds(1_773_497_366),
            account: "111122223333".parse().unwrap(),
        };
        let read = |text: SecretString| serde_json::from_str::<Value>(text.expose()).unwrap();
        let common = json!({
            "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=EXAMPLEKE",
            "Expiration": "2026-03-14T15:09:26Z",
        });
        let with = |more: Value| {
            let mut members = common.as_object().unwrap().clone();
            members.extend(more.as_object().unwrap().clone());
            Value::Object(members)
        };
        let machine = json!({
            "Code": "Success",
            "LastUpdated": "2026-03-14T14:09:26Z",
            "Type": "AWS-HMAC",
            "Token": "token",
        });
        assert_eq!(read(answer.machine()), with(machine));
        assert_eq!(
            read(answer.container()),
            with(json!({"Token": "token", "AccountId": "111122223333"}))
        );
        assert_eq!(
            read(answer.process()),
            with(json!({"SessionToken": "token", "Version": 1}))
        );
        let extended = read(answer.machine_extended());
        assert_eq!(extended["AccountId"], "111122223333");
        assert!(!format!("{answer:?}").contains("wJalr"));
        let failure = machine_failure("AssumeRoleUnauthorizedAccess", "no", answer.updated);
        let expected = json!({
            "Code": "AssumeRoleUnauthorizedAccess",
            "Message": "no",
            "LastUpdated": "2026-03-14T14:09:26Z",
        });
        assert_eq!(serde_json::from_str::<Value>(&failure).unwrap(), expected);
    }
}
