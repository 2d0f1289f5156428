//! Payloads in stores outside of the database: what was begun there, what is
//! there, and what has to go.
//!
//! A put is written down before it is made, and settled in the transaction that
//! stores the secret. What was put and is not any secret's is doomed: whatever
//! removes a secret, or its payload from a store, dooms it in the same
//! transaction. So at every moment a payload in a store is that of a row, or of
//! a put that is under way, or doomed.

use crate::{
    Outside, PutId, SecretId, SecretStoreId, StoredPayload, Timestamp, ports::RepositoryError,
};

/// A put that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutIntent {
    /// What, and where.
    pub outside: Outside,
    /// For which secret, which need not be there.
    pub secret: SecretId,
    /// When.
    pub begun: Timestamp,
}

/// A payload that has to go from its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doomed {
    /// What, and where.
    pub outside: Outside,
    /// For which secret it was put.
    pub secret: SecretId,
    /// When its put was begun, where nobody knows how that ended: it may still
    /// arrive.
    pub begun: Option<Timestamp>,
    /// How often its removal failed.
    pub attempts: u32,
}

/// How much of a store is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutsideCount {
    /// Secrets whose payload is there.
    pub secrets: u64,
    /// Puts under way, and what is doomed.
    pub outbox: u64,
}

/// Reads of what is outside.
pub trait OutsideReads {
    /// Up to `limit` doomed payloads of a store that are due at `now`, those
    /// that were due first before the others. One that a secret names is none
    /// of them, whatever the row of its doom says.
    ///
    /// # Errors
    /// As storage fails.
    fn doomed(
        &mut self,
        store: SecretStoreId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Doomed>, RepositoryError>;

    /// How much of a store is in use; zero for one that is not known. Walks all
    /// of it.
    ///
    /// # Errors
    /// As storage fails.
    fn count_outside(&mut self, store: SecretStoreId) -> Result<OutsideCount, RepositoryError>;

    /// Whether a payload that was put for `secret` is a secret's, or its put is
    /// under way or doomed; in whatever store, for one place may be configured
    /// as two. Looks at the row of the secret too, so that what is missing in an
    /// index over puts is known still.
    ///
    /// # Errors
    /// As storage fails.
    fn is_known_outside(&mut self, secret: SecretId, put: PutId) -> Result<bool, RepositoryError>;

    /// Up to `limit` secrets whose payload is in a store, or in the database
    /// for `None`, behind `after`; where that is gone, from the start. Their
    /// order stays the same as long as they are there. None at all mean that
    /// there are none behind it. May walk all secrets.
    ///
    /// # Errors
    /// As storage fails.
    fn payloads_in(
        &mut self,
        store: Option<SecretStoreId>,
        after: Option<SecretId>,
        limit: u32,
    ) -> Result<Vec<SecretId>, RepositoryError>;

    /// How many payloads are in a store, or in the database for `None`. Walks
    /// all secrets.
    ///
    /// # Errors
    /// As storage fails.
    fn count_payloads_in(&mut self, store: Option<SecretStoreId>) -> Result<u64, RepositoryError>;
}

/// Writes of what is outside.
pub trait OutsideWrites {
    /// Writes down a put that is about to be made.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where there was one of
    /// this id; [`crate::ports::RepositoryErrorKind::Internal`] for an unknown
    /// store.
    fn begin_put(&mut self, intent: &PutIntent) -> Result<(), RepositoryError>;

    /// Forgets a put that is under way: its payload is a secret's from here on.
    /// `false` where it was not begun or is doomed, and then it must not become
    /// one.
    ///
    /// # Errors
    /// As storage fails.
    fn settle_put(&mut self, put: PutId) -> Result<bool, RepositoryError>;

    /// Dooms a put that is under way; `false` where none is. It is due at once.
    ///
    /// # Errors
    /// As storage fails.
    fn doom_put(&mut self, put: PutId) -> Result<bool, RepositoryError>;

    /// Dooms all puts that were begun at `until` or before and are not settled.
    /// Says how many. They are due at once.
    ///
    /// # Errors
    /// As storage fails.
    fn doom_puts(&mut self, until: Timestamp) -> Result<u64, RepositoryError>;

    /// Notes a failure to remove something doomed, which is due again at `due`.
    /// `false` where it is not doomed.
    ///
    /// # Errors
    /// As storage fails.
    fn postpone_doomed(&mut self, put: PutId, due: Timestamp) -> Result<bool, RepositoryError>;

    /// Forgets something doomed: it is gone from its store. `false` where it is
    /// not doomed.
    ///
    /// # Errors
    /// As storage fails.
    fn forget_doomed(&mut self, put: PutId) -> Result<bool, RepositoryError>;

    /// Exchanges where the payload of a secret is kept, if it is still there and
    /// as `old` says to the last byte; what it had in a store is doomed. `false`
    /// where it is not. Nothing else of the secret changes. The put of `new` has
    /// to be settled beside.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Internal`] where the KEK of `new` is
    /// not stored or destroyed, or its store not known; else as storage fails.
    fn move_payload(
        &mut self,
        id: SecretId,
        old: &StoredPayload,
        new: &StoredPayload,
    ) -> Result<bool, RepositoryError>;
}
