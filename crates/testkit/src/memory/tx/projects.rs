//! Projects as owners, and removing what one leaves behind.

use std::{collections::BTreeSet, num::NonZeroU32};

use donjon_domain::{
    KekScope, KekState, ProjectId, RootKeyId, Timestamp,
    ports::{
        Holdings, OwningProject, ProjectReads, ProjectWrites, Registration, Removal, RemovalCause,
        RepositoryError, Standing,
    },
};

use super::{State, Tx};
use crate::memory::list::to_u64;

impl ProjectReads for Tx {
    fn owning_projects(
        &mut self,
        after: Option<&ProjectId>,
        limit: u32,
    ) -> Result<Vec<OwningProject>, RepositoryError> {
        let owning = all(&self.state).into_iter().filter(|project| {
            let is_behind = after.is_none_or(|after| project > after);
            is_behind && !everything(&self.state, project).is_empty()
        });
        let found = owning.take(limit as usize).map(|project| OwningProject {
            standing: standing(&self.state, &project),
            project,
        });
        Ok(found.collect())
    }

    fn standing(&mut self, project: &ProjectId) -> Result<Standing, RepositoryError> {
        Ok(standing(&self.state, project))
    }

    fn holdings(
        &mut self,
        project: &ProjectId,
        now: Timestamp,
    ) -> Result<Holdings, RepositoryError> {
        let mut holdings = everything(&self.state, project);
        let own = |registration: &Registration| match registration {
            Registration::Secret(id, _) => {
                let row = self.state.secrets.get(id);
                row.is_some_and(|row| row.secret.project == *project)
            }
            Registration::Container(id, _) => {
                let row = self.state.containers.get(id);
                row.is_some_and(|row| row.container.project == *project)
            }
        };
        let all = registrations(&self.state, project);
        holdings.consumers = all.iter().filter(|registration| !own(registration)).count() as u64;
        holdings.has_token = has_token(&self.state, project, now);
        Ok(holdings)
    }

    fn registrations_of(
        &mut self,
        project: &ProjectId,
        limit: u32,
    ) -> Result<Vec<Registration>, RepositoryError> {
        let mut all = registrations(&self.state, project);
        all.truncate(limit as usize);
        Ok(all)
    }
}

impl ProjectWrites for Tx {
    fn confirm_project(&mut self, project: &ProjectId) -> Result<(), RepositoryError> {
        let known = &mut self.adding()?.known_projects;
        known.insert(project.clone(), None);
        Ok(())
    }

    fn miss_project(
        &mut self,
        project: &ProjectId,
        since: Timestamp,
    ) -> Result<bool, RepositoryError> {
        match self.state.known_projects.get_mut(project) {
            Some(missed @ None) => {
                *missed = Some(since);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn remove_from_project(
        &mut self,
        project: &ProjectId,
        cause: RemovalCause,
        now: Timestamp,
        limit: NonZeroU32,
    ) -> Result<Removal, RepositoryError> {
        if let RemovalCause::Missed(since) = cause
            && (standing(&self.state, project) != Standing::Missed(since)
                || has_token(&self.state, project, now))
        {
            return Ok(Removal::Spared);
        }
        let state = self.state_mut();
        let removed = remove_some(state, project, limit.get() as usize);
        if removed > 0 {
            return Ok(Removal::Removed(removed as u64));
        }
        if !registrations(state, project).is_empty() {
            return Ok(Removal::Registered);
        }
        for kek in &mut state.keks {
            if kek.scope == KekScope::Project(project.clone()) {
                kek.state = KekState::Destroyed;
                kek.root = RootKeyId::from_bytes([0; 16]);
                kek.wrapped.clear();
            }
        }
        state.known_projects.remove(project);
        Ok(Removal::Done)
    }
}

fn remove_some(state: &mut State, project: &ProjectId, limit: usize) -> usize {
    let mut removed = 0;
    if state.quotas.remove(project) {
        removed += 1;
    }
    if removed < limit && state.preferred_stores.remove(project).is_some() {
        removed += 1;
    }
    let containers = state.containers.rows().map(|row| &row.container);
    let containers = containers.filter(|container| container.project == *project);
    let containers: Vec<_> = containers.map(|container| container.id).collect();
    for id in containers.into_iter().take(limit - removed) {
        removed += usize::from(state.containers.remove(&id));
    }
    let orders = state.orders.rows();
    let orders = orders.filter(|order| order.project == *project);
    let orders: Vec<_> = orders.map(|order| order.id).collect();
    for id in orders.into_iter().take(limit - removed) {
        removed += usize::from(state.orders.remove(&id));
    }
    let secrets = state.secrets.rows().map(|row| &row.secret);
    let secrets = secrets.filter(|secret| secret.project == *project);
    let secrets: Vec<_> = secrets.map(|secret| secret.id).collect();
    for id in secrets.into_iter().take(limit - removed) {
        removed += usize::from(state.remove_secret(id));
    }
    removed
}

/// All that is known of, by id.
fn all(state: &State) -> BTreeSet<ProjectId> {
    let mut all: BTreeSet<ProjectId> = BTreeSet::new();
    for row in state.secrets.rows() {
        all.insert(row.secret.project.clone());
        all.extend(row.consumers.iter().map(|stored| stored.project.clone()));
    }
    for row in state.containers.rows() {
        all.insert(row.container.project.clone());
        all.extend(row.consumers.iter().map(|stored| stored.project.clone()));
    }
    all.extend(state.orders.rows().map(|order| order.project.clone()));
    all.extend(state.quotas.rows().map(|(project, _)| project.clone()));
    all.extend(state.preferred_stores.keys().cloned());
    all.extend(state.keks.iter().filter_map(|kek| match &kek.scope {
        KekScope::Project(project) => Some(project.clone()),
        KekScope::Server(_) => None,
    }));
    all
}

/// What a project owns, with all of its registrations.
fn everything(state: &State, project: &ProjectId) -> Holdings {
    let secrets = state.secrets.rows();
    let containers = state.containers.rows();
    let orders = state.orders.rows();
    let keks = state.keks.iter().filter(|kek| {
        kek.scope == KekScope::Project(project.clone()) && kek.state != KekState::Destroyed
    });
    let settings = u64::from(state.quotas.get(project).is_some())
        + u64::from(state.preferred_stores.contains_key(project));
    Holdings {
        secrets: secrets.filter(|row| row.secret.project == *project).count() as u64,
        containers: containers
            .filter(|row| row.container.project == *project)
            .count() as u64,
        orders: orders.filter(|order| order.project == *project).count() as u64,
        consumers: to_u64(registrations(state, project).len()),
        keks: keks.count() as u64,
        settings,
        has_token: false,
    }
}

fn registrations(state: &State, project: &ProjectId) -> Vec<Registration> {
    let secrets = state.secrets.rows().flat_map(|row| {
        let own = row
            .consumers
            .iter()
            .filter(|stored| stored.project == *project);
        own.map(|stored| Registration::Secret(row.secret.id, stored.consumer.clone()))
    });
    let containers = state.containers.rows().flat_map(|row| {
        let own = row
            .consumers
            .iter()
            .filter(|stored| stored.project == *project);
        own.map(|stored| Registration::Container(row.container.id, stored.consumer.clone()))
    });
    secrets.chain(containers).collect()
}

fn standing(state: &State, project: &ProjectId) -> Standing {
    match state.known_projects.get(project) {
        None => Standing::Unconfirmed,
        Some(None) => Standing::Confirmed,
        Some(Some(since)) => Standing::Missed(*since),
    }
}

fn has_token(state: &State, project: &ProjectId, now: Timestamp) -> bool {
    let mut tokens = state.tokens.iter();
    tokens.any(|token| token.project == *project && token.expires.is_none_or(|at| at > now))
}
