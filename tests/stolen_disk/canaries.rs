//! A thousand payloads that are easy to recognise are stored in every way there is, and looked for everywhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64ct::{Base64, Encoding};
use serde_json::json;

use crate::{
    search::Needles,
    support::{Caller, Launch, Rng, base64, path_of},
};

const COUNT: usize = 1_000;

/// Printable texts of 32 characters, the same in each run.
fn canaries() -> Vec<String> {
    let mut rng = Rng(0x00d0_1105);
    let printable: Vec<char> = (b'!'..=b'~').map(char::from).collect();
    let mut text = || {
        (0..32)
            .map(|_| printable[rng.below(printable.len())])
            .collect()
    };
    (0..COUNT).map(|_| text()).collect()
}

/// Stores a text in one of four ways; gives the path of the secret.
fn store(caller: &Caller, number: usize, canary: &str) -> String {
    let path = match number % 4 {
        0 => caller.store(canary),
        1 => caller.create(&json!({"payload": base64(canary.as_bytes()),
            "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"})),
        _ => caller.create(&json!({})),
    };
    let put = format!("PUT {path}");
    let octets = ("Content-Type", "application/octet-stream");
    match number % 8 {
        2 | 6 => caller
            .put(&path, "text/plain", canary.as_bytes())
            .is_empty(204),
        3 => caller
            .send(&put, &[octets], canary.as_bytes())
            .is_empty(204),
        7 => caller
            .send(
                &put,
                &[octets, ("Content-Encoding", "base64")],
                base64(canary.as_bytes()).as_bytes(),
            )
            .is_empty(204),
        _ => {}
    }
    path
}

/// Sends a text in ways that fail, for errors are logged.
fn send_in_vain(caller: &Caller, stored: &str, canary: &str) {
    let post = |body: serde_json::Value| caller.json("POST /v1/secrets", &body).status;
    assert_eq!(post(json!({"payload": canary})), 400);
    assert_eq!(
        post(json!({"payload": canary, "payload_content_type": "image/png"})),
        400
    );
    assert_eq!(
        post(json!({"payload": [canary], "payload_content_type": "text/plain"})),
        400
    );
    let large = canary.repeat(700);
    assert_eq!(
        post(json!({"payload": large, "payload_content_type": "text/plain"})),
        413
    );
    assert_eq!(
        post(json!({"payload": large.repeat(2), "payload_content_type": "text/plain"})),
        400
    );
    let json = ("Content-Type", "application/json");
    let broken = format!("{{\"payload\": \"{}", canary.escape_default());
    assert_eq!(
        caller
            .send("POST /v1/secrets", &[json], broken.as_bytes())
            .status,
        400
    );
    assert_eq!(
        caller.put(stored, "text/plain", canary.as_bytes()).status,
        409
    );
    assert_eq!(
        caller.put(stored, "image/png", canary.as_bytes()).status,
        415
    );
    assert_eq!(
        caller
            .put("/v1/secrets/x", "text/plain", canary.as_bytes())
            .status,
        404
    );
}

#[test]
fn no_payload_no_token_and_no_key_is_found() {
    let canaries = canaries();
    let needles = Needles::in_all_forms(&canaries);
    let launch = Launch::new("tokens").env("DONJON_LOG__LEVEL", "trace");
    let server = launch.start();
    let launch = server.launch();
    let first = launch.first_token();
    let other = launch.token("home", "user", &["member"]);
    let caller = server.holder(&other);
    assert_eq!(server.holder(&first).call("GET /v1/secrets").status, 200);

    let mut paths = Vec::new();
    for (number, canary) in canaries.iter().enumerate() {
        paths.push(store(&caller, number, canary));
        if number % 250 == 249 {
            assert_eq!(
                needles.in_launch(launch),
                Default::default(),
                "while storing"
            );
        }
    }
    for (path, canary) in paths.iter().zip(&canaries).step_by(100) {
        send_in_vain(&caller, path, canary);
        let stranger = server.holder(canary);
        assert_eq!(stranger.call("GET /v1").status, 401);
    }
    for (path, canary) in paths.iter().zip(&canaries) {
        assert_eq!(caller.call(&format!("GET {path}/payload")).text(), *canary);
    }
    // Names are in clear, which shows that the search finds what is there.
    let marker = "a name is no secret, 32 letters.";
    caller.create(&json!({"name": marker}));
    let names = Needles::in_all_forms(&[marker]);
    let check = |launch: &Launch, when: &str| {
        assert_eq!(needles.in_launch(launch), Default::default(), "{when}");
        assert!(!names.in_launch(launch).is_empty(), "{when}");
        check_keys(launch, &first, &other, when);
    };
    check(launch, "while it runs");
    // A clean stop moves everything into the database file.
    let launch = server.stop();
    check(&launch, "after a clean stop");
    let server = launch.start();
    let caller = server.holder(&other);
    assert_eq!(
        caller.call(&format!("GET {}/payload", paths[0])).text(),
        canaries[0]
    );
    check(server.launch(), "after a restart");
    for path in &paths {
        caller.call(&format!("DELETE {path}")).is_empty(204);
    }
    let launch = server.kill();
    check(&launch, "after deletes and a kill");
}

/// The root key and the first token are in their files and nowhere else, another token is nowhere.
fn check_keys(launch: &Launch, first: &str, other: &str, when: &str) {
    let root_key = fs::read_to_string(launch.data_dir().join("root.key")).unwrap();
    let raw = Base64::decode_vec(root_key.trim()).unwrap();
    assert_eq!(raw.len(), 32);
    let keys = [
        first.as_bytes(),
        other.as_bytes(),
        root_key.trim().as_bytes(),
        &raw,
    ];
    let expected = [
        (PathBuf::from("first-token"), BTreeSet::from([0])),
        (PathBuf::from("root.key"), BTreeSet::from([2, 3])),
    ];
    let found = Needles::in_all_forms(&keys).in_launch(launch);
    assert_eq!(found, expected.into(), "{when}");
}

/// The control: the same search finds every payload of a build that does not seal.
#[test]
fn a_build_that_does_not_seal_is_found_out() {
    let canaries = canaries();
    let needles = Needles::in_all_forms(&canaries);
    let server = Launch::new("tokens").binary(unsealed()).start();
    let caller = server.caller("home", "user", &["member"]);
    for (number, canary) in canaries.iter().enumerate() {
        let path = store(&caller, number, canary);
        assert_eq!(caller.call(&format!("GET {path}/payload")).text(), *canary);
    }
    let all: BTreeSet<usize> = (0..COUNT).collect();
    let found = |launch: &Launch| -> BTreeSet<usize> {
        needles.in_launch(launch).into_values().flatten().collect()
    };
    assert_eq!(found(server.launch()), all, "before the checkpoint");
    let launch = server.stop();
    assert_eq!(found(&launch), all, "after the checkpoint");
    let database = needles.in_bytes(&fs::read(launch.database()).unwrap());
    assert_eq!(database, all);
    // A build that seals reads none of it.
    let server = launch.binary(env!("CARGO_BIN_EXE_donjon").into()).start();
    let caller = server.caller("home", "user", &["member"]);
    let list = caller.call("GET /v1/secrets?limit=1").ok(200);
    let path = path_of(list["secrets"][0]["secret_ref"].as_str().unwrap()).to_owned();
    assert_eq!(caller.call(&format!("GET {path}/payload")).status, 500);
}

/// The program without sealing: the one that `UNSEALED_DONJON` names, or else built here. It lies in a folder of
/// its own, and what both builds have in common is not compiled again.
fn unsealed() -> PathBuf {
    if let Some(binary) = std::env::var_os("UNSEALED_DONJON") {
        return binary.into();
    }
    let sealed = Path::new(env!("CARGO_BIN_EXE_donjon"));
    let profile = sealed.parent().unwrap();
    let build = profile.parent().unwrap();
    let target = build.join("unsealed");
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--workspace", "--bin", "donjon"])
        .args(["--features", "donjon-server/danger-no-sealing"])
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_BUILD_BUILD_DIR", build);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}");
    target.join(profile.file_name().unwrap()).join("donjon")
}
