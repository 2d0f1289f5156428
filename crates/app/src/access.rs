//! Explains decisions to the operator.

use std::sync::Arc;

use donjon_domain::{
    Actor, ContainerId, Order, OrderId, SecretId, StoredContainer, StoredSecret,
    ports::{ReadTx, Reading, RepositoryError, RepositoryExt},
};
use donjon_oslo_policy::Explanation;

use crate::{Error, RuleInForce, Target, core::Core};

/// Use cases on the policy.
#[derive(Debug)]
pub struct Access {
    core: Arc<Core>,
}

/// How a decision comes about.
#[derive(Debug, Clone)]
pub struct Explained {
    /// What the rule was asked about, in words.
    pub target: String,
    /// The rule; `None` where there is none of that name.
    pub rule: Option<RuleInForce>,
    /// The decision and its reasons.
    pub explanation: Explanation,
}

enum Found {
    Secret(StoredSecret),
    Container(StoredContainer),
    Order(Order),
}

impl Access {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Decides by `rule` as a request of `actor` would be decided, and tells
    /// why. `id` holds the bytes of the UUID of a secret, a container or an
    /// order; without it the rule is asked about the project as a whole.
    /// Returns `None` where nothing has this id. Expired secrets are as good as
    /// gone.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn explain(
        &self,
        actor: &Actor,
        rule: &str,
        id: Option<[u8; 16]>,
    ) -> Result<Option<Explained>, Error> {
        let Some(id) = id else {
            return Ok(Some(self.explained(actor, rule, &Target::Project)));
        };
        let now = self.core.clock.now();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| find(tx, id))
            .await;
        Ok(match found? {
            Some(Found::Secret(stored)) if stored.secret.is_expired(now) => None,
            Some(Found::Secret(stored)) => {
                Some(self.explained(actor, rule, &Target::secret(&stored, actor)))
            }
            Some(Found::Container(stored)) => {
                Some(self.explained(actor, rule, &Target::container(&stored, actor)))
            }
            Some(Found::Order(order)) => Some(self.explained(actor, rule, &Target::order(&order))),
            None => None,
        })
    }

    fn explained(&self, actor: &Actor, rule: &str, target: &Target<'_>) -> Explained {
        Explained {
            target: target.to_string(),
            rule: self.core.policy.rule(rule),
            explanation: self.core.policy.explain(rule, actor, target),
        }
    }
}

fn find(tx: &mut dyn ReadTx, id: [u8; 16]) -> Result<Option<Found>, RepositoryError> {
    if let Some(stored) = tx.secret(SecretId::from_bytes(id))? {
        return Ok(Some(Found::Secret(stored)));
    }
    if let Some(stored) = tx.container(ContainerId::from_bytes(id))? {
        return Ok(Some(Found::Container(stored)));
    }
    Ok(tx.order(OrderId::from_bytes(id))?.map(Found::Order))
}

#[cfg(test)]
mod tests;
