//! Quotas: how many of each resource a project may have.

use donjon_domain::{
    ProjectId, QuotaReached, Quotas, Resource, Timestamp,
    ports::{Counted, WriteTx},
};

use crate::Error;

/// Checks, inside the transaction that adds it, that the project may have one
/// more. `defaults` hold where the project has no configuration of its own.
///
/// # Errors
/// [`Error::QuotaReached`]; else as storage fails.
pub(crate) fn admit(
    tx: &mut dyn WriteTx,
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
    let quotas = configured.effective(defaults);
    if quotas.get(resource) < 0 {
        return Ok(());
    }
    let count = tx.count(project, counted, now)?;
    quotas
        .admit(resource, count)
        .map_err(|QuotaReached { limit }| Error::QuotaReached { resource, limit })
}
