//! `CryptoPlugin` on envelopes v1, with root keys behind the `KeyWrapper` port.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use donjon_domain::{
    Binding, Deployment, DeploymentId, KekId, KekScope, KekState, RootKeyId, Sealed, SealedKind,
    SecretBytes, Timestamp, WrapBinding, WrappedKek,
    ports::{BoxFuture, CryptoError, CryptoErrorKind, CryptoPlugin, Entropy, KeyWrapper},
};
use donjon_envelope::{Context, KEY_BYTES, Key, Kind, Padding, RANDOM_BYTES};
use zeroize::Zeroizing;

use crate::{
    cache::KeyCache,
    flights::{Flights, Turn},
};

/// Envelopes in software, under KEKs that a root key wraps.
///
/// A call takes a few microseconds: sealing or opening 20,000 bytes takes about
/// 15. The first one with a KEK waits until the root key has unwrapped it,
/// wherever that is, and so do those that come meanwhile: the root key is asked
/// once. The others find the KEK in a cache, as long as the process lives and
/// the cache has room.
pub struct SoftwareCrypto {
    current: Arc<dyn KeyWrapper>,
    previous: Option<Arc<dyn KeyWrapper>>,
    entropy: Arc<dyn Entropy>,
    deployment: OnceLock<DeploymentId>,
    keys: KeyCache,
    flights: Flights,
}

/// What the canary holds. Not a secret: whether it opens is the question.
const CANARY: &[u8] = b"donjon canary";

impl SoftwareCrypto {
    /// New keys are wrapped by `current`; what `previous` wrapped still opens.
    /// Up to `keks_max` unwrapped KEKs are kept.
    #[must_use]
    pub fn new(
        current: Arc<dyn KeyWrapper>,
        previous: Option<Arc<dyn KeyWrapper>>,
        entropy: Arc<dyn Entropy>,
        keks_max: usize,
    ) -> Self {
        Self {
            current,
            previous,
            entropy,
            deployment: OnceLock::new(),
            keys: KeyCache::new(keks_max),
            flights: Flights::default(),
        }
    }

    fn deployment(&self) -> Result<DeploymentId, CryptoError> {
        self.deployment
            .get()
            .copied()
            .ok_or_else(|| CryptoError::new(CryptoErrorKind::NotReady))
    }

    fn wrapper(&self, id: RootKeyId) -> Option<&dyn KeyWrapper> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|wrapper| wrapper.id() == id)
            .map(|wrapper| &**wrapper)
    }

    fn random(&self) -> Zeroizing<[u8; RANDOM_BYTES]> {
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        self.entropy.fill(&mut *random);
        random
    }

    async fn unwrap(&self, kek: &WrappedKek) -> Result<Arc<Key>, CryptoError> {
        if let Some(key) = self.keys.get(kek) {
            return Ok(key);
        }
        loop {
            match self.flights.turn(kek) {
                Turn::Alone => return self.unwrap_with_root(kek).await,
                Turn::Lead(leader) => {
                    let unwrapped = self.unwrap_with_root(kek).await;
                    let landed = unwrapped.as_ref().map_err(CryptoError::kind);
                    leader.land(landed.map(Arc::clone));
                    return unwrapped;
                }
                Turn::Follow(follower) => {
                    if let Some(landed) = follower.await {
                        return landed.map_err(CryptoError::new);
                    }
                }
            }
        }
    }

    async fn unwrap_with_root(&self, kek: &WrappedKek) -> Result<Arc<Key>, CryptoError> {
        // Whoever led before may have landed since the caller looked.
        if let Some(key) = self.keys.get(kek) {
            return Ok(key);
        }
        let deployment = self.deployment()?;
        let unknown = || CryptoError::new(CryptoErrorKind::UnknownRootKey(kek.root));
        let wrapper = self.wrapper(kek.root).ok_or_else(unknown)?;
        let plain = wrapper
            .unwrap(&kek.wrapped, kek_binding(deployment, kek))
            .await?;
        let key = Key::try_from(plain.expose())
            .map_err(|source| CryptoError::with_source(CryptoErrorKind::DoesNotOpen, source))?;
        let key = Arc::new(key);
        self.keys.put(kek, &key);
        Ok(key)
    }

    async fn seal_in_envelope(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        plain: &SecretBytes,
    ) -> Result<Sealed, CryptoError> {
        let deployment = self.deployment()?;
        let key = self.unwrap(kek).await?;
        if cfg!(feature = "danger-no-sealing") {
            return Ok(Sealed {
                kek: kek.id,
                envelope: crate::danger_no_sealing::seal(plain.expose()),
            });
        }
        let context = payload_context(&deployment, binding);
        let id = *kek.id.as_bytes();
        donjon_envelope::seal(
            &key,
            id,
            &context,
            plain.expose(),
            &self.random(),
            Padding::Blocks64,
        )
        .map(|envelope| Sealed {
            kek: kek.id,
            envelope,
        })
        .map_err(|source| CryptoError::with_source(CryptoErrorKind::Internal, source))
    }

    async fn open_envelope(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        sealed: &Sealed,
    ) -> Result<SecretBytes, CryptoError> {
        let deployment = self.deployment()?;
        if sealed.kek != kek.id {
            return Err(CryptoError::new(CryptoErrorKind::DoesNotOpen));
        }
        let key = self.unwrap(kek).await?;
        if let Some(plain) = crate::danger_no_sealing::open(&sealed.envelope) {
            return Ok(SecretBytes::new(plain));
        }
        let context = payload_context(&deployment, binding);
        open(&key, &context, &sealed.envelope, kek.id.as_bytes()).map(SecretBytes::from_zeroizing)
    }
}

impl CryptoPlugin for SoftwareCrypto {
    fn root(&self) -> RootKeyId {
        self.current.id()
    }

    fn new_deployment(
        &self,
        id: DeploymentId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Deployment, CryptoError>> {
        Box::pin(async move {
            let canary = SecretBytes::new(CANARY.to_vec());
            let canary = self.current.wrap(&canary, WrapBinding::Canary(id)).await?;
            Ok(Deployment {
                id,
                root: self.current.id(),
                canary,
                created: now,
            })
        })
    }

    fn adopt<'a>(&'a self, deployment: &'a Deployment) -> BoxFuture<'a, Result<(), CryptoError>> {
        Box::pin(async move {
            let wrong = || {
                let (expected, found) = (deployment.root, self.current.id());
                CryptoError::new(CryptoErrorKind::WrongRootKey { expected, found })
            };
            let wrapper = self.wrapper(deployment.root).ok_or_else(wrong)?;
            let binding = WrapBinding::Canary(deployment.id);
            let opened = wrapper.unwrap(&deployment.canary, binding).await?;
            if opened.expose() != CANARY
                || *self.deployment.get_or_init(|| deployment.id) != deployment.id
            {
                return Err(CryptoError::new(CryptoErrorKind::DoesNotOpen));
            }
            Ok(())
        })
    }

    fn new_kek(
        &self,
        id: KekId,
        scope: KekScope,
        generation: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<WrappedKek, CryptoError>> {
        Box::pin(async move {
            let deployment = self.deployment()?;
            let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
            self.entropy.fill(&mut key);
            let key = SecretBytes::from_zeroizing(key);
            let mut kek = WrappedKek {
                id,
                scope,
                generation,
                state: KekState::Active,
                root: self.current.id(),
                wrapped: Vec::new(),
                created: now,
            };
            let binding = kek_binding(deployment, &kek);
            kek.wrapped = self.current.wrap(&key, binding).await?;
            Ok(kek)
        })
    }

    fn rewrap<'a>(&'a self, kek: &'a WrappedKek) -> BoxFuture<'a, Result<WrappedKek, CryptoError>> {
        Box::pin(async move {
            let deployment = self.deployment()?;
            let key = self.unwrap(kek).await?;
            let key = SecretBytes::new(key.expose_bytes().to_vec());
            let binding = kek_binding(deployment, kek);
            Ok(WrappedKek {
                root: self.current.id(),
                wrapped: self.current.wrap(&key, binding).await?,
                ..kek.clone()
            })
        })
    }

    fn seal<'a>(
        &'a self,
        kek: &'a WrappedKek,
        binding: &'a Binding<'a>,
        plain: &'a SecretBytes,
    ) -> BoxFuture<'a, Result<Sealed, CryptoError>> {
        Box::pin(self.seal_in_envelope(kek, binding, plain))
    }

    fn open<'a>(
        &'a self,
        kek: &'a WrappedKek,
        binding: &'a Binding<'a>,
        sealed: &'a Sealed,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(self.open_envelope(kek, binding, sealed))
    }

    fn unwrap_server_key<'a>(
        &'a self,
        kek: &'a WrappedKek,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(async move {
            self.deployment()?;
            match kek.scope {
                KekScope::Server(_) => Ok(SecretBytes::new(
                    self.unwrap(kek).await?.expose_bytes().to_vec(),
                )),
                KekScope::Project(_) => Err(CryptoError::new(CryptoErrorKind::DoesNotOpen)),
            }
        })
    }
}

/// Opens an envelope that has to name `key_id` as its key.
pub(crate) fn open(
    key: &Key,
    context: &Context<'_>,
    envelope: &[u8],
    key_id: &[u8; 16],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let closed = |source| CryptoError::with_source(CryptoErrorKind::DoesNotOpen, source);
    if donjon_envelope::kek_id(envelope).map_err(closed)? != *key_id {
        return Err(CryptoError::new(CryptoErrorKind::DoesNotOpen));
    }
    donjon_envelope::open(key, context, envelope).map_err(closed)
}

fn payload_context<'a>(deployment: &'a DeploymentId, binding: &'a Binding<'_>) -> Context<'a> {
    let kind = match binding.kind {
        SealedKind::Payload => Kind::Payload,
        SealedKind::Locator => Kind::Locator,
        SealedKind::Passphrase => Kind::Passphrase,
    };
    Context {
        deployment: deployment.as_bytes(),
        project: binding.project.as_str().as_bytes(),
        object: &binding.object,
        kind,
        version: binding.version,
    }
}

/// A wrapped key is bound to its scope, id and generation.
fn kek_binding(deployment: DeploymentId, kek: &WrappedKek) -> WrapBinding<'_> {
    WrapBinding::Kek {
        deployment,
        id: kek.id,
        scope: &kek.scope,
        generation: kek.generation,
    }
}

impl fmt::Debug for SoftwareCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareCrypto")
            .field("current", &self.current.id())
            .field("previous", &self.previous.as_ref().map(|root| root.id()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(feature = "danger-no-sealing"))]
mod tests;
