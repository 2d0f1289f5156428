//! The modules and tokens that this process uses: each module is loaded once,
//! each token has one pool of sessions.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use donjon_crypto_pkcs11::{
    Device, DeviceConfig, DeviceKeys, DeviceWrapper, KeyLabels, Module, TokenChoice,
};
use donjon_domain::{
    SecretBytes,
    ports::{Entropy, KeySource, KeyWrapper},
};

use super::{HsmDraft, HsmKey, HsmToken, Pin};

/// What was opened so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Devices {
    modules: Vec<Arc<Module>>,
    devices: Vec<Arc<Device>>,
}

impl Devices {
    /// Finds the keys and tries them. Blocks for loading the module and reading
    /// the PIN; waits for the device.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub(crate) async fn open(
        &mut self,
        key: &HsmKey,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Arc<dyn KeyWrapper>> {
        let device = self.device(&key.library_path, &key.draft, &key.pin)?;
        let labels = key.labels()?;
        let opened = DeviceWrapper::open(device, labels, Arc::clone(entropy)).await?;
        tracing::info!(
            mechanism = opened.mechanism().name(),
            operation = opened.mechanism().operation(),
            "root key {} is in the HSM",
            opened.id()
        );
        Ok(Arc::new(opened))
    }

    /// Finds out which keys the token generates. It gets sessions of its own, so
    /// that nobody who needs a key of a project waits behind an RSA key, and more
    /// time. Blocks for loading the module and reading the PIN; waits for the
    /// device.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub(crate) async fn key_source(&mut self, token: &HsmToken) -> Result<Arc<dyn KeySource>> {
        let module = self.module(&token.library_path)?;
        // A terminal is not asked twice for one PIN.
        let known = self.devices.iter().find(|device| {
            Arc::ptr_eq(device.module(), &module) && device.config().token == token.draft.token()
        });
        let config = match known {
            Some(device) => device.config().clone(),
            None => token.draft.device(&token.pin)?,
        };
        let config = DeviceConfig {
            sessions_max: token.draft.sessions.min(GENERATING_MAX),
            patience: GENERATING,
            ..config
        };
        let opened = DeviceKeys::open(Arc::new(Device::new(module, config))).await;
        let keys = opened.context("orders.generate_in")?;
        tracing::info!("generated in the HSM: {keys}; all else in software");
        Ok(Arc::new(keys))
    }

    /// A token with its PIN. Blocks for loading the module and reading the PIN.
    ///
    /// # Errors
    /// The module cannot be loaded, or there is no PIN.
    pub(crate) fn device(
        &mut self,
        library_path: &Path,
        draft: &HsmDraft,
        pin: &Pin,
    ) -> Result<Arc<Device>> {
        let module = self.module(library_path)?;
        let config = draft.device(pin)?;
        let is_same = |device: &&Arc<Device>| {
            Arc::ptr_eq(device.module(), &module) && *device.config() == config
        };
        if let Some(known) = self.devices.iter().find(is_same) {
            return Ok(Arc::clone(known));
        }
        let device = Arc::new(Device::new(module, config));
        self.devices.push(Arc::clone(&device));
        Ok(device)
    }

    /// A module. Blocks for loading it.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub(crate) fn module(&mut self, path: &Path) -> Result<Arc<Module>> {
        if let Some(known) = self.modules.iter().find(|module| module.path() == path) {
            return Ok(Arc::clone(known));
        }
        let module = Module::load(path)?;
        self.modules.push(Arc::clone(&module));
        Ok(module)
    }
}

impl HsmKey {
    fn labels(&self) -> Result<KeyLabels> {
        self.draft.labels(&self.mkek_label, &self.hmac_label)
    }
}

impl HsmDraft {
    fn device(&self, pin: &Pin) -> Result<DeviceConfig> {
        Ok(DeviceConfig {
            token: self.token(),
            pin: pin.read()?,
            rw_session: self.rw_session,
            sessions_max: self.sessions,
            patience: self.timeout,
            rest: REST,
        })
    }

    pub(crate) fn token(&self) -> TokenChoice {
        TokenChoice {
            serial_number: self.token_serial_number.clone(),
            labels: self.token_labels.clone(),
            slot_id: self.slot_id,
        }
    }

    pub(crate) fn labels(&self, mkek: &str, hmac: &str) -> Result<KeyLabels> {
        let hmac_key_type = self.hmac_key_type.as_deref().map(str::parse).transpose();
        let mechanism = self.key_wrap_mechanism.as_deref().map(str::parse);
        Ok(KeyLabels {
            mkek: mkek.to_owned(),
            hmac: hmac.to_owned(),
            hmac_key_type: hmac_key_type.context("pkcs11.hmac_key_type")?,
            mechanism: mechanism.transpose().context("pkcs11.key_wrap_mechanism")?,
        })
    }
}

impl Pin {
    fn read(&self) -> Result<Arc<SecretBytes>> {
        match self {
            Self::Given(pin) => Ok(Arc::clone(pin)),
            Self::From(source) => {
                let pin = source.read(Path::new("the HSM's token"));
                let pin = pin.context("pkcs11.login_from: the PIN")?;
                Ok(Arc::new(SecretBytes::from_zeroizing(pin)))
            }
        }
    }
}

/// How long a device that fails is left alone.
const REST: Duration = Duration::from_secs(2);
/// Sessions that generate keys.
const GENERATING_MAX: usize = 2;
/// What a slow device may take for a large RSA key.
const GENERATING: Duration = Duration::from_secs(60);
