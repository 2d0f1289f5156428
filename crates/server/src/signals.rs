//! What the operator and the state of storage tell a running server to do.

use std::{io, path::PathBuf, sync::Arc};

use donjon_app::Policy;
use donjon_storage_sqlite::StopCause;
use donjon_transport::Tls;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    notify::{State, notify},
    policy,
};

/// How urgent it is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stop {
    NotYet,
    /// Finish what is in flight.
    Drain,
    /// Cut it.
    Now,
}

/// Tells everybody who waits for it to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stopper(watch::Sender<Stop>);

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// SIGHUP.
#[derive(Debug)]
pub(crate) struct ReloadSignal(Signal);

/// What SIGHUP reads again.
#[derive(Debug)]
pub(crate) struct Reloaded {
    pub(crate) tls: Option<Tls>,
    /// The rules in force, and the file that changes them.
    pub(crate) policy: Option<(Policy, PathBuf)>,
}

/// From now on signals are heard, and none ends the process by itself.
///
/// # Errors
/// As the system says.
pub(crate) fn listen() -> io::Result<(StopSignals, ReloadSignal)> {
    let stop = StopSignals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    Ok((stop, ReloadSignal(signal(SignalKind::hangup())?)))
}

impl Stopper {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Stop::NotYet))
    }

    /// Resolves when somebody asks for at least this.
    pub(crate) async fn wait_for(&self, stop: Stop) {
        let mut asked = self.0.subscribe();
        // The sender is here, so it cannot be gone.
        drop(asked.wait_for(|asked| *asked >= stop).await);
    }

    fn ask(&self, stop: Stop) {
        self.0.send_if_modified(|asked| {
            let is_more = *asked < stop;
            if is_more {
                *asked = stop;
            }
            is_more
        });
    }
}

impl StopSignals {
    /// The first signal drains, the next one cuts. Never returns.
    pub(crate) async fn obey(mut self, stopper: Stopper) {
        let mut stop = Stop::Drain;
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            match stop {
                Stop::Now => tracing::warn!("{name} again: cutting the requests in flight"),
                _ => tracing::info!("{name}: finishing the requests in flight"),
            }
            stopper.ask(stop);
            stop = Stop::Now;
        }
    }
}

/// Stops the server when storage has stopped: nothing but a new start helps
/// then, and a supervisor sees to that.
pub(crate) async fn watch_storage(stopped: impl Future<Output = StopCause>, stopper: Stopper) {
    match stopped.await {
        StopCause::Damage => tracing::error!(
            "the database is damaged, and nothing is written any more: put it back from a backup"
        ),
        cause => tracing::error!(
            ?cause,
            "storage has stopped: finishing the requests in flight, then ending"
        ),
    }
    stopper.ask(Stop::Drain);
}

impl ReloadSignal {
    /// Reads files again at each signal. Never returns.
    pub(crate) async fn obey(mut self, reloaded: Reloaded) {
        let reloaded = Arc::new(reloaded);
        loop {
            self.0.recv().await;
            notify(State::Reloading);
            let reloaded = Arc::clone(&reloaded);
            let reading = tokio::task::spawn_blocking(move || reloaded.read_again());
            if let Err(error) = reading.await {
                tracing::error!(%error, "SIGHUP: files were not read");
            }
            // With what was in force before, where the files make no sense.
            notify(State::Ready);
        }
    }
}

impl Reloaded {
    /// What makes no sense leaves everything as it was, and one kind of file
    /// does not wait for the other.
    fn read_again(&self) {
        if self.tls.is_none() && self.policy.is_none() {
            tracing::info!("SIGHUP: no TLS files and no policy file to read again");
        }
        if let Some(tls) = &self.tls {
            match tls.reload() {
                Ok(()) => tracing::info!("SIGHUP: TLS files are read again"),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "SIGHUP: TLS files make no sense; those from before stay in use"
                ),
            }
        }
        if let Some((policy, path)) = &self.policy {
            match policy::read(policy, path) {
                Ok(overrides) => {
                    policy::warn(path, &overrides);
                    tracing::info!(
                        rules = overrides.rules,
                        "SIGHUP: the policy file is read again"
                    );
                }
                Err(error) => {
                    tracing::error!("SIGHUP: {error:#}; the rules from before stay in force")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_does_not_soften() {
        let stopper = Stopper::new();
        stopper.ask(Stop::Now);
        stopper.ask(Stop::Drain);
        stopper.wait_for(Stop::Drain).await;
        stopper.wait_for(Stop::Now).await;
    }

    #[tokio::test]
    async fn stopped_storage_stops_the_server() {
        let stopper = Stopper::new();
        let (storage_stops, stopped) = tokio::sync::oneshot::channel();
        let stopped = async { stopped.await.unwrap() };
        let watching = tokio::spawn(watch_storage(stopped, stopper.clone()));
        tokio::task::yield_now().await;
        assert!(!watching.is_finished());
        storage_stops.send(StopCause::Disk).unwrap();
        stopper.wait_for(Stop::Drain).await;
        watching.await.unwrap();
    }
}
