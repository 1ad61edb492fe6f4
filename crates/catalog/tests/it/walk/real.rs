//! What the catalog makes of each step.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::{
    Action, Copying, Error, GroupChange, GroupRestriction, Kind, NewPackageGroup, NewRepository,
    Outcomes, PackageAt, Permit, RepositoryChange, RepositoryName, Selection, Then, Version,
};

use super::model::{FILES, PACKAGES, PATTERNS, REPOSITORIES, Said, VERSIONS, bytes};
use super::step::Step;
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
                let body = bytes(*file, *content);
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
            Step::Sweep { hours } => {
                world.clock.advance(Duration::from_hours(*hours));
                done(world.catalog.sweep().await)
            }
        }
    }
}
