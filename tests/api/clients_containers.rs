//! What real clients depend on in containers: one test for each invariant that concerns them. Break one, and a client
//! that exists breaks.

use serde_json::{Value, json};

use crate::support::{Caller, Server, path_of};

fn set_up() -> (Server, Caller) {
    let server = Server::new("noauth");
    let member = server.member_of("p");
    (server, member)
}

fn keys(object: &Value) -> Vec<&str> {
    let keys = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"))
        .keys();
    keys.map(String::as_str).collect()
}

fn octavia() -> Value {
    json!({"name": "Octavia", "URL": "https://lb.example.org/1"})
}

/// The path of a container for a load balancer, as clients make it, and the references of its secrets.
fn tls(server: &Server, member: &Caller) -> (String, Vec<String>) {
    let stored = ["certificate", "private_key"].map(|name| {
        let path = member.store(name);
        (name, format!("{}{path}", server.base()))
    });
    let entries = stored
        .iter()
        .map(|(name, reference)| json!({"name": name, "secret_ref": reference}));
    let body =
        json!({"name": "tls", "type": "certificate", "secret_refs": entries.collect::<Vec<_>>()});
    let created = member.json("POST /v1/containers/", &body).ok(201);
    let path = path_of(created["container_ref"].as_str().unwrap()).to_owned();
    (path, stored.map(|(_, reference)| reference).to_vec())
}

const CONTAINER_KEYS: [&str; 9] = [
    "consumers",
    "container_ref",
    "created",
    "creator_id",
    "name",
    "secret_refs",
    "status",
    "type",
    "updated",
];

#[test]
fn clients_01_containers_have_no_unknown_keys() {
    let (server, member) = set_up();
    let (path, _) = tls(&server, &member);
    let line = format!("POST {path}/consumers");
    let changed = member.json(&line, &octavia()).ok(200);
    assert_eq!(keys(&changed), CONTAINER_KEYS);
    assert_eq!(changed["consumers"], json!([octavia()]));
    let one = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(one, changed);
    let list = member.call("GET /v1/containers").ok(200);
    assert_eq!(list["containers"], json!([one]));
    assert_eq!(keys(&one["secret_refs"][0]), ["name", "secret_ref"]);
    let consumers = member.call(&format!("GET {path}/consumers")).ok(200);
    assert_eq!(
        keys(&consumers["consumers"][0]),
        ["URL", "created", "name", "status", "updated"]
    );
}

#[test]
fn clients_02_acl_document_of_a_container() {
    let (server, member) = set_up();
    let (path, _) = tls(&server, &member);
    let get = || member.call(&format!("GET {path}/acl")).ok(200);
    assert_eq!(get(), json!({"read": {"project-access": true}}));
    let body = json!({"read": {"users": ["octavia"]}});
    let written = member.json(&format!("PUT {path}/acl"), &body).ok(200);
    let acl_ref = format!("{}{path}/acl", server.base());
    assert_eq!(written, json!({"acl_ref": acl_ref}));
    assert_eq!(keys(&get()), ["read"]);
    let keys_of_read = ["created", "project-access", "updated", "users"];
    assert_eq!(keys(&get()["read"]), keys_of_read);
    let removed = member.call(&format!("DELETE {path}/acl"));
    assert_eq!((removed.status, removed.text().as_str()), (200, "null"));
}

#[test]
fn clients_03_lists_of_containers_have_one_array_and_absolute_links() {
    let (server, member) = set_up();
    for n in 0..12 {
        let body = json!({"type": "generic", "name": n.to_string()});
        member.json("POST /v1/containers", &body).ok(201);
    }
    let first = member.call("GET /v1/containers").ok(200);
    assert_eq!(keys(&first), ["containers", "next", "total"]);
    let next = first["next"].as_str().unwrap();
    let expected = format!("{}/v1/containers?limit=10&offset=10", server.base());
    assert_eq!(next, expected);
    let rest = member.call(&format!("GET {}", path_of(next))).ok(200);
    assert_eq!(keys(&rest), ["containers", "previous", "total"]);
    let names = [first, rest].map(|part| part["containers"].as_array().unwrap().clone());
    let names: Vec<_> = names
        .concat()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    let expected: Vec<_> = (0..12).map(|n: u32| json!(n.to_string())).collect();
    assert_eq!(names, expected);
    let total = member.call("GET /v1/containers?limit=0&offset=0").ok(200);
    assert_eq!(total["total"], 12);
}

/// The SDK asks once more behind the last container, and takes anything but an empty part for an endless loop.
#[test]
fn clients_03_sdk_marker_ends_in_containers() {
    let (_server, member) = set_up();
    for _ in 0..3 {
        member
            .json("POST /v1/containers", &json!({"type": "generic"}))
            .ok(201);
    }
    let page = member.call("GET /v1/containers?limit=2").ok(200);
    let reference = |page: &Value, n: usize| page["containers"][n]["container_ref"].clone();
    let marker = reference(&page, 1);
    let query = format!("limit=2&marker={}", marker.as_str().unwrap());
    let page = member.call(&format!("GET /v1/containers?{query}")).ok(200);
    assert_eq!(page["containers"].as_array().unwrap().len(), 1);
    let marker = reference(&page, 0);
    let query = format!("limit=2&marker={}", marker.as_str().unwrap());
    let page = member.call(&format!("GET /v1/containers?{query}")).ok(200);
    assert_eq!(page, json!({"containers": [], "total": 3}));
}

#[test]
fn clients_04_times_of_containers_have_no_zone() {
    let (server, member) = set_up();
    let (path, _) = tls(&server, &member);
    member
        .json(&format!("POST {path}/consumers"), &octavia())
        .ok(200);
    let container = member.call(&format!("GET {path}")).ok(200);
    let consumers = member.call(&format!("GET {path}/consumers")).ok(200);
    for shown in [&container, &consumers["consumers"][0]] {
        for key in ["created", "updated"] {
            let time = shown[key].as_str().unwrap();
            let digits = time
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-T:.".contains(&byte));
            assert!(digits && time.len() >= 19, "{key}: {time}");
        }
    }
}

#[test]
fn clients_06_containers_with_trailing_and_double_slashes() {
    let (_server, member) = set_up();
    for line in [
        "POST /v1/containers/",
        "POST //v1/containers",
        "POST /v1//containers//",
    ] {
        let created = member.json(line, &json!({"type": "generic"})).ok(201);
        let path = path_of(created["container_ref"].as_str().unwrap()).to_owned();
        assert!(!path.ends_with('/'), "{path}");
        member.call(&format!("GET /{path}/")).ok(200);
        member
            .json(&format!("POST {path}/consumers/"), &octavia())
            .ok(200);
        member.call(&format!("GET {path}//acl/")).ok(200);
    }
}

#[test]
fn clients_09_statuses_of_containers() {
    let (server, member) = set_up();
    let secret = format!("{}{}", server.base(), member.store("x"));
    let created = member.json("POST /v1/containers", &json!({"type": "generic"}));
    let path = path_of(created.ok(201)["container_ref"].as_str().unwrap()).to_owned();
    let entry = json!({"name": "n", "secret_ref": secret});
    let added = member.json(&format!("POST {path}/secrets"), &entry).ok(201);
    assert_eq!(added, created.json());
    member
        .json(&format!("DELETE {path}/secrets"), &entry)
        .is_empty(204);
    for method in ["POST", "DELETE"] {
        let answer = member.json(&format!("{method} {path}/consumers"), &octavia());
        assert!(answer.ok(200)["container_ref"].is_string());
    }
    for method in ["PUT", "PATCH"] {
        let acl = json!({"read": {"users": ["u"]}});
        member.json(&format!("{method} {path}/acl"), &acl).ok(200);
    }
    member.call(&format!("GET {path}/acl")).ok(200);
    member.call(&format!("DELETE {path}/acl")).ok(200);
    member.call(&format!("DELETE {path}")).is_empty(204);
    let gone = "Secrets container not found.";
    member.call(&format!("DELETE {path}")).is(404, gone);
}

#[test]
fn clients_10_delete_reads_its_body_in_containers() {
    let (server, member) = set_up();
    let (path, secrets) = tls(&server, &member);
    let other = json!({"name": "other", "URL": "u"});
    for consumer in [&octavia(), &other] {
        member
            .json(&format!("POST {path}/consumers"), consumer)
            .ok(200);
    }
    let left = member.json(&format!("DELETE {path}/consumers"), &octavia());
    assert_eq!(left.ok(200)["consumers"], json!([other]));
    let line = format!("DELETE {path}/secrets");
    let entry = json!({"name": "private_key", "secret_ref": secrets[1]});
    member.json(&line, &entry).is_empty(204);
    let shown = member.call(&format!("GET {path}")).ok(200);
    let kept = json!([{"name": "certificate", "secret_ref": secrets[0]}]);
    assert_eq!(shown["secret_refs"], kept);
    member.send(&line, &[], b"").is(400, "Malformed JSON");
}

#[test]
fn clients_11_references_of_containers_are_absolute_and_end_in_the_id() {
    let (server, member) = set_up();
    let (path, secrets) = tls(&server, &member);
    let id = path.strip_prefix("/v1/containers/").unwrap();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4));
    let shown = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(shown["container_ref"], format!("{}{path}", server.base()));
    let refs = shown["secret_refs"].as_array().unwrap().iter();
    let refs: Vec<_> = refs
        .map(|entry| entry["secret_ref"].as_str().unwrap())
        .collect();
    assert_eq!(refs, secrets);
}

/// Magnum deletes the secrets first, and then the container.
#[test]
fn secrets_may_go_before_their_container() {
    let (server, member) = set_up();
    let (path, secrets) = tls(&server, &member);
    for secret in &secrets {
        member
            .call(&format!("DELETE {}", path_of(secret)))
            .is_empty(204);
    }
    let shown = member.call(&format!("GET {path}")).ok(200);
    assert_eq!(shown["secret_refs"], json!([]));
    member.call(&format!("DELETE {path}")).is_empty(204);
}

/// Octavia tries each reference as a container too, and takes 404 only for an answer that it is none.
#[test]
fn the_id_of_a_secret_is_no_container() {
    let (_server, member) = set_up();
    let secret = member.store("x");
    let path = secret.replace("/secrets/", "/containers/");
    let none = "Secrets container not found.";
    member.call(&format!("GET {path}")).is(404, none);
}
