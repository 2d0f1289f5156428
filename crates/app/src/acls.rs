//! Access control lists of secrets and containers.

use std::sync::Arc;

use donjon_domain::{Acl, AclChange, Actor};

use crate::{Entity, Error, core::Core};

/// Use cases on ACLs.
#[derive(Debug)]
pub struct Acls {
    core: Arc<Core>,
}

impl Acls {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The ACL, where one was written.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`]; else as storage fails.
    pub async fn fetch<E: Entity>(&self, actor: &Actor, id: E) -> Result<Option<Acl>, Error> {
        let stored = self.core.authorize(actor, E::RULES.acl_get, id).await?;
        Ok(E::acl(stored))
    }

    /// Replaces the ACL; `None` removes it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`]; else as storage fails.
    pub async fn replace<E: Entity>(
        &self,
        actor: &Arc<Actor>,
        id: E,
        change: Option<AclChange>,
    ) -> Result<(), Error> {
        self.core
            .write(
                actor,
                E::RULES.acl_put_patch,
                id,
                move |tx, mut stored, now| {
                    id.touch(tx, &mut stored, now)?;
                    let old = E::acl(stored);
                    let new = change
                        .clone()
                        .map(|change| Acl::replaced(old.as_ref(), change, now));
                    Ok(id.set_acl(tx, new.as_ref())?)
                },
            )
            .await
    }

    /// Changes parts of the ACL; `None` changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`]; else as storage fails.
    pub async fn patch<E: Entity>(
        &self,
        actor: &Arc<Actor>,
        id: E,
        change: Option<AclChange>,
    ) -> Result<(), Error> {
        self.core
            .write(
                actor,
                E::RULES.acl_put_patch,
                id,
                move |tx, mut stored, now| {
                    let Some(change) = &change else { return Ok(()) };
                    id.touch(tx, &mut stored, now)?;
                    let new = Acl::patched(E::acl(stored).as_ref(), change.clone(), now);
                    Ok(id.set_acl(tx, Some(&new))?)
                },
            )
            .await
    }

    /// Removes the ACL; no error where there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`]; else as storage fails.
    pub async fn remove<E: Entity>(&self, actor: &Arc<Actor>, id: E) -> Result<(), Error> {
        self.core
            .write(actor, E::RULES.acl_delete, id, move |tx, _, _| {
                Ok(id.set_acl(tx, None)?)
            })
            .await
    }
}
