//! The configuration: every key, where its value may come from, and which
//! values make sense together.
//!
//! A value comes from a flag, else from the environment, else from the file,
//! else it is the default. [`keys::KEYS`] is the only list of keys; the file,
//! the environment and `docs/config.md` are held against it.

pub(crate) mod convert;
mod environment;
pub(crate) mod exposure;
mod file;
mod flags;
mod keys;
mod keystone;
mod pkcs11;
mod settings;
mod stores;
mod texts;
mod transit;
mod value;
mod vault;

use std::{collections::BTreeMap, ffi::OsString, fmt};

use anyhow::Result;

use crate::cli::Overrides;

pub(crate) use self::{
    settings::{AuthMode, AuthSettings, LogFormat, PolicySettings, Settings, SweepSettings},
    stores::{KmipSettings, PluginSettings, StoreSettings, VaultSettings},
    value::Source,
    vault::VaultServer,
};

#[cfg(any(feature = "store-vault", feature = "crypto-vault"))]
pub(crate) use self::vault::{VaultLogin, VaultSecret};

use self::value::Value;

/// Values by key, each with its source.
type Layer = BTreeMap<&'static str, (Value, Source)>;

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    /// Variables that look like ours and are Kubernetes' own.
    pub(crate) service_links: Vec<String>,
    values: Layer,
    /// One for each of `[[secret_stores]]`.
    stores: Vec<Layer>,
}

impl Config {
    /// Gathers the configuration from the command line, this process's
    /// environment and the file that the command line names. Reads that file.
    ///
    /// # Errors
    /// A text for the operator: which value, where it stands, what to do.
    pub(crate) fn load(overrides: &Overrides) -> Result<Self> {
        Self::gather(overrides, std::env::vars_os())
    }

    fn gather(
        overrides: &Overrides,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let mut values = keys::defaults();
        let mut stores = Vec::new();
        if let Some(path) = &overrides.place.config {
            let (found, listed) = file::read(path)?;
            values.extend(found);
            stores = listed;
        }
        let (variables, service_links) = environment::read(environment)?;
        values.extend(variables);
        values.extend(flags::read(overrides)?);
        let settings = Settings::new(&values, &stores)?;
        Ok(Self {
            settings,
            service_links,
            values,
            stores,
        })
    }
}

impl Config {
    /// Whether nobody asks what a table says that does not stand there.
    fn is_idle(&self, table: &str) -> bool {
        let needs = &self.settings;
        match table {
            "auth.keystone" => !needs.auth.has(AuthMode::Keystone),
            "pkcs11" => !needs.root_key.has_hsm(),
            "transit" => !needs.root_key.has_transit(),
            _ => false,
        }
    }

    /// What is in force where a key without a default is not set.
    fn unset(&self, path: &str) -> String {
        match path {
            "root_key.current" => {
                format!("{:?}", format!("file:{}", self.settings.root_key.current))
            }
            "orders.workers" => self.settings.orders.threads.to_string(),
            _ => "(not set)".to_owned(),
        }
    }
}

const DEFAULT: &str = "default";

/// The values in force as TOML, those that nobody set as comments, with their sources as comments.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = "";
        for key in keys::KEYS {
            let (own_table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            let found = self.values.get(key.path);
            if found.is_none() && self.is_idle(own_table) {
                continue;
            }
            if own_table != table {
                table = own_table;
                write!(f, "\n[{table}]\n")?;
            }
            let (line, source) = match found {
                Some((value, source)) => (format!("{name} = {value}"), source.to_string()),
                None => (
                    format!("# {name} = {}", self.unset(key.path)),
                    DEFAULT.into(),
                ),
            };
            writeln!(f, "{line:<44} # {source}")?;
        }
        for store in &self.stores {
            write!(f, "\n[[secret_stores]]\n")?;
            for key in stores::keys() {
                if let Some((value, source)) = store.get(key.path) {
                    let name = key.path.trim_start_matches("secret_stores.");
                    writeln!(f, "{:<44} # {source}", format!("{name} = {value}"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
