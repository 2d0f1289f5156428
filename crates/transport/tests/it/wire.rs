//! What an ordinary answer looks like on the wire.

use std::time::Duration;

use donjon_transport::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::{TestServer, get, post};

#[tokio::test]
async fn lengths_are_told() {
    let server = TestServer::start(Limits::default()).await;
    let answer = server.get("/hello").await;
    assert_eq!((answer.status, answer.text()), (200, "GET /hello"));
    assert_eq!(answer.header("content-length"), Some("10"));
    assert!(answer.header("date").is_some());
    assert_eq!(answer.header("connection"), None);

    let empty = server.get("/empty").await;
    assert_eq!(
        (empty.status, empty.header("content-length")),
        (200, Some("0"))
    );

    let no_content = server.get("/no-content").await;
    assert_eq!(
        (no_content.status, no_content.header("content-length")),
        (204, None)
    );
    assert_eq!(no_content.header("transfer-encoding"), None);
}

#[tokio::test]
async fn head_has_the_length_but_no_body() {
    let server = TestServer::start(Limits::default()).await;
    let mut raw = server.connect().await;
    raw.send("HEAD /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .await;
    let bytes = raw.rest(Duration::from_secs(2)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-length: 11\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn every_method_and_path_arrives_unchanged() {
    let server = TestServer::start(Limits::default()).await;
    let mut raw = server.connect().await;
    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get",
    ] {
        for path in [
            "/",
            "//v1/secrets",
            "/a%20b",
            "/%2F%2e%2E/x",
            "/a/../b",
            "/%7Bid%7D",
            "/;x,y",
        ] {
            raw.send(format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
                .await;
            let answer = raw.answer().await.unwrap();
            assert_eq!(answer.text(), format!("{method} {path}"));
        }
    }
    raw.send("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(raw.answer().await.unwrap().text(), "OPTIONS *");
    raw.send("GET http://test/x HTTP/1.1\r\nHost: test\r\n\r\n")
        .await;
    assert_eq!(raw.answer().await.unwrap().text(), "GET /x");
    raw.send("GET /upgrade HTTP/1.1\r\nHost: test\r\nUpgrade: h2c\r\n\r\n")
        .await;
    assert_eq!(raw.answer().await.unwrap().text(), "GET /upgrade");
    raw.send(get("/after")).await;
    assert_eq!(raw.answer().await.unwrap().text(), "GET /after");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start(Limits::default()).await;
    let mut raw = server.connect().await;
    let requests: Vec<_> = (0..50).map(|number| get(&format!("/{number}"))).collect();
    raw.send(requests.concat()).await;
    for number in 0..50 {
        assert_eq!(raw.answer().await.unwrap().text(), format!("GET /{number}"));
    }
}

#[tokio::test]
async fn bodies_are_read_whole_or_cut() {
    let server = TestServer::start(Limits::default()).await;
    for path in ["/count", "/count-elsewhere"] {
        let mut raw = server.connect().await;
        raw.send(post(path, "12345")).await;
        assert_eq!(raw.answer().await.unwrap().text(), "5");
        raw.send(post(path, &"x".repeat(100_000))).await;
        assert_eq!(raw.answer().await.unwrap().text(), "100000");

        let chunk = format!("c350\r\n{}\r\n", "x".repeat(50_000));
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        raw.send(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(
            (answer.text(), answer.header("connection")),
            ("100000", Some("close"))
        );

        let mut raw = server.connect().await;
        raw.send(format!("{head}{chunk}{chunk}1\r\nx\r\n0\r\n\r\n"))
            .await;
        assert_eq!(raw.answer().await.unwrap().status, 413);
    }
}

/// Closing on unread data resets the connection, and many systems then throw away an answer that was not read
/// yet. So a client that is answered early must be able to go on sending for a while.
#[tokio::test]
async fn an_early_answer_does_not_reset_the_connection() {
    let server = TestServer::start(Limits::default()).await;
    let early = |length: &str| format!("POST /unread HTTP/1.1\r\nContent-Length: {length}\r\n");
    let requests = [
        (413, format!("{}Host: test\r\n\r\n", early("300000"))),
        (400, format!("{}\r\n", early("300000"))),
        (400, format!("{}Host: test\r\n\r\n", early("+300000"))),
    ];
    for (status, head) in requests {
        let mut raw = server.connect().await;
        raw.send(&head).await;
        assert_eq!(raw.answer().await.expect("no answer").status, status);
        for _ in 0..10 {
            raw.stream
                .write_all(&[b'x'; 30_000])
                .await
                .expect("reset while sending");
            sleep(Duration::from_millis(3)).await;
        }
        assert_eq!(
            raw.stream.read(&mut [0]).await.expect("reset at the end"),
            0
        );
    }
}

/// What is left of a body must never be taken for a request, nor spoil the next one.
#[tokio::test]
async fn an_unread_body_ends_the_connection() {
    let server = TestServer::start(Limits::default()).await;
    let lines = "\n\r\n\nGET /canary HTTP/1.1\r\nHost: test\r\n\r\n";
    for bytes in [1, 60, 9_000, 300_000] {
        let body: String = lines.chars().cycle().take(bytes).collect();
        let mut raw = server.connect().await;
        raw.send(post("/unread", &body)).await;
        let answer = raw.answer().await.expect("no answer");
        assert_eq!(answer.status, 413, "{bytes}");
        assert_eq!(answer.header("connection"), Some("close"), "{bytes}");
        let rest = raw.rest(Duration::from_secs(2)).await;
        assert_eq!(rest.as_deref(), Some(&[][..]), "{bytes}");
    }
    assert!(server.service.canaries.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_client_that_expects_continue_is_spared_the_body() {
    let server = TestServer::start(Limits::default()).await;
    let head = |bytes: usize| {
        format!(
            "POST /count HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: {bytes}\r\n\r\n"
        )
    };
    let mut raw = server.connect().await;
    raw.send(head(5)).await;
    assert_eq!(raw.answer().await.unwrap().status, 100);
    raw.send("12345").await;
    assert_eq!(raw.answer().await.unwrap().text(), "5");
    raw.send(head(100_001)).await;
    assert_eq!(
        raw.answer().await.unwrap().status,
        413,
        "refused before any byte was sent"
    );
}

#[tokio::test]
async fn http_1_0_is_served_and_closed() {
    let server = TestServer::start(Limits::default()).await;
    let mut raw = server.connect().await;
    raw.send("GET /old HTTP/1.0\r\n\r\n").await;
    let text = String::from_utf8(raw.rest(Duration::from_secs(2)).await.unwrap()).unwrap();
    assert!(
        text.starts_with("HTTP/1.0 200 OK\r\n") && text.ends_with("GET /old"),
        "{text}"
    );
}
