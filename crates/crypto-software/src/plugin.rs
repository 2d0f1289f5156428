//! `CryptoPlugin` on envelopes v1.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use donjon_domain::{
    Binding, Deployment, DeploymentId, KekId, KekScope, KekState, RootKeyId, Sealed, SealedKind,
    SecretBytes, ServerKey, Timestamp, WrappedKek,
    ports::{CryptoError, CryptoErrorKind, CryptoPlugin, Entropy},
};
use donjon_envelope::{Context, KEY_BYTES, Key, Kind, Padding, RANDOM_BYTES};
use zeroize::Zeroizing;

use crate::{RootKey, cache::KeyCache};

/// Keys and envelopes in software.
///
/// A call takes a few microseconds and never blocks: sealing or opening 20,000
/// bytes takes about 15.
pub struct SoftwareCrypto {
    current: RootKey,
    previous: Option<RootKey>,
    entropy: Arc<dyn Entropy>,
    deployment: OnceLock<DeploymentId>,
    keys: KeyCache,
}

/// What the canary holds. Not a secret: whether it opens is the question.
const CANARY: &[u8] = b"donjon canary";

impl SoftwareCrypto {
    /// New keys are wrapped by `current`; what `previous` wrapped still opens.
    #[must_use]
    pub fn new(current: RootKey, previous: Option<RootKey>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            current,
            previous,
            entropy,
            deployment: OnceLock::new(),
            keys: KeyCache::default(),
        }
    }

    fn deployment(&self) -> Result<DeploymentId, CryptoError> {
        self.deployment
            .get()
            .copied()
            .ok_or_else(|| CryptoError::new(CryptoErrorKind::NotReady))
    }

    fn root_key(&self, id: RootKeyId) -> Option<&RootKey> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|root| root.id() == id)
    }

    fn random(&self) -> Zeroizing<[u8; RANDOM_BYTES]> {
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        self.entropy.fill(&mut *random);
        random
    }

    /// Seals short known lengths, so "too long" cannot happen here.
    fn wrap(
        &self,
        root: &RootKey,
        context: &Context<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let id = *root.id().as_bytes();
        donjon_envelope::seal(
            root.key(),
            id,
            context,
            plain,
            &self.random(),
            Padding::Blocks64,
        )
        .map_err(|source| CryptoError::with_source(CryptoErrorKind::Internal, source))
    }

    fn unwrap(&self, kek: &WrappedKek) -> Result<Arc<Key>, CryptoError> {
        if let Some(key) = self.keys.get(kek) {
            return Ok(key);
        }
        let deployment = self.deployment()?;
        let unknown = || CryptoError::new(CryptoErrorKind::UnknownRootKey(kek.root));
        let root = self.root_key(kek.root).ok_or_else(unknown)?;
        let scope = scope_bytes(&kek.scope);
        let plain = open(
            root.key(),
            &kek_context(&deployment, &scope, kek),
            &kek.wrapped,
            kek.root.as_bytes(),
        )?;
        let key = Key::try_from(plain.as_slice())
            .map_err(|source| CryptoError::with_source(CryptoErrorKind::DoesNotOpen, source))?;
        let key = Arc::new(key);
        self.keys.put(kek, &key);
        Ok(key)
    }
}

impl CryptoPlugin for SoftwareCrypto {
    fn root(&self) -> RootKeyId {
        self.current.id()
    }

    fn new_deployment(&self, id: DeploymentId, now: Timestamp) -> Result<Deployment, CryptoError> {
        let canary = self.wrap(&self.current, &canary_context(&id), CANARY)?;
        Ok(Deployment {
            id,
            root: self.current.id(),
            canary,
            created: now,
        })
    }

    fn adopt(&self, deployment: &Deployment) -> Result<(), CryptoError> {
        let wrong = || {
            let (expected, found) = (deployment.root, self.current.id());
            CryptoError::new(CryptoErrorKind::WrongRootKey { expected, found })
        };
        let root = self.root_key(deployment.root).ok_or_else(wrong)?;
        let context = canary_context(&deployment.id);
        let opened = open(
            root.key(),
            &context,
            &deployment.canary,
            deployment.root.as_bytes(),
        )?;
        if opened.as_slice() != CANARY
            || *self.deployment.get_or_init(|| deployment.id) != deployment.id
        {
            return Err(CryptoError::new(CryptoErrorKind::DoesNotOpen));
        }
        Ok(())
    }

    fn new_kek(
        &self,
        id: KekId,
        scope: KekScope,
        generation: u32,
        now: Timestamp,
    ) -> Result<WrappedKek, CryptoError> {
        let deployment = self.deployment()?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.entropy.fill(&mut *key);
        let (state, root) = (KekState::Active, self.current.id());
        let mut kek = WrappedKek {
            id,
            scope,
            generation,
            state,
            root,
            wrapped: Vec::new(),
            created: now,
        };
        let scope = scope_bytes(&kek.scope);
        kek.wrapped = self.wrap(
            &self.current,
            &kek_context(&deployment, &scope, &kek),
            &*key,
        )?;
        Ok(kek)
    }

    fn rewrap(&self, kek: &WrappedKek) -> Result<WrappedKek, CryptoError> {
        let deployment = self.deployment()?;
        let key = self.unwrap(kek)?;
        let mut rewrapped = WrappedKek {
            root: self.current.id(),
            ..kek.clone()
        };
        let scope = scope_bytes(&kek.scope);
        rewrapped.wrapped = self.wrap(
            &self.current,
            &kek_context(&deployment, &scope, &rewrapped),
            key.expose_bytes(),
        )?;
        Ok(rewrapped)
    }

    fn seal(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        plain: &SecretBytes,
    ) -> Result<Sealed, CryptoError> {
        let deployment = self.deployment()?;
        let key = self.unwrap(kek)?;
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

    fn open(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        sealed: &Sealed,
    ) -> Result<SecretBytes, CryptoError> {
        let deployment = self.deployment()?;
        if sealed.kek != kek.id {
            return Err(CryptoError::new(CryptoErrorKind::DoesNotOpen));
        }
        let key = self.unwrap(kek)?;
        if let Some(plain) = crate::danger_no_sealing::open(&sealed.envelope) {
            return Ok(SecretBytes::new(plain));
        }
        let context = payload_context(&deployment, binding);
        open(&key, &context, &sealed.envelope, kek.id.as_bytes()).map(SecretBytes::from_zeroizing)
    }

    fn unwrap_server_key(&self, kek: &WrappedKek) -> Result<SecretBytes, CryptoError> {
        self.deployment()?;
        match kek.scope {
            KekScope::Server(_) => Ok(SecretBytes::new(self.unwrap(kek)?.expose_bytes().to_vec())),
            KekScope::Project(_) => Err(CryptoError::new(CryptoErrorKind::DoesNotOpen)),
        }
    }
}

/// Opens an envelope that has to name `key_id` as its key.
fn open(
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
fn kek_context<'a>(
    deployment: &'a DeploymentId,
    scope: &'a [u8],
    kek: &'a WrappedKek,
) -> Context<'a> {
    Context {
        deployment: deployment.as_bytes(),
        project: scope,
        object: kek.id.as_bytes(),
        kind: Kind::Kek,
        version: kek.generation,
    }
}

fn canary_context(deployment: &DeploymentId) -> Context<'_> {
    Context {
        deployment: deployment.as_bytes(),
        project: b"",
        object: deployment.as_bytes(),
        kind: Kind::Canary,
        version: 1,
    }
}

/// `p:` and the project, or `s:` and the name of the server's key: no project
/// can be called like a key of the server.
fn scope_bytes(scope: &KekScope) -> Vec<u8> {
    match scope {
        KekScope::Project(project) => [b"p:", project.as_str().as_bytes()].concat(),
        KekScope::Server(ServerKey::TokenHash) => b"s:token-hash".to_vec(),
    }
}

impl fmt::Debug for SoftwareCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareCrypto")
            .field("current", &self.current)
            .field("previous", &self.previous)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(feature = "danger-no-sealing"))]
mod tests;
