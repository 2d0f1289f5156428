//! What clients of OpenBao or Vault are told of the configuration.

use std::time::Duration;

use anyhow::Result;
use donjon_vault_client::{Login, SecretSource, ServerConfig, TlsFiles};

use crate::config::{VaultLogin, VaultSecret, VaultServer};

impl VaultServer {
    /// Reads the token or secret once, so that one that is not there is told at
    /// the start; it is read again for each log-in. Blocks for reading files.
    ///
    /// # Errors
    /// A token or secret that cannot be read.
    pub(crate) fn client_config(&self) -> Result<ServerConfig> {
        let login = match &self.login {
            VaultLogin::Token(token) => Login::Token(token.source()?),
            VaultLogin::AppRole {
                mount,
                role_id,
                secret_id,
            } => Login::AppRole {
                mount: mount.clone(),
                role_id: role_id.clone(),
                secret_id: secret_id.source()?,
            },
        };
        Ok(ServerConfig {
            url: self.url.clone(),
            namespace: self.namespace.clone(),
            login,
            tls: TlsFiles {
                cafile: self.cafile.clone(),
                certfile: self.certfile.clone(),
                keyfile: self.keyfile.clone(),
            },
            patience: self.timeout,
            rest: REST,
        })
    }
}

impl VaultSecret {
    fn source(&self) -> Result<SecretSource> {
        self.read()?;
        let place = self.clone();
        Ok(SecretSource::from_fn(move || Ok(place.read()?)))
    }
}

/// As for an HSM.
const REST: Duration = Duration::from_secs(2);
