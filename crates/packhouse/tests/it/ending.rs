//! How a server ends, when it is asked to and when it is not.

use std::net::TcpStream;

use crate::server::{Server, until};
use crate::wire::{Wire, ask, get};

/// More than all the buffers between two processes.
const LARGE: usize = 64 << 20;

fn large() -> Vec<u8> {
    let mut body = vec![0; LARGE];
    for (place, piece) in body.chunks_mut(4096).enumerate() {
        piece[0] = place.to_le_bytes()[0];
    }
    body
}

#[test]
fn a_running_download_comes_to_its_end() {
    let mut server = Server::start(&[]);
    server.make_repository("app");
    let body = large();
    assert_eq!(server.publish("app", &body).status, 200);
    let mut wire = Wire::open(&server.address);
    wire.send(server.asking_for_asset("app"));
    let answer = wire.head().unwrap();
    assert_eq!(answer.status, 200);
    let mut read = wire.bytes(1 << 20);

    let mut idle = Wire::open(&server.address);
    idle.send(format!(
        "GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n",
        server.address
    ));
    assert_eq!(idle.answer().status, 200);
    server.terminate();
    let address = server.address.clone();
    until("nobody is let in any more", || {
        TcpStream::connect(&address).is_err().then_some(())
    });
    assert!(
        idle.is_closed(),
        "a connection that waits is closed at once"
    );
    assert!(server.is_running());

    read.extend(wire.bytes(LARGE - read.len()));
    assert!(read == body);
    assert!(server.wait().success());
}

#[test]
fn a_download_on_which_nothing_moves_is_cut_off() {
    let mut server = Server::start(&["--drain-seconds", "1"]);
    server.make_repository("app");
    assert_eq!(server.publish("app", &large()).status, 200);
    let mut wire = Wire::open(&server.address);
    wire.send(server.asking_for_asset("app"));
    assert_eq!(wire.head().unwrap().status, 200);
    server.terminate();
    assert!(server.wait().success());
    assert!(
        server.log().contains("connection cut off"),
        "{}",
        server.log()
    );
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(server.publish("app", &large()).status, 200);
    let mut wire = Wire::open(&server.address);
    wire.send(server.asking_for_asset("app"));
    assert_eq!(wire.head().unwrap().status, 200);
    server.terminate();
    until("the first signal is heard", || {
        server.log().contains("no new connections").then_some(())
    });
    server.terminate();
    assert!(server.wait().success());
    assert!(server.log().contains("not waiting"), "{}", server.log());
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(server.publish("app", b"kept").status, 200);
    server.kill();
    server.start_again();
    let answer = ask(&server.address, server.asking_for_asset("app"));
    assert_eq!((answer.status, answer.text()), (200, "kept"));
    assert_eq!(get(&server.address, "/readyz", "").status, 200);
}
