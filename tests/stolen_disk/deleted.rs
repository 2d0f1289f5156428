//! What is deleted leaves the disk: the database file at once, the write-ahead log within a minute.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::json;

use crate::{
    search::Needles,
    support::{Caller, Launch, base64, until},
};

/// What docs/SECURITY.md promises.
const PROMISED: Duration = Duration::from_secs(60);

/// Every envelope in the database of a stopped server, whatever the tables are called.
fn envelopes(database: &Path) -> BTreeSet<Vec<u8>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(database, flags).unwrap();
    let mut envelopes = BTreeSet::new();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for table in tables {
        let mut all = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let ValueRef::Blob(blob) = row.get_ref(column).unwrap()
                    && blob.starts_with(b"DJ\x01")
                {
                    envelopes.insert(blob.to_vec());
                }
            }
        }
    }
    envelopes
}

/// Parts of envelopes that are random: salt and nonce, commitment, and all of the ciphertext in pieces.
fn pieces(envelopes: &BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for envelope in envelopes {
        pieces.extend([envelope[24..80].to_vec(), envelope[80..112].to_vec()]);
        pieces.extend(envelope[112..].chunks_exact(16).map(<[u8]>::to_vec));
    }
    pieces
}

fn store(caller: &Caller, bytes: usize) -> String {
    caller.create(&json!({"payload": base64(&vec![7; bytes]),
        "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"}))
}

/// The database file and its companions.
fn files(launch: &Launch) -> Vec<PathBuf> {
    let database = launch.database();
    let name = database.display().to_string();
    ["", "-wal", "-shm", "-journal"]
        .map(|suffix| PathBuf::from(format!("{name}{suffix}")))
        .to_vec()
}

fn is_in_files(needles: &Needles, launch: &Launch) -> bool {
    files(launch)
        .iter()
        .any(|file| fs::read(file).is_ok_and(|bytes| !needles.in_bytes(&bytes).is_empty()))
}

#[test]
fn ciphertext_of_deleted_secrets_is_gone_within_a_minute() {
    let server = Launch::new("noauth").start();
    let member = server.member_of("p");
    // Small ones share a page, large ones have pages of their own.
    let sizes = [1, 100, 1_000, 5_000, 15_000];
    let kept: Vec<String> = sizes.iter().map(|size| store(&member, *size)).collect();
    let launch = server.stop();
    let kept_envelopes = envelopes(&launch.database());
    assert!(kept_envelopes.len() > sizes.len(), "and a key at least");
    let server = launch.start();
    let member = server.member_of("p");
    let doomed: Vec<String> = (0..100)
        .map(|n| store(&member, sizes[n % sizes.len()]))
        .collect();
    let launch = server.stop();
    let mut doomed_envelopes = envelopes(&launch.database());
    doomed_envelopes.retain(|envelope| !kept_envelopes.contains(envelope));
    assert_eq!(doomed_envelopes.len(), doomed.len());
    let doomed_pieces = Needles::raw(&pieces(&doomed_envelopes));
    let kept_pieces = Needles::raw(&pieces(&kept_envelopes));
    assert!(
        is_in_files(&doomed_pieces, &launch),
        "they are found while they are there"
    );

    let server = launch.start();
    let member = server.member_of("p");
    for path in &doomed {
        member.call(&format!("DELETE {path}")).is_empty(204);
    }
    until("nothing is left of what was deleted", PROMISED, || {
        // Somebody who reads all the time must not keep the log from being emptied.
        member.call(&format!("GET {}/payload", kept[0]));
        (!is_in_files(&doomed_pieces, server.launch())).then_some(())
    });
    assert!(
        is_in_files(&kept_pieces, server.launch()),
        "the others are still there"
    );
    for (path, size) in kept.iter().zip(sizes) {
        assert_eq!(member.call(&format!("GET {path}/payload")).body.len(), size);
    }
}

#[test]
fn a_killed_server_leaves_nothing_deleted_after_the_next_start() {
    let server = Launch::new("noauth").start();
    let member = server.member_of("p");
    let kept = store(&member, 10);
    let launch = server.stop();
    let before = envelopes(&launch.database());
    let server = launch.start();
    let doomed = store(&server.member_of("p"), 1_000);
    let launch = server.stop();
    let mut envelope = envelopes(&launch.database());
    envelope.retain(|envelope| !before.contains(envelope));
    let needles = Needles::raw(&pieces(&envelope));
    assert!(is_in_files(&needles, &launch));
    let server = launch.start();
    let member = server.member_of("p");
    member.call(&format!("DELETE {doomed}")).is_empty(204);
    let server = server.kill().start();
    assert!(!is_in_files(&needles, server.launch()));
    server.member_of("p").call(&format!("GET {kept}")).ok(200);
}
