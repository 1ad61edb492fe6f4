//! Files in the data directory that people and the command line read.
//!
//! ```text
//! DIR/lock                empty                         locked by the server that runs
//! DIR/address             127.0.0.1:7070                where the running server listens
//! DIR/aws-config          an AWS config file            endpoint and region, for `packhouse env`
//! DIR/certificate         DER                           of a server that speaks TLS, for commands that ask it
//! DIR/root-credentials    an AWS shared-credentials     the root key                     } 0600, made once, replaced
//! DIR/admin-credentials   file                          the key of the user `admin`      } by `packhouse key` only
//! DIR/credentials-ID      the same                      `admin` of a further account     }
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use aws::{AccountId, SecretString};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The files of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    directory: PathBuf,
}

/// An access key as a credentials file holds it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

/// Where the server is, for clients on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `http://127.0.0.1:7070`.
    pub(crate) url: String,
    pub(crate) region: String,
}

impl Files {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Makes the directory, for its owner alone, if it is not there.
    pub(crate) fn make_directory(&self) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
    }

    /// Makes the directory the caller's own for as long as the file is open. Errors: it is another server's.
    ///
    /// Two on one `PostgreSQL` would write one file of records and say two addresses in one place.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        let shown = self.directory.display();
        let path = self.directory.join("lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&path);
        let file =
            file.with_context(|| format!("cannot write into the data directory `{shown}`"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(Errno::WOULDBLOCK) => bail!(
                "the data directory `{shown}` is in use by another process\nhint: give each server a directory of its own; \
                 with PostgreSQL they may share database, blobs and master key"
            ),
            Err(error) => Err(error).with_context(|| format!("cannot lock `{}`", path.display())),
        }
    }

    pub(crate) fn root_credentials(&self) -> PathBuf {
        self.directory.join("root-credentials")
    }

    pub(crate) fn admin_credentials(&self) -> PathBuf {
        self.directory.join("admin-credentials")
    }

    /// Of a further account: the key of its `admin`; with `-root` after the account, that of its root.
    pub(crate) fn account_credentials(&self, account: &str) -> PathBuf {
        self.directory.join(format!("credentials-{account}"))
    }

    /// The key that a command acts with: that of `admin`, or of root, of the first account or of a further one.
    pub(crate) fn credentials_of(&self, account: Option<&AccountId>, is_root: bool) -> PathBuf {
        match (account, is_root) {
            (None, false) => self.admin_credentials(),
            (None, true) => self.root_credentials(),
            (Some(account), false) => self.account_credentials(account.as_str()),
            (Some(account), true) => self.account_credentials(&format!("{account}-root")),
        }
    }

    pub(crate) fn address(&self) -> PathBuf {
        self.directory.join("address")
    }

    /// There only while the last server that ran spoke TLS.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("certificate")
    }

    /// What [`Self::write_endpoint`] said of where the server listens.
    pub(crate) fn read_address(&self) -> anyhow::Result<String> {
        let path = self.address();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(text.trim().to_owned())
    }

    fn aws_config(&self) -> PathBuf {
        self.directory.join("aws-config")
    }

    /// Says where the server listens and how it is reached.
    pub(crate) fn write_endpoint(&self, address: &str, endpoint: &Endpoint) -> io::Result<()> {
        let Endpoint { url, region } = endpoint;
        replace(
            &self.aws_config(),
            format!("[default]\nendpoint_url = {url}\nregion = {region}\n"),
        )?;
        replace(&self.address(), format!("{address}\n"))
    }

    /// What [`Self::write_endpoint`] said.
    pub(crate) fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let path = self.aws_config();
        let text = fs::read_to_string(&path).with_context(|| {
            let directory = self.directory.display();
            format!(
                "cannot read `{}`: no server has run with the data directory `{directory}`\nhint: start one with \
                 `packhouse serve --data {directory}`",
                path.display()
            )
        })?;
        let value =
            |key| entry(&text, key).with_context(|| format!("`{}` has no `{key}`", path.display()));
        Ok(Endpoint {
            url: value("endpoint_url")?.to_owned(),
            region: value("region")?.to_owned(),
        })
    }
}

/// Makes a credentials file, 0600, on the disk before this returns. Never overwrites one.
pub(crate) fn write_credentials(path: &Path, key: &Key) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let (id, secret) = (&key.id, key.secret.expose());
    let text = SecretString::new(format!(
        "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    ));
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

/// Puts another key in the place of the one that the file holds, if it is there: a reader sees one or the other.
pub(crate) fn replace_credentials(path: &Path, key: &Key) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    write_credentials(&new, key)?;
    fs::rename(&new, path)
}

/// Reads a credentials file. Refuses one that others than its owner may read.
pub(crate) fn read_credentials(path: &Path) -> anyhow::Result<Key> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("cannot read `{shown}`"))?;
    // Asked of the open file, so that it cannot be another one by now.
    let mode = file
        .metadata()
        .with_context(|| format!("cannot look at `{shown}`"))?
        .permissions()
        .mode()
        & 0o7777;
    if mode & 0o077 != 0 {
        bail!(
            "`{shown}` has mode {mode:04o}, which lets others than its owner in\nhint: chmod 0600 {shown}"
        );
    }
    let mut text = String::new();
    file.read_to_string(&mut text)
        .with_context(|| format!("cannot read `{shown}`"))?;
    let text = SecretString::new(text);
    let value =
        |key| entry(text.expose(), key).with_context(|| format!("`{shown}` has no `{key}`"));
    let id = value("aws_access_key_id")?.to_owned();
    ensure!(
        id.bytes().all(|b| b.is_ascii_alphanumeric()),
        "`{shown}` has an access key id that is none"
    );
    Ok(Key {
        id,
        secret: value("aws_secret_access_key")?.into(),
    })
}

/// The value of a key in the only section of an ini file.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then_some(value.trim())
    })
}

/// Puts a whole new file in the place of the old one, so that a reader sees one or the other.
pub(crate) fn replace(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_back_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin-credentials");
        let key = Key {
            id: "AKIAEXAMPLE".to_owned(),
            secret: "hush=+/".into(),
        };
        write_credentials(&path, &key).unwrap();
        let read = read_credentials(&path).unwrap();
        assert_eq!((read.id, read.secret), (key.id.clone(), key.secret.clone()));
        assert_eq!(
            write_credentials(&path, &key).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn credentials_that_others_may_read_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin-credentials");
        let key = Key {
            id: "AKIAEXAMPLE".to_owned(),
            secret: "hush".into(),
        };
        write_credentials(&path, &key).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_credentials(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn the_endpoint_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(&directory.path().join("made/here"));
        files.make_directory().unwrap();
        let endpoint = Endpoint {
            url: "http://127.0.0.1:1".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        files.write_endpoint("127.0.0.1:1", &endpoint).unwrap();
        assert_eq!(files.endpoint().unwrap(), endpoint);
        assert_eq!(
            fs::read_to_string(files.address()).unwrap(),
            "127.0.0.1:1\n"
        );
    }
}
