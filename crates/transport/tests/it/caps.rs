//! Caps, overload, deadline of a request, panics.

use std::net::SocketAddr;
use std::time::Duration;

use donjon_transport::{Limits, Listen, Peer};

use crate::support::{LARGE_BYTES, TestServer, get, post, until};

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

/// Clients that ask and do not read hold so much memory and no more; small answers go out.
#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_in_sum() {
    let server = TestServer::start(Limits {
        answer_bytes_max: 2 * LARGE_BYTES,
        ..Limits::default()
    })
    .await;
    let mut silent = Vec::new();
    for expected in [LARGE_BYTES, 2 * LARGE_BYTES] {
        let mut raw = server.connect().await;
        raw.send(get("/large")).await;
        until(|| server.meter.answer_bytes() == expected).await;
        silent.push(raw);
    }
    let mut late = server.connect().await;
    late.send(get("/large")).await;
    let refused = late.answer().await.unwrap();
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(refused.header("x-refused"), Some("Overloaded"));
    assert_eq!(server.meter.overloads(), 1);
    assert_eq!(server.get("/").await.status, 200);
    // One reads its answer, the other leaves.
    let mut reads = silent.remove(0);
    assert_eq!(reads.answer().await.unwrap().body.len(), LARGE_BYTES);
    until(|| server.meter.answer_bytes() == LARGE_BYTES).await;
    drop(silent);
    until(|| server.meter.answer_bytes() == 0).await;
    for raw in [&mut reads, &mut late] {
        raw.send(get("/large")).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, LARGE_BYTES));
    }
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
