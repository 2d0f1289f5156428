//! PUT of a payload: each row of the table.

use serde_json::{Value, json};

use super::{UNKNOWN, bare, both_modes, created};
use crate::support::{Caller, Server, id_of, is_request_id};

/// What is sent, and what is stored of it.
struct Put {
    content_type: &'static str,
    encoding: Option<&'static str>,
    sent: &'static [u8],
    stored: &'static [u8],
    /// As which type.
    shown: &'static str,
}

const PUTS: [Put; 5] = [
    Put {
        content_type: "text/plain",
        encoding: None,
        sent: b" a\n",
        stored: b" a\n",
        shown: "text/plain",
    },
    Put {
        content_type: "text/plain; charset=utf-8",
        encoding: None,
        sent: "\u{fc}".as_bytes(),
        stored: "\u{fc}".as_bytes(),
        shown: "text/plain",
    },
    // Text has no encoding, so the header says nothing.
    Put {
        content_type: "text/plain",
        encoding: Some("base64"),
        sent: b"AP8=",
        stored: b"AP8=",
        shown: "text/plain",
    },
    Put {
        content_type: "application/octet-stream",
        encoding: None,
        sent: b"\x00\xff",
        stored: b"\x00\xff",
        shown: "application/octet-stream",
    },
    Put {
        content_type: "application/octet-stream",
        encoding: Some("base64"),
        sent: b"AP8=",
        stored: b"\x00\xff",
        shown: "application/octet-stream",
    },
];

#[test]
fn put_stores_what_the_headers_describe() {
    for (server, caller) in both_modes() {
        for case in PUTS {
            let path = bare(&caller);
            let mut headers = vec![("Content-Type", case.content_type)];
            headers.extend(case.encoding.map(|encoding| ("Content-Encoding", encoding)));
            let put = caller.send(&format!("PUT {path}"), &headers, case.sent);
            put.is_empty(200);
            assert_eq!(put.header("content-length").as_deref(), Some("0"));
            assert!(is_request_id(
                &put.header("x-openstack-request-id").unwrap()
            ));
            let read = caller.accepting(&format!("GET {path}"), case.shown);
            assert_eq!((read.status, &read.body[..]), (200, case.stored));
            let metadata = caller.call(&format!("GET {path}")).ok(200);
            assert_eq!(metadata["content_types"], json!({"default": case.shown}));
        }
        server.stop();
    }
}

#[test]
fn put_400_for_a_content_type_without_plugin() {
    for (_server, caller) in both_modes() {
        let path = bare(&caller);
        for (headers, shown) in [
            (&[("Content-Type", "image/png")][..], "image/png"),
            (
                &[("Content-Type", "application/pkcs8")][..],
                "application/pkcs8",
            ),
            (
                &[("Content-Type", "application/json")][..],
                "application/json",
            ),
            (&[][..], ""),
        ] {
            caller
                .send(&format!("PUT {path}"), headers, b"{\"payload\": \"x\"}")
                .is(
                    400,
                    &format!("Secret update issue seen - content-type of '{shown}' not supported."),
                );
        }
        caller.send(
            &format!("PUT {path}"),
            &[
                ("Content-Type", "application/octet-stream"),
                ("Content-Encoding", "gzip"),
            ],
            b"x",
        ).is(400, "Secret update issue seen - Text-based binary secret payloads must specify a content-encoding of 'base64'.");
        assert_is_bare(&caller, &path);
    }
}

#[test]
fn put_400_without_a_payload() {
    for (_server, caller) in both_modes() {
        let path = bare(&caller);
        caller.put(&path, "text/plain", b"").is(
            400,
            "Secret update issue seen - No data supplied to process..",
        );
        assert_is_bare(&caller, &path);
    }
}

#[test]
fn put_404_for_a_uuid_that_matches_nothing() {
    for (_server, caller) in both_modes() {
        caller
            .put(UNKNOWN, "text/plain", b"x")
            .is(404, "Secret not found.");
        caller
            .put("/v1/12345/secrets/not-a-uuid", "text/plain", b"x")
            .is(404, "Not Found. Provided secret id is invalid.");
    }
}

#[test]
fn put_404_for_a_secret_of_another_tenant() {
    for (server, caller) in both_modes() {
        let path = bare(&caller);
        let elsewhere = format!("/v1/67890/secrets/{}", id_of(&path));
        let is_tokens = server.launch().data_dir().join("first-token").exists();
        let other = if is_tokens {
            server.caller("67890", "user", &["admin", "member"])
        } else {
            server.nobody()
        };
        other
            .put(&elsewhere, "text/plain", b"x")
            .is(404, "Secret not found.");
        assert_is_bare(&caller, &path);
    }
}

#[test]
fn put_409_works_once_and_changes_nothing_else() {
    for (_server, caller) in both_modes() {
        let body = json!({"name": "n", "algorithm": "aes", "bit_length": 256, "mode": "cbc",
            "expiration": "2100-01-01T00:00:00"});
        let path = created(&caller.json("POST /v1/12345/secrets", &body).ok(201));
        let before = caller.call(&format!("GET {path}")).ok(200);
        caller.put(&path, "text/plain", b"first").is_empty(200);
        for content_type in ["text/plain", "application/octet-stream"] {
            caller
                .put(&path, content_type, b"second")
                .is(409, "Secret already has data, cannot modify it.");
        }
        let read = caller.accepting(&format!("GET {path}"), "text/plain");
        assert_eq!(read.text(), "first");
        let mut after = caller.call(&format!("GET {path}")).ok(200);
        let after = after.as_object_mut().unwrap();
        assert_eq!(
            after.remove("content_types"),
            Some(json!({"default": "text/plain"}))
        );
        after.insert("updated".to_owned(), before["updated"].clone());
        assert_eq!(Value::Object(after.clone()), before);
    }
}

#[test]
fn put_409_also_for_a_secret_created_with_its_payload() {
    for (_server, caller) in both_modes() {
        let body = json!({"payload": "p", "payload_content_type": "text/plain"});
        let path = created(&caller.json("POST /v1/12345/secrets", &body).ok(201));
        caller
            .put(&path, "text/plain", b"second")
            .is(409, "Secret already has data, cannot modify it.");
    }
}

#[test]
fn put_413_beyond_10000_bytes() {
    for (_server, caller) in both_modes() {
        let path = bare(&caller);
        caller.put(&path, "text/plain", &[b'x'; 10_001]).is(
            413,
            "Secret update issue seen - Provided information too large to process.",
        );
        assert_is_bare(&caller, &path);
        caller
            .put(&path, "text/plain", &[b'x'; 10_000])
            .is_empty(200);
    }
}

#[test]
fn the_payload_of_today_s_form_may_be_twice_as_long() {
    let server = Server::new("noauth");
    let path = bare(&server.nobody());
    let today = format!("/v1/secrets/{}", id_of(&path));
    let member = server.member_of("12345");
    member
        .put(&today, "text/plain", &[b'x'; 20_000])
        .is_empty(204);
    let read = server
        .nobody()
        .accepting(&format!("GET {path}"), "text/plain");
    assert_eq!(read.body.len(), 20_000);
}

#[track_caller]
fn assert_is_bare(caller: &Caller, path: &str) {
    let metadata = caller.call(&format!("GET {path}")).ok(200);
    assert_eq!(metadata.get("content_types"), None, "{metadata}");
}
