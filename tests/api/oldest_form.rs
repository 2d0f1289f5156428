//! The oldest form, with the tenant in the path, in both ways of authentication.
//!
//! The example and the table are those of Barbican's first API guide.

mod put;

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Caller, Launch, Server, id_of, is_request_id, path_of};

const UNKNOWN: &str = "/v1/12345/secrets/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

/// A server of each mode, with somebody who reaches tenant 12345 there. In `noauth` that needs no header.
fn both_modes() -> [(Server, Caller); 2] {
    let noauth = Server::new("noauth");
    let tokens = Server::new("tokens");
    let nobody = noauth.nobody();
    let holder = tokens.caller("12345", "user", &["member"]);
    [(noauth, nobody), (tokens, holder)]
}

/// Creates a secret without payload; gives its path.
fn bare(caller: &Caller) -> String {
    created(&caller.json("POST /v1/12345/secrets", &json!({})).ok(201))
}

/// The path of the secret that a creation answered.
fn created(body: &Value) -> String {
    path_of(body["secret_ref"].as_str().unwrap()).to_owned()
}

// === the example ===

#[test]
fn the_example_byte_for_byte() {
    let server = Server::new("noauth");
    let host = server.host();
    let mut connection = server.connect();
    connection.write(
        format!(
            "POST /v1/12345/secrets HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        )
        .as_bytes(),
    );
    let post = connection.read(false);
    let reference = post.ok(201)["secret_ref"].as_str().unwrap().to_owned();
    assert_eq!(post.header("location"), Some(reference.clone()));
    let path = path_of(&reference);
    assert_eq!(
        reference,
        format!("{}/v1/12345/secrets/{}", server.base(), id_of(path))
    );

    connection.write(
        format!(
            "PUT {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: 32\r\n\r\n"
        )
        .as_bytes(),
    );
    let key: Vec<u8> = (0_u8..32).map(|n| n.wrapping_mul(37)).collect();
    connection.write(&key);
    let put = connection.read(false);
    assert_eq!(put.head.lines().next(), Some("HTTP/1.1 200 OK"));
    assert_eq!(put.header("content-length").as_deref(), Some("0"));
    assert!(is_request_id(
        &put.header("x-openstack-request-id").unwrap()
    ));
    assert_eq!(put.header("transfer-encoding"), None);
    assert_eq!(put.body, b"");

    let read = server
        .nobody()
        .accepting(&format!("GET {path}"), "application/octet-stream");
    assert_eq!((read.status, read.body), (200, key));
}

#[test]
fn the_example_with_expect_100_continue() {
    let server = Server::new("noauth");
    let path = bare(&server.nobody());
    let mut connection = server.connect();
    connection.write(
        format!(
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: curl/7.68.0\r\nAccept: */*\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: 9000\r\nExpect: 100-continue\r\n\r\n",
            server.host()
        )
        .as_bytes(),
    );
    let interim = connection.read_head();
    assert_eq!(interim.head, "HTTP/1.1 100 Continue\r\n\r\n");
    let payload = [0xa5; 9000];
    connection.write(&payload);
    connection.read(false).is_empty(200);
    let read = server
        .nobody()
        .accepting(&format!("GET {path}"), "application/octet-stream");
    assert_eq!(read.body, payload);
}

#[test]
fn a_body_that_nobody_wants_is_not_asked_for() {
    let server = Server::new("noauth");
    let path = bare(&server.nobody());
    for (path, content_type, status) in [
        (path.as_str(), "application/json", 400),
        (UNKNOWN, "text/plain", 404),
        ("/nothing", "text/plain", 404),
    ] {
        let mut connection = server.connect();
        connection.write(
            format!(
                "PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\n\
                 Content-Length: 9000\r\nExpect: 100-continue\r\n\r\n",
                server.host()
            )
            .as_bytes(),
        );
        let refused = connection.read_head();
        assert_eq!(refused.status, status, "{path}: {}", refused.head);
        assert_eq!(refused.header("connection").as_deref(), Some("close"));
        let body = connection.rest();
        let length = refused.header("content-length").unwrap();
        assert_eq!(body.len().to_string(), length, "{path}");
    }
}

/// The command of the example as a user types it, where there is a curl.
#[test]
fn the_example_by_curl() {
    let server = Server::new("noauth");
    let folder = server.launch().folder();
    let no_curl = Command::new("curl").arg("--version").output().is_err();
    if no_curl {
        eprintln!("there is no curl; the bytes it sends are tested above");
        return;
    }
    for (size, name) in [(32, "small"), (9_000, "large")] {
        let path = bare(&server.nobody());
        let payload: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
        std::fs::write(folder.join("secret_key_file"), &payload).unwrap();
        let output = Command::new("curl")
            .current_dir(folder)
            .args(["--silent", "-i", "-X", "PUT"])
            .args(["-H", "Content-Type: application/octet-stream"])
            .args(["-T", "./secret_key_file"])
            .arg(format!("{}{path}", server.base()))
            .env_remove("http_proxy")
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let lower = shown.to_lowercase();
        assert!(lower.contains("http/1.1 200 ok\r\n"), "{name}: {shown}");
        assert!(
            lower.contains("\r\ncontent-length: 0\r\n"),
            "{name}: {shown}"
        );
        assert!(
            lower.contains("\r\nx-openstack-request-id: req-"),
            "{name}: {shown}"
        );
        assert!(shown.ends_with("\r\n\r\n"), "{name}: {shown}");
        let read = server
            .nobody()
            .accepting(&format!("GET {path}"), "application/octet-stream");
        assert_eq!(read.body, payload, "{name}");
    }
}

// === POST ===

#[test]
fn what_post_answers() {
    const SCHEMA: &str = "Provided object does not match schema 'Secret': ";
    let text = |payload: &str| json!({"payload": payload, "payload_content_type": "text/plain"});
    for (server, caller) in both_modes() {
        let post = |body: &Value| caller.json("POST /v1/12345/secrets", body);
        let stored = post(&text("v"));
        let reference = stored.ok(201)["secret_ref"].as_str().unwrap().to_owned();
        assert!(
            reference.starts_with(&format!("{}/v1/12345/secrets/", server.base())),
            "{reference}"
        );
        assert_eq!(stored.header("location"), Some(reference));
        assert_eq!(stored.json().as_object().unwrap().len(), 1);
        for empty in ["", " \t"] {
            post(&text(empty)).is(
                400,
                &format!(
                    "{SCHEMA}If 'payload' specified, must be non empty. Invalid property: 'payload'"
                ),
            );
        }
        post(&json!({"payload": "v"})).is(
            400,
            &format!("{SCHEMA}If 'payload' is supplied, 'payload_content_type' must also be supplied.. Invalid property: 'payload_content_type'"),
        );
        post(&json!({"payload": "v", "payload_content_type": "image/png"})).is(
            400,
            &format!("{SCHEMA}payload_content_type is not one of ['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8', 'application/octet-stream', 'application/pkcs8']. Invalid property: 'payload_content_type'"),
        );
        post(&json!({"bit_length": "256"})).is(
            400,
            &format!("{SCHEMA}'256' is not of type 'integer'. Invalid property: 'bit_length'"),
        );
        post(&text(&"x".repeat(10_000))).ok(201);
        post(&text(&"x".repeat(10_001))).is(413, "Provided information too large to process");
        post(&json!({"name": "x".repeat(25_001)})).is(400, "Malformed JSON");
        caller.send("POST /v1/12345/secrets", &[], b"{}").is(
            415,
            "Unexpected content type. Expected content types are: ['application/json']",
        );
    }
}

// === GET and DELETE ===

#[test]
fn what_get_answers() {
    for (_server, caller) in both_modes() {
        let path = bare(&caller);
        let line = format!("GET {path}");
        for metadata in [
            caller.call(&line),
            caller.accepting(&line, "application/json"),
        ] {
            assert_eq!(metadata.ok(200)["status"], "ACTIVE");
        }
        for accept in ["text/plain", "application/octet-stream"] {
            caller
                .accepting(&line, accept)
                .is(404, "Not Found. Sorry but your secret has no payload.");
        }
        caller
            .put(&path, "application/octet-stream", b"\xff\xfe")
            .is_empty(200);
        let payload = caller.accepting(&line, "application/octet-stream");
        assert_eq!((payload.status, &payload.body[..]), (200, &b"\xff\xfe"[..]));
        assert_eq!(
            payload.header("content-type").as_deref(),
            Some("application/octet-stream")
        );
        for accept in ["text/plain", "text/html", "application/json; charset=utf-8"] {
            caller.accepting(&line, accept).is(
                406,
                "Secret retrieval issue seen - Wrong payload content-type.",
            );
        }
        caller
            .call(&format!("GET {UNKNOWN}"))
            .is(404, "Secret not found.");
    }
}

#[test]
fn the_metadata_has_today_s_fields_and_the_id_for_a_name() {
    for (server, caller) in both_modes() {
        let path = bare(&caller);
        let secret = caller.call(&format!("GET {path}")).ok(200);
        let keys: Vec<&str> = secret
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = vec![
            "algorithm",
            "bit_length",
            "created",
            "creator_id",
            "expiration",
            "mode",
            "name",
            "secret_ref",
            "secret_type",
            "status",
            "updated",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(secret["name"], id_of(&path));
        assert_eq!(secret["secret_ref"], format!("{}{path}", server.base()));
        let named = json!({"name": "own"});
        let named = created(&caller.json("POST /v1/12345/secrets", &named).ok(201));
        assert_eq!(caller.call(&format!("GET {named}")).ok(200)["name"], "own");
        let list = caller.call("GET /v1/12345/secrets").ok(200);
        assert_eq!(list["secrets"][0]["name"], id_of(&path));
        assert_eq!(list["secrets"][1]["name"], "own");
    }
}

#[test]
fn lists_keep_the_form() {
    for (server, caller) in both_modes() {
        let paths: Vec<String> = (0..3).map(|_| bare(&caller)).collect();
        let base = server.base();
        let list = caller
            .call("GET /v1/12345/secrets?limit=1&offset=1")
            .ok(200);
        assert_eq!(list["total"], 3);
        assert_eq!(
            list["next"],
            format!("{base}/v1/12345/secrets?limit=1&offset=2")
        );
        assert_eq!(
            list["previous"],
            format!("{base}/v1/12345/secrets?limit=1&offset=0")
        );
        assert_eq!(
            list["secrets"][0]["secret_ref"],
            format!("{base}{}", paths[1])
        );
        // Following the link leads to the next part.
        let next = path_of(list["next"].as_str().unwrap()).to_owned();
        let next = caller.call(&format!("GET {next}")).ok(200);
        assert_eq!(
            next["secrets"][0]["secret_ref"],
            format!("{base}{}", paths[2])
        );
        assert_eq!(next.get("next"), None);
    }
}

#[test]
fn what_delete_answers() {
    for (_server, caller) in both_modes() {
        let path = bare(&caller);
        caller.call(&format!("DELETE {path}")).is_empty(204);
        caller
            .call(&format!("DELETE {path}"))
            .is(404, "Secret not found.");
        caller
            .call(&format!("GET {path}"))
            .is(404, "Secret not found.");
        caller
            .call(&format!("DELETE {UNKNOWN}"))
            .is(404, "Secret not found.");
    }
}

// === tenants ===

/// Everything that can be asked of a tenant, as somebody of another project.
#[track_caller]
fn check_refused(caller: &Caller, path: &str) {
    caller.call("GET /v1/12345/secrets").is(404, "");
    caller
        .json("POST /v1/12345/secrets", &json!({}))
        .is(404, "");
    caller
        .call(&format!("GET {path}"))
        .is(404, "Secret not found.");
    caller
        .accepting(&format!("GET {path}"), "text/plain")
        .is(404, "Secret not found.");
    caller
        .put(path, "text/plain", b"x")
        .is(404, "Secret not found.");
    caller
        .call(&format!("DELETE {path}"))
        .is(404, "Secret not found.");
}

#[test]
fn in_noauth_a_header_that_names_another_project_is_404() {
    let server = Server::new("noauth");
    let path = bare(&server.nobody());
    check_refused(&server.nobody().with("X-Project-Id", "67890"), &path);
    check_refused(&server.member_of("67890"), &path);
    // One that names the same project is as good as none.
    let same = server.nobody().with("X-Project-Id", "12345");
    same.call(&format!("GET {path}")).ok(200);
    same.put(&path, "text/plain", b"x").is_empty(200);
}

#[test]
fn in_tokens_mode_another_tenant_than_the_token_s_is_404() {
    let server = Server::new("tokens");
    let member = server.caller("12345", "user", &["member"]);
    let path = bare(&member);
    for roles in [&["member"][..], &["admin", "member", "reader"][..]] {
        let stranger = server.caller("67890", "stranger", roles);
        check_refused(&stranger, &path);
        // Nor does it help to say so.
        check_refused(&stranger.with("X-Project-Id", "12345"), &path);
    }
    // An ACL opens today's form only.
    let today = format!("/v1/secrets/{}", id_of(&path));
    member
        .json(
            &format!("PUT {today}/acl"),
            &json!({"read": {"users": ["stranger"]}}),
        )
        .ok(200);
    let stranger = server.caller("67890", "stranger", &["member"]);
    stranger.call(&format!("GET {today}")).ok(200);
    check_refused(&stranger, &path);
    stranger
        .call(&format!("GET /v1/67890/secrets/{}", id_of(&path)))
        .is(404, "Secret not found.");
}

#[test]
fn in_tokens_mode_nobody_gets_in_without_a_token() {
    let server = Server::new("tokens");
    let path = bare(&server.caller("12345", "user", &["member"]));
    for nobody in [
        server.nobody(),
        server.nobody().with("X-Project-Id", "12345"),
    ] {
        for answer in [
            nobody.call("GET /v1/12345/secrets"),
            nobody.json("POST /v1/12345/secrets", &json!({})),
            nobody.call(&format!("GET {path}")),
            nobody.put(&path, "text/plain", b"x"),
            nobody.call(&format!("DELETE {path}")),
        ] {
            answer.is(401, "The request you have made requires authentication.");
        }
    }
}

#[test]
fn what_came_later_is_not_below_a_tenant() {
    for (_server, caller) in both_modes() {
        let path = bare(&caller);
        caller.put(&path, "text/plain", b"x").is_empty(200);
        for below in [
            "payload",
            "metadata",
            "consumers",
            "acl",
            "metadata/k",
            "nothing",
        ] {
            let answer = caller.call(&format!("GET {path}/{below}"));
            assert_eq!(answer.status, 404, "{below}: {}", answer.text());
        }
        for nothing in ["/v1/12345/secret-stores", "/v1/12345/acl", "/v1/12345"] {
            let answer = caller
                .with("X-Project-Id", "12345")
                .call(&format!("GET {nothing}"));
            assert_eq!(answer.status, 404, "{nothing}: {}", answer.text());
        }
    }
}

#[test]
fn a_name_of_today_s_resources_is_no_tenant() {
    let server = Server::new("noauth");
    for name in [
        "secrets",
        "containers",
        "orders",
        "quotas",
        "project-quotas",
        "secret-stores",
    ] {
        let answer = server
            .member_of(name)
            .json(&format!("POST /v1/{name}/secrets"), &json!({}));
        assert_ne!(answer.status, 201, "{name}");
    }
}

#[test]
fn a_tenant_may_have_any_name() {
    let server = Launch::new("noauth").start();
    for name in ["a-b", "A%20B", "%C3%BC", "e4fd17cb", "v1", "payload"] {
        let answer = server
            .nobody()
            .json(&format!("POST /v1/{name}/secrets"), &json!({}));
        let reference = answer.ok(201)["secret_ref"].as_str().unwrap().to_owned();
        let prefix = format!("{}/v1/{name}/secrets/", server.base());
        assert!(reference.starts_with(&prefix), "{reference}");
        let path = path_of(&reference);
        server.nobody().put(path, "text/plain", b"x").is_empty(200);
        server.nobody().call(&format!("GET {path}")).ok(200);
    }
}
