//! Quotas, and the counts that they limit.

use crate::{Page, PageRequest, ProjectId, ProjectQuotas, Timestamp, ports::RepositoryError};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Secrets that are not expired.
    Secrets,
    /// Orders.
    Orders,
    /// Containers.
    Containers,
    /// Consumers of secrets that the project registered.
    SecretConsumers,
    /// Consumers of containers that the project registered.
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
    /// which they got one.
    ///
    /// # Errors
    /// As storage fails.
    fn list_project_quotas(
        &mut self,
        page: PageRequest,
    ) -> Result<Page<(ProjectId, ProjectQuotas)>, RepositoryError>;

    /// How many the project has. Kept, not scanned.
    ///
    /// # Errors
    /// As storage fails.
    fn count(
        &mut self,
        project: &ProjectId,
        counted: Counted,
        now: Timestamp,
    ) -> Result<u64, RepositoryError>;
}

/// Writes of quotas.
pub trait QuotaWrites {
    /// Sets the whole configuration of a project.
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
