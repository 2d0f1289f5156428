//! Starts on a full disk.

use std::{fs, path::PathBuf};

use donjon_domain::ports::Health;

use super::*;
use crate::{OpenError, OpenErrorKind, repository::with_room, shared::Shared, writer::Reserve};

fn reserve(folder: &TempDir) -> (Reserve, PathBuf) {
    let path = folder.path().join("ballast");
    let reserve = Reserve {
        ballast: Ballast {
            path: path.clone(),
            bytes: 4_096,
        },
        database: folder.path().join("donjon.db"),
        pages_max: None,
    };
    (reserve, path)
}

fn full() -> OpenError {
    OpenError::new(OpenErrorKind::Full, "database")
}

#[test]
fn a_start_without_room_takes_that_of_the_ballast() {
    let folder = tempfile::tempdir().unwrap();
    let (reserve, path) = reserve(&folder);
    let shared = Shared::new();
    reserve.hold().unwrap();
    let opened = with_room(&reserve, &shared, || {
        if path.exists() { Err(full()) } else { Ok(7) }
    });
    assert_eq!(opened.unwrap(), 7);
    assert_eq!(shared.health(), Health::Full);
}

#[test]
fn a_start_that_fails_otherwise_or_for_good_is_tried_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (reserve, path) = reserve(&folder);
    let shared = Shared::new();
    let try_to_open = |kind: OpenErrorKind| {
        let mut times = 0;
        let opened: Result<(), _> = with_room(&reserve, &shared, || {
            times += 1;
            Err(OpenError::new(kind, "database"))
        });
        assert_eq!(opened.unwrap_err().kind(), kind);
        times
    };
    reserve.hold().unwrap();
    assert_eq!(try_to_open(OpenErrorKind::Corrupt), 1);
    assert!(path.exists());
    assert_eq!(try_to_open(OpenErrorKind::Full), 2);
    assert!(!path.exists());
    assert_eq!(try_to_open(OpenErrorKind::Full), 1);
}

/// A file system of its own, which takes the rights to mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &TempDir) -> Option<Self> {
        let path = folder.path().join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_database_on_a_full_disk_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder) else {
        // The tests above do without.
        return;
    };
    let options = || {
        let clock = Arc::new(FixedClock::new(sample::NOW));
        let options = OpenOptions::new(disk.0.join("donjon.db"), clock);
        OpenOptions {
            ballast: Ballast {
                bytes: 512 << 10,
                ..options.ballast.clone()
            },
            ..options
        }
    };
    let (repository, _) = SqliteRepository::create(options()).unwrap();
    let inserted =
        block_on(repository.write_with(|tx| tx.insert_secret(&sample::secret(1, "project"), None)));
    inserted.map_err(|error: RepositoryError| error).unwrap();
    block_on(repository.close()).unwrap();
    drop(repository);
    // Somebody else takes all there is.
    let filler = fs::write(disk.0.join("filler"), vec![7; 4 << 20]);
    assert!(filler.is_err());

    let (repository, opened) = SqliteRepository::open(options()).unwrap();
    assert!(opened.was_clean);
    assert_eq!(repository.health(), Health::Full);
    let refused =
        block_on(repository.write_with(|tx| tx.insert_secret(&sample::secret(2, "project"), None)));
    let refused: RepositoryError = refused.unwrap_err();
    assert_eq!(
        refused.kind(),
        donjon_domain::ports::RepositoryErrorKind::Full
    );
    let whole = page_of("project", Start::Offset(0), 10);
    assert_eq!(list(&repository, &whole, sample::NOW).total, 1);
    let gone: Result<bool, RepositoryError> =
        block_on(repository.write_with(|tx| tx.delete_secret(sample::secret_id(1))));
    assert!(gone.unwrap());
}
