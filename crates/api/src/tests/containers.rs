//! Containers, their entries, ACLs and consumers. What is worded here is what
//! the recorded exchanges leave open or cannot show.

use serde_json::{Value, json};

use super::{Rig, header, parsed, path_of, shown};

const NOBODY: &str = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

fn reference(path: &str) -> String {
    format!("http://h{path}")
}

/// Sends as `member`, and checks status and description.
fn check(rig: &Rig, line: &str, body: &Value, status: u16, description: &str) {
    let response = rig.json("member", line, body);
    assert_eq!(
        response.status(),
        status,
        "{line} {body}: {}",
        shown(&response)
    );
    assert_eq!(
        parsed(&response)["description"],
        description,
        "{line} {body}"
    );
}

fn check_refused(rig: &Rig, body: &Value, description: &str) {
    check(rig, "POST /v1/containers", body, 400, description);
}

#[test]
fn a_container_goes_round() {
    let rig = Rig::new();
    let secret = rig.stored("hush");
    let entry = json!({"name": "a", "secret_ref": reference(&secret)});
    let body = json!({"name": "c", "type": "generic", "secret_refs": [entry]});
    let created = rig.json("member", "POST /v1/containers/", &body);
    let path = path_of(&created);
    assert_eq!(header(&created, "location"), reference(&path));
    let container = rig.get("member", &path);
    // Clients refuse keys that they do not know, and their order is Barbican's.
    let expected = format!(
        "{{\"created\":\"{at}\",\"updated\":\"{at}\",\"status\":\"ACTIVE\",\"name\":\"c\",\
         \"type\":\"generic\",\"creator_id\":\"u\",\
         \"secret_refs\":[{{\"name\":\"a\",\"secret_ref\":\"http://h{secret}\"}}],\
         \"consumers\":[],\"container_ref\":\"http://h{path}\"}}",
        at = donjon_testkit::sample::NOW
    );
    assert_eq!(String::from_utf8_lossy(container.body()), expected);
    let list = parsed(&rig.get("member", "/v1/containers"));
    assert_eq!(
        list,
        json!({"containers": [parsed(&container)], "total": 1})
    );
    assert_eq!(
        rig.send("member", &format!("DELETE {path}"), &[], b"")
            .status(),
        204
    );
    assert_eq!(rig.get("member", &path).status(), 404);
    assert_eq!(rig.get("member", &secret).status(), 200);
}

#[test]
fn what_a_creation_refuses() {
    let rig = Rig::new();
    let (one, two) = (reference(&rig.stored("1")), reference(&rig.stored("2")));
    let schema = |reason: &str, property: &str| {
        format!(
            "Provided object does not match schema 'Container': {reason}. Invalid property: '{property}'"
        )
    };
    let refused = |body: Value, reason: &str, property: &str| {
        check_refused(&rig, &body, &schema(reason, property));
    };
    refused(json!([]), "[] is not of type 'object'", "None");
    refused(json!({}), "'type' is a required property", "None");
    // Not among them: `dsa`, which orders make, and names of the removed certificate machinery.
    for name in ["dsa", "x509", "pkcs12", "stored-key"] {
        let reason = format!("'{name}' is not one of ['generic', 'rsa', 'certificate']");
        refused(json!({"type": name}), &reason, "type");
    }
    let generic = |refs: Value| json!({"type": "generic", "secret_refs": refs});
    refused(
        generic(json!(null)),
        "None is not of type 'array'",
        "secret_refs",
    );
    refused(
        generic(json!(["t"])),
        "'t' is not of type 'object'",
        "secret_refs",
    );
    refused(
        generic(json!([{}])),
        "'secret_ref' is a required property",
        "secret_refs",
    );
    refused(
        generic(json!([{"secret_ref": ""}])),
        "'' should be non-empty",
        "secret_refs",
    );
    refused(
        generic(json!([{"name": 1, "secret_ref": one}])),
        "1 is not of type 'string', 'null'",
        "secret_refs",
    );
    refused(
        generic(json!([{"secret_ref": one}, {"name": "", "secret_ref": two}])),
        "Duplicate reference names are not allowed",
        "secret_refs",
    );
    refused(
        generic(
            json!([{"name": "a", "secret_ref": one}, {"name": "b", "secret_ref": format!("{one}/")}]),
        ),
        "Duplicate secret ids are not allowed",
        "secret_refs",
    );
    assert_eq!(parsed(&rig.get("member", "/v1/containers"))["total"], 0);
}

/// The order in which Barbican looks: duplicates, addresses, names, secrets.
#[test]
fn the_first_thing_wrong_is_what_is_said() {
    let rig = Rig::new();
    let elsewhere = format!("http://elsewhere/v1/secrets/{NOBODY}");
    let unknown = format!("http://h/v1/secrets/{NOBODY}");
    let rsa = |refs: Value| json!({"type": "rsa", "secret_refs": refs});
    check_refused(
        &rig,
        &rsa(json!([{"name": "x", "secret_ref": elsewhere}, {"name": "x", "secret_ref": "b"}])),
        "Provided object does not match schema 'Container': \
         Duplicate reference names are not allowed. Invalid property: 'secret_refs'",
    );
    check_refused(
        &rig,
        &rsa(json!([{"name": "x", "secret_ref": elsewhere}])),
        "Provided field value is not supported",
    );
    check_refused(
        &rig,
        &rsa(json!([{"name": "x", "secret_ref": unknown}])),
        "Provided object does not match schema 'Container': only 'private_key', 'public_key' and \
         'private_key_passphrase' reference names are allowed for RSA type. \
         Invalid property: 'secret_refs'",
    );
    let generic = |entry: Value| json!({"type": "generic", "secret_refs": [entry]});
    check(
        &rig,
        "POST /v1/containers",
        &generic(json!({"secret_ref": unknown})),
        404,
        "Secret provided for 'None' doesn't exist.",
    );
}

#[test]
fn references_of_every_configured_address_are_taken() {
    let rig = Rig::reached_by(&["https://kms.example.org", "http://h/key-manager/"]);
    let id = rig.stored_id("hush");
    let post = |reference: &str| {
        let entry = json!({"name": "n", "secret_ref": reference});
        let body = json!({"type": "generic", "secret_refs": [entry]});
        rig.json("member", "POST /v1/containers", &body)
            .status()
            .as_u16()
    };
    assert_eq!(
        post(&format!("https://kms.example.org/v1/secrets/{id}")),
        201
    );
    assert_eq!(post(&format!("http://h/key-manager/v1/secrets/{id}")), 201);
    assert_eq!(
        post(&format!("http://kms.example.org/v1/secrets/{id}")),
        400
    );
    // An address that only begins like a configured one is another.
    assert_eq!(
        post(&format!("https://kms.example.org.evil/v1/secrets/{id}")),
        400
    );
    assert_eq!(post(&id), 400);
}

#[test]
fn secrets_that_are_gone_or_of_others_are_not_taken() {
    let rig = Rig::new();
    let expiration = donjon_testkit::sample::NOW.plus_seconds(60).to_string();
    let expiring = rig.created(&json!({"expiration": expiration}));
    let theirs = path_of(&rig.json("stranger", "POST /v1/secrets", &json!({})));
    let acl = json!({"read": {"users": ["u"]}});
    assert_eq!(
        rig.json("stranger", &format!("PUT {theirs}/acl"), &acl)
            .status(),
        200
    );
    assert_eq!(rig.get("member", &theirs).status(), 200);
    let container = rig.contained(&[("e", &expiring)]);
    rig.clock.advance_seconds(60);
    for path in [&expiring, &theirs] {
        let entry = json!({"name": "e", "secret_ref": reference(path)});
        let body = json!({"type": "generic", "secret_refs": [entry]});
        let text = "Secret provided for 'e' doesn't exist.";
        check(&rig, "POST /v1/containers", &body, 404, text);
        let line = format!("POST {container}/secrets");
        check(&rig, &line, &entry, 404, "Secret provided doesn't exist.");
        let line = format!("DELETE {container}/secrets");
        let text = format!(
            "Secret 'e' with reference '{}' doesn't exist.",
            reference(path)
        );
        check(&rig, &line, &entry, 404, &text);
    }
}

#[test]
fn entries_come_and_go() {
    let rig = Rig::new();
    let secret = rig.stored("hush");
    let path = rig.contained(&[]);
    let entry = json!({"name": "n", "secret_ref": reference(&secret)});
    let (post, delete) = (
        format!("POST {path}/secrets"),
        format!("DELETE {path}/secrets"),
    );
    let added = rig.json("member", &post, &entry);
    assert_eq!(added.status(), 201);
    assert_eq!(path_of(&added), path);
    check(
        &rig,
        &post,
        &entry,
        409,
        "Conflict. A secret with that name and ID is already stored in this container. \
         The same secret can exist in a container as long as the name is unique.",
    );
    assert_eq!(rig.json("member", &delete, &entry).status(), 204);
    check(
        &rig,
        &delete,
        &entry,
        404,
        "Secret provided is not in the container",
    );
    let unnamed = json!({"secret_ref": reference(&secret)});
    check(
        &rig,
        &delete,
        &unnamed,
        404,
        "Secret provided is not in the container",
    );
    assert_eq!(rig.json("member", &post, &unnamed).status(), 201);
    let refs = parsed(&rig.get("member", &path))["secret_refs"].clone();
    let unnamed = json!({"name": null, "secret_ref": reference(&secret)});
    assert_eq!(refs, json!([unnamed]));
}

/// Where Barbican fails with 500.
#[test]
fn a_bare_id_is_no_reference() {
    let rig = Rig::new();
    let secret = rig.stored("hush");
    let path = rig.contained(&[]);
    let id = secret.rsplit('/').next().unwrap();
    let entry = json!({"name": "n", "secret_ref": id});
    let text = "Secret provided doesn't exist.";
    check(&rig, &format!("POST {path}/secrets"), &entry, 404, text);
}

#[test]
fn only_generic_containers_are_added_to() {
    let rig = Rig::new();
    let body = json!({"type": "rsa"});
    let path = path_of(&rig.json("member", "POST /v1/containers", &body));
    // It is said before the body is read, and after its type is.
    let line = format!("POST {path}/secrets");
    check(
        &rig,
        &line,
        &json!([]),
        400,
        "Only 'generic' containers can be modified.",
    );
    assert_eq!(rig.send("member", &line, &[], b"{}").status(), 415);
    assert_eq!(rig.json("stranger", &line, &json!([])).status(), 403);
}

/// Barbican keeps the row of an entry that was removed, on which the same one
/// fails with 500. That of one without a name does not stand in the way.
#[test]
fn a_named_entry_that_was_removed_is_refused() {
    let rig = Rig::new();
    let (secret, other) = (rig.stored("hush"), rig.stored("hush"));
    let path = rig.contained(&[("e", &secret)]);
    let (post, delete) = (
        format!("POST {path}/secrets"),
        format!("DELETE {path}/secrets"),
    );
    let entry = |name: &str, path: &str| json!({"name": name, "secret_ref": reference(path)});
    let removed = entry("e", &secret);
    assert_eq!(rig.json("member", &delete, &removed).status(), 204);
    let text = "Conflict. A secret with that name and ID was removed from this container. \
                The same secret can be added again with another name, or without one.";
    for _ in 0..2 {
        check(&rig, &post, &removed, 409, text);
        assert_eq!(parsed(&rig.get("member", &path))["secret_refs"], json!([]));
    }
    // Who may not add learns nothing.
    assert_eq!(rig.json("stranger", &post, &removed).status(), 403);

    let unnamed = json!({"secret_ref": reference(&secret)});
    for _ in 0..2 {
        assert_eq!(rig.json("member", &post, &unnamed).status(), 201);
        assert_eq!(rig.json("member", &delete, &unnamed).status(), 204);
    }
    for added in [&entry("f", &secret), &entry("e", &other), &unnamed] {
        let answer = rig.json("member", &post, added);
        assert_eq!(answer.status(), 201, "{}", shown(&answer));
    }
    // An empty name is a name.
    let empty = entry("", &secret);
    assert_eq!(rig.json("member", &post, &empty).status(), 201);
    assert_eq!(rig.json("member", &delete, &empty).status(), 204);
    check(&rig, &post, &empty, 409, text);
    // Another container may have it.
    let elsewhere = rig.contained(&[]);
    let post = format!("POST {elsewhere}/secrets");
    assert_eq!(rig.json("member", &post, &removed).status(), 201);
}

/// CVE-2022-23452: containers of another project are not added to, whoever asks.
#[test]
fn cve_2022_23452_containers_of_another_project_are_left_alone() {
    let rig = Rig::new();
    let secret = rig.stored("hush");
    let path = rig.contained(&[("e", &secret)]);
    let before = shown(&rig.get("member", &path));
    for token in ["stranger", "foreign-admin"] {
        let evil = path_of(&rig.json(token, "POST /v1/secrets", &json!({})));
        let post = json!({"name": "evil", "secret_ref": reference(&evil)});
        let delete = json!({"name": "e", "secret_ref": reference(&secret)});
        for query in [
            "",
            "?target.container.project_id=q",
            "?external_project_id=p",
        ] {
            let line = format!("POST {path}/secrets{query}");
            assert_eq!(rig.json(token, &line, &post).status(), 403, "{token}");
            let line = format!("DELETE {path}/secrets{query}");
            assert_eq!(rig.json(token, &line, &delete).status(), 403, "{token}");
            let line = format!("DELETE {path}{query}");
            assert_eq!(rig.send(token, &line, &[], b"").status(), 403, "{token}");
        }
    }
    assert_eq!(shown(&rig.get("member", &path)), before);
}

/// A container's ACL decides on every read of it, and of nothing else.
#[test]
fn what_an_acl_of_a_container_does() {
    let rig = Rig::new();
    let secret = rig.stored("hush");
    let path = rig.contained(&[("e", &secret)]);
    let reads = ["", "/consumers"];
    let status =
        |token: &str, below: &str| rig.get(token, &format!("{path}{below}")).status().as_u16();
    let acl = json!({"read": {"users": ["s"], "project-access": false}});
    let put = rig.json("member", &format!("PUT {path}/acl"), &acl);
    assert_eq!(
        parsed(&put),
        json!({"acl_ref": reference(&format!("{path}/acl"))})
    );
    for below in reads {
        assert_eq!(status("stranger", below), 200, "{below}");
        assert_eq!(status("member", below), 200, "{below}");
        assert_eq!(status("colleague", below), 403, "{below}");
        assert_eq!(status("admin", below), 200, "{below}");
    }
    let one = format!("/consumers/{NOBODY}");
    assert_eq!(status("stranger", &one), 404);
    assert_eq!(status("colleague", &one), 403);
    for token in ["stranger", "colleague"] {
        assert_eq!(status(token, "/acl"), 403, "{token}");
        let line = format!("DELETE {path}");
        assert_eq!(rig.send(token, &line, &[], b"").status(), 403, "{token}");
    }
    // It says nothing of the secrets in it, and the list does not know it.
    assert_eq!(rig.get("stranger", &secret).status(), 403);
    assert_eq!(rig.get("colleague", &secret).status(), 200);
    assert_eq!(parsed(&rig.get("colleague", "/v1/containers"))["total"], 1);
    assert_eq!(parsed(&rig.get("stranger", "/v1/containers"))["total"], 0);
    let removed = rig.send("member", &format!("DELETE {path}/acl"), &[], b"");
    assert_eq!(
        (removed.status().as_u16(), &removed.body()[..]),
        (200, &b"null"[..])
    );
    assert_eq!(status("stranger", ""), 403);
    assert_eq!(status("colleague", ""), 200);
}

#[test]
fn consumers_of_a_container() {
    let rig = Rig::new();
    let path = rig.contained(&[]);
    let id = path.rsplit('/').next().unwrap();
    let (post, delete) = (
        format!("POST {path}/consumers"),
        format!("DELETE {path}/consumers"),
    );
    let consumer = |name: &str| json!({"name": name, "URL": "http://u"});
    for name in ["b", "a", "b"] {
        let answer = rig.json("member", &post, &consumer(name));
        assert_eq!(answer.status(), 200, "{}", shown(&answer));
        let location = format!("http://h/v1/consumers/{id}/consumers");
        assert_eq!(header(&answer, "location"), location);
    }
    let shown_in_container = parsed(&rig.get("member", &path))["consumers"].clone();
    assert_eq!(shown_in_container, json!([consumer("a"), consumer("b")]));
    let first = parsed(&rig.get("member", &format!("{path}/consumers?limit=1")));
    assert_eq!(
        first["next"],
        reference(&format!("{path}/consumers?limit=1&offset=1"))
    );
    let keys: Vec<_> = first["consumers"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["URL", "created", "name", "status", "updated"]);
    let left = rig.json("member", &delete, &consumer("a"));
    assert_eq!(parsed(&left)["consumers"], json!([consumer("b")]));
    check(&rig, &delete, &consumer("a"), 404, "Consumer not found.");
    let too_long = consumer(&"x".repeat(37));
    assert_eq!(rig.json("member", &post, &too_long).status(), 400);
    assert_eq!(
        rig.json("member", &post, &json!({"name": "n", "url": "u"}))
            .status(),
        400
    );
}

#[test]
fn unsupported_methods_are_told_in_json() {
    let rig = Rig::new();
    let path = rig.contained(&[]);
    for line in [format!("PUT {path}"), "PATCH /v1/containers".to_owned()] {
        let json = [("accept", "application/json")];
        assert_eq!(
            rig.send("member", &line, &json, b"").status(),
            405,
            "{line}"
        );
        let html = [("accept", "text/html")];
        assert_eq!(
            rig.send("member", &line, &html, b"").status(),
            406,
            "{line}"
        );
    }
}

#[test]
fn lists_start_behind_a_marker_and_filter_by_type() {
    let rig = Rig::new();
    let paths: Vec<_> = (0..3).map(|_| rig.contained(&[])).collect();
    let refs = |query: &str| -> Vec<String> {
        let list = parsed(&rig.get("member", &format!("/v1/containers{query}")));
        let items = list["containers"].as_array().unwrap();
        let path = |item: &Value| item["container_ref"].as_str().unwrap()[8..].to_owned();
        items.iter().map(path).collect()
    };
    assert_eq!(refs(""), paths);
    assert_eq!(
        refs(&format!("?marker={}", reference(&paths[0]))),
        paths[1..]
    );
    assert_eq!(refs(&format!("?marker={}", reference(&paths[2]))), [""; 0]);
    assert_eq!(refs("?type=rsa"), [""; 0]);
    assert_eq!(refs("?type=nothing"), [""; 0]);
    let twice = rig.get("member", "/v1/containers?type=rsa&type=generic");
    assert_eq!(twice.status(), 400);
}
