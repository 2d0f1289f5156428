//! Quotas: how many of each resource a project may have. The operator
//! configures projects; a project sees what is in force for it.

use std::sync::Arc;

use donjon_domain::{
    Actor, Page, PageRequest, ProjectId, ProjectQuotas, Quotas, Resource, Timestamp,
    ports::{Counted, ReadTx, Reading, RepositoryError, RepositoryExt, Turn},
};

use crate::{Action, Error, Missing, Target, core::Core};

/// Use cases on quotas.
#[derive(Debug)]
pub struct QuotaUseCases {
    core: Arc<Core>,
}

impl QuotaUseCases {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// What is in force for the caller's project.
    ///
    /// # Errors
    /// [`Error::Denied`]; else as storage fails.
    pub async fn effective(&self, actor: &Actor) -> Result<Quotas, Error> {
        self.authorize(actor, Action::QuotasGet)?;
        let configured = self.configured(actor.project.clone()).await?;
        Ok(configured.unwrap_or_default().effective(&self.core.quotas))
    }

    /// A part of the list of all projects with a configuration.
    ///
    /// # Errors
    /// [`Error::Denied`]; else as storage fails.
    pub async fn list(
        &self,
        actor: &Actor,
        page: PageRequest<ProjectId>,
    ) -> Result<Page<(ProjectId, ProjectQuotas)>, Error> {
        self.authorize(actor, Action::ProjectQuotasGet)?;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::of(&actor.project)), move |tx| {
                tx.list_project_quotas(page.clone())
            })
            .await;
        Ok(found?)
    }

    /// What is configured for a project.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::ProjectQuotas`]; else as storage fails.
    pub async fn fetch(&self, actor: &Actor, project: ProjectId) -> Result<ProjectQuotas, Error> {
        self.authorize(actor, Action::ProjectQuotasGet)?;
        let configured = self.configured(project).await?;
        configured.ok_or(Error::NotFound(Missing::ProjectQuotas))
    }

    /// Configures a project, of which nothing need be known yet. What `changes`
    /// leaves open stays as it was.
    ///
    /// # Errors
    /// [`Error::Denied`]; else as storage fails.
    pub async fn change(
        &self,
        actor: &Actor,
        project: ProjectId,
        changes: ProjectQuotas,
    ) -> Result<(), Error> {
        self.authorize(actor, Action::ProjectQuotasPut)?;
        let written: Result<(), RepositoryError> = self
            .core
            .repository
            .write_with(move |tx| {
                let before = tx.project_quotas(&project)?.unwrap_or_default();
                let after = Resource::ALL
                    .into_iter()
                    .filter_map(|resource| Some((resource, changes.get(resource)?)))
                    .fold(before, |quotas, (resource, limit)| {
                        quotas.with(resource, Some(limit))
                    });
                tx.put_project_quotas(&project, &after)
            })
            .await;
        Ok(written?)
    }

    /// Removes the configuration of a project, for which the defaults hold then.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Missing::ProjectQuotas`]; else as storage fails.
    pub async fn remove(&self, actor: &Actor, project: ProjectId) -> Result<(), Error> {
        self.authorize(actor, Action::ProjectQuotasDelete)?;
        self.core
            .repository
            .write_with(move |tx| {
                if tx.delete_project_quotas(&project)? {
                    Ok(())
                } else {
                    Err(Error::NotFound(Missing::ProjectQuotas))
                }
            })
            .await
    }

    /// Checks that the caller's project may have one more secret now. Says
    /// nothing of later: what adds one checks again.
    ///
    /// # Errors
    /// [`Error::QuotaReached`]; else as storage fails.
    pub async fn admits_secret(&self, actor: &Actor) -> Result<(), Error> {
        let (project, defaults) = (actor.project.clone(), self.core.quotas);
        let now = self.core.clock.now();
        self.core
            .repository
            .read_with(Reading::Seek(Turn::of(&actor.project)), move |tx| {
                admit(tx, &defaults, &project, Counted::Secrets, now)
            })
            .await
    }

    fn authorize(&self, actor: &Actor, action: Action) -> Result<(), Error> {
        Ok(self.core.policy.check(actor, action, &Target::Project)?)
    }

    async fn configured(&self, project: ProjectId) -> Result<Option<ProjectQuotas>, Error> {
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.project_quotas(&project))
            .await;
        Ok(found?)
    }
}

/// Checks that the project may have one more. Holds for as long as the
/// transaction lasts, so what is added has to be added in the same one.
/// `defaults` hold where the project has no configuration of its own.
///
/// # Errors
/// [`Error::QuotaReached`]; else as storage fails.
pub(crate) fn admit(
    tx: &mut dyn ReadTx,
    defaults: &Quotas,
    project: &ProjectId,
    counted: Counted,
    now: Timestamp,
) -> Result<(), Error> {
    let resource = match counted {
        Counted::Secrets => Resource::Secrets,
        Counted::Orders => Resource::Orders,
        Counted::Containers => Resource::Containers,
        Counted::SecretConsumers | Counted::ContainerConsumers => Resource::Consumers,
    };
    let configured = tx.project_quotas(project)?.unwrap_or_default();
    let limit = configured.effective(defaults).get(resource);
    match u64::try_from(limit) {
        Ok(most) if tx.has_at_least(project, counted, most, now)? => {
            Err(Error::QuotaReached { resource, limit })
        }
        // There is room, or no limit.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
