//! Soft limits of keys: one past them works on, and should be changed.

use donjon_domain::{
    KekScope, ProjectId, RootKeyId, Timestamp,
    ports::{Reading, RepositoryError, RepositoryExt, Turn},
};

use super::Rotation;
use crate::Error;

/// Past which a key should be changed; `None` is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// How many seconds ago a key was made, or a root key taken into use.
    pub age_s: Option<i64>,
    /// How many rows the key of a project seals.
    pub rows: Option<u64>,
}

/// A key past its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WornKey {
    /// The root key.
    Root {
        /// Which one.
        id: RootKeyId,
        /// For how long it has been in use.
        age_s: i64,
    },
    /// The key of a project.
    Project {
        /// Whose.
        project: ProjectId,
        /// Which one, from 1 on.
        generation: u32,
        /// For how long it has been there.
        age_s: i64,
        /// How many rows it seals.
        rows: u64,
    },
}

impl Rotation {
    /// The root key and up to `limit` keys of projects that are past these
    /// limits. Walks everything that is sealed: not for every request.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn worn_keys(&self, limits: KeyLimits, limit: u32) -> Result<Vec<WornKey>, Error> {
        let now = self.core.clock.now();
        let made_before = limits.age_s.map_or(EVER, |age_s| now.plus_seconds(-age_s));
        let rows_above = limits.rows.unwrap_or(u64::MAX);
        let age_s = move |since: Timestamp| (now.as_micros() - since.as_micros()) / 1_000_000;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let root = tx.deployment()?.filter(|it| it.created < made_before);
                let root = root.map(|deployment| WornKey::Root {
                    id: deployment.root,
                    age_s: age_s(deployment.created),
                });
                let keks = tx.worn_keks(made_before, rows_above, limit)?;
                let keks = keks.into_iter().filter_map(|(kek, rows)| match kek.scope {
                    KekScope::Project(project) => Some(WornKey::Project {
                        project,
                        generation: kek.generation,
                        age_s: age_s(kek.created),
                        rows,
                    }),
                    KekScope::Server(_) => None,
                });
                Ok(root.into_iter().chain(keks).collect())
            })
            .await;
        Ok(found?)
    }
}

/// Before anything was made.
const EVER: Timestamp = Timestamp::from_micros(i64::MIN);
