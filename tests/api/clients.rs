//! What real clients depend on: one test for each invariant that concerns versions, secrets, user metadata, consumers
//! and ACLs. Break one, and a client that exists breaks.

use serde_json::{Value, json};

use crate::support::{Caller, Response, Server, base64, id_of, path_of};

/// A server and a member of a project.
pub(crate) fn set_up() -> (Server, Caller) {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    (server, member)
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"))
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

fn at_version(caller: &Caller, version: &str) -> Caller {
    caller.with("OpenStack-API-Version", &format!("key-manager {version}"))
}

fn consumer(n: u32) -> Value {
    json!({"service": "image", "resource_type": "image", "resource_id": format!("r{n}")})
}

/// A secret with everything set.
fn full(member: &Caller) -> String {
    member.create(&json!({
        "name": "n", "secret_type": "symmetric", "algorithm": "aes", "bit_length": 256, "mode": "cbc",
        "expiration": "2100-01-01T00:00:00", "payload": base64(&[7; 32]),
        "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64",
    }))
}

const SECRET_KEYS: [&str; 12] = [
    "algorithm",
    "bit_length",
    "content_types",
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

// === 1 to 5: shapes ===

#[test]
fn clients_01_no_unknown_keys() {
    let (_server, member) = set_up();
    let path = full(&member);
    let mut with_consumers = SECRET_KEYS.to_vec();
    with_consumers.push("consumers");
    with_consumers.sort_unstable();
    for (version, expected) in [
        ("1.0", &SECRET_KEYS[..]),
        ("1.1", &with_consumers[..]),
        ("1.2", &with_consumers[..]),
    ] {
        let caller = at_version(&member, version);
        let one = caller.call(&format!("GET {path}")).ok(200);
        assert_eq!(keys(&one), expected, "{version}");
        let list = caller.call("GET /v1/secrets").ok(200);
        assert_eq!(list["secrets"][0], one, "{version}");
        // Answers to changes of consumers show them in every version.
        for method in ["POST", "DELETE"] {
            let line = format!("{method} {path}/consumers");
            let changed = caller.json(&line, &consumer(1)).ok(200);
            assert_eq!(keys(&changed), with_consumers, "{version} {method}");
        }
        caller
            .json(&format!("POST {path}/consumers"), &consumer(1))
            .ok(200);
        let listed = caller.call(&format!("GET {path}/consumers")).ok(200);
        assert_eq!(
            keys(&listed["consumers"][0]),
            [
                "created",
                "resource_id",
                "resource_type",
                "service",
                "status",
                "updated"
            ]
        );
    }
    let shown = at_version(&member, "1.2")
        .call(&format!("GET {path}"))
        .ok(200);
    assert_eq!(shown["consumers"], json!([consumer(1)]));
}

#[test]
fn clients_02_acl_document() {
    let (_server, member) = set_up();
    let path = full(&member);
    let get = || member.call(&format!("GET {path}/acl")).ok(200);
    assert_eq!(get(), json!({"read": {"project-access": true}}));
    let body = json!({"read": {"project-access": false, "users": ["u1"]}});
    member.json(&format!("PUT {path}/acl"), &body).ok(200);
    let acl = get();
    assert_eq!(keys(&acl), ["read"]);
    assert_eq!(
        keys(&acl["read"]),
        ["created", "project-access", "updated", "users"]
    );
    assert_eq!(acl["read"]["users"], json!(["u1"]));
    assert_eq!(acl["read"]["project-access"], false);
}

#[test]
fn clients_03_one_array_per_list_body() {
    let (server, member) = set_up();
    for n in 0..12 {
        member.create(&json!({"name": format!("n{n}")}));
    }
    let arrays = |body: &Value| {
        let fields = body.as_object().unwrap();
        fields.values().filter(|value| value.is_array()).count()
    };
    let first = member.call("GET /v1/secrets").ok(200);
    assert_eq!(keys(&first), ["next", "secrets", "total"]);
    assert_eq!(arrays(&first), 1);
    let next = first["next"].as_str().unwrap();
    assert_eq!(
        next,
        format!("{}/v1/secrets?limit=10&offset=10", server.base())
    );
    let last = member.call(&format!("GET {}", path_of(next))).ok(200);
    assert_eq!(keys(&last), ["previous", "secrets", "total"]);
    assert_eq!(last["secrets"].as_array().unwrap().len(), 2);
    // Neither null nor an empty array stands for a link that is not there.
    let beyond = member.call("GET /v1/secrets?offset=100").ok(200);
    assert_eq!(beyond, json!({"secrets": [], "total": 12}));
    let path = full(&member);
    for n in 0..3 {
        member
            .json(&format!("POST {path}/consumers"), &consumer(n))
            .ok(200);
    }
    let consumers = member
        .call(&format!("GET {path}/consumers?limit=1&offset=1"))
        .ok(200);
    assert_eq!(keys(&consumers), ["consumers", "next", "previous", "total"]);
    assert_eq!(arrays(&consumers), 1);
    assert_eq!(
        consumers["next"],
        format!("{}{path}/consumers?limit=1&offset=2", server.base())
    );
}

#[test]
fn clients_03_following_next_shows_everything_once() {
    let (_server, member) = set_up();
    let mut paths: Vec<String> = (0..25).map(|_| member.create(&json!({}))).collect();
    let mut seen = Vec::new();
    let mut next = Some("/v1/secrets?limit=4".to_owned());
    while let Some(path) = next {
        let part = member.call(&format!("GET {path}")).ok(200);
        assert_eq!(part["total"], 25);
        for secret in part["secrets"].as_array().unwrap() {
            seen.push(path_of(secret["secret_ref"].as_str().unwrap()).to_owned());
        }
        next = part["next"].as_str().map(|next| path_of(next).to_owned());
    }
    paths.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, paths);
}

/// The client asks on with the last reference it has seen, and stops when nothing comes.
#[test]
fn clients_03_sdk_marker_ends() {
    let (server, member) = set_up();
    for _ in 0..3 {
        member.create(&json!({}));
    }
    let page = member.call("GET /v1/secrets?limit=5").ok(200);
    let last = page["secrets"][2]["secret_ref"].as_str().unwrap();
    for marker in [last, id_of(last)] {
        let marker = marker.replace(':', "%3A").replace('/', "%2F");
        let after = member
            .call(&format!("GET /v1/secrets?limit=5&marker={marker}"))
            .ok(200);
        assert_eq!(after["secrets"], json!([]), "{marker}");
    }
    let first = page["secrets"][0]["secret_ref"].as_str().unwrap();
    let after = member
        .call(&format!("GET /v1/secrets?limit=5&marker={}", id_of(first)))
        .ok(200);
    assert_eq!(after["secrets"].as_array().unwrap().len(), 2);
    drop(server);
}

/// `2026-01-01T00:00:00`, with up to six decimals and without a zone.
#[track_caller]
fn check_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no text: {value}"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let shape: String = whole
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    assert_eq!(shape, "9999-99-99T99:99:99", "{text}");
    assert!(
        (1..=6).contains(&fraction.len()) && fraction.chars().all(|c| c.is_ascii_digit()),
        "{text}"
    );
}

#[test]
fn clients_04_timestamps_without_zone() {
    let (_server, member) = set_up();
    let path = full(&member);
    member
        .json(&format!("POST {path}/consumers"), &consumer(1))
        .ok(200);
    member
        .json(
            &format!("PUT {path}/acl"),
            &json!({"read": {"users": ["u"]}}),
        )
        .ok(200);
    let secret = member.call(&format!("GET {path}")).ok(200);
    for key in ["created", "updated", "expiration"] {
        check_time(&secret[key]);
    }
    assert_eq!(secret["expiration"], "2100-01-01T00:00:00");
    let consumers = member.call(&format!("GET {path}/consumers")).ok(200);
    let acl = member.call(&format!("GET {path}/acl")).ok(200);
    for key in ["created", "updated"] {
        check_time(&consumers["consumers"][0][key]);
        check_time(&acl["read"][key]);
    }
    let unset = member.create(&json!({}));
    let unset = member.call(&format!("GET {unset}")).ok(200);
    assert_eq!(unset["expiration"], Value::Null);
}

#[test]
fn clients_04_timestamps_in_every_form_are_taken() {
    let (_server, member) = set_up();
    for (sent, shown) in [
        ("2100-01-01T12:00:00Z", "2100-01-01T12:00:00"),
        ("2100-01-01T12:00:00", "2100-01-01T12:00:00"),
        ("2100-01-01T12:00:00+02:00", "2100-01-01T10:00:00"),
        ("2100-01-01T12:00:00.5-01:30", "2100-01-01T13:30:00.500000"),
        ("2100-01-01", "2100-01-01T00:00:00"),
    ] {
        let path = member.create(&json!({"expiration": sent}));
        let secret = member.call(&format!("GET {path}")).ok(200);
        assert_eq!(secret["expiration"], shown, "{sent}");
    }
    for filter in [
        "created=gt:2006-01-02T15:04:05Z",
        "created=gt:2006-01-02T15:04:05%2B02:00",
        "created=gt:2006-01-02T15:04:05",
        "expiration=gte:2100-01-01T00:00:00Z,lte:2100-01-02T00:00:00%2B00:00",
        "updated=gt:2006-01-02",
    ] {
        let list = member.call(&format!("GET /v1/secrets?{filter}")).ok(200);
        assert_eq!(list["total"], 5, "{filter}");
    }
    let none = member.call("GET /v1/secrets?created=lt:2006-01-02T15:04:05Z");
    assert_eq!(none.ok(200)["total"], 0);
    member
        .call("GET /v1/secrets?created=yesterday")
        .is(400, "URI provided invalid query string parameters.");
}

#[test]
fn clients_05_error_body() {
    let (_server, member) = set_up();
    let path = full(&member);
    let reader = member.with("X-Unused", "1");
    let stranger = _server.member_of("elsewhere");
    for (response, status, title) in [
        (reader.call("GET /v1/nothing"), 404, "Not Found"),
        (reader.call("PUT /v1/secrets"), 405, "Method Not Allowed"),
        (
            reader.accepting("GET /v1/secrets", "text/plain"),
            406,
            "Not Acceptable",
        ),
        (
            reader.send(
                "POST /v1/secrets",
                &[("Content-Type", "application/json")],
                b"{",
            ),
            400,
            "Bad Request",
        ),
        (
            reader.put(&path, "image/png", b"x"),
            415,
            "Unsupported Media Type",
        ),
        (reader.put(&path, "text/plain", b"x"), 409, "Conflict"),
        (
            reader.json(
                "POST /v1/secrets",
                &json!({"payload": "x".repeat(20_001), "payload_content_type": "text/plain"}),
            ),
            413,
            "Request Entity Too Large",
        ),
        (stranger.call(&format!("GET {path}")), 403, "Forbidden"),
    ] {
        let body = response.ok(status);
        assert_eq!(keys(&body), ["code", "description", "title"], "{body}");
        assert_eq!(body["code"], status);
        assert_eq!(body["title"], title);
        assert_eq!(
            response.header("content-type").as_deref(),
            Some("application/json")
        );
    }
}

/// The client looks for these words.
#[test]
fn clients_05_literal_words() {
    let (server, member) = set_up();
    let path = full(&member);
    member
        .json(&format!("POST {path}/consumers"), &consumer(1))
        .ok(200);
    let refused = at_version(&member, "1.2").call(&format!("DELETE {path}"));
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text()
            .contains("Secret cannot be deleted as it has consumers."),
        "{}",
        refused.text()
    );
    let forbidden = server.member_of("elsewhere").call(&format!("GET {path}"));
    assert!(forbidden.text().contains("Forbidden"));
    // As text they would be hard to find if they were escaped.
    assert!(refused.text().is_ascii());
}

// === 6 to 8: addresses ===

#[test]
fn clients_06_trailing_and_double_slashes() {
    let (_server, member) = set_up();
    for line in [
        "POST /v1/secrets/",
        "POST /v1/secrets",
        "POST //v1/secrets",
        "POST //v1/secrets/",
        "POST /v1//secrets",
        "POST /v1/secrets//",
    ] {
        let created = member.json(line, &json!({"name": line}));
        let reference = created.ok(201)["secret_ref"].as_str().unwrap().to_owned();
        let path = path_of(&reference);
        assert!(
            path.starts_with("/v1/secrets/") && !path.ends_with('/'),
            "{path}"
        );
    }
    let path = full(&member);
    for form in [
        format!("{path}/"),
        format!("/{path}"),
        path.replace("/secrets/", "//secrets//"),
    ] {
        assert_eq!(
            member.call(&format!("GET {form}")).ok(200)["name"],
            "n",
            "{form}"
        );
        let line = format!("POST {form}/consumers/");
        member.json(&line, &consumer(1)).ok(200);
        member.call(&format!("GET {form}/payload/"));
        member.call(&format!("GET {form}/acl/")).ok(200);
        member
            .json(&format!("PUT {form}/metadata/"), &json!({"metadata": {}}))
            .ok(201);
    }
}

#[test]
fn clients_07_discovery() {
    let (server, member) = set_up();
    let nobody = server.nobody();
    let base = server.base();
    let links = json!([
        {"rel": "self", "href": format!("{base}/v1/")},
        {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"}
    ]);
    let old = json!({
        "id": "v1", "status": "stable", "links": links,
        "media-types": [{"base": "application/json",
            "type": "application/vnd.openstack.key-manager-v1+json"}]
    });
    let new = json!({
        "id": "v1", "status": "CURRENT", "min_version": "1.0", "max_version": "1.2", "links": links
    });
    let root = nobody.call("GET /");
    assert_eq!(root.ok(300), json!({"versions": {"values": [old]}}));
    assert_eq!(
        at_version(&nobody, "1.0").call("GET /").ok(300),
        root.json()
    );
    for version in ["1.1", "1.2", "latest"] {
        let root = at_version(&nobody, version).call("GET /");
        assert_eq!(root.ok(300), json!({"versions": [new]}), "{version}");
    }
    for path in ["/v1", "/v1/"] {
        let document = member.call(&format!("GET {path}"));
        assert_eq!(document.ok(200), json!({"version": old}));
        let document = at_version(&member, "1.1").call(&format!("GET {path}"));
        assert_eq!(document.ok(200), json!({"version": new}));
    }
    assert_eq!(at_version(&nobody, "1.9").call("GET /").status, 406);
    assert_eq!(
        at_version(&member, "1.9").call("GET /v1/secrets").status,
        406
    );
    // The base is what the client used to get here.
    let proxied = nobody.with("X-Forwarded-Proto", "https").call("GET /");
    let href = &proxied.ok(300)["versions"]["values"][0]["links"][0]["href"];
    assert_eq!(*href, format!("https://{}/v1/", server.host()));
}

#[test]
fn clients_07_discovery_needs_no_token() {
    let server = Server::new("tokens");
    server.nobody().call("GET /").ok(300);
    server.holder("expired").call("GET /").ok(300);
    assert_eq!(server.nobody().call("GET /healthcheck").text(), "OK");
}

/// Clients append `v1/` or `/v1/` to the address of the catalogue, with or without a slash at its end.
#[test]
fn clients_08_catalogue_address_without_version() {
    let (_server, member) = set_up();
    for endpoint in ["", "/"] {
        for appended in ["/v1/secrets", "/v1/secrets/"] {
            let line = format!("GET {endpoint}{appended}");
            member.call(&line).ok(200);
        }
    }
}

// === 9 to 11: statuses, bodies, references ===

#[test]
fn clients_09_statuses() {
    let (_server, member) = set_up();
    let path = member.create(&json!({}));
    member.put(&path, "text/plain", b"x").is_empty(204);
    let metadata = json!({"metadata": {"a": "1"}});
    member
        .json(&format!("PUT {path}/metadata"), &metadata)
        .ok(201);
    let one = json!({"key": "b", "value": "2"});
    assert_eq!(
        member.json(&format!("POST {path}/metadata"), &one).ok(201),
        one
    );
    let changed = json!({"key": "b", "value": "3"});
    assert_eq!(
        member
            .json(&format!("PUT {path}/metadata/b"), &changed)
            .ok(200),
        changed
    );
    member
        .call(&format!("DELETE {path}/metadata/b"))
        .is_empty(204);
    let acl = json!({"read": {"users": ["u"]}});
    for method in ["PUT", "PATCH"] {
        let answer = member.json(&format!("{method} {path}/acl"), &acl);
        assert_eq!(keys(&answer.ok(200)), ["acl_ref"]);
    }
    member.call(&format!("GET {path}/acl")).ok(200);
    assert_eq!(
        member.call(&format!("DELETE {path}/acl")).ok(200),
        Value::Null
    );
    for method in ["POST", "DELETE"] {
        let answer = member.json(&format!("{method} {path}/consumers"), &consumer(1));
        assert!(answer.ok(200)["secret_ref"].is_string());
    }
    member.call(&format!("DELETE {path}")).is_empty(204);
    member
        .call(&format!("DELETE {path}"))
        .is(404, "Secret not found.");
}

#[test]
fn clients_10_delete_reads_its_body() {
    let (_server, member) = set_up();
    let path = full(&member);
    for n in 0..3 {
        member
            .json(&format!("POST {path}/consumers"), &consumer(n))
            .ok(200);
    }
    let left = member
        .json(&format!("DELETE {path}/consumers"), &consumer(1))
        .ok(200);
    assert_eq!(left["consumers"], json!([consumer(0), consumer(2)]));
    let unknown = member.json(&format!("DELETE {path}/consumers"), &consumer(1));
    unknown.is(404, "Consumer not found.");
    let untyped = member.send(&format!("DELETE {path}/consumers"), &[], b"{}");
    assert_eq!(untyped.status, 415);
}

#[test]
fn clients_11_references_are_absolute_and_end_in_the_id() {
    let (server, member) = set_up();
    let created = member.json("POST /v1/secrets", &json!({}));
    let reference = created.ok(201)["secret_ref"].as_str().unwrap().to_owned();
    assert_eq!(created.header("location"), Some(reference.clone()));
    let path = path_of(&reference);
    assert_eq!(reference, format!("{}{path}", server.base()));
    assert_eq!(path, format!("/v1/secrets/{}", id_of(path)));
    check_uuid_v4(id_of(path));
    let shown = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(shown["secret_ref"], reference);
    assert_eq!(
        member.call("GET /v1/secrets").ok(200)["secrets"][0]["secret_ref"],
        reference
    );
    let acl = member.json(&format!("PUT {path}/acl"), &json!({"read": {}}));
    assert_eq!(acl.ok(200)["acl_ref"], format!("{reference}/acl"));
    let metadata = member.json(&format!("PUT {path}/metadata"), &json!({"metadata": {}}));
    assert_eq!(
        metadata.ok(201)["metadata_ref"],
        format!("{reference}/metadata")
    );
    // Another name for the same server shows in the references, and so does a port.
    let launch = server.stop().flag("--danger-noauth-on-any-address");
    let server = launch.start();
    let renamed = raw_get(&server, path, "kms.example.org:1234");
    let expected = format!("http://kms.example.org:1234{path}");
    assert_eq!(renamed.ok(200)["secret_ref"], expected);
}

/// A request with a `Host` of its own.
fn raw_get(server: &Server, path: &str, host: &str) -> Response {
    let mut connection = server.connect();
    let headers = [("X-Project-Id", "p"), ("X-Roles", "member")];
    connection.write(&crate::support::request_bytes(
        &format!("GET {path}"),
        host,
        &headers,
        b"",
    ));
    connection.read(false)
}

#[track_caller]
fn check_uuid_v4(id: &str) {
    assert!(crate::support::is_request_id(&format!("req-{id}")), "{id}");
}
