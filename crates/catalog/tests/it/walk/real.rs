//! What the catalog makes of each step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::job::Job;
use catalog::lifecycle::{Keep, Matching, Rule, Rules};
use catalog::{
    Action, Copying, Error, GroupChange, GroupRestriction, Kind, NewPackageGroup, NewRepository,
    Outcomes, PackageAt, PackageId, Permit, Repository, RepositoryChange, RepositoryName, Search,
    Selection, Then, Version,
};
use store::sha256_hex;

use super::model::{
    COLOURS, FILES, PACKAGES, PATTERNS, PUBLIC, REPOSITORIES, Said, VERSIONS, bytes, public,
};
use super::old::{self, Find, RULES};
use super::step::Step;
use crate::lifecycle::Fetched;
use crate::toy;
use crate::world::{World, domain_at};

/// The catalog's refusals in the words of the model. What is no refusal is a defect.
fn refused(error: &Error) -> Said {
    Said::Refused(match error {
        Error::Blocked { .. } => "blocked",
        Error::Held(_) => "held",
        Error::Invalid(_) => "invalid",
        Error::Quota { .. } => "quota",
        Error::NotFound { kind, .. } => match kind {
            Kind::Asset => "no asset",
            Kind::Package => "no package",
            Kind::PackageGroup => "no group",
            Kind::LifecycleRules => "no rules",
            _ => "not found",
        },
        Error::Conflict { kind, .. } => match kind {
            Kind::Asset => "asset in the way",
            Kind::PackageVersion => "version in the way",
            Kind::PackageGroup => "group in the way",
            _ => "conflict",
        },
        other => panic!("{other:?}"),
    })
}

fn done<T>(result: catalog::Result<T>) -> Said {
    match result {
        Ok(_) => Said::Done,
        Err(error) => refused(&error),
    }
}

fn outcomes(result: catalog::Result<Outcomes>) -> Said {
    let Outcomes { successful, failed } = match result {
        Ok(outcomes) => outcomes,
        Err(error) => return refused(&error),
    };
    let place = |version: &Version| VERSIONS.iter().position(|name| *name == version.as_str());
    let mut said = BTreeMap::new();
    for version in successful.keys() {
        said.insert(place(version).unwrap(), None);
    }
    for (version, (code, _)) in &failed {
        said.insert(place(version).unwrap(), Some(code.as_str()));
    }
    Said::Versions(said)
}

fn versions(numbers: &[usize]) -> Vec<Version> {
    let name = |number: &usize| VERSIONS[*number].parse().unwrap();
    numbers.iter().map(name).collect()
}

fn names(numbers: &[usize]) -> Vec<RepositoryName> {
    let name = |number: &usize| REPOSITORIES[*number].parse().unwrap();
    numbers.iter().map(name).collect()
}

fn select(numbers: &[usize]) -> Selection {
    Selection {
        versions: versions(numbers),
        ..Selection::default()
    }
}

async fn package(
    world: &World,
    action: Action,
    repository: usize,
    package: usize,
) -> Permit<PackageAt> {
    let at = world.repository_at(REPOSITORIES[repository]);
    let id = toy::package(PACKAGES[package]);
    let permit = world.catalog.package(&world.admin, action, &at, &id);
    permit.await.unwrap()
}

async fn repository_for(world: &World, repository: usize) -> Permit<Repository> {
    let at = world.repository_at(REPOSITORIES[repository]);
    let permit = world
        .catalog
        .repository(&world.admin, Action::UpdateRepository, &at);
    permit.await.unwrap()
}

fn rule(rule: &old::Rule) -> Rule {
    let name = |package: &usize| PACKAGES[*package].to_owned();
    Rule {
        name: "rule".to_owned(),
        matching: Matching {
            names: rule.packages.iter().map(name).collect(),
            statuses: rule.statuses.to_vec(),
            ..Matching::default()
        },
        keep: Keep {
            newest: rule.newest,
            published_within_days: rule.days,
            published_here: rule.published_here,
            ..Keep::default()
        },
        then: rule.then,
    }
}

/// What the rules of a repository would do, which is what they do.
async fn run_rules(world: &World, repository: usize) -> catalog::Result<BTreeSet<String>> {
    let permit = repository_for(world, repository).await;
    let nobody = Fetched(BTreeMap::new());
    let preview = permit.preview_lifecycle(None, &nobody, None).await?;
    assert_eq!(preview.next, None);
    let run = permit.start_lifecycle().await?;
    let next = world.catalog.next_job().await?.unwrap();
    assert_eq!(next.id, run.id);
    world.catalog.run_lifecycle(&next, &nobody).await?;
    world.catalog.end_job(&next, None).await?;
    let results = permit.lifecycle_results(&run.id, None, 1000).await?;
    let said = |id: &PackageId, version: &Version, then| format!("{} {version} {then}", id.name);
    let preview = preview.items.iter();
    let preview: BTreeSet<_> = preview
        .map(|one| said(&one.id, &one.version, one.then))
        .collect();
    let done = results.items.iter().map(|one| {
        assert_eq!(one.failure, None);
        said(&one.id, &one.version, one.then)
    });
    let done = done.collect();
    assert_eq!(preview, done);
    Ok(done)
}

async fn undo(world: &World, repository: usize, before: usize) -> Said {
    let permit = repository_for(world, repository).await;
    let runs = permit.lifecycle_runs(None, 1000).await.unwrap().items;
    let mut runs = runs.iter().filter(|run| run.job == Job::Lifecycle);
    let Some(run) = runs.nth(before) else {
        return Said::Refused("no run");
    };
    permit.undo_lifecycle(&run.id).await.unwrap();
    let next = world.catalog.next_job().await.unwrap().unwrap();
    let counts = world.catalog.undo_lifecycle(&next).await.unwrap();
    world.catalog.end_job(&next, None).await.unwrap();
    Said::Undone(counts["restored"], counts["failed"])
}

pub(super) async fn found(world: &World, find: &Find) -> BTreeSet<String> {
    let search = match find {
        Find::Called(name, _) => Search {
            name: Some((*name).to_owned()),
            ..Search::default()
        },
        Find::Saying(content) => Search {
            text: Some(COLOURS[usize::from(*content)].to_owned()),
            ..Search::default()
        },
        Find::Bytes(package, file, content) => {
            let hash = sha256_hex(&bytes(*package, *file, *content))
                .parse()
                .unwrap();
            return world.finds_files(&hash, 7).await.into_iter().collect();
        }
    };
    world.finds(&search, 3).await.into_iter().collect()
}

impl Step {
    #[expect(clippy::too_many_lines, reason = "a line or two for each step")]
    pub(super) async fn taken(&self, world: &World) -> Said {
        match self {
            Step::Publish {
                repository,
                package,
                version,
                file,
                content,
                finish,
            } => {
                let then = if *finish { Then::Publish } else { Then::Leave };
                let body = bytes(*package, *file, *content);
                let published = world.publish(
                    REPOSITORIES[*repository],
                    PACKAGES[*package],
                    VERSIONS[*version],
                    FILES[*file],
                    &body,
                    then,
                );
                done(published.await)
            }
            Step::Read {
                repository,
                package,
                version,
                file,
            } => {
                let read = world.read(
                    REPOSITORIES[*repository],
                    PACKAGES[*package],
                    VERSIONS[*version],
                    FILES[*file],
                );
                match read.await {
                    Ok(bytes) => Said::Bytes(bytes),
                    Err(error) => refused(&error),
                }
            }
            Step::Copy {
                from,
                to,
                package,
                versions: numbers,
                overwrite,
                from_upstream,
            } => {
                let copying = Copying {
                    source: world.repository_at(REPOSITORIES[*from]),
                    destination: world.repository_at(REPOSITORIES[*to]),
                    package: toy::package(PACKAGES[*package]),
                    versions: versions(numbers),
                    revisions: BTreeMap::new(),
                    allow_overwrite: *overwrite,
                    include_from_upstream: *from_upstream,
                };
                outcomes(world.catalog.copy_versions(&world.admin, copying).await)
            }
            Step::SetStatus {
                repository,
                package: name,
                versions,
                target,
                expected,
            } => {
                let action = Action::UpdatePackageVersionsStatus;
                let permit = package(world, action, *repository, *name).await;
                let selection = Selection {
                    expected: *expected,
                    ..select(versions)
                };
                outcomes(permit.set_status(selection, *target).await)
            }
            Step::Dispose {
                repository,
                package: name,
                versions,
            } => {
                let action = Action::DisposePackageVersions;
                let permit = package(world, action, *repository, *name).await;
                outcomes(permit.dispose(select(versions)).await)
            }
            Step::Delete {
                repository,
                package: name,
                versions,
            } => {
                let action = Action::DeletePackageVersions;
                let permit = package(world, action, *repository, *name).await;
                outcomes(permit.delete_versions(select(versions)).await)
            }
            Step::DeletePackage {
                repository,
                package: name,
            } => {
                let permit = package(world, Action::DeletePackage, *repository, *name).await;
                done(permit.delete().await)
            }
            Step::SetControl {
                repository,
                package: name,
                control,
            } => {
                let action = Action::PutPackageOriginConfiguration;
                let permit = package(world, action, *repository, *name).await;
                done(permit.set_restrictions(*control).await)
            }
            Step::SetUpstreams {
                repository,
                upstreams,
            } => {
                let at = world.repository_at(REPOSITORIES[*repository]);
                let action = Action::UpdateRepository;
                let permit = world.catalog.repository(&world.admin, action, &at);
                let change = RepositoryChange {
                    description: None,
                    upstreams: Some(names(upstreams)),
                };
                let changed = permit.await.unwrap().update(change).await;
                if let Ok(repository) = &changed {
                    assert_eq!(repository.upstreams, names(upstreams));
                }
                done(changed)
            }
            Step::Connect { repository } => {
                let permit = repository_for(world, *repository).await;
                done(permit.connect(&toy::CONNECTION.parse().unwrap()).await)
            }
            Step::Disconnect { repository } => {
                let permit = repository_for(world, *repository).await;
                done(permit.disconnect(&toy::CONNECTION.parse().unwrap()).await)
            }
            Step::Renew { repository } => {
                let at = world.repository_at(REPOSITORIES[*repository]);
                let (catalog, admin) = (&world.catalog, &world.admin);
                catalog.delete_repository(admin, &at).await.unwrap();
                let new = NewRepository {
                    name: at.name,
                    description: None,
                    upstreams: Vec::new(),
                    tags: Vec::new(),
                };
                done(catalog.create_repository(admin, &at.domain, new).await)
            }
            Step::CreateGroup { pattern } => {
                let new = NewPackageGroup {
                    pattern: PATTERNS[*pattern].parse().unwrap(),
                    contact_info: None,
                    description: None,
                    tags: Vec::new(),
                };
                let (catalog, admin) = (&world.catalog, &world.admin);
                done(catalog.create_package_group(admin, &domain_at(), new).await)
            }
            Step::DeleteGroup { pattern } => {
                let action = Action::DeletePackageGroup;
                match world.group_for(action, PATTERNS[*pattern]).await {
                    Ok(group) => done(group.delete().await),
                    Err(error) => refused(&error),
                }
            }
            Step::SetOrigin {
                pattern,
                restriction,
                mode,
                add,
                remove,
            } => {
                let action = Action::UpdatePackageGroupOriginConfiguration;
                let group = match world.group_for(action, PATTERNS[*pattern]).await {
                    Ok(group) => group,
                    Err(error) => return refused(&error),
                };
                let listed = |numbers: &[usize]| -> Vec<(GroupRestriction, RepositoryName)> {
                    let names = names(numbers).into_iter();
                    names.map(|name| (*restriction, name)).collect()
                };
                let change = GroupChange {
                    modes: mode.iter().map(|mode| (*restriction, *mode)).collect(),
                    add: listed(add),
                    remove: listed(remove),
                };
                done(group.set_origin(change).await)
            }
            Step::Restore {
                repository,
                package: name,
                versions: numbers,
            } => {
                let action = Action::PublishPackageVersion;
                let permit = package(world, action, *repository, *name).await;
                outcomes(permit.restore(versions(numbers)).await)
            }
            Step::SetRules { repository, rules } => {
                let permit = repository_for(world, *repository).await;
                let rules = Rules {
                    rules: RULES[*rules].iter().map(rule).collect(),
                };
                let kept = Duration::from_hours(90 * 24);
                done(permit.put_lifecycle_rules(rules, kept).await)
            }
            Step::RunRules { repository } => match run_rules(world, *repository).await {
                Ok(done) => Said::These(done),
                Err(error) => refused(&error),
            },
            Step::Undo { repository, before } => undo(world, *repository, *before).await,
            Step::Find(find) => Said::These(found(world, find).await),
            Step::Sweep { hours } => {
                world.clock.advance(Duration::from_hours(*hours));
                done(world.catalog.sweep().await)
            }
        }
    }
}

/// Puts there what the public registry has.
pub(super) fn open_registry(world: &World) {
    for (package, name) in PACKAGES.iter().enumerate() {
        let versions = PUBLIC.iter().filter(|(of, ..)| *of == package);
        let mut list = Vec::new();
        for (_, number, files) in versions {
            let version = VERSIONS[*number];
            for file in *files {
                let body = public(package, *number, *file).unwrap();
                let path = format!("{name}/{version}/{}", FILES[*file]);
                world.registry.put(&path, &body);
            }
            list.push(version);
        }
        if !list.is_empty() {
            let path = format!("{name}/versions");
            world.registry.put_alone(&path, list.join("\n").as_bytes());
        }
    }
}
