//! A running server: signals, the service manager, the log, storage that fails.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::{UnixDatagram, UnixStream},
    process::Command,
};

use rustix::{
    process::{Resource, Rlimit, Signal, prlimit},
    time::{ClockId, clock_gettime},
};

use super::support::{PATIENCE, Rig, Server, read_answer, request};

#[test]
fn requests_in_flight_finish_and_new_ones_are_refused() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let body = r#"{"payload": "in flight", "payload_content_type": "text/plain"}"#;
    let token = rig.first_token();
    let headers = [
        ("X-Auth-Token", token.as_str()),
        ("Content-Type", "application/json"),
    ];
    let text = request("POST", "/v1/secrets", &headers, body);
    let (before, after) = text.split_at(text.len() - 10);
    let mut stream = server.connect();
    stream.write_all(before.as_bytes()).unwrap();
    // Another answer tells that the server had time to read what was sent.
    assert!(server.accepts(&token));

    server.signal(Signal::TERM);
    server.wait_for("SIGTERM: finishing the requests in flight");
    while TcpStream::connect(&server.address).is_ok_and(|mut late| {
        late.set_read_timeout(Some(PATIENCE)).unwrap();
        late.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap_or_default();
        let mut answer = Vec::new();
        late.read_to_end(&mut answer).is_ok_and(|bytes| bytes > 0)
    }) {}
    stream.write_all(after.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).status, 201);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn sigint_stops_as_well() {
    let mut server = Rig::new().serve();
    server.signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let mut stuck = server.connect();
    stuck
        .write_all(b"POST /v1/secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        .unwrap();
    assert!(server.accepts(&rig.first_token()));
    server.signal(Signal::TERM);
    server.wait_for("SIGTERM: ");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(
        server
            .log
            .iter()
            .any(|line| line.contains("stopped at once")),
        "{:?}",
        server.log
    );
}

#[test]
fn sighup_without_tls_changes_nothing() {
    let rig = Rig::new();
    let mut server = rig.serve();
    server.signal(Signal::HUP);
    server.wait_for("SIGHUP: no TLS files");
    assert!(server.accepts(&rig.first_token()));
}

#[test]
fn sighup_reads_tls_files_again() {
    let rig = Rig::new();
    let issue = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        rig.write("cert.pem", &made.cert.pem(), 0o644);
        rig.write("key.pem", &made.signing_key.serialize_pem(), 0o600);
    };
    issue();
    rig.write(
        "donjon.toml",
        "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n",
        0o644,
    );
    let mut server = rig.serve_with(&["--config", "donjon.toml"]);
    assert!(
        server
            .log
            .iter()
            .any(|line| line.contains("listening on https://127.0.0.1:"))
    );
    issue();
    server.signal(Signal::HUP);
    server.wait_for("SIGHUP: TLS files are read again");
    rig.write("cert.pem", "nonsense", 0o644);
    server.signal(Signal::HUP);
    server.wait_for("those from before stay in use");
    // A plain request gets no answer in plain text.
    let mut stream = server.connect();
    stream
        .write_all(request("GET", "/", &[], "").as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_service_manager_is_told() {
    let rig = Rig::new();
    let path = rig.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut buffer = [0; 128];
        let bytes = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..bytes].to_vec()).unwrap()
    };
    let mut command = rig.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = Server::start(command);
    assert_eq!(hear(), "READY=1");
    let monotonic_us = || {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
    };
    // Each reload is told with its time, and its end.
    let mut before = monotonic_us();
    for _ in 0..2 {
        server.signal(Signal::HUP);
        let told = hear();
        let us = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let us = us.parse().unwrap();
        assert!((before..=monotonic_us()).contains(&us), "{told}");
        before = us;
        assert_eq!(hear(), "READY=1");
    }
    assert_eq!(server.stop(), Some(0));
    assert_eq!(hear(), "STOPPING=1");
}

#[test]
fn unix_sockets_are_served() {
    let rig = Rig::new();
    let path = rig.path("api.sock");
    let address = format!("unix:{}", path.display());
    let server = rig.serve_with(&["--listen", &address]);
    assert_eq!(server.address, path.to_str().unwrap());
    let mut stream = UnixStream::connect(&path).unwrap();
    stream
        .write_all(request("GET", "/healthcheck", &[], "").as_bytes())
        .unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
}

#[test]
fn an_address_in_use_is_named() {
    let rig = Rig::new();
    let server = rig.serve();
    let other = Rig::new();
    let serve = ["serve", "--listen", &server.address];
    // What was made is told once, and the next start is not the first one.
    let first = other.run(&serve);
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    assert!(first.stderr.contains("first-token"), "{}", first.stderr);
    let ended = other.refused(&serve, 1, &server.address);
    assert!(ended.stderr.contains("cannot listen on"));
    assert!(ended.stderr.contains("choose another one by --listen"));
}

// === the log ===

#[test]
fn each_request_makes_one_line() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let token = rig.first_token();
    let answer = server.get("/v1/secrets?name=hush", &[("X-Auth-Token", &token)]);
    let id = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("x-openstack-request-id: "));
    let id = id.unwrap().to_owned();
    assert_eq!(server.get("/v1/secrets/", &[]).status, 401);
    assert_eq!(
        server
            .send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            .status,
        400
    );
    assert_eq!(server.stop(), Some(0));
    let access: Vec<&String> = server
        .log
        .iter()
        .filter(|line| line.contains("donjon::access"))
        .collect();
    assert_eq!(access.len(), 3, "{:?}", server.log);
    for part in [&id, "GET", "/v1/secrets", "200", "ms=", "default", "admin"] {
        assert!(access[0].contains(part), "{part}: {}", access[0]);
    }
    assert!(access[1].contains("401"));
    assert!(access[2].contains("400"));
    for line in &server.log {
        assert!(!line.contains("hush") && !line.contains(&token), "{line}");
    }
}

#[test]
fn a_client_that_leaves_makes_a_line_too() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let mut stream = server.connect();
    let token = rig.first_token();
    let head = format!(
        "POST /v1/secrets HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert!(server.accepts(&token));
    drop(stream);
    let line = server.wait_for("method=\"POST\"");
    assert!(line.contains("status=499"), "{line}");
    // In the middle of its body as well.
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"{\"na").unwrap();
    assert!(server.accepts(&token));
    drop(stream);
    let line = server.wait_for("method=\"POST\"");
    assert!(line.contains("status=499"), "{line}");
}

#[test]
fn json_lines_have_a_field_each() {
    let rig = Rig::new();
    let mut server = rig.serve_with(&["--log-format", "json"]);
    assert!(server.accepts(&rig.first_token()));
    let line = server.wait_for("donjon::access");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/v1/secrets");
    assert_eq!(line["status"], 200);
    assert_eq!(line["project"], "default");
    assert_eq!(line["user"], "admin");
    assert!(line["request_id"].as_str().unwrap().starts_with("req-"));
    assert!(line["ms"].is_number());
}

#[test]
fn the_level_silences_access_lines() {
    let rig = Rig::new();
    let mut command = rig.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("DONJON_LOG__LEVEL", "info,donjon::access=warn");
    let mut server = Server::start(command);
    assert!(server.accepts(&rig.first_token()));
    assert_eq!(server.stop(), Some(0));
    assert!(
        !server
            .log
            .iter()
            .any(|line| line.contains("donjon::access"))
    );
}

// === storage that fails ===

/// Every write beyond a size fails with EFBIG, which SQLite reports as an I/O
/// error.
#[test]
fn storage_that_fails_ends_the_server() {
    let rig = Rig::new();
    assert_eq!(rig.serve().stop(), Some(0));
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "trap '' XFSZ; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_donjon"),
    ]);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(rig.path("donjon-data"));
    let mut server = Server::start(command);
    let token = rig.first_token();
    let secret = server.store(&token, "before");
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    prlimit(Some(server.pid()), Resource::Fsize, nothing).unwrap();
    let body = r#"{"payload": "after", "payload_content_type": "text/plain"}"#;
    let answer = server.with_token("POST", "/v1/secrets", &token, body);
    assert!(answer.status >= 500, "{answer:?}");
    assert_eq!(server.wait().code(), Some(75), "{:?}", server.log);

    let server = rig.serve();
    assert_eq!(server.read(&token, &secret).body, "before");
}

#[test]
fn a_healthy_server_says_so() {
    let server = Rig::new().serve();
    let answer = server.get("/healthcheck", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
}
