//! The documents that clients read: packuments, full and abbreviated, and single manifests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::{ListedVersion, Listing, PackageId, Timestamp, Version};
use http::HeaderMap;
use http::header::ACCEPT;
use serde_json::value::RawValue;

use super::json::{self, Members, Object, is_true};
use super::manifest::{
    ATTESTATIONS, DEPRECATED_HERE, HIDDEN, SHOWN_README_BYTES, cut, has_install_script,
};
use super::remote;
use super::request::full_name;
use super::semver::{self, SemVer};

/// The media type of an abbreviated packument.
pub(crate) const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// How much of a package is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Everything.
    Full,
    /// What is needed to install it.
    Abbreviated,
}

impl Shape {
    /// What the client prefers; everything when it does not say.
    pub(crate) fn asked_for(headers: &HeaderMap) -> Self {
        if quality(headers, ABBREVIATED) > quality(headers, "application/json") {
            Shape::Abbreviated
        } else {
            Shape::Full
        }
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Shape::Full => "application/json",
            Shape::Abbreviated => ABBREVIATED,
        }
    }
}

/// How much a client wants a media type: by the most exact of the ranges that it names.
fn quality(headers: &HeaderMap, media_type: &str) -> f32 {
    let mut found = (0, 0.0);
    let values = headers.get_all(ACCEPT).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let exactness = match parts.next().unwrap_or_default() {
            "*/*" => 1,
            "application/*" => 2,
            exact if exact.eq_ignore_ascii_case(media_type) => 3,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.map_or(1.0, |text| text.parse().unwrap_or(0.0));
        if exactness > found.0 {
            found = (exactness, weight);
        }
    }
    found.1
}

/// What is told of a version in an abbreviated packument, besides what is told of every one.
const INSTALL: [&str; 18] = [
    "name",
    "version",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "engines",
    "cpu",
    "os",
    "libc",
    "funding",
    "_hasShrinkwrap",
];

/// What is told of a package, from the version that it shows.
const HOISTED: [&str; 11] = [
    "description",
    "homepage",
    "keywords",
    "repository",
    "author",
    "contributors",
    "bugs",
    "license",
    "maintainers",
    "readme",
    "readmeFilename",
];

/// A packument.
pub(crate) fn packument(listing: &Listing, base: &str, shape: Shape) -> String {
    let name = full_name(&listing.package);
    let size: usize = listing
        .versions
        .iter()
        .map(|listed| listed.document.as_ref().map_or(0, |text| text.len()) + 200)
        .sum();
    let mut out = String::with_capacity(size + 4096);
    let mut object = Object::begin(&mut out);
    let labels = labels(listing);
    let shown = labels
        .iter()
        .find(|(label, _)| *label == "latest")
        .and_then(|(_, latest)| {
            listing
                .versions
                .iter()
                .find(|listed| listed.version == **latest)
        });
    if shape == Shape::Full {
        object.text("_id", &name);
        object.text("_rev", &revision(listing));
    }
    object.text("name", &name);
    if shape == Shape::Abbreviated {
        object.text("modified", &iso8601(modified(listing)));
    }
    let mut tags = Object::begin(object.member("dist-tags"));
    for (label, version) in &labels {
        tags.text(label, version.as_str());
    }
    tags.end();
    let mut versions = Object::begin(object.member("versions"));
    for listed in &listing.versions {
        let out = versions.member(listed.version.as_str());
        manifest(out, &listing.package, listed, base, shape);
    }
    versions.end();
    times(&mut object, listing);
    if shape == Shape::Full
        && let Some(document) = shown.and_then(|listed| listed.document.as_deref())
        && let Ok(members) = Members::parse(document)
    {
        for (key, value) in members.iter().filter(|(key, _)| HOISTED.contains(key)) {
            match json::text(value).filter(|_| key == "readme") {
                Some(readme) => object.text(key, cut(&readme, SHOWN_README_BYTES)),
                None => object.raw(key, value.get()),
            }
        }
        if members.get("maintainers").is_none() {
            object.raw("maintainers", "[]");
        }
    }
    object.end();
    out
}

/// The tags of a listing. Clients cannot do without `latest`: the newest version stands in for one that is not there.
pub(crate) fn labels(listing: &Listing) -> Vec<(&str, &Version)> {
    let labels = listing.labels.iter();
    let mut labels: Vec<_> = labels
        .map(|(label, version)| (label.as_str(), version))
        .collect();
    if !listing.labels.contains_key("latest") {
        let is_release = |listed: &&ListedVersion| {
            SemVer::parse(listed.version.as_str()).is_some_and(|version| !version.is_prerelease())
        };
        let newest = |a: &&ListedVersion, b: &&ListedVersion| {
            semver::compare(a.version.as_str(), b.version.as_str())
        };
        let versions = &listing.versions;
        let latest = versions
            .iter()
            .filter(is_release)
            .max_by(newest)
            .or_else(|| versions.iter().max_by(newest));
        labels.extend(latest.map(|listed| ("latest", &listed.version)));
        labels.sort_unstable();
    }
    labels
}

/// Another text for every other state of the list; opaque.
pub(crate) fn revision(listing: &Listing) -> String {
    let mut facts = String::new();
    for listed in &listing.versions {
        facts.push_str(listed.version.as_str());
        facts.push(' ');
        facts.push_str(listed.document.as_deref().unwrap_or_default());
        facts.push('\n');
    }
    for (label, version) in &listing.labels {
        facts.push_str(label);
        facts.push(' ');
        facts.push_str(version.as_str());
        facts.push('\n');
    }
    let digest = catalog::sha256_hex(facts.as_bytes());
    format!("{}-{}", listing.versions.len(), &digest[..32])
}

/// A version as it is told.
pub(crate) fn manifest(
    out: &mut String,
    package: &PackageId,
    listed: &ListedVersion,
    base: &str,
    shape: Shape,
) {
    let text = listed.document.as_deref().unwrap_or("{}");
    let members = Members::parse(text).unwrap_or_default();
    let mut object = Object::begin(out);
    if members.get("name").is_none() {
        object.text("name", &full_name(package));
    }
    if members.get("version").is_none() {
        object.text("version", listed.version.as_str());
    }
    for (key, value) in members.iter() {
        let is_told = match shape {
            Shape::Full => true,
            Shape::Abbreviated => INSTALL.contains(&key),
        };
        if is_told && !HIDDEN.contains(&key) {
            object.raw(key, value.get());
        }
    }
    if let Some(deprecated) = deprecation(&members) {
        object.raw("deprecated", deprecated);
    }
    let runs_something = match members.get("hasInstallScript") {
        Some(stated) => is_true(stated),
        None => has_install_script(&members),
    };
    if runs_something {
        object.raw("hasInstallScript", "true");
    }
    dist(object.member("dist"), package, listed, &members, base);
    object.end();
}

/// What is said of a version to whoever installs it: what was said here, else what the registry says. JSON text.
pub(crate) fn deprecation<'a>(members: &Members<'a>) -> Option<&'a str> {
    let value = members
        .get(DEPRECATED_HERE)
        .or_else(|| members.get("deprecated"))?;
    let is_said = !matches!(value.get(), "false" | "null" | "\"\"");
    is_said.then(|| value.get())
}

fn dist(
    out: &mut String,
    package: &PackageId,
    listed: &ListedVersion,
    members: &Members<'_>,
    base: &str,
) {
    let stated = members.object("dist").unwrap_or_default();
    let name = full_name(package);
    let version = &listed.version;
    let mut object = Object::begin(out);
    // Where the tarball is here, its digests are known; elsewhere they are what the registry promises.
    let known = listed.assets.first().filter(|_| listed.is_recorded);
    let digest = known.and_then(|asset| asset.bytes.sha512.as_deref());
    match (
        digest.and_then(|text| hex::decode(text).ok()),
        stated.get("integrity"),
    ) {
        (Some(digest), _) => {
            object.text("integrity", &format!("sha512-{}", BASE64.encode(digest)));
        }
        (None, Some(promised)) => object.raw("integrity", promised.get()),
        (None, None) => {}
    }
    match (
        known.and_then(|asset| asset.bytes.sha1.as_deref()),
        stated.get("shasum"),
    ) {
        (Some(digest), _) => object.text("shasum", digest),
        (None, Some(promised)) => object.raw("shasum", promised.get()),
        (None, None) => {}
    }
    object.text(
        "tarball",
        &format!("{base}{name}/-/{}-{version}.tgz", package.name),
    );
    let url = format!("{base}{}", remote::attestations_path(package, version));
    for (key, value) in stated.iter() {
        match key {
            "integrity" | "shasum" | "tarball" => {}
            "attestations" => attestations(object.member(key), value, &url),
            _ => object.raw(key, value.get()),
        }
    }
    if let Some(own) = members.get(ATTESTATIONS) {
        let kind = predicate_type(own);
        let mut attestations = Object::begin(object.member("attestations"));
        attestations.text("url", &url);
        let mut provenance = Object::begin(attestations.member("provenance"));
        provenance.text("predicateType", &kind);
        provenance.end();
        attestations.end();
    }
    object.end();
}

fn attestations(out: &mut String, stated: &RawValue, url: &str) {
    let members = Members::parse(stated.get()).unwrap_or_default();
    let mut object = Object::begin(out);
    object.text("url", url);
    for (key, value) in members.iter().filter(|(key, _)| *key != "url") {
        object.raw(key, value.get());
    }
    object.end();
}

/// What the first of our own attestations is about.
fn predicate_type(own: &RawValue) -> String {
    let all: Vec<Members<'_>> = serde_json::from_str(own.get()).unwrap_or_default();
    let first = all.first().and_then(|one| one.text("predicateType"));
    first.unwrap_or_default().into_owned()
}

fn modified(listing: &Listing) -> Timestamp {
    let published = listing
        .versions
        .iter()
        .filter_map(|listed| listed.published);
    published
        .max()
        .unwrap_or(listing.changed)
        .max(listing.changed)
}

/// When each version was published: where it was first, for clients that take none that are too new.
fn times(object: &mut Object<'_>, listing: &Listing) {
    let published = listing
        .versions
        .iter()
        .filter_map(|listed| listed.published);
    let created = published.min().unwrap_or(listing.changed);
    let mut times = Object::begin(object.member("time"));
    times.text("created", &iso8601(created));
    times.text("modified", &iso8601(modified(listing)));
    for listed in &listing.versions {
        if let Some(published) = listed.published {
            times.text(listed.version.as_str(), &iso8601(published));
        }
    }
    times.end();
}

/// `2026-03-14T15:09:26.535Z`, as JavaScript writes it.
pub(crate) fn iso8601(time: Timestamp) -> String {
    let seconds = time.iso8601();
    let seconds = seconds.trim_end_matches('Z');
    format!("{seconds}.{:03}Z", time.millis().rem_euclid(1000))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_prefers_and_everything_when_it_does_not_say() {
        for (accept, expected) in [
            (None, Shape::Full),
            (Some("application/json"), Shape::Full),
            (Some("*/*"), Shape::Full),
            (
                Some("application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"),
                Shape::Abbreviated,
            ),
            (
                Some("application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"),
                Shape::Abbreviated,
            ),
            (
                Some("application/vnd.npm.install-v1+json"),
                Shape::Abbreviated,
            ),
            (
                Some("application/vnd.npm.install-v1+json;q=0, text/html"),
                Shape::Full,
            ),
            (
                Some("application/json, application/vnd.npm.install-v1+json"),
                Shape::Full,
            ),
            (Some("text/html"), Shape::Full),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(Shape::asked_for(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn times_are_written_as_javascript_does() {
        assert_eq!(
            iso8601(Timestamp::from_millis(1_773_500_966_005)),
            "2026-03-14T15:09:26.005Z"
        );
        assert_eq!(
            iso8601(Timestamp::from_millis(0)),
            "1970-01-01T00:00:00.000Z"
        );
    }
}
