//! Changing the keys of what is stored.
//!
//! How far a change got follows from the rows alone, so that it goes on after
//! any stop: a KEK waits while another root key than the current one wraps it,
//! and a sealed row while its KEK is retired. Every write names what it expects
//! to find, and says whether it did.

use crate::{
    Deployment, KekId, OrderId, ProjectId, RootKeyId, Sealed, SealedKind, SecretId, Timestamp,
    WrappedKek, ports::RepositoryError,
};

/// Something that has sealed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedObject {
    /// A secret: its payload, or where that is.
    Secret(SecretId),
    /// A pending order: its passphrase.
    Order(OrderId),
}

/// Sealed bytes, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Where.
    pub object: SealedObject,
    /// What of it.
    pub kind: SealedKind,
    /// The bytes.
    pub sealed: Sealed,
}

/// Reads for the change of keys.
pub trait RotationReads {
    /// How many KEKs each root key wraps; destroyed ones do not count. Walks
    /// all KEKs.
    ///
    /// # Errors
    /// As storage fails.
    fn root_keys(&mut self) -> Result<Vec<(RootKeyId, u64)>, RepositoryError>;

    /// Up to `limit` KEKs, not destroyed, that another root key than this one
    /// wraps. Walks all KEKs.
    ///
    /// # Errors
    /// As storage fails.
    fn keks_not_wrapped_by(
        &mut self,
        root: RootKeyId,
        limit: u32,
    ) -> Result<Vec<WrappedKek>, RepositoryError>;

    /// Up to `limit` KEKs that are retired, by id, behind `after`. Walks all
    /// KEKs.
    ///
    /// # Errors
    /// As storage fails.
    fn retired_keks(
        &mut self,
        after: Option<KekId>,
        limit: u32,
    ) -> Result<Vec<WrappedKek>, RepositoryError>;

    /// Up to `limit` projects that have an active KEK, by name, behind `after`.
    ///
    /// # Errors
    /// As storage fails.
    fn projects_with_keks(
        &mut self,
        after: Option<&ProjectId>,
        limit: u32,
    ) -> Result<Vec<ProjectId>, RepositoryError>;

    /// Up to `limit` (1 or more) rows of its project that a KEK seals: secrets,
    /// then orders, each in the order in which they were added, behind `after`;
    /// where that is gone, from the start. None at all mean that there are none
    /// behind it. Walks the project.
    ///
    /// # Errors
    /// As storage fails.
    fn sealed_by(
        &mut self,
        kek: &WrappedKek,
        after: Option<SealedObject>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, RepositoryError>;

    /// Up to `limit` active KEKs of projects, by id, that were made before
    /// `made_before` or seal more than `rows_above` rows; and how many they
    /// seal. Walks everything that is sealed.
    ///
    /// # Errors
    /// As storage fails.
    fn worn_keks(
        &mut self,
        made_before: Timestamp,
        rows_above: u64,
        limit: u32,
    ) -> Result<Vec<(WrappedKek, u64)>, RepositoryError>;

    /// How many rows of its project a KEK seals. Walks the project.
    ///
    /// # Errors
    /// As storage fails.
    fn count_sealed_by(&mut self, kek: &WrappedKek) -> Result<u64, RepositoryError>;
}

/// Writes for the change of keys.
pub trait RotationWrites {
    /// Puts a KEK wrapped by another root key in the place of the same KEK, if
    /// it is still stored as `old` says. `false` where it is not.
    ///
    /// # Errors
    /// As storage fails.
    fn rewrap_kek(&mut self, old: &WrappedKek, new: &WrappedKek) -> Result<bool, RepositoryError>;

    /// Exchanges root key, canary and time of the installation, if it still has
    /// this root key. `false` where it has not.
    ///
    /// # Errors
    /// As storage fails.
    fn rewrap_deployment(
        &mut self,
        old: RootKeyId,
        new: &Deployment,
    ) -> Result<bool, RepositoryError>;

    /// Makes an active KEK a retired one. `false` where none is active by this
    /// id.
    ///
    /// # Errors
    /// As storage fails.
    fn retire_kek(&mut self, id: KekId) -> Result<bool, RepositoryError>;

    /// Exchanges sealed bytes, if the row is there and they are still `old`.
    /// `false` where they are not. Nothing else of the row changes.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Internal`] where the KEK of `new` is
    /// not stored or destroyed; else as storage fails.
    fn reseal(
        &mut self,
        object: SealedObject,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, RepositoryError>;

    /// Removes the wrapped bytes of a retired KEK that seals nothing any more;
    /// from then on nothing can be stored under it. `false` where it is not
    /// retired, or still seals something. Walks its project.
    ///
    /// # Errors
    /// As storage fails.
    fn destroy_kek(&mut self, id: KekId) -> Result<bool, RepositoryError>;
}
