//! Maven: a mirror in the user's settings, one in the installation's, then the repository in the super POM, which every
//! project inherits and which lies in one of Maven's own archives.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::Answer;
use super::machine::Machine;

/// The id of the repository in the super POM.
const CENTRAL: &str = "central";
/// The super POM of Maven 4, then that of Maven 3.
const SUPER_POMS: [&str; 2] = [
    "org/apache/maven/model/pom-4.1.0.xml",
    "org/apache/maven/model/pom-4.0.0.xml",
];
/// The archives in which it lies: of Maven 4, then of Maven 3.
const ARCHIVES: [&str; 2] = ["maven-impl-", "maven-model-builder-"];
/// A super POM has some 5 KB.
const POM_LIMIT_BYTES: u64 = 1 << 20;

pub(super) async fn ask(machine: &Machine) -> Answer {
    let settings = machine.home().join(".m2/settings.xml");
    if let Some(answer) = mirror_in(machine, &settings).await {
        return answer;
    }
    let home = match machine.output("mvn", &["--version"]).await {
        Ok(text) => home_in(&text),
        Err(why) => {
            return Answer::nothing(format!("no mirror in {}, and {why}", settings.display()));
        }
    };
    let Some(home) = home else {
        return Answer::nothing("`mvn --version` does not say where Maven is");
    };
    if let Some(answer) = mirror_in(machine, &home.join("conf/settings.xml")).await {
        return answer;
    }
    let within = home.clone();
    let found = tokio::task::spawn_blocking(move || super_pom(&within)).await;
    match found {
        Ok(Some((address, archive))) => {
            Answer::found(address, format!("super POM in {}", archive.display()))
        }
        Ok(None) | Err(_) => Answer::nothing(format!("no super POM below {}", home.display())),
    }
}

async fn mirror_in(machine: &Machine, settings: &Path) -> Option<Answer> {
    let text = machine.read(settings).await?;
    let address = with_variables(&mirror(&text)?, machine);
    Some(Answer::found(
        address,
        format!("mirror in {}", settings.display()),
    ))
}

/// The value of `Maven home: …`, whatever colours stand around it.
fn home_in(text: &str) -> Option<PathBuf> {
    let line = text
        .lines()
        .find_map(|line| line.split_once("Maven home: "))?
        .1;
    let path = line.split('\u{1b}').next().unwrap_or(line).trim();
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// `${env.NAME}` is the variable; a name that is not set stays, as Maven has it.
fn with_variables(text: &str, machine: &Machine) -> String {
    let mut pieces = text.split("${env.");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let set = piece
            .split_once('}')
            .and_then(|(name, rest)| Some((machine.variable(name)?, rest)));
        let (value, rest) = set.unwrap_or(("${env.", piece));
        out.push_str(value);
        out.push_str(rest);
    }
    out
}

/// Address of the first mirror that stands in for the central repository.
fn mirror(settings: &str) -> Option<String> {
    let mirrors = elements(
        settings,
        &["settings", "mirrors", "mirror"],
        &["mirrorOf", "url"],
    );
    mirrors
        .into_iter()
        .find_map(|[of, url]| (is_for_central(&of) && !url.is_empty()).then_some(url))
}

/// Whether a mirror's pattern covers the central repository: its id or a wildcard, and not taken out again.
fn is_for_central(patterns: &str) -> bool {
    let patterns: Vec<_> = patterns.split(',').map(str::trim).collect();
    let covered = patterns
        .iter()
        .any(|pattern| matches!(*pattern, "*" | "external:*" | CENTRAL));
    covered
        && !patterns
            .iter()
            .any(|pattern| pattern.strip_prefix('!') == Some(CENTRAL))
}

/// Address of the central repository, out of the archive that has the super POM.
fn super_pom(home: &Path) -> Option<(String, PathBuf)> {
    let mut names: Vec<_> = std::fs::read_dir(home.join("lib"))
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    names.sort();
    let is_archive = |path: &PathBuf, prefix: &str| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with(prefix) && path.extension().is_some_and(|extension| extension == "jar")
    };
    let archives = ARCHIVES
        .iter()
        .flat_map(|prefix| names.iter().filter(move |path| is_archive(path, prefix)));
    archives
        .into_iter()
        .find_map(|path| Some((central_in(path)?, path.clone())))
}

fn central_in(path: &Path) -> Option<String> {
    let mut archive = zip::ZipArchive::new(File::open(path).ok()?).ok()?;
    SUPER_POMS.iter().find_map(|name| {
        let mut text = String::new();
        archive
            .by_name(name)
            .ok()?
            .take(POM_LIMIT_BYTES)
            .read_to_string(&mut text)
            .ok()?;
        let repositories = elements(
            &text,
            &["project", "repositories", "repository"],
            &["id", "url"],
        );
        repositories
            .into_iter()
            .find_map(|[id, url]| (id == CENTRAL).then_some(url))
    })
}

/// The texts of `fields` within each element at `path`, empty where there is none.
fn elements(xml: &str, path: &[&str], fields: &[&str; 2]) -> Vec<[String; 2]> {
    let mut reader = Reader::from_str(xml);
    let mut at: Vec<String> = Vec::new();
    let mut found = Vec::new();
    let mut current: [String; 2] = Default::default();
    let add = |at: &[String], current: &mut [String; 2], text: Option<&str>| {
        let Some((last, parents)) = at.split_last() else {
            return;
        };
        if let Some(place) = fields
            .iter()
            .position(|field| last == field)
            .filter(|_| parents == path)
        {
            current[place].push_str(text.unwrap_or_default());
        }
    };
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                at.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                if at == path {
                    current = Default::default();
                }
            }
            Ok(Event::Text(text)) => add(&at, &mut current, text.decode().ok().as_deref()),
            Ok(Event::GeneralRef(entity)) => {
                let name = entity.decode().ok();
                add(
                    &at,
                    &mut current,
                    name.as_deref().and_then(resolve_predefined_entity),
                );
            }
            Ok(Event::End(_)) => {
                if at == path {
                    found.push(std::mem::take(&mut current).map(|text| text.trim().to_owned()));
                }
                at.pop();
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}
