//! Quotas: how much a project may have of each resource.

/// The resources that are counted, in the order of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Secrets that are not expired.
    Secrets,
    /// Orders.
    Orders,
    /// Containers.
    Containers,
    /// Consumers, of secrets and of containers, each kind by itself.
    Consumers,
    /// Certificate authorities, which no longer exist; kept for clients.
    Cas,
}

/// What is configured for one project; `None` leaves it to the server's
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProjectQuotas([Option<i64>; 5]);

/// What is in force for a project. Negative is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas([i64; 5]);

impl Resource {
    /// All of them, in the order of the API.
    pub const ALL: [Self; 5] = [
        Self::Secrets,
        Self::Orders,
        Self::Containers,
        Self::Consumers,
        Self::Cas,
    ];

    /// The key in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Orders => "orders",
            Self::Containers => "containers",
            Self::Consumers => "consumers",
            Self::Cas => "cas",
        }
    }
}

impl ProjectQuotas {
    /// What is configured for a resource.
    #[must_use]
    pub fn get(&self, resource: Resource) -> Option<i64> {
        self.0
            .into_iter()
            .zip(Resource::ALL)
            .find_map(|(value, own)| value.filter(|_| own == resource))
    }

    /// The same with one value replaced.
    #[must_use]
    pub fn with(mut self, resource: Resource, value: Option<i64>) -> Self {
        self.0
            .iter_mut()
            .zip(Resource::ALL)
            .filter(|(_, own)| *own == resource)
            .for_each(|(slot, _)| *slot = value);
        self
    }

    /// These, with the gaps filled from `defaults`.
    #[must_use]
    pub fn effective(&self, defaults: &Quotas) -> Quotas {
        let mut filled = *defaults;
        filled
            .0
            .iter_mut()
            .zip(self.0)
            .for_each(|(slot, value)| *slot = value.unwrap_or(*slot));
        filled
    }
}

impl Quotas {
    /// No limits.
    pub const UNLIMITED: Self = Self([-1; 5]);

    /// The same with one value replaced.
    #[must_use]
    pub fn with(mut self, resource: Resource, value: i64) -> Self {
        self.0
            .iter_mut()
            .zip(Resource::ALL)
            .filter(|(_, own)| *own == resource)
            .for_each(|(slot, _)| *slot = value);
        self
    }

    /// The limit of a resource; negative is none.
    #[must_use]
    pub fn get(&self, resource: Resource) -> i64 {
        self.0
            .into_iter()
            .zip(Resource::ALL)
            .find_map(|(value, own)| (own == resource).then_some(value))
            .unwrap_or(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_configured_takes_the_default() {
        let defaults = Quotas::UNLIMITED.with(Resource::Orders, 9);
        let configured = ProjectQuotas::default().with(Resource::Secrets, Some(2));
        let effective = configured.effective(&defaults);
        assert_eq!(
            Resource::ALL.map(|resource| effective.get(resource)),
            [2, 9, -1, -1, -1]
        );
        assert_eq!(configured.get(Resource::Secrets), Some(2));
        assert_eq!(configured.get(Resource::Orders), None);
    }
}
