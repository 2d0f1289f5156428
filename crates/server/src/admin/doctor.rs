//! Looking whether all is well.

use std::collections::HashMap;

use donjon_app::StoreFindings;

use super::{Admin, DiagnosisView, FoundView, Response, StoreView, failed, text_of};

impl Admin {
    /// Storage, what the stores outside have, and, if asked for, each payload.
    /// Where the database is damaged that is all: what it says of stores is worth
    /// nothing then, and nothing is removed by it.
    pub(super) async fn diagnose(
        &self,
        is_repairing: bool,
        is_reading: bool,
    ) -> Result<Response, Response> {
        let mut damage = FoundView::default();
        damage.add(self.integrity.check().await.map_err(failed)?.into_iter());
        if damage.count > 0 {
            return Ok(Response::Diagnosis(Box::new(DiagnosisView {
                damage,
                ..DiagnosisView::default()
            })));
        }
        let inspection = &self.app.inspection;
        let stores = if is_repairing {
            self.repair().await?
        } else {
            let found = inspection.stores().await.map_err(failed)?;
            found.iter().map(|found| store(found, 0)).collect()
        };
        let mut unreadable = FoundView::default();
        if is_reading {
            let found = inspection.unreadable().await.map_err(failed)?;
            unreadable.add(found.iter().map(|payload| {
                let error = text_of(&payload.error);
                format!("{}: {error}", payload.secret)
            }));
        }
        Ok(Response::Diagnosis(Box::new(DiagnosisView {
            damage,
            stores,
            unreadable,
            is_read: is_reading,
        })))
    }

    /// Removes what is nobody's. Where that was something, looks at all stores
    /// again: what is missing after it has to be said.
    async fn repair(&self) -> Result<Vec<StoreView>, Response> {
        let inspection = &self.app.inspection;
        let mut found = inspection.stores().await.map_err(failed)?;
        let (mut removed, mut trouble) = (HashMap::new(), HashMap::new());
        for store in &mut found {
            let count = inspection.repair(store).await.map_err(failed)?;
            removed.insert(store.name.clone(), count);
            if let Some(error) = &store.trouble {
                trouble.insert(store.name.clone(), text_of(error));
            }
        }
        if removed.values().any(|count| *count > 0) {
            found = inspection.stores().await.map_err(failed)?;
        }
        let views = found.iter().map(|found| {
            let view = store(found, removed.get(&found.name).copied().unwrap_or(0));
            let before = trouble.remove(&found.name);
            StoreView {
                trouble: view.trouble.or(before),
                ..view
            }
        });
        Ok(views.collect())
    }
}

impl FoundView {
    fn add(&mut self, lines: impl Iterator<Item = String>) {
        for line in lines {
            self.count += 1;
            if self.shown.len() < SHOWN_MAX {
                self.shown.push(line);
            }
        }
    }
}

fn store(found: &StoreFindings, removed: u64) -> StoreView {
    let (mut strays, mut lost) = (FoundView::default(), FoundView::default());
    strays.add(found.strays.iter().map(ToString::to_string));
    lost.add(found.lost.iter().map(ToString::to_string));
    StoreView {
        name: found.name.clone(),
        payloads: found.payloads,
        secrets: found.known.secrets,
        waiting: found.known.outbox,
        strays,
        removed,
        lost,
        trouble: found.trouble.as_ref().map(|error| text_of(error)),
    }
}

/// Lines of each kind.
const SHOWN_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
