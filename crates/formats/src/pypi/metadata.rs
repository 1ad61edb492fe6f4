//! Core metadata: what a distribution says of itself, in the headers of `METADATA` or `PKG-INFO`.

use catalog::{Dependency, License, Manifest};
use pep440_rs::VersionSpecifiers;

use super::name;

/// Largest metadata file, in bytes.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Headers, at most.
const MAX_HEADERS: usize = 20_000;
/// Longest requirement, in bytes.
const MAX_REQUIREMENT_BYTES: usize = 16 * 1024;
/// Longest licence text that is taken for a name, in characters.
const MAX_LICENSE_CHARS: usize = 255;
/// Longest readme that is kept, in bytes; more is cut off.
const MAX_README_BYTES: usize = 1024 * 1024;

/// Why metadata cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetadataError {
    /// It is not text.
    #[error("the metadata is not UTF-8")]
    Encoding,
    /// Too much of it.
    #[error("the metadata has more than {MAX_HEADERS} headers")]
    TooMany,
    /// A header that must be there is not, or is there twice.
    #[error("the metadata has not one `{0}`")]
    NotOne(&'static str),
    /// A header that others depend on does not read.
    #[error("the `{0}` of the metadata cannot be read")]
    Unreadable(&'static str),
}

/// The metadata of a distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The project's name, as written.
    pub name: String,
    /// The version, as written.
    pub version: String,
    headers: Vec<(String, String)>,
    description: Option<String>,
}

impl Metadata {
    /// Reads it leniently: unknown headers are kept, lines that are none passed over. Errors: not UTF-8, too many headers,
    /// no name or version.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let text = std::str::from_utf8(bytes).map_err(|_| MetadataError::Encoding)?;
        Self::read(text)
    }

    /// The same for what a registry sent: what is not UTF-8 is replaced.
    pub(crate) fn parse_lossy(bytes: &[u8]) -> Result<Self, MetadataError> {
        Self::read(&String::from_utf8_lossy(bytes))
    }

    /// The same said elsewhere than in a file: headers in lower case, `description` as it is to be read.
    pub(crate) fn stated(name: &str, version: &str, said: Vec<(&str, String)>) -> Self {
        let mut metadata = Self {
            name: name.to_owned(),
            version: version.to_owned(),
            ..Self::default()
        };
        for (header, value) in said {
            if header == "description" {
                metadata.description = Some(value).filter(|text| !text.trim().is_empty());
            } else {
                metadata
                    .headers
                    .push((header.to_owned(), value.trim().to_owned()));
            }
        }
        metadata
    }

    fn read(text: &str) -> Result<Self, MetadataError> {
        let mut rest = text.trim_start_matches('\u{feff}');
        let mut metadata = Self::default();
        while let Some((line, after)) = next_line(rest) {
            if line.trim().is_empty() {
                metadata.description =
                    Some(after.to_owned()).filter(|body| !body.trim().is_empty());
                break;
            }
            rest = after;
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = metadata.headers.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if metadata.headers.len() == MAX_HEADERS {
                return Err(MetadataError::TooMany);
            }
            metadata
                .headers
                .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        metadata.name = metadata.only("name", "Name")?;
        metadata.version = metadata.only("version", "Version")?;
        Ok(metadata)
    }

    fn only(&self, header: &'static str, shown: &'static str) -> Result<String, MetadataError> {
        let mut values = self.all(header);
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(MetadataError::NotOne(shown)),
        }
    }

    fn all<'a>(&'a self, header: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(name, _)| name == header)
            .map(|(_, value)| value.as_str())
    }

    /// A header that says something.
    fn first<'a>(&'a self, header: &'a str) -> Option<&'a str> {
        self.all(header)
            .find(|value| !value.is_empty() && *value != "UNKNOWN")
    }

    /// `Requires-Python`, in one line.
    pub(crate) fn requires_python(&self) -> Option<String> {
        let text = self.first("requires-python")?;
        (text.len() <= MAX_REQUIREMENT_BYTES).then(|| one_line(text))
    }

    /// Whether what installers decide by can be read: of versions from 2.1 on everything must.
    pub(crate) fn check(&self) -> Result<(), MetadataError> {
        if !self.first("metadata-version").is_some_and(is_strict) {
            return Ok(());
        }
        if let Some(text) = self.first("requires-python")
            && !are_specifiers(text)
        {
            return Err(MetadataError::Unreadable("Requires-Python"));
        }
        let unreadable = self
            .all("requires-dist")
            .any(|text| Requirement::parse(text).is_none_or(|found| !found.is_valid()));
        if unreadable {
            return Err(MetadataError::Unreadable("Requires-Dist"));
        }
        Ok(())
    }

    /// What the API says of the version.
    pub(crate) fn manifest(&self) -> Manifest {
        let labelled = |labels: &[&str]| {
            self.all("project-url").find_map(|text| {
                let (label, url) = text.split_once(',')?;
                let label: String = label
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .flat_map(char::to_lowercase)
                    .collect();
                labels
                    .contains(&label.as_str())
                    .then(|| url.trim().to_owned())
            })
        };
        let home_page = self.first("home-page").map(ToOwned::to_owned);
        Manifest {
            display_name: Some(self.name.clone()),
            summary: self.first("summary").map(one_line),
            keywords: self.keywords(),
            home_page: home_page.or_else(|| labelled(&["homepage"])),
            source_code_repository: labelled(&[
                "source",
                "sourcecode",
                "repository",
                "code",
                "github",
            ]),
            licenses: self.licenses(),
            dependencies: self
                .all("requires-dist")
                .filter_map(Requirement::parse)
                .map(Requirement::dependency)
                .collect(),
            readme: self.readme(),
            warnings: Vec::new(),
        }
    }

    /// Separated by commas; before those were agreed on, by blanks.
    fn keywords(&self) -> Vec<String> {
        let text = self.first("keywords").unwrap_or_default();
        let separator = if text.contains(',') { ',' } else { ' ' };
        let words = text.split(separator).map(str::trim);
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn licenses(&self) -> Vec<License> {
        let named = |name: &str| License {
            name: Some(name.to_owned()),
            url: None,
        };
        if let Some(expression) = self.first("license-expression") {
            return vec![named(expression)];
        }
        let first_line = self.first("license").and_then(|text| text.lines().next());
        if let Some(line) = first_line.map(str::trim).filter(|line| !line.is_empty()) {
            return vec![named(
                &line.chars().take(MAX_LICENSE_CHARS).collect::<String>(),
            )];
        }
        self.all("classifier")
            .filter(|text| text.starts_with("License ::"))
            .filter_map(|text| text.rsplit("::").next())
            .map(|last| named(last.trim()))
            .collect()
    }

    /// The header `Description` or the body, as it stands there.
    fn readme(&self) -> Option<String> {
        let mut readme = match self.first("description") {
            Some(text) => unfold(text),
            None => self.description.clone()?,
        };
        if readme.len() > MAX_README_BYTES {
            let end = (0..=MAX_README_BYTES)
                .rev()
                .find(|at| readme.is_char_boundary(*at))
                .unwrap_or(0);
            readme.truncate(end);
        }
        Some(readme)
    }
}

/// A line without its end, and what follows.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    Some((line.strip_suffix('\r').unwrap_or(line), rest))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes the indentation of a folded header away: eight spaces, or seven and a bar.
fn unfold(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut unfolded = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let line = line
            .strip_prefix("       |")
            .or_else(|| line.strip_prefix("        "))
            .unwrap_or_else(|| line.trim_start());
        unfolded.push('\n');
        unfolded.push_str(line);
    }
    unfolded
}

fn is_strict(metadata_version: &str) -> bool {
    let mut parts = metadata_version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (2, 1),
        _ => false,
    }
}

fn are_specifiers(text: &str) -> bool {
    text.len() <= MAX_REQUIREMENT_BYTES
        && (text.trim().is_empty() || text.parse::<VersionSpecifiers>().is_ok())
}

/// A dependency as PEP 508 writes it: `name[extra] (>=1,<2) ; marker`, `name @ url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement<'a> {
    name: &'a str,
    extras: &'a str,
    specifiers: &'a str,
    url: Option<&'a str>,
    marker: Option<&'a str>,
}

impl<'a> Requirement<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_REQUIREMENT_BYTES {
            return None;
        }
        let text = text.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        name::normalise(name)?;
        let rest = rest.trim_start();
        let (extras, rest) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (extras, rest) = inside.split_once(']')?;
                (extras.trim(), rest.trim_start())
            }
            None => ("", rest),
        };
        if let Some(url) = rest.strip_prefix('@') {
            // A semicolon is part of an address unless there is space before it.
            let (url, marker) = match url.split_once(" ;") {
                Some((url, marker)) => (url, Some(marker.trim())),
                None => (url, None),
            };
            return Some(Self {
                name,
                extras,
                specifiers: "",
                url: Some(url.trim()),
                marker,
            });
        }
        let (specifiers, marker) = match rest.split_once(';') {
            Some((specifiers, marker)) => (specifiers.trim(), Some(marker.trim())),
            None => (rest.trim(), None),
        };
        let bare = specifiers
            .strip_prefix('(')
            .and_then(|inside| inside.strip_suffix(')'));
        Some(Self {
            name,
            extras,
            specifiers: bare.unwrap_or(specifiers).trim(),
            url: None,
            marker,
        })
    }

    fn is_valid(&self) -> bool {
        let extras_read = self.extras.is_empty()
            || self
                .extras
                .split(',')
                .all(|extra| name::normalise(extra.trim()).is_some());
        let url_reads = self.url.is_none_or(|url| !url.is_empty());
        extras_read
            && url_reads
            && are_specifiers(self.specifiers)
            && self.marker.is_none_or(is_marker)
    }

    fn dependency(self) -> Dependency {
        let mut requirement = String::new();
        if !self.extras.is_empty() {
            requirement.push('[');
            requirement.push_str(self.extras);
            requirement.push(']');
        }
        let mut add = |text: &str| {
            if !requirement.is_empty() {
                requirement.push(' ');
            }
            requirement.push_str(text);
        };
        if !self.specifiers.is_empty() {
            add(self.specifiers);
        }
        if let Some(url) = self.url {
            add(&format!("@ {url}"));
        }
        if let Some(marker) = self.marker.filter(|marker| !marker.is_empty()) {
            add(&format!("; {marker}"));
        }
        Dependency {
            namespace: None,
            package: name::normalise(self.name),
            dependency_type: Some("Requires-Dist".to_owned()),
            version_requirement: Some(requirement).filter(|text| !text.is_empty()),
        }
    }
}

/// The variables of environment markers (PEP 508), and those that later standards added.
const VARIABLES: [&str; 14] = [
    "python_version",
    "python_full_version",
    "os_name",
    "sys_platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform_machine",
    "platform_python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
    "extras",
    "dependency_groups",
];

/// Whether a text reads as an environment marker: comparisons, joined by `and` and `or`, in balanced parentheses. One pass,
/// without backtracking.
fn is_marker(text: &str) -> bool {
    let Some(words) = marker_words(text) else {
        return false;
    };
    let mut depth = 0_usize;
    let mut words = words.into_iter().peekable();
    loop {
        while words.next_if_eq(&Word::Open).is_some() {
            depth += 1;
        }
        if words.next() != Some(Word::Value)
            || words.next() != Some(Word::Comparison)
            || words.next() != Some(Word::Value)
        {
            return false;
        }
        while words.next_if_eq(&Word::Close).is_some() {
            let Some(less) = depth.checked_sub(1) else {
                return false;
            };
            depth = less;
        }
        match words.next() {
            None => return depth == 0,
            Some(Word::Join) => {}
            Some(_) => return false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Open,
    Close,
    Value,
    Comparison,
    Join,
}

fn marker_words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            '(' => (Word::Open, 1),
            ')' => (Word::Close, 1),
            '\'' | '"' => (Word::Value, rest[1..].find(first)? + 2),
            '<' | '>' | '=' | '!' | '~' => {
                let length = rest
                    .find(|c| !matches!(c, '<' | '>' | '=' | '!' | '~'))
                    .unwrap_or(rest.len());
                let is_known = matches!(
                    &rest[..length],
                    "<" | "<=" | "!=" | "==" | ">=" | ">" | "~=" | "==="
                );
                (is_known.then_some(Word::Comparison)?, length)
            }
            _ => {
                let length = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
                    .unwrap_or(rest.len());
                let word = match &rest[..length] {
                    "and" | "or" => Word::Join,
                    "in" => Word::Comparison,
                    "not" => {
                        let after = rest[length..].trim_start();
                        let after = after.strip_prefix("in")?;
                        words.push(Word::Comparison);
                        rest = after.trim_start();
                        continue;
                    }
                    // `os.name` is an old spelling of `os_name`.
                    name if VARIABLES.contains(&name.replace('.', "_").as_str()) => Word::Value,
                    "python_implementation" | "platform.python_implementation" => Word::Value,
                    _ => return None,
                };
                (word, length)
            }
        };
        words.push(word);
        rest = rest[length..].trim_start();
    }
    Some(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const FULL: &str = "Metadata-Version: 2.1\r\nName: Acme.Tool\nVersion: 1.0\nSummary: Tools  of\n  Acme\n\
        Home-page: UNKNOWN\nProject-URL: Home Page, https://acme.test/\nProject-URL: Source-Code, https://acme.test/git\n\
        License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\nClassifier: Topic :: Tools\n\
        Requires-Python: >=3.8,\n <4\nRequires-Dist: Some_Lib[x,y] (>=1,<2) ; python_version > \"3\"\n\
        Requires-Dist: other\nRequires-Dist: extra-lib ; extra == 'extra'\nRequires-Dist: there @ https://a.test/b;c\n\
        X-Unknown: yes\n\n# Acme\r\n\r\nA tool.\n";

    #[test]
    fn metadata_is_read_into_what_the_api_says() {
        let metadata = Metadata::parse(FULL.as_bytes()).unwrap();
        assert_eq!(
            (metadata.name.as_str(), metadata.version.as_str()),
            ("Acme.Tool", "1.0")
        );
        assert_eq!(metadata.requires_python().as_deref(), Some(">=3.8, <4"));
        assert_eq!(metadata.check(), Ok(()));
        let manifest = metadata.manifest();
        assert_eq!(manifest.display_name.as_deref(), Some("Acme.Tool"));
        assert_eq!(manifest.summary.as_deref(), Some("Tools of Acme"));
        assert_eq!(manifest.home_page.as_deref(), Some("https://acme.test/"));
        assert_eq!(
            manifest.source_code_repository.as_deref(),
            Some("https://acme.test/git")
        );
        assert_eq!(manifest.licenses[0].name.as_deref(), Some("MIT License"));
        assert_eq!(manifest.readme.as_deref(), Some("# Acme\r\n\r\nA tool.\n"));
        let dependencies: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|one| {
                (
                    one.package.as_deref().unwrap(),
                    one.version_requirement.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            dependencies,
            [
                ("some-lib", Some("[x,y] >=1,<2 ; python_version > \"3\"")),
                ("other", None),
                ("extra-lib", Some("; extra == 'extra'")),
                ("there", Some("@ https://a.test/b;c")),
            ]
        );
    }

    #[test]
    fn licences_come_from_the_first_that_says_one() {
        for (headers, expected) in [
            (
                "License-Expression: MIT OR Apache-2.0\nLicense: MIT",
                vec!["MIT OR Apache-2.0"],
            ),
            ("License: BSD\n  and more text", vec!["BSD"]),
            (
                "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: Public Domain",
                vec!["MIT License", "Public Domain"],
            ),
            ("", vec![]),
        ] {
            let text = format!("Name: a\nVersion: 1\n{headers}");
            let manifest = Metadata::parse(text.as_bytes()).unwrap().manifest();
            let names: Vec<_> = manifest
                .licenses
                .iter()
                .map(|license| license.name.as_deref().unwrap())
                .collect();
            assert_eq!(names, expected, "{headers}");
        }
    }

    #[test]
    fn a_description_in_a_header_is_unfolded() {
        let text = "Name: a\nVersion: 1\nDescription: One\n        two\n       |three\n        \n";
        let manifest = Metadata::parse(text.as_bytes()).unwrap().manifest();
        assert_eq!(manifest.readme.as_deref(), Some("One\ntwo\nthree"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let many = format!("Name: a\nVersion: 1\n{}", "X: y\n".repeat(1_000_000));
        for (text, error) in [
            (&b"Name: a"[..], MetadataError::NotOne("Version")),
            (b"Version: 1", MetadataError::NotOne("Name")),
            (
                b"Name: a\nName: b\nVersion: 1",
                MetadataError::NotOne("Name"),
            ),
            (b"Name: \nVersion: 1", MetadataError::NotOne("Name")),
            (
                b"Name: a\nVersion: 1\nSummary: \xff",
                MetadataError::Encoding,
            ),
            (many.as_bytes(), MetadataError::TooMany),
        ] {
            assert_eq!(Metadata::parse(text), Err(error));
        }
        assert!(Metadata::parse_lossy(b"Name: a\nVersion: 1\nSummary: \xff").is_ok());
    }

    #[test]
    fn what_installers_decide_by_must_read_from_version_2_1_on() {
        let long = format!("a ; {}extra == 'x'", "(".repeat(20_000));
        for (header, is_good) in [
            ("Requires-Python: >=3.8", true),
            ("Requires-Python: ~=3.8, !=3.9.*", true),
            ("Requires-Python: ><script>", false),
            ("Requires-Dist: a", true),
            ("Requires-Dist: a>=1", true),
            ("Requires-Dist: a (>=1,<2)", true),
            (
                "Requires-Dist: a[b, c]~=1.0; os_name == 'nt' and (python_version<'3' or extra=='x')",
                true,
            ),
            ("Requires-Dist: a ; sys_platform not in 'win32 linux'", true),
            (
                "Requires-Dist: a @ https://x.test/a.whl ; extra == 'x'",
                true,
            ),
            ("Requires-Dist: a >=", false),
            ("Requires-Dist: a b", false),
            ("Requires-Dist: ; extra == 'x'", false),
            ("Requires-Dist: a ; extra = 'x'", false),
            ("Requires-Dist: a ; (extra == 'x'", false),
            ("Requires-Dist: a ; extra == 'x')", false),
            ("Requires-Dist: a ; os.system == 'x'", false),
            ("Requires-Dist: a ; extra == 'x", false),
            ("Requires-Dist: a[", false),
            (&format!("Requires-Dist: {long}"), false),
        ] {
            for (version, strict) in [("2.1", true), ("2.4", true), ("1.2", false)] {
                let text = format!("Metadata-Version: {version}\nName: a\nVersion: 1\n{header}\n");
                let result = Metadata::parse(text.as_bytes()).unwrap().check();
                assert_eq!(result.is_ok(), is_good || !strict, "{version} {header:.80}");
            }
        }
    }
}
