//! Hearing what the other nodes committed.
//!
//! A transaction that touched something sends it as a notification, which PostgreSQL delivers when, and only when, it commits. A node
//! ignores its own: it told its listeners already. A second of silence can mean that nothing happened or that the connection is dead, so
//! every two seconds the connection is asked; when it has to be made anew, what was said meanwhile is lost and everything counts as touched.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Config};

use super::tls::Tls;
use super::{CONNECT, Shared, mapped};
use crate::{Error, Touched};

const CHANNEL: &str = "packhouse";
/// PostgreSQL takes payloads of less than 8000 bytes.
const PAYLOAD: usize = 7900;
const PING: Duration = Duration::from_secs(2);
/// How long after the last answer this node may still trust what it keeps.
const TRUST: Duration = Duration::from_secs(30);
/// Between attempts to connect again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often it is said that they fail.
const SAID: Duration = Duration::from_mins(1);

/// The connection that listens; dropping it ends it.
pub(super) struct Ear {
    heard: Arc<Heard>,
    task: AbortHandle,
}

/// When the connection last answered.
struct Heard {
    start: Instant,
    millis: AtomicU64,
}

impl Heard {
    fn now(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Release);
    }

    fn silence(&self) -> Duration {
        let heard = Duration::from_millis(self.millis.load(Ordering::Acquire));
        self.start.elapsed().saturating_sub(heard)
    }
}

impl Ear {
    /// Listens from here on; fails when the server cannot be reached now.
    pub(super) async fn open(config: Config, tls: Tls, shared: Arc<Shared>) -> Result<Self, Error> {
        let heard = Arc::new(Heard {
            start: Instant::now(),
            millis: AtomicU64::new(0),
        });
        let (ready, first) = oneshot::channel();
        let listening = listen(config, tls, shared, Arc::clone(&heard), ready);
        let task = tokio::spawn(listening).abort_handle();
        let ear = Self { heard, task };
        match first.await {
            Ok(Ok(())) => Ok(ear),
            Ok(Err(error)) => Err(error),
            Err(closed) => Err(Error::unavailable(closed)),
        }
    }

    pub(super) fn confirmed(&self) -> bool {
        self.heard.silence() < TRUST
    }

    /// Returns when trust that there is now ends. Where there is none it waits for the next: a server that is back answers
    /// statements before this connection has been made anew.
    pub(super) async fn loses_trust(&self) {
        let mut trusted = false;
        loop {
            match TRUST.checked_sub(self.heard.silence()) {
                Some(left) => {
                    trusted = true;
                    sleep(left.max(AGAIN)).await;
                }
                None if trusted => return,
                None => sleep(AGAIN).await,
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    config: Config,
    tls: Tls,
    shared: Arc<Shared>,
    heard: Arc<Heard>,
    ready: oneshot::Sender<Result<(), Error>>,
) {
    let mut first = Some(ready);
    let mut said: Option<Instant> = None;
    loop {
        let error = until_it_breaks(&config, &tls, &shared, &heard, &mut first).await;
        // The one who opens hears of the first failure and is the one who decides.
        if let Some(ready) = first.take() {
            let _ = ready.send(Err(error));
            return;
        }
        // Every failure of a new break is told, of one that lasts each minute's.
        let lasts = heard.silence() > AGAIN + PING;
        if !lasts || said.is_none_or(|said| said.elapsed() >= SAID) {
            said = Some(Instant::now());
            tracing::warn!(
                error = &error as &dyn StdError,
                silent_seconds = heard.silence().as_secs(),
                "the connection that listens to other nodes is lost; connecting again"
            );
        }
        sleep(AGAIN).await;
    }
}

/// Connects, listens, and gives the reason why that ended.
async fn until_it_breaks(
    config: &Config,
    tls: &Tls,
    shared: &Shared,
    heard: &Heard,
    first: &mut Option<oneshot::Sender<Result<(), Error>>>,
) -> Error {
    let (client, mut connection) = match timeout(CONNECT, config.connect(tls.clone())).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return mapped(error),
        Err(elapsed) => return Error::unavailable(elapsed),
    };
    let messages = async {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(heard))) => {
                    if let Some(touched) = read(heard.payload(), &shared.node) {
                        shared.listeners.tell(&touched);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return mapped(error),
                None => return Error::unavailable("the server closed the connection"),
            }
        }
    };
    let pings = async {
        if let Err(error) = ask(&client, &format!("LISTEN {CHANNEL}")).await {
            return error;
        }
        if let Some(ready) = first.take() {
            drop(ready.send(Ok(())));
        } else {
            tracing::info!("the connection that listens to other nodes is there again");
            shared.listeners.tell(&Touched::Everything);
        }
        loop {
            heard.now();
            sleep(PING).await;
            if let Err(error) = ask(&client, "SELECT 1").await {
                return error;
            }
        }
    };
    // Both end only with an error, so nothing is lost when the other one is dropped.
    tokio::select! {
        error = messages => error,
        error = pings => error,
    }
}

async fn ask(client: &Client, sql: &str) -> Result<(), Error> {
    match timeout(CONNECT, client.batch_execute(sql)).await {
        Ok(result) => result.map_err(mapped),
        Err(elapsed) => Err(Error::unavailable(elapsed)),
    }
}

/// The statements that announce `topics`: payloads of the node's name and its topics, each on a line.
pub(super) fn notifications(node: &str, topics: &[String]) -> String {
    let mut payloads: Vec<String> = Vec::new();
    for topic in topics {
        let line = topic.replace('\\', "\\\\").replace('\n', "\\n");
        if node.len() + 1 + line.len() > PAYLOAD {
            // Longer than any payload: the others must think the worst.
            payloads = vec![node.to_owned()];
            break;
        }
        match payloads.last_mut() {
            Some(payload) if payload.len() + 1 + line.len() <= PAYLOAD => {
                payload.push('\n');
                payload.push_str(&line);
            }
            _ => payloads.push(format!("{node}\n{line}")),
        }
    }
    let statement = |payload: &String| {
        let quoted = payload.replace('\'', "''");
        format!("SELECT pg_notify('{CHANNEL}', '{quoted}');")
    };
    payloads.iter().map(statement).collect::<Vec<_>>().concat()
}

/// What another node announced; `None` for our own. A payload without topics stands for everything.
fn read(payload: &str, node: &str) -> Option<Touched> {
    let mut lines = payload.split('\n');
    if lines.next() == Some(node) {
        return None;
    }
    let topics: Vec<String> = lines.map(unescaped).collect();
    Some(if topics.is_empty() {
        Touched::Everything
    } else {
        Touched::Topics(topics)
    })
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(
                characters
                    .next()
                    .map(|next| if next == 'n' { '\n' } else { next }),
            ),
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn sent(topics: &[String]) -> Vec<String> {
        notifications("me", topics)
            .split_inclusive("');")
            .map(|statement| {
                let payload = statement
                    .strip_prefix("SELECT pg_notify('packhouse', '")
                    .unwrap();
                payload.strip_suffix("');").unwrap().replace("''", "'")
            })
            .collect()
    }

    #[test]
    fn topics_arrive_as_they_were_sent() {
        let topics =
            ["domain/1", "it's", "two\nlines", "back\\slash", "\\n", ""].map(str::to_owned);
        let payloads = sent(&topics);
        assert_eq!(payloads.len(), 1);
        assert_eq!(
            read(&payloads[0], "you"),
            Some(Touched::Topics(topics.to_vec()))
        );
        assert_eq!(read(&payloads[0], "me"), None);
        assert_eq!(notifications("me", &[]), "");
    }

    #[test]
    fn many_topics_are_cut_into_payloads_that_postgresql_takes() {
        let topics: Vec<String> = (0..1000)
            .map(|number| format!("repository/{number:0>30}"))
            .collect();
        let payloads = sent(&topics);
        assert!(payloads.len() > 1);
        let mut heard = Vec::new();
        for payload in &payloads {
            assert!(payload.len() < 8000, "{}", payload.len());
            match read(payload, "you").unwrap() {
                Touched::Topics(topics) => heard.extend(topics),
                Touched::Everything => panic!("{payload}"),
            }
        }
        assert_eq!(heard, topics);
    }

    #[test]
    fn a_topic_that_fits_nowhere_stands_for_everything() {
        let payloads = sent(&["small".to_owned(), "x".repeat(9000)]);
        assert_eq!(payloads, ["me"]);
        assert_eq!(read("me", "you"), Some(Touched::Everything));
    }
}
