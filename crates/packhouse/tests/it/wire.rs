//! A client so small that it hides nothing: bytes out, bytes in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aws::SecretString;
use aws::sigv4::Credentials;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, values as sent, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name).into_iter();
        values.next()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.headers.iter().filter(|(found, _)| found == name);
        headers.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// What stands in the first element of this name; `None` without one.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text().split_once(&format!("<{name}>"))?;
        let (found, _) = rest.split_once(&format!("</{name}>"))?;
        Some(found)
    }

    /// The key or session that IAM or STS answered with.
    pub(crate) fn credentials(&self) -> Credentials {
        let element = |name: &str| {
            self.element(name)
                .unwrap_or_else(|| panic!("{}", self.text()))
        };
        Credentials {
            access_key_id: element("AccessKeyId").parse().unwrap(),
            secret_access_key: SecretString::from(element("SecretAccessKey")),
            session_token: self.element("SessionToken").map(SecretString::from),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// One connection.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // A server that hangs fails the test instead of hanging it. One that lost its database may wait for half a minute.
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// As [`Self::send`], when the other end may already have closed.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// The status line and headers of the next answer; `None` at the end of the connection.
    pub(crate) fn head(&mut self) -> Option<Answer> {
        self.head_with_line().map(|(_, answer)| answer)
    }

    fn head_with_line(&mut self) -> Option<(String, Answer)> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().unwrap();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        Some((line, answer))
    }

    /// The next whole answer to a request that was not HEAD.
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_with_line().1
    }

    /// The same with its status line.
    pub(crate) fn answer_with_line(&mut self) -> (String, Answer) {
        let (line, mut answer) = self
            .head_with_line()
            .expect("an answer, not the end of the connection");
        if let Some(length) = answer.header("content-length") {
            answer.body = self.bytes(length.parse().unwrap());
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&self.line().unwrap(), 16).unwrap();
                answer.body.extend(self.bytes(length));
                self.line().unwrap();
                if length == 0 {
                    break;
                }
            }
        }
        (line, answer)
    }

    /// So many bytes of a body.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// All that still comes until the other end closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end too.
        _ = self.0.read_to_end(&mut bytes);
        bytes
    }

    /// Whether the other end has closed, with nothing left to read.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Sends one request on a connection of its own.
pub(crate) fn ask(address: &str, request: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::open(address);
    wire.send(request);
    wire.answer()
}

/// A GET with these further header lines, each ending in `\r\n`.
pub(crate) fn get(address: &str, path: &str, headers: &str) -> Answer {
    ask(
        address,
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n"),
    )
}
