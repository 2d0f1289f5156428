//! What kinds of routes there are, and which methods each has. A new kind does
//! not compile here until it says so.

use crate::route::Resource;

/// One of each kind.
pub(super) fn resources() -> Vec<Resource<'static>> {
    let x = || "x".into();
    vec![
        Resource::Version,
        Resource::Secrets,
        Resource::Secret(x()),
        Resource::Payload(x()),
        Resource::Metadata(x()),
        Resource::Metadatum(x(), x()),
        Resource::Acl(x()),
        Resource::Consumers(x()),
        Resource::Consumer(x(), x()),
        Resource::Quotas,
        Resource::ProjectQuotas,
        Resource::ProjectQuota(x()),
        Resource::SecretStores,
        Resource::GlobalDefaultStore,
        Resource::PreferredStore,
        Resource::SecretStore(x()),
        Resource::StorePreference(x()),
        Resource::BelowSecretStore(x()),
        Resource::TransportKeys,
        Resource::TransportKey(x()),
        Resource::BelowSecret(x()),
        Resource::Orders,
        Resource::Order(x()),
        Resource::BelowOrder(x()),
        Resource::Containers,
        Resource::Container(x()),
        Resource::ContainerSecrets(x()),
        Resource::ContainerAcl(x()),
        Resource::ContainerConsumers(x()),
        Resource::ContainerConsumer(x(), x()),
        Resource::BelowContainer(x()),
        Resource::Nothing { reserved: false },
    ]
}

/// The methods that are meant for it.
pub(super) fn methods(resource: &Resource<'_>) -> &'static [&'static str] {
    match resource {
        Resource::Version
        | Resource::Payload(_)
        | Resource::Consumer(..)
        | Resource::SecretStores
        | Resource::GlobalDefaultStore
        | Resource::PreferredStore
        | Resource::SecretStore(_)
        | Resource::BelowSecretStore(_)
        | Resource::Quotas
        | Resource::ProjectQuotas
        | Resource::BelowSecret(_)
        | Resource::BelowOrder(_)
        | Resource::ContainerConsumer(..)
        | Resource::BelowContainer(_)
        | Resource::Nothing { .. } => &["GET"],
        Resource::Orders => &["GET", "POST", "PUT"],
        Resource::Order(_) => &["GET", "DELETE"],
        Resource::Secrets | Resource::Containers | Resource::TransportKeys => &["GET", "POST"],
        Resource::Container(_) => &["GET", "DELETE"],
        Resource::ContainerSecrets(_) | Resource::StorePreference(_) => &["POST", "DELETE"],
        Resource::Secret(_) | Resource::ProjectQuota(_) => &["GET", "PUT", "DELETE"],
        Resource::Metadatum(..) => &["GET", "PUT", "POST", "DELETE"],
        Resource::TransportKey(_) => &["GET", "DELETE"],
        Resource::Metadata(_) => &["GET", "PUT", "POST"],
        Resource::Acl(_) | Resource::ContainerAcl(_) => &["GET", "PUT", "PATCH", "DELETE"],
        Resource::Consumers(_) | Resource::ContainerConsumers(_) => &["GET", "POST", "DELETE"],
    }
}
