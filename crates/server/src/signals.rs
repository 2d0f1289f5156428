//! What the operator and the state of storage tell a running server to do.

use std::{io, sync::Arc, time::Duration};

use donjon_domain::ports::{Health, Repository};
use donjon_transport::Tls;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{MissedTickBehavior, interval},
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

/// SIGTERM and SIGINT, from the moment this is made.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
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
    /// # Errors
    /// As the system says.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

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
/// then, and a supervisor sees to that. Never returns before.
pub(crate) async fn watch_storage(repository: Arc<dyn Repository>, stopper: Stopper) {
    let mut pulse = interval(STORAGE_PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pulse.tick().await;
        if repository.health() == Health::Stopped {
            tracing::error!("storage has stopped: finishing the requests in flight, then ending");
            stopper.ask(Stop::Drain);
            return;
        }
    }
}

/// Reads the TLS files again at each SIGHUP. Never returns.
///
/// # Errors
/// As the system says, before the first signal.
pub(crate) async fn reload_tls(tls: Option<Tls>) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        hangup.recv().await;
        let Some(tls) = tls.clone() else {
            tracing::info!("SIGHUP: no TLS files to read again");
            continue;
        };
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("SIGHUP: TLS files are read again"),
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "SIGHUP: TLS files make no sense; those from before stay in use"
            ),
            Err(error) => tracing::error!(%error, "SIGHUP: TLS files were not read"),
        }
    }
}

const STORAGE_PULSE: Duration = Duration::from_millis(250);

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

    #[tokio::test(start_paused = true)]
    async fn stopped_storage_stops_the_server() {
        let repository = Arc::new(donjon_testkit::MemoryRepository::new());
        let stopper = Stopper::new();
        let watching = tokio::spawn(watch_storage(repository.clone(), stopper.clone()));
        tokio::time::sleep(10 * STORAGE_PULSE).await;
        assert!(!watching.is_finished());
        repository.set_health(Health::Stopped);
        stopper.wait_for(Stop::Drain).await;
        watching.await.unwrap();
    }
}
