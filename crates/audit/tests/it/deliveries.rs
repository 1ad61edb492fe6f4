//! Events reach their receivers: signed, in order, at least once, and again when asked for.

use std::time::Duration;

use audit::{Dispatcher, Error, Filter, NewWebhook, Webhook, WebhookChange, Webhooks, sign};
use aws::{SecretString, Timestamp};
use catalog::Courier;

use crate::receiver::Receiver;
use crate::world::World;

struct Told {
    world: World,
    webhooks: Webhooks,
    dispatcher: Dispatcher,
}

impl Told {
    async fn begin() -> Self {
        let world = World::begin().await.with_repository().await;
        let webhooks = Webhooks::new(world.database.clone(), world.iam.clone());
        let dispatcher = Dispatcher::new(
            world.database.clone(),
            world.iam.clone(),
            world.catalog.clone(),
            Courier::new(true).unwrap(),
            Duration::from_hours(72),
        );
        Self {
            world,
            webhooks,
            dispatcher,
        }
    }

    async fn webhook(&self, url: &str, filter: Filter) -> (Webhook, SecretString) {
        let new = NewWebhook {
            url: url.to_owned(),
            description: "for tests".to_owned(),
            filter,
        };
        self.webhooks
            .create(&self.world.account, &new)
            .await
            .unwrap()
    }

    /// Everything that is due by now, until nothing is.
    async fn work(&self) {
        while self.dispatcher.collect().await.unwrap() + self.dispatcher.deliver().await.unwrap()
            > 0
        {}
    }

    async fn state(&self, webhook: &Webhook) -> Webhook {
        let found = self.webhooks.get(&self.world.account, &webhook.id);
        found.await.unwrap()
    }
}

#[tokio::test]
async fn an_event_arrives_with_a_signature_over_time_and_body() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[]).await;
    let (webhook, secret) = told.webhook(&receiver.url, Filter::default()).await;
    told.world.publish("tool", "1.0").await;
    told.work().await;
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 1);
    let expected = sign(&secret, told.world.clock.now(), arrived[0].body.as_bytes());
    assert_eq!(arrived[0].signature, expected.to_string());
    let event = arrived[0].event();
    assert_eq!(event["source"], "aws.codeartifact");
    assert_eq!(
        event["resources"][0],
        "arn:aws:codeartifact:us-east-1:111122223333:package/team/app/generic/tools/tool"
    );
    assert_eq!(event["detail"]["operationType"], "Created");
    let state = told.state(&webhook).await;
    assert_eq!((state.waiting, state.abandoned), (0, 0));
    assert_eq!(
        state.last_delivered.as_deref(),
        Some("2026-03-14T15:09:26Z")
    );
}

#[tokio::test]
async fn what_does_not_arrive_is_sent_again_later_and_its_package_waits() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[500]).await;
    let (webhook, _) = told.webhook(&receiver.url, Filter::default()).await;
    told.world.publish("tool", "1.0").await;
    told.world.publish("tool", "2.0").await;
    told.work().await;
    assert_eq!(receiver.versions(), ["tool 1.0 500"]);
    let state = told.state(&webhook).await;
    assert_eq!(state.waiting, 2);
    assert_eq!(
        state.last_failure.as_deref(),
        Some("the receiver answered 500")
    );
    told.world.publish("other", "1.0").await;
    told.work().await;
    assert_eq!(
        receiver.versions(),
        ["tool 1.0 500", "other 1.0 200"],
        "other packages do not wait"
    );
    told.world.clock.advance(Duration::from_secs(2));
    told.work().await;
    assert_eq!(
        receiver.versions()[2..],
        ["tool 1.0 200", "tool 2.0 200"],
        "in order"
    );
    assert_eq!(receiver.arrived()[2].attempt, "2");
    let sequence = |at: usize| receiver.arrived()[at].event()["detail"]["sequenceNumber"].as_u64();
    assert!(sequence(2) < sequence(3));
}

#[tokio::test]
async fn what_never_arrives_is_given_up_and_what_follows_goes_on() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[500, 500]).await;
    let (webhook, _) = told.webhook(&receiver.url, Filter::default()).await;
    told.world.publish("tool", "1.0").await;
    told.world.publish("tool", "2.0").await;
    told.work().await;
    told.world.clock.advance(Duration::from_hours(73));
    told.work().await;
    assert_eq!(
        receiver.versions(),
        ["tool 1.0 500", "tool 1.0 500", "tool 2.0 200"]
    );
    let state = told.state(&webhook).await;
    assert_eq!((state.waiting, state.abandoned), (0, 1));
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_is_left_alone() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[410]).await;
    let (webhook, _) = told.webhook(&receiver.url, Filter::default()).await;
    told.world.publish("tool", "1.0").await;
    told.work().await;
    told.world.publish("tool", "2.0").await;
    told.work().await;
    assert_eq!(receiver.versions(), ["tool 1.0 410"]);
    assert!(!told.state(&webhook).await.enabled);
    let change = WebhookChange {
        enabled: Some(true),
        ..WebhookChange::default()
    };
    told.webhooks
        .update(&told.world.account, &webhook.id, change)
        .await
        .unwrap();
    told.world.clock.advance(Duration::from_secs(2));
    told.work().await;
    assert_eq!(receiver.versions()[1..], ["tool 1.0 200", "tool 2.0 200"]);
}

#[tokio::test]
async fn what_happened_in_a_span_of_time_is_sent_again() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[]).await;
    let (webhook, _) = told.webhook(&receiver.url, Filter::default()).await;
    let mut times = Vec::new();
    for version in ["1.0", "2.0", "3.0"] {
        told.world.publish("tool", version).await;
        times.push(told.world.clock.now());
        told.world.clock.advance(Duration::from_mins(1));
    }
    told.work().await;
    assert_eq!(receiver.versions().len(), 3);
    let first: Vec<_> = receiver.arrived().iter().map(|a| a.body.clone()).collect();
    let replayed = told
        .webhooks
        .replay(
            &told.world.account,
            &webhook.id,
            times[1],
            told.world.clock.now(),
        )
        .await
        .unwrap();
    assert_eq!(replayed, (2, None));
    told.work().await;
    let again: Vec<_> = receiver.arrived()[3..]
        .iter()
        .map(|a| a.body.clone())
        .collect();
    assert_eq!(again, first[1..], "the same, deduplication id included");
}

#[tokio::test]
async fn a_webhook_that_is_far_behind_does_not_keep_others_waiting() {
    let told = Told::begin().await;
    let (behind, prompt) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    let (webhook, _) = told.webhook(&behind.url, Filter::default()).await;
    let insert = "
        INSERT INTO deliveries (webhook_id, package, sequence, id, event_id, document, since, attempts, due)
        VALUES ($1, $2, 1, $2, $2, '{}', $3, 0, $3)";
    let now = told.world.clock.now();
    told.world
        .database
        .write(move |tx| {
            for number in 0..1000 {
                let package = format!("arn:{number}").into();
                let due = (now.millis() - 1000).into();
                tx.execute(insert, &[webhook.id.as_str().into(), package, due])?;
            }
            Ok::<_, store::Error>(())
        })
        .await
        .unwrap();
    told.webhook(&prompt.url, Filter::default()).await;
    told.world.publish("tool", "1.0").await;
    told.dispatcher.collect().await.unwrap();
    told.dispatcher.deliver().await.unwrap();
    assert_eq!(prompt.arrived().len(), 1);
    assert_eq!(behind.arrived().len(), 4);
}

/// What is deleted at once happens at one time: a replay that went on there would never get beyond it.
#[tokio::test]
async fn a_replay_goes_on_within_a_second_until_it_is_over() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[]).await;
    let (webhook, _) = told.webhook(&receiver.url, Filter::default()).await;
    let (account, now) = (told.world.account, told.world.clock.now());
    let insert = "
        INSERT INTO events (account, id, at, package, sequence, document)
        VALUES ($1, $2, $3, 'arn:p', $4, '{}')";
    let many = 10_500;
    told.world
        .database
        .write(move |tx| {
            for number in 0..many {
                let id = format!("{number:09}").into();
                let at = now.millis() + number / 10_400 * 2000;
                tx.execute(
                    insert,
                    &[account.as_str().into(), id, at.into(), number.into()],
                )?;
            }
            Ok::<_, store::Error>(())
        })
        .await
        .unwrap();
    let until = now.plus(Duration::from_secs(10));
    let replay = async |from| {
        let replayed = told.webhooks.replay(&account, &webhook.id, from, until);
        replayed.await.unwrap()
    };
    assert_eq!(replay(now).await, (10_500, None));
    let later = now.plus(Duration::from_secs(2));
    assert_eq!(replay(later).await, (100, None));
    let before = Timestamp::from_seconds(now.millis() / 1000 - 1);
    assert_eq!(replay(before).await, (10_000, Some(now)));
}

#[tokio::test]
async fn a_webhook_is_told_what_it_asked_for() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[]).await;
    let only = Filter {
        formats: vec!["maven".to_owned()],
        ..Filter::default()
    };
    let (webhook, secret) = told.webhook(&receiver.url, only).await;
    told.world.publish("tool", "1.0").await;
    told.work().await;
    assert!(receiver.arrived().is_empty());
    let account = &told.world.account;
    let change = WebhookChange {
        filter: Some(Filter::default()),
        ..WebhookChange::default()
    };
    told.webhooks
        .update(account, &webhook.id, change)
        .await
        .unwrap();
    let rotated = told.webhooks.rotate(account, &webhook.id).await.unwrap();
    assert_ne!(rotated.expose(), secret.expose());
    told.world.publish("tool", "2.0").await;
    told.work().await;
    let arrived = receiver.arrived();
    let expected = sign(&rotated, told.world.clock.now(), arrived[0].body.as_bytes());
    assert_eq!(arrived[0].signature, expected.to_string());
    receiver.answer(&[500]);
    told.world.publish("tool", "3.0").await;
    told.work().await;
    told.webhooks.delete(account, &webhook.id).await.unwrap();
    told.world.clock.advance(Duration::from_hours(1));
    told.work().await;
    assert_eq!(receiver.arrived().len(), 2, "nothing of it is left");
}

#[tokio::test]
async fn webhooks_are_their_accounts_own() {
    let told = Told::begin().await;
    let (webhook, _) = told
        .webhook("https://receiver.example/", Filter::default())
        .await;
    let other = "444455556666".parse().unwrap();
    assert!(told.webhooks.list(&other).await.unwrap().is_empty());
    for found in [
        told.webhooks.get(&other, &webhook.id).await.map(drop),
        told.webhooks.rotate(&other, &webhook.id).await.map(drop),
        told.webhooks.delete(&other, &webhook.id).await,
        told.webhooks.get(&other, "").await.map(drop),
    ] {
        assert!(matches!(found, Err(Error::NotFound { .. })));
    }
}

/// The task itself: woken by what happens, not by the clock.
#[tokio::test]
async fn the_dispatcher_is_woken_by_what_happens() {
    let told = Told::begin().await;
    let receiver = Receiver::start(&[]).await;
    told.webhook(&receiver.url, Filter::default()).await;
    let Told {
        world, dispatcher, ..
    } = told;
    let task = tokio::spawn(async move { dispatcher.run().await });
    world.publish("tool", "1.0").await;
    let arrived = async {
        while receiver.arrived().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived)
        .await
        .unwrap();
    task.abort();
}

#[tokio::test]
async fn secrets_lie_sealed() {
    let told = Told::begin().await;
    let (_, secret) = told
        .webhook("https://receiver.example/", Filter::default())
        .await;
    let rows = told
        .world
        .database
        .rows("SELECT secret FROM webhooks", Vec::new())
        .await
        .unwrap();
    let sealed = rows[0].text("secret").unwrap();
    assert!(!sealed.contains(secret.expose().trim_start_matches("whsec_")));
    let shown = told.webhooks.list(&told.world.account).await.unwrap();
    let shown = serde_json::to_string(&shown).unwrap();
    assert!(!shown.contains(secret.expose()) && !shown.contains(&sealed));
}
