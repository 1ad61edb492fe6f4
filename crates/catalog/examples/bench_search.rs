//! How long searches take over a million versions. `scripts/bench-search` runs it; which see.
//!
//! `bench_search DATABASE DIRECTORY [PACKAGES [REPOSITORIES]]`: fills the database, if it is empty, with ten versions of each package,
//! spread evenly over the repositories, and prints the median and the 95th percentile of each kind of search.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use aws::sigv4::{Claim, Credentials, EMPTY_HASH, Rules, Signer};
use aws::{AccountId, Clock, Region};
use catalog::{Catalog, DomainAt, Formats, Limits, NewRepository, Parts, RemoteSettings, Search};
use iam::{Caller, Iam, MasterKey, Settings, Source};
use store::{BlobSettings, BlobStore, Database};

/// Versions of a package.
const VERSIONS: i64 = 10;
/// Words that texts are made of; those with small numbers stand in far more texts.
const WORDS: usize = 4_000;
/// Searches of a kind.
const ROUNDS: usize = 200;
/// Rows of one statement.
const SLICE: i64 = 10_000;
/// Entries of a page.
const PAGE: u32 = 50;

const WORDS_TABLE: &str = "
    CREATE TABLE bench_words (
        number BIGINT NOT NULL PRIMARY KEY,
        word   TEXT   NOT NULL
    )";

const REPOSITORIES_TABLE: &str = "
    CREATE TABLE bench_repositories (
        number BIGINT NOT NULL PRIMARY KEY,
        id     TEXT   NOT NULL
    )";

const ADD_WORD: &str = "
    INSERT INTO bench_words (number, word)
    VALUES ($1, $2)";

const ADD_REPOSITORIES: &str = "
    INSERT INTO bench_repositories (number, id)
    SELECT ROW_NUMBER() OVER (ORDER BY id) - 1, id
      FROM repositories";

const PACKAGES: &str = "
    INSERT INTO packages (id, repository_id, format, namespace, name, publish, upstream)
      WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    SELECT 'P' || CAST(1000000000 + n.i AS TEXT), r.id,
           CASE n.i % 3 WHEN 0 THEN 'maven' WHEN 1 THEN 'npm' ELSE 'pypi' END,
           CASE n.i % 3 WHEN 0 THEN 'org.' || a.word ELSE '' END,
           a.word || '-' || b.word || CASE n.i % 4 WHEN 0 THEN '' ELSE '-' || c.word END || '-' || CAST(n.i / 50 AS TEXT),
           'ALLOW', 'ALLOW'
      FROM n
      JOIN bench_repositories AS r ON r.number = n.i % $3
      JOIN bench_words AS a ON a.number = (n.i * 7919) % 997
      JOIN bench_words AS b ON b.number = (n.i * 104729) % 1999
      JOIN bench_words AS c ON c.number = (n.i * 1299709) % 3989";

/// Texts are made of words whose numbers are products of two, so that small ones are frequent.
const VERSIONS_OF_PACKAGES: &str = "
    INSERT INTO versions (id, package_id, version, status, revision, origin_type, origin_repository, origin_connection,
                          published, published_upstream, manifest)
      WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2),
           v(j) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT j + 1 FROM v WHERE j + 1 < $3)
    SELECT 'V' || CAST(1000000000 + n.i AS TEXT) || CAST(v.j AS TEXT), 'P' || CAST(1000000000 + n.i AS TEXT),
           '1.' || CAST(v.j AS TEXT) || '.0', 'Published', 'R' || CAST(n.i AS TEXT) || '-' || CAST(v.j AS TEXT), 'EXTERNAL',
           NULL, NULL, 1700000000000 + n.i * 1000 + v.j, NULL,
           '{\"summary\":\"' || (SELECT a.word || ' ' || b.word || ' ' || c.word || ' ' || d.word || ' ' || e.word || ' ' || f.word)
           || '\",\"keywords\":[\"' || d.word || '\",\"' || f.word || '\"],\"licenses\":[{\"name\":\"'
           || CASE WHEN n.i % 10 < 6 THEN 'MIT' WHEN n.i % 10 < 9 THEN 'Apache-2.0' WHEN n.i % 1000 = 9 THEN 'Zlib' ELSE 'BSD' END
           || '\"}],\"readme\":\"' || g.word || ' is ' || h.word || ' for ' || a.word || ' and ' || k.word || ' with ' || e.word
           || ' in the ' || l.word || ' of ' || m.word || '\"}'
      FROM n
     CROSS JOIN v
      JOIN bench_words AS a ON a.number = ((n.i * 7919) % 61) * ((n.i * 31) % 59)
      JOIN bench_words AS b ON b.number = ((n.i * 104729) % 53) * ((n.i * 37) % 67)
      JOIN bench_words AS c ON c.number = ((n.i * 1299709) % 47) * ((n.i * 41) % 71)
      JOIN bench_words AS d ON d.number = (n.i * 15485863) % 3967
      JOIN bench_words AS e ON e.number = ((n.i * 179) % 43) * ((n.i * 43) % 73)
      JOIN bench_words AS f ON f.number = (n.i * 32452843) % 2003
      JOIN bench_words AS g ON g.number = ((n.i * 283) % 41) * ((n.i * 47) % 79)
      JOIN bench_words AS h ON h.number = ((n.i * 353) % 37) * ((n.i * 53) % 83)
      JOIN bench_words AS k ON k.number = ((n.i * 419) % 31) * ((n.i * 59) % 89)
      JOIN bench_words AS l ON l.number = ((n.i * 467) % 29) * ((n.i * 61) % 97)
      JOIN bench_words AS m ON m.number = (n.i * 547) % 3001";

/// A digest of a number: enough to be looked up.
macro_rules! hex {
    ($zeros:literal, $length:literal) => {
        concat!(
            "SUBSTR('",
            $zeros,
            "' || CAST(n.i * 7919 AS TEXT), 1 + LENGTH(CAST(n.i * 7919 AS TEXT)), ",
            $length,
            ")"
        )
    };
}

const BLOBS: &str = concat!(
    "
    INSERT INTO blobs (id, domain_id, size_bytes, md5, sha1, sha256, sha512, location, stored)
      WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    SELECT 'B' || CAST(10000000000 + n.i AS TEXT), $3, 1000, ",
    hex!("00000000000000000000000000000000", "32"),
    ", ",
    hex!("0000000000000000000000000000000000000000", "40"),
    ", ",
    hex!("0000000000000000000000000000000000000000000000000000000000000000", "64"),
    ", ",
    hex!("00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "128"),
    ", ",
    hex!("00000000000000000000000000000000", "32"),
    ", 1700000000000
      FROM n"
);

const ASSETS: &str = "
    INSERT INTO assets (version_id, name, blob_id, modified)
      WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    SELECT 'V' || CAST(10000000000 + n.i AS TEXT), 'file', 'B' || CAST(10000000000 + n.i AS TEXT), 1700000000000
      FROM n";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: i64| {
        arguments
            .get(at)
            .map_or(otherwise, |text| text.parse().unwrap())
    };
    let (packages, repositories) = (number(2, 100_000), number(3, 20));
    let house = House::open(&arguments[0], Path::new(&arguments[1])).await;
    if house.is_empty {
        house.fill_and_index(packages, repositories).await;
    }
    house.measure(packages).await;
}

struct House {
    database: Database,
    catalog: Catalog,
    admin: Caller,
    at: DomainAt,
    is_empty: bool,
}

/// A word that nobody knows: `bako`, `pirelu`.
fn word(number: usize) -> String {
    let syllable = |at: usize| {
        let (consonants, vowels) = (b"bdfgklmnprstvz", b"aeiou");
        let pair = [consonants[at % 14], vowels[(at / 14) % 5]];
        pair.map(char::from)
    };
    let mut word: String = syllable(number)
        .into_iter()
        .chain(syllable(number / 70))
        .collect();
    if number >= 4900 || number.is_multiple_of(3) {
        word.extend(syllable(number / 7));
    }
    word
}

/// The name of a package, as the statement makes it.
fn name_of(number: usize, packages: i64) -> String {
    let n = i64::try_from(number).unwrap() % packages;
    let at = |number: i64| word(usize::try_from(number).unwrap());
    let (a, b, c) = (
        at(n * 7919 % 997),
        at(n * 104_729 % 1999),
        at(n * 1_299_709 % 3989),
    );
    let last = n / 50;
    if n % 4 == 0 {
        format!("{a}-{b}-{last}")
    } else {
        format!("{a}-{b}-{c}-{last}")
    }
}

impl House {
    async fn open(database: &str, directory: &Path) -> Self {
        let database = Database::open(&database.parse().unwrap()).await.unwrap();
        let blobs = format!("file:{}", directory.join("blobs").display());
        let (settings, spool) = (BlobSettings::default(), directory.join("spool"));
        let blobs = BlobStore::open(&blobs.parse().unwrap(), &settings, &spool)
            .await
            .unwrap();
        let region: Region = "us-east-1".parse().unwrap();
        let settings = Settings::new(region, Clock::system());
        let iam = Iam::open(database.clone(), MasterKey::from_bytes([7; 32]), settings)
            .await
            .unwrap();
        let account: AccountId = "111122223333".parse().unwrap();
        let is_empty = iam.first_start(&account).await.unwrap().is_some();
        let user = format!("bench-{}", database.node());
        let user = iam.create_user(&account, "/", &user).await.unwrap();
        iam.attach_policy(&user.id, "arn:aws:iam::aws:policy/AdministratorAccess")
            .await
            .unwrap();
        let key = iam
            .create_access_key(&account, Some(&user.id))
            .await
            .unwrap();
        let parts = Parts {
            database: database.clone(),
            blobs,
            iam: iam.clone(),
            formats: Formats::new(&[]),
            remotes: RemoteSettings {
                addresses: BTreeMap::new(),
                ..RemoteSettings::default()
            },
            completes_versions: false,
            limits: Limits::default(),
        };
        let catalog = Catalog::start(parts).await.unwrap();
        let admin = caller(&iam, &key).await;
        let at = DomainAt {
            owner: account,
            name: "bench".parse().unwrap(),
        };
        if is_empty {
            let key = "key".to_owned();
            let made = catalog.create_domain(&admin, &at.name, key, Vec::new());
            made.await.unwrap();
        }
        Self {
            database,
            catalog,
            admin,
            at,
            is_empty,
        }
    }

    async fn fill_and_index(&self, packages: i64, repositories: i64) {
        let began = Instant::now();
        self.fill(packages, repositories).await;
        let (versions, took) = (packages * VERSIONS, began.elapsed());
        println!(
            "{packages} packages, {versions} versions in {repositories} repositories; filled in {took:.0?}"
        );
        let began = Instant::now();
        // These packages came by another way than through the catalog, which thinks that it knows all.
        let forget = |tx: &mut store::Tx<'_>| tx.execute("DELETE FROM catch_up", &[]);
        self.database.write(forget).await.unwrap();
        let indexed = self.catalog.catch_up().await.unwrap();
        println!("{indexed} packages indexed in {:.0?}", began.elapsed());
        let analyze = |tx: &mut store::Tx<'_>| tx.execute("ANALYZE", &[]);
        self.database.write(analyze).await.unwrap();
    }

    async fn fill(&self, packages: i64, repositories: i64) {
        for number in 0..repositories {
            let new = NewRepository {
                name: format!("repository-{number}").parse().unwrap(),
                description: None,
                upstreams: Vec::new(),
                tags: Vec::new(),
            };
            self.catalog
                .create_repository(&self.admin, &self.at, new)
                .await
                .unwrap();
        }
        let database = &self.database;
        database
            .write(|tx| {
                tx.execute(WORDS_TABLE, &[])?;
                tx.execute(REPOSITORIES_TABLE, &[])?;
                tx.execute(ADD_REPOSITORIES, &[])?;
                for number in 0..WORDS {
                    tx.execute(
                        ADD_WORD,
                        &[i64::try_from(number).unwrap().into(), word(number).into()],
                    )?;
                }
                Ok::<_, store::Error>(())
            })
            .await
            .unwrap();
        let domain = "SELECT id FROM domains";
        let domain = database.rows(domain, Vec::new()).await.unwrap()[0]
            .text("id")
            .unwrap();
        // Ten versions of each package: their rows come in slices of the same size.
        for (sql, rows, last) in [
            (PACKAGES, packages, Some(repositories.into())),
            (VERSIONS_OF_PACKAGES, packages, Some(VERSIONS.into())),
            (BLOBS, packages * VERSIONS, Some(store::Value::from(domain))),
            (ASSETS, packages * VERSIONS, None),
        ] {
            let mut from = 0;
            while from < rows {
                let to = rows.min(from + SLICE);
                let mut values = vec![from.into(), to.into()];
                values.extend(last.clone());
                database
                    .write(move |tx| tx.execute(sql, &values))
                    .await
                    .unwrap();
                from = to;
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of searches")]
    async fn measure(&self, packages: i64) {
        let text = |text: String| Search {
            text: Some(text),
            ..Search::default()
        };
        let name = |name: String| Search {
            name: Some(name),
            ..Search::default()
        };
        println!(
            "{:<44} {:>9} {:>9} {:>9} {:>7}",
            "", "median", "95%", "slowest", "found"
        );
        let prefix = |number: usize| word(number % 997)[..3].to_owned();
        let with = |license: &str, format: &str, search: Search| Search {
            license: (!license.is_empty()).then(|| license.to_owned()),
            format: (!format.is_empty()).then(|| format.parse().unwrap()),
            ..search
        };
        self.time("exact name", |n| name(name_of(n * 491, packages)))
            .await;
        self.time("exact name, as text", |n| text(name_of(n * 491, packages)))
            .await;
        self.time("beginning of a name, 3 letters", |n| {
            name(format!("{}*", prefix(n * 7)))
        })
        .await;
        self.time("beginning of a name, as text", |n| text(prefix(n * 7)))
            .await;
        self.time("one word, frequent", |n| text(word(n % 40)))
            .await;
        self.time("one word, rare", |n| text(word(3_000 + n * 3)))
            .await;
        self.time("two words, frequent", |n| {
            text(format!("{} {}", word(n % 40), word(n % 23 + 40)))
        })
        .await;
        self.time("frequent word and rare word", |n| {
            text(format!("{} {}", word(n % 40), word(2_000 + n * 5)))
        })
        .await;
        self.time("three words", |n| {
            text(format!(
                "{} {} {}",
                word(n % 40),
                word(n % 31 + 2),
                word(n % 17 + 70)
            ))
        })
        .await;
        self.time("words that never stand together", |n| {
            text(format!(
                "{} {} {} {}",
                word(n % 9),
                word(n % 7 + 9),
                word(n % 5 + 16),
                word(n % 3 + 21)
            ))
        })
        .await;
        self.time("namespace", |n| Search {
            namespace: Some(format!("org.{}", word(n * 5 % 997))),
            ..Search::default()
        })
        .await;
        self.time("everything below a namespace", |_| Search {
            namespace: Some("org.*".to_owned()),
            ..Search::default()
        })
        .await;
        self.time("format", |n| {
            with("", ["npm", "pypi"][n % 2], Search::default())
        })
        .await;
        self.time("licence, frequent", |_| with("mit", "", Search::default()))
            .await;
        self.time("licence, rare", |_| with("ZLIB", "", Search::default()))
            .await;
        self.time("licence, rare, and a frequent word", |n| {
            with("zlib", "", text(word(n % 40)))
        })
        .await;
        self.time("licence, format and a beginning", |n| {
            with("BSD", "npm", name(format!("{}*", prefix(n * 7))))
        })
        .await;
        self.time("everything", |_| Search::default()).await;
        self.time_pages("one word, frequent, tenth page", |n| text(word(n % 40)), 10)
            .await;
        for (title, length) in [
            ("MD5", 32),
            ("SHA-1", 40),
            ("SHA-256", 64),
            ("SHA-512", 128),
        ] {
            let mut times = Times::default();
            for round in 0..ROUNDS {
                let number = i64::try_from(round * 4_999).unwrap() % (packages * VERSIONS) * 7919;
                let digest = format!("{number:0length$}").parse().unwrap();
                let began = Instant::now();
                let found = self
                    .catalog
                    .search_files(&self.admin, &self.at, &digest, None, None, PAGE)
                    .await
                    .unwrap();
                times.add(began.elapsed(), found.items.len());
            }
            times.print(title);
        }
    }

    async fn time(&self, title: &str, search: impl Fn(usize) -> Search) {
        self.time_pages(title, search, 1).await;
    }

    /// Times the page with this number.
    async fn time_pages(&self, title: &str, search: impl Fn(usize) -> Search, page: usize) {
        let mut times = Times::default();
        for round in 0..ROUNDS {
            let search = search(round);
            let mut after = None;
            for number in 1..=page {
                let began = Instant::now();
                let found = self
                    .catalog
                    .search(&self.admin, &self.at, &search, after.as_deref(), PAGE)
                    .await
                    .unwrap();
                if number == page || found.next.is_none() {
                    times.add(began.elapsed(), found.items.len());
                    break;
                }
                after = found.next;
            }
        }
        times.print(title);
    }
}

#[derive(Default)]
struct Times {
    times: Vec<Duration>,
    found: usize,
}

impl Times {
    fn add(&mut self, time: Duration, found: usize) {
        self.times.push(time);
        self.found += found;
    }

    fn print(mut self, title: &str) {
        self.times.sort();
        let at =
            |part: usize| self.times[(self.times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
        let found = self.found / self.times.len();
        println!(
            "{title:<44} {:>6.1} ms {:>6.1} ms {:>6.1} ms {found:>7}",
            at(50),
            at(95),
            at(100)
        );
    }
}

/// Who signs with these keys.
async fn caller(iam: &Iam, keys: &Credentials) -> Caller {
    let request = http::Request::get("/v1/domains").header("host", "localhost");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let now = iam.clock().now();
    let signer = Signer {
        credentials: keys,
        region: iam.region(),
        service: "codeartifact",
    };
    signer.sign(&mut parts, EMPTY_HASH, now).unwrap();
    let claim = Claim::read(&parts, &Rules::new("codeartifact", None), now).unwrap();
    let source = Source {
        ip: None,
        secure_transport: false,
    };
    iam.by_signature(&claim, EMPTY_HASH, source).await.unwrap()
}
