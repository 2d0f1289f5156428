//! `KeyWrapper` with two keys of a token.

use std::{fmt, sync::Arc};

use donjon_domain::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError, Entropy, KeyWrapper},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    Device, DeviceError, KeyLabels, WrapMechanism,
    link::{Keys, Link},
    wrapped::{self, MAC_BYTES, Wrapped},
};

/// Wraps keys with a root key that stays in a token.
///
/// A call takes two round trips to the device, one to authenticate and one to
/// encrypt or decrypt.
pub struct DeviceWrapper {
    device: Arc<Device>,
    labels: KeyLabels,
    entropy: Arc<dyn Entropy>,
    id: RootKeyId,
    mechanism: WrapMechanism,
}

impl DeviceWrapper {
    /// Finds the keys, and a mechanism that works with them.
    ///
    /// # Errors
    /// [`DeviceError`] names what to mend.
    pub async fn open(
        device: Arc<Device>,
        labels: KeyLabels,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, DeviceError> {
        let wanted = labels.clone();
        let mut seed = [0; PROBE_BYTES];
        entropy.fill(&mut seed);
        let found = device.submit(Box::new(move |link| probe(link, &wanted, &seed)));
        let found = found.await?;
        let invalid = || DeviceError::DoesNotUnwrap;
        let (id, code) = found.split_first_chunk::<16>().ok_or_else(invalid)?;
        let code = code.first().copied().unwrap_or_default();
        let mechanism = WrapMechanism::from_code(code).ok_or_else(invalid)?;
        Ok(Self {
            device,
            labels,
            entropy,
            id: RootKeyId::from_bytes(*id),
            mechanism,
        })
    }

    /// How keys are wrapped from now on.
    #[must_use]
    pub fn mechanism(&self) -> WrapMechanism {
        self.mechanism
    }

    async fn wrap_in_device(
        &self,
        key: &SecretBytes,
        binding: WrapBinding<'_>,
    ) -> Result<Vec<u8>, DeviceError> {
        let mechanism = self.mechanism;
        let mut iv = vec![0; mechanism.iv_bytes()];
        self.entropy.fill(&mut iv);
        let labels = self.labels.clone();
        let head = wrapped::head(mechanism, self.id, &iv);
        let aad = binding.to_bytes();
        let binding = OwnedBinding::of(&binding);
        let plain = Zeroizing::new(key.expose().to_vec());
        let call = move |link: &Link| {
            let keys = link.keys(&labels)?;
            let body = link.wrap(keys, mechanism, &iv, &aad, &plain)?;
            let bytes = [&head[..], &body].concat();
            let mac = mac(link, keys, &binding, &bytes)?;
            Ok(Zeroizing::new([&bytes[..], &mac].concat()))
        };
        let wrapped = self.device.submit(Box::new(call)).await?;
        Ok(wrapped.to_vec())
    }

    async fn unwrap_in_device(
        &self,
        bytes: &[u8],
        binding: WrapBinding<'_>,
    ) -> Result<SecretBytes, DeviceError> {
        let parsed = Wrapped::parse(bytes).filter(|wrapped| wrapped.root == self.id);
        if parsed.is_none() {
            return Err(DeviceError::DoesNotUnwrap);
        }
        let bytes = bytes.to_vec();
        let labels = self.labels.clone();
        let aad = binding.to_bytes();
        let binding = OwnedBinding::of(&binding);
        let call = move |link: &Link| {
            let wrapped = Wrapped::parse(&bytes).ok_or(DeviceError::DoesNotUnwrap)?;
            let keys = link.keys(&labels)?;
            let mac = mac(link, keys, &binding, wrapped.authenticated)?;
            if !bool::from(mac.as_slice().ct_eq(wrapped.mac)) {
                return Err(DeviceError::DoesNotUnwrap);
            }
            link.unwrap(keys, wrapped.mechanism, wrapped.iv, &aad, wrapped.body)
        };
        let key = self.device.submit(Box::new(call)).await?;
        Ok(SecretBytes::from_zeroizing(key))
    }
}

impl KeyWrapper for DeviceWrapper {
    fn id(&self) -> RootKeyId {
        self.id
    }

    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>> {
        Box::pin(async move { Ok(self.wrap_in_device(key, binding).await?) })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(async move { Ok(self.unwrap_in_device(wrapped, binding).await?) })
    }
}

/// What the MAC of everything begins with, apart from the bytes themselves.
struct OwnedBinding(Vec<u8>);

impl OwnedBinding {
    fn of(binding: &WrapBinding<'_>) -> Self {
        Self(wrapped::authenticated(binding, b""))
    }
}

fn mac(
    link: &Link,
    keys: Keys,
    binding: &OwnedBinding,
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    let mac = link.mac(keys, &[&binding.0[..], bytes].concat())?;
    if mac.len() == MAC_BYTES {
        Ok(mac)
    } else {
        Err(DeviceError::DoesNotUnwrap)
    }
}

// === probing ===

/// Finds the keys, and gives the id of the root key and the code of the first
/// mechanism that works. `seed` has [`PROBE_BYTES`] random bytes.
fn probe(
    link: &Link,
    labels: &KeyLabels,
    seed: &[u8; PROBE_BYTES],
) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    let keys = link.keys(labels)?;
    let unfit = |tried: String| DeviceError::Unfit {
        mkek: labels.mkek.clone(),
        hmac: labels.hmac.clone(),
        tried,
    };
    if keys.are_one() {
        return Err(unfit("they are one key, and have to be two".to_owned()));
    }
    let id = match root_key_id(link, keys, &labels.mkek) {
        Ok(id) => id,
        Err(error) if error.is_lost() => return Err(error),
        Err(error) => return Err(unfit(format!("CKM_SHA256_HMAC: {error}"))),
    };
    let mut tried = Vec::new();
    for mechanism in candidates(labels) {
        match round_trip(link, keys, mechanism, seed) {
            Ok(()) => return Ok(Zeroizing::new([&id[..], &[mechanism.code()]].concat())),
            Err(error) => tried.push(format!(
                "{} ({}): {error}",
                mechanism.name(),
                mechanism.operation()
            )),
        }
    }
    Err(unfit(tried.join("; ")))
}

fn candidates(labels: &KeyLabels) -> Vec<WrapMechanism> {
    match labels.mechanism {
        Some(wanted) => WrapMechanism::with_name(wanted.name()).collect(),
        None => WrapMechanism::ALL.to_vec(),
    }
}

/// Wraps and unwraps something.
pub(crate) fn round_trip(
    link: &Link,
    keys: Keys,
    mechanism: WrapMechanism,
    seed: &[u8; PROBE_BYTES],
) -> Result<(), DeviceError> {
    let (plain, iv) = seed.split_at(32);
    let iv = iv.get(..mechanism.iv_bytes()).unwrap_or_default();
    let wrapped = link.wrap(keys, mechanism, iv, b"probe", plain)?;
    let unwrapped = link.unwrap(keys, mechanism, iv, b"probe", &wrapped)?;
    if unwrapped.as_slice() == plain && wrapped != plain {
        Ok(())
    } else {
        Err(DeviceError::DoesNotUnwrap)
    }
}

/// `id = HMAC-SHA-256(label || MKEK's label)`, its first 16 bytes: the same in
/// every replica of the token.
pub(crate) fn root_key_id(link: &Link, keys: Keys, mkek: &str) -> Result<[u8; 16], DeviceError> {
    let mac = link.mac(keys, &[ID_LABEL, mkek.as_bytes()].concat())?;
    match mac.first_chunk() {
        Some(id) if mac.len() == MAC_BYTES => Ok(*id),
        _ => Err(DeviceError::DoesNotUnwrap),
    }
}

impl fmt::Debug for DeviceWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceWrapper")
            .field("device", &self.device)
            .field("id", &self.id)
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

const ID_LABEL: &[u8] = b"donjon/pkcs11-root-key-id/1\0";
/// A key of 32 and an IV of 16.
pub(crate) const PROBE_BYTES: usize = 48;
