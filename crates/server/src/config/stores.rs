//! What `[[secret_stores]]` says: a list, each with a name.

mod kmip;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

pub(crate) use self::kmip::KmipSettings;
use super::{
    Layer,
    keys::Key,
    settings::Values,
    texts,
    value::Kind,
    vault::{self, VaultServer, filled},
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

/// The KV v2 engine of an OpenBao or Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VaultSettings {
    pub(crate) server: VaultServer,
    pub(crate) mount: String,
    pub(crate) prefix: String,
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
        let twin = others
            .clone()
            .find(|other| other.plugin.is_place_of(&store.plugin));
        if let Some(twin) = twin {
            bail!(
                "secret_stores: {:?} and {:?} are one place; take one of them out, or set another prefix",
                twin.name,
                store.name
            );
        }
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

impl VaultSettings {
    /// Server, namespace, mount and prefix, as one may write them.
    fn place(&self) -> [String; 4] {
        let trimmed = |text: &str| text.trim_matches('/').to_owned();
        [
            texts::same_url(&self.server.url),
            trimmed(self.server.namespace.as_deref().unwrap_or_default()),
            trimmed(&self.mount),
            trimmed(&self.prefix),
        ]
    }
}

fn vault(values: &Values<'_>, name: &str) -> Result<VaultSettings> {
    let text = |key: &'static str| values.each(key, filled);
    let whose = format!("secret store {name:?}");
    Ok(VaultSettings {
        server: vault::server(values, "secret_stores", &whose, TIMEOUT_MS)?,
        mount: text("secret_stores.mount")?.unwrap_or_else(|| "secret".to_owned()),
        prefix: text("secret_stores.prefix")?.unwrap_or_else(|| "donjon".to_owned()),
    })
}

fn timeout(values: &Values<'_>) -> Result<Duration> {
    vault::timeout(values, "secret_stores", TIMEOUT_MS)
}

impl PluginSettings {
    /// Whether both keep payloads in the same place outside, as far as their names
    /// tell: two names of a server may be one, which nothing here can know.
    fn is_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Vault(one), Self::Vault(other)) => one.place() == other.place(),
            (Self::Kmip(one), Self::Kmip(other)) => one.place() == other.place(),
            _ => false,
        }
    }

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
                    "makes_keys",
                    "timeout_ms",
                ],
            ),
        }
    }
}

/// As long as a server may take that is well.
const TIMEOUT_MS: u64 = 10_000;
