//! Quotas. Counts are made anew each time: here nobody waits for them.

use donjon_domain::{
    Page, PageRequest, ProjectId, ProjectQuotas, Start, Timestamp,
    ports::{Counted, QuotaReads, QuotaWrites, RepositoryError},
};

use super::Tx;
use crate::memory::{list, state::State};

impl QuotaReads for Tx {
    fn project_quotas(
        &mut self,
        project: &ProjectId,
    ) -> Result<Option<ProjectQuotas>, RepositoryError> {
        let row = self.state.quotas.get(project);
        Ok(row.map(|(_, quotas)| *quotas))
    }

    fn list_project_quotas(
        &mut self,
        page: PageRequest<ProjectId>,
    ) -> Result<Page<(ProjectId, ProjectQuotas)>, RepositoryError> {
        let whole: Vec<_> = self.state.quotas.rows().collect();
        let start = match &page.start {
            Start::Offset(offset) => Start::Offset(*offset),
            Start::After(project) => Start::After(project),
        };
        let limit = page.limit;
        let page = PageRequest { start, limit };
        Ok(list::cut(&whole, page, |(own, _), project| own == project))
    }

    fn count(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        now: Timestamp,
    ) -> Result<u64, RepositoryError> {
        let count = count(&self.state, project, counted, now);
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn has_at_least(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        number: u64,
        now: Timestamp,
    ) -> Result<bool, RepositoryError> {
        Ok(self.count(project, counted, now)? >= number)
    }
}

impl QuotaWrites for Tx {
    fn put_project_quotas(
        &mut self,
        project: &ProjectId,
        quotas: &ProjectQuotas,
    ) -> Result<(), RepositoryError> {
        let rows = &mut self.adding()?.quotas;
        if let Some((_, old)) = rows.get_mut(project) {
            *old = *quotas;
        } else {
            rows.insert(project.clone(), (project.clone(), *quotas));
        }
        Ok(())
    }

    fn delete_project_quotas(&mut self, project: &ProjectId) -> Result<bool, RepositoryError> {
        Ok(self.state.quotas.remove(project))
    }
}

fn count(state: &State, project: &ProjectId, counted: Counted, now: Timestamp) -> usize {
    match counted {
        Counted::Secrets => {
            let secrets = state.secrets.rows().map(|row| &row.secret);
            secrets
                .filter(|secret| secret.project == *project && !secret.is_expired(now))
                .count()
        }
        Counted::Orders => {
            let orders = state.orders.rows();
            orders.filter(|order| order.project == *project).count()
        }
        Counted::Containers => {
            let containers = state.containers.rows();
            containers
                .filter(|row| row.container.project == *project)
                .count()
        }
        Counted::SecretConsumers => {
            let consumers = state.secrets.rows().flat_map(|row| &row.consumers);
            consumers
                .filter(|stored| stored.project == *project)
                .count()
        }
        Counted::ContainerConsumers => {
            let consumers = state.containers.rows().flat_map(|row| &row.consumers);
            consumers
                .filter(|stored| stored.project == *project)
                .count()
        }
    }
}
