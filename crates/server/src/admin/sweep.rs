//! What deleted projects left.

use std::sync::Arc;

use donjon_app::{Outlook, SurveyError};
use donjon_domain::{ProjectId, Timestamp};

use super::{Admin, DepartedView, Response, SweepView, refused, text_of};
use crate::sweep;

impl Admin {
    pub(super) async fn sweep(&self, is_dry: bool) -> Result<Response, Response> {
        let Some(departures) = &self.departures else {
            return Err(refused(
                "only Keystone says which projects are deleted: auth.modes has to have keystone",
            ));
        };
        if !is_dry {
            return match &departures.sweeper {
                Some(sweeper) => {
                    sweeper.wake();
                    Ok(Response::SweepBegun {})
                }
                None if departures.is_served => Err(refused(
                    "sweep.enabled is not set, so nothing is removed; --dry-run shows what would be",
                )),
                None => Err(refused(
                    "no server runs, and only a server sweeps; --dry-run shows what it would remove",
                )),
            };
        }
        let outlook = sweep::forecast(&self.app, &*departures.directory, departures.rules).await;
        let outlook = outlook.map_err(failed)?;
        self.view(&outlook, departures.rules.delay_s)
            .await
            .map(Response::Sweep)
    }

    async fn view(&self, outlook: &Outlook, delay_s: i64) -> Result<SweepView, Response> {
        let now = self.clock.now();
        let mut departed = Vec::new();
        let missed = outlook.due.iter().chain(&outlook.waiting);
        let missed = missed.map(|(project, since)| (project, Some(*since)));
        let fresh = outlook.fresh.iter().map(|project| (project, None));
        for (project, since) in missed.chain(fresh) {
            let row = self.departed(project, since, now, delay_s).await?;
            departed.push(row);
        }
        Ok(SweepView {
            known: outlook.present,
            unclear: outlook.unclear,
            is_implausible: outlook.is_implausible,
            departed,
            others: outlook.strangers.iter().map(ToString::to_string).collect(),
        })
    }

    async fn departed(
        &self,
        project: &ProjectId,
        since: Option<Timestamp>,
        now: Timestamp,
        delay_s: i64,
    ) -> Result<DepartedView, Response> {
        let holdings = self.app.departures.holdings(project).await;
        let holdings = holdings.map_err(|error| failed(SurveyError::Storage(error)))?;
        let goes = since.unwrap_or(now).plus_seconds(delay_s);
        Ok(DepartedView {
            project: project.to_string(),
            since: since.map(|since| format!("{since}Z")),
            goes: (goes > now).then(|| format!("{goes}Z")),
            secrets: holdings.secrets,
            containers: holdings.containers,
            orders: holdings.orders,
            consumers: holdings.consumers,
            keys: holdings.keks,
            has_token: holdings.has_token,
        })
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn failed(error: SurveyError) -> Response {
    let message = text_of(&error);
    match error {
        SurveyError::Directory(_) => Response::Refused { message },
        SurveyError::Storage(_) => Response::Failed { message },
    }
}

/// How to find out about deleted projects.
#[derive(Clone)]
pub(crate) struct DepartureParts {
    pub(crate) directory: Arc<dyn donjon_domain::ports::ProjectDirectory>,
    pub(crate) rules: donjon_app::DepartureRules,
    /// There in a server that removes.
    pub(crate) sweeper: Option<Arc<sweep::Sweeper>>,
    /// Whether this is a server.
    pub(crate) is_served: bool,
}
