use super::*;
use clap::{Args as _, FromArgMatches as _};

fn sources(flags: &[&str], environment: &[(&str, &str)]) -> Sources {
    let command = Flags::augment_args(clap::Command::new("serve").no_binary_name(true));
    let matches = command.try_get_matches_from(flags).unwrap();
    let flags = Flags::from_arg_matches(&matches).unwrap();
    let environment = environment
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Sources::read(flags, environment)
}

fn in_directory(file: &str, detected: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("packhouse.toml"), file).unwrap();
    std::fs::write(directory.path().join(DETECTED), detected).unwrap();
    let data = directory.path().to_str().unwrap().to_owned();
    (directory, data)
}

#[test]
fn every_setting_has_a_default_that_reads() {
    let config = sources(&["--data", "/nowhere/at/all"], &[])
        .config()
        .unwrap();
    assert_eq!(config.listen, "127.0.0.1:7070".parse().unwrap());
    assert_eq!(config.account_id.as_str(), "111122223333");
    assert_eq!(
        config.database.to_string(),
        "sqlite:/nowhere/at/all/packhouse.db"
    );
    assert_eq!(config.blobs.to_string(), "file:/nowhere/at/all/blobs");
    assert_eq!(
        config.master_key,
        KeySource::File("/nowhere/at/all/master.key".into())
    );
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_what_was_detected() {
    let file = "region = \"eu-west-1\"\naccount-id = \"222233334444\"\nlog = \"json\"\n[upstreams]\n\"public:maven-central\" = \"http://file.example/\"\n";
    let detected = "[upstreams]\n\"public:maven-central\" = \"http://detected.example/\"\n\"public:npmjs\" = \"http://detected.example/npm/\"\n";
    let (_directory, data) = in_directory(file, detected);
    let environment = [
        ("PACKHOUSE_REGION", "eu-west-2"),
        ("PACKHOUSE_ACCOUNT_ID", "333344445555"),
    ];
    let sources = sources(&["--data", &data, "--region", "eu-west-3"], &environment);
    let config = sources.config().unwrap();
    assert_eq!(config.region.as_str(), "eu-west-3");
    assert_eq!(config.account_id.as_str(), "333344445555");
    assert_eq!(config.log, Log::Json);
    let upstreams: Vec<_> = config
        .upstreams
        .iter()
        .map(|(name, url)| format!("{name} {url}"))
        .collect();
    assert_eq!(
        upstreams,
        [
            "public:maven-central http://file.example/",
            "public:npmjs http://detected.example/npm/"
        ]
    );

    let origin = |name: &str| {
        let row = sources
            .rows()
            .into_iter()
            .find(|row| row.name == name || row.value.starts_with(name))
            .unwrap();
        row.origin.to_string()
    };
    assert_eq!(origin("region"), "flag --region");
    assert_eq!(origin("account-id"), "environment PACKHOUSE_ACCOUNT_ID");
    assert_eq!(origin("log"), format!("file {data}/packhouse.toml"));
    assert_eq!(
        origin("public:npmjs"),
        format!("detected, {data}/upstreams.toml")
    );
    assert_eq!(origin("database"), "default");
}

#[test]
fn an_upstream_may_come_from_each_source() {
    let given = "PACKHOUSE_UPSTREAM_MAVEN_CENTRAL";
    for (flags, environment, expected) in [
        (
            vec!["--upstream", "public:maven-central=http://flag.example/"],
            vec![],
            "http://flag.example/",
        ),
        (
            vec![],
            vec![(given, "http://environment.example/m2")],
            "http://environment.example/m2",
        ),
        (
            vec![],
            vec![(
                "PACKHOUSE_UPSTREAM_PUBLIC_MAVEN_CENTRAL",
                "http://e.example/",
            )],
            "http://e.example/",
        ),
        (
            vec!["--upstream", "public:maven-central=http://flag.example/"],
            vec![(given, "http://environment.example/")],
            "http://flag.example/",
        ),
    ] {
        let config = sources(&flags, &environment).config().unwrap();
        let address = config.upstreams.values().next().unwrap().as_str();
        assert_eq!(address, expected, "{flags:?} {environment:?}");
    }
}

#[test]
fn all_mistakes_are_listed_each_with_its_setting_and_origin() {
    let (_directory, data) = in_directory(
        "regoin = \"x\"\nlisten = [1]\n[blobs]\nlocation = \"ftp://x\"\n",
        "",
    );
    let flags = [
        "--data",
        &data,
        "--listen",
        "0.0.0.0:80",
        "--upstream",
        "public:nothing=http://a.example/",
        "--trusted-proxy",
        "10.0.0.0/40",
        "--account-id",
        "12",
    ];
    let environment = [
        ("PACKHOUSE_LOG", "xml"),
        ("PACKHOUSE_PUBLIC_URL", "packages.example"),
        ("PACKHOUSE_BLOBS_SECRET_ACCESS_KEY", "hush"),
        ("PACKHOUSE_DATABASE", "mysql://u:hush@h/d"),
        ("PACKHOUSE_DRAIN_SECONDS", "soon"),
        ("PACKHOUSE_TLS_KEY", "/a/key.pem"),
        ("PACKHOUSE_INSECURE_HTTP", "perhaps"),
        ("PACKHOUSE_UPSTREAM_NPMJS", "ftp://a.example/"),
    ];
    let mistakes = sources(&flags, &environment).config().unwrap_err();
    let text = mistakes.to_string();
    for expected in [
        "`regoin` in file `",
        "`listen` in file `",
        "`listen` (flag --listen) is `0.0.0.0:80`",
        "`public:nothing=http://a.example/`: there is no such connection",
        "`trusted-proxy` (flag --trusted-proxy) is `10.0.0.0/40`",
        "`account-id` (flag --account-id) is `12`",
        "`log` (environment PACKHOUSE_LOG) is `xml`: it is `text` or `json`",
        "`public-url` (environment PACKHOUSE_PUBLIC_URL) is `packages.example`",
        "`blobs` (file ",
        "`blobs-access-key-id` and `blobs-secret-access-key` belong together",
        "`tls-certificate` and `tls-key` belong together",
        "`database` (environment PACKHOUSE_DATABASE) is `mysql://u:(hidden)@h/d`",
        "`drain-seconds` (environment PACKHOUSE_DRAIN_SECONDS) is `soon`",
        "`insecure-http` (environment PACKHOUSE_INSECURE_HTTP) is `perhaps`",
        "`public:npmjs=ftp://a.example/`: it begins with",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn a_file_that_does_not_parse_says_where() {
    let (_directory, data) = in_directory("region = \"a\"\nlisten =\n", "");
    let mistakes = sources(&["--data", &data], &[]).config().unwrap_err();
    assert!(
        mistakes.0[0].contains("packhouse.toml`, line 2: "),
        "{mistakes}"
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let mistakes = sources(&["--config", "/nowhere/at/all.toml"], &[])
        .config()
        .unwrap_err();
    assert!(
        mistakes.0[0].starts_with("file `/nowhere/at/all.toml` cannot be read"),
        "{mistakes}"
    );
}

#[test]
fn secrets_are_not_shown() {
    let environment = [
        ("PACKHOUSE_BLOBS_ACCESS_KEY_ID", "AKIA"),
        ("PACKHOUSE_BLOBS_SECRET_ACCESS_KEY", "hush"),
        (
            "PACKHOUSE_DATABASE",
            "postgres://u:hush@db.example/packhouse?password=hush",
        ),
        ("PACKHOUSE_UPSTREAM_NPMJS", "https://u:hush@npm.example/a"),
    ];
    let sources = sources(&[], &environment);
    let config = sources.config().unwrap();
    let shown = format!("{:?} {config:?}", sources.rows());
    let rows = format!("{:?}", sources.rows());
    assert!(!rows.contains("hush"), "{rows}");
    assert!(
        shown.contains("postgres://u:(hidden)@db.example/packhouse"),
        "{shown}"
    );
}

#[test]
fn secrets_in_a_file_that_others_may_read_are_told() {
    let file = "database = \"postgres://u:hush@db.example/p\"\nregion = \"eu-west-1\"\n[blobs]\nlocation = \"s3://b/p\"\n\
                access-key-id = \"AKIA\"\nsecret-access-key = \"hush\"\n[upstreams]\n\
                \"public:npmjs\" = \"https://u:hush@npm.example/\"\n\"public:pypi\" = \"https://pypi.example/\"\n";
    let (directory, data) = in_directory(file, "");
    let path = directory.path().join("packhouse.toml");
    for (mode, expected) in [(0o600, 0), (0o640, 3), (0o604, 3)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let told = sources(&["--data", &data], &[]).exposed();
        assert_eq!(told.len(), expected, "{told:?}");
        assert!(!told.concat().contains("hush"), "{told:?}");
    }
    let environment = [("PACKHOUSE_BLOBS_SECRET_ACCESS_KEY", "hush")];
    assert!(
        sources(&["--data", "/nowhere/at/all"], &environment)
            .exposed()
            .is_empty()
    );
}

#[test]
fn plain_http_beyond_loopback_must_be_wanted() {
    assert!(
        sources(&["--listen", "0.0.0.0:7070"], &[])
            .config()
            .is_err()
    );
    assert!(sources(&["--listen", "[::1]:7070"], &[]).config().is_ok());
    assert!(
        sources(&["--listen", "0.0.0.0:7070", "--insecure-http"], &[])
            .config()
            .is_ok()
    );
}

#[test]
fn keys_of_an_issuer_stand_in_a_file_that_is_named_with_it() {
    let flag = |text| vec!["--oidc-jwks-file", text];
    let config = sources(&flag("https://issuer.example/a=keys=1.json"), &[]).config();
    let files = config.unwrap().oidc.jwks_files;
    let expected = ("https://issuer.example/a".to_owned(), "keys=1.json".into());
    assert_eq!(files.into_iter().collect::<Vec<_>>(), [expected]);
    for text in [
        "https://issuer.example",
        "https://issuer.example=",
        "issuer.example=keys.json",
    ] {
        let mistakes = sources(&flag(text), &[]).config().unwrap_err();
        let said = mistakes.to_string();
        assert!(
            said.contains("`oidc-jwks-file` (flag --oidc-jwks-file) is"),
            "{said}"
        );
    }
}

#[test]
fn formats_get_the_rules_that_are_set() {
    let rules = sources(&[], &[]).config().unwrap().formats;
    assert_eq!(rules.npm, formats::npm::Rules::default());
    assert_eq!(rules.pypi, formats::pypi::Rules::default());
    let flags = [
        "--npm-private-scope",
        "@acme",
        "--npm-private-scope",
        "tools",
        "--pypi-allow-unverified",
        "--pypi-legacy-files",
        "--pypi-synthesize-metadata",
        "false",
    ];
    let rules = sources(&flags, &[]).config().unwrap().formats;
    let scopes = ["tools", "@ACME"].map(|text| text.parse().unwrap());
    assert_eq!(rules.npm.private_scopes, scopes.into());
    let expected = formats::pypi::Rules {
        accepts_unverified: true,
        shows_legacy_files: true,
        synthesizes_metadata: false,
    };
    assert_eq!(rules.pypi, expected);
    for text in ["", "@", "@acme/leaf", "@@acme", "ac me"] {
        let mistakes = sources(&["--npm-private-scope", text], &[]).config();
        let said = mistakes.unwrap_err().to_string();
        assert!(said.contains("`npm-private-scope` (flag"), "{said}");
    }
}

#[test]
fn a_public_url_has_no_path_and_no_slash() {
    for (text, expected) in [
        ("https://packages.example", Some("https://packages.example")),
        (
            "https://packages.example:8443/",
            Some("https://packages.example:8443"),
        ),
        ("https://packages.example/below", None),
        ("https://user@packages.example/", None),
    ] {
        let config = sources(&["--public-url", text], &[]).config();
        assert_eq!(
            config.ok().and_then(|config| config.public_url).as_deref(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn the_reference_page_is_made_from_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == reference::page(),
        "docs/configuration.md is out of date: run `cargo run -p packhouse -- config --reference > docs/configuration.md`"
    );
}

#[test]
fn the_master_key_comes_from_one_place() {
    let config = sources(&["--master-key-command", "kms  decrypt --key 7"], &[]);
    let words = ["kms", "decrypt", "--key", "7"].map(str::to_owned);
    let config = config.config().unwrap();
    assert_eq!(config.master_key, KeySource::Command(words.into()));
    for (flags, expected) in [
        (
            &["--master-key-command", "a", "--master-key-file", "b"][..],
            "are both set",
        ),
        (&["--master-key-command", " "], "there is no command in it"),
    ] {
        let mistakes = sources(flags, &[]).config().unwrap_err().to_string();
        assert!(mistakes.contains(expected), "{mistakes}");
    }
}

#[test]
fn what_cannot_be_meant_is_told_with_what_can() {
    for (setting, text, expected) in [
        ("auth-max-skew-seconds", "901", "a number from 1 to 900"),
        ("auth-max-skew-seconds", "0", "a number from 1 to 900"),
        (
            "auth-trust-policy-characters",
            "4097",
            "a number from 2048 to 4096",
        ),
        ("limit-connections", "0", "a number from 1 to 16777216"),
        (
            "limit-connections",
            "18446744073709551615",
            "a number from 1 to 16777216",
        ),
        (
            "limit-asset-size-bytes",
            "0",
            "a number from 1 to 5497558138880",
        ),
        (
            "limit-reads-per-second",
            "-1",
            "a number from 0 to 4294967295",
        ),
        ("drain-seconds", "86401", "a number from 0 to 86400"),
        (
            "audit-read-window-seconds",
            "1e9",
            "a number from 0 to 86400",
        ),
        ("audit-days", "0", "a number from 1 to 36500"),
        ("audit-file-hours", "0", "a number from 1 to 876000"),
        ("webhook-event-days", "99999999", "a number from 1 to 36500"),
        ("listen", "localhost:7070", "an address and a port, like"),
        ("listen", "127.0.0.1", "an address and a port, like"),
        ("log-level", "loud", "`loud` is not one of"),
        ("log-level", "info,catalog", "`catalog` is not one of"),
        ("log-level", "info,=x", "invalid filter directive"),
    ] {
        let sources = sources(&[&format!("--{setting}"), text], &[]);
        let said = sources.config().unwrap_err().to_string();
        let begun = format!("`{setting}` (flag --{setting}) is `{text}`: ");
        let (_, why) = said.split_once(&begun).expect(&said);
        assert!(why.contains(expected), "{said}");
    }
    for text in [
        "warn",
        "INFO",
        "off",
        "info,catalog=debug",
        "catalog::fetch=trace,[request]=info",
    ] {
        let sources = sources(&["--log-level", text], &[]);
        assert_eq!(sources.config().unwrap().log_level, text);
    }
}
