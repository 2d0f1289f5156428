//! Finds values that somebody could misuse who reads the configuration file,
//! and tells who can.
//!
//! Besides the keys that take one, people write passwords into URLs, and keys
//! where a path belongs.

use std::{fs::File, os::fd::BorrowedFd, path::Path};

use anyhow::{Result, ensure};
use rustix::fs::{FileType, Mode, fstat};

/// Names that hold secrets in whatever table they stand.
const SECRET_NAMES: &[&str] = &[
    "application_credential_secret",
    "login",
    "passphrase",
    "password",
    "pin",
    "token",
    "secret",
];

/// Keys that name a secret by a scheme, and the schemes that are none
/// themselves.
const SECRET_BY_SCHEME: &[(&str, &[&str])] = &[
    ("pkcs11.login_from", PASSPHRASE_SCHEMES),
    ("root_key.current", KEY_SCHEMES),
    ("root_key.passphrase_from", PASSPHRASE_SCHEMES),
    ("root_key.previous", KEY_SCHEMES),
    ("root_key.previous_passphrase_from", PASSPHRASE_SCHEMES),
];

pub(super) const KEY_SCHEMES: &[&str] = &[
    "file:",
    "credential:",
    "passphrase:",
    "env:",
    "pkcs11:",
    "transit:",
];
const PASSPHRASE_SCHEMES: &[&str] = &["file:", "credential:", "terminal"];

/// Whether this text under this key is a secret.
pub(super) fn is_secret(path: &str, text: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    lacks_scheme(path, text) || SECRET_NAMES.contains(&name) || has_password(text)
}

/// Whether a key that names a secret by a scheme has none: then it may be the
/// secret itself.
pub(super) fn lacks_scheme(path: &str, text: &str) -> bool {
    let schemes = schemes(path);
    !schemes.is_empty() && !schemes.iter().any(|scheme| text.starts_with(scheme))
}

/// The schemes of a key; none for a key without.
pub(super) fn schemes(path: &str) -> &'static [&'static str] {
    let found = SECRET_BY_SCHEME.iter().find(|(key, _)| *key == path);
    found.map_or(&[], |(_, schemes)| schemes)
}

/// Whether a text is a URL with a password: `scheme://user:password@host`.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
}

/// Whether others than the owner may read an open file.
pub(super) fn is_readable_by_others(file: &File) -> Result<bool> {
    let mode = Mode::from_raw_mode(fstat(file)?.st_mode);
    Ok(mode.intersects(Mode::RGRP | Mode::ROTH))
}

/// The same of what a descriptor leads to, where that is a file.
pub(crate) fn is_file_readable_by_others(fd: BorrowedFd<'_>) -> Result<bool> {
    let mode = fstat(fd)?.st_mode;
    let is_open = Mode::from_raw_mode(mode).intersects(Mode::RGRP | Mode::ROTH);
    Ok(is_open && FileType::from_raw_mode(mode).is_file())
}

/// # Errors
/// Anybody may write the file: then anybody may choose who is let in.
pub(crate) fn refuse_writable_by_all(path: &Path, file: &File) -> Result<()> {
    let mode = Mode::from_raw_mode(fstat(file)?.st_mode);
    ensure!(
        !mode.contains(Mode::WOTH),
        "{}: anybody may change this file; run `chmod o-w {0}`",
        path.display()
    );
    Ok(())
}
