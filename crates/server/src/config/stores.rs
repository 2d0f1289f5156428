//! What `[[secret_stores]]` says: a list, each with a name.

mod kmip;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};

pub(crate) use self::kmip::KmipSettings;
use super::{
    Layer,
    keys::Key,
    settings::Values,
    texts::{base_url, path},
    value::Kind,
};

/// A store that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreSettings {
    /// At most 255 characters; none twice.
    pub(crate) name: String,
    /// True of exactly one.
    pub(crate) global_default: bool,
    pub(crate) plugin: PluginSettings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PluginSettings {
    /// At most once.
    Database,
    Vault(Box<VaultSettings>),
    Kmip(Box<KmipSettings>),
}

/// How to reach an OpenBao or Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VaultSettings {
    pub(crate) url: String,
    pub(crate) mount: String,
    pub(crate) prefix: String,
    pub(crate) namespace: Option<String>,
    pub(crate) login: VaultLogin,
    pub(crate) cafile: Option<PathBuf>,
    pub(crate) certfile: Option<PathBuf>,
    pub(crate) keyfile: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

/// Files, which are read at every start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VaultLogin {
    Token(PathBuf),
    AppRole {
        mount: String,
        role_id: String,
        secret_id: PathBuf,
    },
}

/// Keys of one store.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().chain(kmip::KEYS)
}

const KEYS: &[Key] = &[
    Key::without_default("secret_stores.name", Kind::Text),
    Key::without_default("secret_stores.plugin", Kind::Text),
    Key::without_default("secret_stores.global_default", Kind::Flag),
    Key::without_default("secret_stores.url", Kind::Text),
    Key::without_default("secret_stores.mount", Kind::Text),
    Key::without_default("secret_stores.prefix", Kind::Text),
    Key::without_default("secret_stores.namespace", Kind::Text),
    Key::without_default("secret_stores.token_file", Kind::Text),
    Key::without_default("secret_stores.role_id", Kind::Text),
    Key::without_default("secret_stores.secret_id_file", Kind::Text),
    Key::without_default("secret_stores.approle_mount", Kind::Text),
    Key::without_default("secret_stores.cafile", Kind::Text),
    Key::without_default("secret_stores.certfile", Kind::Text),
    Key::without_default("secret_stores.keyfile", Kind::Text),
    Key::without_default("secret_stores.timeout_ms", Kind::Count),
];

/// # Errors
/// Something needed is missing, or stores contradict one another.
pub(super) fn stores(layers: &[Layer]) -> Result<Vec<StoreSettings>> {
    let stores = layers.iter().map(|layer| store(&Values::of(layer)));
    let stores = stores.collect::<Result<Vec<_>>>()?;
    for (number, store) in stores.iter().enumerate() {
        let others = stores.iter().take(number);
        let is_twice = others.clone().any(|other| other.name == store.name);
        ensure!(!is_twice, "secret_stores: two are named {:?}", store.name);
        let databases = others.filter(|other| other.plugin == PluginSettings::Database);
        ensure!(
            store.plugin != PluginSettings::Database || databases.count() == 0,
            "secret_stores: there is one database; take {:?} out",
            store.name
        );
    }
    let defaults = stores.iter().filter(|store| store.global_default).count();
    ensure!(
        stores.is_empty() || defaults == 1,
        "secret_stores: set global_default = true in exactly one, not in {defaults}"
    );
    Ok(stores)
}

fn store(values: &Values<'_>) -> Result<StoreSettings> {
    let name = values.each("secret_stores.name", filled)?;
    let name = name.context("secret_stores: one has no name")?;
    ensure!(
        name.chars().count() <= 255,
        "{}: at most 255 characters",
        values.place("secret_stores.name")
    );
    let plugin = values.each("secret_stores.plugin", filled)?;
    let plugin = match plugin.as_deref() {
        Some("database") => PluginSettings::Database,
        Some("vault") => PluginSettings::Vault(Box::new(vault(values, &name)?)),
        Some("kmip") => PluginSettings::Kmip(Box::new(kmip::kmip(values, &name)?)),
        _ => bail!(
            "{}: has to be database, kmip or vault",
            values.place("secret_stores.plugin")
        ),
    };
    let (what, known) = plugin.known();
    for key in keys() {
        let own = key.path.trim_start_matches("secret_stores.");
        ensure!(
            ["name", "plugin", "global_default"].contains(&own)
                || known.contains(&own)
                || !values.has(key.path),
            "{}: {what} has none",
            values.place(key.path)
        );
    }
    Ok(StoreSettings {
        name,
        global_default: values.flag("secret_stores.global_default"),
        plugin,
    })
}

fn vault(values: &Values<'_>, name: &str) -> Result<VaultSettings> {
    let text = |key: &'static str| values.each(key, filled);
    let url = values.each("secret_stores.url", base_url)?;
    let url = url.with_context(|| {
        format!("secret store {name:?}: set url, such as https://bao.example.org:8200")
    })?;
    let token = values.each("secret_stores.token_file", path)?;
    let role_id = text("secret_stores.role_id")?;
    let secret_id = values.each("secret_stores.secret_id_file", path)?;
    let login = match (token, role_id, secret_id) {
        (Some(token), None, None) => VaultLogin::Token(token),
        (None, Some(role_id), Some(secret_id)) => VaultLogin::AppRole {
            mount: text("secret_stores.approle_mount")?.unwrap_or_else(|| "approle".to_owned()),
            role_id,
            secret_id,
        },
        _ => bail!("secret store {name:?}: set either token_file, or role_id and secret_id_file"),
    };
    Ok(VaultSettings {
        url,
        mount: text("secret_stores.mount")?.unwrap_or_else(|| "secret".to_owned()),
        prefix: text("secret_stores.prefix")?.unwrap_or_else(|| "donjon".to_owned()),
        namespace: text("secret_stores.namespace")?,
        login,
        cafile: values.each("secret_stores.cafile", path)?,
        certfile: values.each("secret_stores.certfile", path)?,
        keyfile: values.each("secret_stores.keyfile", path)?,
        timeout: timeout(values)?,
    })
}

fn timeout(values: &Values<'_>) -> Result<Duration> {
    let timeout_ms = if values.has("secret_stores.timeout_ms") {
        values.count("secret_stores.timeout_ms", 100..=20_000)?
    } else {
        TIMEOUT_MS
    };
    Ok(Duration::from_millis(timeout_ms))
}

impl PluginSettings {
    /// What it is called, and the keys that mean something to it beside those that
    /// all stores have.
    fn known(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Database => ("the database", &[]),
            Self::Vault(_) => (
                "a store in OpenBao or Vault",
                &[
                    "url",
                    "mount",
                    "prefix",
                    "namespace",
                    "token_file",
                    "role_id",
                    "secret_id_file",
                    "approle_mount",
                    "cafile",
                    "certfile",
                    "keyfile",
                    "timeout_ms",
                ],
            ),
            Self::Kmip(_) => (
                "a store in a KMIP server",
                &[
                    "host",
                    "port",
                    "username",
                    "password_file",
                    "ca_certs",
                    "certfile",
                    "keyfile",
                    "prefix",
                    "payload_bytes_max",
                    "timeout_ms",
                ],
            ),
        }
    }
}

#[cfg(feature = "store-vault")]
impl VaultLogin {
    /// Reads the token or the secret, which is in a file of its owner alone.
    ///
    /// # Errors
    /// A text for the operator.
    pub(crate) fn secret(&self) -> Result<donjon_domain::SecretBytes> {
        use super::keystone;

        match self {
            Self::Token(file) => keystone::password_in(file),
            Self::AppRole { secret_id, .. } => keystone::password_in(secret_id),
        }
    }
}

fn filled(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "has to say something");
    Ok(text.to_owned())
}

/// Well before the transport gives up on an answer.
const TIMEOUT_MS: u64 = 10_000;
