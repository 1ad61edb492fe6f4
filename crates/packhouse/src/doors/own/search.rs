//! Finding packages and files, and who fetched them.

use aws::{Fault, Reason};
use catalog::{Action, DigestText, FileFound, PackageFound, Search};
use serde_json::{Value, json};

use super::audit::invalid;
use super::{Answered, Call, answer_with, failed};

/// What chooses the entries of a search.
const FILTERS: [&str; 9] = [
    "domain",
    "domainOwner",
    "repository",
    "text",
    "name",
    "namespace",
    "format",
    "license",
    "hash",
];

/// `GET …/search?domain=…` and any of `text`, `name`, `namespace`, `format`, `license`, `repository`; or `hash` alone.
pub(super) async fn search(call: Call<'_>) -> Answered {
    let at = call.domain_at()?;
    let repository = call.query("repository").map(str::parse).transpose();
    let repository =
        repository.map_err(|_| invalid("repository", "is not the name of a repository"))?;
    let text = |name: &str| {
        call.query(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let search = Search {
        text: text("text"),
        name: text("name"),
        namespace: text("namespace"),
        format: call.format()?,
        license: text("license"),
        repository,
    };
    call.may("*").await?;
    let paging = call.paging(&FILTERS)?;
    let (catalog, after) = (&call.house.catalog, paging.after.as_deref());
    let mut page = if let Some(hash) = call.query("hash") {
        let beside = Search {
            repository: search.repository.clone(),
            ..Search::default()
        };
        if search != beside {
            let message = "`hash` stands alone, beside `repository`";
            return Err(Fault::validation(Reason::FieldValidationFailed, message));
        }
        let hash: DigestText = hash.parse().map_err(|error: catalog::InvalidDigest| {
            Fault::validation(Reason::FieldValidationFailed, format!("`hash`: {error}"))
        })?;
        let only = search.repository.as_ref();
        let found = catalog
            .search_files(call.caller, &at, &hash, only, after, paging.limit)
            .await;
        let found = found.map_err(codeartifact::fault)?;
        let files: Vec<_> = found.items.iter().map(file).collect();
        json!({"files": files, "nextToken": paging.token(&call, found.next.as_deref())})
    } else {
        let found = catalog
            .search(call.caller, &at, &search, after, paging.limit)
            .await;
        let found = found.map_err(codeartifact::fault)?;
        let packages: Vec<_> = found.items.iter().map(package).collect();
        json!({"packages": packages, "nextToken": paging.token(&call, found.next.as_deref())})
    };
    without_null(&mut page);
    answer_with(&page)
}

fn package(found: &PackageFound) -> Value {
    let id = &found.id;
    let mut shown = json!({
        "repository": found.repository.as_str(), "format": id.format.as_str(), "namespace": id.namespace.as_ref().map(ToString::to_string),
        "package": id.name.as_str(), "version": found.version.as_str(), "publishedTime": found.published.iso8601(),
        "licenses": found.licenses, "summary": (!found.summary.is_empty()).then_some(&found.summary),
    });
    without_null(&mut shown);
    shown
}

fn file(found: &FileFound) -> Value {
    let id = &found.id;
    let mut shown = json!({
        "repository": found.repository.as_str(), "format": id.format.as_str(), "namespace": id.namespace.as_ref().map(ToString::to_string),
        "package": id.name.as_str(), "version": found.version.as_str(), "status": found.status.as_str(),
        "publishedTime": found.published.iso8601(), "asset": found.asset.as_str(), "size": found.size_bytes, "sha256": found.sha256,
    });
    without_null(&mut shown);
    shown
}

/// Members without a value are not there.
pub(super) fn without_null(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
    }
}

/// `GET …/fetches?domain=…&repository=…&format=…&namespace=…&package=…&version=…`
pub(super) async fn fetches(call: Call<'_>) -> Answered {
    let permit = call.package(Action::ListPackageVersions).await?;
    let version = call.version()?;
    let named = [
        "domain",
        "domainOwner",
        "repository",
        "format",
        "namespace",
        "package",
        "version",
    ];
    let paging = call.paging(&named)?;
    let from = crate::fetch_times::fetched_from(&permit.repository.at(), &permit.id);
    let ledger = &call.house.ledger;
    let found = ledger
        .fetchers(
            &from,
            version.as_str(),
            paging.after.as_deref(),
            paging.limit,
        )
        .await;
    let (fetches, next) = found.map_err(failed)?;
    let since = ledger.fetches_known_since().await.map_err(failed)?;
    let mut page = json!({
        "fetches": fetches, "knownSince": since.iso8601(), "nextToken": paging.token(&call, next.as_deref()),
    });
    without_null(&mut page);
    answer_with(&page)
}
