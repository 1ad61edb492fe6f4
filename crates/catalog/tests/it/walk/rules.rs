//! What the model makes of each step.

use std::time::Duration;

use catalog::lifecycle::Then;
use catalog::{GroupMode, Status};

use super::model::{Model, Package, Repository, Said, Version, bytes, inheriting};
use super::step::Step;

#[expect(clippy::too_many_lines, reason = "a few lines for each step")]
pub(super) fn expected(step: &Step, model: &mut Model) -> Said {
    match step {
        Step::Publish {
            repository,
            package,
            version,
            file,
            content,
            finish,
        } => model.publish(
            *repository,
            (*package, *version),
            (*file, bytes(*package, *file, *content)),
            *finish,
        ),
        Step::Read {
            repository,
            package,
            version,
            file,
        } => {
            let (said, kept) = model.found(*repository, *package, *version, *file);
            for (from, to) in kept {
                match from {
                    Some(from) => model.retain(from, to, *package, *version),
                    None => model.take(to, *package, *version, *file),
                }
            }
            said
        }
        Step::Copy {
            from,
            to,
            package,
            versions,
            overwrite,
            from_upstream,
        } => model.copy((*from, *to), *package, versions, *overwrite, *from_upstream),
        Step::SetStatus {
            repository,
            package,
            versions,
            target,
            expected,
        } => {
            let check = |version: &Version| {
                if expected.is_some_and(|expected| expected != version.status) {
                    return Some("MISMATCHED_STATUS");
                }
                let may = match version.status {
                    Status::Unfinished => *target == Status::Published,
                    Status::Disposed => false,
                    _ => true,
                };
                (!may).then_some("NOT_ALLOWED")
            };
            model.act(*repository, *package, versions, check, |all, number| {
                all.get_mut(&number).unwrap().status = *target;
            })
        }
        Step::Dispose {
            repository,
            package,
            versions,
        } => model.remove(*repository, *package, versions, Then::Dispose, None),
        Step::Delete {
            repository,
            package,
            versions,
        } => model.remove(*repository, *package, versions, Then::Delete, None),
        Step::DeletePackage {
            repository,
            package,
        } => model.remove_package(*repository, *package),
        Step::SetControl {
            repository,
            package,
            control,
        } => {
            let packages = &mut model.repositories[*repository].packages;
            let package = packages.entry(*package).or_insert_with(|| Package {
                control: *control,
                versions: std::collections::BTreeMap::new(),
            });
            package.control = *control;
            Said::Done
        }
        Step::SetUpstreams {
            repository,
            upstreams,
        } => {
            if upstreams.contains(repository) || model.repositories[*repository].is_connected {
                return Said::Refused("invalid");
            }
            model.repositories[*repository]
                .upstreams
                .clone_from(upstreams);
            Said::Done
        }
        Step::Connect { repository } => {
            let repository = &mut model.repositories[*repository];
            if repository.is_connected {
                return Said::Refused("conflict");
            }
            if !repository.upstreams.is_empty() {
                return Said::Refused("invalid");
            }
            repository.is_connected = true;
            Said::Done
        }
        Step::Disconnect { repository } => {
            let was_connected = &mut model.repositories[*repository].is_connected;
            if std::mem::take(was_connected) {
                Said::Done
            } else {
                Said::Refused("not found")
            }
        }
        Step::Renew { repository } => {
            model.repositories[*repository] = Repository::default();
            for other in &mut model.repositories {
                other.upstreams.retain(|upstream| upstream != repository);
            }
            for rules in model.groups.values_mut() {
                for (_, listed) in rules.values_mut() {
                    listed.remove(repository);
                }
            }
            Said::Done
        }
        Step::CreateGroup { pattern } => {
            if model.groups.contains_key(pattern) {
                return Said::Refused("group in the way");
            }
            model.groups.insert(*pattern, inheriting());
            Said::Done
        }
        Step::DeleteGroup { pattern } => match model.groups.contains_key(pattern) {
            _ if *pattern == 0 => Said::Refused("invalid"),
            true => {
                model.groups.remove(pattern);
                Said::Done
            }
            false => Said::Refused("no group"),
        },
        Step::SetOrigin {
            pattern,
            restriction,
            mode,
            add,
            remove,
        } => {
            let Some(rules) = model.groups.get_mut(pattern) else {
                return Said::Refused("no group");
            };
            if *pattern == 0 && *mode == Some(GroupMode::Inherit) {
                return Said::Refused("invalid");
            }
            let (now, listed) = rules.get_mut(restriction).unwrap();
            let then = mode.unwrap_or(*now);
            if !add.is_empty() && then != GroupMode::AllowSpecificRepositories {
                return Said::Refused("invalid");
            }
            *now = then;
            if then != GroupMode::AllowSpecificRepositories {
                listed.clear();
            }
            listed.extend(add);
            listed.retain(|name| !remove.contains(name));
            Said::Done
        }
        Step::Sweep { hours } => {
            model.now += Duration::from_hours(*hours);
            Said::Done
        }
        Step::Restore {
            repository,
            package,
            versions,
        } => model.restore(*repository, *package, versions, None),
        Step::SetRules { repository, rules } => {
            model.repositories[*repository].rules = Some(*rules);
            Said::Done
        }
        Step::RunRules { repository } => model.run_rules(*repository),
        Step::Undo { repository, before } => model.undo(*repository, *before),
        Step::Find(find) => Said::These(model.find(find)),
    }
}
