//! A wrapper whose requests run on the runtime of the test.

use donjon_crypto_vault::TransitWrapper;
use donjon_domain::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError, KeyWrapper},
};
use tokio::runtime::Handle;

/// Futures of the contract run on no runtime of their own.
pub(crate) struct Entered {
    pub(crate) wrapper: TransitWrapper,
    pub(crate) runtime: Handle,
}

impl KeyWrapper for Entered {
    fn id(&self) -> RootKeyId {
        self.wrapper.id()
    }

    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>> {
        let done = self.runtime.block_on(self.wrapper.wrap(key, binding));
        Box::pin(async move { done })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        let done = self.runtime.block_on(self.wrapper.unwrap(wrapped, binding));
        Box::pin(async move { done })
    }
}
