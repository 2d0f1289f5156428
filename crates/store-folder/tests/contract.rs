//! What every store has to do, and what is this one's own matter.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails where something is lacking"
)]

use std::{fs, process::Command, sync::OnceLock, time::Duration};

use donjon_domain::{
    ContentType, SecretBytes, SecretType,
    ports::{OutsidePayload, PayloadStore, StoreErrorKind},
};
use donjon_store_folder::FolderStore;
use donjon_testkit::{block_on, contract::payload_store::PayloadStoreCase, sample};
use tempfile::TempDir;
use tokio::runtime::{EnterGuard, Runtime};

struct Case {
    store: FolderStore,
    folder: TempDir,
    _entered: EnterGuard<'static>,
}

impl Case {
    fn new() -> Self {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        let folder = TempDir::new().unwrap();
        Self {
            store: FolderStore::new(folder.path().to_owned(), Duration::from_secs(10)),
            folder,
            _entered: RUNTIME.get_or_init(|| Runtime::new().unwrap()).enter(),
        }
    }
}

impl PayloadStoreCase for Case {
    fn store(&self) -> &dyn PayloadStore {
        &self.store
    }
}

donjon_testkit::payload_store_contract!(Box::new(Case::new()));

/// A folder that is not mounted: nothing is missing, for nobody knows.
#[test]
fn a_folder_that_is_gone_is_away() {
    let case = Case::new();
    let name = sample::payload_name(1, 1, 1);
    let (project, bytes) = (sample::project("p"), SecretBytes::new(b"x".to_vec()));
    let payload = OutsidePayload {
        project: &project,
        secret_type: SecretType::Opaque,
        content_type: ContentType::Text,
        algorithm: None,
        bit_length: None,
        bytes: &bytes,
    };
    let locator = block_on(case.store.put(&name, &payload)).unwrap();
    fs::remove_dir_all(case.folder.path()).unwrap();
    let kinds = [
        block_on(case.store.put(&name, &payload))
            .unwrap_err()
            .kind(),
        block_on(case.store.get(&locator)).unwrap_err().kind(),
        block_on(case.store.delete(&locator)).unwrap_err().kind(),
        block_on(case.store.find(&name)).unwrap_err().kind(),
        block_on(case.store.list(name.deployment, None, 1))
            .unwrap_err()
            .kind(),
        block_on(case.store.check()).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [StoreErrorKind::Unavailable; 6]);
}

/// What hangs takes threads, but not all of the runtime's.
#[test]
fn threads_that_hang_are_bounded() {
    let case = Case::new();
    let store = FolderStore::new(case.folder.path().to_owned(), Duration::from_millis(30));
    let at = sample::payload_name(1, 1, 1);
    let folder = case.folder.path().join(at.deployment.to_string());
    fs::create_dir(&folder).unwrap();
    // A file that nobody ever writes: opening it waits for a writer.
    let file = folder.join(format!("{}.{}", at.secret, at.put));
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    let locator = block_on(store.find(&at)).unwrap().unwrap();
    let before = threads();
    for call in 0..100 {
        let hung = block_on(store.get(&locator)).unwrap_err();
        assert_eq!(hung.kind(), StoreErrorKind::Unavailable, "{call}");
    }
    // Not one for each call. Other tests may have some as well.
    let more = threads() - before;
    let is_away = block_on(store.check()).unwrap_err().kind();
    assert_eq!(is_away, StoreErrorKind::Unavailable);
    // They go on when somebody writes, and so do others.
    let writer = fs::OpenOptions::new().write(true).open(&file).unwrap();
    drop(writer);
    assert!(more < 64, "{more}");
    assert!((0..300).any(|_| block_on(store.check()).is_ok()));
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// `docs/plugins.md` shows this crate, and not what it once was.
#[test]
fn what_the_documentation_shows_is_there() {
    let documented = include_str!("../../../docs/plugins.md");
    let mut shown = 0;
    for part in documented.split("<!-- from ").skip(1) {
        let (path, rest) = part.split_once(" -->\n```").unwrap();
        let (_, code) = rest.split_once('\n').unwrap();
        let (code, _) = code.split_once("```").unwrap();
        let source = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(source).unwrap();
        for piece in code.split("// ...\n") {
            assert!(
                source.contains(piece.trim_matches('\n')),
                "{path}:\n{piece}"
            );
        }
        shown += 1;
    }
    // And there is no code but this.
    assert_eq!(documented.matches("```").count(), 2 * shown);
    assert!(shown > 4, "{shown}");
}
