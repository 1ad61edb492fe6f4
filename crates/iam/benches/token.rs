//! What a warm package request costs here: decode a token, find who stands behind it, decide from memory.
//!
//! `cargo bench -p packhouse-iam --bench token` prints nanoseconds per call, on one thread. The aim is below 5 µs for
//! the whole (`identity.md` 5.5).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws::query::Form;
use aws::sigv4::{Claim, Credentials, Rules, Signer, body_hash};
use aws::{AccountId, Clock, Region};
use iam::{Ask, Caller, Iam, MasterKey, Settings, Source, TokenDuration};
use store::Database;

const REPOSITORY: &str = "arn:aws:codeartifact:us-east-1:111122223333:repository/my-domain/my-repo";
const ROUNDS: u32 = 200_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let database = Database::open(&"sqlite::memory:".parse().unwrap())
        .await
        .unwrap();
    let region: Region = "us-east-1".parse().unwrap();
    let clock = Clock::system();
    let settings = Settings::new(region.clone(), clock.clone());
    let iam = Iam::open(database, MasterKey::from_bytes([7; 32]), settings)
        .await
        .unwrap();
    let account: AccountId = "111122223333".parse().unwrap();
    let keys = iam.first_start(&account).await.unwrap().unwrap();
    let user = iam.create_user(&account, "/", "ci").await.unwrap();
    let root = sign_in(&iam, &keys.root, &region).await;
    for number in 0..10 {
        let form = format!(
            "Action=CreatePolicy&Version=2010-05-08&PolicyName=p{number}&PolicyDocument={}",
            aws::percent::encode(&twenty_statements())
        );
        let form = Form::parse(form.as_bytes()).unwrap();
        iam.call(&root, &form, "bench").await.unwrap();
        let arn = format!("arn:aws:iam::{account}:policy/p{number}");
        iam.attach_policy(&user.id, &arn).await.unwrap();
    }
    let ci = iam
        .create_access_key(&account, Some(&user.id))
        .await
        .unwrap();
    for (who, credentials) in [
        ("admin", &keys.admin),
        ("a user with 10 policies of 20 statements", &ci),
    ] {
        let signer = sign_in(&iam, credentials, &region).await;
        let token = iam
            .issue_token(&signer, 42, &account, TokenDuration::DEFAULT)
            .await
            .unwrap()
            .token;
        println!("{who}");
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(
                iam.by_token(token.expose(), Source::default())
                    .await
                    .unwrap(),
            );
        }
        report("token to caller", start.elapsed(), ROUNDS);
        let caller = iam
            .by_token(token.expose(), Source::default())
            .await
            .unwrap();
        let start = Instant::now();
        for _ in 0..ROUNDS {
            iam.authorize(&ask(&caller, &account)).await.unwrap();
        }
        report("decision from memory", start.elapsed(), ROUNDS);
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let caller = iam
                .by_token(token.expose(), Source::default())
                .await
                .unwrap();
            iam.authorize(&ask(&caller, &account)).await.unwrap();
        }
        report("both, as a package request does", start.elapsed(), ROUNDS);
        let resources: Vec<String> = (0..20_000)
            .map(|number| format!("{REPOSITORY}-{number}"))
            .collect();
        let start = Instant::now();
        for resource in &resources {
            iam.authorize(&Ask {
                resources: &[resource],
                ..ask(&caller, &account)
            })
            .await
            .unwrap();
        }
        report(
            "decision that was never made before",
            start.elapsed(),
            20_000,
        );
        let garbage = format!("phk1_{}", "A".repeat(123));
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(iam.by_token(&garbage, Source::default()).await.unwrap_err());
        }
        report("garbage to refusal", start.elapsed(), ROUNDS);
    }
}

fn ask<'a>(caller: &'a Caller, owner: &'a AccountId) -> Ask<'a> {
    Ask {
        caller,
        action: "codeartifact:ReadFromRepository",
        resources: &[REPOSITORY],
        owner,
        administrator: None,
        domain_policy: None,
        repository_policy: None,
        resource_tags: &[],
        request_tags: None,
        context: &[],
    }
}

async fn sign_in(iam: &Iam, credentials: &Credentials, region: &Region) -> Caller {
    let now = iam.clock().now();
    let (mut parts, ()) = http::Request::post("http://localhost:7070/")
        .body(())
        .unwrap()
        .into_parts();
    let payload = body_hash(b"");
    Signer {
        credentials,
        region,
        service: "sts",
    }
    .sign(&mut parts, &payload, now)
    .unwrap();
    let claim = Claim::read(&parts, &Rules::new("sts", None), now).unwrap();
    iam.by_signature(&claim, &payload, Source::default())
        .await
        .unwrap()
}

fn twenty_statements() -> String {
    let statement = r#"{"Effect":"Allow","Action":["codeartifact:Describe*","codeartifact:ReadFromRepository"],
        "Resource":"arn:aws:codeartifact:*:111122223333:repository/my-domain/*","Condition":{"StringLike":{"aws:username":"c*"}}}"#;
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        [statement; 20].join(",")
    )
}

fn report(what: &str, took: Duration, rounds: u32) {
    println!("  {:>8} ns  {what}", took.as_nanos() / u128::from(rounds));
}
