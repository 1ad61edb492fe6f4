//! Looking into a distribution file: its core metadata, and whether the file is what its name says.

use std::io::{self, Read, Seek, SeekFrom};

use catalog::Error;

use super::filename::{Distribution, Kind};
use super::zip::{Entry, Zip};
use super::{metadata, name, tar, version};

/// Bytes of a member that is read, at most.
pub(crate) const MEMBER_BYTES: u64 = metadata::MAX_BYTES;

/// Why a file cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// It is not what it should be.
    #[error("{0}")]
    Bad(String),
    /// It cannot be read just now.
    #[error(transparent)]
    Unread(#[from] io::Error),
}

impl From<ArchiveError> for Error {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Bad(what) => Error::Invalid(what),
            ArchiveError::Unread(error) => Error::Internal(error.into()),
        }
    }
}

pub(crate) fn bad(what: &str) -> ArchiveError {
    ArchiveError::Bad(what.to_owned())
}

/// The bytes of the core metadata in a file; `None` where a file of its kind need not have them. Nothing else of the file
/// is looked at: see [`check`].
pub(crate) fn core_metadata<R: Read + Seek + ?Sized>(
    source: &mut R,
    file: &Distribution<'_>,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    match file.kind {
        Kind::Wheel => {
            let mut zip = Zip::open(source)?;
            let directory = dist_info(&zip, file)?;
            let entry = member(&zip, &directory, "METADATA")?;
            zip.read(&entry).map(Some)
        }
        Kind::TarGz => {
            source.seek(SeekFrom::Start(0))?;
            tar::pkg_info(source)
        }
        Kind::Zip | Kind::Egg => {
            let mut zip = Zip::open(source)?;
            let is_wanted = |entry: &&Entry| match entry.name.split_once('/') {
                Some((directory, "PKG-INFO")) => file.kind == Kind::Zip || directory == "EGG-INFO",
                _ => false,
            };
            match zip.entries().iter().find(is_wanted).cloned() {
                Some(entry) => zip.read(&entry).map(Some),
                None => Ok(None),
            }
        }
        // Nobody has made one for many years.
        Kind::TarBz2 | Kind::Exe => Ok(None),
    }
}

/// Refuses a zip archive that programs could read differently, and a wheel without what every wheel has.
pub(crate) fn check<R: Read + Seek + ?Sized>(
    source: &mut R,
    file: &Distribution<'_>,
) -> Result<(), ArchiveError> {
    if !matches!(file.kind, Kind::Wheel | Kind::Zip | Kind::Egg) {
        return Ok(());
    }
    let mut zip = Zip::open(source)?;
    zip.check()?;
    if file.kind != Kind::Wheel {
        return Ok(());
    }
    let directory = dist_info(&zip, file)?;
    member(&zip, &directory, "WHEEL")?;
    let record = member(&zip, &directory, "RECORD")?;
    let record = zip.read(&record)?;
    let record = String::from_utf8(record).map_err(|_| bad("RECORD is not UTF-8"))?;
    let listed: std::collections::HashSet<String> = record.lines().map(first_field).collect();
    let unlisted = zip.entries().iter().find(|entry| {
        let is_signature = ["RECORD.jws", "RECORD.p7s"]
            .iter()
            .any(|name| entry.name == format!("{directory}/{name}"));
        !entry.is_directory() && !is_signature && !listed.contains(&entry.name)
    });
    match unlisted {
        Some(entry) => Err(bad(&format!("RECORD does not list `{}`", entry.name))),
        None => Ok(()),
    }
}

/// The first field of a line of comma-separated values.
fn first_field(line: &str) -> String {
    match line.strip_prefix('"') {
        Some(quoted) => {
            let mut field = String::new();
            let mut chars = quoted.chars().peekable();
            while let Some(c) = chars.next() {
                if c == '"' && chars.next_if_eq(&'"').is_none() {
                    break;
                }
                field.push(c);
            }
            field
        }
        None => line.split(',').next().unwrap_or_default().to_owned(),
    }
}

/// The one `.dist-info` directory of a wheel, which is named for its project and version.
fn dist_info<R: Read + Seek + ?Sized>(
    zip: &Zip<'_, R>,
    file: &Distribution<'_>,
) -> Result<String, ArchiveError> {
    let mut found: Option<&str> = None;
    for entry in zip.entries() {
        let directory = entry.name.split('/').next().unwrap_or_default();
        if directory.ends_with(".dist-info") && entry.name.contains('/') {
            match found {
                Some(known) if known != directory => {
                    return Err(bad("the wheel has two .dist-info directories"));
                }
                _ => found = Some(directory),
            }
        }
    }
    let directory = found.ok_or_else(|| bad("the wheel has no .dist-info directory"))?;
    let named = directory
        .strip_suffix(".dist-info")
        .and_then(|stem| stem.split_once('-'));
    let is_of_file = named.is_some_and(|(project, stated)| {
        name::normalise(project) == name::normalise(file.name)
            && version::are_equal(stated, file.version)
    });
    if !is_of_file {
        return Err(bad(&format!(
            "`{directory}` in the wheel is not named as the wheel is"
        )));
    }
    Ok(directory.to_owned())
}

fn member<R: Read + Seek + ?Sized>(
    zip: &Zip<'_, R>,
    directory: &str,
    name: &str,
) -> Result<Entry, ArchiveError> {
    zip.find(&format!("{directory}/{name}"))
        .cloned()
        .ok_or_else(|| bad(&format!("the wheel has no {name}")))
}
