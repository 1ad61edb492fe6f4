//! Secrets at rest: sealed so that neither the database nor a backup of it gives one away.
//!
//! Signatures of version 4 are symmetric and their first step mixes in the date, so the server needs the real secret of every key; hashing
//! is impossible. Envelope encryption instead (`identity.md` 5.8): the master key wraps one data key per account, data
//! keys seal records with AES-256-GCM:
//!
//! ```text
//! wrapped   base64url( nonce[12] | ciphertext[32] | tag[16] )           bound to: data_keys, wrapped, owner, version
//! sealed    base64url( u8 1 | u32 data key version | nonce[12] | ciphertext | tag[16] )
//!                                                         bound to: table, column, primary key, owner, version
//! ```
//!
//! What a record is bound to is not stored in it but asked for when it is opened, so a row that was moved to another key,
//! table or account does not open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Nonce, Payload};
use arc_swap::ArcSwap;
use aws::{AccountId, Clock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::{Database, Row, Value};
use zeroize::Zeroizing;

use crate::master_key::MasterKey;
use crate::{Error, ids};

const FORM: u8 = 1;
const NONCE: usize = 12;
/// Form, version of the data key, nonce.
const HEAD: usize = 1 + 4 + NONCE;

/// Whose data key seals a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// An account's: access keys, sessions, credentials of upstream registries.
    Account(&'a AccountId),
    /// What belongs to no account: token keys.
    Installation,
}

impl Owner<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Account(account) => account.as_str(),
            Self::Installation => "installation",
        }
    }
}

/// The one cell that a sealed value may stand in.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row's primary key as text.
    pub key: &'a str,
}

/// Why a sealed value cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The data key was wrapped by a master key that was not given.
    #[error(
        "data key of `{owner}` is wrapped by master key `{master_key}`, which is not the one given"
    )]
    OtherMasterKey {
        /// Whose data key.
        owner: String,
        /// The name of the master key that wraps it.
        master_key: String,
    },
    /// It was changed, or stands in another row than the one it was sealed for.
    #[error("`{table}.{column}` does not open: it was changed or moved")]
    Tampered {
        /// Its table.
        table: String,
        /// Its column.
        column: String,
    },
    /// There is no such data key.
    #[error("there is no data key {version} of `{owner}`")]
    NoDataKey {
        /// Whose.
        owner: String,
        /// Which.
        version: u32,
    },
}

/// Whether a change of the master key is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// All data keys are wrapped by the key in use.
    Settled,
    /// Some are still wrapped by the one before; [`Vault::rewrap`] goes on with it.
    Unfinished,
    /// Some are wrapped by a key that is not known here: another node has changed it.
    Unknown,
}

/// Seals and opens; cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    database: Database,
    /// Another one is put in its place when it is changed; two readers that differ for a moment read the same.
    master: ArcSwap<MasterKey>,
    clock: Clock,
    /// By owner and version; a data key never changes.
    known: Mutex<HashMap<(String, u32), Arc<DataKey>>>,
    /// The version that seals, by owner.
    newest: Mutex<HashMap<String, Arc<DataKey>>>,
}

struct DataKey {
    version: u32,
    cipher: Aes256Gcm,
}

pub(crate) const NEWEST: &str = "
    SELECT version, master_key, wrapped
      FROM data_keys
     WHERE owner = $1
     ORDER BY version DESC
     LIMIT 1";

pub(crate) const VERSION: &str = "
    SELECT version, master_key, wrapped
      FROM data_keys
     WHERE owner = $1
       AND version = $2";

const INSERT: &str = "
    INSERT INTO data_keys (owner, version, master_key, wrapped, created)
    VALUES ($1, 1, $2, $3, $4)
        ON CONFLICT (owner, version) DO NOTHING";

const WRAPPED_BY_OTHERS: &str = "
    SELECT owner, version, master_key, wrapped
      FROM data_keys
     WHERE master_key <> $1
     ORDER BY owner, version";

pub(crate) const WRAPPERS: &str = "
    SELECT DISTINCT master_key
      FROM data_keys
     ORDER BY master_key";

const REWRAP: &str = "
    UPDATE data_keys
       SET master_key = $3, wrapped = $4
     WHERE owner = $1
       AND version = $2
       AND master_key = $5";

impl Vault {
    pub(crate) fn new(database: Database, master: MasterKey, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            database,
            master: ArcSwap::from_pointee(master),
            clock,
            known: Mutex::default(),
            newest: Mutex::default(),
        }))
    }

    /// Seals a value for one place. Makes the owner's data key when there is none yet.
    pub async fn seal(
        &self,
        owner: Owner<'_>,
        place: Place<'_>,
        value: &[u8],
    ) -> Result<String, Error> {
        let key = self.newest(owner).await?;
        Ok(key.seal(owner, place, value))
    }

    /// Opens what [`seal`](Self::seal) made for this very place and owner.
    pub async fn open(
        &self,
        owner: Owner<'_>,
        place: Place<'_>,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let tampered = || VaultError::Tampered {
            table: place.table.to_owned(),
            column: place.column.to_owned(),
        };
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| tampered())?;
        let version = match bytes.get(..HEAD) {
            Some([FORM, a, b, c, d, ..]) => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => return Err(tampered().into()),
        };
        let key = self.version(owner, version).await?;
        Ok(key.open(owner, place, &bytes).ok_or_else(tampered)?)
    }

    /// Wraps every data key with the current master key; says how many were not.
    ///
    /// Online: what was read before stays readable, and it may be stopped and run again.
    pub async fn rewrap(&self) -> Result<usize, Error> {
        let current = self.0.master.load().name();
        let rows = self
            .0
            .database
            .rows(WRAPPED_BY_OTHERS, vec![current.as_str().into()])
            .await?;
        for row in &rows {
            let (owner, version, before) = (
                row.text("owner")?,
                version_of(row)?,
                row.text("master_key")?,
            );
            let key = self.unwrap(&owner, row)?;
            let wrapped = self.wrap(&owner, version, &key);
            let values: [Value; 5] = [
                owner.into(),
                version.into(),
                current.as_str().into(),
                wrapped.into(),
                before.into(),
            ];
            self.0
                .database
                .write(move |tx| tx.execute(REWRAP, &values))
                .await?;
        }
        Ok(rows.len())
    }

    /// The master key in use.
    pub(crate) fn master(&self) -> MasterKey {
        MasterKey::clone(&self.0.master.load())
    }

    /// Uses this key from now on; what the one before wrapped stays readable.
    pub(crate) fn adopt(&self, master: &MasterKey) {
        self.0.master.rcu(|before| master.after(before));
    }

    /// What the data keys in the database say of the master key in use.
    pub async fn wrapping(&self) -> Result<Wrapping, Error> {
        let rows = self.0.database.rows(WRAPPERS, Vec::new()).await?;
        let master = self.0.master.load();
        let current = master.name();
        let mut wrapping = Wrapping::Settled;
        for row in &rows {
            let name = row.as_str("master_key")?;
            if master.cipher_named(name).is_none() {
                return Ok(Wrapping::Unknown);
            }
            if name != current {
                wrapping = Wrapping::Unfinished;
            }
        }
        Ok(wrapping)
    }

    async fn newest(&self, owner: Owner<'_>) -> Result<Arc<DataKey>, Error> {
        let name = owner.as_str();
        if let Some(key) = lock(&self.0.newest).get(name) {
            return Ok(Arc::clone(key));
        }
        let mut rows = self.0.database.rows(NEWEST, vec![name.into()]).await?;
        if rows.is_empty() {
            self.make(name).await?;
            rows = self.0.database.rows(NEWEST, vec![name.into()]).await?;
        }
        let row = rows.first().ok_or_else(|| VaultError::NoDataKey {
            owner: name.to_owned(),
            version: 1,
        })?;
        let key = self.remember(name, row)?;
        lock(&self.0.newest).insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    async fn version(&self, owner: Owner<'_>, version: u32) -> Result<Arc<DataKey>, Error> {
        let name = owner.as_str();
        if let Some(key) = lock(&self.0.known).get(&(name.to_owned(), version)) {
            return Ok(Arc::clone(key));
        }
        let rows = self
            .0
            .database
            .rows(VERSION, vec![name.into(), version.into()])
            .await?;
        let row = rows.first().ok_or_else(|| VaultError::NoDataKey {
            owner: name.to_owned(),
            version,
        })?;
        self.remember(name, row)
    }

    /// Two that do this at once end with one row, and both read that.
    async fn make(&self, owner: &str) -> Result<(), Error> {
        let key = Zeroizing::new(ids::random());
        let wrapped = self.wrap(owner, 1, &key);
        let now = self.0.clock.now().millis();
        let values: [Value; 4] = [
            owner.into(),
            self.0.master.load().name().into(),
            wrapped.into(),
            now.into(),
        ];
        self.0
            .database
            .write(move |tx| tx.execute(INSERT, &values))
            .await?;
        Ok(())
    }

    fn remember(&self, owner: &str, row: &Row) -> Result<Arc<DataKey>, Error> {
        let version = version_of(row)?;
        let key = Arc::new(DataKey {
            version,
            cipher: cipher(&self.unwrap(owner, row)?),
        });
        lock(&self.0.known).insert((owner.to_owned(), version), Arc::clone(&key));
        Ok(key)
    }

    fn wrap(&self, owner: &str, version: u32, key: &Zeroizing<[u8; 32]>) -> String {
        let nonce = ids::random::<NONCE>();
        let sealed = encrypt(
            &self.0.master.load().cipher(),
            &nonce,
            key.as_slice(),
            &bound(&WRAPPED, owner, version),
        );
        URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    fn unwrap(&self, owner: &str, row: &Row) -> Result<Zeroizing<[u8; 32]>, Error> {
        let tampered = || VaultError::Tampered {
            table: WRAPPED.table.to_owned(),
            column: WRAPPED.column.to_owned(),
        };
        let (version, master_key) = (version_of(row)?, row.text("master_key")?);
        let Some(cipher) = self.0.master.load().cipher_named(&master_key) else {
            return Err(VaultError::OtherMasterKey {
                owner: owner.to_owned(),
                master_key,
            }
            .into());
        };
        let bytes = URL_SAFE_NO_PAD
            .decode(row.as_str("wrapped")?)
            .map_err(|_| tampered())?;
        let (nonce, sealed) = bytes.split_first_chunk().ok_or_else(tampered)?;
        let key = decrypt(&cipher, nonce, sealed, &bound(&WRAPPED, owner, version))
            .ok_or_else(tampered)?;
        let key = key.as_slice().try_into().map_err(|_| tampered())?;
        Ok(Zeroizing::new(key))
    }
}

/// Where wrapped data keys stand; their row is owner and version, which are bound anyway.
const WRAPPED: Place<'static> = Place {
    table: "data_keys",
    column: "wrapped",
    key: "",
};

impl DataKey {
    fn seal(&self, owner: Owner<'_>, place: Place<'_>, value: &[u8]) -> String {
        let nonce = ids::random::<NONCE>();
        let sealed = encrypt(
            &self.cipher,
            &nonce,
            value,
            &bound(&place, owner.as_str(), self.version),
        );
        URL_SAFE_NO_PAD.encode(
            [
                &[FORM],
                self.version.to_be_bytes().as_slice(),
                &nonce,
                &sealed,
            ]
            .concat(),
        )
    }

    fn open(&self, owner: Owner<'_>, place: Place<'_>, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = bytes.get(HEAD - NONCE..)?.split_first_chunk()?;
        decrypt(
            &self.cipher,
            nonce,
            sealed,
            &bound(&place, owner.as_str(), self.version),
        )
    }
}

/// The associated data: five parts that hold no NUL, so that no two places are written alike.
fn bound(place: &Place<'_>, owner: &str, version: u32) -> Vec<u8> {
    let version = version.to_string();
    [place.table, place.column, place.key, owner, &version]
        .join("\0")
        .into_bytes()
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(key.as_slice()).expect("32 bytes are an AES-256 key")
}

fn encrypt(cipher: &Aes256Gcm, nonce: &[u8; NONCE], value: &[u8], bound: &[u8]) -> Vec<u8> {
    cipher
        .encrypt(
            &Nonce::<Aes256Gcm>::from(*nonce),
            Payload {
                msg: value,
                aad: bound,
            },
        )
        .expect("AES-GCM takes up to 64 GiB, and these are secrets of a few bytes")
}

fn decrypt(
    cipher: &Aes256Gcm,
    nonce: &[u8; NONCE],
    sealed: &[u8],
    bound: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let value = cipher.decrypt(
        &Nonce::<Aes256Gcm>::from(*nonce),
        Payload {
            msg: sealed,
            aad: bound,
        },
    );
    value.ok().map(Zeroizing::new)
}

fn version_of(row: &Row) -> Result<u32, Error> {
    u32::try_from(row.int("version")?).map_err(|source| Error::Damaged {
        what: "data key version",
        source: source.into(),
    })
}

/// What is in these maps stays whole whatever panics: entries are only ever added.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
