//! A container as an entity.

use std::num::NonZeroU32;

use donjon_domain::{
    Acl, Actor, ContainerConsumer, ContainerId, Page, PageRequest, ProjectId, StoredConsumer,
    StoredContainer, Timestamp,
    ports::{Counted, ReadTx, RepositoryError, WriteTx},
};

use super::{Entity, EntityRules};
use crate::{Action, ContainerView, Missing, Target};

impl Entity for ContainerId {
    type Stored = StoredContainer;
    type Consumer = ContainerConsumer;
    type View = ContainerView;

    const RULES: EntityRules = EntityRules {
        acl_get: Action::ContainerAclsGet,
        acl_put_patch: Action::ContainerAclsPutPatch,
        acl_delete: Action::ContainerAclsDelete,
        consumers_get: Action::ContainerConsumersGet,
        consumers_post: Action::ContainerConsumersPost,
        consumers_delete: Action::ContainerConsumersDelete,
    };
    const CONSUMERS: Counted = Counted::ContainerConsumers;
    const MISSING: Missing = Missing::Container;

    fn live(
        self,
        tx: &mut dyn ReadTx,
        _now: Timestamp,
    ) -> Result<Option<StoredContainer>, RepositoryError> {
        tx.container(self)
    }

    fn target<'a>(stored: &'a StoredContainer, actor: &Actor) -> Target<'a> {
        Target::container(stored, actor)
    }

    fn project(stored: &StoredContainer) -> &ProjectId {
        &stored.container.project
    }

    fn acl(stored: StoredContainer) -> Option<Acl> {
        stored.acl
    }

    fn set_acl(self, tx: &mut dyn WriteTx, acl: Option<&Acl>) -> Result<(), RepositoryError> {
        match acl {
            Some(acl) => tx.put_container_acl(self, acl),
            None => tx.delete_container_acl(self),
        }
    }

    fn touch(
        self,
        tx: &mut dyn WriteTx,
        stored: &mut StoredContainer,
        now: Timestamp,
    ) -> Result<(), RepositoryError> {
        stored.container.updated = now;
        tx.touch_container(self, now)
    }

    fn view(
        self,
        tx: &mut dyn ReadTx,
        stored: StoredContainer,
    ) -> Result<ContainerView, RepositoryError> {
        ContainerView::read(tx, stored.container)
    }

    fn consumers(
        self,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<StoredConsumer<ContainerConsumer>>, RepositoryError> {
        tx.container_consumers(self)
    }

    fn list_consumers(
        self,
        tx: &mut dyn ReadTx,
        page: PageRequest,
    ) -> Result<Page<StoredConsumer<ContainerConsumer>>, RepositoryError> {
        tx.list_container_consumers(self, page)
    }

    fn has_consumers(
        self,
        tx: &mut dyn ReadTx,
        at_least: NonZeroU32,
    ) -> Result<bool, RepositoryError> {
        tx.has_container_consumers(self, at_least)
    }

    fn find_consumer(
        self,
        tx: &mut dyn ReadTx,
        consumer: &ContainerConsumer,
    ) -> Result<Option<StoredConsumer<ContainerConsumer>>, RepositoryError> {
        tx.find_container_consumer(self, consumer)
    }

    fn insert_consumer(
        self,
        tx: &mut dyn WriteTx,
        consumer: &StoredConsumer<ContainerConsumer>,
    ) -> Result<(), RepositoryError> {
        tx.insert_container_consumer(self, consumer)
    }

    fn delete_consumer(
        self,
        tx: &mut dyn WriteTx,
        consumer: &ContainerConsumer,
    ) -> Result<bool, RepositoryError> {
        tx.delete_container_consumer(self, consumer)
    }
}
