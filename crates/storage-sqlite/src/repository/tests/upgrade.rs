//! A file of version 1 with something in it.

use std::num::NonZeroU32;

use donjon_domain::ports::Counted;

use super::*;
use crate::{
    file,
    migrate::{MIGRATIONS, inspect, migrate},
    settings::{Role, connect},
};

/// What version 1 wrote: two secrets of one project, and three consumers, two
/// of them of a project that has nothing else.
const CONTENTS: &str = "
    INSERT INTO projects (id, name, next_ordinal, live) VALUES (1, 'project', 2, 2);
    INSERT INTO secrets (place, uuid, counted, acl, created, updated, secret_type, creation)
        VALUES (1 << 40, x'00000000000040008000000000000001', 1, 0, 5, 5, 1, 0),
               ((1 << 40) + 1, x'00000000000040008000000000000002', 1, 1, 6, 6, 1, 1);
    INSERT INTO blocks (block, live) VALUES ((1 << 40) >> 8, 2);
    INSERT INTO acls (place, created, updated) VALUES ((1 << 40) + 1, 7, 7);
    INSERT INTO acl_users (place, user) VALUES ((1 << 40) + 1, 'guest');
    INSERT INTO secret_consumers VALUES
        (1 << 40, 1, zeroblob(16), 'project', 'image', 'images', 'a', 8, 8),
        (1 << 40, 2, zeroblob(16), 'elsewhere', 'image', 'images', 'b', 8, 8),
        ((1 << 40) + 1, 1, zeroblob(16), 'elsewhere', 'image', 'images', 'a', 8, 8);
    UPDATE state SET next_creation = 2, commit_seq = 41, clean = 1;
";

fn version_1(folder: &TempDir) {
    let path = file::resolve(&folder.path().join("donjon.db")).unwrap();
    file::create(&path).unwrap();
    let connection = connect(&path, Role::Writer).unwrap();
    let first = &MIGRATIONS[..1];
    assert_eq!(inspect(&connection, &path, first).unwrap(), 0);
    migrate(&connection, &path, 0, first, sample::NOW).unwrap();
    connection.execute_batch(CONTENTS).unwrap();
    // What version 1 wrote, version 1 finds in order.
    assert_eq!(inspect(&connection, &path, first).unwrap(), 1);
}

fn consumers(repository: &SqliteRepository, project: &'static str) -> u64 {
    counted(repository, project, Counted::SecretConsumers)
}

#[test]
fn a_file_of_version_1_keeps_its_contents_and_gets_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    version_1(&folder);
    let (repository, opened) = SqliteRepository::open(options(&folder)).unwrap();
    let migrated = opened.migrated.unwrap();
    assert_eq!((migrated.from, migrated.to), (1, 8));
    assert_eq!(opened.commit_seq, 42);
    let copy = migrated.copy.unwrap();
    assert!(copy.ends_with("donjon.db.before-8"), "{}", copy.display());

    let fixture = Fixture {
        repository: Some(repository),
        folder,
    };
    fixture.assert_sound();
    let repository = fixture.repository();
    let whole = page_of("project", Start::Offset(0), 10);
    let page = list(repository, &whole, sample::NOW);
    let ids: Vec<_> = page.items.iter().map(|secret| secret.id).collect();
    assert_eq!(ids, [1, 2].map(sample::secret_id));
    assert_eq!(consumers(repository, "project"), 1);
    assert_eq!(consumers(repository, "elsewhere"), 2);

    // All that was there goes the usual way, and the new tables work.
    fixture.write(|tx| {
        let container = sample::container(1, "elsewhere");
        tx.insert_container(&container, &[sample::entry(None, 1)])?;
        let (id, name) = (sample::secret_id(1), sample::label("gone"));
        tx.remember_removed_entry(container.id, id, &name, NonZeroU32::MIN)?;
        tx.insert_order(&sample::order(1, "project"))?;
        assert!(tx.delete_secret(sample::secret_id(1))?);
        assert_eq!(tx.container_entries(container.id)?, []);
        tx.insert_secret(&sample::secret(3, "project"), None)
    });
    assert_eq!(consumers(fixture.repository(), "project"), 0);
    assert_eq!(consumers(fixture.repository(), "elsewhere"), 1);
    fixture.assert_sound();
}

#[test]
fn an_interrupted_upgrade_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    version_1(&folder);
    // The copy was made, and nothing else happened.
    std::fs::copy(
        folder.path().join("donjon.db"),
        folder.path().join("donjon.db.before-2"),
    )
    .unwrap();
    let (repository, opened) = SqliteRepository::open(options(&folder)).unwrap();
    assert_eq!(opened.migrated.unwrap().from, 1);
    drop(repository);
    let (repository, opened) = SqliteRepository::open(options(&folder)).unwrap();
    assert_eq!(opened.migrated, None);
    assert_eq!(consumers(&repository, "elsewhere"), 2);
}
