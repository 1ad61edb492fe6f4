//! What a `package.json` says: in the catalog's words, and as the document that is kept of a version.

use std::collections::BTreeMap;

use catalog::{Dependency, License, Manifest, Version};
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::{Members, Object, quote};
use super::request::split_name;
use super::tarball::{README_BYTES, Tarball};

/// Bytes of a readme in a packument; all of it is in the description.
pub(crate) const SHOWN_README_BYTES: usize = 64 << 10;

/// What npm writes when there is none.
const NO_README: &str = "ERROR: No README data found!";

/// Members of a document that are ours, or are told anew each time.
pub(crate) const HIDDEN: [&str; 7] = [
    "dist",
    "deprecated",
    DEPRECATED_HERE,
    ATTESTATIONS,
    "readme",
    "readmeFilename",
    "hasInstallScript",
];

/// A deprecation that was said here; it counts whatever the registry says. Empty: not deprecated.
pub(crate) const DEPRECATED_HERE: &str = "_deprecatedHere";

/// What was published with a version to prove where it comes from.
pub(crate) const ATTESTATIONS: &str = "_attestations";

/// Members that decide what is installed and run.
pub(crate) const INSTALLED: [&str; 10] = [
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "bin",
    "scripts",
    "engines",
    "os",
    "cpu",
    "bundleDependencies",
    "bundledDependencies",
];

/// Members that the client adds when it publishes, and that are taken from what it sent.
const ADDED: [&str; 3] = ["_nodeVersion", "_npmVersion", "gitHead"];

/// The description in the catalog's words.
pub(crate) fn describe(package: &Members<'_>, readme: Option<&str>) -> Manifest {
    let text = |name: &str| {
        let text = package.text(name)?;
        (!text.trim().is_empty()).then(|| text.into_owned())
    };
    Manifest {
        display_name: text("name"),
        summary: text("description"),
        keywords: keywords(package),
        home_page: text("homepage"),
        source_code_repository: package.get("repository").and_then(repository),
        licenses: licenses(package),
        dependencies: dependencies(package),
        readme: readme.map(|readme| cut(readme, README_BYTES).to_owned()),
        warnings: Vec::new(),
    }
}

/// The readme: what the client sent, else what is in the tarball.
pub(crate) fn readme(sent: Option<&str>, tarball: Option<&Tarball>) -> Option<(String, String)> {
    let sent = sent.filter(|text| !text.is_empty() && *text != NO_README);
    let inside = tarball.and_then(|tarball| tarball.readme.clone());
    match (sent, inside) {
        (Some(text), inside) => {
            let name = inside.map_or_else(|| "README.md".to_owned(), |(name, _)| name);
            Some((name, text.to_owned()))
        }
        (None, inside) => inside,
    }
}

/// The directory in which every file is a command, of a package that names one and no commands: npm's own client lists
/// them when it publishes, and no other looks for them when it installs.
pub(crate) fn command_directory(package_json: &str) -> Option<String> {
    let package = Members::parse(package_json).ok()?;
    if package.get("bin").is_some() {
        return None;
    }
    let directory = package.object("directories")?.text("bin")?.into_owned();
    let parts = directory
        .split('/')
        .filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

/// The document that is kept of a version: its `package.json`, what the client adds, what was found in the tarball.
pub(crate) fn compose(
    package: &Members<'_>,
    version: &Version,
    sent: &Members<'_>,
    tarball: &Tarball,
    readme: Option<&(String, String)>,
    attestations: Option<&str>,
) -> String {
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    let name = package.text("name").unwrap_or_default();
    for (key, value) in package.iter() {
        if key.starts_with('_') || HIDDEN.contains(&key) || ADDED.contains(&key) {
            continue;
        }
        match (key, super::json::text(value)) {
            // One command, called like the package.
            ("bin", Some(path)) => {
                let (_, command) = split_name(&name);
                let mut bin = Object::begin(object.member(key));
                bin.text(command, &path);
                bin.end();
            }
            // Without what npm takes away before it looks.
            ("version", _) => object.text(key, version.as_str()),
            _ => object.raw(key, value.get()),
        }
    }
    if !tarball.commands.is_empty() {
        let commands = tarball.commands.iter().map(|path| {
            let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
            (name, path)
        });
        let mut bin = Object::begin(object.member("bin"));
        for (name, path) in commands.collect::<BTreeMap<_, _>>() {
            bin.text(name, path);
        }
        bin.end();
    }
    for key in ADDED {
        if let Some(value) = sent.get(key) {
            object.raw(key, value.get());
        }
    }
    object.text("_id", &format!("{name}@{version}"));
    object.raw(
        "_hasShrinkwrap",
        if tarball.has_shrinkwrap {
            "true"
        } else {
            "false"
        },
    );
    if has_install_script(package) || (tarball.has_gyp && compiles_itself(package)) {
        object.raw("hasInstallScript", "true");
    }
    if let Some((name, text)) = readme {
        object.text("readme", cut(text, SHOWN_README_BYTES));
        object.text("readmeFilename", name);
    }
    if let Some(attestations) = attestations {
        object.raw(ATTESTATIONS, attestations);
    }
    let mut dist = Object::begin(object.member("dist"));
    dist.raw("fileCount", &tarball.files.to_string());
    dist.raw("unpackedSize", &tarball.unpacked_bytes.to_string());
    dist.end();
    object.end();
    out
}

/// Whether something is run when it is installed.
pub(crate) fn has_install_script(package: &Members<'_>) -> bool {
    let scripts = package.object("scripts").unwrap_or_default();
    ["preinstall", "install", "postinstall"]
        .iter()
        .any(|name| scripts.get(name).is_some())
}

/// Whether npm runs the compiler by itself where there is a `binding.gyp`.
fn compiles_itself(package: &Members<'_>) -> bool {
    package
        .get("gypfile")
        .is_none_or(|value| value.get() != "false")
}

/// The members that decide what is installed and are not the same in both; spelling does not count.
pub(crate) fn differences(package: &Members<'_>, sent: &Members<'_>) -> Vec<&'static str> {
    let name = package.text("name").unwrap_or_default();
    let mut names: Vec<_> = INSTALLED
        .into_iter()
        .filter(|key| normal(package, key, &name) != normal(sent, key, &name))
        .collect();
    // One list under either of its names; optional dependencies may be listed with the others.
    names.retain(|key| !key.starts_with("bundle"));
    names
}

fn normal(package: &Members<'_>, key: &str, name: &str) -> Value {
    let read = |key: &str| {
        let value = package.get(key)?;
        serde_json::from_str::<Value>(value.get()).ok()
    };
    let mut value = read(key).unwrap_or(Value::Null);
    if key == "bin"
        && let Value::String(path) = &value
    {
        value = Value::Object(
            [(split_name(name).1.to_owned(), path.clone().into())]
                .into_iter()
                .collect(),
        );
    }
    if let (Value::Object(paths), "bin") = (&mut value, key) {
        for path in paths.values_mut() {
            if let Value::String(path) = path {
                *path = path.trim_start_matches("./").to_owned();
            }
        }
    }
    if let (Value::Object(all), "dependencies") = (&mut value, key)
        && let Some(Value::Object(optional)) = read("optionalDependencies")
    {
        all.retain(|name, _| !optional.contains_key(name));
    }
    match &value {
        Value::Object(all) if all.is_empty() => Value::Null,
        Value::Array(all) if all.is_empty() => Value::Null,
        _ => value,
    }
}

/// `https://host/o/r.git`, from everything that people write.
fn repository(value: &RawValue) -> Option<String> {
    let url = match super::json::text(value) {
        Some(text) => text.into_owned(),
        None => Members::parse(value.get()).ok()?.text("url")?.into_owned(),
    };
    let url = url.trim();
    if url.is_empty() {
        return None;
    }
    let hosted = |host: &str, path: &str| {
        let path = path.split('#').next().unwrap_or_default();
        let path = path.strip_suffix(".git").unwrap_or(path);
        Some(format!("https://{host}/{path}.git"))
    };
    let url = url.strip_prefix("git+").unwrap_or(url);
    for (prefix, host) in [
        ("github:", "github.com"),
        ("gitlab:", "gitlab.com"),
        ("bitbucket:", "bitbucket.org"),
    ] {
        if let Some(path) = url.strip_prefix(prefix) {
            return hosted(host, path);
        }
        // Where everybody can read what is there over HTTPS too.
        let place = ["git://", "http://", "ssh://git@", "git@"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme)?.strip_prefix(host));
        if let Some(path) = place.and_then(|place| place.strip_prefix(['/', ':'])) {
            return hosted(host, path);
        }
    }
    let parts: Vec<_> = url.split('/').collect();
    let is_word =
        |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains([':', '@', ' ']);
    if parts.len() == 2 && parts.iter().all(is_word) {
        return hosted("github.com", url);
    }
    Some(url.to_owned())
}

fn keywords(package: &Members<'_>) -> Vec<String> {
    let Some(value) = package.get("keywords") else {
        return Vec::new();
    };
    match super::json::text(value) {
        Some(one) => vec![one.into_owned()],
        None => serde_json::from_str(value.get()).unwrap_or_default(),
    }
}

fn licenses(package: &Members<'_>) -> Vec<License> {
    let one = |value: &RawValue| {
        if let Some(name) = super::json::text(value) {
            let name = name.trim();
            return (!name.is_empty()).then(|| License {
                name: Some(name.to_owned()),
                url: None,
            });
        }
        let members = Members::parse(value.get()).ok()?;
        let name = members.text("type").or_else(|| members.text("name"));
        let url = members.text("url");
        (name.is_some() || url.is_some()).then(|| License {
            name: name.map(Into::into),
            url: url.map(Into::into),
        })
    };
    let many = |value: &RawValue| match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
        Ok(all) => all.into_iter().filter_map(one).collect(),
        Err(_) => Vec::from_iter(one(value)),
    };
    ["license", "licenses"]
        .iter()
        .filter_map(|name| package.get(name))
        .map(many)
        .find(|found: &Vec<_>| !found.is_empty())
        .unwrap_or_default()
}

fn dependencies(package: &Members<'_>) -> Vec<Dependency> {
    let optional = package.object("optionalDependencies").unwrap_or_default();
    let mut all = Vec::new();
    for (member, kind) in [
        ("dependencies", "regular"),
        ("devDependencies", "dev"),
        ("peerDependencies", "peer"),
        ("optionalDependencies", "optional"),
    ] {
        let members = package.object(member).unwrap_or_default();
        for (name, value) in members.iter() {
            if kind == "regular" && optional.get(name).is_some() {
                continue;
            }
            let (scope, package) = split_name(name);
            all.push(Dependency {
                namespace: scope.map(ToOwned::to_owned),
                package: Some(package.to_owned()),
                dependency_type: Some(kind.to_owned()),
                version_requirement: super::json::text(value).map(Into::into),
            });
        }
    }
    all
}

/// At most so many bytes of a text.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A document with other members: `None` takes one away.
pub(crate) fn with(document: &str, changes: &[(&str, Option<&str>)]) -> Option<String> {
    let members = Members::parse(document).ok()?;
    let mut out = String::with_capacity(document.len() + 64);
    let mut object = Object::begin(&mut out);
    for (key, value) in members.iter() {
        if changes.iter().all(|(changed, _)| *changed != key) {
            object.raw(key, value.get());
        }
    }
    for (key, value) in changes {
        if let Some(value) = value {
            object.raw(key, value);
        }
    }
    object.end();
    Some(out)
}

/// A string as JSON text.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(&mut out, text);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_address_however_it_is_written() {
        for (written, expected) in [
            (r#""o/r""#, Some("https://github.com/o/r.git")),
            (r#""github:o/r""#, Some("https://github.com/o/r.git")),
            (r#""gitlab:o/r#main""#, Some("https://gitlab.com/o/r.git")),
            (
                r#""bitbucket:o/r.git""#,
                Some("https://bitbucket.org/o/r.git"),
            ),
            (
                r#"{"type":"git","url":"git+https://host/lodash/lodash.git"}"#,
                Some("https://host/lodash/lodash.git"),
            ),
            (
                r#""git://github.com/o/r.git""#,
                Some("https://github.com/o/r.git"),
            ),
            (
                r#""git+ssh://git@gitlab.com/g/o/r.git""#,
                Some("https://gitlab.com/g/o/r.git"),
            ),
            (
                r#""git@bitbucket.org:o/r.git""#,
                Some("https://bitbucket.org/o/r.git"),
            ),
            (
                r#""http://github.com/o/r""#,
                Some("https://github.com/o/r.git"),
            ),
            (
                r#""https://github.com/o/r""#,
                Some("https://github.com/o/r"),
            ),
            (
                r#""git://github.community/o/r""#,
                Some("git://github.community/o/r"),
            ),
            (r#"{"url":"git@host:o/r.git"}"#, Some("git@host:o/r.git")),
            (r#""git://host/o/r.git""#, Some("git://host/o/r.git")),
            (r#"{"type":"git"}"#, None),
            (r#""""#, None),
            ("7", None),
        ] {
            let value: &RawValue = serde_json::from_str(written).unwrap();
            assert_eq!(repository(value).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn licences_are_read_as_people_have_written_them_over_the_years() {
        for (written, expected) in [
            (r#"{"license":"MIT"}"#, "MIT/-"),
            (r#"{"license":{"type":"MIT","url":"u"}}"#, "MIT/u"),
            (
                r#"{"licenses":[{"type":"MIT","url":"u"},{"type":"X"}]}"#,
                "MIT/u X/-",
            ),
            (r#"{"license":["A","B"]}"#, "A/- B/-"),
            (r#"{"license":"","licenses":["A"]}"#, "A/-"),
            (r#"{"license":3}"#, ""),
            ("{}", ""),
        ] {
            let members = Members::parse(written).unwrap();
            let found: Vec<_> = licenses(&members)
                .into_iter()
                .map(|one| {
                    let [name, url] =
                        [one.name, one.url].map(|text| text.unwrap_or("-".to_owned()));
                    format!("{name}/{url}")
                })
                .collect();
            assert_eq!(found.join(" "), expected, "{written}");
        }
    }

    #[test]
    fn dependencies_are_of_four_kinds_and_an_optional_one_is_listed_once() {
        let members = Members::parse(
            r#"{"dependencies":{"a":"^1","@s/b":"npm:c@2"},"devDependencies":{"d":"*"},
                "peerDependencies":{"e":">=1"},"optionalDependencies":{"a":"^1"}}"#,
        );
        let found: Vec<_> = dependencies(&members.unwrap())
            .into_iter()
            .map(|one| {
                let scope = one.namespace.unwrap_or_default();
                let [name, kind, of] = [one.package, one.dependency_type, one.version_requirement]
                    .map(Option::unwrap_or_default);
                format!("{kind} {scope}/{name} {of}")
            })
            .collect();
        assert_eq!(
            found,
            [
                "regular s/b npm:c@2",
                "dev /d *",
                "peer /e >=1",
                "optional /a ^1"
            ]
        );
    }

    #[test]
    fn what_npm_writes_differently_is_no_difference() {
        for (inside, sent, expected) in [
            (
                r#"{"name":"@a/b","bin":"./x.js"}"#,
                r#"{"bin":{"b":"x.js"}}"#,
                "",
            ),
            (r#"{"dependencies":{}}"#, "{}", ""),
            (
                r#"{"optionalDependencies":{"a":"1"}}"#,
                r#"{"dependencies":{"a":"1"},"optionalDependencies":{"a":"1"}}"#,
                "",
            ),
            (
                r#"{"dependencies":{"a":"1"}}"#,
                r#"{"dependencies":{"a":"2"}}"#,
                "dependencies",
            ),
            ("{}", r#"{"scripts":{"postinstall":"x"}}"#, "scripts"),
        ] {
            let (inside, sent) = (
                Members::parse(inside).unwrap(),
                Members::parse(sent).unwrap(),
            );
            assert_eq!(differences(&inside, &sent).join(" "), expected);
        }
    }
}
