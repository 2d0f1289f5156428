//! The commands of docs/backup.md, as they stand there.

use std::{fs, process::Command};

use super::support::{Ended, Rig, Server};

/// The blocks of commands under a heading.
fn commands(heading: &str) -> String {
    let page = include_str!("../../docs/backup.md");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

fn shell(rig: &Rig, script: &str) {
    let donjon = rig.command(&[]);
    let folder = std::path::Path::new(donjon.get_program()).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-ec", script])
        .current_dir(rig.path("."))
        .env("PATH", format!("{}:{path}", folder.display()));
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{script}\n{}", ended.stderr);
}

/// Loses the data folder, restores it, and reads the secret.
fn restores(rig: &Rig, token: &str, secret: &str) -> Server {
    fs::remove_dir_all(rig.path("donjon-data")).unwrap();
    shell(rig, &commands("Restore"));
    for (name, mode) in [(".", 0o700), ("donjon.db", 0o600), ("root.key", 0o600)] {
        assert_eq!(rig.mode(name), mode, "{name}");
    }
    let server = rig.serve();
    let answer = server.read(token, secret);
    assert_eq!((answer.status, answer.body.as_str()), (200, "kept"));
    server
}

#[test]
fn a_copy_of_a_stopped_server_is_restored() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let token = rig.first_token();
    let secret = server.store(&token, "kept");
    assert_eq!(server.stop(), Some(0));
    shell(&rig, &commands("The root key"));
    shell(&rig, &commands("The database, while the server is stopped"));
    restores(&rig, &token, &secret);
}

/// The statement of the page, by the SQLite of this workspace: the program
/// `sqlite3` is not on every machine.
#[test]
fn a_copy_of_a_running_server_is_restored() {
    let rig = Rig::new();
    let mut server = rig.serve();
    let token = rig.first_token();
    let secret = server.store(&token, "kept");
    shell(&rig, &commands("The root key"));
    let page = commands("The database, while the server runs");
    let sql = page.split('"').nth(1).unwrap();
    fs::create_dir(rig.path("backup")).unwrap();
    let sql = sql.replace("backup/", &format!("{}/", rig.path("backup").display()));
    let database = rusqlite::Connection::open(rig.data("donjon.db")).unwrap();
    database.execute_batch(&sql).unwrap();
    drop(database);
    let late = server.store(&token, "after the copy");
    assert_eq!(server.stop(), Some(0));
    let server = restores(&rig, &token, &secret);
    assert_eq!(server.read(&token, &late).status, 404);
}
