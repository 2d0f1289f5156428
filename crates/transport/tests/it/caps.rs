//! Caps, overload, deadline of a request, panics.

use std::net::SocketAddr;
use std::time::Duration;

use donjon_transport::{Limits, Listen, Peer};

use crate::support::{TestServer, get, post, until};

#[tokio::test]
async fn connections_above_the_cap_are_closed() {
    let server = TestServer::start(Limits {
        connections_max: 2,
        ..Limits::default()
    })
    .await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for raw in [&mut first, &mut second] {
        raw.send(get("/")).await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
    }
    let mut third = server.connect().await;
    assert_eq!(third.rest(Duration::from_secs(2)).await.unwrap(), b"");
    assert_eq!(server.meter.connections_refused(), 1);
    first.send(get("/")).await;
    assert_eq!(
        first.answer().await.unwrap().status,
        200,
        "the others go on"
    );
    drop(first);
    until(|| server.meter.connections() == 1).await;
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn too_many_requests_are_refused_and_told_when_to_retry() {
    let server = TestServer::start(Limits {
        requests_in_flight_max: 2,
        ..Limits::default()
    })
    .await;
    let mut busy = [server.connect().await, server.connect().await];
    for raw in &mut busy {
        raw.send(get("/wait")).await;
    }
    server.until_waiting(2).await;
    assert_eq!(server.meter.requests_in_flight(), 2);
    let refused = server.get("/").await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(refused.header("x-refused"), Some("Overloaded"));
    assert_eq!(server.meter.overloads(), 1);
    server.service.gate.add_permits(2);
    for raw in &mut busy {
        assert_eq!(raw.answer().await.unwrap().text(), "waited");
    }
    assert_eq!(server.get("/").await.status, 200);
    until(|| server.meter.requests_in_flight() == 0).await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let server = TestServer::start(Limits::default()).await;
    let mut raw = server.connect().await;
    raw.send(get("/wait")).await;
    server.until_waiting(1).await;
    drop(raw);
    until(|| server.meter.requests_in_flight() == 0).await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered() {
    let timeout = Duration::from_millis(200);
    let server = TestServer::start(Limits {
        request_timeout: timeout,
        ..Limits::default()
    })
    .await;
    let mut raw = server.connect().await;
    for _ in 0..2 {
        raw.send(get("/wait")).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(
            (answer.status, answer.header("x-refused")),
            (503, Some("Deadline"))
        );
    }
    raw.send(get("/")).await;
    assert_eq!(
        raw.answer().await.unwrap().status,
        200,
        "the connection goes on"
    );
    assert_eq!(server.meter.requests_in_flight(), 0);
}

#[tokio::test]
async fn panics_are_caught_counted_and_answered() {
    let server = TestServer::start(Limits::default()).await;
    let mut raw = server.connect().await;
    for path in ["/panic", "/panic-later", "/panic-at-once"] {
        raw.send(get(path)).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(
            (answer.status, answer.header("x-refused")),
            (500, Some("Panicked")),
            "{path}"
        );
    }
    assert_eq!(server.meter.panics(), 3);
    raw.send(get("/panic-twice")).await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (500, Some("0"))
    );
    assert_eq!(server.meter.panics(), 5);
    raw.send(post("/count", "123")).await;
    assert_eq!(raw.answer().await.unwrap().text(), "3");
    assert_eq!(server.meter.requests_in_flight(), 0);
}

#[tokio::test]
async fn the_service_is_told_who_asks() {
    let server =
        TestServer::listen(Listen::new("[::1]:0".parse().unwrap()), Limits::default()).await;
    let mut raw = server.connect().await;
    let local: SocketAddr = raw.stream.local_addr().unwrap();
    raw.send(get("/")).await;
    raw.answer().await.unwrap();
    let info = server
        .service
        .last_connection
        .lock()
        .unwrap()
        .clone()
        .unwrap();
    assert_eq!(info.peer, Peer::Ip(local));
    assert!(info.peer.is_local() && !info.tls && !info.is_trusted_proxy);
}
