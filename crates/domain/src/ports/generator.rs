//! The key generator: makes what orders ask for.

use std::fmt;

use crate::{KeySpec, SecretBytes, ports::BoxError};

/// Generates keys. What it returns is sealed and saved by its caller.
pub trait KeyGenerator: Send + Sync {
    /// Whether making this takes long enough (over a millisecond) to need a
    /// thread of its own. Symmetric keys in software do not.
    fn blocks(&self, request: GenerationRequest<'_>) -> bool;

    /// Makes a key or a key pair. Blocks as [`Self::blocks`] says. Algorithms
    /// are compared without regard to ASCII letter case; name, expiration and
    /// content type do not matter.
    ///
    /// # Errors
    /// [`GenerationErrorKind::Unsupported`] for an algorithm or length that
    /// nothing here makes, a symmetric one for a pair and the other way round
    /// included; else as the generator fails.
    fn generate(&self, request: GenerationRequest<'_>) -> Result<Generated, GenerationError>;
}

/// What to make.
#[derive(Debug, Clone, Copy)]
pub enum GenerationRequest<'a> {
    /// A symmetric key.
    Symmetric(&'a KeySpec),
    /// A key pair; the private key is encrypted with the passphrase, if there is
    /// one.
    KeyPair(&'a KeySpec, Option<&'a SecretBytes>),
}

/// What was made.
#[derive(Debug)]
pub enum Generated {
    /// The bytes of a symmetric key, as many bits as were asked for.
    Symmetric(SecretBytes),
    /// A key pair.
    KeyPair(KeyPair),
}

/// A key pair, each half as it is stored in a secret.
#[derive(Debug)]
pub struct KeyPair {
    /// The private key: PKCS#8, encrypted where a passphrase was given that is
    /// not empty. In PEM, with lines of 64 digits, each with a line feed, the
    /// last one too; of DSA in DER, as Barbican stores it.
    pub private: SecretBytes,
    /// The public key: SubjectPublicKeyInfo in the same form.
    pub public: SecretBytes,
}

/// Nothing was made.
#[derive(Debug)]
pub struct GenerationError {
    kind: GenerationErrorKind,
    source: Option<BoxError>,
}

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GenerationErrorKind {
    /// Nothing here makes this algorithm with this length.
    Unsupported,
    /// The device or service behind the generator does not answer; try again.
    Unavailable,
    /// Something that no input explains.
    Internal,
}

impl GenerationError {
    /// An error without a deeper cause.
    #[must_use]
    pub fn new(kind: GenerationErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause.
    #[must_use]
    pub fn with_source(kind: GenerationErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> GenerationErrorKind {
        self.kind
    }
}

impl fmt::Display for GenerationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            GenerationErrorKind::Unsupported => "no plugin makes such a key",
            GenerationErrorKind::Unavailable => "the key generator does not answer",
            GenerationErrorKind::Internal => "the key generator failed",
        })
    }
}

impl std::error::Error for GenerationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
