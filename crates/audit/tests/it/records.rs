//! What becomes of a request: a line, a row, an answer to "why?".

use std::sync::Arc;
use std::time::Duration;

use audit::{Arrival, Draft, Error, Lookup, Refused, Service};
use catalog::{Action, Error as CatalogError};
use http::{HeaderValue, Method};
use serde_json::json;

use crate::world::World;

fn arrival(world: &World, path: &str) -> Arrival {
    Arrival {
        request_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        at: world.clock.now(),
        method: Method::GET,
        path: path.to_owned(),
        source_ip: Some("203.0.113.40".parse().unwrap()),
        secure: true,
        tls_version: None,
        host: Some(HeaderValue::from_static("packages.example")),
        user_agent: Some(HeaderValue::from_static("aws-cli/1.45.11")),
    }
}

/// Asks for `DescribeDomain` as the door does.
async fn describe(world: &World, caller: &iam::Caller) -> Arc<Draft> {
    let draft = Draft::new(arrival(world, "/v1/domain"));
    draft.called_by(caller);
    draft.asks(Service::CodeArtifact, "DescribeDomain", true);
    draft.with(json!({"domainName": "team"}).as_object().unwrap().clone());
    let at = world.domain();
    let asked = world.catalog.domain(caller, Action::DescribeDomain, &at);
    match draft.trace().follow(asked).await {
        Ok(_) => draft.ended(200, Some(10)),
        Err(CatalogError::Denied(denial)) => {
            draft.refused(Refused {
                code: "AccessDeniedException".to_owned(),
                message: denial.message,
                decision: Some(denial.id),
            });
            draft.ended(403, Some(10));
        }
        Err(other) => panic!("{other}"),
    }
    world.ledger.note(&draft);
    draft
}

async fn found(world: &World, lookup: &Lookup) -> Vec<serde_json::Value> {
    let found = world.ledger.find(&world.account, lookup, None, 50).await;
    found.unwrap().records
}

#[tokio::test]
async fn a_request_is_a_line_and_a_row_in_the_form_of_cloudtrail() {
    let world = World::begin().await.with_repository().await;
    describe(&world, &world.admin).await;
    let records = found(&world, &Lookup::default()).await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    let expected = json!({
        "eventVersion": "1.11",
        "eventID": record["eventID"],
        "requestID": "11111111-2222-4333-8444-555555555555",
        "eventTime": "2026-03-14T15:09:26Z",
        "eventSource": "codeartifact.amazonaws.com",
        "eventName": "DescribeDomain",
        "awsRegion": "us-east-1",
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "managementEvent": true,
        "readOnly": true,
        "userIdentity": {
            "type": "IAMUser", "principalId": world.admin.user_id(), "arn": "arn:aws:iam::111122223333:user/admin",
            "accountId": "111122223333", "accessKeyId": world.admin.access_key_id(), "userName": "admin"
        },
        "sourceIPAddress": "203.0.113.40",
        "userAgent": "aws-cli/1.45.11",
        "requestParameters": {"domainName": "team"},
        "responseElements": null,
        "resources": [{"ARN": "arn:aws:codeartifact:us-east-1:111122223333:domain/team", "accountId": "111122223333"}],
        "additionalEventData": {
            "decision": "identity", "policies": ["arn:aws:iam::aws:policy/AdministratorAccess"], "httpStatus": 200,
            "bytesTransferredOut": 10
        },
        "tlsDetails": {"clientProvidedHostHeader": "packages.example"},
        "recipientAccountId": "111122223333"
    });
    assert_eq!(*record, expected);
    assert_eq!(world.lines(), [expected]);
}

#[tokio::test]
async fn a_refusal_is_recorded_and_explained() {
    let world = World::begin().await.with_repository().await;
    let draft = describe(&world, &world.nobody).await;
    let records = found(&world, &Lookup::default()).await;
    let record = &records[0];
    let message = "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: \
                   codeartifact:DescribeDomain on resource: arn:aws:codeartifact:us-east-1:111122223333:domain/team \
                   because no identity-based policy allows the codeartifact:DescribeDomain action";
    assert_eq!(record["errorCode"], "AccessDenied");
    assert_eq!(record["errorMessage"], message);
    let id = draft.last_refusal().unwrap();
    assert_eq!(record["additionalEventData"]["decisionId"], id.as_str());
    for asked in [id.as_str(), "11111111-2222-4333-8444-555555555555"] {
        let explained = world.ledger.explain(&world.account, asked).await.unwrap();
        assert_eq!(explained.id, id);
        assert_eq!(explained.event_id, record["eventID"].as_str().unwrap());
        assert_eq!(explained.reason, "implicit-identity");
        assert_eq!(explained.message, message);
        assert_eq!(
            explained.explanation,
            "arn:aws:iam::111122223333:user/nobody asked for codeartifact:DescribeDomain on \
             arn:aws:codeartifact:us-east-1:111122223333:domain/team; no identity-based policy allows it."
        );
    }
    let (refusals, next) = world
        .ledger
        .refusals(&world.account, None, 10)
        .await
        .unwrap();
    assert_eq!((refusals.len(), next), (1, None));
}

#[tokio::test]
async fn a_denying_statement_is_named() {
    let world = World::begin().await.with_repository().await;
    let deny = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"*","Resource":"*"},
        {"Sid":"NotThis","Effect":"Deny","Action":"codeartifact:Describe*","Resource":"*"}]}"#;
    let holder = world.nobody.user_id().to_owned();
    world
        .iam
        .put_inline_policy(&holder, "careful", deny)
        .await
        .unwrap();
    let draft = describe(&world, &world.nobody).await;
    let id = draft.last_refusal().unwrap();
    let explained = world.ledger.explain(&world.account, &id).await.unwrap();
    assert_eq!(explained.reason, "explicit-identity");
    assert_eq!(
        explained.explanation,
        "arn:aws:iam::111122223333:user/nobody asked for codeartifact:DescribeDomain on \
         arn:aws:codeartifact:us-east-1:111122223333:domain/team; statement 2 `NotThis` of the identity-based policy \
         `careful` denies it."
    );
}

#[tokio::test]
async fn a_decision_is_for_those_it_concerns() {
    let world = World::begin().await.with_repository().await;
    let draft = describe(&world, &world.nobody).await;
    let id = draft.last_refusal().unwrap();
    let other = "444455556666".parse().unwrap();
    for (account, id) in [(&other, id.as_str()), (&world.account, "nothing")] {
        let explained = world.ledger.explain(account, id).await;
        assert!(matches!(explained, Err(Error::NotFound { .. })));
    }
    let all = Lookup::default();
    let found = world.ledger.find(&other, &all, None, 10);
    assert!(found.await.unwrap().records.is_empty());
}

#[tokio::test]
async fn records_are_found_by_time_principal_event_resource_and_failure() {
    let world = World::begin().await.with_repository().await;
    describe(&world, &world.admin).await;
    world.clock.advance(Duration::from_mins(1));
    describe(&world, &world.nobody).await;
    world.clock.advance(Duration::from_mins(1));
    describe(&world, &world.admin).await;
    let start = world.clock.now();
    let ago = |seconds| Some(start.minus(Duration::from_secs(seconds)));
    let text = |text: &str| Some(text.to_owned());
    let domain = "arn:aws:codeartifact:us-east-1:111122223333:domain/team";
    let all = Lookup::default;
    let with = |change: &dyn Fn(&mut Lookup)| {
        let mut lookup = all();
        change(&mut lookup);
        lookup
    };
    for (lookup, count) in [
        (all(), 3),
        (
            with(&|one| one.principal = text("arn:aws:iam::111122223333:user/admin")),
            2,
        ),
        (with(&|one| one.failed = true), 1),
        (
            with(&|one| (one.event, one.failed) = (text("DescribeDomain"), true)),
            1,
        ),
        (with(&|one| one.event = text("CreateDomain")), 0),
        (with(&|one| one.resource = text(domain)), 3),
        (
            with(&|one| one.resource = text("arn:aws:codeartifact:*")),
            3,
        ),
        (with(&|one| one.resource = text("arn:aws:iam:*")), 0),
        (with(&|one| one.from = ago(60)), 2),
        (with(&|one| one.until = ago(60)), 1),
        (with(&|one| (one.from, one.until) = (ago(60), ago(0))), 1),
    ] {
        assert_eq!(found(&world, &lookup).await.len(), count, "{lookup:?}");
    }
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let all = all();
        let page = world
            .ledger
            .find(&world.account, &all, before.as_deref(), 2);
        let page = page.await.unwrap();
        pages.push(page.records.len());
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [2, 1]);
}

/// The process dies between the change and the end of the request: the record is there all the same.
#[tokio::test]
async fn a_change_without_an_answer_is_recorded() {
    let world = World::begin().await;
    let draft = Draft::new(arrival(&world, "/v1/domain"));
    draft.called_by(&world.admin);
    draft.asks(Service::CodeArtifact, "CreateDomain", false);
    let companion = world.ledger.companion(&draft);
    let making = Box::pin(world.make_domain());
    companion.accompany(draft.trace().follow(making)).await;
    // Never noted.
    assert!(found(&world, &Lookup::default()).await.is_empty());
    assert_eq!(world.ledger.recover().await.unwrap(), 0, "it may still end");
    world.clock.advance(Duration::from_mins(11));
    assert_eq!(world.ledger.recover().await.unwrap(), 1);
    let records = found(&world, &Lookup::default()).await;
    assert_eq!(records[0]["eventName"], "CreateDomain");
    assert_eq!(records[0]["additionalEventData"]["unanswered"], true);
    assert_eq!(world.lines(), records);
    assert_eq!(world.ledger.recover().await.unwrap(), 0);
}

#[tokio::test]
async fn a_change_that_is_answered_is_recorded_once() {
    let world = World::begin().await;
    let draft = Draft::new(arrival(&world, "/v1/domain"));
    draft.called_by(&world.admin);
    draft.asks(Service::CodeArtifact, "CreateDomain", false);
    let companion = world.ledger.companion(&draft);
    let making = Box::pin(world.make_domain());
    companion.accompany(draft.trace().follow(making)).await;
    draft.answered_with(json!({"domain": {"name": "team"}}));
    draft.ended(200, Some(100));
    world.ledger.note(&draft);
    let records = found(&world, &Lookup::default()).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["responseElements"]["domain"]["name"], "team");
    world.clock.advance(Duration::from_mins(11));
    assert_eq!(world.ledger.recover().await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_read_does_writes_nothing_by_itself() {
    let world = World::begin().await.with_repository().await;
    let draft = Draft::new(arrival(&world, "/v1/domain"));
    draft.called_by(&world.admin);
    let companion = world.ledger.companion(&draft);
    let at = world.domain();
    let read = world
        .catalog
        .domain(&world.admin, Action::DescribeDomain, &at);
    let reading = draft.trace().follow(Box::pin(read));
    companion.accompany(reading).await.map(drop).unwrap();
    let rows = world
        .database
        .rows("SELECT id FROM audit_outbox", Vec::new());
    assert!(rows.await.unwrap().is_empty());
}

#[tokio::test]
async fn refusals_of_strangers_are_recorded_up_to_a_number_and_counted_beyond() {
    let world = World::begin().await;
    for _ in 0..25 {
        let draft = Draft::new(arrival(&world, "/v1/domain"));
        draft.refused_to_stranger(
            Service::CodeArtifact,
            Some("AKIAIOSFODNN7EXAMPLE"),
            "signature",
        );
        draft.refused(Refused {
            code: "InvalidSignatureException".to_owned(),
            message: "no".to_owned(),
            decision: None,
        });
        draft.ended(403, None);
        world.ledger.note(&draft);
    }
    let records = found(&world, &Lookup::default()).await;
    assert_eq!(records.len(), 11);
    let counted: Vec<_> = records
        .iter()
        .filter(|record| record["eventName"] == "RefusalsNotRecorded")
        .map(|record| record["additionalEventData"]["count"].clone())
        .collect();
    assert_eq!(counted, [15]);
    let refused = records
        .iter()
        .find(|record| record["eventType"] == "AwsAuthFailure")
        .unwrap();
    assert_eq!(
        refused["userIdentity"],
        json!({"type": "Unknown", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"})
    );
    assert_eq!(refused["additionalEventData"]["reason"], "signature");
}

#[tokio::test]
async fn reads_that_are_alike_become_one_record_where_that_is_wanted() {
    let world = World::begin_with(Duration::from_mins(10)).await;
    let world = world.with_repository().await;
    world.clock.advance(Duration::from_secs(1));
    for path in ["/d/a", "/d/a", "/d/b", "/d/a"] {
        let draft = Draft::new(arrival(&world, path));
        draft.called_by(&world.admin);
        draft.asks_for_packages();
        let at = world.repository();
        let read = world
            .catalog
            .repository(&world.admin, Action::ReadFromRepository, &at);
        draft
            .trace()
            .follow(Box::pin(read))
            .await
            .map(drop)
            .unwrap();
        draft.ended(200, Some(7));
        world.ledger.note(&draft);
        world.clock.advance(Duration::from_secs(1));
    }
    let records = found(&world, &Lookup::default()).await;
    let counts: Vec<_> = records
        .iter()
        .map(|record| &record["additionalEventData"])
        .map(|data| (data["requestUri"].as_str().unwrap(), data["count"].as_u64()))
        .collect();
    assert_eq!(counts, [("/d/b", None), ("/d/a", Some(3))]);
}

#[tokio::test]
async fn old_and_too_many_records_are_forgotten() {
    let world = World::begin().await.with_repository().await;
    for _ in 0..3 {
        describe(&world, &world.nobody).await;
    }
    world.ledger.flush().await;
    assert_eq!(world.ledger.forget().await.unwrap(), 0);
    world.clock.advance(Duration::from_hours(24 * 31));
    assert_eq!(world.ledger.forget().await.unwrap(), 3, "decisions");
    world.clock.advance(Duration::from_hours(24 * 60));
    assert_eq!(world.ledger.forget().await.unwrap(), 3, "records");
}

#[tokio::test]
async fn what_is_noted_before_the_end_is_written() {
    let world = World::begin().await.with_repository().await;
    for _ in 0..50 {
        describe(&world, &world.admin).await;
    }
    world.ledger.close().await;
    assert_eq!(world.lines().len(), 50);
    assert_eq!(world.ledger.counts().recorded, 50);
}
