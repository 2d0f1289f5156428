//! How much may hang on one secret or container.

use serde_json::{Value, json};

use super::{BOUNDS, Rig, parsed, shown};

fn described(rig: &Rig, token: &str, line: &str, body: &Value) -> (u16, String) {
    let response = rig.json(token, line, body);
    let description = parsed(&response)["description"].as_str().map(str::to_owned);
    (
        response.status().as_u16(),
        description.unwrap_or_else(|| shown(&response)),
    )
}

fn of_secret(number: u32) -> Value {
    json!({"service": "s", "resource_type": "t", "resource_id": number.to_string()})
}

fn of_container(number: u32) -> Value {
    json!({"name": "n", "URL": number.to_string()})
}

#[test]
fn consumers_of_one_thing_are_limited() {
    let rig = Rig::new();
    let limit = BOUNDS.consumers.get();
    let kinds = [
        (
            rig.stored("hush"),
            of_secret as fn(u32) -> Value,
            "SecretConsumer",
        ),
        (rig.contained(&[]), of_container, "ContainerConsumer"),
    ];
    for (path, consumer, operation) in kinds {
        let post = format!("POST {path}/consumers");
        for number in 1..=limit {
            let answer = rig.json("member", &post, &consumer(number));
            assert_eq!(answer.status(), 200, "{}", shown(&answer));
            let all = parsed(&answer)["consumers"].as_array().unwrap().clone();
            assert!(all.contains(&consumer(number)), "what was added is shown");
        }
        let refused = (
            403,
            format!(
                "{operation} creation issue seen - Creation not allowed because a limit has been \
                 reached, {limit} consumers."
            ),
        );
        assert_eq!(
            described(&rig, "member", &post, &consumer(limit + 1)),
            refused
        );
        let again = rig.json("member", &post, &consumer(1));
        assert_eq!(again.status(), 200, "one that is there is no other");
        let page = parsed(&rig.get("member", &format!("{path}/consumers")));
        assert_eq!(page["total"], limit);
        let delete = format!("DELETE {path}/consumers");
        assert_eq!(rig.json("member", &delete, &consumer(1)).status(), 200);
        let answer = rig.json("member", &post, &consumer(limit + 1));
        assert_eq!(answer.status(), 200, "there is room again");
    }
}

#[test]
fn parts_of_consumers_have_lengths() {
    let rig = Rig::new();
    let (secret, container) = (rig.stored("hush"), rig.contained(&[]));
    let with = |mut body: Value, field: &str, length: usize| {
        body[field] = "é".repeat(length).into();
        body
    };
    for (path, body, field, longest) in [
        (&secret, of_secret(1), "service", 255),
        (&secret, of_secret(1), "resource_type", 255),
        (&secret, of_secret(1), "resource_id", 512),
        (&container, of_container(1), "name", 36),
        (&container, of_container(1), "URL", 255),
    ] {
        let line = format!("POST {path}/consumers");
        let fits = rig.json("member", &line, &with(body.clone(), field, longest));
        assert_eq!(fits.status(), 200, "{field}");
        let (status, description) =
            described(&rig, "member", &line, &with(body, field, longest + 1));
        assert_eq!(status, 400, "{field}");
        let told = format!("is too long. Invalid property: '{field}'");
        assert!(description.ends_with(&told), "{description}");
    }
}

#[test]
fn secrets_of_one_container_are_limited() {
    let rig = Rig::new();
    let secret = rig.stored("hush");
    let post = format!("POST {}/secrets", rig.contained(&[("0", &secret)]));
    let entry = |number: u32| json!({"name": number.to_string(), "secret_ref": format!("http://h{secret}")});
    let limit = BOUNDS.container_secrets.get();
    for number in 1..limit {
        assert_eq!(rig.json("member", &post, &entry(number)).status(), 201);
    }
    let refused = (
        403,
        format!(
            "Container Secret creation issue seen - Creation not allowed because a limit has \
             been reached, {limit} secrets in a container."
        ),
    );
    assert_eq!(described(&rig, "member", &post, &entry(limit)), refused);
    assert_eq!(rig.json("member", &post, &entry(1)).status(), 409);
}

#[test]
fn user_metadata_of_one_secret_is_limited() {
    let rig = Rig::new();
    let path = format!("{}/metadata", rig.stored("hush"));
    let item = |key: &str, length: usize| json!({"key": key, "value": "v".repeat(length)});
    // 6 bytes stand around each.
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        let added = rig.json("member", &format!("POST {path}"), &item(key, 255));
        assert_eq!(added.status(), 201);
    }
    let refused = |operation: &str| {
        (
            403,
            format!(
                "{operation} issue seen - Creation not allowed because a limit has been reached, \
                 {} bytes of user metadata.",
                BOUNDS.metadata_bytes
            ),
        )
    };
    let sent = |line: String, body: Value| described(&rig, "member", &line, &body);
    let creation = refused("Secret metadatum creation");
    assert_eq!(sent(format!("POST {path}"), item("h", 160)), creation);
    assert_eq!(sent(format!("POST {path}/h"), item("h", 160)), creation);
    // What it has counts no more once it is replaced.
    assert_eq!(sent(format!("PUT {path}/a"), item("a", 255)).0, 200);
    assert_eq!(sent(format!("PUT {path}/a"), item("a", 10)).0, 200);
    assert_eq!(sent(format!("POST {path}"), item("h", 255)).0, 201);
    let update = refused("Secret metadatum update");
    assert_eq!(sent(format!("PUT {path}/a"), item("a", 255)), update);
    let all = parsed(&rig.get("member", &path));
    assert_eq!(all["metadata"]["a"], "v".repeat(10));
    assert_eq!(all["metadata"].as_object().unwrap().len(), 8);
}
