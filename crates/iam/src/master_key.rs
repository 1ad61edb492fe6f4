//! The master key: the one secret that is never in the database and without which nothing sealed can be read.
//!
//! A file of 64 hex digits, readable by its owner alone. A backup of the database without it is useless, one with it
//! is sensitive. It only wraps the data keys of [`crate::vault`] and derives keys for short-lived things.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids;

/// Thirty-two random bytes, shared by everything that needs them; cheap to clone, never printed.
///
/// During a change two of them are readable: the one that wraps, and the one before ([`MasterKey::with_previous`]).
#[derive(Clone)]
pub struct MasterKey(Arc<Keys>);

struct Keys {
    current: Zeroizing<[u8; 32]>,
    previous: Option<Zeroizing<[u8; 32]>>,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made; when it is to be made and exists, the kind is `AlreadyExists`.
    #[error("master key file `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read or write the file.
    #[error("master key file `{}` has mode {mode:04o}, which lets others than its owner in\nhint: chmod 0600 it", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else than 64 hex digits and perhaps a line end.
    #[error("master key file `{}` does not hold 64 hex digits", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl MasterKey {
    /// Makes a key and its file, mode 0600, on the disk before this returns. Never overwrites one.
    pub fn create(path: &Path) -> Result<Self, MasterKeyError> {
        let key = Zeroizing::new(ids::random());
        write(path, &key).map_err(|source| MasterKeyError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::new(key))
    }

    /// Reads the file that [`create`](Self::create) made. Refuses one that others may read.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |source| MasterKeyError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(failed)?;
        // Asked of the open file, so that it cannot be another one by now.
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        // One byte more than the longest good text, so that a longer one shows. Filled in place: no copy is left behind.
        let mut text = Zeroizing::new([0_u8; 67]);
        let mut length = 0;
        while length < text.len() {
            match file.read(&mut text[length..]).map_err(failed)? {
                0 => break,
                read => length += read,
            }
        }
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text[..length].trim_ascii_end(), key.as_mut_slice()).map_err(
            |_| MasterKeyError::Malformed {
                path: path.to_owned(),
            },
        )?;
        Ok(Self::new(key))
    }

    /// A key that came from elsewhere: a key service, or a test.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self::new(Zeroizing::new(key))
    }

    /// The same key, which also reads what `previous` wrapped.
    #[must_use]
    pub fn with_previous(&self, previous: &Self) -> Self {
        Self(Arc::new(Keys {
            current: self.0.current.clone(),
            previous: Some(previous.0.current.clone()),
        }))
    }

    fn new(current: Zeroizing<[u8; 32]>) -> Self {
        Self(Arc::new(Keys {
            current,
            previous: None,
        }))
    }

    /// A key of its own for a purpose, the same after every start; `purpose` is a fixed text of the program.
    pub(crate) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.0.current, "derive", purpose)
    }

    /// The name of the wrapping key, under which wrapped keys are stored; says nothing about the key.
    pub(crate) fn name(&self) -> String {
        name(&self.0.current)
    }

    /// The cipher that wraps new data keys.
    pub(crate) fn cipher(&self) -> Aes256Gcm {
        cipher(&self.0.current)
    }

    /// The cipher of the key with this name, if it is one of ours.
    pub(crate) fn cipher_named(&self, wanted: &str) -> Option<Aes256Gcm> {
        let keys = std::iter::once(&self.0.current).chain(&self.0.previous);
        keys.into_iter().find(|key| name(key) == wanted).map(cipher)
    }
}

fn derive(key: &Zeroizing<[u8; 32]>, label: &str, purpose: &str) -> Zeroizing<[u8; 32]> {
    // The master key is uniformly random, so the first half of HKDF has nothing to do; this is its second, for one block.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("HMAC takes keys of any length");
    for part in ["packhouse/", label, "/1\0", purpose, "\x01"] {
        mac.update(part.as_bytes());
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn name(key: &Zeroizing<[u8; 32]>) -> String {
    hex::encode(&derive(key, "name", "")[..8])
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> Aes256Gcm {
    // A key of its own, so that wrapping and deriving never share one.
    let key = derive(key, "wrap", "");
    Aes256Gcm::new_from_slice(key.as_slice()).expect("32 bytes are an AES-256 key")
}

fn write(path: &Path, key: &Zeroizing<[u8; 32]>) -> io::Result<()> {
    let mut text = Zeroizing::new([b'\n'; 65]);
    hex::encode_to_slice(key.as_slice(), &mut text[..64]).expect("32 bytes are 64 digits");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_slice())?;
    file.sync_all()?;
    // The name, too, must survive a crash: a database sealed with a lost key is lost.
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_file_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let made = MasterKey::create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let read = MasterKey::from_file(&path).unwrap();
        assert_eq!(*made.derive("test"), *read.derive("test"));
        assert!(
            matches!(MasterKey::create(&path), Err(MasterKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists)
        );
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        MasterKey::create(&path).unwrap();
        for mode in [0o644, 0o640, 0o620, 0o604, 0o601] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(MasterKey::from_file(&path), Err(MasterKeyError::Open { mode: seen, .. }) if seen == mode),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn only_64_hex_digits_are_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        for (text, good) in [
            (digits.to_owned(), true),
            (format!("{digits}\n"), true),
            (format!("{digits}\r\n"), true),
            (String::new(), false),
            (digits[1..].to_owned(), false),
            (format!("{digits}00"), false),
            (format!("{digits}\n\n00"), false),
            (digits.replace('a', "g"), false),
        ] {
            let path = directory.path().join("key");
            fs::write(&path, &text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
            assert_eq!(MasterKey::from_file(&path).is_ok(), good, "{text:?}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn keys_of_different_purposes_have_nothing_in_common() {
        let key = MasterKey::from_bytes([7; 32]);
        assert_ne!(*key.derive("a"), *key.derive("b"));
        assert_ne!(
            *key.derive("a"),
            *MasterKey::from_bytes([8; 32]).derive("a")
        );
    }
}
