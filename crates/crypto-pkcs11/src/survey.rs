//! What `donjon hsm` asks a device: which tokens and keys there are, which
//! mechanisms work, and new keys.

use std::sync::Arc;

use cryptoki::mechanism::MechanismType;
use donjon_domain::{RootKeyId, ports::Entropy};
use zeroize::Zeroizing;

use crate::{
    Device, DeviceError, HmacKeyType, KeyLabels, WrapMechanism,
    link::Link,
    wrapper::{PROBE_BYTES, root_key_id, round_trip},
};

/// A key of the token that may be a part of a root key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundKey {
    /// Label.
    pub label: String,
    /// Type; `None` for one that is of no use here.
    pub key_type: Option<HmacKeyType>,
    /// Whether somebody could take it out of the token.
    pub is_extractable: bool,
}

/// A mechanism that was tried.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tried {
    /// Barbican's name.
    pub name: &'static str,
    /// What the token was asked to do: `encrypt`, `wrap` or `sign`.
    pub operation: &'static str,
    /// Whether the token lists the mechanism.
    pub is_listed: bool,
    /// What came of a round trip.
    pub outcome: Result<(), DeviceError>,
}

/// What was found out about two keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Survey {
    /// HMAC first, then the ways to wrap, best first.
    pub tried: Vec<Tried>,
    /// The id of the root key; `None` where HMAC does not work.
    pub id: Option<RootKeyId>,
    /// How keys would be wrapped; `None` where nothing works.
    pub mechanism: Option<WrapMechanism>,
}

/// What type of key was made that authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKeys {
    /// The first type that the token made, and that works.
    pub hmac_key_type: HmacKeyType,
}

impl Device {
    /// All secret keys of the token that have a label, by label.
    ///
    /// # Errors
    /// As the token fails.
    pub async fn keys(&self) -> Result<Vec<FoundKey>, DeviceError> {
        let keys = Arc::new(std::sync::Mutex::new(Vec::new()));
        let found = Arc::clone(&keys);
        let call = move |link: &Link| {
            let all = link.all_keys()?.into_iter().map(|key| FoundKey {
                label: key.label,
                key_type: key.key_type,
                is_extractable: key.is_extractable,
            });
            *lock(&found) = all.collect();
            Ok(Zeroizing::default())
        };
        self.submit(Box::new(call)).await?;
        let keys = std::mem::take(&mut *lock(&keys));
        Ok(keys)
    }

    /// Tries every mechanism with these keys.
    ///
    /// # Errors
    /// A key is not there, or the token fails.
    pub async fn survey(
        &self,
        labels: &KeyLabels,
        entropy: &dyn Entropy,
    ) -> Result<Survey, DeviceError> {
        let mut seed = [0; PROBE_BYTES];
        entropy.fill(&mut seed);
        let survey = Arc::new(std::sync::Mutex::new(None));
        let found = Arc::clone(&survey);
        let (labels, module) = (labels.clone(), Arc::clone(self.module()));
        let call = move |link: &Link| {
            let listed = link.mechanisms(&module)?;
            *lock(&found) = Some(look(link, &labels, &listed, &seed)?);
            Ok(Zeroizing::default())
        };
        self.submit(Box::new(call)).await?;
        let survey = lock(&survey).take();
        survey.ok_or(DeviceError::Busy)
    }

    /// Makes both keys, with the attributes that Barbican gives them, of 32
    /// bytes each. Keys that are there stay as they are.
    ///
    /// # Errors
    /// A label is taken, or the token refuses; nothing was made then.
    pub async fn make_keys(&self, labels: &KeyLabels) -> Result<NewKeys, DeviceError> {
        for (label, setting) in [
            (&labels.mkek, "pkcs11.mkek_label"),
            (&labels.hmac, "pkcs11.hmac_label"),
        ] {
            let taken = self.keys().await?;
            let count = taken.iter().filter(|key| key.label == *label).count();
            if count > 0 {
                return Err(DeviceError::Taken {
                    label: label.clone(),
                    setting,
                });
            }
        }
        // HMAC with an AES key, as Barbican would have it by default, is not for every token.
        let types = match labels.hmac_key_type {
            Some(wanted) => vec![wanted],
            None => vec![
                HmacKeyType::GenericSecret,
                HmacKeyType::Sha256Hmac,
                HmacKeyType::Aes,
            ],
        };
        let mut last = DeviceError::Busy;
        for hmac_key_type in types {
            let labels = labels.clone();
            let call = move |link: &Link| {
                link.make_keys(&labels, hmac_key_type)?;
                Ok(Zeroizing::default())
            };
            match self.submit(Box::new(call)).await {
                Ok(_) => return Ok(NewKeys { hmac_key_type }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn look(
    link: &Link,
    labels: &KeyLabels,
    listed: &[MechanismType],
    seed: &[u8; PROBE_BYTES],
) -> Result<Survey, DeviceError> {
    let keys = link.keys(labels)?;
    let id = root_key_id(link, keys, &labels.mkek);
    let mut tried = vec![Tried {
        name: "CKM_SHA256_HMAC",
        operation: "sign",
        is_listed: listed.contains(&MechanismType::SHA256_HMAC),
        outcome: id.as_ref().map(|_| ()).map_err(Clone::clone),
    }];
    let mut mechanism = None;
    for candidate in WrapMechanism::ALL {
        let outcome = round_trip(link, keys, candidate, seed);
        if outcome.is_ok() && mechanism.is_none() {
            mechanism = Some(candidate);
        }
        tried.push(Tried {
            name: candidate.name(),
            operation: candidate.operation(),
            is_listed: listed.contains(&raw(candidate)),
            outcome,
        });
    }
    Ok(Survey {
        tried,
        id: id.ok().map(RootKeyId::from_bytes),
        mechanism,
    })
}

fn raw(mechanism: WrapMechanism) -> MechanismType {
    match mechanism {
        WrapMechanism::Gcm => MechanismType::AES_GCM,
        WrapMechanism::CbcPad | WrapMechanism::CbcPadWrap => MechanismType::AES_CBC_PAD,
        WrapMechanism::Cbc => MechanismType::AES_CBC,
        WrapMechanism::KeyWrapPad => MechanismType::AES_KEY_WRAP_PAD,
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
