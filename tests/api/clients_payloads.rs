//! What clients depend on, 12 to 18 of `docs/compat.md`: payloads and names.

use serde_json::{Value, json};

use crate::clients::set_up;
use crate::support::{base64, path_of};

#[test]
fn clients_12_base64_is_lenient() {
    let (_server, member) = set_up();
    let plain: Vec<u8> = (0..=255).collect();
    let lines = base64(&plain)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let create = |payload: &str| {
        let body = json!({"payload": payload, "payload_content_type": "application/octet-stream",
            "payload_content_encoding": "base64"});
        member.json("POST /v1/secrets", &body)
    };
    for sent in [
        lines.clone(),
        lines.replace('\n', "\r\n"),
        lines.replace('\n', " ! "),
        format!("\n{lines}\n"),
    ] {
        let created = create(&sent).ok(201);
        let path = path_of(created["secret_ref"].as_str().unwrap());
        assert_eq!(
            member.call(&format!("GET {path}/payload")).body,
            plain,
            "{sent:?}"
        );
    }
    for bad in ["AAA", "A", "AAAA=A", "A\u{fc}AA"] {
        create(bad).is(400, "Provided object does not match schema 'Secret': Invalid payload for payload_content_encoding. Invalid property: 'payload'");
    }
    // The same holds for the second step.
    let path = member.create(&json!({}));
    let put = member.send(
        &format!("PUT {path}"),
        &[
            ("Content-Type", "application/octet-stream"),
            ("Content-Encoding", "base64"),
        ],
        lines.as_bytes(),
    );
    put.is_empty(204);
    assert_eq!(member.call(&format!("GET {path}/payload")).body, plain);
}

#[test]
fn clients_13_strings_are_stripped_on_post_and_not_on_put() {
    let (_server, member) = set_up();
    let path = member.create(&json!({"name": "\t n \n", "algorithm": " aes ",
        "payload": "\n  inner  blanks stay\n\n", "payload_content_type": " text/plain "}));
    let secret = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(
        (&secret["name"], &secret["algorithm"]),
        (&json!("n"), &json!("aes"))
    );
    let payload = member.call(&format!("GET {path}/payload"));
    assert_eq!(payload.text(), "inner  blanks stay");
    let path = member.create(&json!({}));
    member
        .put(&path, "text/plain", b"\n as it is \n")
        .is_empty(204);
    assert_eq!(
        member.call(&format!("GET {path}/payload")).text(),
        "\n as it is \n"
    );
    member
        .json(
            &format!("PUT {path}/metadata"),
            &json!({"metadata": {"k": " v "}}),
        )
        .ok(201);
    assert_eq!(
        member.call(&format!("GET {path}/metadata/k")).ok(200)["value"],
        "v"
    );
}

#[test]
fn clients_14_labels_are_not_checked_against_the_payload() {
    let (_server, member) = set_up();
    let pkcs12: Vec<u8> = (0..3000_u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
    for (algorithm, bit_length, mode) in [
        ("aes", 256, "cbc"),
        ("nonsense", 1, "x"),
        ("rsa", 32_767, ""),
    ] {
        let path = member.create(&json!({"secret_type": "opaque", "algorithm": algorithm,
            "bit_length": bit_length, "mode": mode, "payload": base64(&pkcs12),
            "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"}));
        let payload = member.accepting(&format!("GET {path}/payload"), "application/octet-stream");
        assert_eq!(payload.body, pkcs12);
        assert_eq!(
            member.call(&format!("GET {path}")).ok(200)["bit_length"],
            bit_length
        );
    }
}

#[test]
fn clients_15_the_name_filter_is_like() {
    let (_server, member) = set_up();
    for name in [
        "kube_ingress_ns_a",
        "kube_ingress_ns_b",
        "KUBE_other",
        "100%",
        "x",
    ] {
        member.create(&json!({"name": name}));
    }
    member.create(&json!({}));
    for (filter, expected) in [
        ("kube_ingress_ns_a", 1),
        ("kube%25", 3),
        ("Kube_ingress_ns_A", 1),
        ("kube_ingress_ns__", 2),
        ("%25ingress%25", 2),
        ("_", 1),
        ("ingress", 0),
        ("%25", 5),
        ("100%2525", 1),
        ("", 6),
    ] {
        let list = member
            .call(&format!("GET /v1/secrets?name={filter}"))
            .ok(200);
        assert_eq!(list["total"], expected, "{filter}");
        assert_eq!(
            list["secrets"].as_array().unwrap().len(),
            expected,
            "{filter}"
        );
    }
}

#[test]
fn clients_16_a_secret_without_name_has_null() {
    let (_server, member) = set_up();
    for body in [json!({}), json!({"name": null})] {
        let path = member.create(&body);
        let secret = member.call(&format!("GET {path}")).ok(200);
        assert_eq!(secret["name"], Value::Null);
    }
    let empty = member.create(&json!({"name": ""}));
    assert_eq!(member.call(&format!("GET {empty}")).ok(200)["name"], "");
    let list = member.call("GET /v1/secrets").ok(200);
    let names: Vec<&Value> = list["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|secret| &secret["name"])
        .collect();
    assert_eq!(names, [&Value::Null, &Value::Null, &json!("")]);
}

/// Ceph's gateway takes exactly 32 bytes, and sends nothing that discovers anything.
#[test]
fn clients_17_legacy_decrypt() {
    let (_server, member) = set_up();
    let key: Vec<u8> = (100..132).collect();
    let path = member.create(&json!({"payload": base64(&key),
        "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"}));
    let line = format!("GET {path}");
    let read = member.accepting(&line, "application/octet-stream");
    assert_eq!((read.status, read.body), (200, key.clone()));
    let read = member.accepting(&line, "");
    assert_eq!((read.status, read.body), (200, key));
    for accept in ["application/json", "*/*"] {
        assert_eq!(member.accepting(&line, accept).ok(200)["status"], "ACTIVE");
    }
    member.call(&line).ok(200);
    member.accepting(&line, "text/plain").is(
        406,
        "Secret retrieval issue seen - Wrong payload content-type.",
    );
    let text = member.store("a text");
    let read = member.accepting(&format!("GET {text}"), "text/plain");
    assert_eq!(read.text(), "a text");
    assert_eq!(
        read.header("content-type").as_deref(),
        Some("text/plain; charset=UTF-8")
    );
}

#[test]
fn clients_18_a_secret_without_payload() {
    let (_server, member) = set_up();
    let path = member.create(&json!({"name": "bare"}));
    let secret = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(secret.get("content_types"), None);
    assert_eq!(secret["status"], "ACTIVE");
    for accept in ["text/plain", "application/octet-stream", "application/json"] {
        member
            .accepting(&format!("GET {path}/payload"), accept)
            .is(404, "Not Found. Sorry but your secret has no payload.");
    }
    // What Terraform does when there is nothing to put.
    member.put(&path, "text/plain; charset=utf-8", b"").is(
        400,
        "Secret update issue seen - No data supplied to process..",
    );
}
