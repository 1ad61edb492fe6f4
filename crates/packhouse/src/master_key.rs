//! Where the master key comes from, and how it is changed while the server runs.
//!
//! The place holds the key and, after a change, the one before: so whatever moment a process is killed in, the next start
//! can read everything, and goes on with wrapping. Whoever changes it by hand (the only way when a command prints it) puts
//! the new key before the old one, on every node.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use iam::vault::Wrapping;
use iam::{Iam, MasterKey, MasterKeyError};
use store::Database;
use tokio::sync::Mutex;

/// For a command that prints the key.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A file that its owner alone may read.
    File(PathBuf),
    /// Program and arguments.
    Command(Vec<String>),
}

impl KeySource {
    /// Reads it; blocks for as long as a command takes.
    pub(crate) fn read(&self) -> Result<MasterKey, MasterKeyError> {
        match self {
            Self::File(path) => MasterKey::from_file(path),
            Self::Command(words) => MasterKey::from_command(words, PATIENCE),
        }
    }

    async fn read_aside(&self) -> anyhow::Result<MasterKey> {
        let source = self.clone();
        let read = tokio::task::spawn_blocking(move || source.read());
        Ok(read.await??)
    }

    /// The key to start with. Made when there is no file, unless the database was sealed with one.
    pub(crate) async fn at_start(&self, database: &Database) -> anyhow::Result<MasterKey> {
        let read = self.read();
        let Self::File(path) = self else {
            return Ok(read?);
        };
        match read {
            Err(MasterKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let shown = path.display();
                if Iam::is_sealed(database).await? {
                    bail!(
                        "the master key `{shown}` is not there, and this database was sealed with one\nhint: put it \
                         back; if it is lost for good, see `packhouse key reset --help`"
                    );
                }
                let key = MasterKey::create(path)?;
                tracing::warn!(
                    "made the master key `{shown}`: a backup of the database without it is useless, one with it is \
                     sensitive"
                );
                Ok(key)
            }
            read => Ok(read?),
        }
    }
}

/// Looks after the master key of a running server.
pub(crate) struct Keeper {
    source: KeySource,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Keeper {
    pub(crate) fn new(source: KeySource) -> Self {
        Self {
            source,
            changing: Mutex::default(),
        }
    }

    /// Changes the key: to a new one, or to the one that somebody has put in its place; says how many data keys it wraps
    /// anew.
    pub(crate) async fn change(&self, iam: &Iam) -> anyhow::Result<usize> {
        let _changing = self.changing.lock().await;
        let used = iam.master_key();
        let mut next = self.source.read_aside().await?;
        if next.is_same(&used) {
            let KeySource::File(path) = &self.source else {
                bail!(
                    "the command still prints the key that is in use\nhint: let it print a new one first, and this one on \
                     a second line"
                );
            };
            next = MasterKey::generate().with_previous(&used);
            let (stored, path) = (next.clone(), path.clone());
            // Stored before anything is wrapped with it.
            tokio::task::spawn_blocking(move || stored.replace(&path)).await??;
        }
        let wrapped = iam.change_master_key(&next).await?;
        tracing::info!(wrapped, "the master key was changed");
        Ok(wrapped)
    }

    /// Goes on with a change that was interrupted, or was made by another node.
    pub(crate) async fn settle(&self, iam: &Iam) -> anyhow::Result<()> {
        let wrapping = iam.vault().wrapping().await?;
        if wrapping == Wrapping::Settled {
            return Ok(());
        }
        let _changing = self.changing.lock().await;
        if wrapping == Wrapping::Unfinished {
            let wrapped = iam.vault().rewrap().await?;
            tracing::info!(wrapped, "went on with the change of the master key");
            return Ok(());
        }
        let next = self.source.read_aside().await?;
        iam.change_master_key(&next)
            .await
            .context("another node has changed the master key, and this one does not have it")?;
        tracing::info!("another node has changed the master key; this one has it now");
        Ok(())
    }
}
