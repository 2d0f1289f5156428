//! What an order makes: keys, sealed, and the container around a pair.

use std::panic::{AssertUnwindSafe, catch_unwind};

use donjon_domain::{
    Container, ContainerEntry, ContainerId, ContainerType, ContentType, Label, Order, OrderFailure,
    OrderResult, OrderState, Sealed, Secret, SecretBytes, SecretId, SecretType, Timestamp,
    ports::{Generated, GenerationError, GenerationErrorKind, KeyPair, RepositoryError, WriteTx},
};

use super::{failure, request};
use crate::{Error, core::Core};

/// How an order ends, and the rows that go with it.
pub(super) struct Made {
    pub(super) state: OrderState,
    secrets: Vec<(Secret, Sealed)>,
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
    match generate(core, order, passphrase) {
        Ok(Generated::Symmetric(key)) => {
            let made = seal(core, order, SecretType::Symmetric, &key, now).await?;
            Ok(Made {
                state: OrderState::Active(OrderResult::Secret(made.0.id)),
                secrets: vec![made],
                container: None,
            })
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

/// Seals both halves, and the passphrase, each as a secret, and puts them into
/// a container.
async fn pack(
    core: &Core,
    order: &Order,
    pair: &KeyPair,
    passphrase: Option<&SecretBytes>,
    now: Timestamp,
) -> Result<Made, Error> {
    let parts = [
        ("private_key", SecretType::Private, Some(&pair.private)),
        ("public_key", SecretType::Public, Some(&pair.public)),
        ("private_key_passphrase", SecretType::Passphrase, passphrase),
    ];
    let (mut secrets, mut entries) = (Vec::new(), Vec::new());
    for (name, secret_type, bytes) in parts {
        let Some(bytes) = bytes else { continue };
        let (secret, sealed) = seal(core, order, secret_type, bytes, now).await?;
        entries.push(ContainerEntry {
            name: Label::new(name.to_owned()).ok(),
            secret: secret.id,
        });
        secrets.push((secret, sealed));
    }
    let container = Container {
        id: ContainerId::from_uuid(core.entropy.uuid_v4()),
        project: order.project.clone(),
        creator: order.creator.clone(),
        created: now,
        updated: now,
        name: order.spec.name.clone(),
        container_type: container_type(&order.spec.algorithm),
    };
    Ok(Made {
        state: OrderState::Active(OrderResult::Container(container.id)),
        secrets,
        container: Some((container, entries)),
    })
}

async fn seal(
    core: &Core,
    order: &Order,
    secret_type: SecretType,
    bytes: &SecretBytes,
    now: Timestamp,
) -> Result<(Secret, Sealed), Error> {
    let id: SecretId = core.new_secret_id();
    let sealed = core.sealing.seal(&order.project, id, bytes).await?;
    let spec = &order.spec;
    let secret = Secret {
        id,
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
    };
    Ok((secret, sealed))
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
    pub(super) fn insert(&self, tx: &mut dyn WriteTx) -> Result<(), RepositoryError> {
        for (secret, sealed) in &self.secrets {
            tx.insert_secret(secret, Some(sealed))?;
        }
        match &self.container {
            Some((container, entries)) => tx.insert_container(container, entries),
            None => Ok(()),
        }
    }
}
