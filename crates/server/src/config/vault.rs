//! How to reach an OpenBao or Vault, for a store in it or a root key in it:
//! keys of the same names in either table.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use donjon_domain::SecretBytes;

use super::{
    settings::Values,
    texts::{base_url, path},
};

/// How to reach an OpenBao or Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VaultServer {
    pub(crate) url: String,
    pub(crate) namespace: Option<String>,
    pub(crate) login: VaultLogin,
    pub(crate) cafile: Option<PathBuf>,
    pub(crate) certfile: Option<PathBuf>,
    pub(crate) keyfile: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

/// How to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VaultLogin {
    Token(VaultSecret),
    AppRole {
        mount: String,
        role_id: String,
        secret_id: VaultSecret,
    },
}

/// Where a token or secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VaultSecret {
    Given(Arc<SecretBytes>),
    /// Read for each log-in.
    File(PathBuf),
}

#[cfg(any(feature = "store-vault", feature = "crypto-vault"))]
impl VaultSecret {
    /// Reads it; a file has to be its owner's alone. Blocks for that.
    ///
    /// # Errors
    /// A text for the operator.
    pub(crate) fn read(&self) -> Result<Arc<SecretBytes>> {
        use super::keystone;

        match self {
            Self::Given(secret) => Ok(Arc::clone(secret)),
            Self::File(path) => keystone::password_in(path).map(Arc::new),
        }
    }
}

/// Reads the keys of `table`. `whose` begins messages: `secret store "a"`.
///
/// # Errors
/// Something needed is missing, or keys contradict one another.
pub(super) fn server(
    values: &Values<'_>,
    table: &str,
    whose: &str,
    timeout_ms: u64,
) -> Result<VaultServer> {
    let key = |name: &str| format!("{table}.{name}");
    let text = |name: &str| values.each(&key(name), filled);
    let file = |name: &str| values.each(&key(name), path);
    let url = values.each(&key("url"), base_url)?;
    let url = url.with_context(|| {
        format!("{whose}: set {table}.url, such as https://bao.example.org:8200")
    })?;
    let (certfile, keyfile) = (file("certfile")?, file("keyfile")?);
    ensure!(
        certfile.is_some() == keyfile.is_some(),
        "{whose}: certfile and keyfile need each other"
    );
    Ok(VaultServer {
        url,
        namespace: text("namespace")?,
        login: login(values, table, whose)?,
        cafile: file("cafile")?,
        certfile,
        keyfile,
        timeout: timeout(values, table, timeout_ms)?,
    })
}

/// How long one call may take; `timeout_ms` where `table` does not say.
///
/// # Errors
/// It is out of range.
pub(super) fn timeout(values: &Values<'_>, table: &str, timeout_ms: u64) -> Result<Duration> {
    let key = format!("{table}.timeout_ms");
    let timeout_ms = if values.has(&key) {
        values.count(&key, TIMEOUT_MS)?
    } else {
        timeout_ms
    };
    Ok(Duration::from_millis(timeout_ms))
}

fn login(values: &Values<'_>, table: &str, whose: &str) -> Result<VaultLogin> {
    let key = |name: &str| format!("{table}.{name}");
    let token = values.secret(&key("token")).map(VaultSecret::Given);
    let token_file = values.each(&key("token_file"), path)?;
    let role_id = values.each(&key("role_id"), filled)?;
    let secret_id = values.each(&key("secret_id_file"), path)?;
    match (token, token_file, role_id, secret_id) {
        (Some(token), None, None, None) => Ok(VaultLogin::Token(token)),
        (None, Some(file), None, None) => Ok(VaultLogin::Token(VaultSecret::File(file))),
        (None, None, Some(role_id), Some(secret_id)) => {
            let mount = values.each(&key("approle_mount"), filled)?;
            Ok(VaultLogin::AppRole {
                mount: mount.unwrap_or_else(|| "approle".to_owned()),
                role_id,
                secret_id: VaultSecret::File(secret_id),
            })
        }
        _ => bail!("{whose}: set either token_file, or role_id and secret_id_file"),
    }
}

pub(super) fn filled(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "has to say something");
    Ok(text.to_owned())
}

/// Well before the transport gives up on an answer.
const TIMEOUT_MS: RangeInclusive<u64> = 100..=20_000;
