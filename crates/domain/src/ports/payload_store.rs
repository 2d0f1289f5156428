//! A secret store outside of the database: keeps payloads as they are, with
//! keys of its own.
//!
//! The database knows which payloads there have to be; a store never decides
//! that. Whatever a caller puts it names first, and writes that name down, so
//! that a payload whose put was cut off can be found and removed.

use std::fmt;

use crate::{
    BitLength, ContentType, DeploymentId, Label, ProjectId, PutId, SecretBytes, SecretId,
    SecretType,
    ports::{BoxError, BoxFuture, GenerationRequest},
};

/// Keeps payloads. Every call may be made many times at once; every future may
/// be dropped at any point, and then the call may or may not have had its effect,
/// now or later.
///
/// Each call ends after a time that the operator configured, with
/// [`StoreErrorKind::Unavailable`] where the store had not answered by then.
pub trait PayloadStore: Send + Sync {
    /// Keeps a payload under a name that nothing has there. Resolves after it
    /// is as durable as the store makes things.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`], and then it may be there all the same;
    /// [`StoreErrorKind::Refused`] where the store does not take it (too large,
    /// no permission), and then it is not.
    fn put<'a>(
        &'a self,
        name: &'a PayloadName,
        payload: &'a OutsidePayload<'a>,
    ) -> BoxFuture<'a, Result<Locator, StoreError>>;

    /// The bytes of a payload, exactly as they were put.
    ///
    /// # Errors
    /// [`StoreErrorKind::Missing`] where there is none;
    /// [`StoreErrorKind::Corrupt`] where what is there is no payload that was
    /// put; else as the store fails.
    fn get<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<SecretBytes, StoreError>>;

    /// Removes a payload for good, with all that the store keeps of it. No
    /// error where there is none.
    ///
    /// # Errors
    /// As the store fails; then it may or may not be there.
    fn delete<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Where a payload is that was put under this name; `None` where none is.
    ///
    /// # Errors
    /// As the store fails.
    fn find<'a>(
        &'a self,
        name: &'a PayloadName,
    ) -> BoxFuture<'a, Result<Option<Locator>, StoreError>>;

    /// Up to `limit` (1 or more) payloads of an installation, in the order of
    /// their names, behind `after`. Others that use the store do not show. None
    /// at all mean that there are none behind it. A store that has to ask more than
    /// once may take the configured time for each question.
    ///
    /// # Errors
    /// As the store fails.
    fn list<'a>(
        &'a self,
        deployment: DeploymentId,
        after: Option<&'a PayloadName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// Whether the store makes such keys itself. What it does not make is made
    /// by somebody else and put.
    fn can_generate(&self, request: GenerationRequest<'_>) -> bool {
        let _ = request;
        false
    }

    /// Makes a key (one name) or a key pair (two: of the private and of the
    /// public key), and keeps it as a put would. Returns as many locators.
    /// [`Self::get`] gives the bytes in the form of [`crate::ports::Generated`].
    ///
    /// # Errors
    /// [`StoreErrorKind::Refused`] for what it does not make, and for another
    /// number of names; else as the store fails, and then some of it may be
    /// there.
    fn generate<'a>(
        &'a self,
        names: &'a [PayloadName],
        project: &'a ProjectId,
        request: GenerationRequest<'a>,
    ) -> BoxFuture<'a, Result<Vec<Locator>, StoreError>> {
        let _ = (names, project, request);
        Box::pin(async {
            Err(StoreError::with_source(
                StoreErrorKind::Refused,
                "this store makes no keys",
            ))
        })
    }

    /// Checks that the store answers and lets this server in. For the operator:
    /// nothing depends on it.
    ///
    /// # Errors
    /// As the store fails.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What a payload is called in a store. Ordered by installation, secret, put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadName {
    /// The installation that put it: several may share a store.
    pub deployment: DeploymentId,
    /// The secret that it was put for.
    pub secret: SecretId,
    /// The act of putting it.
    pub put: PutId,
}

/// A payload on its way into a store. A store may keep what is said of it
/// beside its bytes, for people and for its own rules.
#[derive(Debug, Clone, Copy)]
pub struct OutsidePayload<'a> {
    /// The project that owns the secret.
    pub project: &'a ProjectId,
    /// What the secret is.
    pub secret_type: SecretType,
    /// The type of the bytes.
    pub content_type: ContentType,
    /// A free label such as `aes`.
    pub algorithm: Option<&'a Label>,
    /// A label for the size of the key; not compared with the bytes.
    pub bit_length: Option<BitLength>,
    /// The bytes: none, or as many as the configured limit.
    pub bytes: &'a SecretBytes,
}

/// Where a store keeps a payload: bytes that the store alone understands. Not
/// secret by itself, and not to be believed unless it was kept sealed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator(Vec<u8>);

/// Not [`Locator::BYTES_MAX`] bytes or fewer, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a locator has 1 to {} bytes", Locator::BYTES_MAX)]
pub struct InvalidLocator;

/// A payload in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it is called.
    pub name: PayloadName,
    /// Where it is.
    pub locator: Locator,
}

/// A secret store failed.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<BoxError>,
}

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store does not answer, or not in time, or says that it cannot now;
    /// try again.
    Unavailable,
    /// The store does not want to: a permission, a size, an algorithm.
    Refused,
    /// There is no such payload.
    Missing,
    /// What is there is not what was put.
    Corrupt,
    /// Something that no input explains.
    Internal,
}

// === impl Locator ===

impl Locator {
    /// The most bytes that one has.
    pub const BYTES_MAX: usize = 1_024;

    /// Takes the bytes over.
    ///
    /// # Errors
    /// [`InvalidLocator`] for none or too many.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, InvalidLocator> {
        let bytes = bytes.into();
        if (1..=Self::BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(InvalidLocator)
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

// === impl StoreError ===

impl StoreError {
    /// An error without a deeper cause.
    #[must_use]
    pub fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error with its cause.
    #[must_use]
    pub fn with_source(kind: StoreErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl From<InvalidLocator> for StoreError {
    fn from(error: InvalidLocator) -> Self {
        Self::with_source(StoreErrorKind::Internal, error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the secret store does not answer",
            StoreErrorKind::Refused => "the secret store refuses",
            StoreErrorKind::Missing => "the secret store has no such payload",
            StoreErrorKind::Corrupt => "the secret store gives back what was not put",
            StoreErrorKind::Internal => "the secret store failed",
        })
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
