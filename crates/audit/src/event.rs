//! Events: what happened to versions of packages, in the form of EventBridge (`access-and-limits.md` 9).

use std::collections::BTreeMap;

use aws::{AccountId, Region};
use catalog::change::VersionState;
use catalog::outbox::Happening;
use serde_json::{Value, json};

use crate::draft::new_id;

/// The one kind of event there is.
pub const DETAIL_TYPE: &str = "CodeArtifact Package Version State Change";

/// An event on its way to one account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) account: AccountId,
    pub(crate) at: i64,
    /// The package's ARN.
    pub(crate) package: String,
    /// In the order of which events of a package are delivered.
    pub(crate) sequence: u64,
    pub(crate) document: Value,
}

/// The copies of an event: for the domain's owner, and for the repository's administrator if that is another account.
pub(crate) fn events(happening: &Happening, region: &Region) -> Vec<Event> {
    let mut accounts = vec![happening.place.domain.owner];
    if !accounts.contains(&happening.administrator) {
        accounts.push(happening.administrator);
    }
    let detail = detail(happening);
    let event = |account: AccountId| {
        let id = new_id(happening.at);
        let document = json!({
            "version": "0",
            "id": id,
            "detail-type": DETAIL_TYPE,
            "source": "aws.codeartifact",
            "account": account.as_str(),
            "time": happening.at.iso8601(),
            "region": region.as_str(),
            "resources": [happening.arn],
            "detail": detail,
        });
        Event {
            id,
            account,
            at: happening.at.millis(),
            package: happening.arn.clone(),
            sequence: happening.sequence,
            document,
        }
    };
    accounts.into_iter().map(event).collect()
}

fn detail(happening: &Happening) -> Value {
    let Happening {
        id,
        sequence,
        place,
        administrator,
        package,
        version,
        before,
        after,
        described,
        ..
    } = happening;
    let operation = match (before, after) {
        (None, Some(_)) => "Created",
        (_, Some(_)) => "Updated",
        (_, None) => "Deleted",
    };
    // Of a version that is gone, the last state it had.
    let last = after.as_ref().or(before.as_ref());
    json!({
        "domainName": place.domain.name.as_str(),
        "domainOwner": place.domain.owner.as_str(),
        "repositoryName": place.name.as_str(),
        "repositoryAdministrator": administrator.as_str(),
        "packageFormat": package.format.as_str(),
        "packageNamespace": package.namespace.as_ref().map(ToString::to_string),
        "packageName": package.name.as_str(),
        "packageVersion": version.as_str(),
        "packageVersionState": last.map(|state| state.status.as_str()),
        "packageVersionRevision": last.map(|state| state.revision.as_str()),
        "changes": changes(before.as_ref(), after.as_ref(), *described),
        "operationType": operation,
        "sequenceNumber": sequence,
        "eventDeduplicationId": id,
    })
}

/// What is different. Metadata counts as changed when the version is new, when it says something else of itself, or when
/// its revision changed and its files did not.
fn changes(before: Option<&VersionState>, after: Option<&VersionState>, described: bool) -> Value {
    let files = |state: Option<&VersionState>| -> BTreeMap<String, String> {
        let assets = state.map_or(&[][..], |state| &state.assets);
        assets
            .iter()
            .map(|(name, _, sha256)| (name.to_string(), sha256.clone()))
            .collect()
    };
    let (old, new) = (files(before), files(after));
    let added = new.keys().filter(|name| !old.contains_key(*name)).count();
    let removed = old.keys().filter(|name| !new.contains_key(*name)).count();
    let updated = new
        .iter()
        .filter(|(name, sha256)| old.get(*name).is_some_and(|old| old != *sha256))
        .count();
    let status = before.map(|state| state.status) != after.map(|state| state.status);
    let metadata = match (before, after) {
        (None, Some(_)) => true,
        (Some(before), Some(after)) => {
            described || before.revision != after.revision && added + removed + updated == 0
        }
        (_, None) => false,
    };
    json!({
        "assetsAdded": added,
        "assetsRemoved": removed,
        "assetsUpdated": updated,
        "metadataUpdated": metadata,
        "statusChanged": status,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws::Timestamp;
    use catalog::{DomainAt, Origin, OriginType, PackageId, RepositoryAt, Status};

    use super::*;

    fn state(status: Status, revision: &str, assets: &[(&str, &str)]) -> VersionState {
        VersionState {
            status,
            revision: revision.to_owned(),
            origin: Origin {
                origin_type: OriginType::Internal,
                repository: None,
                connection: None,
            },
            published: Timestamp::from_seconds(1),
            assets: assets
                .iter()
                .map(|(name, sha256)| (name.parse().unwrap(), 1, (*sha256).to_owned()))
                .collect(),
        }
    }

    fn happening(before: Option<VersionState>, after: Option<VersionState>) -> Happening {
        Happening {
            id: "C1".to_owned(),
            at: Timestamp::from_seconds(1_773_500_966),
            sequence: 7,
            place: RepositoryAt {
                domain: DomainAt {
                    owner: "111122223333".parse().unwrap(),
                    name: "dom".parse().unwrap(),
                },
                name: "repo".parse().unwrap(),
            },
            administrator: "123456789012".parse().unwrap(),
            package: PackageId {
                format: "npm".parse().unwrap(),
                namespace: None,
                name: "mypackage".parse().unwrap(),
            },
            arn: "arn:p".to_owned(),
            version: "1.0.0".parse().unwrap(),
            before,
            after,
            described: false,
        }
    }

    #[test]
    fn an_event_is_what_the_specification_says_and_each_account_has_its_copy() {
        let after = state(Status::Published, "R1", &[("a", "1")]);
        let events = events(&happening(None, Some(after)), &"us-east-1".parse().unwrap());
        let accounts: Vec<_> = events.iter().map(|event| event.account.as_str()).collect();
        assert_eq!(accounts, ["111122223333", "123456789012"]);
        assert_ne!(events[0].id, events[1].id);
        let expected = json!({
            "version": "0",
            "id": events[0].id,
            "detail-type": "CodeArtifact Package Version State Change",
            "source": "aws.codeartifact",
            "account": "111122223333",
            "time": "2026-03-14T15:09:26Z",
            "region": "us-east-1",
            "resources": ["arn:p"],
            "detail": {
                "domainName": "dom", "domainOwner": "111122223333", "repositoryName": "repo",
                "repositoryAdministrator": "123456789012", "packageFormat": "npm", "packageNamespace": null,
                "packageName": "mypackage", "packageVersion": "1.0.0", "packageVersionState": "Published",
                "packageVersionRevision": "R1",
                "changes": {
                    "assetsAdded": 1, "assetsRemoved": 0, "assetsUpdated": 0, "metadataUpdated": true,
                    "statusChanged": true
                },
                "operationType": "Created", "sequenceNumber": 7, "eventDeduplicationId": "C1"
            }
        });
        assert_eq!(events[0].document, expected);
    }

    #[test]
    fn changes_are_counted() {
        let published =
            |assets: &[(&str, &str)], revision| Some(state(Status::Published, revision, assets));
        let one = &[("a", "1")][..];
        for (before, after, operation, counted) in [
            (
                published(one, "R1"),
                published(&[("a", "1"), ("b", "2"), ("c", "3")], "R2"),
                "Updated",
                (2, 0, 0, false, false),
            ),
            (
                published(&[("a", "1"), ("b", "2")], "R1"),
                published(&[("a", "9")], "R2"),
                "Updated",
                (0, 1, 1, false, false),
            ),
            (
                published(one, "R1"),
                published(one, "R2"),
                "Updated",
                (0, 0, 0, true, false),
            ),
            (
                Some(state(Status::Unfinished, "R1", one)),
                published(one, "R1"),
                "Updated",
                (0, 0, 0, false, true),
            ),
            (
                published(one, "R1"),
                Some(state(Status::Disposed, "R1", &[])),
                "Updated",
                (0, 1, 0, false, true),
            ),
            (
                published(one, "R1"),
                None,
                "Deleted",
                (0, 1, 0, false, true),
            ),
        ] {
            let detail = detail(&happening(before, after));
            let (added, removed, updated, metadata, status) = counted;
            assert_eq!(detail["operationType"], operation);
            assert_eq!(
                detail["changes"],
                json!({
                    "assetsAdded": added, "assetsRemoved": removed, "assetsUpdated": updated,
                    "metadataUpdated": metadata, "statusChanged": status
                })
            );
        }
    }

    #[test]
    fn a_file_that_describes_its_version_changes_metadata_too() {
        let before = Some(state(Status::Published, "R1", &[("a.jar", "1")]));
        let after = Some(state(
            Status::Published,
            "R2",
            &[("a.jar", "1"), ("a.pom", "2")],
        ));
        for described in [false, true] {
            let happening = Happening {
                described,
                ..happening(before.clone(), after.clone())
            };
            let changes = &detail(&happening)["changes"];
            assert_eq!(changes["assetsAdded"], 1);
            assert_eq!(changes["metadataUpdated"], described);
        }
    }

    #[test]
    fn a_version_that_is_gone_shows_its_last_state() {
        let before = state(Status::Unlisted, "R1", &[]);
        let detail = detail(&happening(Some(before), None));
        assert_eq!(detail["packageVersionState"], "Unlisted");
    }
}
