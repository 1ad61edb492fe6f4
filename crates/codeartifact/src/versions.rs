//! Several versions of one package at once: copy, change their status, dispose, delete.
//!
//! All or nothing: the answer has two maps, and when the second has anything in it, nothing was done.

use std::collections::BTreeMap;

use aws::reader::Reader;
use aws::{Fault, Member as _, Reason};
use catalog::{
    Action, Copying, FailureCode, Formats, Outcomes, RepositoryAt, Selection, Status, Version,
};
use iam::Caller;
use serde::Serialize;

use crate::at::{self, Naming, PackageInput};
use crate::members::{Revision, StatusFilter, name};
use crate::{Answer, Failure, Request};

/// The most versions that one call may name.
const MAX_VERSIONS: usize = 100;

#[derive(Serialize)]
struct Output {
    #[serde(rename = "successfulVersions")]
    successful_versions: BTreeMap<Version, Success>,
    #[serde(rename = "failedVersions")]
    failed_versions: BTreeMap<Version, FailureOutput>,
}

#[derive(Serialize)]
struct Success {
    revision: String,
    status: &'static str,
}

#[derive(Serialize)]
struct FailureOutput {
    #[serde(rename = "errorCode")]
    error_code: &'static str,
    #[serde(rename = "errorMessage")]
    error_message: String,
}

impl From<(String, Option<Status>)> for Success {
    fn from((revision, status): (String, Option<Status>)) -> Self {
        Self {
            revision,
            status: status.map_or("Deleted", Status::as_str),
        }
    }
}

impl From<(FailureCode, String)> for FailureOutput {
    fn from((code, error_message): (FailureCode, String)) -> Self {
        Self {
            error_code: code.as_str(),
            error_message,
        }
    }
}

fn answer(outcomes: Outcomes) -> Result<Answer, Failure> {
    let Outcomes { successful, failed } = outcomes;
    Answer::json(&Output {
        successful_versions: successful
            .into_iter()
            .map(|(v, what)| (v, what.into()))
            .collect(),
        failed_versions: failed.into_iter().map(|(v, why)| (v, why.into())).collect(),
    })
}

/// `versions` of the body; `None` inside when absent.
#[expect(
    clippy::option_option,
    reason = "outside: could it be read; inside: is it there"
)]
fn versions(read: &mut Reader<'_>) -> Option<Option<Vec<Version>>> {
    read.body("versions", "versions")
        .optional_list_of(MAX_VERSIONS, |version| version.required_with(name))
}

type Revisions = Vec<(Version, Revision)>;

/// `versionRevisions` of the body.
#[expect(
    clippy::option_option,
    reason = "outside: could it be read; inside: is it there"
)]
fn revisions(read: &mut Reader<'_>) -> Option<Option<Revisions>> {
    read.body("versionRevisions", "versionRevisions")
        .optional_map_of(
            |version| version.required_with(name),
            |revision| revision.required_with(Revision::parse),
        )
}

/// What the calls on one repository have in common.
struct Chosen {
    package: PackageInput,
    versions: Vec<Version>,
    revisions: Option<Revisions>,
    expected: Option<StatusFilter>,
}

/// The package, and `versions` and `expectedStatus` of the body. `versionRevisions` is another thing that not all have.
fn chosen(read: &mut Reader<'_>, caller: &Caller) -> Option<Chosen> {
    let package = at::package(read, caller);
    let versions = read
        .body("versions", "versions")
        .required_list_of(MAX_VERSIONS, |version| version.required_with(name));
    let expected = read
        .body("expectedStatus", "expectedStatus")
        .optional::<StatusFilter>();
    Some(Chosen {
        package: package?,
        versions: versions?,
        revisions: None,
        expected: expected?,
    })
}

fn chosen_with_revisions(read: &mut Reader<'_>, caller: &Caller) -> Option<Chosen> {
    let chosen = chosen(read, caller);
    let revisions = revisions(read);
    Some(Chosen {
        revisions: revisions?,
        ..chosen?
    })
}

impl Chosen {
    /// What the catalog is to act on. Errors: `ValidationException` when it cannot be meant.
    fn selection(&self, formats: &Formats) -> Result<Selection, Fault> {
        if self.versions.is_empty() {
            return Err(unusable("versions must not be empty"));
        }
        let normal = |version: &Version| self.package.names.version(version, formats);
        let versions: Vec<Version> = self.versions.iter().map(normal).collect::<Result<_, _>>()?;
        let mut revisions = BTreeMap::new();
        for (version, Revision(revision)) in self.revisions.iter().flatten() {
            revisions.insert(normal(version)?, revision.clone());
        }
        let is_named = |version: &Version| versions.contains(version);
        let agrees = versions
            .iter()
            .all(|version| revisions.contains_key(version))
            && revisions.keys().all(is_named);
        if self.revisions.is_some() && !agrees {
            return Err(unusable(
                "the keys of versionRevisions must be the entries of versions",
            ));
        }
        let expected = match self.expected {
            None => None,
            Some(StatusFilter::Recorded(status)) => Some(status),
            Some(StatusFilter::Deleted) => {
                return Err(unusable(
                    "expectedStatus cannot be Deleted, which no version is",
                ));
            }
        };
        Ok(Selection {
            versions,
            revisions,
            expected,
        })
    }
}

fn unusable(message: &str) -> Fault {
    Fault::validation(Reason::Other, message)
}

pub(crate) async fn update_status(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (chosen, target) = request.read(|read| {
        let chosen = chosen_with_revisions(read, &cx.caller);
        let target = read
            .body("targetStatus", "targetStatus")
            .required::<StatusFilter>();
        Some((chosen?, target?))
    })?;
    let formats = cx.catalog.formats();
    let id = chosen.package.id(formats, Naming::Existing)?;
    let selection = chosen.selection(formats)?;
    let target = match target {
        StatusFilter::Recorded(
            status @ (Status::Published | Status::Unlisted | Status::Archived),
        ) => status,
        StatusFilter::Recorded(Status::Unfinished | Status::Disposed) | StatusFilter::Deleted => {
            return Err(unusable("targetStatus must be Published, Unlisted or Archived").into());
        }
    };
    let at = &chosen.package.repository;
    let action = Action::UpdatePackageVersionsStatus;
    let package = cx.catalog.package(&cx.caller, action, at, &id).await?;
    answer(package.set_status(selection, target).await?)
}

pub(crate) async fn dispose(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let chosen = request.read(|read| chosen_with_revisions(read, &cx.caller))?;
    let formats = cx.catalog.formats();
    let id = chosen.package.id(formats, Naming::Existing)?;
    let selection = chosen.selection(formats)?;
    let at = &chosen.package.repository;
    let action = Action::DisposePackageVersions;
    let package = cx.catalog.package(&cx.caller, action, at, &id).await?;
    answer(package.dispose(selection).await?)
}

pub(crate) async fn delete(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let chosen = request.read(|read| chosen(read, &cx.caller))?;
    let formats = cx.catalog.formats();
    let id = chosen.package.id(formats, Naming::Existing)?;
    let selection = chosen.selection(formats)?;
    let at = &chosen.package.repository;
    let action = Action::DeletePackageVersions;
    let package = cx.catalog.package(&cx.caller, action, at, &id).await?;
    answer(package.delete_versions(selection).await?)
}

pub(crate) async fn copy(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let formats = cx.catalog.formats();
    let (domain, source, destination, names, flags) = request.read(|read| {
        let domain = at::domain(read, &cx.caller);
        let source = read
            .query("source-repository", "sourceRepository")
            .required_with(name);
        let destination = read
            .query("destination-repository", "destinationRepository")
            .required_with(name);
        let package = at::names(read);
        let versions = versions(read);
        let revisions = revisions(read);
        let overwrite = read
            .body("allowOverwrite", "allowOverwrite")
            .optional::<bool>();
        let upstream = read
            .body("includeFromUpstream", "includeFromUpstream")
            .optional::<bool>();
        let flags = (
            overwrite?.unwrap_or_default(),
            upstream?.unwrap_or_default(),
        );
        Some((
            domain?,
            source?,
            destination?,
            (package?, versions?, revisions?),
            flags,
        ))
    })?;
    let (package, versions, revisions) = names;
    let id = package.id(formats, Naming::Existing)?;
    let given = match (versions, revisions) {
        (Some(versions), None) => versions
            .into_iter()
            .map(|version| (version, None))
            .collect(),
        (None, Some(revisions)) => {
            let some = |(version, Revision(revision))| (version, Some(revision));
            revisions.into_iter().map(some).collect::<Vec<_>>()
        }
        _ => return Err(unusable("either versions or versionRevisions must be given").into()),
    };
    if given.is_empty() {
        return Err(unusable("no version is given").into());
    }
    let mut versions = Vec::with_capacity(given.len());
    let mut revisions = BTreeMap::new();
    for (version, revision) in given {
        let version = package.version(&version, formats)?;
        revisions.extend(revision.map(|revision| (version.clone(), revision)));
        versions.push(version);
    }
    let (allow_overwrite, include_from_upstream) = flags;
    let place = |name| RepositoryAt {
        domain: domain.clone(),
        name,
    };
    let copying = Copying {
        source: place(source),
        destination: place(destination),
        package: id,
        versions,
        revisions,
        allow_overwrite,
        include_from_upstream,
    };
    answer(cx.catalog.copy_versions(&cx.caller, copying).await?)
}
