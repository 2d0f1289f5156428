//! What an order makes: keys, sealed or put into a store, and the container around a pair.

use std::panic::{AssertUnwindSafe, catch_unwind};

use donjon_domain::{
    Container, ContainerEntry, ContainerId, ContainerType, ContentType, Label, Order, OrderFailure,
    OrderResult, OrderState, OrderType, PutId, Secret, SecretBytes, SecretType, Timestamp,
    ports::{Generated, GenerationError, GenerationErrorKind, KeyPair, WriteTx},
};

use super::{failure, request};
use crate::{Error, core::Core, outside::Placed};

/// How an order ends, and the rows that go with it.
pub(super) struct Made {
    pub(super) state: OrderState,
    secrets: Vec<(Secret, Placed)>,
    container: Option<(Container, Vec<ContainerEntry>)>,
}

/// Generates and seals. Blocks as the generator does. That nothing makes what
/// the order asks for is a result.
///
/// # Errors
/// What may be another time: a generator that does not answer; else as sealing
/// fails.
pub(super) async fn make(
    core: &Core,
    order: &Order,
    passphrase: Option<&SecretBytes>,
) -> Result<Made, Error> {
    let now = core.clock.now();
    if let Some(made) = make_outside(core, order, passphrase, now).await? {
        return Ok(made);
    }
    match generate(core, order, passphrase) {
        Ok(Generated::Symmetric(key)) => {
            let placed = place(core, order, SecretType::Symmetric, &key, now).await?;
            Ok(Made::symmetric(vec![placed]))
        }
        Ok(Generated::KeyPair(pair)) => pack(core, order, &pair, passphrase, now).await,
        Err(error) => match error.kind() {
            GenerationErrorKind::Unsupported => Ok(Made::failed(failure::unsupported(
                order.order_type,
                &order.spec,
            ))),
            GenerationErrorKind::Unavailable => Err(Error::Unavailable(error.into())),
            _ => {
                tracing::error!(
                    order = %order.id,
                    error = &error as &dyn std::error::Error,
                    "a key could not be made"
                );
                Ok(Made::failed(failure::internal()))
            }
        },
    }
}

/// A generator that panics has failed; carried out again it would panic again.
fn generate(
    core: &Core,
    order: &Order,
    passphrase: Option<&SecretBytes>,
) -> Result<Generated, GenerationError> {
    let generate = || core.generator.generate(request(order, passphrase));
    catch_unwind(AssertUnwindSafe(generate)).unwrap_or_else(|_panic| {
        Err(GenerationError::with_source(
            GenerationErrorKind::Internal,
            "the key generator panicked",
        ))
    })
}

/// Lets the store of the project make it, where that does. Keys with a
/// passphrase are made here: what is kept of them is encrypted with it.
async fn make_outside(
    core: &Core,
    order: &Order,
    passphrase: Option<&SecretBytes>,
    now: Timestamp,
) -> Result<Option<Made>, Error> {
    let types: &[SecretType] = match order.order_type {
        OrderType::Key => &[SecretType::Symmetric],
        OrderType::Asymmetric => &[SecretType::Private, SecretType::Public],
    };
    let secrets: Vec<_> = types
        .iter()
        .map(|secret_type| secret(core, order, *secret_type, now))
        .collect();
    let ids: Vec<_> = secrets.iter().map(|secret| secret.id).collect();
    let made = core.generate_outside(&order.project, &ids, request(order, passphrase));
    let Some(placed) = made.await? else {
        return Ok(None);
    };
    let secrets = secrets.into_iter().zip(placed).collect();
    Ok(Some(match order.order_type {
        OrderType::Key => Made::symmetric(secrets),
        OrderType::Asymmetric => Made::pair(core, order, secrets, now),
    }))
}

/// Seals or puts both halves, and the passphrase, each as a secret, and puts
/// them into a container.
async fn pack(
    core: &Core,
    order: &Order,
    pair: &KeyPair,
    passphrase: Option<&SecretBytes>,
    now: Timestamp,
) -> Result<Made, Error> {
    let parts = [
        (SecretType::Private, Some(&pair.private)),
        (SecretType::Public, Some(&pair.public)),
        (SecretType::Passphrase, passphrase),
    ];
    let mut secrets = Vec::new();
    for (secret_type, bytes) in parts {
        let Some(bytes) = bytes else { continue };
        match place(core, order, secret_type, bytes, now).await {
            Ok(placed) => secrets.push(placed),
            Err(error) => {
                core.abandon(&puts(&secrets)).await;
                return Err(error);
            }
        }
    }
    Ok(Made::pair(core, order, secrets, now))
}

async fn place(
    core: &Core,
    order: &Order,
    secret_type: SecretType,
    bytes: &SecretBytes,
    now: Timestamp,
) -> Result<(Secret, Placed), Error> {
    let secret = secret(core, order, secret_type, now);
    let content_type = secret.content_type.unwrap_or(ContentType::OctetStream);
    let placed = core.place(&secret, content_type, bytes).await?;
    Ok((secret, placed))
}

fn secret(core: &Core, order: &Order, secret_type: SecretType, now: Timestamp) -> Secret {
    let spec = &order.spec;
    Secret {
        id: core.new_secret_id(),
        project: order.project.clone(),
        creator: order.creator.clone(),
        created: now,
        updated: now,
        name: spec.name.clone(),
        secret_type,
        algorithm: Some(spec.algorithm.clone()),
        mode: spec.mode.clone(),
        bit_length: Some(spec.bit_length),
        expiration: spec.expiration,
        content_type: Some(spec.content_type.unwrap_or(ContentType::OctetStream)),
    }
}

fn puts(secrets: &[(Secret, Placed)]) -> Vec<PutId> {
    secrets
        .iter()
        .flat_map(|(_, placed)| placed.puts())
        .collect()
}

/// Barbican has a type for two kinds of pairs.
fn container_type(algorithm: &Label) -> ContainerType {
    let is = |name| algorithm.as_str().eq_ignore_ascii_case(name);
    if is("rsa") {
        ContainerType::Rsa
    } else if is("dsa") {
        ContainerType::Dsa
    } else {
        ContainerType::Generic
    }
}

impl Made {
    /// A key.
    fn symmetric(secrets: Vec<(Secret, Placed)>) -> Self {
        let id = secrets.first().map(|(secret, _)| secret.id);
        let state = match id {
            Some(id) => OrderState::Active(OrderResult::Secret(id)),
            None => OrderState::Error(failure::internal()),
        };
        Self {
            state,
            secrets,
            container: None,
        }
    }

    /// A container around what these secrets are by their types.
    fn pair(core: &Core, order: &Order, secrets: Vec<(Secret, Placed)>, now: Timestamp) -> Self {
        let entry = |secret: &Secret| {
            let name = match secret.secret_type {
                SecretType::Private => "private_key",
                SecretType::Public => "public_key",
                _ => "private_key_passphrase",
            };
            ContainerEntry {
                name: Label::new(name.to_owned()).ok(),
                secret: secret.id,
            }
        };
        let entries = secrets.iter().map(|(secret, _)| entry(secret)).collect();
        let container = Container {
            id: ContainerId::from_uuid(core.entropy.uuid_v4()),
            project: order.project.clone(),
            creator: order.creator.clone(),
            created: now,
            updated: now,
            name: order.spec.name.clone(),
            container_type: container_type(&order.spec.algorithm),
        };
        Self {
            state: OrderState::Active(OrderResult::Container(container.id)),
            secrets,
            container: Some((container, entries)),
        }
    }

    /// Nothing but the reason.
    pub(super) fn failed(failure: OrderFailure) -> Self {
        Self {
            state: OrderState::Error(failure),
            secrets: Vec::new(),
            container: None,
        }
    }

    /// Adds the rows, not the order. What an order makes is not refused by the
    /// quotas of secrets and containers, but counts.
    pub(super) fn insert(&self, tx: &mut dyn WriteTx) -> Result<(), Error> {
        for (secret, placed) in &self.secrets {
            placed.settle(tx)?;
            tx.insert_secret(secret, Some(placed.stored()))?;
        }
        match &self.container {
            Some((container, entries)) => Ok(tx.insert_container(container, entries)?),
            None => Ok(()),
        }
    }

    /// What has to be abandoned where none of it is stored.
    pub(super) fn puts(&self) -> Vec<PutId> {
        puts(&self.secrets)
    }
}
