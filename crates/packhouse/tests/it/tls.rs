//! A port that speaks TLS.

use std::fs;
use std::path::Path;

use rcgen::generate_simple_self_signed;

use crate::server::{Server, packhouse, until};
use crate::wire::Wire;

pub(crate) fn start(listen: &str) -> Server {
    let directory = tempfile::tempdir().unwrap();
    certify(directory.path());
    let path = |file| directory.path().join(file).to_str().unwrap().to_owned();
    let arguments = vec![
        "--tls-certificate".to_owned(),
        path("certificate.pem"),
        "--tls-key".to_owned(),
        path("key.pem"),
    ];
    Server::start_on(listen, directory, arguments)
}

/// A new certificate and its key in these files; what the first of them says, in DER.
fn certify(directory: &Path) -> Vec<u8> {
    let made = generate_simple_self_signed(vec!["packages.example".to_owned()]).unwrap();
    fs::write(directory.join("certificate.pem"), made.cert.pem()).unwrap();
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().to_vec()
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let server = start("127.0.0.1:0");
    let data = server.data();
    let directory = data.parent().unwrap();
    // Half of a renewal is nothing that could be shown.
    let key = fs::read(directory.join("key.pem")).unwrap();
    certify(directory);
    fs::write(directory.join("key.pem"), key).unwrap();
    until("the half is told", || {
        let told = server
            .log()
            .contains("the certificate stays the one before");
        told.then_some(())
    });
    let renewed = certify(directory);
    until("the commands are told of the new one", || {
        let left = fs::read(data.join("certificate")).unwrap();
        (left == renewed).then_some(())
    });
    // Which believes that certificate and no other.
    until("the port shows it", || {
        let mut healthcheck = packhouse();
        healthcheck.arg("healthcheck").arg("--data").arg(&data);
        healthcheck.output().unwrap().status.success().then_some(())
    });
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
