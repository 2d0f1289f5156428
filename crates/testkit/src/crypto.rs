//! A crypto plugin that encrypts nothing. Whoever reads its "envelopes" reads
//! the plaintext; what it does is notice when key, binding or bytes differ.

use std::{
    future::ready,
    sync::{Mutex, PoisonError},
};

use donjon_domain::{
    Binding, Deployment, DeploymentId, KekId, KekScope, KekState, RootKeyId, Sealed, SealedKind,
    SecretBytes, ServerKey, Timestamp, WrappedKek,
    ports::{BoxFuture, CryptoError, CryptoErrorKind, CryptoPlugin},
};

use crate::entropy;

/// `CryptoPlugin` for tests. An envelope is the plaintext behind a checksum
/// over everything it is bound to. There is no secrecy at all, and the checksum
/// keeps out mistakes, not attackers.
#[derive(Debug)]
pub struct FakeCrypto {
    root: RootKeyId,
    previous: Option<RootKeyId>,
    adopted: Mutex<Option<DeploymentId>>,
}

/// What a checksum covers, and so what cannot be swapped.
enum Label<'a> {
    Canary,
    Kek(&'a WrappedKek),
    Envelope(&'a WrappedKek, &'a Binding<'a>),
}

impl FakeCrypto {
    /// A plugin with the root key of this number.
    #[must_use]
    pub fn new(root: u8) -> Self {
        Self {
            root: RootKeyId::from_bytes([root; 16]),
            previous: None,
            adopted: Mutex::new(None),
        }
    }

    /// The same plugin, which also has the root key of this number.
    #[must_use]
    pub fn with_previous(self, root: u8) -> Self {
        Self {
            previous: Some(RootKeyId::from_bytes([root; 16])),
            ..self
        }
    }

    fn has(&self, root: RootKeyId) -> bool {
        root == self.root || Some(root) == self.previous
    }

    fn deployment(&self) -> Result<DeploymentId, CryptoError> {
        let adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        adopted.ok_or_else(|| CryptoError::new(CryptoErrorKind::NotReady))
    }

    /// Checks a KEK, and returns its 32 "secret" bytes.
    fn unwrap(&self, kek: &WrappedKek) -> Result<Vec<u8>, CryptoError> {
        let deployment = self.deployment()?;
        if !self.has(kek.root) {
            return Err(CryptoError::new(CryptoErrorKind::UnknownRootKey(kek.root)));
        }
        open(&kek.wrapped, kek.root, deployment, &Label::Kek(kek))
    }
}

impl FakeCrypto {
    fn new_deployment_now(
        &self,
        id: DeploymentId,
        now: Timestamp,
    ) -> Result<Deployment, CryptoError> {
        Ok(Deployment {
            id,
            root: self.root,
            canary: seal(b"canary", self.root, id, &Label::Canary),
            created: now,
        })
    }

    fn adopt_now(&self, deployment: &Deployment) -> Result<(), CryptoError> {
        if !self.has(deployment.root) {
            return Err(CryptoError::new(CryptoErrorKind::WrongRootKey {
                expected: deployment.root,
                found: self.root,
            }));
        }
        let (root, id) = (deployment.root, deployment.id);
        open(&deployment.canary, root, id, &Label::Canary)?;
        let mut adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        *adopted = Some(deployment.id);
        Ok(())
    }

    fn new_kek_now(
        &self,
        id: KekId,
        scope: KekScope,
        generation: u32,
        now: Timestamp,
    ) -> Result<WrappedKek, CryptoError> {
        let deployment = self.deployment()?;
        let mut kek = WrappedKek {
            id,
            scope,
            generation,
            state: KekState::Active,
            root: self.root,
            wrapped: Vec::new(),
            created: now,
        };
        kek.wrapped = seal(&key_bytes(id), self.root, deployment, &Label::Kek(&kek));
        Ok(kek)
    }

    fn rewrap_now(&self, kek: &WrappedKek) -> Result<WrappedKek, CryptoError> {
        let key = self.unwrap(kek)?;
        let mut rewrapped = WrappedKek {
            root: self.root,
            ..kek.clone()
        };
        let label = Label::Kek(kek);
        rewrapped.wrapped = seal(&key, self.root, self.deployment()?, &label);
        Ok(rewrapped)
    }

    fn seal_now(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        plain: &SecretBytes,
    ) -> Result<Sealed, CryptoError> {
        self.unwrap(kek)?;
        let label = Label::Envelope(kek, binding);
        Ok(Sealed {
            kek: kek.id,
            envelope: seal(plain.expose(), NO_ROOT, self.deployment()?, &label),
        })
    }

    fn open_now(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        sealed: &Sealed,
    ) -> Result<SecretBytes, CryptoError> {
        self.unwrap(kek)?;
        if sealed.kek != kek.id {
            return Err(CryptoError::new(CryptoErrorKind::DoesNotOpen));
        }
        let label = Label::Envelope(kek, binding);
        open(&sealed.envelope, NO_ROOT, self.deployment()?, &label).map(SecretBytes::new)
    }

    fn unwrap_server_key_now(&self, kek: &WrappedKek) -> Result<SecretBytes, CryptoError> {
        let key = self.unwrap(kek)?;
        match kek.scope {
            KekScope::Server(_) => Ok(SecretBytes::new(key)),
            KekScope::Project(_) => Err(CryptoError::new(CryptoErrorKind::DoesNotOpen)),
        }
    }
}

impl CryptoPlugin for FakeCrypto {
    fn root(&self) -> RootKeyId {
        self.root
    }

    fn new_deployment(
        &self,
        id: DeploymentId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Deployment, CryptoError>> {
        Box::pin(ready(self.new_deployment_now(id, now)))
    }

    fn adopt<'a>(&'a self, deployment: &'a Deployment) -> BoxFuture<'a, Result<(), CryptoError>> {
        Box::pin(ready(self.adopt_now(deployment)))
    }

    fn new_kek(
        &self,
        id: KekId,
        scope: KekScope,
        generation: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<WrappedKek, CryptoError>> {
        Box::pin(ready(self.new_kek_now(id, scope, generation, now)))
    }

    fn rewrap<'a>(&'a self, kek: &'a WrappedKek) -> BoxFuture<'a, Result<WrappedKek, CryptoError>> {
        Box::pin(ready(self.rewrap_now(kek)))
    }

    fn seal<'a>(
        &'a self,
        kek: &'a WrappedKek,
        binding: &'a Binding<'a>,
        plain: &'a SecretBytes,
    ) -> BoxFuture<'a, Result<Sealed, CryptoError>> {
        Box::pin(ready(self.seal_now(kek, binding, plain)))
    }

    fn open<'a>(
        &'a self,
        kek: &'a WrappedKek,
        binding: &'a Binding<'a>,
        sealed: &'a Sealed,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(ready(self.open_now(kek, binding, sealed)))
    }

    fn unwrap_server_key<'a>(
        &'a self,
        kek: &'a WrappedKek,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(ready(self.unwrap_server_key_now(kek)))
    }
}

impl Label<'_> {
    /// The checksum over the plaintext and all that it is bound to.
    fn checksum(&self, root: RootKeyId, deployment: DeploymentId, plain: &[u8]) -> [u8; 8] {
        let mut sum = Checksum::new();
        sum.add(root.as_bytes());
        sum.add(deployment.as_bytes());
        match self {
            Self::Canary => sum.add(b"canary"),
            Self::Kek(kek) => {
                sum.add(b"kek");
                sum.add(kek.id.as_bytes());
                sum.add_scope(&kek.scope);
            }
            Self::Envelope(kek, binding) => {
                sum.add(b"envelope");
                sum.add(kek.id.as_bytes());
                sum.add(binding.project.as_str().as_bytes());
                sum.add(&binding.object);
                sum.add(match binding.kind {
                    SealedKind::Payload => b"payload",
                    SealedKind::Locator => b"locator",
                    SealedKind::Passphrase => b"passphrase",
                });
                sum.add(&binding.version.to_be_bytes());
            }
        }
        sum.add(plain);
        sum.0.to_be_bytes()
    }
}

/// FNV-1a over length-prefixed fields, 64 bits.
struct Checksum(u64);

impl Checksum {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, field: &[u8]) {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes();
        for byte in length.iter().chain(field) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn add_scope(&mut self, scope: &KekScope) {
        match scope {
            KekScope::Project(project) => {
                self.add(b"project");
                self.add(project.as_str().as_bytes());
            }
            KekScope::Server(ServerKey::TokenHash) => self.add(b"token hash"),
        }
    }
}

/// What a KEK seals outlasts the root key that wraps the KEK.
const NO_ROOT: RootKeyId = RootKeyId::from_bytes([0; 16]);

/// Stands in front of everything, so that nobody takes it for encrypted.
const MARK: &[u8] = b"NOT ENCRYPTED\n";

fn seal(plain: &[u8], root: RootKeyId, deployment: DeploymentId, label: &Label<'_>) -> Vec<u8> {
    let checksum = label.checksum(root, deployment, plain);
    [MARK, &checksum, plain].concat()
}

fn open(
    sealed: &[u8],
    root: RootKeyId,
    deployment: DeploymentId,
    label: &Label<'_>,
) -> Result<Vec<u8>, CryptoError> {
    sealed
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_first_chunk::<8>())
        .filter(|(checksum, plain)| **checksum == label.checksum(root, deployment, plain))
        .map(|(_, plain)| plain.to_vec())
        .ok_or_else(|| CryptoError::new(CryptoErrorKind::DoesNotOpen))
}

/// 32 bytes that follow from the id: the same for whoever asks.
fn key_bytes(id: KekId) -> Vec<u8> {
    let mut state = id.as_bytes().iter().fold(0, |state: u64, byte| {
        state.rotate_left(8) ^ u64::from(*byte)
    });
    (0..4)
        .flat_map(|_| entropy::next(&mut state).to_be_bytes())
        .collect()
}
