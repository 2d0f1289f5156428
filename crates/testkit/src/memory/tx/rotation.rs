//! Changing the keys of what is stored.

use std::collections::{BTreeMap, BTreeSet};

use donjon_domain::{
    Deployment, KekId, KekScope, KekState, ProjectId, RootKeyId, Sealed, SealedKind, Timestamp,
    WrappedKek,
    ports::{RepositoryError, RotationReads, RotationWrites, SealedObject, SealedRow},
};

use super::{State, Tx, check_kek};

impl RotationReads for Tx {
    fn root_keys(&mut self) -> Result<Vec<(RootKeyId, u64)>, RepositoryError> {
        let mut counts = BTreeMap::new();
        for kek in living(&self.state) {
            let (_, count) = counts.entry(*kek.root.as_bytes()).or_insert((kek.root, 0));
            *count += 1;
        }
        Ok(counts.into_values().collect())
    }

    fn keks_not_wrapped_by(
        &mut self,
        root: RootKeyId,
        limit: u32,
    ) -> Result<Vec<WrappedKek>, RepositoryError> {
        let others = living(&self.state).filter(|kek| kek.root != root);
        Ok(others.take(limit as usize).cloned().collect())
    }

    fn retired_keks(
        &mut self,
        after: Option<KekId>,
        limit: u32,
    ) -> Result<Vec<WrappedKek>, RepositoryError> {
        let is_behind = |kek: &&WrappedKek| {
            let after = after.as_ref().map(KekId::as_bytes);
            kek.state == KekState::Retired && Some(kek.id.as_bytes()) > after
        };
        let mut retired: Vec<_> = living(&self.state).filter(is_behind).cloned().collect();
        retired.sort_by_key(|kek| *kek.id.as_bytes());
        retired.truncate(limit as usize);
        Ok(retired)
    }

    fn projects_with_keks(
        &mut self,
        after: Option<&ProjectId>,
        limit: u32,
    ) -> Result<Vec<ProjectId>, RepositoryError> {
        let active = living(&self.state).filter(|kek| kek.state == KekState::Active);
        let names: BTreeSet<&str> = active
            .filter_map(|kek| match &kek.scope {
                KekScope::Project(project) => Some(project.as_str()),
                KekScope::Server(_) => None,
            })
            .collect();
        let behind = names
            .into_iter()
            .filter(|name| after.is_none_or(|after| *name > after.as_str()));
        Ok(behind.take(limit as usize).map(ProjectId::new).collect())
    }

    fn sealed_by(
        &mut self,
        kek: &WrappedKek,
        after: Option<SealedObject>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, RepositoryError> {
        let rows = sealed(&self.state, kek.id);
        let next = rows.iter().position(|row| Some(row.object) == after);
        let rows = rows.into_iter().skip(next.map_or(0, |at| at + 1));
        Ok(rows.take(limit as usize).collect())
    }

    fn worn_keks(
        &mut self,
        made_before: Timestamp,
        rows_above: u64,
        limit: u32,
    ) -> Result<Vec<(WrappedKek, u64)>, RepositoryError> {
        let active = living(&self.state).filter(|kek| {
            kek.state == KekState::Active && matches!(kek.scope, KekScope::Project(_))
        });
        let counted = active.map(|kek| (kek.clone(), sealed(&self.state, kek.id).len() as u64));
        let mut worn: Vec<_> = counted
            .filter(|(kek, rows)| kek.created < made_before || *rows > rows_above)
            .collect();
        worn.sort_by_key(|(kek, _)| *kek.id.as_bytes());
        worn.truncate(limit as usize);
        Ok(worn)
    }

    fn count_sealed_by(&mut self, kek: &WrappedKek) -> Result<u64, RepositoryError> {
        Ok(sealed(&self.state, kek.id).len() as u64)
    }
}

impl RotationWrites for Tx {
    fn rewrap_kek(&mut self, old: &WrappedKek, new: &WrappedKek) -> Result<bool, RepositoryError> {
        let is_it = |kek: &&mut WrappedKek| {
            kek.id == old.id && kek.root == old.root && kek.wrapped == old.wrapped
        };
        Ok(self.state.keks.iter_mut().find(is_it).is_some_and(|kek| {
            kek.root = new.root;
            kek.wrapped.clone_from(&new.wrapped);
            true
        }))
    }

    fn rewrap_deployment(
        &mut self,
        old: RootKeyId,
        new: &Deployment,
    ) -> Result<bool, RepositoryError> {
        let deployment = self.state.deployment.as_mut();
        let deployment =
            deployment.filter(|deployment| deployment.root == old && deployment.id == new.id);
        Ok(deployment.is_some_and(|deployment| {
            deployment.root = new.root;
            deployment.canary.clone_from(&new.canary);
            deployment.created = new.created;
            true
        }))
    }

    fn retire_kek(&mut self, id: KekId) -> Result<bool, RepositoryError> {
        let mut keks = self.state.keks.iter_mut();
        let active = keks.find(|kek| kek.id == id && kek.state == KekState::Active);
        Ok(active.is_some_and(|kek| {
            kek.state = KekState::Retired;
            true
        }))
    }

    fn reseal(
        &mut self,
        object: SealedObject,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, RepositoryError> {
        let state = self.adding()?;
        let found = match object {
            SealedObject::Secret(id) => {
                let row = state.secrets.get(&id);
                row.and_then(|row| row.payload.as_ref().map(|payload| &payload.sealed))
            }
            SealedObject::Order(id) => {
                let order = state.orders.get(&id);
                order.and_then(|order| order.passphrase.as_ref())
            }
        };
        if found != Some(old) {
            return Ok(false);
        }
        check_kek(state, Some(new))?;
        let place = match object {
            SealedObject::Secret(id) => {
                let row = state.secrets.get_mut(&id);
                row.and_then(|row| row.payload.as_mut().map(|payload| &mut payload.sealed))
            }
            SealedObject::Order(id) => {
                let order = state.orders.get_mut(&id);
                order.and_then(|order| order.passphrase.as_mut())
            }
        };
        Ok(place.is_some_and(|place| {
            *place = new.clone();
            true
        }))
    }

    fn destroy_kek(&mut self, id: KekId) -> Result<bool, RepositoryError> {
        if !sealed(&self.state, id).is_empty() {
            return Ok(false);
        }
        let mut keks = self.state.keks.iter_mut();
        let retired = keks.find(|kek| kek.id == id && kek.state == KekState::Retired);
        Ok(retired.is_some_and(|kek| {
            kek.state = KekState::Destroyed;
            kek.root = RootKeyId::from_bytes([0; 16]);
            kek.wrapped.clear();
            true
        }))
    }
}

fn living(state: &State) -> impl Iterator<Item = &WrappedKek> {
    let keks = state.keks.iter();
    keks.filter(|kek| kek.state != KekState::Destroyed)
}

fn sealed(state: &State, kek: KekId) -> Vec<SealedRow> {
    let secrets = state.secrets.rows().filter_map(|row| {
        let object = SealedObject::Secret(row.secret.id);
        let payload = row.payload.clone()?;
        let kind = match payload.outside {
            Some(_) => SealedKind::Locator,
            None => SealedKind::Payload,
        };
        Some(SealedRow {
            object,
            kind,
            sealed: payload.sealed,
        })
    });
    let orders = state.orders.rows().filter_map(|order| {
        let object = SealedObject::Order(order.id);
        Some(SealedRow {
            object,
            kind: SealedKind::Passphrase,
            sealed: order.passphrase.clone()?,
        })
    });
    let rows = secrets.chain(orders);
    rows.filter(|row| row.sealed.kek == kek).collect()
}
