//! The names of distribution files: `acme_tool-1.0-py3-none-any.whl`, `acme_tool-1.0.tar.gz`.

use super::{name, version};

/// Longest file name, in bytes: that of every asset.
const MAX_BYTES: usize = 255;

/// What kind of file a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `.whl`
    Wheel,
    /// `.tar.gz`, `.tgz`
    TarGz,
    /// `.tar.bz2`
    TarBz2,
    /// `.zip`
    Zip,
    /// `.egg`
    Egg,
    /// `.exe`, an installer for Windows.
    Exe,
}

impl Kind {
    /// All, with their extensions.
    const ALL: [(&'static str, Self); 7] = [
        (".whl", Self::Wheel),
        (".tar.gz", Self::TarGz),
        (".tgz", Self::TarGz),
        (".tar.bz2", Self::TarBz2),
        (".zip", Self::Zip),
        (".egg", Self::Egg),
        (".exe", Self::Exe),
    ];

    /// The kind of a file name, and what stands before its extension.
    pub(crate) fn strip(filename: &str) -> Option<(&str, Self)> {
        Self::ALL
            .iter()
            .find_map(|(extension, kind)| Some((filename.strip_suffix(extension)?, *kind)))
    }

    /// Whether such a file can be published here, and is not only had from a registry that has it from long ago.
    pub(crate) fn is_published(self) -> bool {
        self != Self::Exe
    }

    /// Whether no program of today installs it.
    pub(crate) fn is_legacy(self) -> bool {
        matches!(self, Self::Egg | Self::Exe)
    }

    /// The `filetype` by which clients upload it.
    pub(crate) fn filetype(self) -> &'static str {
        match self {
            Self::Wheel => "bdist_wheel",
            Self::Egg => "bdist_egg",
            Self::Exe => "bdist_wininst",
            Self::TarGz | Self::TarBz2 | Self::Zip => "sdist",
        }
    }
}

/// A distribution file's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Distribution<'a> {
    /// The project, as written.
    pub name: &'a str,
    /// The version, as written.
    pub version: &'a str,
    /// What kind of file it is.
    pub kind: Kind,
}

impl<'a> Distribution<'a> {
    /// Takes apart the name of a file of `project`, which is normalised: names of sdists may have hyphens in both parts.
    /// `None` when it is no file of that project.
    pub(crate) fn parse(filename: &'a str, project: &str) -> Option<Self> {
        if !is_plain(filename) {
            return None;
        }
        let (stem, kind) = Kind::strip(filename)?;
        let (name, version) = match kind {
            Kind::Wheel => wheel(stem)?,
            Kind::Egg => {
                let mut parts = stem.split('-');
                (parts.next()?, parts.next()?)
            }
            Kind::Exe => sdist(without_platform(stem)?, project)?,
            Kind::TarGz | Kind::TarBz2 | Kind::Zip => sdist(stem, project)?,
        };
        let is_of_project = name::normalise(name).as_deref() == Some(project);
        let is_version = !version.is_empty() && version.len() < MAX_BYTES;
        (is_of_project && is_version).then_some(Self {
            name,
            version,
            kind,
        })
    }
}

/// Whether a text can be the name of a distribution file at all: no directories, nothing but ASCII.
pub(crate) fn is_plain(filename: &str) -> bool {
    let is_allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'!' | b'~' | b'-');
    (1..=MAX_BYTES).contains(&filename.len())
        && filename.bytes().all(is_allowed)
        && !filename.starts_with('.')
}

/// `{name}-{version}(-{build})?-{python}-{abi}-{platform}` (PEP 427).
fn wheel(stem: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = stem.split('-').collect();
    let (name, version) = match parts.as_slice() {
        [name, version, _, _, _] => (*name, *version),
        [name, version, build, _, _, _] if build.starts_with(|c: char| c.is_ascii_digit()) => {
            (*name, *version)
        }
        _ => return None,
    };
    let tags_are_there = parts.iter().all(|part| !part.is_empty());
    tags_are_there.then_some((name, version))
}

/// `{name}-{version}` of `{name}-{version}.{platform}(-py{python})?`.
fn without_platform(stem: &str) -> Option<&str> {
    let stem = match stem.rsplit_once("-py") {
        Some((stem, python)) if python.starts_with(|c: char| c.is_ascii_digit()) => stem,
        _ => stem,
    };
    let (stem, _) = stem.rsplit_once(".win")?;
    Some(stem)
}

/// `{name}-{version}`: the hyphen before which the project's name stands. One at which a version begins is preferred, since
/// `a-1` may be a project too.
fn sdist<'a>(stem: &'a str, project: &str) -> Option<(&'a str, &'a str)> {
    let mut fallback = None;
    for (at, _) in stem.match_indices('-') {
        let (before, after) = (&stem[..at], &stem[at + 1..]);
        if name::normalise(before).as_deref() != Some(project) {
            continue;
        }
        if version::parse(after).is_some() {
            return Some((before, after));
        }
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            fallback = fallback.or(Some((before, after)));
        }
    }
    fallback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (filename, project, expected) in [
            (
                "acme_tool-1.0-py3-none-any.whl",
                "acme-tool",
                Some(("acme_tool", "1.0", Kind::Wheel)),
            ),
            (
                "Acme.Tool-1.0-py3-none-any.whl",
                "acme-tool",
                Some(("Acme.Tool", "1.0", Kind::Wheel)),
            ),
            (
                "a-1.0-1-py2.py3-none-any.whl",
                "a",
                Some(("a", "1.0", Kind::Wheel)),
            ),
            (
                "a-1.0+cu121-cp311-cp311-manylinux_2_17_x86_64.whl",
                "a",
                Some(("a", "1.0+cu121", Kind::Wheel)),
            ),
            ("a-1.0-x-py3-none-any.whl", "a", None),
            ("a-1.0-py3-none.whl", "a", None),
            ("a-1.0--none-any.whl", "a", None),
            ("a-1.0-py3-none-any.whl", "b", None),
            (
                "acme_tool-1.0.tar.gz",
                "acme-tool",
                Some(("acme_tool", "1.0", Kind::TarGz)),
            ),
            (
                "acme-tool-1.0.tar.gz",
                "acme-tool",
                Some(("acme-tool", "1.0", Kind::TarGz)),
            ),
            (
                "acme-tool-1.0-rc1.zip",
                "acme-tool",
                Some(("acme-tool", "1.0-rc1", Kind::Zip)),
            ),
            ("acme-tool-1.0.tgz", "acme", None),
            ("a-1-2.0.tar.gz", "a-1", Some(("a-1", "2.0", Kind::TarGz))),
            (
                "pytz-2004d.tar.bz2",
                "pytz",
                Some(("pytz", "2004d", Kind::TarBz2)),
            ),
            ("a-1.0-py2.7.egg", "a", Some(("a", "1.0", Kind::Egg))),
            ("a-1.0.exe", "a", None),
            ("a-1.0.win32.exe", "a", Some(("a", "1.0", Kind::Exe))),
            (
                "a-1.0.win-amd64-py2.7.exe",
                "a",
                Some(("a", "1.0", Kind::Exe)),
            ),
            ("a.tar.gz", "a", None),
            ("a-.tar.gz", "a", None),
            ("../a-1.0.tar.gz", "a", None),
            ("x/a-1.0.tar.gz", "a", None),
            ("a-1.0%2e.tar.gz", "a", None),
            ("a-1.0\0.tar.gz", "a", None),
            ("a-1.0\u{202e}.tar.gz", "a", None),
            ("C:\\a-1.0.tar.gz", "a", None),
        ] {
            let expected = expected.map(|(name, version, kind)| Distribution {
                name,
                version,
                kind,
            });
            assert_eq!(
                Distribution::parse(filename, project),
                expected,
                "{filename}"
            );
        }
    }
}
