//! Removing a project.

use std::num::NonZeroU32;

use donjon_domain::{
    ProjectId,
    ports::{Holdings, Removal},
};

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
