//! Everything that can be listed and read, there and in the model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::{Action, Error, GroupRestriction, PackageFilter, Purpose};
use futures_util::TryStreamExt as _;
use store::sha256_hex;

use super::model::{FILES, Model, PACKAGES, PATTERNS, REPOSITORIES, Said, VERSIONS};
use super::old::{CALLED, Find};
use crate::toy;
use crate::world::{World, bytes_of, domain_at};

type Compared = Result<(), String>;

#[expect(clippy::needless_pass_by_value, reason = "calls are easier to read")]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Compared {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, expected {expected:?}"))
}

/// Lists, states, controls, groups, sizes, and the bytes of every file as a client of each repository finds them.
pub(super) async fn everything(world: &World, model: &Model) -> Compared {
    for repository in 0..REPOSITORIES.len() {
        packages(world, model, repository).await?;
        for package in 0..PACKAGES.len() {
            versions(world, model, repository, package).await?;
            removed(world, model, repository, package).await?;
        }
    }
    let called = CALLED.map(|(name, packages)| Find::Called(name, packages));
    for find in called.into_iter().chain((0..4).map(Find::Saying)) {
        let found = super::real::found(world, &find).await;
        same(&format!("{find:?}"), found, model.find(&find))?;
    }
    groups(world, model).await?;
    let at = domain_at();
    let domain = world
        .catalog
        .domain(&world.admin, Action::DescribeDomain, &at);
    let figures = domain.await.unwrap().figures().await.unwrap();
    let kept: usize = model.contents().iter().map(Vec::len).sum();
    same("assetSizeBytes", figures.asset_size_bytes, kept as u64)?;
    same(
        "repositoryCount",
        figures.repository_count,
        REPOSITORIES.len() as u64,
    )
}

/// The packages of a repository in pages of two, with their controls.
async fn packages(world: &World, model: &Model, repository: usize) -> Compared {
    let at = world.repository_at(REPOSITORIES[repository]);
    let permit = world
        .catalog
        .repository(&world.admin, Action::ListPackages, &at);
    let permit = permit.await.unwrap();
    let all = PackageFilter::default();
    let mut found = BTreeMap::new();
    let mut after = None;
    loop {
        let page = permit.packages(&all, after.as_deref(), 2).await.unwrap();
        for package in page.items {
            found.insert(package.id.name.to_string(), package.restrictions);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected = model.repositories[repository].packages.iter();
    let expected = expected
        .map(|(package, recorded)| (PACKAGES[*package].to_owned(), recorded.control))
        .collect();
    same(
        &format!("packages of {}", REPOSITORIES[repository]),
        found,
        expected,
    )
}

async fn versions(world: &World, model: &Model, repository: usize, package: usize) -> Compared {
    let (name, of) = (REPOSITORIES[repository], PACKAGES[package]);
    let open = world.open(name).await;
    let id = toy::package(of);
    let recorded = model.repositories[repository].packages.get(&package);
    let recorded: Vec<_> = recorded
        .into_iter()
        .flat_map(|package| &package.versions)
        .collect();
    let expected: Vec<_> = recorded
        .iter()
        .map(|(number, version)| format!("{} {}", VERSIONS[**number], version.status))
        .collect();
    same(
        &format!("{of} in {name}"),
        world.recorded(name, of).await,
        expected,
    )?;
    for (number, version) in recorded {
        let id = id.version(VERSIONS[*number].parse().unwrap());
        let found = open.assets(&id).await.unwrap().into_iter();
        let found = found.map(|asset| (asset.name.to_string(), asset.digests.sha256));
        let expected = version.files.iter();
        let expected = expected.map(|(file, bytes)| (FILES[*file].to_owned(), sha256_hex(bytes)));
        same(
            &format!("files of {of} {} in {name}", VERSIONS[*number]),
            found.collect::<BTreeMap<_, _>>(),
            expected.collect(),
        )?;
    }
    let listed = model.listed(repository, package);
    let listed = listed.map(|numbers| {
        let name = |number: &usize| VERSIONS[*number].to_owned();
        numbers.iter().map(name).collect::<Vec<_>>()
    });
    same(
        &format!("{of} as clients of {name} see it"),
        world.listed(name, of).await,
        listed,
    )?;
    for (number, version) in VERSIONS.iter().enumerate() {
        for (file, file_name) in FILES.iter().enumerate() {
            let (expected, _) = model.found(repository, package, number, file);
            let asset = toy::asset(of, version, file_name);
            let found = match open.asset(&asset, Purpose::Look).await {
                // What only the registry has is not taken to be looked at; it says what it has.
                Ok(seen) if seen.is_elsewhere() => match &expected {
                    Said::Bytes(bytes) if seen.sha256() == Some(&*sha256_hex(bytes)) => {
                        expected.clone()
                    }
                    _ => return Err(format!("{asset} in {name}: at the registry")),
                },
                Ok(found) => Said::Bytes(bytes_of(&found).await.unwrap()),
                Err(Error::Held(_)) => Said::Refused("held"),
                Err(Error::NotFound { .. }) => Said::Refused("no asset"),
                Err(error) => return Err(format!("{asset} in {name}: {error:?}")),
            };
            same(&format!("{asset} in {name}"), found, expected)?;
        }
    }
    Ok(())
}

/// What can be brought back of a package, in pages of two.
async fn removed(world: &World, model: &Model, repository: usize, package: usize) -> Compared {
    let at = world.repository_at(REPOSITORIES[repository]);
    let (action, id) = (Action::ListPackageVersions, toy::package(PACKAGES[package]));
    let permit = world.catalog.package(&world.admin, action, &at, &id);
    let permit = permit.await.unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = permit.removed(after.as_deref(), 2).await.unwrap();
        let shown = page.items.iter();
        found.extend(shown.map(|one| format!("{} {}", one.version, one.status)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut expected = model.removed(repository, package);
    expected.sort_by_key(|one| one.number);
    let expected = expected.iter();
    let expected = expected.map(|one| format!("{} {}", VERSIONS[one.number], one.version.status));
    same(
        &format!("removed of {id} in {at:?}"),
        found,
        expected.collect(),
    )
}

async fn groups(world: &World, model: &Model) -> Compared {
    for (pattern, text) in PATTERNS.iter().enumerate() {
        let group = world.group_for(Action::DescribePackageGroup, text).await;
        let Some(rules) = model.groups.get(&pattern) else {
            same(text, group.is_err(), true)?;
            continue;
        };
        let group = group.map_err(|error| format!("{text}: {error}"))?;
        for restriction in GroupRestriction::ALL {
            let (mode, listed) = &rules[&restriction];
            let rule = group.rule(restriction);
            let found: BTreeSet<_> = rule.allowed.iter().map(ToString::to_string).collect();
            let expected = listed.iter().map(|name| REPOSITORIES[*name].to_owned());
            same(text, (rule.mode, found), (*mode, expected.collect()))?;
        }
    }
    members(world, model).await?;
    for (package, name) in PACKAGES.iter().enumerate() {
        let id = toy::package(name);
        let found = world
            .catalog
            .associated_group(&world.admin, &domain_at(), &id)
            .await;
        let (group, how) = found.unwrap();
        let (pattern, exactly) = model.group_of(package);
        same(
            &format!("the group of {name}"),
            (
                group.pattern.to_string(),
                how == catalog::Association::Strong,
            ),
            (PATTERNS[pattern].to_owned(), exactly),
        )?;
    }
    Ok(())
}

/// The packages of each group, in pages of two: those that any repository records.
async fn members(world: &World, model: &Model) -> Compared {
    for pattern in model.groups.keys() {
        let action = Action::ListAssociatedPackages;
        let group = world.group_for(action, PATTERNS[*pattern]).await.unwrap();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = group.packages(after.as_deref(), 2).await.unwrap();
            found.extend(page.items.iter().map(|item| item.id.name.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort();
        let is_recorded = |package: &usize| {
            let mut repositories = model.repositories.iter();
            repositories.any(|repository| repository.packages.contains_key(package))
        };
        let belongs = |package: &usize| model.group_of(*package).0 == *pattern;
        let expected = (0..PACKAGES.len()).filter(is_recorded).filter(belongs);
        let mut expected: Vec<_> = expected
            .map(|package| PACKAGES[package].to_owned())
            .collect();
        expected.sort();
        same(PATTERNS[*pattern], found, expected)?;
    }
    Ok(())
}

/// Long after the last step: what is swept is what nobody refers to, and all of it.
pub(super) async fn bytes_after_a_sweep(world: &World, model: &mut Model) -> Compared {
    let kept: BTreeSet<_> = model
        .contents()
        .iter()
        .map(|bytes| sha256_hex(bytes))
        .collect();
    // From when nobody refers to bytes any more is what the first sweep after it says.
    world.catalog.sweep().await.unwrap();
    // Blobs are dated by the clock of the disk, rows by the one of this test.
    let before = world.clock.now();
    let later = before.max(aws::Clock::system().now());
    let later = later.plus(Duration::from_hours(60 * 24));
    world.clock.set(later);
    model.now += Duration::from_millis((later.millis() - before.millis()).unsigned_abs());
    world.catalog.sweep().await.unwrap();
    let rows = world
        .database
        .rows("SELECT sha256, location FROM blobs", Vec::new())
        .await
        .unwrap();
    let recorded: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row.text("location").unwrap(), row.text("sha256").unwrap()))
        .collect();
    let digests: BTreeSet<_> = recorded.values().cloned().collect();
    same("the rows of bytes", digests, kept)?;
    let sql = "SELECT location FROM remote_documents WHERE location IS NOT NULL";
    let documents = world.database.rows(sql, Vec::new()).await.unwrap();
    let documents = documents.iter().map(|row| row.text("location").unwrap());
    let recorded = recorded.into_keys().chain(documents);
    let stored: Vec<_> = world.blobs.list().try_collect().await.unwrap();
    let stored: BTreeSet<_> = stored
        .iter()
        .map(|blob| blob.location.to_string())
        .collect();
    same("the bytes", stored, recorded.collect())?;
    everything(world, model).await
}
