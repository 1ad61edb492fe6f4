//! A public registry on loopback that can lie, stall, break off or be gone, and counts what it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use catalog::Digests;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Good,
    /// Answers 500 to everything.
    Down,
    /// Answers every file with a page, as a captive portal does.
    Portal,
    /// Sends the first half of each file, then closes.
    Truncating,
}

#[derive(Clone)]
pub(crate) struct Registry(Arc<Inner>);

struct Inner {
    address: std::net::SocketAddr,
    files: Mutex<HashMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
    sent: Mutex<Vec<String>>,
    mood: Mutex<Mood>,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Self(Arc::new(Inner {
            address: listener.local_addr().unwrap(),
            files: Mutex::default(),
            asked: Mutex::default(),
            sent: Mutex::default(),
            mood: Mutex::new(Mood::Good),
        }));
        let serving = registry.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let registry = serving.clone();
                tokio::spawn(async move { registry.serve(stream).await });
            }
        });
        registry
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.0.address)
    }

    /// Puts a file there with its SHA-1, as most are.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        self.put_alone(path, body);
        self.put_alone(&format!("{path}.sha1"), Digests::of(body).sha1.as_bytes());
    }

    pub(crate) fn put_alone(&self, path: &str, body: &[u8]) {
        let mut files = self.0.files.lock().unwrap();
        files.insert(path.to_owned(), body.to_vec());
    }

    /// How often the body at a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let asked = self.0.asked.lock().unwrap();
        asked.iter().filter(|asked| *asked == path).count()
    }

    /// Bodies that were sent to it.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.0.sent.lock().unwrap().clone()
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let mut words = line.split(' ');
            let is_head = words.next() == Some("HEAD");
            let path = words
                .next()
                .unwrap_or("/")
                .trim_start_matches('/')
                .to_owned();
            let mut length = 0;
            loop {
                let mut header = String::new();
                if stream.read_line(&mut header).await.unwrap_or(0) == 0 {
                    return;
                }
                if header == "\r\n" {
                    break;
                }
                let header = header.to_ascii_lowercase();
                if let Some(text) = header.strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
            }
            if length > 0 {
                let mut sent = vec![0; length];
                if stream.read_exact(&mut sent).await.is_err() {
                    return;
                }
                let sent = String::from_utf8(sent).unwrap();
                self.0.sent.lock().unwrap().push(sent);
            }
            if !is_head {
                self.0.asked.lock().unwrap().push(path.clone());
            }
            let body = self.0.files.lock().unwrap().get(&path).cloned();
            let mood = *self.0.mood.lock().unwrap();
            let (status, content_type, body) = match (mood, body) {
                (Mood::Down, _) => ("500 Internal Server Error", "text/plain", Vec::new()),
                (Mood::Portal, _) => ("200 OK", "text/html", b"<html>log in</html>".to_vec()),
                (_, Some(body)) => ("200 OK", "application/octet-stream", body),
                (_, None) => ("404 Not Found", "text/plain", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
                 Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
                body.len()
            );
            let truncates = mood == Mood::Truncating && body.len() > 64;
            let sent = if is_head {
                &[][..]
            } else if truncates {
                &body[..body.len() / 2]
            } else {
                &body
            };
            if stream.write_all(head.as_bytes()).await.is_err()
                || stream.write_all(sent).await.is_err()
                || stream.flush().await.is_err()
                || (truncates && !is_head)
            {
                return;
            }
        }
    }
}
