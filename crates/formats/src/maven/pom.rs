//! The POM: what a version says of itself. Only the POM of that very version is read; parents are not followed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use catalog::{Dependency, License, Manifest, VersionId};

use super::snapshot::Snapshot;
use super::xml::{Doctype, MAX_NODES, XmlError, walk};

/// Largest POM, in bytes.
pub(crate) const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Placeholders in placeholders are followed so many times.
const MAX_LEVELS: usize = 10;
/// Longest text that placeholders may grow to, in bytes: each level could square it otherwise.
const MAX_EXPANDED_BYTES: usize = 64 * 1024;
/// The comment by which Gradle knows that there is a `.module` beside the POM.
const GRADLE_MARKER: &[u8] = b"do_not_remove: published-with-gradle-metadata";

/// Why a POM is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PomError {
    /// It is not XML, or too much of it.
    #[error("the POM is {0}")]
    Xml(#[from] XmlError),
    /// It is XML of another kind.
    #[error("the root of the POM is not `project`")]
    Root,
}

/// What is read of a POM, placeholders and all.
#[derive(Debug, Default)]
struct Pom {
    parent: Coordinates,
    own: Coordinates,
    packaging: String,
    name: String,
    description: String,
    url: String,
    scm_url: String,
    scm_connection: String,
    licenses: Vec<License>,
    properties: BTreeMap<String, String>,
    dependencies: Vec<RawDependency>,
}

#[derive(Debug, Default)]
struct Coordinates {
    group: String,
    artifact: String,
    version: String,
}

#[derive(Debug, Default)]
struct RawDependency {
    of: Coordinates,
    scope: String,
    optional: String,
}

/// Reads the description of `version` out of its POM. A POM that is good XML and still not read here (an entity of its
/// own) describes nothing and says so in a warning, as does one for other coordinates.
pub(crate) fn describe(bytes: &[u8], version: &VersionId) -> Result<Manifest, PomError> {
    match Pom::parse(bytes) {
        Ok(pom) => Ok(pom.manifest(version)),
        Err(PomError::Xml(XmlError::Opaque(reason))) => Ok(Manifest {
            display_name: Some(version.package.name.to_string()),
            warnings: vec![format!("the POM was stored and not read: {reason}")],
            ..Manifest::default()
        }),
        Err(error) => Err(error),
    }
}

/// Whether the POM says that Gradle published a `.module` beside it.
pub(crate) fn has_gradle_marker(bytes: &[u8]) -> bool {
    bytes
        .windows(GRADLE_MARKER.len())
        .any(|window| window == GRADLE_MARKER)
}

/// A warning that begins like this is about a POM for other coordinates than its path's.
pub(crate) const MISMATCH: &str = "the POM is for ";

impl Pom {
    fn parse(bytes: &[u8]) -> Result<Self, PomError> {
        let mut pom = Self::default();
        let mut is_project = false;
        let mut license = License::default();
        let mut dependency = RawDependency::default();
        walk(bytes, Doctype::Ignore, MAX_NODES, |names, text| {
            let Some((root, names)) = names.split_first() else {
                return;
            };
            is_project = root == "project";
            let mut path = [""; 3];
            if names.len() > path.len() {
                return;
            }
            for (slot, name) in path.iter_mut().zip(names) {
                *slot = name;
            }
            let text = || text.to_owned();
            match path {
                ["groupId", "", _] => pom.own.group = text(),
                ["artifactId", "", _] => pom.own.artifact = text(),
                ["version", "", _] => pom.own.version = text(),
                ["packaging", "", _] => pom.packaging = text(),
                ["name", "", _] => pom.name = text(),
                ["description", "", _] => pom.description = text(),
                ["url", "", _] => pom.url = text(),
                ["parent", "groupId", ""] => pom.parent.group = text(),
                ["parent", "artifactId", ""] => pom.parent.artifact = text(),
                ["parent", "version", ""] => pom.parent.version = text(),
                ["scm", "url", ""] => pom.scm_url = text(),
                ["scm", "connection", ""] => pom.scm_connection = text(),
                ["licenses", "license", field] => match field {
                    "name" => license.name = present(text()),
                    "url" => license.url = present(text()),
                    "" => pom.licenses.push(std::mem::take(&mut license)),
                    _ => {}
                },
                ["properties", name, ""] if !name.is_empty() => {
                    pom.properties.insert(name.to_owned(), text());
                }
                ["dependencies", "dependency", field] => match field {
                    "groupId" => dependency.of.group = text(),
                    "artifactId" => dependency.of.artifact = text(),
                    "version" => dependency.of.version = text(),
                    "scope" => dependency.scope = text(),
                    "optional" => dependency.optional = text(),
                    "" => pom.dependencies.push(std::mem::take(&mut dependency)),
                    _ => {}
                },
                _ => {}
            }
        })?;
        if is_project {
            Ok(pom)
        } else {
            Err(PomError::Root)
        }
    }

    fn manifest(&self, version: &VersionId) -> Manifest {
        let filled = |text: &str| present(self.interpolate(text).into_owned());
        let scm = if self.scm_url.is_empty() {
            let connection = self.scm_connection.as_str();
            connection.strip_prefix("scm:git:").unwrap_or(connection)
        } else {
            &self.scm_url
        };
        let mut dependencies = Vec::with_capacity(1 + self.dependencies.len());
        if !self.parent.artifact.is_empty() {
            dependencies.push(self.dependency(&self.parent, "parent".into()));
        }
        dependencies.extend(self.dependencies.iter().map(|dependency| {
            let scope = self.interpolate(&dependency.scope);
            let kind = if self.interpolate(&dependency.optional) == "true" {
                "optional"
            } else if scope.is_empty() {
                "compile"
            } else {
                &*scope
            };
            self.dependency(&dependency.of, kind.to_owned())
        }));
        Manifest {
            display_name: filled(&self.name).or_else(|| Some(version.package.name.to_string())),
            summary: filled(&self.description),
            keywords: Vec::new(),
            home_page: filled(&self.url),
            source_code_repository: filled(scm),
            licenses: self
                .licenses
                .iter()
                .map(|license| License {
                    name: license.name.as_deref().and_then(filled),
                    url: license.url.as_deref().and_then(filled),
                })
                .collect(),
            dependencies,
            readme: None,
            warnings: self.mismatch(version).into_iter().collect(),
        }
    }

    fn dependency(&self, of: &Coordinates, kind: String) -> Dependency {
        let filled = |text: &str| present(self.interpolate(text).into_owned());
        Dependency {
            namespace: filled(&of.group),
            package: filled(&of.artifact),
            dependency_type: Some(kind),
            version_requirement: filled(&of.version),
        }
    }

    /// The coordinates that Maven gives the project: what it leaves out is its parent's.
    fn effective(&self) -> [&str; 3] {
        let or = |own: &'_ str, parent: &'_ str| own.is_empty() && !parent.is_empty();
        [
            if or(&self.own.group, &self.parent.group) {
                &self.parent.group
            } else {
                &self.own.group
            },
            &self.own.artifact,
            if or(&self.own.version, &self.parent.version) {
                &self.parent.version
            } else {
                &self.own.version
            },
        ]
    }

    /// The POM's word against its path's. A placeholder contradicts nothing: `${revision}` is filled in elsewhere.
    fn mismatch(&self, version: &VersionId) -> Option<String> {
        let written = self.effective();
        let text = version.version.as_str();
        let snapshot = Snapshot::of_build(text).map(|(snapshot, _)| snapshot.version().to_string());
        let expected = [
            version.package.namespace_text(),
            version.package.name.as_str(),
            snapshot.as_deref().unwrap_or(text),
        ];
        let contradicts = |(written, expected): (&&str, &&str)| {
            !written.is_empty() && !written.contains("${") && written != expected
        };
        written.iter().zip(&expected).any(contradicts).then(|| {
            format!(
                "{MISMATCH}{} and its path for {}",
                written.join(":"),
                expected.join(":")
            )
        })
    }

    /// Fills in what this POM itself knows; other placeholders stay.
    fn interpolate<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for _ in 0..MAX_LEVELS {
            match self.interpolate_once(&text) {
                Some(filled) if filled.len() <= MAX_EXPANDED_BYTES => text = Cow::Owned(filled),
                _ => break,
            }
        }
        text
    }

    fn interpolate_once(&self, text: &str) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut is_changed = false;
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else {
                break;
            };
            let placeholder = &rest[start..=start + length];
            filled.push_str(&rest[..start]);
            match self.value(&placeholder[2..placeholder.len() - 1]) {
                // A placeholder for itself would be replaced for ever.
                Some(value) if value != placeholder => {
                    is_changed = true;
                    filled.push_str(value);
                }
                _ => filled.push_str(placeholder),
            }
            if filled.len() > MAX_EXPANDED_BYTES {
                return Some(filled);
            }
            rest = &rest[start + length + 1..];
        }
        filled.push_str(rest);
        is_changed.then_some(filled)
    }

    fn value(&self, key: &str) -> Option<&str> {
        let [group, artifact, version] = self.effective();
        let path = key
            .strip_prefix("project.")
            .or_else(|| key.strip_prefix("pom."));
        let value = match path {
            Some("groupId") => group,
            Some("artifactId") => artifact,
            Some("version") => version,
            Some("packaging") if self.packaging.is_empty() => "jar",
            Some("packaging") => &self.packaging,
            Some("name") => &self.name,
            Some("description") => &self.description,
            Some("url") => &self.url,
            Some("parent.groupId") => &self.parent.group,
            Some("parent.artifactId") => &self.parent.artifact,
            Some("parent.version") => &self.parent.version,
            _ => return self.properties.get(key).map(String::as_str),
        };
        (!value.is_empty()).then_some(value)
    }
}

fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::request::FORMAT;
    use super::*;

    fn version(group: &str, artifact: &str, version: &str) -> VersionId {
        let package = catalog::PackageId {
            format: FORMAT.clone(),
            namespace: Some(group.parse().unwrap()),
            name: artifact.parse().unwrap(),
        };
        package.version(version.parse().unwrap())
    }

    fn read(pom: &str) -> Manifest {
        describe(pom.as_bytes(), &version("com.acme", "lib-a", "1.0")).unwrap()
    }

    #[test]
    fn a_pom_is_read_as_the_api_shows_it() {
        let manifest = read(include_str!("fixtures/lib-a-1.0.pom"));
        assert_eq!(manifest.display_name.as_deref(), Some("Library A"));
        assert_eq!(
            manifest.summary.as_deref(),
            Some("Does \u{201e}A\u{201c} & more.")
        );
        assert_eq!(
            manifest.home_page.as_deref(),
            Some("https://acme.example/lib-a")
        );
        assert_eq!(
            manifest.source_code_repository.as_deref(),
            Some("https://git.acme.example/lib-a.git")
        );
        let licenses: Vec<_> = manifest
            .licenses
            .iter()
            .map(|license| (license.name.as_deref(), license.url.as_deref()))
            .collect();
        assert_eq!(
            licenses,
            [
                (
                    Some("Apache-2.0"),
                    Some("https://www.apache.org/licenses/LICENSE-2.0.txt")
                ),
                (Some("MIT"), None),
            ]
        );
        let dependencies: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|one| {
                format!(
                    "{}:{} {} {}",
                    one.namespace.as_deref().unwrap_or("-"),
                    one.package.as_deref().unwrap_or("-"),
                    one.dependency_type.as_deref().unwrap_or("-"),
                    one.version_requirement.as_deref().unwrap_or("-"),
                )
            })
            .collect();
        assert_eq!(
            dependencies,
            [
                "com.acme:parent parent 7",
                "com.acme:lib-b compile 1.0",
                "org.slf4j:slf4j-api provided [1.7,3)",
                "org.junit:junit test 5.1",
                "org.other:maybe optional -",
                "org.other:unknown runtime ${not.here}",
            ]
        );
        assert!(manifest.warnings.is_empty(), "{:?}", manifest.warnings);
    }

    #[test]
    fn a_pom_with_coordinates_alone_is_enough() {
        let manifest = read("<project><artifactId>lib-a</artifactId></project>");
        assert_eq!(manifest.display_name.as_deref(), Some("lib-a"));
        assert!(manifest.licenses.is_empty() && manifest.dependencies.is_empty());
    }

    #[test]
    fn other_coordinates_are_noticed_and_placeholders_are_not() {
        for (pom, at, is_mismatch) in [
            (
                "<groupId>com.acme</groupId><version>1.0</version>",
                "1.0",
                false,
            ),
            (
                "<groupId>com.acme</groupId><version>2.0</version>",
                "1.0",
                true,
            ),
            (
                "<groupId>com.other</groupId><version>1.0</version>",
                "1.0",
                true,
            ),
            (
                "<groupId>com.acme</groupId><version>${revision}</version>",
                "1.0",
                false,
            ),
            (
                "<parent><groupId>com.acme</groupId><version>1.0</version></parent>",
                "1.0",
                false,
            ),
            (
                "<parent><groupId>com.acme</groupId><version>2.0</version></parent>",
                "1.0",
                true,
            ),
            (
                "<version>1.1-SNAPSHOT</version>",
                "1.1-20261122.194127-1",
                false,
            ),
            ("<version>1.1-SNAPSHOT</version>", "1.1-SNAPSHOT", false),
            ("<version>1.2-SNAPSHOT</version>", "1.1-SNAPSHOT", true),
        ] {
            let pom = format!("<project><artifactId>lib-a</artifactId>{pom}</project>");
            let manifest = describe(pom.as_bytes(), &version("com.acme", "lib-a", at)).unwrap();
            let warned = manifest
                .warnings
                .iter()
                .any(|warning| warning.starts_with(MISMATCH));
            assert_eq!(warned, is_mismatch, "{pom} at {at}");
        }
    }

    #[test]
    fn loops_and_explosions_of_placeholders_end() {
        let properties = "<a>${b}</a><b>${a}</b><self>x${self}</self>\
            <c>${d}${d}${d}${d}${d}${d}${d}${d}</c><d>${e}${e}${e}${e}${e}${e}${e}${e}</d>\
            <e>${f}${f}${f}${f}${f}${f}${f}${f}</e><f>${g}${g}${g}${g}${g}${g}${g}${g}</f><g>ggggggggggggggggggggggggggggggggggggggggg</g>";
        for name in ["${a}", "${self}", "${c}", "${", "${}", "${${a}}"] {
            let manifest = read(&format!(
                "<project><properties>{properties}</properties><name>{name}</name></project>"
            ));
            assert!(
                manifest.display_name.unwrap().len() <= MAX_EXPANDED_BYTES,
                "{name}"
            );
        }
    }

    #[test]
    fn hostile_poms_are_refused_or_stored_unread() {
        let deep = format!(
            "<project>{}{}</project>",
            "<a>".repeat(200),
            "</a>".repeat(200)
        );
        let many = format!("<project>{}</project>", "<a/>".repeat(MAX_NODES));
        let wide = format!("<project a='{}'/>", "x".repeat(70_000));
        for refused in [
            "",
            "PK\u{3}\u{4}",
            "<html></html>",
            "<project>",
            "<!doctype html><html><body>log in</body></html>",
            &deep,
            &many,
            &wide,
        ] {
            assert!(describe(refused.as_bytes(), &version("a", "b", "1")).is_err());
        }
        let entity = r#"<!DOCTYPE project [<!ENTITY x SYSTEM "file:///etc/passwd">]><project><name>&x;</name></project>"#;
        let manifest = read(entity);
        assert_eq!(manifest.display_name.as_deref(), Some("lib-a"));
        assert_eq!(manifest.warnings.len(), 1);
        let unused = r#"<!DOCTYPE project [<!ENTITY x "y">]><project><name>n</name></project>"#;
        assert_eq!(read(unused).display_name.as_deref(), Some("n"));
    }

    #[test]
    fn the_gradle_marker_is_found() {
        assert!(has_gradle_marker(
            b"<project><!-- do_not_remove: published-with-gradle-metadata --></project>"
        ));
        assert!(!has_gradle_marker(b"<project/>"));
    }
}
