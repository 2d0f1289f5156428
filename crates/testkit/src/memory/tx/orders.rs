//! Orders.

use std::collections::HashMap;

use donjon_domain::{
    Order, OrderId, OrderQuery, OrderState, Page, ProjectId, Timestamp,
    ports::{OrderReads, OrderWrites, RepositoryError, RepositoryErrorKind},
};

use super::{Tx, check_kek, duplicate, missing};
use crate::memory::list;

impl OrderReads for Tx {
    fn order(&mut self, id: OrderId) -> Result<Option<Order>, RepositoryError> {
        Ok(self.state.orders.get(&id).cloned())
    }

    fn list_orders(&mut self, query: &OrderQuery) -> Result<Page<Order>, RepositoryError> {
        Ok(list::orders(&self.state, query))
    }

    fn pending_orders(&mut self, of_each: u32, limit: u32) -> Result<Vec<Order>, RepositoryError> {
        let orders = self.state.orders.rows();
        let pending = orders.filter(|order| order.state == OrderState::Pending);
        let mut seen: HashMap<&ProjectId, u32> = HashMap::new();
        let mut ranked = Vec::new();
        for order in pending {
            let before = seen.entry(&order.project).or_default();
            if *before < of_each {
                ranked.push((*before, order));
                *before += 1;
            }
        }
        // Stable: among equals they stay in the order in which they were added.
        ranked.sort_by_key(|(rank, _)| *rank);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let first = ranked.into_iter().take(limit);
        Ok(first.map(|(_, order)| order.clone()).collect())
    }
}

impl OrderWrites for Tx {
    fn insert_order(&mut self, order: &Order) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        check_kek(state, order.passphrase.as_ref())?;
        if order.passphrase.is_some() && order.state != OrderState::Pending {
            return Err(RepositoryError::with_source(
                RepositoryErrorKind::Internal,
                "an order that has ended needs no passphrase",
            ));
        }
        let added = state.orders.insert(order.id, order.clone());
        added.then_some(()).ok_or_else(duplicate)
    }

    fn end_order(
        &mut self,
        id: OrderId,
        state: &OrderState,
        updated: Timestamp,
    ) -> Result<(), RepositoryError> {
        if *state == OrderState::Pending {
            return Err(RepositoryError::with_source(
                RepositoryErrorKind::Internal,
                "an order does not end as pending",
            ));
        }
        let order = self.state.orders.get_mut(&id);
        let order = order
            .filter(|order| order.state == OrderState::Pending)
            .ok_or_else(|| missing("pending order"))?;
        order.state = state.clone();
        order.updated = updated;
        order.passphrase = None;
        Ok(())
    }

    fn delete_order(&mut self, id: OrderId) -> Result<bool, RepositoryError> {
        Ok(self.state.orders.remove(&id))
    }
}
