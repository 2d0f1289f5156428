//! Where raw keys come from that are not generated in software: a device.

use crate::{SecretBytes, ports::GenerationError};

/// Generates raw keys. A `KeyGenerator` on top of it knows which are asked for,
/// and how they are stored.
///
/// Calls block until the device has answered or was given up. Their errors are
/// [`Unavailable`](crate::ports::GenerationErrorKind) where it does not answer,
/// and [`Internal`](crate::ports::GenerationErrorKind) where it refuses.
pub trait KeySource: Send + Sync {
    /// So many bytes, 1 to 4,096, that nobody can guess.
    ///
    /// # Errors
    /// As above.
    fn random(&self, bytes: usize) -> Result<SecretBytes, GenerationError>;

    /// Whether it makes such private keys. Never blocks, and always says the
    /// same.
    fn makes(&self, key: RawKey) -> bool;

    /// Makes a private key.
    ///
    /// # Errors
    /// As above; [`Unsupported`](crate::ports::GenerationErrorKind) for what
    /// [`Self::makes`] denies.
    fn private(&self, key: RawKey) -> Result<SecretBytes, GenerationError>;
}

/// A kind of private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawKey {
    /// RSA with a modulus of so many bits and the exponent 65537, as an
    /// `RSAPrivateKey` of PKCS#1 in DER.
    Rsa(u16),
    /// On the curve of NIST with so many bits (256, 384 or 521), as the scalar,
    /// most significant byte first, with as many bytes as the field has.
    Ec(u16),
}
