//! HTTP/1.1 as it comes over the wire: framing, reuse of connections, sizes and slowness.

use serde_json::{Value, json};

use crate::support::{Caller, Connection, Server, is_request_id, path_of, request_bytes};

fn set_up() -> (Server, Caller) {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    (server, member)
}

/// A request of a member of `p`, as bytes.
fn bytes(server: &Server, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut all = vec![("X-Project-Id", "p"), ("X-Roles", "member")];
    all.extend_from_slice(headers);
    request_bytes(line, server.host(), &all, body)
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const TEXT: (&str, &str) = ("Content-Type", "text/plain");

fn total(member: &Caller) -> Value {
    member.call("GET /v1/secrets?limit=1").ok(200)["total"].clone()
}

// === connections ===

#[test]
fn one_connection_serves_many_requests() {
    let (server, member) = set_up();
    let path = member.store("x");
    let mut connection = server.connect();
    for n in 0..500 {
        match n % 5 {
            0 => {
                connection.write(&bytes(&server, "POST /v1/secrets", &[JSON], b"{}"));
                connection.read(false).ok(201);
            }
            1 => {
                connection.write(&bytes(&server, "GET /v1/nothing", &[], b""));
                connection.read(false).is(404, "");
            }
            2 => {
                connection.write(&bytes(&server, &format!("PUT {path}"), &[TEXT], b"again"));
                assert_eq!(connection.read(false).status, 409);
            }
            3 => {
                let line = format!("DELETE {path}/metadata/k");
                connection.write(&bytes(&server, &line, &[], b""));
                connection.read(false).is_empty(204);
            }
            _ => {
                connection.write(&bytes(&server, &format!("GET {path}/payload"), &[], b""));
                assert_eq!(connection.read(false).text(), "x");
            }
        }
    }
    assert_eq!(total(&member), 101);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (server, member) = set_up();
    let paths: Vec<String> = (0..20)
        .map(|n| member.store(&format!("payload {n}")))
        .collect();
    let mut connection = server.connect();
    let mut all = Vec::new();
    for path in &paths {
        all.extend(bytes(&server, &format!("GET {path}/payload"), &[], b""));
        all.extend(bytes(
            &server,
            "POST /v1/secrets",
            &[JSON],
            b"{\"name\": \"piped\"}",
        ));
    }
    connection.write(&all);
    for n in 0..20 {
        assert_eq!(connection.read(false).text(), format!("payload {n}"));
        connection.read(false).ok(201);
    }
    let piped = member.call("GET /v1/secrets?name=piped").ok(200);
    assert_eq!(piped["total"], 20);
}

#[test]
fn connection_close_is_kept() {
    let (server, member) = set_up();
    let path = member.store("x");
    let mut connection = server.connect();
    let line = format!("GET {path}/payload");
    connection.write(&bytes(&server, &line, &[("Connection", "close")], b""));
    let answer = connection.read(false);
    assert_eq!(answer.text(), "x");
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert_eq!(connection.rest(), b"");
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let (server, _member) = set_up();
    let mut connection = server.connect();
    connection.write(b"GET /healthcheck HTTP/1.0\r\n\r\n");
    let answer = String::from_utf8(connection.rest()).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nOK"), "{answer}");
}

#[test]
fn every_answer_has_its_own_request_id() {
    let (server, member) = set_up();
    let path = member.store("x");
    let mut ids = std::collections::BTreeSet::new();
    let nobody = server.nobody();
    let sent = "req-7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
    for answer in [
        nobody.call("GET /"),
        nobody.call("GET /nothing"),
        nobody.call("GET /v1/secrets"),
        member.call("GET /v1/secrets"),
        member.call(&format!("GET {path}")),
        member.call(&format!("GET {path}/payload")),
        member.put(&path, "text/plain", b"x"),
        member.call(&format!("DELETE {path}/metadata/k")),
        member
            .with("X-Openstack-Request-Id", sent)
            .call(&format!("GET {path}")),
        member.call(&format!("HEAD {path}")),
        member.call(&format!("DELETE {path}")),
    ] {
        let id = answer
            .header("x-openstack-request-id")
            .unwrap_or_else(|| panic!("no id: {}", answer.head));
        assert!(is_request_id(&id), "{id}");
        assert_ne!(id, sent);
        assert!(ids.insert(id), "twice");
    }
}

// === framing ===

#[test]
fn a_204_has_no_framing_of_a_body() {
    let (_server, member) = set_up();
    let path = member.create(&json!({}));
    for answer in [
        member.put(&path, "text/plain", b"x"),
        member.call(&format!("DELETE {path}/metadata/k")),
        member.call(&format!("DELETE {path}")),
    ] {
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("content-length"), None, "{}", answer.head);
        assert_eq!(answer.header("transfer-encoding"), None, "{}", answer.head);
        assert_eq!(answer.header("content-type"), None, "{}", answer.head);
    }
}

#[test]
fn every_other_answer_has_a_length_and_is_not_chunked() {
    let (server, member) = set_up();
    let path = member.store(&"x".repeat(20_000));
    for answer in [
        server.nobody().call("GET /"),
        server.nobody().call("OPTIONS /v1/secrets"),
        server.nobody().call("GET /healthcheck"),
        member.call("GET /v1/secrets"),
        member.call(&format!("GET {path}/payload")),
        member.call("GET /v1/nothing"),
    ] {
        let length = answer.header("content-length").unwrap();
        assert_eq!(length, answer.body.len().to_string());
        assert_eq!(answer.header("transfer-encoding"), None);
    }
}

#[test]
fn head_has_no_body() {
    let (server, member) = set_up();
    let path = member.store("x");
    let mut connection = server.connect();
    for (target, accept, status) in [
        ("/v1/secrets", "*/*", 405),
        ("/v1/secrets", "application/json", 406),
        (path.as_str(), "*/*", 405),
        ("/healthcheck", "*/*", 204),
    ] {
        let line = format!("HEAD {target}");
        connection.write(&bytes(&server, &line, &[("Accept", accept)], b""));
        let answer = connection.read(true);
        assert_eq!(answer.status, status, "{target} {accept}");
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{}", answer.head);
        }
        // The next answer follows at once: nothing was sent behind the head.
        connection.write(&bytes(&server, &format!("GET {path}/payload"), &[], b""));
        assert_eq!(connection.read(false).text(), "x");
    }
}

#[test]
fn chunked_bodies_are_taken_and_end_the_connection() {
    let (server, member) = set_up();
    let chunked = ("Transfer-Encoding", "chunked");
    let send = |line: &str, content_type: (&str, &str), chunks: &[&[u8]]| {
        let mut connection = server.connect();
        let method = line.split(' ').next().unwrap();
        let request = bytes(&server, line, &[content_type, chunked], b"");
        // The helper tells a length of zero for these methods; chunks stand in its place.
        let request = String::from_utf8(request)
            .unwrap()
            .replace("Content-Length: 0\r\n", "");
        assert!(!request.contains("Content-Length"), "{method}");
        connection.write(request.as_bytes());
        for chunk in chunks {
            connection.write(format!("{:x}\r\n", chunk.len()).as_bytes());
            connection.write(chunk);
            connection.write(b"\r\n");
        }
        connection.write(b"0\r\n\r\n");
        let answer = connection.read(false);
        assert_eq!(
            connection.rest(),
            b"",
            "closed: others may have read the length otherwise"
        );
        answer
    };
    let created = send(
        "POST /v1/secrets",
        JSON,
        &[
            b"{\"payload\": \"in ",
            b"pieces\", \"payload_",
            b"content_type\": \"text/plain\"}",
        ],
    );
    let path = path_of(created.ok(201)["secret_ref"].as_str().unwrap()).to_owned();
    assert_eq!(
        member.call(&format!("GET {path}/payload")).text(),
        "in pieces"
    );
    let path = member.create(&json!({}));
    send(
        &format!("PUT {path}"),
        TEXT,
        &[&[b'y'; 7_000], &[b'y'; 13_000]],
    )
    .is_empty(204);
    assert_eq!(
        member.call(&format!("GET {path}/payload")).body,
        [b'y'; 20_000]
    );
    let path = member.create(&json!({}));
    let refused = send(
        &format!("PUT {path}"),
        TEXT,
        &[&[b'y'; 7_000], &[b'y'; 13_001]],
    );
    assert_eq!(refused.status, 413);
    assert_eq!(member.call(&format!("GET {path}/payload")).status, 404);
}

// === sizes ===

#[test]
fn payloads_of_20000_bytes_pass_and_no_more() {
    let (_server, member) = set_up();
    for size in [19_999, 20_000, 20_001] {
        let is_good = size <= 20_000;
        let text: String = (0..size)
            .map(|n| char::from(b'a' + (n % 26) as u8))
            .collect();
        let body = json!({"payload": text, "payload_content_type": "text/plain"});
        let created = member.json("POST /v1/secrets", &body);
        if is_good {
            let path = path_of(created.ok(201)["secret_ref"].as_str().unwrap()).to_owned();
            assert_eq!(member.call(&format!("GET {path}/payload")).text(), text);
        } else {
            created.is(413, "Provided information too large to process");
        }
        let path = member.create(&json!({}));
        let put = member.put(&path, "application/octet-stream", text.as_bytes());
        let read = member.call(&format!("GET {path}/payload"));
        if is_good {
            put.is_empty(204);
            assert_eq!(read.text(), text);
        } else {
            put.is(
                413,
                "Secret update issue seen - Provided information too large to process.",
            );
            assert_eq!(read.status, 404);
        }
    }
}

#[test]
fn json_beyond_the_limit_is_malformed() {
    let (server, member) = set_up();
    let padded = |size: usize| {
        let mut body = b"{\"name\": \"n\"".to_vec();
        body.resize(size - 1, b' ');
        body.push(b'}');
        body
    };
    member
        .send("POST /v1/secrets", &[JSON], &padded(25_000))
        .ok(201);
    for size in [25_001, 25_002, 40_000, 1_000_000] {
        let mut connection = server.connect();
        // The server may answer and close while the rest is still on its way.
        let _gone =
            connection.try_write(&bytes(&server, "POST /v1/secrets", &[JSON], &padded(size)));
        connection.read(false).is(400, "Malformed JSON");
    }
    assert_eq!(total(&member), 1);
    // What is behind the limit does not matter where the document ends before.
    let mut connection = server.connect();
    let mut body = b"{\"name\": \"n\"}".to_vec();
    body.resize(30_000, b' ');
    connection.write(&bytes(&server, "POST /v1/secrets", &[JSON], &body));
    assert_eq!(connection.read(false).status, 201);
}

#[test]
fn a_huge_payload_is_refused_and_the_server_goes_on() {
    let (server, member) = set_up();
    let path = member.create(&json!({}));
    for size in [20_001, 100_000, 5_000_000] {
        let mut connection = server.connect();
        let request = bytes(&server, &format!("PUT {path}"), &[TEXT], &vec![b'x'; size]);
        let _gone = connection.try_write(&request);
        assert_eq!(connection.read(false).status, 413, "{size}");
    }
    member.put(&path, "text/plain", b"fits").is_empty(204);
}

// === time ===

#[test]
fn a_body_in_two_parts_waits_for_nobody() {
    let (server, member) = set_up();
    let path = member.create(&json!({}));
    let whole = bytes(&server, &format!("PUT {path}"), &[TEXT], &[b'z'; 10_000]);
    let (first, second) = whole.split_at(whole.len() - 5_000);
    let mut slow: Vec<Connection> = (0..20).map(|_| server.connect()).collect();
    for connection in &mut slow {
        connection.write(first);
    }
    // Others are served meanwhile.
    for _ in 0..20 {
        member.store("meanwhile");
    }
    for connection in &mut slow {
        connection.write(second);
    }
    let mut statuses: Vec<u16> = slow.iter_mut().map(|c| c.read(false).status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 204);
    assert_eq!(statuses[1..], [409; 19]);
    assert_eq!(
        member.call(&format!("GET {path}/payload")).body,
        [b'z'; 10_000]
    );
}

/// A body that stops is given up after a grace of 5 seconds, and nothing of it is stored.
#[test]
fn a_body_that_stops_is_given_up() {
    let (server, member) = set_up();
    let path = member.create(&json!({}));
    let whole = bytes(&server, &format!("PUT {path}"), &[TEXT], &[b'z'; 100]);
    let mut connection = server.connect();
    connection.write(&whole[..whole.len() - 1]);
    let answer = connection.read(false);
    assert_eq!(answer.status, 400, "{}{}", answer.head, answer.text());
    assert_eq!(answer.json()["description"], "Read Error");
    assert_eq!(connection.rest(), b"");
    // A connection of its own: the other one may have idled too long.
    let member = server.member_of("p");
    assert_eq!(member.call(&format!("GET {path}/payload")).status, 404);
    member.put(&path, "text/plain", b"x").is_empty(204);
}

#[test]
fn a_client_that_leaves_changes_nothing() {
    let (server, member) = set_up();
    let path = member.create(&json!({}));
    let put = bytes(&server, &format!("PUT {path}"), &[TEXT], &[b'z'; 10_000]);
    let post = bytes(
        &server,
        "POST /v1/secrets",
        &[JSON],
        b"{\"name\": \"never\"}",
    );
    for request in [&put, &post] {
        for kept in [request.len() - 1, request.len() / 2, 10] {
            let mut connection = server.connect();
            connection.write(&request[..kept]);
        }
    }
    // The log has a line for each of the three that had a whole head; then all have been dealt with.
    server.log_lines("status=499", 3);
    assert_eq!(total(&member), 1);
    assert_eq!(member.call(&format!("GET {path}/payload")).status, 404);
}

#[test]
fn a_long_target_is_414() {
    let server = Server::new("tokens");
    for (bytes, status) in [(8_192, 401), (8_193, 414), (30_000, 414)] {
        let start = "/v1/secrets?name=";
        let target = format!("{start}{}", "a".repeat(bytes - start.len()));
        let answer = server.nobody().call(&format!("GET {target}"));
        assert_eq!(answer.status, status, "{bytes}");
        if status == 414 {
            answer.is(414, "The address is too long.");
        }
    }
}

// === what is no HTTP ===

#[test]
fn what_does_not_parse_gets_a_bare_answer_and_is_closed() {
    let server = Server::new("tokens");
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(70_000));
    let headers: String = (0..200).map(|n| format!("h{n}: x\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    for (what, request, statuses) in [
        ("no version", "GET /\r\n\r\n", &["400"][..]),
        (
            "no HTTP",
            "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
            &["400"],
        ),
        (
            "a blank in a name",
            "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
            &["400"],
        ),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            &["400"],
        ),
        (
            "a negative length",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
            &["400"],
        ),
        ("a long target", &long, &["414", "431"]),
        ("many headers", &many, &["431"]),
        ("no host", "GET / HTTP/1.1\r\n\r\n", &["400"]),
        (
            "two hosts",
            "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
            &["400"],
        ),
        (
            "a NUL in the path",
            "GET /v1/%00 HTTP/1.1\r\nHost: h\r\n\r\n",
            &["400"],
        ),
        (
            "another server's URL",
            "GET http://elsewhere/ HTTP/1.1\r\nHost: h\r\n\r\n",
            &["400"],
        ),
        (
            "two codings",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            &["400"],
        ),
    ] {
        let mut connection = server.connect();
        let _gone = connection.try_write(request.as_bytes());
        let answer = String::from_utf8_lossy(&connection.rest()).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{what}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer:?}");
    }
    // An answer of HTTP/1.1 would mean nothing to a client that begins with HTTP/2.
    let mut connection = server.connect();
    let _gone = connection.try_write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(connection.rest(), b"");
    server.nobody().call("GET /").ok(300);
}

/// The answer comes before the body is read. What is left of it must not be taken for a request, nor spoil the next.
#[test]
fn a_body_that_nobody_reads_does_not_spoil_the_next_request() {
    let (server, member) = set_up();
    let unknown = "/v1/secrets/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
    let path = member.store("x");
    for size in [10, 5_000, 9_000, 15_000, 100_000] {
        // Line ends of every kind, and requests.
        let body =
            "\n\r\n\nDELETE / HTTP/1.1\nHost: h\n\nGET /v1/secrets HTTP/1.1\r\nHost: h\r\n\r\n";
        let body: Vec<u8> = body.bytes().cycle().take(size).collect();
        for (line, status) in [
            (format!("PUT {unknown}"), 404),
            (format!("PUT {path}"), 415),
            ("POST /v1/nothing".to_owned(), 404),
            ("POST /nothing".to_owned(), 404),
            ("OPTIONS /v1/secrets".to_owned(), 200),
            ("GET /healthcheck".to_owned(), 200),
            ("GET /".to_owned(), 300),
        ] {
            let caller = server.member_of("p");
            let refused = caller.send(&line, &[], &body);
            assert_eq!(refused.status, status, "{line} of {size}");
            let next = caller.call(&format!("GET {path}/payload"));
            assert_eq!(next.text(), "x", "after {line} of {size}");
        }
    }
}
