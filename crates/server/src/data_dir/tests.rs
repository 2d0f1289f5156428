use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::system::OsEntropy;

struct Rig {
    folder: TempDir,
    root_key: RootKeys,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let current = folder.path().join("data").join(ROOT_KEY);
        Self {
            folder,
            root_key: RootKeys {
                current: RootKeySource::File(current),
                is_default: true,
                previous: None,
            },
        }
    }

    fn with_key_elsewhere(mut self) -> Self {
        self.root_key.current = RootKeySource::File(self.key());
        self.root_key.is_default = false;
        self
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("elsewhere.key")
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make(&self, names: &[&str]) {
        files::create_folder(&self.path()).unwrap();
        for name in names {
            write_private(&self.path().join(name), b"x").unwrap();
        }
    }

    fn open(&self) -> Result<DataDir, Failure> {
        DataDir::open_or_create(&self.path(), &self.root_key)
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path().join(name)).unwrap().mode() & 0o7777
    }

    fn refused(&self, exit: Exit, text: &str) {
        let failure = self.open().unwrap_err();
        assert_eq!(failure.exit(), exit, "{failure}");
        assert!(failure.to_string().contains(text), "{failure}");
    }

    fn names(&self) -> Vec<String> {
        names(&self.path()).unwrap().into_iter().collect()
    }
}

#[test]
fn a_missing_folder_is_made_for_us_alone() {
    let rig = Rig::new();
    let mut data = rig.open().unwrap();
    assert_eq!(data.stage(), Stage::New);
    assert_eq!(rig.mode("."), 0o700);
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    data.write_first_token(b"djn_x").unwrap();
    data.finish().unwrap();
    assert_eq!(data.stage(), Stage::Whole);
    assert_eq!(rig.names(), [LOCK, FIRST_TOKEN, ROOT_KEY]);
    for name in rig.names() {
        assert_eq!(rig.mode(&name), 0o600, "{name}");
    }
    assert_eq!(fs::read(data.first_token()).unwrap(), b"djn_x\n");
    assert!(rig.root_key.current.load().is_ok());
}

#[test]
fn an_empty_folder_is_taken() {
    let rig = Rig::new();
    rig.make(&[]);
    fs::create_dir(rig.path().join(LOST_FOUND)).unwrap();
    assert_eq!(rig.open().unwrap().stage(), Stage::New);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let rig = Rig::new();
    rig.make(&["thesis.txt"]);
    rig.refused(Exit::DataFolder, "for it holds thesis.txt");
    assert_eq!(rig.names(), ["thesis.txt"]);
}

#[test]
fn a_whole_folder_is_opened() {
    let rig = Rig::new();
    rig.make(&[DATABASE, ROOT_KEY]);
    let data = rig.open().unwrap();
    assert_eq!(data.stage(), Stage::Whole);
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    assert_eq!(fs::read(rig.path().join(ROOT_KEY)).unwrap(), b"x");
}

#[test]
fn a_database_without_root_key_is_never_given_a_new_one() {
    let rig = Rig::new();
    rig.make(&[DATABASE]);
    rig.refused(
        Exit::RootKey,
        "there is a database, and its root key is not at",
    );
    let elsewhere = Rig::new().with_key_elsewhere();
    elsewhere.make(&[DATABASE, ROOT_KEY]);
    elsewhere.refused(Exit::RootKey, "elsewhere.key");
}

#[test]
fn a_root_key_without_database_is_no_new_folder() {
    let rig = Rig::new();
    rig.make(&[ROOT_KEY]);
    rig.refused(Exit::DataFolder, "there is root.key, and no database");
}

#[test]
fn a_root_key_elsewhere_is_not_made() {
    let rig = Rig::new().with_key_elsewhere();
    rig.refused(Exit::RootKey, "no root key there");
    write_private(&rig.key(), b"k").unwrap();
    let data = rig.open().unwrap();
    assert_eq!(data.stage(), Stage::New);
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    assert_eq!(rig.names(), [LOCK, UNFINISHED]);
}

#[test]
fn an_interrupted_start_goes_on() {
    let rig = Rig::new();
    let data = rig.open().unwrap();
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    let key = fs::read(rig.path().join(ROOT_KEY)).unwrap();
    drop(data);
    let again = rig.open().unwrap();
    assert_eq!(again.stage(), Stage::Unfinished);
    again.begin(&rig.root_key, &OsEntropy).unwrap();
    assert_eq!(fs::read(rig.path().join(ROOT_KEY)).unwrap(), key);
}

#[test]
fn a_start_interrupted_before_the_key_goes_on_too() {
    let rig = Rig::new();
    rig.make(&[UNFINISHED, "root.key.new"]);
    let data = rig.open().unwrap();
    assert_eq!(data.stage(), Stage::Unfinished);
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    assert_eq!(rig.names(), [LOCK, ROOT_KEY, UNFINISHED]);
}

#[test]
fn a_start_interrupted_before_its_mark_begins_anew() {
    let rig = Rig::new();
    rig.make(&[LOCK, UNFINISHED_DRAFT]);
    let data = rig.open().unwrap();
    assert_eq!(data.stage(), Stage::New);
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    assert_eq!(rig.names(), [LOCK, ROOT_KEY, UNFINISHED]);
}

#[test]
fn two_cannot_work_in_one_folder() {
    let rig = Rig::new();
    let first = rig.open().unwrap();
    rig.refused(
        Exit::DataFolder,
        &format!("another donjon (process {})", std::process::id()),
    );
    assert!(DataDir::is_in_use(&rig.path()));
    drop(first);
    assert!(!DataDir::is_in_use(&rig.path()));
    assert!(rig.open().is_ok());
}

#[tokio::test]
async fn a_start_outlasts_a_verb_that_holds_the_folder() {
    let rig = Rig::new();
    let first = rig.open().unwrap();
    let path = rig.path();
    let started = DataDir::open_or_create_in_time(&path, &rig.root_key);
    let verb = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(started, verb);
    let _second = second.unwrap();
    let failure = DataDir::open_or_create_in_time(&path, &rig.root_key);
    assert!(
        failure
            .await
            .unwrap_err()
            .to_string()
            .contains("another donjon")
    );
}

#[test]
fn what_others_may_open_is_refused() {
    let rig = Rig::new();
    rig.make(&[DATABASE, ROOT_KEY]);
    let chmod = |name: &str, mode| {
        fs::set_permissions(rig.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o755, 0o710, 0o701] {
        chmod(".", mode);
        rig.refused(Exit::DataFolder, "open to others (mode 07");
        chmod(".", 0o700);
    }
    chmod(DATABASE, 0o640);
    rig.refused(
        Exit::DataFolder,
        "donjon.db: open to others (mode 0640); run `chmod 600 ",
    );
    chmod(DATABASE, 0o600);
    assert!(rig.open().is_ok());
}

#[test]
fn links_are_not_followed_out_of_the_folder() {
    for name in [LOCK, DATABASE, FIRST_TOKEN] {
        let rig = Rig::new();
        rig.make(&[ROOT_KEY]);
        let outside = rig.folder.path().join("outside");
        write_private(&outside, b"precious").unwrap();
        symlink(&outside, rig.path().join(name)).unwrap();
        rig.refused(Exit::DataFolder, "not a plain file");
        assert_eq!(fs::read(&outside).unwrap(), b"precious");
    }
}

#[test]
fn a_file_is_no_folder() {
    let rig = Rig::new();
    write_private(&rig.path(), b"").unwrap();
    rig.refused(Exit::DataFolder, "not a folder");
}

#[test]
fn the_folder_above_has_to_be_there() {
    let rig = Rig::new();
    let path = rig.path().join("below");
    let failure = DataDir::open_or_create(&path, &rig.root_key).unwrap_err();
    assert_eq!(failure.exit(), Exit::DataFolder);
    assert!(failure.to_string().contains("the folder above it"));
}

#[test]
fn only_a_whole_folder_has_tokens() {
    let rig = Rig::new();
    let open = || DataDir::open_whole(&rig.path(), &rig.root_key).unwrap_err();
    assert!(open().to_string().contains("no data here yet"));
    rig.make(&[]);
    assert!(open().to_string().contains("no data here yet"));
    assert_eq!(rig.names(), Vec::<String>::new());
    let data = rig.open().unwrap();
    data.begin(&rig.root_key, &OsEntropy).unwrap();
    drop(data);
    assert!(open().to_string().contains("no data here yet"));
}
