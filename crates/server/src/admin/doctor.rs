//! Looking whether all is well.

use donjon_app::StoreFindings;

use super::{Admin, DiagnosisView, FoundView, Response, StoreView, failed, text_of};

impl Admin {
    /// Storage, what the stores outside have, and, if asked for, each payload.
    pub(super) async fn diagnose(
        &self,
        is_repairing: bool,
        is_reading: bool,
    ) -> Result<Response, Response> {
        let inspection = &self.app.inspection;
        let mut stores = Vec::new();
        for mut found in inspection.stores().await.map_err(failed)? {
            let removed = if is_repairing {
                inspection.repair(&mut found).await.map_err(failed)?
            } else {
                0
            };
            stores.push(store(&found, removed));
        }
        let mut unreadable = FoundView::default();
        if is_reading {
            let found = inspection.unreadable().await.map_err(failed)?;
            unreadable.add(found.iter().map(|payload| {
                let error = text_of(&payload.error);
                format!("{}: {error}", payload.secret)
            }));
        }
        let mut damage = FoundView::default();
        damage.add(self.integrity.check().await.map_err(failed)?.into_iter());
        Ok(Response::Diagnosis(Box::new(DiagnosisView {
            damage,
            stores,
            unreadable,
            is_read: is_reading,
        })))
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
