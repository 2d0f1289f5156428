//! The crypto plugin: wraps keys, seals and opens payloads.

use std::fmt;

use crate::{
    Binding, Deployment, DeploymentId, KekId, KekScope, RootKeyId, Sealed, SecretBytes, Timestamp,
    WrappedKek,
    ports::{BoxError, BoxFuture},
};

/// Makes keys, seals and opens. Pure bytes in, bytes out: a plugin never
/// touches the database; what it returns is saved by its caller.
///
/// Where keys are in memory the futures are ready at once, after a few
/// microseconds; one that needs a device or a service waits for it.
pub trait CryptoPlugin: Send + Sync {
    /// The root key with which new keys are wrapped.
    fn root(&self) -> RootKeyId;

    /// Makes the row of a new installation: its id and the canary that opens
    /// with this root key alone.
    ///
    /// # Errors
    /// Any kind but [`CryptoErrorKind::DoesNotOpen`].
    fn new_deployment(
        &self,
        id: DeploymentId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Deployment, CryptoError>>;

    /// Opens the canary and takes the installation's id into use. Has to
    /// succeed once before any key is used.
    ///
    /// # Errors
    /// [`CryptoErrorKind::WrongRootKey`] with both ids, where this is another
    /// root key; [`CryptoErrorKind::DoesNotOpen`] where the canary is damaged.
    fn adopt<'a>(&'a self, deployment: &'a Deployment) -> BoxFuture<'a, Result<(), CryptoError>>;

    /// Makes a random KEK and wraps it with the root key. The result is active.
    /// `generation` counts from 1 within the scope.
    ///
    /// # Errors
    /// [`CryptoErrorKind::NotReady`] before [`Self::adopt`].
    fn new_kek(
        &self,
        id: KekId,
        scope: KekScope,
        generation: u32,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<WrappedKek, CryptoError>>;

    /// Wraps a KEK anew, with the current root key. All else of it stays, and
    /// so does what it seals.
    ///
    /// # Errors
    /// Those of opening the KEK.
    fn rewrap<'a>(&'a self, kek: &'a WrappedKek) -> BoxFuture<'a, Result<WrappedKek, CryptoError>>;

    /// Seals `plain` (0 bytes to the configured limit) under a KEK. The binding
    /// is authenticated, not stored.
    ///
    /// # Errors
    /// Those of opening the KEK.
    fn seal<'a>(
        &'a self,
        kek: &'a WrappedKek,
        binding: &'a Binding<'a>,
        plain: &'a SecretBytes,
    ) -> BoxFuture<'a, Result<Sealed, CryptoError>>;

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`CryptoErrorKind::DoesNotOpen`] where anything differs by a single bit:
    /// key, binding or envelope. Nothing of the plaintext comes out then.
    fn open<'a>(
        &'a self,
        kek: &'a WrappedKek,
        binding: &'a Binding<'a>,
        sealed: &'a Sealed,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>>;

    /// Unwraps one of the server's own keys (32 bytes), for the adapter that
    /// works with it.
    ///
    /// # Errors
    /// [`CryptoErrorKind::DoesNotOpen`]; also for the KEK of a project, which
    /// never leaves the plugin.
    fn unwrap_server_key<'a>(
        &'a self,
        kek: &'a WrappedKek,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>>;
}

/// A crypto plugin failed.
#[derive(Debug)]
pub struct CryptoError {
    kind: CryptoErrorKind,
    source: Option<BoxError>,
}

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoErrorKind {
    /// Sealed data, key and binding do not belong together, or were changed.
    DoesNotOpen,
    /// The installation was made with another root key.
    WrongRootKey {
        /// The one that it wants.
        expected: RootKeyId,
        /// The one that is configured.
        found: RootKeyId,
    },
    /// The key is wrapped by a root key that is not configured.
    UnknownRootKey(RootKeyId),
    /// No installation was adopted yet.
    NotReady,
    /// The device or service behind the plugin does not answer; try again.
    Unavailable,
    /// Something that no input explains.
    Internal,
}

impl CryptoError {
    /// An error without a deeper cause.
    #[must_use]
    pub fn new(kind: CryptoErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause.
    #[must_use]
    pub fn with_source(kind: CryptoErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> CryptoErrorKind {
        self.kind
    }
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CryptoErrorKind::DoesNotOpen => f.write_str("sealed data does not open"),
            CryptoErrorKind::WrongRootKey { expected, found } => {
                write!(
                    f,
                    "wrong root key: the database was made with {expected}, configured is {found}"
                )
            }
            CryptoErrorKind::UnknownRootKey(id) => write!(f, "root key {id} is not configured"),
            CryptoErrorKind::NotReady => f.write_str("no installation adopted"),
            CryptoErrorKind::Unavailable => f.write_str("crypto backend does not answer"),
            CryptoErrorKind::Internal => f.write_str("crypto backend failed"),
        }
    }
}

impl std::error::Error for CryptoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
