#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use catalog::{
    AssetId, AssetRecord, Digests, Format as _, ListedVersion, Origin, OriginType, Status,
    Timestamp,
};
use http::Method;

use super::Maven;
use super::document::{ArtifactPart, Metadata, MetadataError, Plugin, render, render_snapshot};
use super::read::snapshot_files;
use super::request::{FileKind, Request, Target};
use super::snapshot::{Snapshot, Stamp, parse_compact};
use super::xml::{MAX_NODES, XmlError};

static MAVEN: LazyLock<Maven> = LazyLock::new(Maven::default);

/// A request as a line: `asset G:A V FILE KIND checksums`, `metadata DIR checksums`, or the status of its refusal.
fn line(method: &Method, path: &str) -> String {
    let (verb, path) = match Request::parse(method, path) {
        Ok(Request::Options) => return "options".to_owned(),
        Ok(Request::Read(path)) => ("read", path),
        Ok(Request::Write(path)) => ("write", path),
        Err(refused) => return refused.status.to_string(),
    };
    let target = match &path.target {
        Target::Metadata(directory) => format!("metadata {directory}"),
        Target::File(file) => {
            let kind = match &file.kind {
                FileKind::Release => "release".to_owned(),
                FileKind::Plain(snapshot) => format!("plain {}", snapshot.version()),
                FileKind::Stamped(snapshot, stamp) => {
                    format!("build {}", snapshot.build(stamp).unwrap())
                }
            };
            format!("{} {} {} {kind}", file.package, file.directory, file.name)
        }
    };
    let checksums: Vec<_> = path.checksums.iter().map(|one| one.as_str()).collect();
    format!("{verb} {target} {}", checksums.join("."))
        .trim_end()
        .to_owned()
}

#[test]
fn paths_of_the_layout_are_read() {
    for (path, expected) in [
        (
            "/com/acme/lib-a/1.0/lib-a-1.0.jar",
            "com.acme:lib-a 1.0 lib-a-1.0.jar release",
        ),
        ("g/a/1/a-1.pom", "g:a 1 a-1.pom release"),
        (
            "com/acme/lib-a/1.0/lib-a-1.0-sources.jar.asc",
            "com.acme:lib-a 1.0 lib-a-1.0-sources.jar.asc release",
        ),
        (
            "com/acme/lib-a/1.0/lib-a-1.0.jar.sha1",
            "com.acme:lib-a 1.0 lib-a-1.0.jar release sha1",
        ),
        (
            "com/acme/lib-a/1.0/lib-a-1.0.jar.sha256.sha1",
            "com.acme:lib-a 1.0 lib-a-1.0.jar release sha256.sha1",
        ),
        ("g/a/1.0/a-1.0", "g:a 1.0 a-1.0 release"),
        (
            "g/a.b/1.0/a.b-1.0.tar.gz",
            "g:a.b 1.0 a.b-1.0.tar.gz release",
        ),
        ("g/a/1.0+b/a-1.0%2Bb.jar", "g:a 1.0+b a-1.0+b.jar release"),
        (
            "g/a/1-SNAPSHOT/a-1-SNAPSHOT.jar",
            "g:a 1-SNAPSHOT a-1-SNAPSHOT.jar plain 1-SNAPSHOT",
        ),
        (
            "g/a/1-SNAPSHOT/a-1-20261122.194127-3-sources.jar.md5",
            "g:a 1-SNAPSHOT a-1-20261122.194127-3-sources.jar build 1-20261122.194127-3 md5",
        ),
        (
            "g/a/SNAPSHOT/a-20261122.194127-3.jar",
            "g:a SNAPSHOT a-20261122.194127-3.jar build 20261122.194127-3",
        ),
        ("g/maven-metadata.xml", "metadata g"),
        (
            "com/acme/lib-a/maven-metadata.xml",
            "metadata com/acme/lib-a",
        ),
        (
            "com/acme/lib-a/maven-metadata.xml.sha512",
            "metadata com/acme/lib-a sha512",
        ),
        (
            "g/a/1-SNAPSHOT/maven-metadata.xml",
            "metadata g/a/1-SNAPSHOT",
        ),
    ] {
        assert_eq!(
            line(&Method::GET, path),
            format!("read {expected}"),
            "{path}"
        );
        assert_eq!(
            line(&Method::HEAD, path),
            format!("read {expected}"),
            "{path}"
        );
        assert_eq!(
            line(&Method::PUT, path),
            format!("write {expected}"),
            "{path}"
        );
    }
}

#[test]
fn other_paths_are_not_there_and_cannot_be_put() {
    let long = "a".repeat(256);
    let long_segment = format!("g/a/{long}/a-{long}.jar");
    let long_group = format!("{0}/{0}/a/1/a-1.jar", "g".repeat(200));
    let long_path = format!("{}a/1/a-1.jar", "g/".repeat(1100));
    let many_checksums = format!("g/a/1/a-1.jar{}", ".sha1".repeat(5));
    for path in [
        // Nothing, or too little.
        "",
        "/",
        "a-1.jar",
        "a/1/a-1.jar",
        "maven-metadata.xml",
        "archetype-catalog.xml",
        ".meta/prefixes.txt",
        ".meta/a/1/a-1.jar",
        ".index/nexus-maven-repository-index.properties",
        ".nexus/a/1/a-1.jar",
        "g/a/1/",
        "g//a/1/a-1.jar",
        "//g/a/1/a-1.jar",
        // On the way out of the tree, in every spelling.
        "g/a/1/../1/a-1.jar",
        "../g/a/1/a-1.jar",
        "g/./a/1/a-1.jar",
        "g/a/%2e%2e/a-1.jar",
        "g/%2e%2e%2f/a/1/a-1.jar",
        "g%2fa/a/1/a-1.jar",
        "g/a/1/..%5c..%5ca-1.jar",
        "g/a/1/a-1\\x.jar",
        "g/a/%252e%252e/a-1.jar",
        "g/a/1/a-1%2500.jar",
        "g/a/1/a-1%00.jar",
        "g/a/1/a-1%0a.jar",
        "g/a/1/a-1%7f.jar",
        "g/a/1/a-1%20.jar",
        "g/a/1/a-1%23.jar",
        "g/a/1/a-1%3f.jar",
        "g/a/1/a-1%zz.jar",
        "g/a/1/a-1%.jar",
        "g/a/1/a-1%c0%ae.jar",
        "g/a/1/a-1%ff.jar",
        "g/a/1/a-1%e2%80%83.jar",
        // Not where its name says.
        "g/a/1.0/a-2.0.jar",
        "g/a/1.0/b-1.0.jar",
        "g/a/1.0/a-1.0x.jar",
        "g/a/1.0/a.jar",
        "g/a/1.0/ivy.xml",
        "g/a/1-SNAPSHOT/a-2-20261122.194127-3.jar",
        "g/a/1-SNAPSHOT/a-1-20261122.194127.jar",
        "g/a/1-20261122.194127-3/a-1-20261122.194127-3.jar",
        "g.h/a/1/a-1.jar",
        "g.h/a/maven-metadata.xml",
        // Too long.
        &long_segment,
        &long_group,
        &long_path,
        &many_checksums,
    ] {
        assert_eq!(line(&Method::GET, path), "404", "{path}");
        assert_eq!(line(&Method::PUT, path), "400", "{path}");
    }
}

#[test]
fn names_that_are_only_read_are_not_published() {
    for path in [
        "g/\u{430}cme/1/\u{430}cme-1.jar",
        "\u{fc}/a/1/a-1.jar",
        "g/a+b/1/a+b-1.jar",
        "g/a/1\u{fc}/a-1\u{fc}.jar",
        "g/a/1/a-1-\u{fc}.jar",
        "g/a.sha1/1/a.sha1-1.jar",
        "g/a/1.md5/a-1.md5.jar",
        "g/maven-metadata.xml/1/maven-metadata.xml-1.jar",
        "g/a/maven-metadata.xml/a-maven-metadata.xml.jar",
        "g/a.sha256/maven-metadata.xml",
        "g+h/a/maven-metadata.xml",
    ] {
        assert!(line(&Method::GET, path).starts_with("read "), "{path}");
        assert_eq!(line(&Method::PUT, path), "400", "{path}");
    }
}

#[test]
fn other_methods_are_named_as_such() {
    assert_eq!(line(&Method::OPTIONS, "whatever"), "options");
    let mkcol = Method::from_bytes(b"MKCOL").unwrap();
    for method in [Method::POST, Method::DELETE, Method::PATCH, mkcol] {
        assert_eq!(line(&method, "g/a/1/a-1.jar"), "405", "{method}");
    }
}

fn asset(version: &str, name: &str) -> AssetId {
    let package = MAVEN.package(Some("com.acme"), "lib-a", true).unwrap();
    package
        .version(version.parse().unwrap())
        .asset(name.parse().unwrap())
}

#[test]
fn the_main_pom_describes_its_version() {
    for (version, name, is_main) in [
        ("1.0", "lib-a-1.0.pom", true),
        ("1.0", "lib-a-1.0-extra.pom", false),
        ("1.0", "lib-a-1.0.jar", false),
        ("1.0", "lib-a-1.0.pom.asc", false),
        ("1.0", "lib-b-1.0.pom", false),
        ("1-SNAPSHOT", "lib-a-1-SNAPSHOT.pom", true),
        ("1-SNAPSHOT", "lib-a-1-20261122.194127-1.pom", true),
        ("1-SNAPSHOT", "lib-a-2-20261122.194127-1.pom", false),
        ("1-20261122.194127-1", "lib-a-1-20261122.194127-1.pom", true),
        ("1-20261122.194127-1", "lib-a-1-SNAPSHOT.pom", true),
        ("1-20261122.194127-1", "lib-a-1.pom", false),
    ] {
        let id = asset(version, name);
        assert_eq!(MAVEN.describes(&id).is_some(), is_main, "{id}");
    }
}

#[test]
fn companions_are_the_standard_files_and_their_signatures() {
    let names = |present: &[&str], pom: Option<&'static str>| {
        let present: Vec<_> = present.iter().map(|name| name.parse().unwrap()).collect();
        let pom = pom.map(|pom| bytes::Bytes::from_static(pom.as_bytes()));
        let version = asset("1.0", "lib-a-1.0.jar").version;
        MAVEN
            .companions(&version, &present, pom.as_ref())
            .iter()
            .map(|name| name.as_str().trim_start_matches("lib-a-1.0").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["lib-a-1.0.jar", "lib-a-1.0.jar.asc"], None),
        [
            ".pom",
            ".pom.asc",
            "-sources.jar",
            "-sources.jar.asc",
            "-javadoc.jar",
            "-javadoc.jar.asc"
        ]
    );
    let gradle = "<project><!-- do_not_remove: published-with-gradle-metadata --></project>";
    let with_module = names(&["lib-a-1.0.pom"], Some(gradle));
    assert!(
        with_module.contains(&".module".to_owned()),
        "{with_module:?}"
    );
    let snapshot = asset("1-SNAPSHOT", "lib-a-1-SNAPSHOT.jar").version;
    assert!(MAVEN.companions(&snapshot, &[], None).is_empty());
}

#[test]
fn package_names_are_stricter_to_publish() {
    assert!(MAVEN.package(None, "a", false).is_err());
    for (namespace, name) in [("com.acme", "lib-a"), ("g", "a_b.c-1")] {
        assert!(MAVEN.package(Some(namespace), name, true).is_ok());
    }
    for (namespace, name) in [
        ("com.\u{430}cme", "lib"),
        ("com", "l\u{456}b"),
        ("com..acme", "lib"),
        ("com", "lib.sha1"),
        ("com", "maven-metadata.xml"),
        ("com", ".."),
    ] {
        assert!(MAVEN.package(Some(namespace), name, false).is_ok());
        assert!(
            MAVEN.package(Some(namespace), name, true).is_err(),
            "{namespace}:{name}"
        );
    }
}

const UPLOADED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>com.acme</groupId>
  <artifactId>lib-a</artifactId>
  <versioning>
    <release>1.0</release>
    <versions>
      <version>1.0</version>
      <version>1.1-SNAPSHOT</version>
    </versions>
    <lastUpdated>20261122194030</lastUpdated>
  </versioning>
</metadata>
"#;

const UPLOADED_SNAPSHOT: &str = r#"<metadata modelVersion="1.1.0">
  <groupId>com.acme</groupId>
  <artifactId>lib-a</artifactId>
  <versioning>
    <lastUpdated>20261122194127</lastUpdated>
    <snapshot>
      <timestamp>20261122.194127</timestamp>
      <buildNumber>1</buildNumber>
    </snapshot>
    <snapshotVersions>
      <snapshotVersion>
        <classifier>sources</classifier>
        <extension>jar</extension>
        <value>1.1-20261122.194127-1</value>
        <updated>20261122194127</updated>
      </snapshotVersion>
      <snapshotVersion>
        <extension>pom</extension>
        <value>1.1-20261122.194127-1</value>
        <updated>20261122194127</updated>
      </snapshotVersion>
    </snapshotVersions>
  </versioning>
  <version>1.1-SNAPSHOT</version>
</metadata>
"#;

const UPLOADED_GROUP: &str = "<metadata><plugins><plugin><name>Acme</name><prefix>acme</prefix>\
    <artifactId>acme-maven-plugin</artifactId></plugin></plugins></metadata>";

#[test]
fn uploaded_metadata_is_read() {
    let read = Metadata::parse(UPLOADED.as_bytes()).unwrap();
    assert_eq!(read.group.as_deref(), Some("com.acme"));
    assert_eq!(read.artifact.as_deref(), Some("lib-a"));
    assert_eq!(read.versions, ["1.0", "1.1-SNAPSHOT"]);
    assert_eq!(read.last_updated.as_deref(), Some("20261122194030"));
    assert!(read.has_versioning && read.plugins.is_empty() && read.snapshot.is_none());

    let read = Metadata::parse(UPLOADED_SNAPSHOT.as_bytes()).unwrap();
    assert_eq!(read.snapshot, Stamp::parse("20261122.194127-1"));
    let files: Vec<_> = read
        .files
        .iter()
        .map(|file| format!("{}/{}/{}", file.classifier, file.extension, file.value))
        .collect();
    assert_eq!(
        files,
        [
            "sources/jar/1.1-20261122.194127-1",
            "/pom/1.1-20261122.194127-1"
        ]
    );

    let read = Metadata::parse(UPLOADED_GROUP.as_bytes()).unwrap();
    assert_eq!(read.plugins.len(), 1);
    assert_eq!(read.plugins[0].prefix, "acme");
    assert!(!read.has_versioning && read.artifact.is_none());

    let read = Metadata::parse(b"<metadata/>").unwrap();
    assert_eq!(read, Metadata::default());
}

#[test]
fn hostile_metadata_is_refused() {
    let deep = format!(
        "<metadata>{}{}</metadata>",
        "<a>".repeat(101),
        "</a>".repeat(101)
    );
    let many = format!(
        "<metadata><versioning><versions>{}</versions></versioning></metadata>",
        "<version>1</version>".repeat(MAX_NODES / 3)
    );
    let entity = format!("<!DOCTYPE metadata [<!ENTITY x \"1.0\">]>{UPLOADED}");
    for (text, is_expected) in [
        (
            deep.as_str(),
            (|error| matches!(error, MetadataError::Xml(XmlError::Excessive(_))))
                as fn(&MetadataError) -> bool,
        ),
        (&many, |error| {
            matches!(error, MetadataError::Xml(XmlError::Excessive(_)))
        }),
        (&entity, |error| {
            matches!(error, MetadataError::Xml(XmlError::Excessive(_)))
        }),
        ("<!DOCTYPE metadata><metadata/>", |error| {
            matches!(error, MetadataError::Xml(XmlError::Excessive(_)))
        }),
        ("<metadata>&x;</metadata>", |error| {
            matches!(error, MetadataError::Xml(XmlError::Opaque(_)))
        }),
        ("<project/>", |error| matches!(error, MetadataError::Root)),
        ("<html><metadata/></html>", |error| {
            matches!(error, MetadataError::Root)
        }),
        ("<metadata>", |error| {
            matches!(error, MetadataError::Xml(XmlError::Malformed(_)))
        }),
        ("not XML", |error| {
            matches!(error, MetadataError::Xml(XmlError::Malformed(_)))
        }),
    ] {
        let error = Metadata::parse(text.as_bytes()).unwrap_err();
        assert!(
            is_expected(&error),
            "{error}: {}",
            &text[..text.len().min(80)]
        );
    }
}

#[test]
fn a_million_versions_are_cut() {
    let many = format!(
        "<metadata><versioning><versions>{}</versions></versioning></metadata>",
        "<version>1</version>".repeat(120_000)
    );
    let read = Metadata::parse_remote(many.as_bytes()).unwrap();
    assert_eq!(read.versions.len(), super::document::MAX_VERSIONS);
}

fn listed(version: &str) -> ListedVersion {
    ListedVersion {
        version: version.parse().unwrap(),
        status: Status::Published,
        published: None,
        origin: Origin {
            origin_type: OriginType::Internal,
            repository: None,
            connection: None,
        },
        is_recorded: true,
        document: None,
        assets: Vec::new(),
    }
}

#[test]
fn rendered_metadata_reads_back_and_names_the_newest() {
    let versions = [listed("1.0"), listed("1.1-SNAPSHOT")];
    let versions: Vec<_> = versions.iter().collect();
    let part = ArtifactPart {
        group: "com.acme",
        artifact: "lib-a",
        versions: &versions,
        changed: parse_compact("20261122194127").unwrap(),
    };
    let text = render(Some(&part), &[]);
    assert_eq!(
        text,
        r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>com.acme</groupId>
  <artifactId>lib-a</artifactId>
  <versioning>
    <latest>1.1-SNAPSHOT</latest>
    <release>1.0</release>
    <versions>
      <version>1.0</version>
      <version>1.1-SNAPSHOT</version>
    </versions>
    <lastUpdated>20261122194127</lastUpdated>
  </versioning>
</metadata>
"#
    );
    let read = Metadata::parse(text.as_bytes()).unwrap();
    assert_eq!(read.versions, ["1.0", "1.1-SNAPSHOT"]);

    let plugin = Plugin {
        name: "A & B <c>".into(),
        prefix: "acme".into(),
        artifact: "acme-maven-plugin".into(),
    };
    let text = render(None, std::slice::from_ref(&plugin));
    assert_eq!(Metadata::parse(text.as_bytes()).unwrap().plugins, [plugin]);
}

#[test]
fn the_document_of_a_snapshot_lists_its_files() {
    let file = |name: &str| AssetRecord {
        name: name.parse().unwrap(),
        size_bytes: 1,
        digests: Digests::of(b""),
        modified: parse_compact("20261122201500").unwrap(),
    };
    let package = asset("1", "x").version.package;
    let snapshot = Snapshot::parse("1.1-SNAPSHOT").unwrap();
    let files = [
        file("lib-a-1.1-20261122.194127-2-sources.jar"),
        file("lib-a-1.1-20261122.194127-2.jar"),
        file("lib-a-1.1-20261122.194127-2.jar.asc"),
        file("lib-a-1.1-SNAPSHOT.zip"),
        file("maven-metadata.xml"),
    ];
    let (build, listed) = snapshot_files(&package, &snapshot, &files, &[]);
    assert_eq!(build, Stamp::parse("20261122.194127-2"));
    let lines: Vec<_> = listed
        .iter()
        .map(|one| {
            format!(
                "{}/{}/{}/{}",
                one.classifier, one.extension, one.value, one.updated
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "sources/jar/1.1-20261122.194127-2/20261122194127",
            "/jar/1.1-20261122.194127-2/20261122194127",
            "/jar.asc/1.1-20261122.194127-2/20261122194127",
            "/zip/1.1-SNAPSHOT/20261122201500",
        ]
    );
    let text = render_snapshot("com.acme", "lib-a", &snapshot, build.as_ref(), &listed);
    let read = Metadata::parse(text.as_bytes()).unwrap();
    assert_eq!(read.snapshot, build);
    assert_eq!(read.files, listed);
    assert_eq!(read.last_updated.as_deref(), Some("20261122201500"));
    let _: Timestamp = parse_compact(&read.last_updated.unwrap()).unwrap();
}
