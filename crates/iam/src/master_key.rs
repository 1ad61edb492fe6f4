//! The master key: the one secret that is never in the database and without which nothing sealed can be read.
//!
//! A backup of the database without it is useless, one with it is sensitive. It only wraps the data keys of
//! [`crate::vault`] and derives keys for short-lived things. It comes from a file that its owner alone may read, or from
//! a command ([`crate::master_key_command`]); either says, a line each:
//!
//! ```text
//! 64 hex digits     the key
//! 64 hex digits     the key before, which is still read: there during and after a change
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
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
    /// Something else than a line of 64 hex digits, or two.
    #[error("master key file `{}` does not hold a line of 64 hex digits, or two", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// The command cannot be run.
    #[error("master key command `{program}`")]
    Command {
        /// Its first word; what follows may say where the key is.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command ended with an error, took too long, or printed something else. What it printed is not shown.
    #[error("master key command `{program}` {problem}")]
    NoKey {
        /// Its first word.
        program: String,
        /// What was wrong with it.
        problem: String,
    },
}

/// Of a key file or of what a command prints: two lines with the line ends of any system, and one byte more, so that a
/// longer text shows.
pub(crate) const TEXT: usize = 2 * (64 + 2) + 1;

impl MasterKey {
    /// Makes a key and its file, mode 0600, on the disk before this returns. Never overwrites one.
    pub fn create(path: &Path) -> Result<Self, MasterKeyError> {
        let key = Self::generate();
        let written = write(path, &key.0).and_then(|()| sync_directory(path));
        written.map_err(|source| MasterKeyError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(key)
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
        let mut text = Zeroizing::new([0_u8; TEXT]);
        let length = fill(&mut file, text.as_mut_slice()).map_err(failed)?;
        Self::parse(&text[..length]).ok_or_else(|| MasterKeyError::Malformed {
            path: path.to_owned(),
        })
    }

    /// A new key that is written nowhere yet.
    pub fn generate() -> Self {
        Self::new(Zeroizing::new(ids::random()))
    }

    /// Puts this key, and the one before if it has one, in the place of what the file holds: a reader sees one or the
    /// other, and it is on the disk before this returns.
    pub fn replace(&self, path: &Path) -> Result<(), MasterKeyError> {
        let failed = |source| MasterKeyError::Io {
            path: path.to_owned(),
            source,
        };
        let new = path.with_extension(format!("new-{}", std::process::id()));
        // Of a process with this number that was killed.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        write(&new, &self.0).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)?;
        sync_directory(path).map_err(failed)
    }

    /// Whether both wrap with the same key.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name() == other.name()
    }

    /// The text of a file or of a command; `None` for anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = text.trim_ascii_end().split(|byte| *byte == b'\n');
        let current = digits(lines.next()?)?;
        let previous = match lines.next() {
            Some(line) => Some(digits(line)?),
            None => None,
        };
        lines
            .next()
            .is_none()
            .then(|| Self(Arc::new(Keys { current, previous })))
    }

    /// A key that came from elsewhere: a key service, or a test.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self::new(Zeroizing::new(key))
    }

    /// The same key, which reads what `other` wrapped unless it has a key before it already.
    #[must_use]
    pub(crate) fn after(&self, other: &Self) -> Self {
        if self.0.previous.is_some() || self.is_same(other) {
            self.clone()
        } else {
            self.with_previous(other)
        }
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

/// Reads until the end or until there is no room; nothing is copied on the way.
pub(crate) fn fill(from: &mut impl io::Read, text: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < text.len() {
        match from.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn digits(line: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(line.trim_ascii_end(), key.as_mut_slice()).ok()?;
    Some(key)
}

fn write(path: &Path, keys: &Keys) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    for key in std::iter::once(&keys.current).chain(&keys.previous) {
        let mut text = Zeroizing::new([b'\n'; 65]);
        hex::encode_to_slice(key.as_slice(), &mut text[..64]).expect("32 bytes are 64 digits");
        file.write_all(text.as_slice())?;
    }
    file.sync_all()
}

/// The name, too, must survive a crash: a database sealed with a lost key is lost.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs::Permissions;

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
    fn a_changed_key_reads_what_the_one_before_wrapped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let first = MasterKey::create(&path).unwrap();
        let second = MasterKey::generate().after(&first);
        second.replace(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = MasterKey::from_file(&path).unwrap();
        assert!(read.is_same(&second) && !read.is_same(&first));
        assert!(read.cipher_named(&first.name()).is_some());
        // The one before that is read no more.
        let third = MasterKey::generate().after(&MasterKey::new(read.0.current.clone()));
        assert!(third.cipher_named(&first.name()).is_none());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
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
            (format!("{digits}\n{digits}"), true),
            (format!("{digits}\r\n{digits}\r\n"), true),
            (format!("{digits}\n{digits}\n{digits}"), false),
            (format!("{digits}\n\n{digits}"), false),
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
