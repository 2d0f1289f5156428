//! How much may hang on one secret or container. Quotas count what a project
//! has; these keep any one thing small enough to be read and answered at once,
//! so that nobody can make the others wait.

use std::num::NonZeroU32;

use donjon_domain::{ContainerEntry, MetadataKey, UserMetadata, ports::WriteTx};

use crate::{Entity, Error};

/// The most that one secret or container may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Consumers; other projects register up to half of it.
    pub consumers: NonZeroU32,
    /// Secrets in a container; so many that were in it are remembered, too.
    pub container_secrets: NonZeroU32,
    /// Bytes of all user metadata, as they would be in JSON without blanks.
    pub metadata_bytes: usize,
}

/// Of what there cannot be more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounded {
    /// Consumers of this secret or container.
    Consumers,
    /// Secrets in this container.
    ContainerSecrets,
    /// Bytes of user metadata of this secret.
    MetadataBytes,
}

impl Bounds {
    /// Checks that it may have one more consumer. Those of its own project always
    /// find half of the room, whatever others register who may read it.
    ///
    /// # Errors
    /// [`Error::BoundReached`]; else as storage fails.
    pub(crate) fn admit_consumer<E: Entity>(
        &self,
        tx: &mut dyn WriteTx,
        id: E,
        is_own: bool,
    ) -> Result<(), Error> {
        let limit = if is_own {
            self.consumers
        } else {
            half(self.consumers)
        };
        if id.has_consumers(tx, limit)? {
            return Err(Error::BoundReached {
                bounded: Bounded::Consumers,
                limit: u64::from(limit.get()),
            });
        }
        Ok(())
    }

    /// Checks that a container may have one more entry than these.
    ///
    /// # Errors
    /// [`Error::BoundReached`].
    pub(crate) fn admit_entry(&self, entries: &[ContainerEntry]) -> Result<(), Error> {
        let limit = u64::from(self.container_secrets.get());
        if u64::try_from(entries.len()).is_ok_and(|count| count < limit) {
            return Ok(());
        }
        Err(Error::BoundReached {
            bounded: Bounded::ContainerSecrets,
            limit,
        })
    }

    /// Checks that the value fits beside the other metadata.
    ///
    /// # Errors
    /// [`Error::BoundReached`].
    pub(crate) fn admit_metadatum(
        &self,
        all: &UserMetadata,
        key: &MetadataKey,
        value: &str,
    ) -> Result<(), Error> {
        let others = all.iter().filter(|(other, _)| *other != key);
        let bytes: usize = others
            .map(|(key, value)| json_bytes(key, value))
            .chain([json_bytes(key, value)])
            .sum();
        if bytes <= self.metadata_bytes {
            return Ok(());
        }
        Err(Error::BoundReached {
            bounded: Bounded::MetadataBytes,
            limit: u64::try_from(self.metadata_bytes).unwrap_or(u64::MAX),
        })
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            consumers: THOUSAND,
            container_secrets: THOUSAND,
            metadata_bytes: 25_000,
        }
    }
}

/// At least one.
fn half(number: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(number.get() / 2).unwrap_or(number)
}

/// Two pairs of quotes, a colon and a comma stand around them.
fn json_bytes(key: &MetadataKey, value: &str) -> usize {
    key.as_str().len() + value.len() + 6
}

const THOUSAND: NonZeroU32 = match NonZeroU32::new(1_000) {
    Some(thousand) => thousand,
    None => NonZeroU32::MIN,
};
