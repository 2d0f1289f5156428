//! `KeyWrapper` on envelopes v1, with a root key in memory.

use std::{fmt, sync::Arc};

use donjon_domain::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError, CryptoErrorKind, Entropy, KeyWrapper},
};
use donjon_envelope::{Context, Kind, Padding, RANDOM_BYTES};
use zeroize::Zeroizing;

use crate::{RootKey, plugin::open};

/// Wraps keys with a root key in memory. A call takes microseconds and never
/// blocks.
pub struct RootKeyWrapper {
    root: RootKey,
    entropy: Arc<dyn Entropy>,
}

impl RootKeyWrapper {
    /// Draws what envelopes need from `entropy`.
    #[must_use]
    pub fn new(root: RootKey, entropy: Arc<dyn Entropy>) -> Self {
        Self { root, entropy }
    }

    /// Seals short known lengths, so "too long" cannot happen here.
    fn seal(&self, key: &SecretBytes, context: &Context<'_>) -> Result<Vec<u8>, CryptoError> {
        let id = *self.root.id().as_bytes();
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        self.entropy.fill(&mut *random);
        let (root, padding) = (self.root.key(), Padding::Blocks64);
        donjon_envelope::seal(root, id, context, key.expose(), &random, padding)
            .map_err(|source| CryptoError::with_source(CryptoErrorKind::Internal, source))
    }
}

impl KeyWrapper for RootKeyWrapper {
    fn id(&self) -> RootKeyId {
        self.root.id()
    }

    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>> {
        Box::pin(async move { with_context(&binding, |context| self.seal(key, context)) })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        Box::pin(async move {
            let id = *self.root.id().as_bytes();
            with_context(&binding, |context| {
                open(self.root.key(), context, wrapped, &id).map(SecretBytes::from_zeroizing)
            })
        })
    }
}

/// The context of an envelope that follows from the binding.
fn with_context<T>(binding: &WrapBinding<'_>, run: impl FnOnce(&Context<'_>) -> T) -> T {
    match binding {
        WrapBinding::Canary(deployment) => run(&Context {
            deployment: deployment.as_bytes(),
            project: b"",
            object: deployment.as_bytes(),
            kind: Kind::Canary,
            version: 1,
        }),
        WrapBinding::Kek {
            deployment,
            id,
            scope,
            generation,
        } => run(&Context {
            deployment: deployment.as_bytes(),
            project: &scope.to_binding_bytes(),
            object: id.as_bytes(),
            kind: Kind::Kek,
            version: *generation,
        }),
    }
}

impl fmt::Debug for RootKeyWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKeyWrapper")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use donjon_testkit::{SeededEntropy, contract::key_wrapper::KeyWrapperCase};

    use super::*;

    struct Case;

    fn wrapper(number: u8) -> Box<dyn KeyWrapper> {
        let root = RootKey::parse(&[number; 32]).unwrap();
        let entropy = Arc::new(SeededEntropy::new(u64::from(number)));
        Box::new(RootKeyWrapper::new(root, entropy))
    }

    impl KeyWrapperCase for Case {
        fn wrapper(&self) -> Box<dyn KeyWrapper> {
            wrapper(1)
        }

        fn stranger(&self) -> Box<dyn KeyWrapper> {
            wrapper(2)
        }
    }

    donjon_testkit::key_wrapper_contract!(Box::new(Case));
}
