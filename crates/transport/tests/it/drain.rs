//! Shutdown.

use std::sync::Arc;
use std::time::Duration;

use donjon_transport::Limits;
use tokio::net::TcpStream;

use crate::support::{TestServer, get};

#[tokio::test]
async fn requests_in_flight_finish_and_new_ones_are_refused() {
    let server = TestServer::start(Limits::default()).await;
    let (addr, meter, service) = (
        server.addr,
        server.meter.clone(),
        Arc::clone(&server.service),
    );
    let mut idle = server.connect().await;
    idle.send(get("/")).await;
    idle.answer().await.unwrap();
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(get("/wait")).await;
    server.until_waiting(1).await;

    let stopping = server.stop();
    assert_eq!(
        idle.rest(Duration::from_secs(2)).await.unwrap(),
        b"",
        "idle connections close"
    );
    assert_eq!(silent.rest(Duration::from_secs(2)).await.unwrap(), b"");
    TcpStream::connect(addr)
        .await
        .expect_err("the listener is closed");
    assert_eq!(meter.connections(), 1);
    assert!(!stopping.is_finished());

    service.gate.add_permits(1);
    let answer = busy.answer().await.unwrap();
    assert_eq!(
        (answer.text(), answer.header("connection")),
        ("waited", Some("close"))
    );
    let summary = stopping.await.unwrap();
    assert_eq!((summary.open, summary.cut), (3, 0));
    assert!(summary.took < Duration::from_secs(5), "{summary:?}");
}

#[tokio::test]
async fn a_drain_ends_in_time() {
    let limits = Limits {
        drain_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = TestServer::start(limits).await;
    let mut busy = server.connect().await;
    busy.send(get("/wait")).await;
    server.until_waiting(1).await;
    let summary = server.stop().await.unwrap();
    assert_eq!((summary.open, summary.cut), (1, 1));
    assert!(summary.took >= Duration::from_millis(200) && summary.took < Duration::from_secs(1));
    assert!(busy.answer().await.is_none(), "cut without an answer");
}

#[tokio::test]
async fn a_server_that_is_dropped_cuts_everything() {
    let server = TestServer::start(Limits::default()).await;
    let meter = server.meter.clone();
    let mut busy = server.connect().await;
    busy.send(get("/wait")).await;
    server.until_waiting(1).await;
    server.abort();
    assert!(busy.answer().await.is_none());
    crate::support::until(|| meter.connections() == 0).await;
}

#[tokio::test]
async fn a_server_without_connections_stops_at_once() {
    let server = TestServer::start(Limits::default()).await;
    let summary = server.stop().await.unwrap();
    assert_eq!(summary.open, 0);
    assert!(summary.took < Duration::from_millis(500), "{summary:?}");
}
