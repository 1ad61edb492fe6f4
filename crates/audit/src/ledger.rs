//! The ledger: where requests go when they have ended.
//!
//! ```text
//! request ── Draft ──► queue (bounded) ──► one task ──► file, then one transaction: records, decisions, outbox
//!    └── its own transactions: a row of the outbox beside each change
//! ```
//!
//! A request only puts its draft into the queue, and never waits for it: a read writes nothing. What a request *changes*
//! is recorded in the transaction of the change, so that nothing is changed without a trace even if the process dies the
//! next moment; the row is taken away when the record is in its table. When the queue is full (a disk that stands
//! still), drafts are counted instead, and the count is recorded.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws::{AccountId, Clock, Region, Timestamp};
use store::{Companion, Database};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::decision::{self, Explained};
use crate::draft::{Draft, new_id};
use crate::fetches::{self, FetchedFrom, Fetcher};
use crate::file::{Files, Keeping};
use crate::gate::Gate;
use crate::record::{Home, Record};
use crate::table::{self, Found, Lookup};
use crate::window::Window;
use crate::{Error, MIGRATIONS};

/// Requests that wait to be recorded.
const QUEUE: usize = 65_536;
/// Of them, at most so many in one transaction.
const BATCH: usize = 1000;
/// How long a read may wait for others, so that they share a transaction.
const READS_WAIT: Duration = Duration::from_secs(1);
/// The same for anything else.
const OTHERS_WAIT: Duration = Duration::from_millis(20);
/// Tries to write one batch, a second apart.
const TRIES: u32 = 5;
/// What has been in the outbox for so long was left there by a process that is gone.
const LEFT_AFTER: Duration = Duration::from_mins(10);

/// How the ledger is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of the files.
    pub directory: PathBuf,
    /// How large and old files get.
    pub files: Keeping,
    /// Whether standard output gets every line too.
    pub to_stdout: bool,
    /// How long records are kept in the table.
    pub keep_records: Duration,
    /// And how many, at most.
    pub records: u64,
    /// How long refusals can be explained.
    pub keep_decisions: Duration,
    /// And how many, at most.
    pub decisions: u64,
    /// Reads that are alike within this time are one record with a count; zero records each.
    pub read_window: Duration,
    /// Where this server is.
    pub region: Region,
    /// The installation's own account: gets what concerns no other.
    pub account: AccountId,
}

/// The ledger; cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    home: Home,
    settings: Settings,
    queue: mpsc::Sender<Item>,
    files: Mutex<Files>,
    gate: Gate,
    counters: Counters,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Counters {
    recorded: AtomicU64,
    lost: AtomicU64,
    lost_told: AtomicU64,
    failures: AtomicU64,
}

/// What the ledger has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Requests recorded.
    pub recorded: u64,
    /// Requests that could only be counted.
    pub lost: u64,
    /// Times when file or database could not be written.
    pub failures: u64,
}

enum Item {
    Request(Arc<Draft>),
    /// Answered when everything before it can be found.
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

impl Ledger {
    /// Opens tables and files and begins to write.
    ///
    /// Errors: [`Error::File`] when the directory cannot be written; [`Error::Store`].
    pub async fn open(database: Database, clock: Clock, settings: Settings) -> Result<Self, Error> {
        database.migrate("audit", MIGRATIONS).await?;
        fetches::begin(&database, clock.now()).await?;
        let files = Files::open(&settings.directory, settings.files, clock.now())?;
        let (queue, items) = mpsc::channel(QUEUE);
        let home = Home {
            region: settings.region.clone(),
            account: settings.account,
        };
        let inner = Arc::new(Inner {
            database,
            clock,
            home,
            queue,
            files: Mutex::new(files),
            gate: Gate::default(),
            counters: Counters::default(),
            task: Mutex::default(),
            settings,
        });
        let writer = Writer {
            inner: Arc::clone(&inner),
            window: Window::new(inner.settings.read_window),
        };
        let task = tokio::spawn(writer.run(items));
        *inner.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(Self(inner))
    }

    /// Goes along with everything that a request writes: once somebody has proved who they are, what they change is
    /// recorded with the change.
    pub fn companion(&self, draft: &Arc<Draft>) -> Companion {
        let (draft, home) = (Arc::clone(draft), self.0.home.clone());
        Companion::new(move |tx| {
            if !draft.is_recorded() || draft.is_of_stranger() {
                return Ok(());
            }
            let Some(record) = Record::of(&draft, &home) else {
                return Ok(());
            };
            table::put(tx, &record)?;
            draft.commits();
            Ok(())
        })
    }

    /// Records a request that has ended, without waiting for it.
    pub fn note(&self, draft: &Arc<Draft>) {
        if !draft.is_recorded() {
            return;
        }
        if draft.is_of_stranger()
            && !self
                .0
                .gate
                .passes(draft.arrival.source_ip, self.0.clock.now())
        {
            return;
        }
        if self
            .0
            .queue
            .try_send(Item::Request(Arc::clone(draft)))
            .is_err()
        {
            self.0.counters.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything that has ended by now can be found.
    pub async fn flush(&self) {
        self.ask(Item::Flush).await;
    }

    /// Writes what is left and ends. Whatever is noted later is lost.
    pub async fn close(&self) {
        self.ask(Item::Close).await;
        let task = self
            .0
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the ledger did not end well");
        }
    }

    async fn ask(&self, item: fn(oneshot::Sender<()>) -> Item) {
        let (done, waiting) = oneshot::channel();
        if self.0.queue.send(item(done)).await.is_ok() {
            // It has ended: there is nothing to wait for.
            _ = waiting.await;
        }
    }

    /// The records of an account, newest first, everything that ended by now included. `before` is the `next` of the
    /// page before.
    pub async fn find(
        &self,
        account: &AccountId,
        lookup: &Lookup,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Found, Error> {
        self.flush().await;
        table::find(&self.0.database, account, lookup, before, limit).await
    }

    /// The refusal with this id, or of the request with this id, as an account may see it. Errors: `NotFound`.
    pub async fn explain(&self, account: &AccountId, id: &str) -> Result<Explained, Error> {
        self.flush().await;
        decision::get(&self.0.database, account, id).await
    }

    /// The newest refusals of callers of an account, and where the next page begins.
    pub async fn refusals(
        &self,
        account: &AccountId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Explained>, Option<String>), Error> {
        self.flush().await;
        decision::list(&self.0.database, account, before, limit).await
    }

    /// Who fetched a version, by caller and address, everything that ended by now included, and where the next page
    /// begins.
    pub async fn fetchers(
        &self,
        from: &FetchedFrom,
        version: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Fetcher>, Option<String>), Error> {
        self.flush().await;
        fetches::list(&self.0.database, from, version, after, limit).await
    }

    /// When each version of a package was last fetched, as far as it is known.
    pub async fn last_fetched(
        &self,
        from: &FetchedFrom,
    ) -> Result<BTreeMap<String, Timestamp>, Error> {
        Ok(fetches::last(&self.0.database, from).await?)
    }

    /// Since when it is known who fetched what: everything before may have been fetched.
    pub async fn fetches_known_since(&self) -> Result<Timestamp, Error> {
        self.flush().await;
        let now = self.0.clock.now();
        let since = fetches::since(&self.0.database).await?.unwrap_or(now);
        Ok(since.max(now.minus(self.0.settings.keep_records)))
    }

    /// How long it is kept who fetched what.
    pub fn keeps_fetches(&self) -> Duration {
        self.0.settings.keep_records
    }

    /// Records what a crash left in the outbox, here or on another node. Call it now and then.
    pub async fn recover(&self) -> Result<usize, Error> {
        let before = self.0.clock.now().minus(LEFT_AFTER);
        let mut recovered = 0;
        loop {
            let rows = table::left(&self.0.database, before).await?;
            if rows.is_empty() {
                return Ok(recovered);
            }
            recovered += rows.len();
            let mut lines = Vec::new();
            for row in &rows {
                lines.extend(text(&row[7]).unwrap_or_default().into_bytes());
                lines.push(b'\n');
            }
            file(&self.0, lines, self.0.clock.now()).await;
            let ids: Vec<String> = rows.iter().filter_map(|row| text(&row[1])).collect();
            self.0
                .database
                .write(move |tx| {
                    table::insert(tx, &rows)?;
                    table::take(tx, &ids)
                })
                .await?;
        }
    }

    /// Forgets what need not be kept any longer. Call it now and then, on one node.
    pub async fn forget(&self) -> Result<u64, Error> {
        let (settings, now) = (&self.0.settings, self.0.clock.now());
        let database = &self.0.database;
        let records =
            table::forget(database, now.minus(settings.keep_records), settings.records).await?;
        let before = now.minus(settings.keep_decisions);
        let decisions = decision::forget(database, before, settings.decisions).await?;
        let fetches = fetches::forget(database, now.minus(settings.keep_records)).await?;
        Ok(records + decisions + fetches)
    }

    /// What it has done.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters {
            recorded,
            lost,
            failures,
            ..
        } = &self.0.counters;
        Counts {
            recorded: read(recorded),
            lost: read(lost),
            failures: read(failures),
        }
    }
}

fn text(value: &store::Value) -> Option<String> {
    match value {
        store::Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The one task that writes.
struct Writer {
    inner: Arc<Inner>,
    window: Window,
}

/// What is written at once.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    decisions: Vec<(Explained, i64)>,
    /// Whose rows of the outbox are to be taken away.
    committed: Vec<String>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Writer {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        loop {
            let (mut batch, mut waiting) = (Batch::default(), Vec::new());
            let closing = self.collect(&mut items, &mut batch, &mut waiting).await;
            let now = self.inner.clock.now();
            // Whoever waits wants to find everything.
            batch.records.extend(if waiting.is_empty() {
                self.window.release(now)
            } else {
                self.window.release_all()
            });
            batch.records.extend(self.counted(now));
            if !batch.is_empty() {
                self.write(batch, now).await;
            }
            for done in waiting {
                // Whoever asked may have gone away.
                _ = done.send(());
            }
            if closing {
                return;
            }
        }
    }

    /// Takes requests until there are enough, somebody waits, or the first has waited long enough. Whether to end.
    async fn collect(
        &mut self,
        items: &mut mpsc::Receiver<Item>,
        batch: &mut Batch,
        waiting: &mut Vec<oneshot::Sender<()>>,
    ) -> bool {
        // Woken now and then for what is held back and counted.
        let mut deadline = Instant::now() + READS_WAIT;
        let mut taken = 0;
        while taken < BATCH {
            let Ok(item) = timeout_at(deadline, items.recv()).await else {
                return false;
            };
            match item {
                None => return true,
                Some(Item::Close(done)) => {
                    waiting.push(done);
                    return true;
                }
                Some(Item::Flush(done)) => {
                    waiting.push(done);
                    deadline = Instant::now();
                }
                Some(Item::Request(draft)) => {
                    taken += 1;
                    if !self.add(&draft, batch) {
                        deadline = deadline.min(Instant::now() + OTHERS_WAIT);
                    }
                }
            }
        }
        false
    }

    /// Adds a request to what is written; whether it is a read that was granted.
    fn add(&mut self, draft: &Arc<Draft>, batch: &mut Batch) -> bool {
        let home = &self.inner.home;
        if let Some(key) = draft.alike() {
            let record = || Record::of(draft, home);
            let alone = self.window.hold(key, draft.arrival.at, record);
            batch.records.extend(alone);
            return true;
        }
        let Some(record) = Record::of(draft, home) else {
            return true;
        };
        if draft.snapshot().committed {
            batch.committed.push(draft.id().to_owned());
        }
        if let Some(explained) = Explained::of(draft) {
            batch.decisions.push((explained, draft.arrival.at.millis()));
        }
        batch.records.push(record);
        false
    }

    /// Records of what was only counted.
    fn counted(&self, now: Timestamp) -> Vec<Record> {
        let Inner {
            counters,
            gate,
            home,
            ..
        } = &*self.inner;
        let lost = counters.lost.load(Ordering::Relaxed);
        let told = counters.lost_told.swap(lost, Ordering::Relaxed);
        [
            ("RecordsLost", lost - told),
            ("RefusalsNotRecorded", gate.kept_out()),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(event, count)| Record::about_ledger(new_id(now), now, home, event, count))
        .collect()
    }

    /// Files first: what the database refuses is still written down.
    async fn write(&self, batch: Batch, now: Timestamp) {
        let Batch {
            records,
            decisions,
            committed,
        } = batch;
        let counters = &self.inner.counters;
        let mut lines = Vec::new();
        for record in &records {
            for account in &record.accounts {
                lines.extend_from_slice(record.line(account).as_bytes());
                lines.push(b'\n');
            }
        }
        file(&self.inner, lines, now).await;
        let decisions = decision::rows(&decisions).unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "decisions cannot be kept"
            );
            Vec::new()
        });
        let fetched = fetches::rows(records.iter().filter_map(|record| record.fetched.as_ref()));
        let rows = Arc::new((table::rows(&records), decisions, committed, fetched));
        for attempt in 1..=TRIES {
            let rows = Arc::clone(&rows);
            let kept = self.inner.database.write(move |tx| {
                let (records, decisions, committed, fetched) = &*rows;
                table::insert(tx, records)?;
                fetches::insert(tx, fetched)?;
                decision::insert(tx, decisions)?;
                table::take(tx, committed)
            });
            match kept.await {
                Ok(()) => {
                    let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
                    counters.recorded.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Err(error) => {
                    let error: store::Error = error;
                    counters.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        attempt,
                        records = records.len(),
                        "records cannot be kept in the database"
                    );
                }
            }
            if attempt < TRIES {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Appends lines to the file, and to standard output if that is wanted; what these cannot take is still kept in the database.
async fn file(inner: &Arc<Inner>, lines: Vec<u8>, now: Timestamp) {
    let ours = Arc::clone(inner);
    let written = tokio::task::spawn_blocking(move || {
        let mut files = ours.files.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = files.write(&lines, now);
        let shown = if ours.settings.to_stdout {
            let mut out = io::stdout().lock();
            out.write_all(&lines).and_then(|()| out.flush())
        } else {
            Ok(())
        };
        (kept, shown)
    });
    let Ok((kept, shown)) = written.await else {
        return;
    };
    for (written, place) in [(kept, "their file"), (shown, "standard output")] {
        if let Err(error) = written {
            inner.counters.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "records cannot be written to {place}");
        }
    }
}
