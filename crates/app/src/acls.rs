//! Access control lists of secrets.

use std::sync::Arc;

use donjon_domain::{Acl, AclChange, Actor, SecretId};

use crate::{Action, Error, core::Core};

/// Use cases on ACLs.
#[derive(Debug)]
pub struct Acls {
    core: Arc<Core>,
}

impl Acls {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The ACL of a secret, where one was written.
    ///
    /// # Errors
    /// [`crate::Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn fetch(&self, actor: &Actor, secret: SecretId) -> Result<Option<Acl>, Error> {
        Ok(self
            .core
            .authorize_secret(actor, Action::SecretAclsGet, secret)
            .await?
            .acl)
    }

    /// Replaces the ACL; `None` removes it.
    ///
    /// # Errors
    /// [`crate::Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn replace(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        change: Option<AclChange>,
    ) -> Result<(), Error> {
        self.core
            .write_secret(
                actor,
                Action::SecretAclsPutPatch,
                secret,
                move |tx, stored, now| {
                    match &change {
                        Some(change) => {
                            tx.put_secret_acl(
                                secret,
                                &Acl::replaced(stored.acl.as_ref(), change.clone(), now),
                            )?;
                        }
                        None => tx.delete_secret_acl(secret)?,
                    }
                    Ok(tx.touch_secret(secret, now)?)
                },
            )
            .await
    }

    /// Changes parts of the ACL; `None` changes nothing.
    ///
    /// # Errors
    /// [`crate::Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn patch(
        &self,
        actor: &Arc<Actor>,
        secret: SecretId,
        change: Option<AclChange>,
    ) -> Result<(), Error> {
        self.core
            .write_secret(
                actor,
                Action::SecretAclsPutPatch,
                secret,
                move |tx, stored, now| {
                    let Some(change) = &change else { return Ok(()) };
                    tx.put_secret_acl(
                        secret,
                        &Acl::patched(stored.acl.as_ref(), change.clone(), now),
                    )?;
                    Ok(tx.touch_secret(secret, now)?)
                },
            )
            .await
    }

    /// Removes the ACL; no error where there is none.
    ///
    /// # Errors
    /// [`crate::Missing::Secret`], [`Error::Denied`]; else as storage fails.
    pub async fn remove(&self, actor: &Arc<Actor>, secret: SecretId) -> Result<(), Error> {
        self.core
            .write_secret(actor, Action::SecretAclsDelete, secret, move |tx, _, _| {
                Ok(tx.delete_secret_acl(secret)?)
            })
            .await
    }
}
