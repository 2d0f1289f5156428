//! A store outside of the database, in front of the whole server: what goes there and comes back, and what becomes of
//! it when the store is away, hangs or lies, or the server is killed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    support::{Caller, Launch, PATIENCE, Response, id_of, path_of, until},
    vault::{FakeVault, Mood, TOKEN},
};

const AWAY: &str = "The server cannot do this now. Nothing was changed.";
const UNKNOWN: &str = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
const ASTRAY: &str = "The secret store does not give what was stored. Nothing was changed.";

/// A server whose payloads go to `bao`, unless a project prefers `database`.
fn launch(auth: &str, vault: &FakeVault) -> Launch {
    let launch = Launch::new(auth);
    let folder = launch.folder().to_owned();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        private(&path);
        path.display().to_string()
    };
    let token = write("token", TOKEN);
    let outside = vault.config("bao", &token, "global_default = true\ntimeout_ms = 400");
    let config =
        format!("[[secret_stores]]\nname = \"database\"\nplugin = \"database\"\n{outside}");
    let config = write("donjon.toml", &config);
    launch.flag("--config").flag(&config)
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn payload(caller: &Caller, path: &str) -> Response {
    caller.call(&format!("GET {path}/payload"))
}

/// The ids of secrets that have something in the store.
fn secrets_in(vault: &FakeVault) -> Vec<String> {
    let entries = vault.entries();
    let secret = |entry: &String| {
        let (_, key) = entry.split_once('/').unwrap();
        key.split_once('.').unwrap().0.to_owned()
    };
    entries.iter().map(secret).collect()
}

/// Waits until the store has one payload of each of these secrets, and nothing else.
fn settles(vault: &FakeVault, paths: &[String]) {
    let mut expected: Vec<_> = paths.iter().map(|path| id_of(path).to_owned()).collect();
    expected.sort();
    until("the store has what it should", PATIENCE, || {
        (secrets_in(vault) == expected).then_some(())
    });
}

fn delete(caller: &Caller, path: &str) {
    caller.call(&format!("DELETE {path}")).is_empty(204);
}

#[test]
fn payloads_live_in_the_store_from_creation_to_deletion() {
    let vault = FakeVault::start();
    let server = launch("noauth", &vault).start();
    let member = server.member_of("p");
    // At once, later, and by orders.
    let at_once = member.store("at once");
    let later = member.create(&json!({"name": "later"}));
    assert_eq!(secrets_in(&vault), [id_of(&at_once)]);
    member
        .put(&later, "application/octet-stream", b"\x00later")
        .is_empty(204);
    let answer = member.accepting(&format!("GET {later}/payload"), "application/octet-stream");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, &b"\x00later"[..])
    );
    assert_eq!(payload(&member, &at_once).text(), "at once");
    let mut all = vec![at_once, later];
    all.extend(ordered(
        &member,
        "key",
        json!({"name": "k", "algorithm": "aes", "bit_length": 256}),
    ));
    all.extend(ordered(
        &member,
        "asymmetric",
        json!({"name": "pair", "algorithm": "ec", "bit_length": 256}),
    ));
    assert_eq!(all.len(), 5);
    settles(&vault, &all);
    // Nothing of it is in the database.
    let server = server.stop().start();
    let member = server.member_of("p");
    for path in &all {
        assert_eq!(payload(&member, path).status, 200, "{path}");
    }
    vault.set(Mood::Away);
    for path in &all {
        assert_eq!(payload(&member, path).status, 503, "{path}");
        member.call(&format!("GET {path}")).ok(200);
    }
    vault.set(Mood::Good);
    // What goes here goes there.
    for path in all.drain(1..) {
        delete(&member, &path);
    }
    settles(&vault, &all);
    let soon = expiring(&member);
    all.push(soon.clone());
    settles(&vault, &all);
    until("it expires", PATIENCE, || {
        (payload(&member, &soon).status == 404).then_some(())
    });
    assert_eq!(payload(&member, &all[0]).text(), "at once");
    // It stays there until its row is cleaned up.
    settles(&vault, &all);
    server.stop();
}

/// A secret that expires in a moment; its time comes from the server, and is none near the end of a minute.
fn expiring(member: &Caller) -> String {
    let soon = until("a minute that goes on", PATIENCE, || {
        let probe = member.create(&json!({}));
        let now = member.call(&format!("GET {probe}")).ok(200)["created"].clone();
        delete(member, &probe);
        let now = now.as_str().unwrap().to_owned();
        let seconds: u8 = now[17..19].parse().unwrap();
        (seconds < 57).then(|| format!("{}{:02}{}", &now[..17], seconds + 2, &now[19..]))
    });
    member
        .create(&json!({"expiration": soon, "payload": "x", "payload_content_type": "text/plain"}))
}

/// The secrets that an order made.
fn ordered(member: &Caller, kind: &str, meta: Value) -> Vec<String> {
    let answer = member
        .json("POST /v1/orders", &json!({"type": kind, "meta": meta}))
        .ok(202);
    let path = path_of(answer["order_ref"].as_str().unwrap()).to_owned();
    let order = until("the order is carried out", PATIENCE, || {
        let order = member.call(&format!("GET {path}")).ok(200);
        (order["status"] != "PENDING").then_some(order)
    });
    assert_eq!(order["status"], "ACTIVE", "{order}");
    if let Some(secret) = order["secret_ref"].as_str() {
        return vec![path_of(secret).to_owned()];
    }
    let container = path_of(order["container_ref"].as_str().unwrap());
    let container = member.call(&format!("GET {container}")).ok(200);
    let entries = container["secret_refs"].as_array().unwrap();
    let secret = |entry: &Value| path_of(entry["secret_ref"].as_str().unwrap()).to_owned();
    entries.iter().map(secret).collect()
}

/// Whatever a store does wrong: 503 in Barbican's words, soon, and nothing half stored.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long an answer takes is what is tested"
)]
fn a_store_that_fails_costs_503_and_nothing_else() {
    let vault = FakeVault::start();
    let server = launch("noauth", &vault).start();
    let member = server.member_of("p");
    let mut all = vec![member.store("before")];
    let bare = member.create(&json!({"name": "without payload"}));
    let total = || member.call("GET /v1/secrets").ok(200)["total"].clone();
    let body = json!({"payload": "x", "payload_content_type": "text/plain"});
    for (mood, on_put, on_get) in [
        (Mood::Away, Some(AWAY), Some(AWAY)),
        (Mood::Mute, Some(AWAY), Some(AWAY)),
        (Mood::Hanging, Some(AWAY), Some(AWAY)),
        (Mood::Status(500), Some(AWAY), Some(AWAY)),
        (Mood::Status(503), Some(AWAY), Some(AWAY)),
        (Mood::Status(403), Some(AWAY), Some(AWAY)),
        (Mood::HalfJson, Some(ASTRAY), Some(ASTRAY)),
        (Mood::Html, Some(ASTRAY), Some(ASTRAY)),
        (Mood::HtmlMissing, Some(AWAY), Some(AWAY)),
        (Mood::Lying("b3RoZXI=".to_owned()), None, Some(ASTRAY)),
        (Mood::Lying("no base64".to_owned()), None, Some(ASTRAY)),
    ] {
        let before = total();
        vault.set(mood.clone());
        let began = std::time::Instant::now();
        let created = member.json("POST /v1/secrets", &body);
        let added = on_put.map(|_| member.put(&bare, "text/plain", b"x"));
        let read = payload(&member, &all[0]);
        assert!(began.elapsed() < Duration::from_secs(5), "{mood:?}");
        for (answer, expected) in [
            (Some(created.clone()), on_put),
            (added, on_put),
            (Some(read), on_get),
        ] {
            if let (Some(answer), Some(expected)) = (answer, expected) {
                answer.is(503, expected);
                assert_eq!(
                    answer.header("retry-after").as_deref(),
                    Some("1"),
                    "{mood:?}"
                );
            }
        }
        match on_put {
            Some(_) => assert_eq!(total(), before, "{mood:?}"),
            None => all.push(path_of(created.ok(201)["secret_ref"].as_str().unwrap()).to_owned()),
        }
        // What was to go waits.
        let gone = (vault.clone(), mood.clone());
        gone.0.set(Mood::Good);
        all.push(rested(&member, &body));
        let doomed = member.store("doomed");
        gone.0.set(gone.1);
        delete(&member, &doomed);
        assert_eq!(payload(&member, &doomed).status, 404);
    }
    vault.set(Mood::Good);
    settles(&vault, &all);
    // The connection of before may have been idle for too long.
    let member = server.member_of("p");
    assert_eq!(payload(&member, &all[0]).text(), "before");
    // The secret without a payload has none, and can get one.
    payload(&member, &bare).is(404, "Not Found. Sorry but your secret has no payload.");
    member.put(&bare, "text/plain", b"x").is_empty(204);
    server.stop();
}

/// Waits until the server asks a store again that failed before, and gives the
/// path of what it stored then.
fn rested(member: &Caller, body: &Value) -> String {
    until("the store is asked again", PATIENCE, || {
        let answer = member.json("POST /v1/secrets", body);
        (answer.status == 201)
            .then(|| path_of(answer.ok(201)["secret_ref"].as_str().unwrap()).to_owned())
    })
}

/// A server that is killed again and again while it puts: what was acknowledged is there, and nothing else.
#[test]
fn kills_lose_nothing_that_was_acknowledged_and_leave_nothing_else() {
    let vault = FakeVault::start();
    let mut launch = launch("noauth", &vault);
    let mut acknowledged = BTreeMap::new();
    for round in 0..6 {
        let server = launch.start();
        let stored = Mutex::new(Vec::new());
        let host = server.host().to_owned();
        let (puts, is_over) = (vault.puts(), AtomicBool::new(false));
        launch = thread::scope(|scope| {
            for writer in 0..4 {
                let (stored, host, is_over) = (&stored, &host, &is_over);
                scope.spawn(move || {
                    for number in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            return;
                        }
                        let text = format!("{round} {writer} {number}");
                        // Nobody answers any more when the server was killed.
                        let Some(path) = try_to_store(host, &text) else {
                            return;
                        };
                        stored.lock().unwrap().push((path, text));
                    }
                });
            }
            until("some are stored", PATIENCE, || {
                (vault.puts() > puts + 30).then_some(())
            });
            let launch = server.kill();
            is_over.store(true, Ordering::Relaxed);
            launch
        });
        acknowledged.extend(stored.into_inner().unwrap());
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let server = launch.start();
    let member = server.member_of("p");
    for (path, text) in &acknowledged {
        assert_eq!(payload(&member, path).text(), *text, "{path}");
    }
    // Some were stored and not acknowledged; all of those, and no others, are in the store.
    let listed = every_secret(&member);
    assert!(acknowledged.keys().all(|path| listed.contains(path)));
    settles(&vault, &listed);
    for path in &listed {
        assert_eq!(payload(&member, path).status, 200, "{path}");
    }
    let launch = server.stop();
    let config = launch.folder().join("donjon.toml").display().to_string();
    let doctor = launch.verb(&["doctor", "--payloads", "--config", &config]);
    assert_eq!(
        doctor.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );
}

/// The path of a secret, if somebody is there to store it.
fn try_to_store(host: &str, text: &str) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(host).ok()?;
    let body = format!(r#"{{"payload": "{text}", "payload_content_type": "text/plain"}}"#);
    let request = format!(
        "POST /v1/secrets HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Project-Id: p\r\nX-User-Id: somebody\r\n\
         X-Roles: member\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, reference) = answer.split_once("\"secret_ref\"")?;
    let (_, path) = reference.split_once("/v1/secrets/")?;
    Some(format!("/v1/secrets/{}", path.split_once('"')?.0))
}

fn every_secret(member: &Caller) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let page = format!("GET /v1/secrets?limit=100&offset={}", all.len());
        let page = member.call(&page).ok(200);
        let secrets = page["secrets"].as_array().unwrap();
        if secrets.is_empty() {
            return all;
        }
        let path = |secret: &Value| path_of(secret["secret_ref"].as_str().unwrap()).to_owned();
        all.extend(secrets.iter().map(path));
    }
}

/// `/v1/secret-stores` with two to choose from.
///
/// # Source
/// Barbican 23: api/controllers/secretstores.py, plugin/util/multiple_backends.py.
#[test]
fn stores_are_listed_and_a_project_prefers_one() {
    let vault = FakeVault::start();
    let server = launch("tokens", &vault).start();
    let admin = server.caller("p", "boss", &["admin", "member", "reader"]);
    let reader = server.caller("p", "looker", &["reader"]);
    let member = server.caller("p", "worker", &["member"]);
    let other = server.caller("q", "boss", &["admin", "member", "reader"]);
    let listed = reader.call("GET /v1/secret-stores").ok(200);
    let stores = listed["secret_stores"].as_array().unwrap().clone();
    assert_eq!(listed, json!({"secret_stores": stores}));
    let [database, bao] = <[Value; 2]>::try_from(stores).unwrap();
    for (store, name, plugin, crypto, is_default) in [
        (
            &database,
            "database",
            "store_crypto",
            json!("simple_crypto"),
            false,
        ),
        (&bao, "bao", "vault_plugin", Value::Null, true),
    ] {
        let reference = store["secret_store_ref"].as_str().unwrap();
        let expected = json!({
            "created": store["created"], "updated": store["updated"], "status": "ACTIVE",
            "crypto_plugin": crypto, "global_default": is_default, "name": name,
            "secret_store_plugin": plugin, "secret_store_ref": reference,
        });
        assert_eq!(store, &expected);
        assert!(
            reference.starts_with(&format!("{}/v1/secret-stores/", server.base())),
            "{reference}"
        );
        let line = format!("GET {}", path_of(reference));
        assert_eq!(reader.call(&line).ok(200), expected);
    }
    assert_eq!(
        reader.call("GET /v1/secret-stores/global-default").ok(200),
        bao
    );
    let prefers = |caller: &Caller| caller.call("GET /v1/secret-stores/preferred");
    let none = "Not Found. No preferred secret store defined for this project.";
    prefers(&reader).is(404, none);
    let preference = |store: &Value| {
        format!(
            "{}/preferred",
            path_of(store["secret_store_ref"].as_str().unwrap())
        )
    };

    // Who may, and what a wrong path says.
    for method in ["POST", "DELETE"] {
        let line = format!("{method} {}", preference(&database));
        assert_eq!(server.nobody().call(&line).status, 401);
        for caller in [&reader, &member] {
            assert_eq!(caller.call(&line).status, 403, "{line}");
        }
        let unknown = format!("{method} /v1/secret-stores/{UNKNOWN}/preferred");
        admin
            .call(&unknown)
            .is(404, "Not Found. Secret store not found.");
    }
    for line in [
        "GET /v1/secret-stores",
        "GET /v1/secret-stores/global-default",
        "GET /v1/secret-stores/preferred",
    ] {
        assert_eq!(server.nobody().call(line).status, 401, "{line}");
    }

    // Set twice, kept over a restart, and a matter of this project alone.
    for _ in 0..2 {
        admin
            .call(&format!("POST {}", preference(&database)))
            .is_empty(204);
        assert_eq!(prefers(&reader).ok(200), database);
    }
    prefers(&other).is(404, none);
    let inside = member.store("inside");
    let theirs = other.store("outside");
    assert_eq!(secrets_in(&vault), [id_of(&theirs)]);
    let server = server.restart();
    let again = |project: &str| server.caller(project, "again", &["admin", "member", "reader"]);
    let (admin, other) = (again("p"), again("q"));
    assert_eq!(prefers(&admin).ok(200)["name"], "database");

    // Another choice replaces it; what is stored stays where it is.
    admin
        .call(&format!("POST {}", preference(&bao)))
        .is_empty(204);
    assert_eq!(prefers(&admin).ok(200)["name"], "bao");
    let outside = admin.store("outside too");
    let mut expected = vec![theirs.clone(), outside.clone()];
    settles(&vault, &expected);
    // Whichever is in the path, the preference goes.
    admin
        .call(&format!("DELETE {}", preference(&database)))
        .is_empty(204);
    admin
        .call(&format!("DELETE {}", preference(&database)))
        .is(404, none);
    prefers(&admin).is(404, none);
    expected.push(admin.store("by default"));
    settles(&vault, &expected);
    for (caller, path, text) in [
        (&admin, &inside, "inside"),
        (&admin, &outside, "outside too"),
        (&other, &theirs, "outside"),
    ] {
        assert_eq!(payload(caller, path).text(), text);
    }
    vault.set(Mood::Away);
    assert_eq!(payload(&admin, &inside).text(), "inside");
    assert_eq!(payload(&admin, &outside).status, 503);
    server.stop();
}

/// A server starts while its store is away, and one that is needed cannot be taken out.
#[test]
fn a_start_needs_the_name_of_a_store_and_not_the_store() {
    let vault = FakeVault::start();
    let server = launch("noauth", &vault).start();
    let path = server.member_of("p").store("x");
    vault.set(Mood::Away);
    let server = server.restart();
    let member = server.member_of("p");
    payload(&member, &path).is(503, AWAY);
    member.call(&format!("GET {path}")).ok(200);
    vault.set(Mood::Good);
    assert_eq!(payload(&member, &path).text(), "x");
    let launch = server.stop();
    let config = launch.folder().join("donjon.toml");
    std::fs::write(&config, "").unwrap();
    let (status, log) = launch.start_in_vain();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("put it back into [[secret_stores]]"), "{log}");
}
