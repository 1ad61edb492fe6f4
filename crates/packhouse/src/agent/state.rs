//! The state directory: who this machine is, and what proves it.
//!
//! ```text
//! DIR/identity.json      the machine's id, its server, its private key      } 0600, in a directory that is
//! DIR/container-token    what clients of the container endpoint show        } 0700
//! ```
//!
//! Whoever can read the first has the machine's role. The second may be given to one user or group.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use aws::{AccountId, MachineId, Region, SecretString};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::server::{Pin, ServerUrl};

/// The form of `identity.json`.
const VERSION: u32 = 1;

/// Who a machine is.
pub(super) struct Identity {
    pub(super) machine: MachineId,
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) server: ServerUrl,
    pub(super) pin: Option<Pin>,
    pub(super) key: PrivateKey,
}

/// An Ed25519 key; does not print.
pub(super) struct PrivateKey {
    pair: Ed25519KeyPair,
    /// PKCS#8 in base64url.
    kept: SecretString,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    version: u32,
    server: String,
    machine_id: String,
    account_id: AccountId,
    region: Region,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
    private_key: String,
}

impl PrivateKey {
    pub(super) fn generate() -> anyhow::Result<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| anyhow!("a key cannot be made"))?;
        let kept = SecretString::from(URL_SAFE_NO_PAD.encode(document.as_ref()));
        Self::read(kept)
    }

    fn read(kept: SecretString) -> anyhow::Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(kept.expose());
        let bytes = aws::Secret::new(bytes.map_err(|_| anyhow!("the private key does not read"))?);
        let pair = Ed25519KeyPair::from_pkcs8(bytes.expose())
            .map_err(|_| anyhow!("the private key does not read"))?;
        Ok(Self { pair, kept })
    }

    pub(super) fn public(&self) -> &[u8] {
        use aws_lc_rs::signature::KeyPair as _;
        self.pair.public_key().as_ref()
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

impl Identity {
    fn path(directory: &Path) -> PathBuf {
        directory.join("identity.json")
    }

    /// Puts this identity in the place of an older one, on the disk before this returns.
    pub(super) fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let written = Written {
            version: VERSION,
            server: self.server.to_string(),
            machine_id: self.machine.to_string(),
            account_id: self.account,
            region: self.region.clone(),
            pin: self.pin.as_ref().map(ToString::to_string),
            private_key: self.key.kept.expose().clone(),
        };
        let text = SecretString::from(serde_json::to_string_pretty(&written)?);
        let path = Self::path(directory);
        replace(&path, text.expose()).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Reads what [`Identity::write`] wrote. Refuses a file that others than its owner may read.
    pub(super) fn read(directory: &Path) -> anyhow::Result<Self> {
        let path = Self::path(directory);
        let shown = path.display();
        let mut file = File::open(&path).with_context(|| {
            format!(
                "cannot read `{shown}`\nhint: enrol this machine with `packhouse agent enroll`, or name another directory \
                 with --state"
            )
        })?;
        let mode = mode(&file)?;
        ensure!(
            !lets_in(mode, 0o077),
            "`{shown}` has mode {mode:04o}, which lets others than its owner in\nhint: chmod 0600 it, and enrol the machine \
             anew if others are on it"
        );
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let text = SecretString::from(text);
        // The error is not shown: it may quote the key.
        let Ok(written) = serde_json::from_str::<Written>(text.expose()) else {
            bail!("`{shown}` does not read");
        };
        ensure!(
            written.version == VERSION,
            "`{shown}` was written by another version of this program"
        );
        Ok(Self {
            machine: written.machine_id.parse()?,
            account: written.account_id,
            region: written.region,
            server: written.server.parse().map_err(|why| anyhow!("{why}"))?,
            pin: written
                .pin
                .map(|pin| pin.parse())
                .transpose()
                .map_err(|why| anyhow!("{why}"))?,
            key: PrivateKey::read(written.private_key.into())?,
        })
    }
}

/// Makes the state directory for its owner alone.
pub(super) fn make_directory(directory: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make `{}`", directory.display()))
}

/// The token of the container endpoint: read from its file, or made together with it.
///
/// Whoever may read the file may have the role, so its owner may open it to a user or a group, never to everyone. No
/// newline at the end: clients send the file as it is, and a newline is no part of a header.
pub(super) fn container_token(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Ok(mut file) => {
            let token = random_token()?;
            file.write_all(token.expose().as_bytes())
                .with_context(|| format!("cannot write `{shown}`"))?;
            return Ok(token);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot make `{shown}`")),
    }
    let mut file = File::open(path).with_context(|| format!("cannot read `{shown}`"))?;
    let mode = mode(&file)?;
    ensure!(
        !lets_in(mode, 0o007),
        "`{shown}` has mode {mode:04o}, which lets everyone in\nhint: delete it; a new one is made at the start"
    );
    let mut token = String::new();
    file.read_to_string(&mut token)?;
    let token = SecretString::from(token);
    let is_token =
        token.expose().len() >= 32 && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(
        is_token,
        "`{shown}` is no token: it has at least 32 characters, no blanks and no newline\nhint: delete it; a new one is made \
         at the start"
    );
    Ok(token)
}

/// 256 bits, in base64url.
pub(super) fn random_token() -> anyhow::Result<SecretString> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow!("there are no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// 128 bits, in hex.
pub(super) fn random_nonce() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow!("there are no random numbers"))?;
    Ok(hex::encode(bytes))
}

/// Whether a file's mode gives any of these rights.
fn lets_in(mode: u32, rights: u32) -> bool {
    mode & rights != 0
}

fn mode(file: &File) -> io::Result<u32> {
    // Asked of the open file, so that it cannot be another one by now.
    Ok(file.metadata()?.permissions().mode() & 0o7777)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What is left of it holds a key.
        _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            machine: "i-0123456789abcdef0".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            server: "https://packages.example".parse().unwrap(),
            pin: None,
            key: PrivateKey::generate().unwrap(),
        }
    }

    #[test]
    fn an_identity_is_read_back_with_the_same_key() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("made/here");
        make_directory(&state).unwrap();
        let identity = identity();
        identity.write(&state).unwrap();
        let read = Identity::read(&state).unwrap();
        assert_eq!(read.key.public(), identity.key.public());
        assert_eq!(read.machine, identity.machine);
        assert_eq!(read.server, identity.server);
        let directory_mode = fs::metadata(&state).unwrap().permissions().mode();
        let file_mode = fs::metadata(Identity::path(&state)).unwrap();
        let file_mode = file_mode.permissions().mode();
        assert_eq!(
            (directory_mode & 0o7777, file_mode & 0o7777),
            (0o700, 0o600)
        );
        // A new enrolment takes its place.
        let other = self::identity();
        other.write(&state).unwrap();
        assert_eq!(
            Identity::read(&state).unwrap().key.public(),
            other.key.public()
        );
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        identity().write(directory.path()).unwrap();
        let path = Identity::path(directory.path());
        let key = fs::read_to_string(&path).unwrap();
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = format!("{:?}", Identity::read(directory.path()).err().unwrap());
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, &key[..key.len() / 2]).unwrap();
        let error = format!("{:?}", Identity::read(directory.path()).err().unwrap());
        assert!(error.contains("does not read"), "{error}");
    }

    #[test]
    fn the_container_token_is_made_once_and_has_no_newline() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("container-token");
        let token = container_token(&path).unwrap();
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(&written, token.expose());
        assert!(!written.ends_with('\n'));
        assert_eq!(container_token(&path).unwrap(), token);
        // Its owner may let a group in, but not everyone.
        for (mode, is_good) in [(0o640, true), (0o644, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(container_token(&path).is_ok(), is_good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, format!("{written}\n")).unwrap();
        let error = container_token(&path).unwrap_err().to_string();
        assert!(error.contains("newline") && !error.contains(&written));
    }
}
