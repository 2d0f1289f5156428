//! The root key, wherever it is kept: in memory, or in a device that never
//! gives it away.

use crate::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError},
};

/// Wraps keys with one root key.
///
/// In memory the futures are ready at once, after a few microseconds. Those of
/// a device wait for it, block no thread meanwhile, and end in any case.
pub trait KeyWrapper: Send + Sync {
    /// Tells the root key apart from others, and says nothing about it. Always
    /// the same for the same root key.
    fn id(&self) -> RootKeyId;

    /// Wraps a key (1 to 64 bytes). The binding is authenticated, not stored.
    ///
    /// # Errors
    /// [`CryptoErrorKind::Unavailable`](crate::ports::CryptoErrorKind) where
    /// the root key cannot be reached now, or
    /// [`Internal`](crate::ports::CryptoErrorKind).
    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>>;

    /// Unwraps what [`Self::wrap`] made.
    ///
    /// # Errors
    /// [`CryptoErrorKind::DoesNotOpen`](crate::ports::CryptoErrorKind) where
    /// anything differs by a single bit: root key, binding or bytes; else as
    /// [`Self::wrap`].
    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>>;
}
