//! A secret as an entity.

use std::num::NonZeroU32;

use donjon_domain::{
    Acl, Actor, Page, PageRequest, ProjectId, SecretConsumer, SecretId, StoredConsumer,
    StoredSecret, Timestamp,
    ports::{Counted, ReadTx, RepositoryError, WriteTx},
};

use super::{Entity, EntityRules};
use crate::{Action, Missing, SecretView, Target};

impl Entity for SecretId {
    type Stored = StoredSecret;
    type Consumer = SecretConsumer;
    type View = SecretView;

    const RULES: EntityRules = EntityRules {
        acl_get: Action::SecretAclsGet,
        acl_put_patch: Action::SecretAclsPutPatch,
        acl_delete: Action::SecretAclsDelete,
        consumers_get: Action::SecretConsumersGet,
        consumers_post: Action::SecretConsumersPost,
        consumers_delete: Action::SecretConsumersDelete,
    };
    const CONSUMERS: Counted = Counted::SecretConsumers;
    const MISSING: Missing = Missing::Secret;

    /// Expired secrets are as good as gone.
    fn live(
        self,
        tx: &mut dyn ReadTx,
        now: Timestamp,
    ) -> Result<Option<StoredSecret>, RepositoryError> {
        let found = tx.secret(self)?;
        Ok(found.filter(|stored| !stored.secret.is_expired(now)))
    }

    fn target<'a>(stored: &'a StoredSecret, actor: &Actor) -> Target<'a> {
        Target::secret(stored, actor)
    }

    fn project(stored: &StoredSecret) -> &ProjectId {
        &stored.secret.project
    }

    fn acl(stored: StoredSecret) -> Option<Acl> {
        stored.acl
    }

    fn set_acl(self, tx: &mut dyn WriteTx, acl: Option<&Acl>) -> Result<(), RepositoryError> {
        match acl {
            Some(acl) => tx.put_secret_acl(self, acl),
            None => tx.delete_secret_acl(self),
        }
    }

    fn touch(
        self,
        tx: &mut dyn WriteTx,
        stored: &mut StoredSecret,
        now: Timestamp,
    ) -> Result<(), RepositoryError> {
        stored.secret.updated = now;
        tx.touch_secret(self, now)
    }

    fn view(
        self,
        tx: &mut dyn ReadTx,
        stored: StoredSecret,
    ) -> Result<SecretView, RepositoryError> {
        let consumers = self.consumers(tx)?;
        Ok(SecretView {
            secret: stored.secret,
            consumers: consumers.into_iter().map(|row| row.consumer).collect(),
        })
    }

    fn consumers(self, tx: &mut dyn ReadTx) -> Result<Vec<StoredConsumer>, RepositoryError> {
        tx.secret_consumers(self)
    }

    fn list_consumers(
        self,
        tx: &mut dyn ReadTx,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer>, RepositoryError> {
        tx.list_secret_consumers(self, page)
    }

    fn has_consumers(
        self,
        tx: &mut dyn ReadTx,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError> {
        tx.has_secret_consumers(self, at_least)
    }

    fn find_consumer(
        self,
        tx: &mut dyn ReadTx,
        consumer: &SecretConsumer,
    ) -> Result<Option<StoredConsumer>, RepositoryError> {
        tx.find_secret_consumer(self, consumer)
    }

    fn insert_consumer(
        self,
        tx: &mut dyn WriteTx,
        consumer: &StoredConsumer,
    ) -> Result<(), RepositoryError> {
        tx.insert_secret_consumer(self, consumer)
    }

    fn delete_consumer(
        self,
        tx: &mut dyn WriteTx,
        consumer: &SecretConsumer,
    ) -> Result<bool, RepositoryError> {
        tx.delete_secret_consumer(self, consumer)
    }
}
