//! Payloads outside of the database.

use donjon_domain::{
    Outside, PutId, SecretId, SecretStoreId, StoredPayload, Timestamp,
    ports::{Doomed, OutsideCount, OutsideReads, OutsideWrites, PutIntent, RepositoryError},
};

use super::{State, Tx, check_payload, duplicate, missing};
use crate::memory::state::OutboxRow;

impl OutsideReads for Tx {
    fn doomed(
        &mut self,
        store: SecretStoreId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Doomed>, RepositoryError> {
        let due = self.state.outbox.iter().filter_map(|(put, row)| {
            let due = row.due.filter(|due| *due <= now)?;
            let outside = Outside {
                store: row.store,
                put: *put,
            };
            let doomed = Doomed {
                outside,
                secret: row.secret,
                begun: row.begun,
                attempts: row.attempts,
            };
            (row.store == store && !is_a_secrets(&self.state, outside)).then_some((due, doomed))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|(due, _)| *due);
        let first = due.into_iter().take(limit as usize);
        Ok(first.map(|(_, doomed)| doomed).collect())
    }

    fn count_outside(&mut self, store: SecretStoreId) -> Result<OutsideCount, RepositoryError> {
        let outbox = self.state.outbox.values();
        Ok(OutsideCount {
            secrets: ids(&self.state, Some(store)).count() as u64,
            outbox: outbox.filter(|row| row.store == store).count() as u64,
        })
    }

    fn is_known_outside(&mut self, _secret: SecretId, put: PutId) -> Result<bool, RepositoryError> {
        let mut rows = self.state.secrets.rows();
        let of_secret = rows.any(|row| {
            let outside = row.payload.as_ref().and_then(|payload| payload.outside);
            outside.is_some_and(|outside| outside.put == put)
        });
        Ok(of_secret || self.state.outbox.contains_key(&put))
    }

    fn payloads_in(
        &mut self,
        store: Option<SecretStoreId>,
        after: Option<SecretId>,
        limit: u32,
    ) -> Result<Vec<SecretId>, RepositoryError> {
        // What it goes on behind may have moved to another store meanwhile.
        let mut is_behind = after.is_none_or(|after| self.state.secrets.get(&after).is_none());
        let mut found = Vec::new();
        for row in self.state.secrets.rows() {
            let id = row.secret.id;
            if is_behind && is_in(row.payload.as_ref(), store) {
                found.push(id);
            }
            is_behind |= Some(id) == after;
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    fn count_payloads_in(&mut self, store: Option<SecretStoreId>) -> Result<u64, RepositoryError> {
        Ok(ids(&self.state, store).count() as u64)
    }
}

impl OutsideWrites for Tx {
    fn begin_put(&mut self, intent: &PutIntent) -> Result<(), RepositoryError> {
        let state = self.adding()?;
        if state.secret_stores.get(&intent.outside.store).is_none() {
            return Err(missing("secret store"));
        }
        if state.outbox.contains_key(&intent.outside.put) {
            return Err(duplicate());
        }
        let row = OutboxRow {
            store: intent.outside.store,
            secret: intent.secret,
            begun: Some(intent.begun),
            due: None,
            attempts: 0,
        };
        state.outbox.insert(intent.outside.put, row);
        Ok(())
    }

    fn settle_put(&mut self, put: PutId) -> Result<bool, RepositoryError> {
        let row = self.state.outbox.get(&put);
        let is_under_way = row.is_some_and(|row| row.due.is_none());
        Ok(is_under_way && self.state.outbox.remove(&put).is_some())
    }

    fn doom_put(&mut self, put: PutId) -> Result<bool, RepositoryError> {
        let row = self.state.outbox.get_mut(&put);
        Ok(row.filter(|row| row.due.is_none()).is_some_and(|row| {
            row.due = row.begun;
            true
        }))
    }

    fn doom_puts(&mut self, until: Timestamp) -> Result<u64, RepositoryError> {
        let rows = self.state.outbox.values_mut();
        let is_begun = |row: &&mut OutboxRow| row.begun.is_some_and(|begun| begun <= until);
        let mut count = 0;
        for row in rows.filter(|row| row.due.is_none()).filter(is_begun) {
            row.due = row.begun;
            count += 1;
        }
        Ok(count)
    }

    fn postpone_doomed(&mut self, put: PutId, due: Timestamp) -> Result<bool, RepositoryError> {
        let row = self.state.outbox.get_mut(&put);
        Ok(row.filter(|row| row.due.is_some()).is_some_and(|row| {
            row.due = Some(due);
            row.attempts += 1;
            true
        }))
    }

    fn forget_doomed(&mut self, put: PutId) -> Result<bool, RepositoryError> {
        let row = self.state.outbox.get(&put);
        let is_doomed = row.is_some_and(|row| row.due.is_some());
        Ok(is_doomed && self.state.outbox.remove(&put).is_some())
    }

    fn move_payload(
        &mut self,
        id: SecretId,
        old: &StoredPayload,
        new: &StoredPayload,
    ) -> Result<bool, RepositoryError> {
        let state = self.adding()?;
        check_payload(state, Some(new))?;
        let row = state.secrets.get_mut(&id);
        let Some(row) = row.filter(|row| row.payload.as_ref() == Some(old)) else {
            return Ok(false);
        };
        row.payload = Some(new.clone());
        state.doom(id, old);
        Ok(true)
    }
}

fn is_a_secrets(state: &State, outside: Outside) -> bool {
    let mut payloads = state.secrets.rows().filter_map(|row| row.payload.as_ref());
    payloads.any(|payload| payload.outside == Some(outside))
}

fn ids(state: &State, store: Option<SecretStoreId>) -> impl Iterator<Item = SecretId> {
    let rows = state.secrets.rows();
    let found = rows.filter(move |row| is_in(row.payload.as_ref(), store));
    found.map(|row| row.secret.id)
}

fn is_in(payload: Option<&StoredPayload>, store: Option<SecretStoreId>) -> bool {
    payload.is_some_and(|payload| payload.outside.map(|outside| outside.store) == store)
}
