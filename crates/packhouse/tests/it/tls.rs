//! A port that speaks TLS.

use std::fs;

use rcgen::generate_simple_self_signed;

use crate::server::{Server, packhouse, until};
use crate::wire::Wire;

pub(crate) fn start(listen: &str) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let made = generate_simple_self_signed(vec!["packages.example".to_owned()]).unwrap();
    let (certificate, key) = (
        directory.path().join("certificate.pem"),
        directory.path().join("key.pem"),
    );
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let arguments = vec![
        "--tls-certificate".to_owned(),
        path(certificate),
        "--tls-key".to_owned(),
        path(key),
    ];
    Server::start_on(listen, directory, arguments)
}

#[test]
fn commands_reach_a_server_that_speaks_tls() {
    let server = start("127.0.0.1:0");
    let run = |arguments: &[&str]| {
        let output = packhouse()
            .args(arguments)
            .arg("--data")
            .arg(server.data())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["healthcheck"]);
    run(&["account", "create", "--account-id", "222233334444"]);
    let made = until("the call is recorded", || {
        let records = server.audit_files();
        let made = records.lines().find(|line| line.contains("MakeAccount"))?;
        serde_json::from_str::<serde_json::Value>(made).ok()
    });
    assert_eq!(made["tlsDetails"]["tlsVersion"], "TLSv1.3");
    assert!(run(&["env"]).contains(&format!("AWS_ENDPOINT_URL=https://{}\n", server.address)));

    // Another certificate than the one that the server left is not accepted.
    fs::write(server.data().join("certificate"), b"another").unwrap();
    let output = packhouse()
        .arg("healthcheck")
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap();
    assert!(!output.status.success());
}

#[test]
fn with_a_certificate_it_listens_everywhere_and_answers_no_plain_http() {
    let server = start("0.0.0.0:0");
    let mut wire = Wire::open(&server.address);
    wire.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    let answer = wire.rest();
    assert!(!answer.starts_with(b"HTTP"), "an alert at most: {answer:?}");
}

#[test]
fn a_certificate_that_does_not_work_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = packhouse()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--tls-certificate",
            "/nowhere/certificate.pem",
            "--tls-key",
            "/nowhere/key.pem",
        ])
        .arg("--data")
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("cannot read the certificate `/nowhere/certificate.pem`"),
        "{said}"
    );
}
