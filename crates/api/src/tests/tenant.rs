//! The oldest form, with the tenant in the path.

use serde_json::json;

use super::{Rig, header, parsed, path_of, shown};

fn check_put(rig: &Rig, path: &str, headers: &[(&str, &str)], body: &[u8], status: u16) {
    let response = rig.send("member", &format!("PUT {path}"), headers, body);
    assert_eq!(
        response.status(),
        status,
        "{headers:?}: {}",
        shown(&response)
    );
}

#[test]
fn a_payload_is_added_with_200() {
    let rig = Rig::new();
    let created = rig.json("member", "POST /v1/p/secrets", &json!({}));
    let path = path_of(&created);
    assert!(path.starts_with("/v1/p/secrets/"), "{path}");
    assert_eq!(header(&created, "location"), format!("http://h{path}"));
    let put = rig.send(
        "member",
        &format!("PUT {path}"),
        &[("content-type", "application/octet-stream")],
        b"\x00\xff",
    );
    assert_eq!((put.status().as_u16(), put.body().len()), (200, 0));
    assert!(header(&put, "x-openstack-request-id").starts_with("req-"));
    let read = rig.send(
        "member",
        &format!("GET {path}"),
        &[("accept", "application/octet-stream")],
        b"",
    );
    assert_eq!(&read.body()[..], b"\x00\xff");
    assert_eq!(
        rig.send("member", &format!("DELETE {path}"), &[], b"")
            .status(),
        204
    );
}

#[test]
fn what_a_put_answers() {
    let rig = Rig::new();
    let path = path_of(&rig.json("member", "POST /v1/p/secrets", &json!({})));
    check_put(
        &rig,
        &path,
        &[("content-type", "application/json")],
        b"{}",
        400,
    );
    check_put(&rig, &path, &[("content-type", "image/png")], b"x", 400);
    check_put(&rig, &path, &[], b"x", 400);
    check_put(&rig, &path, &[("content-type", "text/plain")], b"", 400);
    check_put(
        &rig,
        &path,
        &[("content-type", "text/plain")],
        &[b'x'; 10_001],
        413,
    );
    let unknown = "/v1/p/secrets/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
    check_put(&rig, unknown, &[("content-type", "text/plain")], b"x", 404);
    check_put(
        &rig,
        &path,
        &[("content-type", "text/plain")],
        &[b'x'; 10_000],
        200,
    );
    check_put(
        &rig,
        &path,
        &[("content-type", "text/plain")],
        b"again",
        409,
    );
}

#[test]
fn what_a_post_answers() {
    let rig = Rig::new();
    let post = |body: serde_json::Value| {
        rig.json("member", "POST /v1/p/secrets", &body)
            .status()
            .as_u16()
    };
    assert_eq!(
        post(json!({"payload": "v", "payload_content_type": "text/plain"})),
        201
    );
    assert_eq!(
        post(json!({"payload": "", "payload_content_type": "text/plain"})),
        400
    );
    assert_eq!(post(json!({"payload": "v"})), 400);
    assert_eq!(
        post(json!({"payload": "v", "payload_content_type": "image/png"})),
        400
    );
    assert_eq!(
        post(json!({"payload": "x".repeat(10_001), "payload_content_type": "text/plain"})),
        413
    );
    assert_eq!(
        post(json!({"payload": "x".repeat(25_001), "payload_content_type": "text/plain"})),
        400
    );
}

#[test]
fn the_accept_header_chooses_what_is_read() {
    let rig = Rig::new();
    let path = path_of(&rig.json("member", "POST /v1/p/secrets", &json!({})));
    let get = |accept: &str| rig.send("member", &format!("GET {path}"), &[("accept", accept)], b"");
    assert_eq!(get("application/json").status(), 200);
    assert_eq!(get("text/plain").status(), 404);
    check_put(
        &rig,
        &path,
        &[("content-type", "application/octet-stream")],
        b"\xff",
        200,
    );
    assert_eq!(get("application/octet-stream").body().len(), 1);
    assert_eq!(get("text/plain").status(), 406);
    assert_eq!(get("text/html").status(), 406);
    let metadata = parsed(&rig.get("member", &path));
    assert_eq!(
        metadata["content_types"],
        json!({"default": "application/octet-stream"})
    );
}

#[test]
fn secrets_without_a_name_show_their_id() {
    let rig = Rig::new();
    let path = path_of(&rig.json("member", "POST /v1/p/secrets", &json!({})));
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(parsed(&rig.get("member", &path))["name"], id);
    let list = parsed(&rig.get("member", "/v1/p/secrets?limit=1"));
    assert_eq!(list["secrets"][0]["name"], id);
    assert_eq!(list["secrets"][0]["secret_ref"], format!("http://h{path}"));
    assert_eq!(
        parsed(&rig.get("member", &format!("/v1/secrets/{id}")))["name"],
        json!(null)
    );
}

#[test]
fn links_keep_the_form() {
    let rig = Rig::new();
    for _ in 0..3 {
        rig.json("member", "POST /v1/p/secrets", &json!({}));
    }
    let list = parsed(&rig.get("member", "/v1/p/secrets?limit=1&offset=1"));
    assert_eq!(list["next"], "http://h/v1/p/secrets?limit=1&offset=2");
    assert_eq!(list["previous"], "http://h/v1/p/secrets?limit=1&offset=0");
}

#[test]
fn another_tenant_is_not_found() {
    let rig = Rig::new();
    let path = rig.stored("hush");
    let id = path.rsplit('/').next().unwrap();
    let collection = rig.get("member", "/v1/q/secrets");
    assert_eq!(
        (
            collection.status().as_u16(),
            &parsed(&collection)["description"]
        ),
        (404, &json!(""))
    );
    let one = rig.get("member", &format!("/v1/q/secrets/{id}"));
    assert_eq!(
        (one.status().as_u16(), &parsed(&one)["description"]),
        (404, &json!("Secret not found."))
    );
    // A secret of another project is not this tenant's, even where its ACL names the caller.
    rig.json(
        "member",
        &format!("PUT {path}/acl"),
        &json!({"read": {"users": ["s"]}}),
    );
    assert_eq!(rig.get("stranger", &path).status(), 200);
    assert_eq!(
        rig.get("stranger", &format!("/v1/q/secrets/{id}")).status(),
        404
    );
    check_put(
        &rig,
        &format!("/v1/q/secrets/{id}"),
        &[("content-type", "text/plain")],
        b"x",
        404,
    );
}

#[test]
fn today_s_resources_are_not_below_a_tenant() {
    let rig = Rig::new();
    let id = rig.stored("hush").rsplit('/').next().unwrap().to_owned();
    for below in ["payload", "metadata", "consumers", "acl"] {
        assert_eq!(
            rig.get("member", &format!("/v1/p/secrets/{id}/{below}"))
                .status(),
            404,
            "{below}"
        );
    }
}

#[test]
fn containers_answer_as_today_with_the_tenant_in_references() {
    let rig = Rig::new();
    let secret = path_of(&rig.json("member", "POST /v1/p/secrets", &json!({})));
    let entry = json!({"name": "a", "secret_ref": format!("http://h{secret}")});
    let body = json!({"type": "generic", "secret_refs": [entry]});
    let created = rig.json("member", "POST /v1/p/containers", &body);
    assert_eq!(created.status(), 201, "{}", shown(&created));
    let path = path_of(&created);
    assert!(path.starts_with("/v1/p/containers/"), "{path}");
    assert_eq!(header(&created, "location"), format!("http://h{path}"));
    let container = parsed(&rig.get("member", &path));
    assert_eq!(container["secret_refs"], json!([entry]));
    assert_eq!(container["name"], json!(null));
    for _ in 0..2 {
        rig.json("member", "POST /v1/p/containers", &json!({"type": "rsa"}));
    }
    let list = parsed(&rig.get("member", "/v1/p/containers?limit=1&offset=1"));
    assert_eq!(list["next"], "http://h/v1/p/containers?limit=1&offset=2");
    let deleted = rig.send("member", &format!("DELETE {path}"), &[], b"");
    assert_eq!(deleted.status(), 204);
    // The same container is there in today's form, until it is gone.
    assert_eq!(rig.get("member", &path.replace("/p/", "/")).status(), 404);
}

#[test]
fn consumers_of_containers_answer_with_the_container() {
    let rig = Rig::new();
    let path = path_of(&rig.json("member", "POST /v1/p/containers", &json!({"type": "rsa"})));
    let (post, delete) = (
        format!("POST {path}/consumers"),
        format!("DELETE {path}/consumers"),
    );
    let consumer = json!({"name": "n", "URL": "u"});
    let added = rig.json("member", &post, &consumer);
    assert_eq!(added.status(), 200);
    assert_eq!(parsed(&added)["consumers"], json!([consumer]));
    // The documents of this form have small letters in requests, and capitals in answers.
    let small = json!({"name": "n", "url": "v"});
    let added = rig.json("member", &post, &small);
    assert_eq!(
        parsed(&added)["consumers"][1],
        json!({"name": "n", "URL": "v"})
    );
    let listed = parsed(&rig.get("member", &format!("{path}/consumers?limit=1")));
    assert_eq!(
        listed["next"],
        format!("http://h{path}/consumers?limit=1&offset=1")
    );
    let left = rig.json("member", &delete, &consumer);
    assert_eq!(left.status(), 200);
    assert_eq!(parsed(&left)["consumers"].as_array().unwrap().len(), 1);
    assert_eq!(rig.json("member", &delete, &consumer).status(), 404);
}

#[test]
fn containers_of_another_tenant_are_not_found() {
    let rig = Rig::new();
    let path = rig.contained(&[]);
    let acl = json!({"read": {"users": ["s"]}});
    rig.json("member", &format!("PUT {path}/acl"), &acl);
    let id = path.rsplit('/').next().unwrap();
    let consumer = json!({"name": "n", "URL": "u"});
    for below in ["", "/consumers"] {
        // In today's form the ACL lets the stranger in.
        assert_eq!(rig.get("stranger", &format!("{path}{below}")).status(), 200);
        for tenant in ["p", "q"] {
            let of_tenant = format!("/v1/{tenant}/containers/{id}{below}");
            let refused = rig.get("stranger", &of_tenant);
            assert_eq!(refused.status(), 404, "{of_tenant}");
            let text = "Secrets container not found.";
            assert_eq!(parsed(&refused)["description"], text, "{of_tenant}");
            assert_eq!(rig.get("", &of_tenant).status(), 401, "{of_tenant}");
            let line = format!("POST {of_tenant}");
            let posted = rig.json("stranger", &line, &consumer);
            assert_eq!(posted.status(), 404, "{line}");
        }
    }
    assert_eq!(rig.get("member", "/v1/q/containers").status(), 404);
    assert_eq!(rig.get("reader", "/v1/p/containers").status(), 403);
    for below in ["acl", "secrets", "consumers/x"] {
        let path = format!("/v1/p/containers/{id}/{below}");
        assert_eq!(rig.get("member", &path).status(), 404, "{path}");
    }
}
