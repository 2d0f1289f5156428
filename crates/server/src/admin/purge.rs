//! Removing a project.

use std::{num::NonZeroU32, time::Duration};

use donjon_domain::{
    ProjectId,
    ports::{Holdings, Removal},
};
use tokio::time::{Instant, sleep};

use super::{Admin, Response, failed, refused};

impl Admin {
    pub(super) async fn holdings(&self, project: &str) -> Result<Response, Response> {
        let found = self.app.departures.holdings(&ProjectId::new(project)).await;
        let found = found.map_err(failed)?;
        if found.is_empty() {
            return Err(refused(format!("project {project:?} has nothing here")));
        }
        Ok(answer(&found))
    }

    /// A part of it, so that each answer comes soon. Done when nothing is left.
    pub(super) async fn purge(&self, project: &str) -> Result<Response, Response> {
        let project = ProjectId::new(project);
        for _ in 0..STEPS {
            let step = self.app.departures.purge_some(&project, BATCH).await;
            if step.map_err(failed)? == Removal::Done {
                break;
            }
        }
        let left = self.app.departures.holdings(&project).await;
        Ok(answer(&left.map_err(failed)?))
    }

    /// Removes from stores what was secrets', or waits a while until the server has,
    /// and says what is left of it. What comes in meanwhile does not count.
    pub(super) async fn empty_outbox(&self) -> Result<Response, Response> {
        let outbox = &self.app.outbox;
        let is_served = self.mover.is_some();
        if !is_served {
            outbox.begin().await.map_err(failed)?;
            outbox.empty().await.map_err(failed)?;
        }
        let mut left = outbox.leftovers().await.map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        while is_served && !left.is_empty() && Instant::now() < until {
            sleep(PULSE).await;
            left.narrow(&outbox.leftovers().await.map_err(failed)?);
        }
        let stores = left.counts();
        let stores = stores.map(|(name, payloads)| (name.to_owned(), payloads));
        Ok(Response::Leftovers {
            stores: stores.collect(),
        })
    }
}

fn answer(holdings: &Holdings) -> Response {
    let text = [
        (holdings.secrets, "secrets"),
        (holdings.containers, "containers"),
        (holdings.orders, "orders"),
        (holdings.consumers, "registrations as a consumer"),
        (holdings.settings, "settings"),
        (holdings.keks, "keys"),
    ]
    .map(|(count, what)| format!("{count} {what}"))
    .join(", ");
    Response::Holdings {
        left: holdings.rows() + holdings.keks,
        text,
    }
}

/// Rows in one transaction: requests wait no longer for it than for each other.
const BATCH: NonZeroU32 = NonZeroU32::new(64).unwrap();
const STEPS: u32 = 32;
/// Less than that of whoever asks.
const PATIENCE: Duration = Duration::from_secs(8);
const PULSE: Duration = Duration::from_secs(1);
