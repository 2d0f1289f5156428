//! Asks a server: in a version that both know, within a time, and not at all
//! while it fails again and again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use donjon_domain::{
    Breaker,
    ports::{BoxError, StoreError, StoreErrorKind},
};
use donjon_http_client::Tls;
use donjon_kmip_ttlv::{Limits, encode};
use tokio::time::{Instant, timeout};

use crate::{
    KmipConfig, Login, SetupError,
    answer::{Garbled, Outcome, Refusal, outcomes},
    connections::{ConnectionError, Connections, Way},
    request::{Call, Version, message},
    tag::{Operation, reason},
};

pub(crate) struct Server {
    connections: Connections,
    login: Option<Login>,
    patience: Duration,
    breaker: Breaker,
    /// The one that both know best, once that is known.
    version: Mutex<Option<Version>>,
}

/// A batch that was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Garbled(#[from] Garbled),
    #[error("the KMIP server failed again and again, and is left alone for a while")]
    Resting,
    #[error("the KMIP server does not answer in time")]
    Slow,
    #[error(transparent)]
    Store(StoreError),
}

impl Server {
    pub(crate) fn new(config: KmipConfig) -> Result<Self, SetupError> {
        let passwords = config.login.iter().map(|login| login.password.expose());
        for password in passwords {
            std::str::from_utf8(password).map_err(|_quotes| SetupError::Password)?;
        }
        let tls = Tls::new(&config.tls, &[]).map_err(SetupError::Tls)?;
        Ok(Self {
            connections: Connections::new(tls, config.host, config.port),
            login: config.login,
            patience: config.patience,
            breaker: Breaker::new(FAILURES_MAX, config.rest),
            version: Mutex::default(),
        })
    }

    /// Does all that one call of the port needs, within its time. Counts its
    /// failures where they are of the server and of the way to it.
    pub(crate) async fn within_patience<T>(
        &self,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, StoreError> {
        if !self.breaker.admits(Instant::now().into_std()) {
            return Err(CallError::Resting.into());
        }
        let done = timeout(self.patience, work).await;
        let done = done.unwrap_or(Err(CallError::Slow));
        match &done {
            Ok(_) | Err(CallError::Store(_)) => {
                if self.breaker.succeeded() {
                    tracing::info!("the KMIP server answers again");
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the KMIP server failed"
                );
                if self.breaker.failed(Instant::now().into_std()) {
                    tracing::error!(
                        "the KMIP server fails repeatedly; its payloads are answered with 503"
                    );
                }
            }
        }
        done.map_err(StoreError::from)
    }

    /// Asks for what may be asked for twice: what a connection lost that had been
    /// idle is asked again over another one.
    pub(crate) async fn ask(
        &self,
        answer: Limits,
        batch: impl Fn() -> Vec<Call>,
    ) -> Result<Vec<Outcome>, CallError> {
        match self.once(Way::Kept, answer, batch()).await {
            Err(CallError::Connection(ConnectionError::Lost(_))) => {
                self.once(Way::Fresh, answer, batch()).await
            }
            done => done,
        }
    }

    /// Asks once, in the version of both. An outcome for each call.
    pub(crate) async fn once(
        &self,
        way: Way,
        answer: Limits,
        batch: Vec<Call>,
    ) -> Result<Vec<Outcome>, CallError> {
        let version = self.version().await?;
        let outcomes = self.speak(version, way, answer, batch).await?;
        let is_foreign = |outcome: &Outcome| {
            let refusal = outcome.as_ref().err();
            refusal.is_some_and(|refusal| {
                refusal.is_of_message && refusal.reason == reason::INVALID_MESSAGE
            })
        };
        if outcomes.iter().any(is_foreign) {
            // Another server may have taken the place of the one that was asked.
            self.set_version(None);
        }
        Ok(outcomes)
    }

    async fn version(&self) -> Result<Version, CallError> {
        let known = *self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = known {
            return Ok(version);
        }
        let asked = || vec![Call::discover_versions()];
        let mut found = self
            .speak(Version::V1_1, Way::Fresh, small(), asked())
            .await?;
        let version = match found.pop() {
            Some(Ok(found)) => {
                let both = found.versions().filter(|one| Version::KNOWN.contains(one));
                both.max()
                    .ok_or_else(|| refused("the KMIP server speaks no version of KMIP 1"))?
            }
            // A server of 1.0 does not know what is asked, nor 1.1.
            Some(Err(refusal)) if refusal.is_unknown() => Version::V1_0,
            Some(Err(refusal)) => return Err(refusal.into()),
            None => return Err(Garbled::Lacks("result").into()),
        };
        tracing::debug!(?version, "KMIP version");
        self.set_version(Some(version));
        Ok(version)
    }

    fn set_version(&self, version: Option<Version>) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }

    async fn speak(
        &self,
        version: Version,
        way: Way,
        answer: Limits,
        batch: Vec<Call>,
    ) -> Result<Vec<Outcome>, CallError> {
        let asked: Vec<Operation> = batch.iter().map(|call| call.operation).collect();
        let message = message(version, self.login.as_ref(), answer.bytes_max, batch);
        let bytes = encode(&message).map_err(|error| {
            CallError::Store(StoreError::with_source(StoreErrorKind::Refused, error))
        })?;
        drop(message);
        let answered = self.connections.exchange(way, &bytes, &answer).await?;
        Ok(outcomes(&answered, &answer, &asked)?)
    }
}

/// What an answer may have that is not about many objects or about a payload.
pub(crate) fn small() -> Limits {
    Limits {
        bytes_max: 64 * 1024,
        ..Limits::default()
    }
}

pub(crate) fn refused(what: impl Into<BoxError>) -> CallError {
    CallError::Store(StoreError::with_source(StoreErrorKind::Refused, what))
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Store(error) => error,
            error => Self::with_source(StoreErrorKind::Unavailable, error),
        }
    }
}

/// Failures in a row after which it is left alone.
const FAILURES_MAX: u32 = 5;
