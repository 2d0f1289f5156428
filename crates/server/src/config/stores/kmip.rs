//! What `[[secret_stores]]` says of a KMIP server. Names are those of Barbican's
//! `[kmip_plugin]`, but for the password, which is in a file.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};

use super::{filled, timeout};
use crate::config::{keys::Key, settings::Values, texts::path, value::Kind};

/// How to reach a KMIP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KmipSettings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: Option<KmipLogin>,
    pub(crate) ca_certs: Option<PathBuf>,
    pub(crate) certfile: Option<PathBuf>,
    pub(crate) keyfile: Option<PathBuf>,
    pub(crate) prefix: String,
    pub(crate) payload_bytes_max: usize,
    pub(crate) makes_keys: bool,
    pub(crate) timeout: Duration,
}

/// The file is read at every start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KmipLogin {
    pub(crate) username: String,
    password_file: PathBuf,
}

/// Keys that others do not have.
pub(super) const KEYS: &[Key] = &[
    Key::without_default("secret_stores.host", Kind::Text),
    Key::without_default("secret_stores.port", Kind::Count),
    Key::without_default("secret_stores.username", Kind::Text),
    Key::without_default("secret_stores.password_file", Kind::Text),
    Key::without_default("secret_stores.ca_certs", Kind::Text),
    Key::without_default("secret_stores.payload_bytes_max", Kind::Count),
    Key::without_default("secret_stores.makes_keys", Kind::Flag),
];

pub(super) fn kmip(values: &Values<'_>, name: &str) -> Result<KmipSettings> {
    let text = |key: &'static str| values.each(key, filled);
    let file = |key: &'static str| values.each(key, path);
    let host = text("secret_stores.host")?;
    let host = host.with_context(|| {
        format!("secret store {name:?}: set host, such as kmip.example.org, and port unless it is {PORT}")
    })?;
    let username = text("secret_stores.username")?;
    let password_file = file("secret_stores.password_file")?;
    let login = match (username, password_file) {
        (None, None) => None,
        (Some(username), Some(password_file)) => Some(KmipLogin {
            username,
            password_file,
        }),
        _ => bail!("secret store {name:?}: username and password_file need each other"),
    };
    let count = |key: &'static str, range, unless_set| {
        if values.has(key) {
            values.count(key, range)
        } else {
            Ok(unless_set)
        }
    };
    let port = count("secret_stores.port", 1..=65_535, PORT)?;
    let payload_bytes_max = count(
        "secret_stores.payload_bytes_max",
        1..=PAYLOAD_BYTES_LIMIT,
        PAYLOAD_BYTES_MAX,
    )?;
    Ok(KmipSettings {
        host,
        port: u16::try_from(port)?,
        login,
        ca_certs: file("secret_stores.ca_certs")?,
        certfile: file("secret_stores.certfile")?,
        keyfile: file("secret_stores.keyfile")?,
        prefix: text("secret_stores.prefix")?.unwrap_or_else(|| "donjon".to_owned()),
        payload_bytes_max: usize::try_from(payload_bytes_max)?,
        makes_keys: !values.has("secret_stores.makes_keys")
            || values.flag("secret_stores.makes_keys"),
        timeout: timeout(values)?,
    })
}

impl KmipSettings {
    /// Where payloads are. Whose they are there is up to the server, so who logs in
    /// makes no other place.
    pub(super) fn place(&self) -> (String, u16, &str) {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        (host, self.port, self.prefix.trim_matches('/'))
    }
}

#[cfg(feature = "store-kmip")]
impl KmipLogin {
    /// Reads the password, which is in a file of its owner alone.
    ///
    /// # Errors
    /// A text for the operator.
    pub(crate) fn password(&self) -> Result<donjon_domain::SecretBytes> {
        crate::config::keystone::password_in(&self.password_file)
    }
}

/// As registered for KMIP.
const PORT: u64 = 5696;
/// Above the payloads that a server takes unless it is told otherwise.
const PAYLOAD_BYTES_MAX: u64 = 65_536;
/// As of `limits.secret_bytes`.
const PAYLOAD_BYTES_LIMIT: u64 = 1024 * 1024;
