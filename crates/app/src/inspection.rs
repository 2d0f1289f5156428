//! Compares the stores outside with the database: what is there and nobody's,
//! and what is not there and should be.
//!
//! A put is written down before it is made and its name is never used again, so
//! what a store lists and the database does not know after that becomes nobody's
//! payload any more. It is asked again before anything is removed, and of all
//! stores: a name does not say which one it is in, and two may be one place.

use std::{collections::HashSet, fmt, sync::Arc};

use donjon_domain::{
    ProjectId, PutId, SecretId, SecretStoreId, StoredPayload,
    ports::{
        Listed, OutsideCount, ReadTx, Reading, RepositoryError, RepositoryExt, StoreError, Turn,
    },
};

use crate::{Error, Missing, core::Core, outside::OutsideStore};

/// Looks into stores.
pub struct Inspection {
    core: Arc<Core>,
}

/// What was found in a store outside, or about it.
#[derive(Debug)]
pub struct StoreFindings {
    /// Its name for people.
    pub name: String,
    /// Payloads that it lists.
    pub payloads: u64,
    /// What the database knows of it.
    pub known: OutsideCount,
    /// Payloads that no row names, and no line of the outbox.
    pub strays: Vec<Stray>,
    /// Secrets whose payload it does not have.
    pub lost: Vec<SecretId>,
    /// Why it could not be looked at to the end.
    pub trouble: Option<StoreError>,
    id: SecretStoreId,
}

/// A payload that is nobody's.
#[derive(Debug, Clone)]
pub struct Stray(Listed);

/// A payload that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Its secret.
    pub secret: SecretId,
    /// Why.
    pub error: Error,
}

impl Inspection {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Looks into all stores outside, by name. What one does is a part of the
    /// findings. Lists all payloads and walks all secrets.
    ///
    /// # Errors
    /// As storage or sealing fails.
    pub async fn stores(&self) -> Result<Vec<StoreFindings>, Error> {
        let mut stores: Vec<_> = self.core.outside.iter().collect();
        stores.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        let mut all = Vec::with_capacity(stores.len());
        for (id, store) in stores {
            all.push(self.store(id, store).await?);
        }
        Ok(all)
    }

    /// Removes what is nobody's, unless it became known meanwhile. Says how much
    /// is gone; what is, is no finding any more.
    ///
    /// # Errors
    /// As storage fails; what the store does is a part of the findings.
    pub async fn repair(&self, findings: &mut StoreFindings) -> Result<u64, Error> {
        let payloads = &self.core.outside.get(findings.id)?.payloads;
        let mut removed = 0;
        while let Some(stray) = findings.strays.pop() {
            if !self.unknown(vec![stray.0.clone()]).await?.is_empty() {
                if let Err(error) = payloads.delete(&stray.0.locator).await {
                    findings.strays.push(stray);
                    findings.trouble = Some(error);
                    break;
                }
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Reads every payload, wherever it is. Takes as long as that takes.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn unreadable(&self) -> Result<Vec<Unreadable>, Error> {
        let outside = self.core.outside.iter().map(|(id, _)| Some(id));
        let places: Vec<_> = std::iter::once(None).chain(outside).collect();
        let mut found = Vec::new();
        for place in places {
            self.read_all(place, &mut found).await?;
        }
        Ok(found)
    }

    /// Up to the first that shows that the store is away.
    async fn read_all(
        &self,
        place: Option<SecretStoreId>,
        found: &mut Vec<Unreadable>,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let rows = self.rows(place, after).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.secret);
            for row in rows {
                let secret = row.secret;
                let opened = self.core.open_payload(&row.project, secret, row.stored);
                match opened.await {
                    Ok(_) | Err(Error::NotFound(Missing::Secret)) => {}
                    Err(error) => {
                        let is_away = matches!(error, Error::Unavailable(_));
                        found.push(Unreadable { secret, error });
                        if is_away {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    async fn store(&self, id: SecretStoreId, store: &OutsideStore) -> Result<StoreFindings, Error> {
        let known: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| tx.count_outside(id))
            .await;
        let mut findings = StoreFindings {
            name: store.name.clone(),
            payloads: 0,
            known: known?,
            strays: Vec::new(),
            lost: Vec::new(),
            trouble: None,
            id,
        };
        let mut puts = HashSet::new();
        let mut after = None;
        loop {
            let listed = store
                .payloads
                .list(self.core.outside.deployment(), after.as_ref(), PAGE);
            let listed = match listed.await {
                Ok(listed) => listed,
                Err(error) => {
                    findings.trouble = Some(error);
                    return Ok(findings);
                }
            };
            let Some(last) = listed.last() else { break };
            after = Some(last.name);
            findings.payloads += listed.len() as u64;
            puts.extend(listed.iter().map(|payload| payload.name.put));
            let strays = self.unknown(listed).await?;
            findings.strays.extend(strays.into_iter().map(Stray));
        }
        self.look_for_rows(id, store, &puts, &mut findings).await?;
        Ok(findings)
    }

    /// Those of which the database knows nothing.
    async fn unknown(&self, listed: Vec<Listed>) -> Result<Vec<Listed>, Error> {
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let mut unknown = Vec::new();
                for payload in &listed {
                    if !tx.is_known_outside(payload.name.secret, payload.name.put)? {
                        unknown.push(payload.clone());
                    }
                }
                Ok(unknown)
            })
            .await;
        Ok(found?)
    }

    /// Finds secrets whose payload is not there. What was put after the list was
    /// made is asked for by its name, and what moved or went meanwhile is no loss.
    async fn look_for_rows(
        &self,
        id: SecretStoreId,
        store: &OutsideStore,
        puts: &HashSet<PutId>,
        findings: &mut StoreFindings,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let rows = self.rows(Some(id), after).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.secret);
            for row in rows {
                let Some(outside) = row.stored.outside else {
                    continue;
                };
                if puts.contains(&outside.put) {
                    continue;
                }
                let name = self.core.outside.name(row.secret, outside.put);
                match store.payloads.find(&name).await {
                    Ok(Some(_)) => {}
                    Ok(None) if self.stands(&row).await? => findings.lost.push(row.secret),
                    Ok(None) => {}
                    Err(error) => {
                        findings.trouble = Some(error);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Whether a row is as it was read.
    async fn stands(&self, row: &Row) -> Result<bool, Error> {
        let secret = row.secret;
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Point, move |tx| tx.payload(secret))
            .await;
        Ok(found?.is_some_and(|stored| stored.outside == row.stored.outside))
    }

    /// A part of what is in a store, or in the database.
    async fn rows(
        &self,
        store: Option<SecretStoreId>,
        after: Option<SecretId>,
    ) -> Result<Vec<Row>, Error> {
        let found: Result<_, RepositoryError> = self
            .core
            .repository
            .read_with(Reading::Scan(Turn::SERVER), move |tx| {
                let ids = tx.payloads_in(store, after, ROWS)?;
                let rows = ids.into_iter().map(|id| row(tx, id));
                rows.filter_map(Result::transpose).collect()
            })
            .await;
        Ok(found?)
    }
}

struct Row {
    secret: SecretId,
    project: ProjectId,
    stored: StoredPayload,
}

fn row(tx: &mut dyn ReadTx, secret: SecretId) -> Result<Option<Row>, RepositoryError> {
    let (Some(found), Some(stored)) = (tx.secret(secret)?, tx.payload(secret)?) else {
        return Ok(None);
    };
    Ok(Some(Row {
        secret,
        project: found.secret.project,
        stored,
    }))
}

impl fmt::Display for Stray {
    /// Secret and put, as the store has them in its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.name.secret, self.0.name.put)
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection").finish_non_exhaustive()
    }
}

/// Names in one call of a store.
const PAGE: usize = 1_000;
/// Rows in one transaction.
const ROWS: u32 = 256;

#[cfg(test)]
mod tests;
