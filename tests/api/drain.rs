//! How a server ends: what is in flight finishes, what is new is refused.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Server, path_of, request_bytes};

#[test]
fn sigterm_lets_a_request_in_flight_finish() {
    let server = Server::new("noauth");
    let path = server.member_of("p").create(&json!({}));
    let headers = [
        ("X-Project-Id", "p"),
        ("X-Roles", "member"),
        ("Content-Type", "text/plain"),
    ];
    let put = request_bytes(
        &format!("PUT {path}"),
        server.host(),
        &headers,
        &[b'z'; 8_000],
    );
    let headers = [
        ("X-Project-Id", "p"),
        ("X-Roles", "member"),
        ("Content-Type", "application/json"),
    ];
    let post = request_bytes(
        "POST /v1/secrets",
        server.host(),
        &headers,
        b"{\"name\": \"late\"}",
    );
    let mut idle = server.connect();
    let mut slow = [(server.connect(), put), (server.connect(), post)];
    for (connection, request) in &mut slow {
        connection.write(&request[..request.len() - 10]);
    }
    // One more request from head to answer: the two above have been accepted before it.
    idle.write(&request_bytes("GET /", server.host(), &[], b""));
    idle.read(false).ok(300);
    server.process().signal(Signal::TERM);
    server.wait_until_closed();
    assert_eq!(idle.rest(), b"", "a connection without request is closed");
    let mut answers = slow.iter_mut().map(|(connection, request)| {
        connection.write(&request[request.len() - 10..]);
        connection.read(false)
    });
    answers.next().unwrap().is_empty(204);
    let created = answers.next().unwrap().ok(201);
    drop(answers);
    for (connection, _) in &mut slow {
        assert_eq!(connection.rest(), b"", "closed after its answer");
    }
    let (status, launch) = server.wait();
    assert_eq!(status.code(), Some(0));

    let server = launch.start();
    let member = server.member_of("p");
    assert_eq!(
        member.call(&format!("GET {path}/payload")).body,
        [b'z'; 8_000]
    );
    let late = path_of(created["secret_ref"].as_str().unwrap()).to_owned();
    assert_eq!(member.call(&format!("GET {late}")).ok(200)["name"], "late");
}

#[test]
fn sigint_ends_it_too() {
    let server = Server::new("noauth");
    server.process().signal(Signal::INT);
    let (status, _launch) = server.wait();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    let paths: Vec<String> = (0..50)
        .map(|n| member.store(&format!("payload {n}")))
        .collect();
    let server = server.kill().start();
    let member = server.member_of("p");
    for (n, path) in paths.iter().enumerate() {
        let read = member.call(&format!("GET {path}/payload"));
        assert_eq!(read.text(), format!("payload {n}"));
    }
    assert_eq!(member.call("GET /v1/secrets").ok(200)["total"], 50);
}
