//! Secret stores that are configured: their rows, and what speaks to those
//! outside.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use donjon_app::{ActiveStore, OutsideStores, Startup};
use donjon_domain::{
    SecretStore,
    ports::{OutsideCount, PayloadStore, Reading, RepositoryError, RepositoryExt, Turn},
};

use crate::{
    config::{KmipSettings, PluginSettings, Settings, StoreSettings, VaultSettings},
    exit::{Exit, Failure, OrExit},
};

/// Gives each store that is configured its row. Takes no connection yet, so that
/// a server starts while a store is away.
///
/// # Errors
/// [`Exit::Config`] where a store cannot be used, or one that is not configured is
/// still needed; else as storage fails.
pub(crate) async fn open(
    settings: &Settings,
    startup: &Startup<'_>,
    exit_of: impl Fn(donjon_app::Error) -> Failure,
) -> Result<(Vec<ActiveStore>, OutsideStores), Failure> {
    let deployment: Result<_, RepositoryError> = startup
        .repository
        .read_with(Reading::Point, |tx| tx.deployment())
        .await;
    let mut outside = match deployment.or_exit(Exit::Storage)? {
        Some(deployment) => OutsideStores::new(deployment.id),
        None => OutsideStores::none(),
    };
    let mut listed = Vec::new();
    for store in &settings.stores {
        let row = match &store.plugin {
            PluginSettings::Database => startup.secret_store().await.map_err(&exit_of)?.store,
            PluginSettings::Vault(_) | PluginSettings::Kmip(_) => {
                let (plugin, payloads) = connect(store).or_exit(Exit::Config)?;
                let row = startup.outside_store(plugin, &store.name);
                let row = row.await.map_err(&exit_of)?;
                outside.add(row.id, store.name.clone(), payloads);
                row
            }
        };
        listed.push(ActiveStore {
            store: row,
            name: store.name.clone(),
            is_global_default: store.global_default,
        });
    }
    if settings.multiple_stores && listed.is_empty() {
        listed.push(startup.secret_store().await.map_err(&exit_of)?);
    }
    refuse_forgotten(startup, &listed).await?;
    Ok((listed, outside))
}

/// A store that is not configured any more, and has payloads of this
/// installation.
async fn refuse_forgotten(startup: &Startup<'_>, listed: &[ActiveStore]) -> Result<(), Failure> {
    let known: Vec<_> = listed.iter().map(|active| active.store.id).collect();
    let found: Result<Vec<(SecretStore, OutsideCount)>, RepositoryError> = startup
        .repository
        .read_with(Reading::Scan(Turn::SERVER), move |tx| {
            let mut others = Vec::new();
            for store in tx.secret_stores()? {
                if !known.contains(&store.id) {
                    let count = tx.count_outside(store.id)?;
                    others.push((store, count));
                }
            }
            Ok(others)
        })
        .await;
    for (store, count) in found.or_exit(Exit::Storage)? {
        if count == OutsideCount::default() {
            continue;
        }
        let name = store.name.as_ref().map_or("", |name| name.as_str());
        return Err(Failure::new(
            Exit::Config,
            anyhow!(
                "secret store {name:?} ({}) is not configured, and still has payloads of {} secrets and {} \
                 that wait to be removed; put it back into [[secret_stores]], without global_default if \
                 nothing new is to go there",
                store.plugin.as_str(),
                count.secrets,
                count.outbox
            ),
        ));
    }
    Ok(())
}

/// What Barbican's clients know its plugin as, and what speaks to it.
fn connect(store: &StoreSettings) -> anyhow::Result<(&'static str, Arc<dyn PayloadStore>)> {
    let connected = match &store.plugin {
        PluginSettings::Database => bail!("the database is not outside"),
        PluginSettings::Vault(vault) => vault_store(vault).map(|store| (VAULT, store)),
        PluginSettings::Kmip(kmip) => kmip_store(kmip).map(|store| (KMIP, store)),
    };
    connected.with_context(|| format!("secret store {:?}", store.name))
}

#[cfg(feature = "store-vault")]
fn vault_store(vault: &VaultSettings) -> anyhow::Result<Arc<dyn PayloadStore>> {
    use donjon_store_vault::{VaultConfig, VaultStore};

    let connected = VaultStore::new(VaultConfig {
        server: vault.server.client_config()?,
        mount: vault.mount.clone(),
        prefix: vault.prefix.clone(),
    });
    Ok(Arc::new(connected?))
}

#[cfg(not(feature = "store-vault"))]
fn vault_store(_vault: &VaultSettings) -> anyhow::Result<Arc<dyn PayloadStore>> {
    bail!("this program was built without the feature store-vault")
}

#[cfg(feature = "store-kmip")]
fn kmip_store(kmip: &KmipSettings) -> anyhow::Result<Arc<dyn PayloadStore>> {
    use donjon_store_kmip::{KmipConfig, KmipStore, Login, TlsFiles};

    let login = kmip.login.as_ref().map(|login| {
        let password = login.password()?;
        anyhow::Ok(Login {
            username: login.username.clone(),
            password,
        })
    });
    let connected = KmipStore::new(KmipConfig {
        host: kmip.host.clone(),
        port: kmip.port,
        tls: TlsFiles {
            cafile: kmip.ca_certs.clone(),
            certfile: kmip.certfile.clone(),
            keyfile: kmip.keyfile.clone(),
        },
        login: login.transpose()?,
        prefix: kmip.prefix.clone(),
        payload_bytes_max: kmip.payload_bytes_max,
        makes_keys: kmip.makes_keys,
        patience: kmip.timeout,
        rest: REST,
    });
    Ok(Arc::new(connected?))
}

#[cfg(not(feature = "store-kmip"))]
fn kmip_store(_kmip: &KmipSettings) -> anyhow::Result<Arc<dyn PayloadStore>> {
    bail!("this program was built without the feature store-kmip")
}

const VAULT: &str = "vault_plugin";
const KMIP: &str = "kmip_plugin";
/// How long a KMIP server is left alone that failed again and again.
#[cfg(feature = "store-kmip")]
const REST: std::time::Duration = std::time::Duration::from_secs(5);
