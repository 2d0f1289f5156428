//! Clients that are slow on purpose. Each is closed within its limit and a second, while others are served.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use donjon_transport::Limits;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{BIG_BYTES, TestServer, all, get, post};

const LIMIT: Duration = Duration::from_millis(500);

/// What a busy machine may add to it; every other limit is longer than both.
const SLACK: Duration = Duration::from_secs(4);

/// `DONJON_ATTACKERS` asks for more; each takes two file descriptors of this process.
fn attackers() -> usize {
    env::var("DONJON_ATTACKERS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trickled_head_is_cut() {
    attack(
        "GET /",
        "x",
        |limits| limits.head_timeout = LIMIT,
        |rest| assert_eq!(rest, ""),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_is_cut() {
    attack(
        "",
        "",
        |limits| limits.head_timeout = LIMIT,
        |rest| assert_eq!(rest, ""),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trickled_body_is_cut() {
    let request = "POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 99999\r\n\r\n";
    let is_408 = |rest: &str| assert!(rest.starts_with("HTTP/1.1 408 "), "{rest}");
    attack(request, "x", |limits| limits.body_timeout = LIMIT, is_408).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_below_the_minimum_rate_is_cut() {
    let request = "POST /count HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let is_408 = |rest: &str| assert!(rest.starts_with("HTTP/1.1 408 "), "{rest}");
    attack(
        request,
        "1\r\nx\r\n",
        |limits| limits.body_grace = LIMIT,
        is_408,
    )
    .await;
}

/// The application may read a body in another task, which must be woken too.
#[tokio::test]
async fn a_body_read_elsewhere_is_cut_too() {
    let server = TestServer::start(Limits {
        body_timeout: LIMIT,
        ..limits()
    })
    .await;
    let mut raw = server.connect().await;
    let began = Instant::now();
    raw.send("POST /count-elsewhere HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nx")
        .await;
    assert_eq!(raw.answer().await.unwrap().status, 408);
    assert!(began.elapsed() < LIMIT + SLACK, "{:?}", began.elapsed());
    crate::support::until(|| server.meter.requests_in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_cut() {
    let limits = Limits {
        write_stall_timeout: LIMIT,
        ..limits()
    };
    let server = Arc::new(TestServer::start(limits).await);
    let legit = tokio::spawn(legit(Arc::clone(&server)));
    let began = Instant::now();
    let mut attackers = Vec::new();
    for _ in 0..4 {
        let mut raw = server.connect().await;
        raw.send(get("/big")).await;
        attackers.push(raw);
    }
    crate::support::until(|| server.meter.timeouts() == 4).await;
    assert!(began.elapsed() < LIMIT + SLACK, "{:?}", began.elapsed());
    legit.abort();
    for mut raw in attackers {
        let rest = raw.rest(Duration::from_secs(5)).await.unwrap();
        assert!(rest.len() < BIG_BYTES, "{}", rest.len());
    }
}

/// Progress is no excuse for ever.
#[tokio::test]
async fn a_client_that_reads_in_drops_is_cut() {
    let limits = Limits {
        answer_timeout: LIMIT,
        ..limits()
    };
    let server = TestServer::start(limits).await;
    let mut raw = server.connect().await;
    raw.send(get("/big")).await;
    let began = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    while server.meter.timeouts() == 0 {
        assert!(began.elapsed() < LIMIT + SLACK);
        total += tokio::io::AsyncReadExt::read(&mut raw.stream, &mut buffer)
            .await
            .unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= LIMIT);
    assert!(total < BIG_BYTES, "read too fast to show anything");
    // What the system has taken already still arrives.
    while let Ok(read @ 1..) = tokio::io::AsyncReadExt::read(&mut raw.stream, &mut buffer).await {
        total += read;
    }
    assert!(total < BIG_BYTES, "{total}");
}

/// A slow reader that does read is none: each bit of progress counts.
#[tokio::test]
async fn a_slow_but_steady_reader_is_served() {
    let limits = Limits {
        write_stall_timeout: LIMIT,
        head_timeout: LIMIT,
        ..limits()
    };
    let server = TestServer::start(limits).await;
    let mut raw = server.connect().await;
    raw.send(get("/big")).await;
    let mut total = 0;
    let began = Instant::now();
    while began.elapsed() < LIMIT * 3 {
        let mut buffer = vec![0; 512 * 1024];
        total += tokio::io::AsyncReadExt::read(&mut raw.stream, &mut buffer)
            .await
            .unwrap();
        sleep(Duration::from_millis(40)).await;
    }
    assert!(total < BIG_BYTES, "read too fast to show anything");
    total += raw.rest(Duration::from_secs(5)).await.unwrap().len();
    assert!(total > BIG_BYTES, "{total}");
    assert_eq!(server.meter.timeouts(), 0);
}

#[tokio::test]
async fn an_idle_connection_closes_but_an_active_one_stays() {
    let limits = Limits {
        head_timeout: LIMIT,
        ..limits()
    };
    let server = TestServer::start(limits).await;
    let mut raw = server.connect().await;
    let began = Instant::now();
    while began.elapsed() < LIMIT * 2 {
        raw.send(get("/")).await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
        sleep(LIMIT / 4).await;
    }
    let idle_since = Instant::now();
    assert_eq!(raw.rest(LIMIT * 3).await.unwrap(), b"");
    assert!(
        idle_since.elapsed() > LIMIT / 2,
        "{:?}",
        idle_since.elapsed()
    );
    assert_eq!(server.meter.timeouts(), 0, "idling is no offence");
}

#[tokio::test]
async fn the_time_of_a_request_does_not_count_as_idle() {
    let limits = Limits {
        head_timeout: LIMIT,
        ..limits()
    };
    let server = TestServer::start(limits).await;
    let mut raw = server.connect().await;
    raw.send(get("/wait")).await;
    server.until_waiting(1).await;
    sleep(LIMIT * 2).await;
    server.service.gate.add_permits(1);
    assert_eq!(raw.answer().await.unwrap().text(), "waited");
    sleep(LIMIT / 2).await;
    raw.send(get("/")).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn requests_that_wait_for_their_body_take_no_place() {
    let limits = Limits {
        requests_in_flight_max: 1,
        ..limits()
    };
    let server = TestServer::start(limits).await;
    let request = post("/count", "12345");
    let (head, last) = request.split_at(request.len() - 1);
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut raw = server.connect().await;
        raw.send(head).await;
        crate::support::until(|| server.meter.requests_in_flight() == 0).await;
        waiting.push(raw);
    }
    assert_eq!(server.get("/").await.status, 200);
    for raw in &mut waiting {
        raw.send(last).await;
        assert_eq!(raw.answer().await.unwrap().text(), "5");
    }
    assert_eq!(server.meter.requests_in_flight(), 0);
}

/// Many clients send `start`, then `drip` over and over; all must be closed in time, and `rest` is
/// what they got. Meanwhile another client is served without a single failure.
async fn attack(start: &'static str, drip: &'static str, set: fn(&mut Limits), check: fn(&str)) {
    let mut limits = limits();
    set(&mut limits);
    let server = Arc::new(TestServer::start(limits).await);
    let legit = tokio::spawn(legit(Arc::clone(&server)));
    let attackers = (0..attackers()).map(|_| {
        let server = Arc::clone(&server);
        let attacker = async move { attacker(&server, start, drip).await };
        Box::pin(attacker) as Pin<Box<dyn Future<Output = Attack> + Send>>
    });
    for attack in all(attackers).await {
        assert!(attack.took_at_most >= LIMIT, "cut early: {attack:?}");
        assert!(attack.took_at_least < LIMIT + SLACK, "cut late: {attack:?}");
        check(&attack.rest);
    }
    assert!(!legit.is_finished(), "the other client failed");
    legit.abort();
    assert_eq!(server.meter.panics(), 0);
}

/// How long an attacker was endured. The server's clock starts somewhere while the client connects.
#[derive(Debug)]
struct Attack {
    took_at_most: Duration,
    took_at_least: Duration,
    rest: String,
}

async fn attacker(server: &TestServer, start: &str, drip: &str) -> Attack {
    let connecting = Instant::now();
    let mut raw = server.connect().await;
    let connected = Instant::now();
    raw.send(start).await;
    loop {
        raw.send(drip).await;
        if let Some(rest) = raw.rest(Duration::from_millis(50)).await {
            let rest = String::from_utf8(rest).unwrap();
            let (took_at_most, took_at_least) = (connecting.elapsed(), connected.elapsed());
            return Attack {
                took_at_most,
                took_at_least,
                rest,
            };
        }
    }
}

/// Asks again and again on one connection, and gives up loudly when an answer takes long or is not 200.
async fn legit(server: Arc<TestServer>) {
    let mut raw = server.connect().await;
    loop {
        raw.send(post("/count", "12345")).await;
        let answer = timeout(SLACK, raw.answer()).await.unwrap().unwrap();
        assert_eq!(answer.status, 200);
        sleep(Duration::from_millis(5)).await;
    }
}

fn limits() -> Limits {
    Limits {
        linger: Duration::from_millis(200),
        requests_in_flight_max: 8,
        answer_bytes_max: usize::MAX,
        ..Limits::default()
    }
}
