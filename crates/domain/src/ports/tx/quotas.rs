//! Quotas, and the counts that they limit.

use crate::{Page, PageRequest, ProjectId, ProjectQuotas, Timestamp, ports::RepositoryError};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Secrets that are not expired.
    Secrets,
    /// Orders, ended ones too.
    Orders,
    /// Containers.
    Containers,
    /// Consumers of secrets, expired ones too, that the project registered,
    /// whoever owns the secret. They leave with it.
    SecretConsumers,
    /// Consumers of containers that the project registered, whoever owns the
    /// container. They leave with it.
    ContainerConsumers,
}

/// Reads of quotas.
pub trait QuotaReads {
    /// What is configured for a project.
    ///
    /// # Errors
    /// As storage fails.
    fn project_quotas(
        &mut self,
        project: &ProjectId,
    ) -> Result<Option<ProjectQuotas>, RepositoryError>;

    /// A part of the list of all projects with a configuration, in the order in
    /// which they got one; a change keeps the place. No secret's id marks a
    /// place among them.
    ///
    /// # Errors
    /// As storage fails.
    fn list_project_quotas(
        &mut self,
        page: PageRequest<ProjectId>,
    ) -> Result<Page<(ProjectId, ProjectQuotas)>, RepositoryError>;

    /// How many the project has, with what this transaction wrote. `now`
    /// matters to secrets alone. Kept, not scanned, but for secrets that expired
    /// lately, which are subtracted.
    ///
    /// # Errors
    /// As storage fails.
    fn count(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        now: Timestamp,
    ) -> Result<u64, RepositoryError>;

    /// Whether the project has at least `number`, as [`QuotaReads::count`] counts.
    /// Costs what has to be subtracted to tell: nothing where `number` is not
    /// reached before.
    ///
    /// # Errors
    /// As storage fails.
    fn has_at_least(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        number: u64,
        now: Timestamp,
    ) -> Result<bool, RepositoryError>;
}

/// Writes of quotas.
pub trait QuotaWrites {
    /// Sets the whole configuration of a project, which need not own anything.
    /// One that leaves everything to the defaults is one too.
    ///
    /// # Errors
    /// As storage fails.
    fn put_project_quotas(
        &mut self,
        project: &ProjectId,
        quotas: &ProjectQuotas,
    ) -> Result<(), RepositoryError>;

    /// Removes it; `false` where there was none.
    ///
    /// # Errors
    /// As storage fails.
    fn delete_project_quotas(&mut self, project: &ProjectId) -> Result<bool, RepositoryError>;
}
