//! The table of `docs/threats.md`: that each of its tests is there, and those that have no better place.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::server::{Call, Server, until};
use crate::wire::{Wire, ask, get};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// Names of all functions below `crates/`.
fn functions(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start();
                let line = line.strip_prefix("async ").unwrap_or(line);
                let (name, _) = line.strip_prefix("fn ")?.split_once('(')?;
                Some(name.to_owned())
            });
            found.extend(names);
        }
    }
}

#[test]
fn every_threat_names_tests_that_are_there() {
    let text = fs::read_to_string(root().join("docs/threats.md")).unwrap();
    let mut there = BTreeSet::new();
    functions(&root().join("crates"), &mut there);
    let mut numbers = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Ok(number) = cells[0].parse::<u32>() else {
            continue;
        };
        numbers.push(number);
        assert_eq!(cells.len(), 4, "{line}");
        let tests: Vec<_> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "threat {number} names no test");
        for test in tests {
            assert!(
                there.contains(test),
                "threat {number}: there is no `{test}`"
            );
        }
    }
    assert_eq!(numbers, (1..=31).collect::<Vec<_>>());
}

/// Threat 2: a signature that is compared byte by byte tells how many of them are right.
#[test]
fn signatures_are_compared_in_constant_time() {
    let text = fs::read_to_string(root().join("crates/aws/src/sigv4/claim.rs")).unwrap();
    let comparisons: Vec<_> = text
        .lines()
        .filter(|line| line.contains("self.signature"))
        .collect();
    assert!(!comparisons.is_empty());
    for line in comparisons {
        assert!(line.contains(".ct_eq("), "{line}");
    }
}

/// Threat 6: two readings of where a request ends, or of who signed it.
#[test]
fn requests_that_could_be_read_in_two_ways_are_refused() {
    let server = Server::start(&[]);
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for head in [
        "content-length: 3\r\ncontent-length: 30\r\n",
        "content-length: 3, 30\r\n",
        "content-length: +3\r\n",
        "content-length: 3\r\ntransfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n",
        " content-length: 3\r\n",
        "content-length : 3\r\n",
    ] {
        let mut wire = Wire::open(&server.address);
        wire.send(format!(
            "POST /v1/domains HTTP/1.1\r\nhost: x\r\n{head}\r\n0\r\n\r\n{smuggled}"
        ));
        let first = wire.head();
        let first = first.map(|answer| answer.status);
        assert!(
            matches!(first, None | Some(400..=403 | 501)),
            "{head:?}: {first:?}"
        );
        assert!(wire.is_closed(), "{head:?}: what follows is no request");
    }
    let key = server.key("admin-credentials");
    let form = b"Action=GetCallerIdentity&Version=2011-06-15";
    let call = Call {
        method: "POST",
        target: "/",
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: form,
    };
    let signed = server.signed(&key, "sts", call);
    assert_eq!(ask(&server.address, signed.clone()).status, 200);
    let text = String::from_utf8(signed).unwrap();
    let line = |name: &str| {
        let found = text.lines().find(|line| line.starts_with(name));
        format!("{}\r\n", found.unwrap())
    };
    for twice in [
        line("authorization: "),
        line("x-amz-date: "),
        line("host: "),
    ] {
        let doubled = text.replacen(&twice, &format!("{twice}{twice}"), 1);
        let answer = ask(&server.address, doubled);
        assert!(
            matches!(answer.status, 400 | 403),
            "{twice}: {}",
            answer.status
        );
    }
    assert_eq!(get(&server.address, "/healthz", "").status, 200);
}

/// Threat 7: many who begin a request and never end it.
#[test]
fn slow_connections_keep_nobody_else_out() {
    let server = Server::start(&[]);
    let slow: Vec<_> = (0..500)
        .map(|_| {
            let mut wire = Wire::open(&server.address);
            wire.send("POST /v1/domains HTTP/1.1\r\nhost: x\r\ncontent-le");
            wire
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(server.call("POST", "/v1/domains", b"{}").status, 200);
    }
    drop(slow);
}

/// Threat 7: one who opens as many connections as there are places, and says nothing.
#[test]
fn one_address_does_not_take_all_places() {
    let places = [
        "--limit-connections",
        "40",
        "--limit-connections-per-address",
        "30",
    ];
    let server = Server::start(&places);
    let silent: Vec<_> = (0..60)
        .map(|_| from("127.0.0.2", &server.address))
        .collect();
    until("those beyond the thirtieth are closed", || {
        let metrics = get(&server.address, "/metrics", "");
        metrics
            .text()
            .contains("packhouse_connections_refused_total 30\n")
            .then_some(())
    });
    assert_eq!(server.call("POST", "/v1/domains", b"{}").status, 200);
    drop(silent);
    until("the places are free again", || {
        let mut again = from("127.0.0.2", &server.address);
        again
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .ok()?;
        (again.read(&mut [0]).ok()? > 0).then_some(())
    });
}

/// A connection from this address of this machine.
fn from(address: &str, to: &str) -> TcpStream {
    let (address, to) = (format!("{address}:0").parse().unwrap(), to.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let stream = socket.connect(to).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    })
}

/// Threat 7: a body of 2 GiB that is announced is refused before it comes.
#[test]
fn a_huge_body_is_refused_when_it_is_announced() {
    let server = Server::start(&[]);
    let mut wire = Wire::open(&server.address);
    wire.send(format!(
        "POST /v1/domains HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{{",
        server.address,
        2_u64 << 30
    ));
    let answer = wire.head().unwrap();
    assert!(
        matches!(answer.status, 400 | 403 | 413),
        "{}",
        answer.status
    );
}

/// Threat 31: an address that a client makes up counts for no condition.
#[test]
fn a_forged_address_fits_no_condition() {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"codeartifact:*","Resource":"*",
        "Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}]}"#;
    let status = |server: &Server, forwarded: &str| {
        let key = server.user("office", Some(policy));
        let headers = [("x-forwarded-for", forwarded)];
        let call = Call {
            method: "POST",
            target: "/v1/domains",
            headers: &headers,
            body: b"{}",
        };
        let answer = ask(&server.address, server.signed(&key, "codeartifact", call));
        server.iam(&format!(
            "Action=DeleteAccessKey&UserName=office&AccessKeyId={}",
            key.access_key_id
        ));
        server.iam("Action=DeleteUserPolicy&UserName=office&PolicyName=own");
        server.iam("Action=DeleteUser&UserName=office");
        answer.status
    };
    let alone = Server::start(&[]);
    assert_eq!(status(&alone, "203.0.113.7"), 403);
    let proxied = Server::start(&["--trusted-proxy", "127.0.0.1"]);
    assert_eq!(status(&proxied, "203.0.113.7"), 200);
    // What the client wrote itself stands left of what the proxy saw.
    assert_eq!(status(&proxied, "203.0.113.7, 198.51.100.1"), 403);
}
