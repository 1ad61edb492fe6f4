//! Old versions as simple as they can be said: what was removed and how it comes back, rules, and what is found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::lifecycle::Then;
use catalog::{RESTORE_WINDOW, Restrictions, Status};

use super::model::{FILES, Model, PACKAGES, Package, REPOSITORIES, Said, VERSIONS, Version};
use super::model::{bytes, skipping};

const DAY: Duration = Duration::from_hours(24);

/// A version as it was when it was removed.
#[derive(Debug, Clone)]
pub(super) struct Removed {
    pub(super) package: usize,
    pub(super) number: usize,
    pub(super) version: Version,
    control: Restrictions,
    at: Duration,
    /// By which run of which rules; `None`: by hand.
    run: Option<usize>,
}

/// A run of rules: what it did, and whether that was undone.
#[derive(Debug, Clone, Default)]
pub(super) struct Run(Vec<(Planned, bool)>);

/// What becomes of a version.
#[derive(Debug, Clone, Copy)]
struct Planned {
    package: usize,
    number: usize,
    status: Status,
    then: Then,
}

/// A rule in the words of the model.
pub(super) struct Rule {
    /// All, if there are none.
    pub(super) packages: &'static [usize],
    pub(super) statuses: &'static [Status],
    pub(super) newest: Option<u32>,
    pub(super) days: Option<u32>,
    pub(super) published_here: bool,
    pub(super) then: Then,
}

const KEEPS: Rule = Rule {
    packages: &[],
    statuses: &[],
    newest: None,
    days: None,
    published_here: false,
    then: Then::Delete,
};

/// What rules a repository may have.
pub(super) const RULES: [&[Rule]; 5] = [
    &[Rule {
        newest: Some(1),
        then: Then::Archive,
        ..KEEPS
    }],
    &[Rule {
        newest: Some(2),
        days: Some(2),
        then: Then::Dispose,
        ..KEEPS
    }],
    &[
        Rule {
            packages: &[0, 3],
            published_here: true,
            then: Then::Dispose,
            ..KEEPS
        },
        Rule {
            days: Some(1),
            ..KEEPS
        },
    ],
    &[
        Rule {
            statuses: &[Status::Unlisted, Status::Published],
            newest: Some(1),
            then: Then::Archive,
            ..KEEPS
        },
        Rule {
            statuses: &[Status::Archived, Status::Disposed, Status::Unfinished],
            days: Some(3),
            ..KEEPS
        },
    ],
    &[Rule {
        statuses: &[Status::Unfinished],
        newest: Some(0),
        then: Then::Dispose,
        ..KEEPS
    }],
];

impl Rule {
    fn is_about(&self, package: usize, version: &Version) -> bool {
        let is_status = if self.statuses.is_empty() {
            !matches!(version.status, Status::Unfinished | Status::Disposed)
        } else {
            self.statuses.contains(&version.status)
        };
        is_status && (self.packages.is_empty() || self.packages.contains(&package))
    }

    fn keeps(&self, repository: usize, version: &Version, place: u32, now: Duration) -> bool {
        self.newest.is_some_and(|newest| place < newest)
            || (self.published_here && version.origin == repository)
            || self
                .days
                .is_some_and(|days| version.published + DAY * days > now)
    }

    fn changes(&self, status: Status) -> bool {
        match self.then {
            Then::Archive => status != Status::Archived,
            Then::Dispose => status != Status::Disposed,
            Then::Delete => true,
        }
    }
}

impl Model {
    /// Takes versions away: disposed of ones stay without their files, others go. All or none.
    pub(super) fn remove(
        &mut self,
        repository: usize,
        package: usize,
        versions: &[usize],
        then: Then,
        run: Option<usize>,
    ) -> Said {
        let at = self.now;
        let recorded = self.repositories[repository].packages.get(&package);
        let control = recorded.map(|package| package.control);
        let mut removed = Vec::new();
        let said = self.act(
            repository,
            package,
            versions,
            |_| None,
            |all, number| {
                let version = all.get_mut(&number).unwrap();
                // One that was disposed of before is remembered already.
                if version.status != Status::Disposed {
                    removed.push(Removed {
                        package,
                        number,
                        version: version.clone(),
                        control: control.unwrap(),
                        at,
                        run,
                    });
                }
                if then == Then::Dispose {
                    version.status = Status::Disposed;
                    version.files.clear();
                } else {
                    all.remove(&number);
                }
            },
        );
        self.repositories[repository].removed.extend(removed);
        said
    }

    /// Removes a package with all its versions.
    pub(super) fn remove_package(&mut self, repository: usize, package: usize) -> Said {
        let Some(recorded) = self.repositories[repository].packages.get(&package) else {
            return Said::Refused("no package");
        };
        let versions: Vec<_> = recorded.versions.keys().copied().collect();
        self.remove(repository, package, &versions, Then::Delete, None);
        self.repositories[repository].packages.remove(&package);
        Said::Done
    }

    /// Those that can still be brought back, oldest first.
    pub(super) fn removed(&self, repository: usize, package: usize) -> Vec<&Removed> {
        let removed = self.repositories[repository].removed.iter();
        let removed = removed.filter(|one| one.package == package);
        removed
            .filter(|one| one.at + RESTORE_WINDOW > self.now)
            .collect()
    }

    /// Brings versions back as they were; all or none. `run`: only what this run removed.
    pub(super) fn restore(
        &mut self,
        repository: usize,
        package: usize,
        versions: &[usize],
        run: Option<usize>,
    ) -> Said {
        let mut found = BTreeMap::new();
        let said = versions.iter().map(|number| {
            let removed = self.removed(repository, package).into_iter().rev();
            let mut removed = removed.filter(|one| run.is_none() || one.run == run);
            let Some(newest) = removed.find(|one| one.number == *number) else {
                return (*number, Some("NOT_FOUND"));
            };
            let there = self.repositories[repository].version(package, *number);
            let is_free = there.is_none_or(|there| {
                there.status == Status::Disposed && there.row == newest.version.row
            });
            found.insert(*number, newest.clone());
            (*number, (!is_free).then_some("ALREADY_EXISTS"))
        });
        let said: BTreeMap<_, _> = said.collect();
        if said.values().all(Option::is_none) {
            let repository = &mut self.repositories[repository];
            for (number, removed) in found {
                let package = repository.packages.entry(package);
                let package = package.or_insert_with(|| Package {
                    control: removed.control,
                    versions: BTreeMap::new(),
                });
                package.versions.insert(number, removed.version.clone());
                // Each record is removed at one time once.
                let is_it =
                    |one: &Removed| (one.version.row, one.at) == (removed.version.row, removed.at);
                repository.removed.retain(|one| !is_it(one));
            }
        }
        Said::Versions(skipping(said))
    }

    /// What the rules of a repository do not keep.
    fn planned(&self, repository: usize) -> Option<Vec<Planned>> {
        let here = &self.repositories[repository];
        let rules = RULES[here.rules?];
        let mut planned = Vec::new();
        for (package, recorded) in &here.packages {
            let mut places = vec![0; rules.len()];
            for (number, version) in recorded.versions.iter().rev() {
                let about = rules
                    .iter()
                    .position(|rule| rule.is_about(*package, version));
                let Some(at) = about else { continue };
                let keeps = rules[at].keeps(repository, version, places[at], self.now);
                places[at] += 1;
                if !keeps && rules[at].changes(version.status) {
                    planned.push(Planned {
                        package: *package,
                        number: *number,
                        status: version.status,
                        then: rules[at].then,
                    });
                }
            }
        }
        Some(planned)
    }

    /// Applies the rules of a repository.
    pub(super) fn run_rules(&mut self, repository: usize) -> Said {
        let Some(planned) = self.planned(repository) else {
            return Said::Refused("no rules");
        };
        let run = self.repositories[repository].runs.len();
        let mut done = BTreeSet::new();
        for one in &planned {
            let Planned {
                package,
                number,
                then,
                ..
            } = *one;
            if then == Then::Archive {
                self.set_status(repository, package, number, Status::Archived);
            } else {
                self.remove(repository, package, &[number], then, Some(run));
            }
            done.insert(format!("{} {} {then}", PACKAGES[package], VERSIONS[number]));
        }
        let run = planned.into_iter().map(|one| (one, false)).collect();
        self.repositories[repository].runs.push(Run(run));
        Said::These(done)
    }

    fn set_status(&mut self, repository: usize, package: usize, number: usize, status: Status) {
        let package = self.repositories[repository].packages.get_mut(&package);
        let version = package.unwrap().versions.get_mut(&number);
        version.unwrap().status = status;
    }

    /// Undoes the last run of the rules, or one before: so many before.
    pub(super) fn undo(&mut self, repository: usize, before: usize) -> Said {
        let runs = &self.repositories[repository].runs;
        let Some(run) = runs.len().checked_sub(before + 1) else {
            return Said::Refused("no run");
        };
        let (mut restored, mut failed) = (0, 0);
        let mut results = runs[run].0.clone();
        for (one, is_undone) in results.iter_mut().filter(|(_, is_undone)| !is_undone) {
            let Planned {
                package, number, ..
            } = *one;
            *is_undone = if one.then == Then::Archive {
                let there = self.repositories[repository].version(package, number);
                let is_archived = there.is_some_and(|there| there.status == Status::Archived);
                if is_archived {
                    self.set_status(repository, package, number, one.status);
                }
                is_archived
            } else {
                let said = self.restore(repository, package, &[number], Some(run));
                said == Said::Versions(BTreeMap::from([(number, None)]))
            };
            *(if *is_undone {
                &mut restored
            } else {
                &mut failed
            }) += 1;
        }
        self.repositories[repository].runs[run] = Run(results);
        Said::Undone(restored, failed)
    }

    /// `repository/package version` of what a search finds, the newest version that is listed; of files their name beside.
    pub(super) fn find(&self, find: &Find) -> BTreeSet<String> {
        if let Find::Bytes(package, file, content) = find {
            return self.find_bytes(&bytes(*package, *file, *content));
        }
        let mut found = BTreeSet::new();
        for (name, repository) in REPOSITORIES.iter().zip(&self.repositories) {
            for (package, recorded) in &repository.packages {
                let listed = recorded.versions.iter();
                let listed = listed.filter(|(_, version)| version.status == Status::Published);
                let newest = listed.max_by_key(|(number, version)| (version.published, **number));
                let Some((number, version)) = newest else {
                    continue;
                };
                let fits = match find {
                    Find::Called(_, packages) => packages.contains(package),
                    Find::Saying(content) => {
                        version.about == Some(bytes(*package, FILES.len() - 1, *content))
                    }
                    Find::Bytes(..) => false,
                };
                if fits {
                    let version = VERSIONS[*number];
                    found.insert(format!("{name}/{} {version}", PACKAGES[*package]));
                }
            }
        }
        found
    }

    /// `repository/package version file` of all files that have these bytes.
    fn find_bytes(&self, wanted: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (name, repository) in REPOSITORIES.iter().zip(&self.repositories) {
            for (package, recorded) in &repository.packages {
                for (number, version) in &recorded.versions {
                    let files = version.files.iter().filter(|(_, bytes)| *bytes == wanted);
                    found.extend(files.map(|(file, _)| {
                        let (package, number) = (PACKAGES[*package], VERSIONS[*number]);
                        format!("{name}/{package} {number} {}", FILES[*file])
                    }));
                }
            }
        }
        found
    }
}

/// What is searched for.
#[derive(Debug, Clone)]
pub(super) enum Find {
    /// By a name, which these packages have.
    Called(&'static str, &'static [usize]),
    /// By what versions say of themselves.
    Saying(u8),
    /// By the digest of such a file of such a package.
    Bytes(usize, usize, u8),
}

/// Names that are searched for; case and separators do not count.
pub(super) const CALLED: [(&str, &[usize]); 5] = [
    ("ball", &[0, 1]),
    ("ba-T", &[2, 3]),
    ("bat", &[4]),
    ("ba*", &[0, 1, 2, 3, 4]),
    ("bat*", &[4]),
];
