//! A public registry on loopback that can be told to be slow, wrong or gone, and counts what it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use store::sha256_hex;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

#[derive(Clone)]
pub(crate) struct Registry(Arc<Inner>);

struct Inner {
    address: std::net::SocketAddr,
    files: Mutex<HashMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
    is_down: Mutex<bool>,
    /// Bodies wait for a permit of this, after their first half.
    gate: Mutex<Option<Arc<Semaphore>>>,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Self(Arc::new(Inner {
            address: listener.local_addr().unwrap(),
            files: Mutex::default(),
            asked: Mutex::default(),
            is_down: Mutex::default(),
            gate: Mutex::default(),
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

    /// Puts a file there with its checksum.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        self.put_alone(path, body);
        self.put_alone(&format!("{path}.sha256"), sha256_hex(body).as_bytes());
    }

    pub(crate) fn put_alone(&self, path: &str, body: &[u8]) {
        self.0
            .files
            .lock()
            .unwrap()
            .insert(path.to_owned(), body.to_vec());
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.0
            .asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| *asked == path)
            .count()
    }

    /// From now on it answers 500.
    pub(crate) fn go_down(&self) {
        *self.0.is_down.lock().unwrap() = true;
    }

    /// From now on bodies stop half way, until the semaphore lets them go on.
    pub(crate) fn stall(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.0.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let path = line
                .split(' ')
                .nth(1)
                .unwrap_or("/")
                .trim_start_matches('/')
                .to_owned();
            let is_head = line.starts_with("HEAD");
            loop {
                let mut header = String::new();
                if stream.read_line(&mut header).await.unwrap_or(0) == 0 {
                    return;
                }
                if header == "\r\n" {
                    break;
                }
            }
            self.0.asked.lock().unwrap().push(path.clone());
            let body = self.0.files.lock().unwrap().get(&path).cloned();
            let is_down = *self.0.is_down.lock().unwrap();
            let (status, body) = match body {
                _ if is_down => ("500 Internal Server Error", Vec::new()),
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
                body.len()
            );
            if stream.write_all(head.as_bytes()).await.is_err() {
                return;
            }
            if is_head {
                continue;
            }
            let (first, second) = body.split_at(body.len() / 2);
            let gate = self
                .0
                .gate
                .lock()
                .unwrap()
                .clone()
                .filter(|_| body.len() > 64);
            if stream.write_all(first).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            if stream.write_all(second).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}
