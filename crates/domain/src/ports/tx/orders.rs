//! Orders.

use crate::{Order, OrderId, OrderQuery, OrderState, Page, Timestamp, ports::RepositoryError};

/// Reads of orders.
pub trait OrderReads {
    /// An order.
    ///
    /// # Errors
    /// As storage fails.
    fn order(&mut self, id: OrderId) -> Result<Option<Order>, RepositoryError>;

    /// A part of the list of orders of a project, in the order in which they
    /// were added, whatever times they carry.
    ///
    /// # Errors
    /// As storage fails.
    fn list_orders(&mut self, query: &OrderQuery) -> Result<Page<Order>, RepositoryError>;

    /// Orders that are pending: up to `of_each` of each project, its oldest, and
    /// up to `limit` in all. The oldest of every project come first, then all
    /// second ones and so on, each in the order in which they were added. Both
    /// may be 0.
    ///
    /// # Errors
    /// As storage fails.
    fn pending_orders(&mut self, of_each: u32, limit: u32) -> Result<Vec<Order>, RepositoryError>;
}

/// Writes of orders.
pub trait OrderWrites {
    /// Adds an order, pending or ended. What it made need not be there, now or
    /// later.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Duplicate`] where the id is taken,
    /// by any project; [`crate::ports::RepositoryErrorKind::Internal`] where it
    /// has a passphrase and has ended, or the KEK of the passphrase is not
    /// stored yet, or destroyed; else as storage fails.
    fn insert_order(&mut self, order: &Order) -> Result<(), RepositoryError>;

    /// Ends a pending order, and removes its passphrase.
    ///
    /// # Errors
    /// [`crate::ports::RepositoryErrorKind::Internal`] where no order with this
    /// id is pending, or `state` is [`OrderState::Pending`]; else as storage
    /// fails.
    fn end_order(
        &mut self,
        id: OrderId,
        state: &OrderState,
        updated: Timestamp,
    ) -> Result<(), RepositoryError>;

    /// Removes an order, pending or not, and not what it made. `false` where
    /// there was none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_order(&mut self, id: OrderId) -> Result<bool, RepositoryError>;
}
