//! Other ways to be reached than a plain port: a Unix socket, TLS, several at once.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    Authority, Caller, Connection, Launch, PATIENCE, Server, is_trusted, path_of, request_bytes,
    until,
};

#[test]
fn a_unix_socket_serves_the_api() {
    let launch = Launch::new("tokens");
    let socket = launch.folder().join("api.sock");
    let server = launch
        .listen(&[&format!("unix:{}", socket.display())])
        .start();
    let token = server.launch().first_token();
    let caller = Caller::unix(&socket).with("X-Auth-Token", &token);
    let path = caller.store("over a socket");
    assert_eq!(
        caller.call(&format!("GET {path}/payload")).text(),
        "over a socket"
    );
    let shown = caller.call(&format!("GET {path}")).ok(200);
    assert_eq!(shown["secret_ref"], format!("http://localhost{path}"));
    assert_eq!(Caller::unix(&socket).call("GET /v1/secrets").status, 401);
    let launch = server.stop();
    assert!(!socket.exists(), "the socket goes with the server");
    // One that a killed server left behind is no hindrance.
    let server = launch.start().kill().start();
    let caller = Caller::unix(&socket).with("X-Auth-Token", &token);
    assert_eq!(
        caller.call(&format!("GET {path}/payload")).text(),
        "over a socket"
    );
    drop(server);
}

/// A server that speaks TLS, and its authority.
fn over_tls() -> (Server, Authority) {
    let authority = Authority::new();
    let launch = Launch::new("tokens");
    let (cert, key) = (
        launch.folder().join("cert.pem"),
        launch.folder().join("key.pem"),
    );
    authority.issue(&cert, &key);
    let launch = launch
        .env("DONJON_TLS__CERT", cert.display().to_string())
        .env("DONJON_TLS__KEY", key.display().to_string());
    (launch.start(), authority)
}

#[test]
fn tls_serves_https_and_references_say_so() {
    let (server, authority) = over_tls();
    let base = format!("https://{}", server.host());
    let config = authority.client();
    let nobody = Caller::tls(server.host(), &config);
    let document = nobody.call("GET /").ok(300);
    assert_eq!(
        document["versions"]["values"][0]["links"][0]["href"],
        format!("{base}/v1/")
    );
    let caller = nobody.with("X-Auth-Token", &server.launch().first_token());
    let created = caller.json("POST /v1/secrets", &json!({}));
    let reference = created.ok(201)["secret_ref"].as_str().unwrap().to_owned();
    assert!(
        reference.starts_with(&format!("{base}/v1/secrets/")),
        "{reference}"
    );
    assert_eq!(created.header("location"), Some(reference.clone()));
    let path = path_of(&reference);
    let large = vec![b'x'; 20_000];
    caller.put(path, "text/plain", &large).is_empty(204);
    assert_eq!(caller.call(&format!("GET {path}/payload")).body, large);
    // The oldest form says so too.
    let created = caller.json("POST /v1/default/secrets", &json!({})).ok(201);
    let reference = created["secret_ref"].as_str().unwrap();
    assert!(
        reference.starts_with(&format!("{base}/v1/default/secrets/")),
        "{reference}"
    );
}

#[test]
fn a_tls_port_speaks_nothing_else() {
    let (server, _authority) = over_tls();
    let mut plain = server.connect();
    plain.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = String::from_utf8_lossy(&plain.rest()).into_owned();
    assert!(!answer.contains("HTTP/1.1 "), "{answer}");
    // A client that trusts somebody else does not talk to it.
    let stranger = Authority::new().client();
    assert!(!is_trusted(server.host(), &stranger));
}

#[test]
fn sighup_takes_a_new_certificate_without_dropping_anybody() {
    let (server, old) = over_tls();
    let before = Caller::tls(server.host(), &old.client());
    before.call("GET /").ok(300);
    let new = Authority::new();
    let folder = server.launch().folder();
    new.issue(&folder.join("cert.pem"), &folder.join("key.pem"));
    server.process().signal(Signal::HUP);
    let config = new.client();
    until("the new certificate is shown", PATIENCE, || {
        is_trusted(server.host(), &config).then_some(())
    });
    before.call("GET /").ok(300);
    // Files that make no sense leave everything as it was.
    std::fs::write(folder.join("cert.pem"), "no certificate").unwrap();
    let reloads = server.process().log().matches('\n').count();
    server.process().signal(Signal::HUP);
    server
        .process()
        .wait_for_log(|log| (log.matches('\n').count() > reloads).then_some(()));
    Caller::tls(server.host(), &config).call("GET /").ok(300);
}

#[test]
fn several_addresses_serve_the_same_secrets() {
    let launch = Launch::new("noauth");
    let socket = launch.folder().join("api.sock");
    let unix = format!("unix:{}", socket.display());
    let server = launch.listen(&["127.0.0.1:0", &unix]).start();
    let path = server.member_of("p").store("shared");
    let read = Caller::unix(&socket)
        .with("X-Project-Id", "p")
        .call(&format!("GET {path}/payload"));
    assert_eq!(read.text(), "shared");
}

/// The `Host` of a page in a browser is its own, also after its name was made to lead to this machine.
#[test]
fn pages_of_strangers_get_nothing_without_authentication() {
    let launch = Launch::new("noauth")
        .env("DONJON_HTTP__HOST_HREF", "https://kms.example.org")
        .listen(&["127.0.0.1:0", "unix:api.sock"]);
    let server = launch.start();
    let path = server.member_of("p").store("precious");
    let ask = |connection: &mut Connection, line: &str, host: &str| {
        let headers = [("X-Project-Id", "p"), ("X-Roles", "member")];
        connection.write(&request_bytes(line, host, &headers, b""));
        connection.read(false)
    };
    let (_, port) = server.host().split_once(':').unwrap();
    let lines = [
        format!("GET {path}/payload"),
        "GET /v1/secrets".to_owned(),
        "GET /v1/p/secrets".to_owned(),
        "OPTIONS /v1/secrets".to_owned(),
        "GET /".to_owned(),
        "GET /healthcheck".to_owned(),
    ];
    for line in &lines {
        for host in [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            "192.0.2.1".to_owned(),
        ] {
            let refused = ask(&mut server.connect(), line, &host);
            assert_eq!(refused.status, 421, "{line} {host}");
            let problem = refused.json();
            assert_eq!(problem["code"], 421);
            assert_eq!(problem["title"], "Misdirected Request");
            assert!(problem["description"].as_str().unwrap().contains("Host"));
        }
    }
    let line = "GET /v1/secrets";
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]:80",
        "kms.example.org",
        "KMS.example.org:8443",
    ] {
        assert_eq!(ask(&mut server.connect(), line, host).status, 200, "{host}");
    }
    // No browser speaks to a Unix socket.
    let socket = server.launch().folder().join("api.sock");
    let mut unix = Connection::open_unix(&socket);
    assert_eq!(ask(&mut unix, line, "anything.example").status, 200);
    // Tokens keep strangers out by themselves, and who says it is dangerous means it.
    let by_token = Server::new("tokens");
    let refused = ask(&mut by_token.connect(), line, "evil.example");
    assert_eq!(refused.status, 401);
    let open = server.stop().flag("--danger-noauth-on-any-address").start();
    assert_eq!(ask(&mut open.connect(), line, "evil.example").status, 200);
}

#[test]
fn names_without_authentication_have_a_longest() {
    let server = Server::new("noauth");
    for (length, status) in [(255, 200), (256, 400), (8_000, 400)] {
        let name = "n".repeat(length);
        for header in ["X-Project-Id", "X-User-Id", "X-Roles"] {
            let others = [
                ("X-Project-Id", "p"),
                ("X-User-Id", "u"),
                ("X-Roles", "member"),
            ];
            let headers = others.iter().filter(|(name, _)| *name != header);
            let listed = match header {
                "X-Roles" => format!("member,{name}"),
                _ => name.clone(),
            };
            let caller = headers.fold(
                server.nobody().with(header, &listed),
                |caller, (name, value)| caller.with(name, value),
            );
            assert_eq!(
                caller.call("GET /v1/secrets").status,
                status,
                "{header} of {length}"
            );
        }
        let tenant = server.nobody().call(&format!("GET /v1/{name}/secrets"));
        assert_eq!(tenant.status, status, "tenant of {length}");
    }
}
