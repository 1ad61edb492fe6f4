//! Who may know whom: the table of `docs/architecture.md`, kept true.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate, the crates of the house that it may use, and why not more.
const MAY_USE: &[(&str, &[&str], &str)] = &[
    ("aws", &[], "the wire knows no database and no package"),
    ("store", &[], "the shelf knows no package and no AWS"),
    (
        "iam",
        &["aws", "store"],
        "identities know no domains and packages",
    ),
    (
        "catalog",
        &["aws", "iam", "store"],
        "the heart knows no format by name and no operation",
    ),
    (
        "formats",
        &["catalog"],
        "a format must never see SQL, blobs, identities or AWS",
    ),
    (
        "codeartifact",
        &["aws", "catalog", "iam"],
        "the operations must never see formats, SQL or blobs",
    ),
    (
        "audit",
        &["aws", "catalog", "iam", "store"],
        "what happened is written down without knowing how it was asked for",
    ),
    (
        "packhouse",
        &[
            "audit",
            "aws",
            "catalog",
            "codeartifact",
            "formats",
            "iam",
            "store",
        ],
        "the process puts them all together",
    ),
];

/// Outside crates that one crate alone may name.
const ALONE: &[(&str, &str)] = &[
    ("rusqlite", "store"),
    ("tokio-postgres", "store"),
    ("deadpool-postgres", "store"),
    ("object_store", "store"),
    ("reqwest", "catalog"),
    ("clap", "packhouse"),
    ("hyper", "packhouse"),
    ("tracing-subscriber", "packhouse"),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// What each crate depends on, tests aside.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let names = fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap());
    let folders = names.filter(|entry| entry.path().join("Cargo.toml").exists());
    let read = |path: PathBuf| {
        let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        dependencies
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default()
    };
    folders
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                read(entry.path().join("Cargo.toml")),
            )
        })
        .collect()
}

#[test]
fn every_arrow_points_down() {
    let house: Vec<_> = MAY_USE.iter().map(|(name, ..)| *name).collect();
    let found = dependencies();
    assert_eq!(
        found.keys().collect::<Vec<_>>().len(),
        house.len(),
        "a crate is not in the table: {:?}",
        found.keys()
    );
    for (name, allowed, why) in MAY_USE {
        for used in &found[*name] {
            let ours = house.contains(&used.as_str());
            assert!(
                !ours || allowed.contains(&used.as_str()),
                "`{name}` uses `{used}`: {why}"
            );
        }
    }
}

#[test]
fn what_one_crate_alone_may_name_no_other_names() {
    for (name, used) in dependencies() {
        for (outside, owner) in ALONE {
            let names_it = used.iter().any(|dependency| dependency == outside);
            assert!(
                !names_it || name == *owner,
                "`{name}` names `{outside}`, which is for `{owner}` alone"
            );
        }
    }
}

#[test]
fn formats_see_the_catalog_and_no_sibling() {
    let source = crates().join("formats/src");
    let folders: Vec<_> = fs::read_dir(&source)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(!folders.is_empty());
    for format in &folders {
        for file in files(&source.join(format)) {
            let text = fs::read_to_string(&file).unwrap();
            for line in text
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("use ") || line.starts_with("pub use "))
            {
                let path = line.trim_start_matches("pub ").trim_start_matches("use ");
                for other in folders.iter().filter(|other| *other != format) {
                    let sibling = path.starts_with(&format!("crate::{other}::"))
                        || path.starts_with(&format!("super::super::{other}"));
                    assert!(
                        !sibling,
                        "{}: `{line}`: a format must never see a sibling",
                        file.display()
                    );
                }
                for room in ["aws::", "iam::", "store::", "codeartifact::"] {
                    assert!(
                        !path.starts_with(room),
                        "{}: `{line}`: a format sees the catalog only",
                        file.display()
                    );
                }
            }
        }
    }
}

/// It runs alone on machines that have no server, and must be read as what it is: small.
#[test]
fn the_agent_knows_the_wire_and_nothing_else_of_the_house() {
    let source = crates().join("packhouse/src");
    let mut all = files(&source.join("agent"));
    all.push(source.join("agent.rs"));
    assert!(all.len() > 10);
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        for room in ["catalog", "codeartifact", "formats", "iam", "store"] {
            let named = text
                .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                .any(|word| word.starts_with(&format!("{room}::")));
            assert!(!named, "{}: names `{room}`", file.display());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
