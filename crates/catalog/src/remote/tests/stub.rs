//! A registry on loopback that answers what a test says, byte by byte if need be, one request a connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What is sent, in order; then the connection is closed.
#[derive(Clone, Default)]
pub(super) struct Reply(Vec<Step>);

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    /// Says nothing more, for ever.
    Stall,
    /// Waits until the test opens the gate.
    Gate(Arc<Semaphore>),
    Pause(Duration),
}

impl Reply {
    /// A status line, a header block (`A: b\r\n`…) with the length added, and a body.
    pub(super) fn new(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len();
        Self::raw(format!("{headers}Content-Length: {length}\r\n"), status).then(body)
    }

    /// A head without a length of our making.
    pub(super) fn raw(headers: impl AsRef<str>, status: u16) -> Self {
        let headers = headers.as_ref();
        let head = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n{headers}\r\n");
        Self(vec![Step::Send(head.into_bytes())])
    }

    pub(super) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, "", body)
    }

    pub(super) fn status(status: u16) -> Self {
        Self::new(status, "", "")
    }

    pub(super) fn redirect(to: impl AsRef<str>) -> Self {
        Self::new(302, &format!("Location: {}\r\n", to.as_ref()), "")
    }

    /// Closes the connection without a word.
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    pub(super) fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    pub(super) fn stall(mut self) -> Self {
        self.0.push(Step::Stall);
        self
    }

    pub(super) fn pause(mut self, time: Duration) -> Self {
        self.0.push(Step::Pause(time));
        self
    }

    /// Waits for the gate before anything is sent.
    pub(super) fn behind(mut self, gate: &Arc<Semaphore>) -> Self {
        self.0.insert(0, Step::Gate(Arc::clone(gate)));
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) line: String,
    head: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The path and query.
    pub(super) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

pub(super) struct Stub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Stub {
    /// `answer` is given each request and how many came before it.
    pub(super) async fn start(
        answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                connections.spawn(async move {
                    // A client that leaves early is no failure of the stub.
                    let _ = serve(stream, answer.as_ref(), &log).await;
                });
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    /// One that gives these answers in turn, and the last one ever after.
    pub(super) async fn in_turn(replies: Vec<Reply>) -> Self {
        Self::start(move |_, before| replies[before.min(replies.len() - 1)].clone()).await
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}/base/", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(super) fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(&Asked, usize) -> Reply + Send + Sync),
    log: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    let asked = Asked { line, head };
    let before = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    for step in answer(&asked, before).0 {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Stall => std::future::pending().await,
            Step::Gate(gate) => gate.acquire().await.unwrap().forget(),
            Step::Pause(time) => tokio::time::sleep(time).await,
        }
    }
    stream.shutdown().await
}
