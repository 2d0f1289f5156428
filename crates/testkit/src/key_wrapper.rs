//! A key wrapper that encrypts nothing, and can be out of reach.

use std::{
    future::ready,
    sync::atomic::{AtomicBool, Ordering},
};

use donjon_domain::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError, CryptoErrorKind, KeyWrapper},
};

/// `KeyWrapper` for tests. A wrapped key is the key behind the id of the root
/// key and what it is bound to. There is no secrecy at all.
#[derive(Debug)]
pub struct FakeKeyWrapper {
    id: RootKeyId,
    is_away: AtomicBool,
}

/// Stands in front of everything, so that nobody takes it for encrypted.
const MARK: &[u8] = b"NOT ENCRYPTED\n";

impl FakeKeyWrapper {
    /// A wrapper with the root key of this number.
    #[must_use]
    pub fn new(root: u8) -> Self {
        Self {
            id: RootKeyId::from_bytes([root; 16]),
            is_away: AtomicBool::new(false),
        }
    }

    /// From now on its root key is out of reach, or in reach again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), CryptoError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(CryptoError::new(CryptoErrorKind::Unavailable));
        }
        Ok(())
    }

    fn wrapped(&self, key: &[u8], binding: WrapBinding<'_>) -> Vec<u8> {
        // Twice, so that no single changed byte goes unseen.
        let label = format!("{} {binding:?} {key:?}\n", self.id);
        [MARK, label.as_bytes(), key].concat()
    }
}

impl KeyWrapper for FakeKeyWrapper {
    fn id(&self) -> RootKeyId {
        self.id
    }

    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>> {
        let wrapped = self.check().map(|()| self.wrapped(key.expose(), binding));
        Box::pin(ready(wrapped))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        let unwrapped = self.check().and_then(|()| {
            (1..=64)
                .filter_map(|bytes| wrapped.len().checked_sub(bytes))
                .filter_map(|at| wrapped.get(at..))
                .find(|key| self.wrapped(key, binding) == wrapped)
                .map(|key| SecretBytes::new(key.to_vec()))
                .ok_or_else(|| CryptoError::new(CryptoErrorKind::DoesNotOpen))
        });
        Box::pin(ready(unwrapped))
    }
}
