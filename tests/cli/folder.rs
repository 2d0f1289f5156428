//! The data folder: exit code 4.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
};

use super::support::{Rig, chmod};

#[test]
fn a_second_server_is_refused() {
    let rig = Rig::new();
    let server = rig.serve();
    let text = format!("(process {})", server.pid().as_raw_nonzero());
    rig.refused(&["serve", "--listen", "127.0.0.1:0"], 4, &text);
    rig.refused(&["init"], 4, "another donjon");
    assert!(server.accepts(&rig.first_token()));
}

#[test]
fn a_folder_open_to_others_is_refused() {
    let rig = Rig::new();
    fs::create_dir(rig.path("donjon-data")).unwrap();
    chmod(&rig.path("donjon-data"), 0o755);
    rig.refused(&["serve"], 4, "run `chmod 700 ");
    assert_eq!(fs::read_dir(rig.path("donjon-data")).unwrap().count(), 0);
    chmod(&rig.path("donjon-data"), 0o700);
    assert_eq!(rig.serve().stop(), Some(0));
    chmod(&rig.data("donjon.db"), 0o644);
    rig.refused(&["serve"], 4, "donjon.db: open to others");
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let rig = Rig::new();
    fs::create_dir(rig.path("donjon-data")).unwrap();
    chmod(&rig.path("donjon-data"), 0o700);
    fs::write(rig.data("thesis.txt"), "x").unwrap();
    rig.refused(&["serve"], 4, "it holds thesis.txt");
    rig.refused(&["init"], 4, "it holds thesis.txt");
    assert_eq!(fs::read_dir(rig.path("donjon-data")).unwrap().count(), 1);
}

#[test]
fn a_lost_database_is_not_replaced() {
    let rig = Rig::new();
    assert_eq!(rig.serve().stop(), Some(0));
    let database = fs::read(rig.data("donjon.db")).unwrap();
    fs::remove_file(rig.data("donjon.db")).unwrap();
    rig.refused(&["serve"], 4, "and no database");
    fs::write(rig.data("donjon.db"), "").unwrap();
    chmod(&rig.data("donjon.db"), 0o600);
    rig.refused(&["serve"], 4, "the database is empty");
    fs::write(rig.data("donjon.db"), database).unwrap();
    assert!(rig.serve().accepts(&rig.first_token()));
}

#[test]
fn a_newer_schema_is_refused() {
    let rig = Rig::new();
    assert_eq!(rig.serve().stop(), Some(0));
    // SQLite's header: user_version stands at offset 60, big-endian.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(rig.data("donjon.db"))
        .unwrap();
    let mut version = [0; 4];
    file.read_exact_at(&mut version, 60).unwrap();
    assert_ne!(u32::from_be_bytes(version), 0);
    let newer = u32::from_be_bytes(version) + 1;
    file.write_all_at(&newer.to_be_bytes(), 60).unwrap();
    drop(file);
    for verb in [&["serve"][..], &["token", "list"]] {
        rig.refused(verb, 4, "the newest known here is");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let rig = Rig::new();
    assert_eq!(rig.serve().stop(), Some(0));
    fs::write(rig.data("donjon.db"), "this is no database, ".repeat(500)).unwrap();
    rig.refused(&["serve"], 4, "not a database of this server");
}
