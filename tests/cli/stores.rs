//! Several secret stores: moving payloads between them, beside requests and through the death of the server.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    support::{Ended, PATIENCE, Rig, Server},
    vault::{FakeVault, Mood, TOKEN},
};

const CONFIG: [&str; 2] = ["--config", "donjon.toml"];

/// Two stores, new payloads going to `default`.
fn configure(rig: &Rig, vault: &FakeVault, default: &str, rows_per_s: u32) {
    let token = rig.write("token", TOKEN, 0o600);
    let is_default = |name: &str| format!("global_default = {}", name == default);
    let text = format!(
        "[rotation]\nrows_per_s = {rows_per_s}\n[[secret_stores]]\nname = \"database\"\nplugin = \"database\"\n{}\n{}",
        is_default("database"),
        vault.config(
            "bao",
            &token.display().to_string(),
            &format!("{}\ntimeout_ms = 1000", is_default("bao"))
        )
    );
    rig.write("donjon.toml", &text, 0o600);
}

fn serve(rig: &Rig) -> Server {
    rig.serve_with(&CONFIG)
}

fn move_payloads(rig: &Rig, from: &str, to: &str, flags: &[&str]) -> Ended {
    let verb = ["secrets", "move", "--from", from, "--to", to];
    rig.run(&[&verb, flags, &CONFIG].concat())
}

#[track_caller]
fn moved(rig: &Rig, from: &str, to: &str, flags: &[&str]) -> String {
    let ended = move_payloads(rig, from, to, flags);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended.stdout
}

#[track_caller]
fn refused(rig: &Rig, from: &str, to: &str, text: &str) {
    let ended = move_payloads(rig, from, to, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the fake and the server tell nothing, they have to be asked"
)]
fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !ask() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn delete(server: &Server, token: &str, path: &str) -> u16 {
    server.with_token("DELETE", path, token, "").status
}

#[test]
fn payloads_move_beside_readers_and_deleters_and_through_kills() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "database", 40);
    let mut server = serve(&rig);
    let token = rig.first_token();
    let mut kept = BTreeMap::new();
    for number in 0..240 {
        let payload = format!("payload {number}");
        kept.insert(server.store(&token, &payload), payload);
    }
    let dry = moved(&rig, "database", "bao", &["--dry-run"]);
    assert!(dry.contains("240 payloads would move"), "{dry}");
    assert_eq!(vault.entries().len(), 0);
    for round in 1..=3 {
        let began = moved(&rig, "database", "bao", &[]);
        assert!(began.contains(" left"), "{began}");
        let gone: Vec<_> = kept.keys().take(10).cloned().collect();
        let all: Vec<_> = kept.iter().skip(10).collect();
        let is_over = AtomicBool::new(false);
        let before = vault.entries().len();
        thread::scope(|scope| {
            for half in all.chunks(all.len().div_ceil(2)) {
                let (server, token, is_over) = (&server, &token, &is_over);
                scope.spawn(move || {
                    let read = half.iter().cycle();
                    for (path, payload) in read.take_while(|_| !is_over.load(Ordering::Relaxed)) {
                        let answer = server.read(token, path);
                        assert_eq!((answer.status, &answer.body), (200, *payload), "{path}");
                    }
                });
            }
            scope.spawn(|| {
                for path in &gone {
                    assert_eq!(delete(&server, &token, path), 204);
                    assert_eq!(server.read(&token, path).status, 404);
                }
            });
            until("something moves", || vault.entries().len() > before + 20);
            is_over.store(true, Ordering::Relaxed);
        });
        for path in gone {
            kept.remove(&path);
        }
        assert!(vault.entries().len() < kept.len(), "{round}: too late");
        server.kill();
        server = serve(&rig);
    }
    let done = moved(&rig, "database", "bao", &["--wait"]);
    assert!(done.contains(" 0 left"), "{done}");
    until("all is there, and nothing else", || {
        vault.entries().len() == kept.len()
    });
    for (path, payload) in &kept {
        let answer = server.read(&token, path);
        assert_eq!((answer.status, &answer.body), (200, payload), "{path}");
    }
    // All of it is outside, and comes back where no server runs.
    vault.set(Mood::Away);
    let some = kept.keys().next().unwrap();
    assert_eq!(server.read(&token, some).status, 503);
    vault.set(Mood::Good);
    assert_eq!(server.stop(), Some(0));
    let back = moved(&rig, "bao", "database", &[]);
    let expected = format!("{} moved, 0 left", kept.len());
    assert!(back.contains(&expected), "{back}");
    assert_eq!(vault.entries(), Vec::<String>::new());
    vault.set(Mood::Away);
    let mut server = serve(&rig);
    for (path, payload) in &kept {
        assert_eq!(&server.read(&token, path).body, payload, "{path}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_move_waits_for_a_store_that_is_away_and_for_a_server_that_was_killed() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "database", 40);
    let server = serve(&rig);
    let token = rig.first_token();
    let paths: Vec<_> = (0..80)
        .map(|number| server.store(&token, &number.to_string()))
        .collect();
    let mut server = Some(server);
    let stdout = thread::scope(|scope| {
        let verb = scope.spawn(|| moved(&rig, "database", "bao", &["--wait"]));
        until("it begins", || vault.puts() > 0);
        vault.set(Mood::Status(503));
        server
            .as_mut()
            .unwrap()
            .wait_for("the move of payloads waits");
        server.take().unwrap().kill();
        vault.set(Mood::Good);
        server = Some(serve(&rig));
        verb.join().unwrap()
    });
    assert!(stdout.contains(" 0 left"), "{stdout}");
    let mut server = server.unwrap();
    for (number, path) in paths.iter().enumerate() {
        assert_eq!(server.read(&token, path).body, number.to_string());
    }
    until("nothing else is there", || vault.entries().len() == 80);
    assert_eq!(server.stop(), Some(0));
}

/// From one outside to another, without a way through the database.
#[test]
fn payloads_move_between_stores_outside() {
    let (rig, old, new) = (Rig::new(), FakeVault::start(), FakeVault::start());
    let token = rig.write("token", TOKEN, 0o600).display().to_string();
    let text = [
        old.config("old", &token, "global_default = false"),
        new.config("new", &token, "global_default = true"),
    ];
    // Both are new; what is there at first goes to the old one.
    let before = text
        .concat()
        .replace("true", "TRUE")
        .replace("false", "true");
    rig.write("donjon.toml", &before.replace("TRUE", "false"), 0o600);
    let mut server = serve(&rig);
    let token = rig.first_token();
    let paths: Vec<_> = (0..50)
        .map(|number| server.store(&token, &number.to_string()))
        .collect();
    assert_eq!((old.entries().len(), new.entries().len()), (50, 0));
    assert_eq!(server.stop(), Some(0));
    rig.write("donjon.toml", &text.concat(), 0o600);
    let mut server = serve(&rig);
    server.store(&token, "more");
    let done = moved(&rig, "old", "new", &["--wait"]);
    assert!(done.contains("50 moved, 0 left"), "{done}");
    until("nothing is left behind", || old.entries().is_empty());
    assert_eq!(new.entries().len(), 51);
    old.set(Mood::Away);
    for (number, path) in paths.iter().enumerate() {
        assert_eq!(server.read(&token, path).body, number.to_string());
    }
    assert_eq!(server.stop(), Some(0));
    // Nothing needs the old one any more.
    let alone = text[1].clone();
    rig.write("donjon.toml", &alone, 0o600);
    let mut server = serve(&rig);
    assert_eq!(server.read(&token, &paths[0]).body, "0");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_cannot_be_moved_is_named_and_stays() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "bao", 1_000);
    let mut server = serve(&rig);
    let token = rig.first_token();
    let (lost, whole) = (server.store(&token, "lost"), server.store(&token, "whole"));
    let id = lost.rsplit('/').next().unwrap();
    let entry = vault.entries().into_iter().find(|entry| entry.contains(id));
    vault.lose(&entry.unwrap());
    let ended = move_payloads(&rig, "bao", "database", &["--wait"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 moved, 1 left"), "{}", ended.stdout);
    assert!(ended.stdout.contains("global default"), "{}", ended.stdout);
    assert!(ended.stderr.contains(id), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot be moved"), "{}", ended.stderr);
    assert_eq!(server.read(&token, &whole).body, "whole");
    until("it is gone there", || vault.entries().is_empty());
    assert_eq!(server.stop(), Some(0));
}

/// The store answers for all others meanwhile, and goes on doing so.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "requests beside a verb, at a bounded pace"
)]
fn a_payload_that_its_store_fails_on_holds_up_nothing() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "bao", 1_000);
    let mut server = serve(&rig);
    let token = rig.first_token();
    let paths: Vec<_> = (0..20)
        .map(|number| server.store(&token, &number.to_string()))
        .collect();
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let damaged: Vec<_> = paths.iter().take(5).map(|path| id(path)).collect();
    for entry in vault.entries() {
        if damaged.iter().any(|id| entry.contains(id)) {
            vault.damage(&entry);
        }
    }
    let ended = thread::scope(|scope| {
        let verb = scope.spawn(|| move_payloads(&rig, "bao", "database", &["--wait"]));
        while !verb.is_finished() {
            assert_eq!(server.read(&token, &paths[0]).status, 503);
            server.store(&token, "beside it");
            thread::sleep(Duration::from_millis(20));
        }
        verb.join().unwrap()
    });
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("5 payloads cannot be moved"),
        "{}",
        ended.stderr
    );
    for id in &damaged {
        assert!(ended.stderr.contains(id), "{}", ended.stderr);
    }
    for (number, path) in paths.iter().enumerate().skip(5) {
        assert_eq!(server.read(&token, path).body, number.to_string());
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_move_into_a_store_that_refuses_ends_soon() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "database", 1_000);
    let mut server = serve(&rig);
    let token = rig.first_token();
    for number in 0..200 {
        server.store(&token, &number.to_string());
    }
    vault.set(Mood::ReadOnly);
    let ended = move_payloads(&rig, "database", "bao", &["--wait"]);
    assert_eq!(server.stop(), Some(0));
    let alone = move_payloads(&rig, "database", "bao", &[]);
    for ended in [ended, alone] {
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        let told = "0 moved, 200 left, held up: 100 payloads";
        assert!(ended.stdout.contains(told), "{}", ended.stdout);
        // Of the others only the number.
        assert_eq!(ended.stderr.matches("no permission").count(), 20);
    }
    // Those that were under way came to an end.
    assert!(vault.puts() < 2 * 110, "{}", vault.puts());
}

#[test]
fn a_move_that_makes_no_sense_is_refused() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "database", 1);
    let mut server = serve(&rig);
    let token = rig.first_token();
    refused(&rig, "database", "nowhere", "database, bao");
    refused(&rig, "bao", "bao", "already");
    vault.set(Mood::Away);
    refused(&rig, "database", "bao", "secret store \"bao\"");
    vault.set(Mood::Status(403));
    refused(&rig, "database", "bao", "secret store \"bao\"");
    vault.set(Mood::Good);
    for _ in 0..3 {
        server.store(&token, "x");
    }
    moved(&rig, "database", "bao", &[]);
    refused(&rig, "bao", "database", "wait for that");
    assert_eq!(server.stop(), Some(0));
    // Where stores are not configured, there is none.
    let rig = Rig::new();
    assert_eq!(rig.run(&["init"]).code, Some(0));
    let ended = rig.run(&["secrets", "move", "--from", "a", "--to", "b"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("none"), "{}", ended.stderr);
}

fn shred(rig: &Rig, project: &str) -> Ended {
    let verb = ["shred", "--project", project, "--yes"];
    rig.run(&[&verb, &CONFIG[..]].concat())
}

/// A project with so many secrets outside.
fn fill(rig: &Rig, server: &Server, project: &str, secrets: usize) {
    let token = rig.run(&["token", "create", "--project", project]).stdout;
    for _ in 0..secrets {
        server.store(token.trim(), "x");
    }
}

#[test]
fn a_project_goes_from_its_stores_too() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "bao", 1_000);
    let mut server = serve(&rig);
    let kept = server.store(&rig.first_token(), "kept");
    for project in ["one", "two", "three", "four"] {
        fill(&rig, &server, project, 120);
    }
    assert_eq!(vault.entries().len(), 481);
    says(&shred(&rig, "one"), 0, "unreadable from now on");
    assert_eq!(vault.entries().len(), 361);
    // Nobody is told that all is unreadable while it is not.
    let is_left = |ended: &Ended| {
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        let told = "120 payloads that were removed still wait in secret store \"bao\"";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert!(!ended.stdout.contains("unreadable"), "{}", ended.stdout);
    };
    vault.set(Mood::Status(503));
    is_left(&shred(&rig, "two"));
    vault.set(Mood::Good);
    until("the server removes them", || vault.entries().len() == 241);
    assert_eq!(server.stop(), Some(0));
    // Where no server runs, the verb does it.
    says(&shred(&rig, "three"), 0, "unreadable from now on");
    assert_eq!(vault.entries().len(), 121);
    vault.set(Mood::Away);
    is_left(&shred(&rig, "four"));
    vault.set(Mood::Good);
    let mut server = serve(&rig);
    until("the server removes them", || vault.entries().len() == 1);
    assert_eq!(server.read(&rig.first_token(), &kept).body, "kept");
    assert_eq!(server.stop(), Some(0));
}

fn doctor(rig: &Rig, flags: &[&str]) -> Ended {
    rig.run(&[&["doctor"], flags, &CONFIG].concat())
}

/// Says something that this is a part of, and ends with this code.
#[track_caller]
fn says(ended: &Ended, code: i32, text: &str) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(text), "{}", ended.stdout);
}

#[test]
fn the_doctor_names_what_is_lost_and_removes_what_is_nobodys() {
    let (rig, vault) = (Rig::new(), FakeVault::start());
    configure(&rig, &vault, "bao", 1_000);
    let mut server = serve(&rig);
    let token = rig.first_token();
    let kept = server.store(&token, "kept");
    says(
        &doctor(&rig, &[]),
        0,
        "1 payloads, 1 of secrets, 0 under way",
    );
    says(&doctor(&rig, &["--payloads"]), 0, "all can be read");
    // Something of this installation that no row names, beside something of another one.
    let own = vault.entries().remove(0);
    let (installation, key) = own.split_once('/').unwrap();
    let (secret, put) = key.split_once('.').unwrap();
    let (rest, last) = put.split_at(put.len() - 1);
    let stray = format!("{secret}.{rest}{}", if last == "0" { "1" } else { "0" });
    vault.smuggle(&format!("{installation}/{stray}"), "eA==");
    let foreign = format!("{}/{key}", installation.replace(|c| c != '-', "0"));
    vault.smuggle(&foreign, "eA==");
    for _ in 0..2 {
        let found = doctor(&rig, &[]);
        says(&found, 1, &stray);
        says(&found, 1, "1 are nobody's");
        says(&found, 1, "--repair");
        assert!(
            found.stderr.contains("problems left: 1"),
            "{}",
            found.stderr
        );
    }
    assert_eq!(vault.entries().len(), 3);
    says(
        &doctor(&rig, &["--repair"]),
        0,
        "1 that were nobody's are removed",
    );
    assert_eq!(vault.entries().len(), 2);
    assert!(vault.entries().contains(&foreign));
    assert_eq!(server.read(&token, &kept).body, "kept");
    // A payload that is lost, and one that is another.
    let lost = server.store(&token, "lost");
    let id = lost.rsplit('/').next().unwrap();
    let entry = vault.entries().into_iter().find(|entry| entry.contains(id));
    vault.lose(&entry.unwrap());
    says(&doctor(&rig, &["--repair"]), 1, id);
    vault.smuggle(&own, "eA==");
    let found = doctor(&rig, &["--payloads"]);
    says(&found, 1, "2 cannot be read");
    says(&found, 1, secret);
    // A server that has stopped is looked at as well, and so is a store that is away.
    assert_eq!(server.stop(), Some(0));
    says(&doctor(&rig, &[]), 1, id);
    vault.set(Mood::Away);
    says(&doctor(&rig, &["--repair"]), 1, "not looked at to the end");
    vault.set(Mood::Html);
    says(&doctor(&rig, &["--repair"]), 1, "not looked at to the end");
    vault.set(Mood::Good);
    let mut server = serve(&rig);
    assert_eq!(server.with_token("DELETE", &lost, &token, "").status, 204);
    assert_eq!(server.with_token("DELETE", &kept, &token, "").status, 204);
    until("they are gone", || {
        doctor(&rig, &[])
            .stdout
            .contains("0 payloads, 0 of secrets, 0 under way")
    });
    says(&doctor(&rig, &[]), 0, "database: whole");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_doctor_sees_a_damaged_database() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let token = rig.first_token();
    server.store(&token, "x");
    assert_eq!(server.stop(), Some(0));
    says(&rig.run(&["doctor"]), 0, "database: whole");
    let database = rusqlite::Connection::open(rig.data("donjon.db")).unwrap();
    database
        .execute("UPDATE projects SET live = live + 1", [])
        .unwrap();
    drop(database);
    let ended = rig.run(&["doctor"]);
    says(&ended, 75, "projects.live differs");
    assert!(ended.stderr.contains("restore a"), "{}", ended.stderr);
}
