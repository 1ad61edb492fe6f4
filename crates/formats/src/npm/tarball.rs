//! What is in a tarball: its `package.json`, its readme, and how much there is.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::tar::{Archive, Kind};

/// Bytes of a `package.json`, at most.
const PACKAGE_JSON_BYTES: u64 = 4 << 20;

/// Bytes of a readme that is kept, at most.
pub(crate) const README_BYTES: usize = 1 << 20;

/// Files in a directory of commands, at most.
const COMMANDS: usize = 1_000;

/// Entries, at most.
const ENTRIES: usize = 200_000;

/// What a tarball holds, as far as it is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tarball {
    /// The text of its `package.json`.
    pub(crate) package_json: String,
    /// Name and text of its readme.
    pub(crate) readme: Option<(String, String)>,
    /// Files in it.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) unpacked_bytes: u64,
    /// Whether there is something to compile.
    pub(crate) has_gyp: bool,
    /// Whether it pins its dependencies itself.
    pub(crate) has_shrinkwrap: bool,
    /// Files in its directory of commands, if its `package.json` names one instead of commands.
    pub(crate) commands: Vec<String>,
}

/// At most 4 GiB are unpacked, and of a small tarball less: 256 MiB, or 200 times its size.
fn limit_bytes(size_bytes: u64) -> u64 {
    size_bytes.saturating_mul(200).clamp(256 << 20, 4 << 30)
}

impl Tarball {
    /// Looks through a whole tarball of so many bytes. Errors: what is wrong with it, for people.
    pub(crate) fn read(source: impl Read, size_bytes: u64) -> Result<Self, String> {
        Self::read_within(source, limit_bytes(size_bytes))
    }

    fn read_within(source: impl Read, limit_bytes: u64) -> Result<Self, String> {
        let unpacked = MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 16, source));
        let mut archive = Archive::new(unpacked, limit_bytes, ENTRIES);
        let mut tarball = Tarball::default();
        let mut package_json = None;
        let says = |error: crate::tar::TarError| error.to_string();
        while let Some(entry) = archive.next().map_err(says)? {
            let path = below_first(&entry.name);
            if entry.kind == Kind::File {
                tarball.files += 1;
                tarball.unpacked_bytes += entry.size_bytes;
            }
            match (path.as_str(), entry.kind) {
                ("package.json", Kind::File) if package_json.is_none() => {
                    let bytes = archive.bytes(PACKAGE_JSON_BYTES).map_err(says)?;
                    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
                    let text = String::from_utf8(bytes.to_vec());
                    package_json =
                        Some(text.map_err(|_| "its package.json is not UTF-8".to_owned())?);
                }
                ("package.json", Kind::File) => {
                    return Err("it holds two package.json files".to_owned());
                }
                ("package.json", _) => {
                    return Err("its package.json is not a regular file".to_owned());
                }
                ("binding.gyp", Kind::File) => tarball.has_gyp = true,
                ("npm-shrinkwrap.json", Kind::File) => tarball.has_shrinkwrap = true,
                (name, Kind::File) if tarball.wants_readme(name, entry.size_bytes) => {
                    let bytes = archive.bytes(README_BYTES as u64).map_err(says)?;
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    tarball.readme = Some((name.to_owned(), text));
                }
                _ => {}
            }
        }
        tarball.package_json = package_json.ok_or_else(|| "it holds no package.json".to_owned())?;
        Ok(tarball)
    }

    /// Looks through it again, for the files that are its commands by being in this directory.
    pub(crate) fn find_commands(
        &mut self,
        source: impl Read,
        size_bytes: u64,
        directory: &str,
    ) -> Result<(), String> {
        let unpacked = MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 16, source));
        let mut archive = Archive::new(unpacked, limit_bytes(size_bytes), ENTRIES);
        while let Some(entry) = archive.next().map_err(|error| error.to_string())? {
            let path = below_first(&entry.name);
            let inside = path.strip_prefix(directory);
            let inside = inside.and_then(|path| path.strip_prefix('/'));
            let is_hidden = |path: &str| path.split('/').any(|part| part.starts_with('.'));
            if entry.kind == Kind::File && inside.is_some_and(|inside| !is_hidden(inside)) {
                self.commands.push(path);
            }
            if self.commands.len() > COMMANDS {
                return Err(format!("it has more than {COMMANDS} commands"));
            }
        }
        Ok(())
    }

    /// The first readme at the root; one in Markdown rather than another.
    fn wants_readme(&self, name: &str, size_bytes: u64) -> bool {
        let lower = name.to_ascii_lowercase();
        let is_marked = |name: &str| {
            let extension = name.rsplit_once('.').map(|(_, extension)| extension);
            extension.is_some_and(|extension| extension.eq_ignore_ascii_case("md"))
        };
        let is_readme = lower.starts_with("readme") && !lower.contains('/');
        let is_better = match &self.readme {
            None => true,
            Some((known, _)) => is_marked(name) && !is_marked(known),
        };
        is_readme && is_better && size_bytes <= README_BYTES as u64
    }
}

/// A path without its first directory, whatever that is called, as npm unpacks it.
fn below_first(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.skip(1).collect::<Vec<_>>().join("/")
}

/// Makes tarballs for tests.
#[cfg(test)]
pub(crate) mod make {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// Compressed.
    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("a vector takes every byte");
        encoder.finish().expect("a vector takes every byte")
    }

    /// With these files.
    pub(crate) fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, text.as_bytes()))
            .collect();
        gzip(&crate::tar::make::archive(&files))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::make::{gzip, tarball};
    use super::*;
    use crate::tar::make::{archive, entry};

    fn read(bytes: &[u8]) -> Result<Tarball, String> {
        Tarball::read(bytes, bytes.len() as u64)
    }

    #[test]
    fn the_first_directory_may_be_called_anything() {
        for root in ["package", "node-9", "."] {
            let (a, b, c) = (
                format!("{root}/x/package.json"),
                format!("./{root}/package.json"),
                format!("{root}/README.txt"),
            );
            if root == "." {
                continue;
            }
            let found = read(&tarball(&[(&a, "inner"), (&b, "\u{feff}{}"), (&c, "text")])).unwrap();
            assert_eq!(found.package_json, "{}");
            assert_eq!(
                found.readme,
                Some(("README.txt".to_owned(), "text".to_owned()))
            );
            assert_eq!((found.files, found.unpacked_bytes), (3, 14));
        }
        let found = read(&tarball(&[
            ("p/readme", "plain"),
            ("p/package.json", "{}"),
            ("p/Readme.md", "marked"),
            ("p/README.MD.bak", "no"),
            ("p/binding.gyp", ""),
        ]));
        let found = found.unwrap();
        assert_eq!(found.readme.unwrap().1, "marked");
        assert!(found.has_gyp && !found.has_shrinkwrap);
    }

    #[test]
    fn tarballs_that_readers_could_read_differently_are_refused() {
        let two = tarball(&[("package/package.json", "{}"), ("other/package.json", "{}")]);
        let link = gzip(&entry("package/package.json", b'2', b""));
        let none = tarball(&[("package/index.js", "")]);
        let latin = gzip(&archive(&[("package/package.json", b"{\"a\":\"\xe4\"}")]));
        let first = tarball(&[("package/package.json", "{}")]);
        let members = [first.clone(), first.clone()].concat();
        let mut cut = first.clone();
        cut.truncate(cut.len() / 2);
        for (bytes, expected) in [
            (two, "two package.json"),
            (link, "not a regular file"),
            (none, "no package.json"),
            (latin, "not UTF-8"),
            (members, "two package.json"),
            (cut, "broken"),
            (b"no gzip".to_vec(), "broken"),
            (Vec::new(), "broken"),
        ] {
            let found = read(&bytes).unwrap_err();
            assert!(found.contains(expected), "{found}");
        }
        let garbage = [first, b"garbage".to_vec()].concat();
        assert!(read(&garbage).is_ok());
    }

    #[test]
    fn a_bomb_is_not_unpacked_to_its_end() {
        let bomb = gzip(&entry("package/zeros", b'0', &vec![0; 3 << 20]));
        let found = Tarball::read_within(&bomb[..], 2 << 20).unwrap_err();
        assert!(found.contains("too large"), "{found}");
        let limits = [0, 1 << 20, 2 << 20, 1 << 40].map(limit_bytes);
        assert_eq!(limits, [256 << 20, 256 << 20, 400 << 20, 4 << 30]);
        let large = entry("package/package.json", b'0', &vec![b' '; 5 << 20]);
        assert!(read(&gzip(&large)).unwrap_err().contains("too large"));
    }
}
