use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A machine in a temporary directory, with commands that are little scripts.
struct Fake {
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Fake {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("bin")).unwrap();
        let home = directory.path().to_str().unwrap().to_owned();
        let path = format!("{home}/bin:/usr/bin:/bin");
        Self {
            directory,
            variables: [("HOME".to_owned(), home), ("PATH".to_owned(), path)].into(),
        }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn command(self, name: &str, script: &str) -> Self {
        let path = format!("bin/{name}");
        let fake = self.file(&path, &format!("#!/bin/sh\n{script}\n"));
        let path = fake.directory.path().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        fake
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    async fn ask(&self) -> BTreeMap<&'static str, Answer> {
        let asked = ask(&Machine::new(self.variables.clone())).await;
        asked
            .into_iter()
            .map(|one| (one.client, one.answer))
            .collect()
    }

    async fn address(&self, client: &str) -> Option<String> {
        match self.ask().await.remove(client) {
            Some(Answer::Found { address, .. }) => Some(address),
            _ => None,
        }
    }
}

const MISSING: &str = "exit 1";

fn settings(of: &str, url: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<settings xmlns=\"x\"><!-- <mirrors/> --><mirrors>\n<mirror><id>a</id><url>http://no.example/</url>\
         <mirrorOf>other</mirrorOf></mirror>\n<mirror><id>b</id> <mirrorOf> {of} </mirrorOf><url>{url}</url></mirror></mirrors></settings>"
    )
}

fn archive(path: &Path, entry: &str, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    archive
        .start_file(entry, zip::write::SimpleFileOptions::default())
        .unwrap();
    archive.write_all(text.as_bytes()).unwrap();
    archive.finish().unwrap();
}

#[tokio::test]
async fn clients_that_are_there_are_asked() {
    let fake = Fake::new()
        .command("npm", "[ \"$*\" = 'config get registry' ] && echo http://npm.example/")
        .command("pip", MISSING)
        .command("pip3", MISSING)
        .command("python3", "echo http://index.example/simple/")
        .command("gem", "printf '*** CURRENT SOURCES ***\\n\\nhttp://gem.example/\\n'")
        .command("dotnet", "printf 'D http://off.example/v3/index.json\\nE /local\\nE http://nuget.example/v3/index.json\\n'")
        .command("mvn", "printf '\\033[1mApache Maven 3\\033[m\\nMaven home: '$HOME'/maven\\n'")
        .file(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"a\"\n[source.a]\nreplace-with = \"b\"\n[source.b]\nregistry = \"sparse+http://index.example/cargo/\"\n",
        );
    let pom = "<project><repositories><repository><id>central</id><url>http://maven.example/2</url></repository></repositories></project>";
    let jar = fake
        .directory
        .path()
        .join("maven/lib/maven-model-builder-3.9.9.jar");
    archive(&jar, "org/apache/maven/model/pom-4.0.0.xml", pom);
    for (client, expected) in [
        ("npm", "http://npm.example/"),
        ("pip", "http://index.example/"),
        ("cargo", "http://index.example/cargo/"),
        ("gem", "http://gem.example/"),
        ("dotnet", "http://nuget.example/v3/index.json"),
        ("Maven", "http://maven.example/2"),
    ] {
        assert_eq!(
            fake.address(client).await.as_deref(),
            Some(expected),
            "{client}"
        );
    }
}

#[tokio::test]
async fn a_maven_mirror_is_taken_only_if_it_is_for_the_central_repository() {
    for (of, found) in [
        ("*", true),
        ("central", true),
        ("external:*", true),
        ("a, central", true),
        ("*,!central", false),
        ("other", false),
    ] {
        let fake = Fake::new()
            .command("mvn", MISSING)
            .file(
                ".m2/settings.xml",
                &settings(of, "http://${env.MIRROR}/m2?a=b&amp;c=d"),
            )
            .variable("MIRROR", "mirror.example");
        let expected = found.then_some("http://mirror.example/m2?a=b&c=d");
        assert_eq!(fake.address("Maven").await.as_deref(), expected, "{of}");
    }
}

#[tokio::test]
async fn the_settings_of_the_installation_come_after_those_of_the_user() {
    let fake = Fake::new()
        .command("mvn", "echo \"Maven home: $HOME/maven\"")
        .file(
            "maven/conf/settings.xml",
            &settings("*", "http://installation.example/"),
        );
    assert_eq!(
        fake.address("Maven").await.as_deref(),
        Some("http://installation.example/")
    );
    let fake = fake.file(".m2/settings.xml", &settings("*", "http://user.example/"));
    assert_eq!(
        fake.address("Maven").await.as_deref(),
        Some("http://user.example/")
    );
}

#[tokio::test]
async fn pip_is_asked_in_the_order_in_which_it_decides_itself() {
    let fake = Fake::new()
        .command(
            "pip",
            "[ \"$3\" = global.index-url ] && echo http://configured.example/x/simple",
        )
        .command("python3", "echo http://built.example/simple/");
    assert_eq!(
        fake.address("pip").await.as_deref(),
        Some("http://configured.example/x/")
    );
    let fake = fake.variable("PIP_INDEX_URL", "http://variable.example/simple/");
    assert_eq!(
        fake.address("pip").await.as_deref(),
        Some("http://variable.example/")
    );
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let fake = Fake::new().variable("PATH", "/nowhere");
    for (client, answer) in fake.ask().await {
        assert!(matches!(answer, Answer::Nothing(_)), "{client}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_is_not_waited_for() {
    let fake = Fake::new().command("npm", "exec sleep 1000");
    let answer = npm::ask(&Machine::new(fake.variables.clone())).await;
    assert_eq!(
        answer,
        Answer::nothing("`npm config get registry` took longer than 10 s")
    );
}

#[test]
fn a_client_that_uses_this_server_is_not_believed() {
    for (address, ours) in [
        ("http://127.0.0.1:7070/d/team-111122223333/npm/app/", true),
        (
            "https://team-111122223333.d.packages.example/npm/app/",
            true,
        ),
        ("http://npm.example/d/team/", false),
        ("http://npm.example/", false),
    ] {
        assert_eq!(is_ours(&address.parse().unwrap()), ours, "{address}");
    }
}

#[test]
fn the_file_is_what_the_configuration_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DETECTED);
    let asked = [Asked {
        client: "npm",
        connection: "public:npmjs",
        answer: Answer::found("http://user:hush@npm.example/", "a\nplace"),
    }];
    write(&path, &document(&asked)).unwrap();
    let table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(
        table["upstreams"]["public:npmjs"].as_str(),
        Some("http://user:hush@npm.example/")
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        line(&asked[0]),
        "npm: found public:npmjs = http://user:(hidden)@npm.example/ (a\nplace)"
    );
}
