use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
};

use donjon_testkit::SeededEntropy;

use super::{file::check_folder, *};

/// A folder of mode 0700 with one key file in it.
fn key_file(contents: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    fs::write(&path, contents).unwrap();
    chmod(&path, 0o600);
    (folder, path)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn root_key() -> RootKey {
    RootKey::generate(&SeededEntropy::new(7))
}

#[test]
fn raw_bytes_and_base64_are_one_key() {
    let key = root_key();
    let raw = RootKey::parse(key.key().expose_bytes()).unwrap();
    let text = RootKey::parse(key.to_file_contents().as_bytes()).unwrap();
    assert_eq!(raw.id(), key.id());
    assert_eq!(text.id(), key.id());
    assert_eq!(text.key().expose_bytes(), key.key().expose_bytes());
    assert!(key.to_file_contents().ends_with('\n'));
}

#[test]
fn the_id_is_frozen() {
    let key = RootKey::parse(&[0x42; 32]).unwrap();
    let digest = Sha256::digest([b"donjon/root-key-id/1".as_slice(), &[0x42; 32]].concat());
    assert_eq!(key.id().as_bytes(), &digest[..16]);
    assert_eq!(key.id().to_string(), FROZEN_ID);
}

const FROZEN_ID: &str = "d2ba08613e92b2b09deccd2b4f22a672";

#[test]
fn other_contents_are_refused() {
    for contents in [
        &b""[..],
        b"x",
        &[1; 31],
        &[1; 33],
        b"not base64 at all, but longer than 32 b",
        &[b'A'; 40],
    ] {
        assert_eq!(
            RootKey::parse(contents).unwrap_err(),
            InvalidRootKey,
            "{contents:?}"
        );
    }
}

#[test]
fn debug_shows_the_id_alone() {
    let key = root_key();
    assert_eq!(
        format!("{key:?}"),
        format!("RootKey {{ id: RootKeyId({}), .. }}", key.id())
    );
}

#[test]
fn a_good_file_is_read() {
    let (_folder, path) = key_file(root_key().to_file_contents().as_bytes());
    assert_eq!(RootKey::from_file(&path).unwrap().id(), root_key().id());
    chmod(&path, 0o400);
    assert_eq!(RootKey::from_file(&path).unwrap().id(), root_key().id());
}

#[test]
fn files_that_others_can_reach_are_refused() {
    let (_folder, path) = key_file(&[1; 32]);
    for mode in [0o640, 0o604, 0o660, 0o601] {
        chmod(&path, mode);
        let error = RootKey::from_file(&path).unwrap_err();
        assert!(
            matches!(error, RootKeyFileError::Mode { mode: found, .. } if found == mode),
            "{error}"
        );
    }
}

#[test]
fn folders_that_others_can_write_are_refused() {
    let (folder, path) = key_file(&[1; 32]);
    for mode in [0o720, 0o702, 0o1777] {
        chmod(folder.path(), mode);
        let error = RootKey::from_file(&path).unwrap_err();
        assert!(
            matches!(error, RootKeyFileError::FolderMode { .. }),
            "{error}"
        );
    }
}

#[test]
fn folders_of_somebody_else_are_refused() {
    let we = rustix::process::geteuid().as_raw();
    let check = |uid| check_folder(Path::new("root.key"), uid, 0o40700);
    assert!(check(0).is_ok());
    assert!(check(we).is_ok());
    let stranger = we + 1;
    let error = check(stranger).unwrap_err();
    assert!(
        matches!(error, RootKeyFileError::FolderOwner { uid, .. } if uid == stranger),
        "{error}"
    );
}

/// Only root can give a folder away, so elsewhere this shows nothing.
#[test]
fn a_key_in_a_folder_of_somebody_else_is_refused() {
    let (folder, path) = key_file(&[1; 32]);
    if std::os::unix::fs::chown(folder.path(), Some(12_345), None).is_ok() {
        let error = RootKey::from_file(&path).unwrap_err();
        assert!(
            matches!(error, RootKeyFileError::FolderOwner { uid: 12_345, .. }),
            "{error}"
        );
    }
}

#[test]
fn links_and_special_files_are_refused() {
    let (folder, path) = key_file(&[1; 32]);
    let symbolic = folder.path().join("symbolic");
    symlink(&path, &symbolic).unwrap();
    assert!(matches!(
        RootKey::from_file(&symbolic),
        Err(RootKeyFileError::Unreadable { .. })
    ));
    assert!(matches!(
        RootKey::from_file(folder.path()),
        Err(RootKeyFileError::NotOneRegularFile { .. })
    ));
    fs::hard_link(&path, folder.path().join("hard")).unwrap();
    assert!(matches!(
        RootKey::from_file(&path),
        Err(RootKeyFileError::NotOneRegularFile { .. })
    ));
}

#[test]
fn missing_and_wrong_files_are_named() {
    let (folder, path) = key_file(b"short");
    let error = RootKey::from_file(&path).unwrap_err();
    assert!(error.to_string().contains("root.key"), "{error}");
    assert!(matches!(error, RootKeyFileError::Contents { .. }));
    let missing = RootKey::from_file(&folder.path().join("nothing")).unwrap_err();
    assert!(matches!(missing, RootKeyFileError::Unreadable { .. }));
    let (_folder, long) = key_file(&[b'A'; 10_000]);
    assert!(matches!(
        RootKey::from_file(&long),
        Err(RootKeyFileError::Contents { .. })
    ));
}

#[test]
fn a_credential_may_be_read_by_its_group() {
    let (_folder, path) = key_file(root_key().to_file_contents().as_bytes());
    for mode in [0o400, 0o440] {
        chmod(&path, mode);
        let read = RootKey::from_credential(&path).unwrap();
        assert_eq!(read.id(), root_key().id());
    }
    for mode in [0o444, 0o460, 0o402, 0o450] {
        chmod(&path, mode);
        let error = RootKey::from_credential(&path).unwrap_err();
        assert!(matches!(error, RootKeyFileError::Mode { .. }), "{error}");
    }
}
