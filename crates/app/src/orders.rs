//! Orders: accept, carry out, list, fetch, delete.
//!
//! An order that takes long is stored first, then carried out by a job beside
//! the requests. The job ends the order and stores what it made in one
//! transaction that checks that the order still waits: a job that runs twice,
//! or anew after a crash, leaves one key. An order that is quick to carry out
//! is stored together with its key.

mod failure;
mod job;
mod made;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use donjon_domain::{
    Actor, KeySpec, Order, OrderId, OrderQuery, OrderState, OrderType, Page, SecretBytes,
    ports::{
        Counted, GenerationRequest, ReadTx, Reading, RepositoryError, RepositoryExt, Turn, WriteTx,
    },
};

use self::job::Jobs;
use crate::{Action, Denied, Error, Missing, Target, core::Core, quotas};

/// Use cases on orders.
#[derive(Debug)]
pub struct Orders {
    core: Arc<Core>,
    jobs: Arc<Jobs>,
}

/// An order to be given. The caller becomes the creator of what it makes, and
/// the caller's project its owner.
#[derive(Debug)]
pub struct NewOrder {
    /// What it makes.
    pub order_type: OrderType,
    /// What is shown of the request again, as in [`Order::meta`].
    pub meta: String,
    /// How to make it.
    pub spec: KeySpec,
    /// With what to encrypt the private key; not empty. Only for key pairs.
    pub passphrase: Option<SecretBytes>,
}

impl Orders {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let jobs = Arc::new(Jobs::new(Arc::clone(&core)));
        Self { core, jobs }
    }

    /// Checks that the caller may do this to the project as a whole.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn authorize_project(&self, actor: &Actor, action: Action) -> Result<(), Error> {
        Ok(self.core.policy.check(actor, action, &Target::Project)?)
    }

    /// Checks that the caller's project has the order.
    ///
    /// # Errors
    /// [`Missing::Order`]; else as storage fails.
    pub async fn exists(&self, actor: &Actor, id: OrderId) -> Result<(), Error> {
        self.find(actor, id).await.map(drop)
    }

    /// Accepts an order. Returns after it is durable and, unless that takes
    /// longer than requests may wait, carried out; whether it could be is
    /// told by its state.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::QuotaReached`]; else as sealing or storage
    /// fails, and then there is no order.
    pub async fn create(&self, actor: &Actor, new: NewOrder) -> Result<OrderId, Error> {
        self.authorize_project(actor, Action::OrdersPost)?;
        let NewOrder {
            order_type,
            meta,
            spec,
            passphrase,
        } = new;
        let now = self.core.clock.now();
        let order = Order {
            id: OrderId::from_uuid(self.core.entropy.uuid_v4()),
            project: actor.project.clone(),
            creator: actor.user.clone(),
            created: now,
            updated: now,
            order_type,
            meta,
            spec,
            passphrase: None,
            state: OrderState::Pending,
        };
        let takes_long = self
            .core
            .generator
            .blocks(request(&order, passphrase.as_ref()));
        let id = order.id;
        if takes_long {
            self.accept(order, passphrase).await?;
        } else {
            self.carry_out_at_once(order, passphrase.as_ref()).await?;
        }
        Ok(id)
    }

    /// Stores the order, then waits for its job.
    async fn accept(&self, order: Order, passphrase: Option<SecretBytes>) -> Result<(), Error> {
        let passphrase = match &passphrase {
            Some(plain) => {
                let sealed = self
                    .core
                    .sealing
                    .seal_passphrase(&order.project, order.id, plain);
                Some(sealed.await?)
            }
            None => None,
        };
        // Claimed first, so that nobody else starts the job and this request waits for it.
        let claim = self.jobs.claim(order.id, &order.project);
        self.insert(Order {
            passphrase,
            ..order
        })
        .await?;
        if let Some(done) = claim.and_then(|claim| self.jobs.start(claim)) {
            done.await;
        }
        Ok(())
    }

    async fn insert(&self, order: Order) -> Result<(), Error> {
        let defaults = self.core.quotas;
        self.core
            .repository
            .write_with(move |tx| {
                let counted = Counted::Orders;
                quotas::admit(tx, &defaults, &order.project, counted, order.created)?;
                Ok(tx.insert_order(&order)?)
            })
            .await
    }

    /// One transaction, so one wait for the disk.
    async fn carry_out_at_once(
        &self,
        order: Order,
        passphrase: Option<&SecretBytes>,
    ) -> Result<(), Error> {
        let made = made::make(&self.core, &order, passphrase).await?;
        let defaults = self.core.quotas;
        let order = Order {
            state: made.state.clone(),
            ..order
        };
        let puts = made.puts();
        let written = self
            .core
            .repository
            .write_with(move |tx| {
                let counted = Counted::Orders;
                quotas::admit(tx, &defaults, &order.project, counted, order.created)?;
                made.insert(tx)?;
                Ok::<_, Error>(tx.insert_order(&order)?)
            })
            .await;
        self.core.or_abandon(&puts, written).await
    }

    /// Starts the jobs of orders that wait and have none: after a start of the
    /// process, and of those for which there was no room. To be called now and
    /// then. Returns how many were started.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn resume(&self) -> Result<usize, Error> {
        self.jobs.resume().await
    }

    /// A part of the list of orders of the caller's project.
    ///
    /// # Errors
    /// [`Error::Denied`], also for another project; else as storage fails.
    pub async fn list(&self, actor: &Actor, query: OrderQuery) -> Result<Page<Order>, Error> {
        let action = Action::OrdersGet;
        self.authorize_project(actor, action)?;
        if query.project != actor.project {
            return Err(Denied::without_rule(action).into());
        }
        // A plain page costs a seek, a filter may visit all rows.
        let turn = Turn::of(&actor.project);
        let reading = if query.meta.is_none() {
            Reading::Seek(turn)
        } else {
            Reading::Scan(turn)
        };
        let listed: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(reading, move |tx| tx.list_orders(&query))
            .await;
        Ok(listed?)
    }

    /// An order of the caller's project.
    ///
    /// # Errors
    /// [`Missing::Order`], [`Error::Denied`]; else as storage fails.
    pub async fn fetch(&self, actor: &Actor, id: OrderId) -> Result<Order, Error> {
        let order = self.find(actor, id).await?;
        self.core
            .policy
            .check(actor, Action::OrderGet, &Target::order(&order))?;
        Ok(order)
    }

    /// Deletes an order, not what it made. One that still waits makes nothing
    /// any more.
    ///
    /// # Errors
    /// [`Missing::Order`], [`Error::Denied`]; else as storage fails.
    pub async fn delete(&self, actor: &Arc<Actor>, id: OrderId) -> Result<(), Error> {
        let (actor, policy) = (Arc::clone(actor), self.core.policy.clone());
        self.core
            .repository
            .write_with(move |tx: &mut dyn WriteTx| {
                let order = own_order(tx, &actor, id)?;
                policy.check(&actor, Action::OrderDelete, &Target::order(&order))?;
                tx.delete_order(id)?;
                Ok(())
            })
            .await
    }

    async fn find(&self, actor: &Actor, id: OrderId) -> Result<Order, Error> {
        let project = actor.project.clone();
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.order(id))
            .await;
        let own = found?.filter(|order| order.project == project);
        own.ok_or(Error::NotFound(Missing::Order))
    }
}

/// Orders of other projects are as good as not there.
fn own_order(tx: &mut dyn ReadTx, actor: &Actor, id: OrderId) -> Result<Order, Error> {
    let found = tx.order(id)?;
    let own = found.filter(|order| order.project == actor.project);
    own.ok_or(Error::NotFound(Missing::Order))
}

fn request<'a>(order: &'a Order, passphrase: Option<&'a SecretBytes>) -> GenerationRequest<'a> {
    match order.order_type {
        OrderType::Key => GenerationRequest::Symmetric(&order.spec),
        OrderType::Asymmetric => GenerationRequest::KeyPair(&order.spec, passphrase),
    }
}
