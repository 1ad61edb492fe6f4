//! A receiver of events that answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) signature: String,
    pub(crate) attempt: String,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Arrived {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Answers with these statuses, one after the other, and with 200 from then on.
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
        let (seen, said) = (Arc::clone(&arrived), Arc::clone(&answers));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&said)));
            }
        });
        Self {
            url,
            arrived,
            answers,
            task,
        }
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// `version status` of all that arrived.
    pub(crate) fn versions(&self) -> Vec<String> {
        let arrived = self.arrived();
        let line = |arrived: &Arrived| {
            let event = arrived.event();
            let detail = &event["detail"];
            format!(
                "{} {} {}",
                detail["packageName"].as_str().unwrap(),
                detail["packageVersion"].as_str().unwrap(),
                arrived.status
            )
        };
        arrived.iter().map(line).collect()
    }

    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                line => headers.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let line = headers
                .iter()
                .find_map(|line| line.split_once(": ").filter(|(found, _)| *found == name));
            line.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let status = answers.lock().unwrap().pop_front().unwrap_or(200);
        arrived.lock().unwrap().push(Arrived {
            signature: header("x-packhouse-signature"),
            attempt: header("x-packhouse-attempt"),
            body: String::from_utf8(body).unwrap(),
            status,
        });
        let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n");
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
