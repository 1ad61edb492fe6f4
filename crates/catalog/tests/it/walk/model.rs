//! The catalog as simple as it can be said: maps in memory, and the rules of the specification on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::{GroupMode, GroupRestriction, Restriction, Restrictions, Status};

use super::old::{Removed, Run};
use super::step::Step;

pub(super) const REPOSITORIES: [&str; 5] = ["app", "team", "store", "old", "side"];
pub(super) const PACKAGES: [&str; 5] = ["ball", "Ball", "ba-t", "BA-T", "bat"];
pub(super) const VERSIONS: [&str; 3] = ["1", "2", "3"];
pub(super) const FILES: [&str; 6] = ["a", "b", "c", "d", "e", DESCRIPTION];
/// The file that says what its version is.
const DESCRIPTION: &str = "about.txt";
/// Files that a version may have in the world of these tests.
const MOST_FILES: usize = 4;

pub(super) const PATTERNS: [&str; 6] = [
    "/*",
    "/toy/*",
    "/toy//*",
    "/toy//ba~",
    "/toy//ball$",
    "/toy//ba-t$",
];

/// The groups that enclose each, the closest first.
const AROUND: [&[usize]; 6] = [&[], &[0], &[1, 0], &[2, 1, 0], &[2, 1, 0], &[3, 2, 1, 0]];

/// The groups that each package fits, the most specific first, and whether it is exactly what the pattern says.
const FITS: [&[(usize, bool)]; 5] = [
    &[(4, true), (2, true), (1, true), (0, true)],
    &[(4, false), (2, true), (1, true), (0, true)],
    &[(5, true), (3, true), (2, true), (1, true), (0, true)],
    &[(5, false), (3, false), (2, true), (1, true), (0, true)],
    &[(2, true), (1, true), (0, true)],
];

/// What a step says, as far as both can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Done,
    Bytes(Vec<u8>),
    /// Of each version: nothing, or why not.
    Versions(BTreeMap<usize, Option<&'static str>>),
    /// What was found, or what rules have done.
    These(BTreeSet<String>),
    /// How many versions an undo brought back, and how many it could not.
    Undone(u64, u64),
    Refused(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// Which record it is: another one, when it was deleted and is there again.
    pub(super) row: u64,
    /// When that was made.
    pub(super) published: Duration,
    pub(super) status: Status,
    /// The repository that it was first published to, or [`STRANGER`].
    pub(super) origin: usize,
    pub(super) files: BTreeMap<usize, Vec<u8>>,
    pub(super) about: Option<Vec<u8>>,
    /// What it had when its content was last changed; a disposed one still has this.
    content: (BTreeMap<usize, Vec<u8>>, Option<Vec<u8>>),
}

impl Version {
    fn changed(&mut self) {
        self.content = (self.files.clone(), self.about.clone());
    }

    fn is_served(&self) -> bool {
        matches!(self.status, Status::Published | Status::Unlisted)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) control: Restrictions,
    pub(super) versions: BTreeMap<usize, Version>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Repository {
    /// To the public registry.
    pub(super) is_connected: bool,
    pub(super) upstreams: Vec<usize>,
    pub(super) packages: BTreeMap<usize, Package>,
    /// Oldest first.
    pub(super) removed: Vec<Removed>,
    pub(super) rules: Option<usize>,
    /// Runs of its rules, oldest first.
    pub(super) runs: Vec<Run>,
}

impl Repository {
    pub(super) fn version(&self, package: usize, version: usize) -> Option<&Version> {
        self.packages.get(&package)?.versions.get(&version)
    }

    fn may_take(&self, package: usize) -> bool {
        let package = self.packages.get(&package);
        package.is_none_or(|package| package.control.upstream == Restriction::Allow)
    }
}

/// A group: mode and list of each restriction.
pub(super) type Rules = BTreeMap<GroupRestriction, (GroupMode, BTreeSet<usize>)>;

pub(super) struct Model {
    pub(super) repositories: [Repository; 5],
    pub(super) groups: BTreeMap<usize, Rules>,
    /// Since the beginning of the walk.
    pub(super) now: Duration,
    rows: u64,
}

fn rules(mode: GroupMode) -> Rules {
    let each = GroupRestriction::ALL.map(|restriction| (restriction, (mode, BTreeSet::new())));
    each.into_iter().collect()
}

/// What is looked for behind a repository, depth first, each once.
struct Search {
    ahead: Vec<usize>,
    seen: Vec<usize>,
    package: usize,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            repositories: <[Repository; 5]>::default(),
            groups: BTreeMap::from([(0, rules(GroupMode::Allow))]),
            now: Duration::ZERO,
            rows: 0,
        }
    }

    /// A number for a record that is made.
    fn new_row(&mut self) -> u64 {
        self.rows += 1;
        self.rows
    }

    // --- Groups ---------------------------------------------------------------------------------------------------------

    /// The group of a package, and whether the package is exactly what its pattern says.
    pub(super) fn group_of(&self, package: usize) -> (usize, bool) {
        let mut fits = FITS[package].iter();
        *fits
            .find(|(group, _)| self.groups.contains_key(group))
            .unwrap()
    }

    fn rule(&self, group: usize, restriction: GroupRestriction) -> &(GroupMode, BTreeSet<usize>) {
        let around = AROUND[group].iter();
        let mut chain = std::iter::once(&group).chain(around);
        chain
            .find_map(|group| {
                let rule = &self.groups.get(group)?[&restriction];
                (rule.0 != GroupMode::Inherit).then_some(rule)
            })
            .unwrap()
    }

    fn lets_in(&self, package: usize, restriction: GroupRestriction, repository: usize) -> bool {
        let (group, exactly) = self.group_of(package);
        let (mode, listed) = self.rule(group, restriction);
        exactly
            && match mode {
                GroupMode::Allow => true,
                GroupMode::AllowSpecificRepositories => listed.contains(&repository),
                GroupMode::Block | GroupMode::Inherit => false,
            }
    }

    fn first_control(&self, package: usize, published: bool) -> Restrictions {
        let (group, _) = self.group_of(package);
        let is_open = GroupRestriction::ALL
            .iter()
            .all(|restriction| self.rule(group, *restriction).0 == GroupMode::Allow);
        let (publish, upstream) = match (is_open, published) {
            (false, _) => (Restriction::Allow, Restriction::Allow),
            (true, true) => (Restriction::Allow, Restriction::Block),
            (true, false) => (Restriction::Block, Restriction::Allow),
        };
        Restrictions { publish, upstream }
    }

    // --- Upstreams ------------------------------------------------------------------------------------------------------

    fn search(from: usize, package: usize) -> Search {
        Search {
            ahead: vec![from],
            seen: Vec::new(),
            package,
        }
    }

    fn next(search: &mut Search) -> Option<usize> {
        let next = loop {
            let next = search.ahead.pop()?;
            if !search.seen.contains(&next) {
                break next;
            }
        };
        search.seen.push(next);
        Some(next)
    }

    /// Has the upstreams of a repository searched too, if the package may come from there. Says whether its registry may be
    /// asked.
    fn go_on(&self, search: &mut Search, repository: usize) -> bool {
        let here = &self.repositories[repository];
        let is_first = search.seen == [repository];
        let may = here.may_take(search.package)
            && (!is_first
                || self.lets_in(
                    search.package,
                    GroupRestriction::InternalUpstream,
                    repository,
                ));
        if may {
            search.ahead.extend(here.upstreams.iter().rev());
        }
        let external = GroupRestriction::ExternalUpstream;
        here.is_connected
            && here.may_take(search.package)
            && self.lets_in(search.package, external, repository)
    }

    /// The versions that a client of a repository is shown; nothing when no repository on the way knows one.
    pub(super) fn listed(&self, from: usize, package: usize) -> Option<Vec<usize>> {
        let mut search = Self::search(from, package);
        let mut deciding: BTreeMap<usize, Status> = BTreeMap::new();
        while let Some(repository) = Self::next(&mut search) {
            if let Some(package) = self.repositories[repository].packages.get(&package) {
                for (number, version) in &package.versions {
                    deciding.entry(*number).or_insert(version.status);
                }
            }
            if self.go_on(&mut search, repository) {
                for number in (0..VERSIONS.len()).filter(|number| is_public(package, *number)) {
                    deciding.entry(number).or_insert(Status::Published);
                }
            }
        }
        if deciding.is_empty() {
            return None;
        }
        let shown = deciding.into_iter();
        Some(
            shown
                .filter(|(_, status)| *status == Status::Published)
                .map(|(number, _)| number)
                .collect(),
        )
    }

    /// What a client that asks for a file is answered, and which repository keeps it of which; of none: of the registry.
    pub(super) fn found(
        &self,
        from: usize,
        package: usize,
        number: usize,
        file: usize,
    ) -> (Said, Vec<(Option<usize>, usize)>) {
        let nothing = |why| (Said::Refused(why), Vec::new());
        let taken = |connected, bytes| {
            let kept = vec![(None, connected), (Some(connected), from)];
            (Said::Bytes(bytes), kept)
        };
        let public = public(package, number, file);
        let mut search = Self::search(from, package);
        while let Some(holder) = Self::next(&mut search) {
            let Some(version) = self.repositories[holder].version(package, number) else {
                if self.go_on(&mut search, holder)
                    && let Some(bytes) = public
                {
                    return taken(holder, bytes);
                }
                continue;
            };
            if !version.is_served() {
                return nothing("held");
            }
            if let Some(bytes) = version.files.get(&file) {
                return (Said::Bytes(bytes.clone()), vec![(Some(holder), from)]);
            }
            // A further file comes only from where the version came from.
            let origin = version.origin;
            if self.go_on(&mut search, holder) {
                return match public.filter(|_| origin == STRANGER) {
                    Some(bytes) => taken(holder, bytes),
                    None => nothing("no asset"),
                };
            }
            while let Some(source) = Self::next(&mut search) {
                if let Some(version) = self.repositories[source].version(package, number) {
                    if version.origin != origin || !version.is_served() {
                        break;
                    }
                    if let Some(bytes) = version.files.get(&file) {
                        let kept = vec![(Some(source), holder), (Some(source), from)];
                        return (Said::Bytes(bytes.clone()), kept);
                    }
                }
                if self.go_on(&mut search, source) && origin == STRANGER {
                    return match public {
                        Some(bytes) => taken(source, bytes),
                        None => nothing("no asset"),
                    };
                }
            }
            return nothing("no asset");
        }
        nothing("no asset")
    }

    /// Keeps a file of the registry in a connected repository.
    pub(super) fn take(&mut self, to: usize, package: usize, number: usize, file: usize) {
        let control = self.first_control(package, false);
        let (row, published) = (self.new_row(), self.now);
        let packages = &mut self.repositories[to].packages;
        let recorded = packages.entry(package).or_insert_with(|| Package {
            control,
            versions: BTreeMap::new(),
        });
        let version = recorded.versions.entry(number).or_insert_with(|| Version {
            row,
            published,
            status: Status::Published,
            origin: STRANGER,
            files: BTreeMap::new(),
            about: None,
            content: (BTreeMap::new(), None),
        });
        let bytes = public(package, number, file).unwrap();
        if FILES[file] == DESCRIPTION {
            version.about.get_or_insert(bytes.clone());
        }
        version.files.insert(file, bytes);
        version.changed();
    }

    /// Keeps in one repository what another has of a version. What does not fit is left.
    pub(super) fn retain(&mut self, from: usize, to: usize, package: usize, number: usize) {
        if from == to {
            return;
        }
        let source = self.repositories[from].version(package, number);
        let source = source.unwrap().clone();
        let control = self.first_control(package, false);
        let (row, published) = (self.new_row(), self.now);
        if let Some(target) = self.repositories[to].version(package, number) {
            let files = source.files.keys().chain(target.files.keys());
            let together = files.collect::<BTreeSet<_>>().len();
            if target.origin != source.origin || together > MOST_FILES {
                return;
            }
        }
        let target = self.repositories[to].packages.entry(package);
        let target = target.or_insert_with(|| Package {
            control,
            versions: BTreeMap::new(),
        });
        let kept = target.versions.entry(number).or_insert_with(|| Version {
            row,
            published,
            files: BTreeMap::new(),
            about: None,
            ..source.clone()
        });
        for (file, bytes) in source.files {
            kept.files.entry(file).or_insert(bytes);
        }
        kept.about = kept.about.take().or(source.about);
        kept.changed();
    }

    // --- Publishing -----------------------------------------------------------------------------------------------------

    pub(super) fn publish(
        &mut self,
        repository: usize,
        (package, number): (usize, usize),
        (file, bytes): (usize, Vec<u8>),
        finish: bool,
    ) -> Said {
        let recorded = self.repositories[repository].packages.get(&package);
        let control = recorded.map(|package| package.control.publish);
        if !self.lets_in(package, GroupRestriction::Publish, repository)
            || control == Some(Restriction::Block)
        {
            return Said::Refused("blocked");
        }
        if let Some(version) = self.repositories[repository].version(package, number) {
            if matches!(version.status, Status::Archived | Status::Disposed) {
                return Said::Refused("version in the way");
            }
            match version.files.get(&file) {
                Some(there) if *there != bytes => return Said::Refused("asset in the way"),
                None if version.origin == STRANGER => return Said::Refused("version in the way"),
                None if version.files.len() == MOST_FILES => return Said::Refused("quota"),
                _ => {}
            }
        } else {
            let mut search = Self::search(repository, package);
            while let Some(stop) = Self::next(&mut search) {
                if self.repositories[stop].version(package, number).is_some() {
                    return Said::Refused("version in the way");
                }
                if self.go_on(&mut search, stop) && is_public(package, number) {
                    return Said::Refused("version in the way");
                }
            }
        }
        let control = self.first_control(package, true);
        let (row, published) = (self.new_row(), self.now);
        let status = if finish {
            Status::Published
        } else {
            Status::Unfinished
        };
        let package = self.repositories[repository].packages.entry(package);
        let package = package.or_insert_with(|| Package {
            control,
            versions: BTreeMap::new(),
        });
        let version = package.versions.entry(number).or_insert_with(|| Version {
            row,
            published,
            status,
            origin: repository,
            files: BTreeMap::new(),
            about: None,
            content: (BTreeMap::new(), None),
        });
        if FILES[file] == DESCRIPTION {
            version.about = Some(bytes.clone());
        }
        version.files.insert(file, bytes);
        if version.status == Status::Unfinished {
            version.status = status;
        }
        version.changed();
        Said::Done
    }

    // --- Versions -------------------------------------------------------------------------------------------------------

    /// Does something to versions of a package: all of them or none.
    pub(super) fn act(
        &mut self,
        repository: usize,
        package: usize,
        versions: &[usize],
        check: impl Fn(&Version) -> Option<&'static str>,
        mut apply: impl FnMut(&mut BTreeMap<usize, Version>, usize),
    ) -> Said {
        let Some(package) = self.repositories[repository].packages.get_mut(&package) else {
            return Said::Refused("no package");
        };
        let check = |number: &usize| {
            let version = package.versions.get(number);
            (*number, version.map_or(Some("NOT_FOUND"), &check))
        };
        let said: BTreeMap<_, _> = versions.iter().map(check).collect();
        if said.values().all(Option::is_none) {
            for number in said.keys() {
                apply(&mut package.versions, *number);
            }
        }
        Said::Versions(skipping(said))
    }

    pub(super) fn copy(
        &mut self,
        (from, to): (usize, usize),
        package: usize,
        versions: &[usize],
        overwrite: bool,
        from_upstream: bool,
    ) -> Said {
        if from == to {
            return Said::Refused("invalid");
        }
        // Controls have no say in what is copied: every upstream is looked at.
        let mut sources = Vec::new();
        let mut ahead = vec![from];
        while let Some(source) = ahead.pop() {
            if !sources.contains(&source) {
                sources.push(source);
                if from_upstream {
                    ahead.extend(self.repositories[source].upstreams.iter().rev());
                }
            }
        }
        let records = |source: &usize| self.repositories[*source].packages.contains_key(&package);
        if !sources.iter().any(records) {
            return Said::Refused("no package");
        }
        let mut said = BTreeMap::new();
        let (mut copies, mut same) = (Vec::new(), Vec::new());
        for number in versions.iter().copied().collect::<BTreeSet<_>>() {
            let version = |source: &usize| self.repositories[*source].version(package, number);
            let why = match (sources.iter().find_map(version), version(&to)) {
                (None, _) => Some("NOT_FOUND"),
                (Some(source), _)
                    if matches!(source.status, Status::Unfinished | Status::Disposed) =>
                {
                    Some("NOT_ALLOWED")
                }
                // The same is there: nothing is done, and nothing said, unless another one is refused.
                (Some(source), Some(there))
                    if there.content == source.content && there.status != Status::Disposed =>
                {
                    same.push(number);
                    None
                }
                (Some(_), Some(_)) if !overwrite => Some("ALREADY_EXISTS"),
                (Some(source), _) => {
                    copies.push((number, source.clone()));
                    None
                }
            };
            said.insert(number, why);
        }
        if said.values().all(Option::is_none) {
            for (number, mut version) in copies {
                let control = self.first_control(package, version.origin != STRANGER);
                let there = self.repositories[to].version(package, number);
                let record = there.map(|there| (there.row, there.published));
                (version.row, version.published) =
                    record.unwrap_or_else(|| (self.new_row(), self.now));
                let package = self.repositories[to].packages.entry(package);
                let package = package.or_insert_with(|| Package {
                    control,
                    versions: BTreeMap::new(),
                });
                package.versions.insert(number, version);
            }
            for number in same {
                said.remove(&number);
            }
        }
        Said::Versions(skipping(said))
    }

    /// Everything that is kept, each content once.
    pub(super) fn contents(&self) -> BTreeSet<Vec<u8>> {
        let packages = self.repositories.iter().flat_map(|r| r.packages.values());
        let versions = packages.flat_map(|package| package.versions.values());
        versions
            .flat_map(|version| version.files.values().cloned())
            .collect()
    }
}

/// When one is refused, the others are skipped.
pub(super) fn skipping(
    mut said: BTreeMap<usize, Option<&'static str>>,
) -> BTreeMap<usize, Option<&'static str>> {
    if said.values().any(Option::is_some) {
        for why in said.values_mut() {
            why.get_or_insert("SKIPPED");
        }
    }
    said
}

/// The origin of what the public registry has.
pub(super) const STRANGER: usize = usize::MAX;

/// What it has: package, version, files.
pub(super) const PUBLIC: [(usize, usize, &[usize]); 6] = [
    (0, 0, &[0, 5]),
    (0, 2, &[0, 1, 2, 3]),
    (1, 0, &[0, 1]),
    (2, 1, &[1, 5]),
    (4, 0, &[2]),
    (4, 1, &[0, 5]),
];

/// A file of the public registry.
pub(super) fn public(package: usize, number: usize, file: usize) -> Option<Vec<u8>> {
    let mut versions = PUBLIC.iter();
    let (.., files) = versions.find(|(of, version, _)| (*of, *version) == (package, number))?;
    files.contains(&file).then(|| bytes(package, file, 3))
}

/// Whether the public registry lists a version.
fn is_public(package: usize, number: usize) -> bool {
    let mut versions = PUBLIC.iter();
    versions.any(|(of, version, _)| (*of, *version) == (package, number))
}

/// The word that tells descriptions apart; the last one is the registry's.
pub(super) const COLOURS: [&str; 4] = ["red", "green", "blue", "white"];

/// The bytes of a file of a package.
pub(super) fn bytes(package: usize, file: usize, content: u8) -> Vec<u8> {
    // Different files may well have the same bytes, of different packages too.
    let (colour, half) = (COLOURS[usize::from(content)], package / 2);
    format!("{colour} bytes of {} of {half}", file / 2).into_bytes()
}

impl Step {
    pub(super) fn expected(&self, model: &mut Model) -> Said {
        super::rules::expected(self, model)
    }
}

pub(super) fn inheriting() -> Rules {
    rules(GroupMode::Inherit)
}
