//! What the operator does beside the API: making, listing and revoking tokens,
//! changing keys, and asking why a rule decides as it does.
//!
//! [`Admin`] does it. A running server offers it on a socket in the data folder
//! ([`socket`]), one request and one answer a connection, each one line of JSON;
//! where no server runs, the command line calls it on the opened folder.

pub(crate) mod client;
mod doctor;
mod explain;
mod moves;
mod protocol;
mod purge;
mod rotate;
pub(crate) mod socket;
mod sweep;

use std::{fmt, sync::Arc};

use donjon_app::{App, KeyLimits};
use donjon_auth_local::{NewToken, Tokens};
use donjon_domain::{
    ProjectId, TokenId, TokenRow, UserId,
    ports::{BoxFuture, Clock, RepositoryError},
};

pub(crate) use self::protocol::{
    DepartedView, DiagnosisView, FoundView, KeyCount, MoveView, NewTokenRequest, ProjectLeft,
    Question, Request, Response, RotationView, SecretText, StoreView, StuckView, SweepView,
    TokenView, Who,
};

pub(crate) use self::sweep::DepartureParts;

use crate::{mover::Mover, rotation::Rotator};

/// Does what requests ask for.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) app: Arc<App>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) integrity: Arc<dyn Integrity>,
    /// Works on changes of keys; without one each is made at once.
    pub(crate) rotator: Option<Arc<Rotator>>,
    /// Works on moves of payloads; without one each is made at once.
    pub(crate) mover: Option<Arc<Mover>>,
    /// There where Keystone is asked.
    pub(crate) departures: Option<DepartureParts>,
}

/// Finds what is wrong with storage.
pub(crate) trait Integrity: Send + Sync {
    /// What does not hold, a line each; nothing where all is well. Takes as long as
    /// reading all of it.
    ///
    /// # Errors
    /// As storage fails.
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, RepositoryError>>;
}

impl Admin {
    pub(crate) async fn handle(&self, request: Request) -> Response {
        let outcome = match request {
            Request::Create(new) => self.create(new).await,
            Request::List {} => self.list().await,
            Request::Revoke { id } => self.revoke(&id).await,
            Request::Explain(question) => self.explain(question).await,
            Request::RotateRoot {} => self.rotate_root().await,
            Request::RotateProject { project } => self.rotate_project(project).await,
            Request::RotateStatus {} => self.rotation().await,
            Request::ProjectsSweep { is_dry } => self.sweep(is_dry).await,
            Request::KeysWorn { age_s, rows } => self.worn_keys(KeyLimits { age_s, rows }).await,
            Request::RotatePause {} => self.pause_rotation(true).await,
            Request::RotateResume {} => self.pause_rotation(false).await,
            Request::ProjectHoldings { project } => self.holdings(&project).await,
            Request::ProjectPurge { project } => self.purge(&project).await,
            Request::OutboxEmpty {} => self.empty_outbox().await,
            Request::SecretsMove { from, to, is_dry } => {
                self.move_payloads(&from, &to, is_dry).await
            }
            Request::Diagnose {
                is_repairing,
                is_reading,
            } => self.diagnose(is_repairing, is_reading).await,
            Request::SecretsMoveStatus {} => Ok(self.moving()),
        };
        outcome.unwrap_or_else(|refusal| refusal)
    }

    async fn create(&self, new: NewTokenRequest) -> Result<Response, Response> {
        new.check().map_err(refused)?;
        let lasts = |seconds| self.clock.now().plus_seconds(seconds);
        let issued = self.tokens.issue(NewToken {
            user: new.user.map(|user| UserId::new(user.as_str())),
            project: ProjectId::new(new.project),
            roles: if new.roles.is_empty() {
                ROLES_DEFAULT.map(str::to_owned).to_vec()
            } else {
                new.roles
            },
            expires: new.expires_s.map(lasts),
        });
        let issued = issued.await.map_err(failed)?;
        Ok(Response::TokenCreated {
            id: issued.id.to_string(),
            token: SecretText::from_utf8(&issued.token),
        })
    }

    async fn list(&self) -> Result<Response, Response> {
        let rows = self.tokens.list().await.map_err(failed)?;
        let tokens = rows.iter().map(TokenView::from_row).collect();
        Ok(Response::Tokens { tokens })
    }

    async fn revoke(&self, id: &str) -> Result<Response, Response> {
        let parsed = TokenId::parse(id);
        let parsed = parsed.map_err(|error| refused(format!("{id:?} is no token id: {error}")))?;
        match self.tokens.revoke(parsed).await {
            Ok(true) => Ok(Response::TokenRevoked {}),
            Ok(false) => Err(refused(format!("there is no token {id}"))),
            Err(error) => Err(failed(error)),
        }
    }
}

fn refused(message: impl Into<String>) -> Response {
    Response::Refused {
        message: message.into(),
    }
}

fn failed(error: impl std::error::Error) -> Response {
    Response::Failed {
        message: text_of(&error),
    }
}

/// With all that led to it.
pub(crate) fn text_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl TokenView {
    fn from_row(row: &TokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            project: row.project.to_string(),
            user: row.user.to_string(),
            roles: row.roles.clone(),
            expires: row.expires.map(|at| format!("{at}Z")),
            last_used: row.last_used.map(|at| format!("{at}Z")),
        }
    }
}

const ROLES_DEFAULT: [&str; 2] = ["member", "reader"];

#[cfg(test)]
mod tests;
