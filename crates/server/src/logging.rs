//! Log lines: tracing events on stderr, for people or as JSON.
//!
//! A request never waits for whoever reads the log: its lines go into a bounded
//! queue that a thread of its own empties. When the reader is too slow, lines
//! are dropped and counted.

mod queue;

use std::time::Duration;

use anyhow::{Context, Result};
use tracing_subscriber::{EnvFilter, fmt};

pub(crate) use self::queue::Flusher;

use self::queue::Queue;
use crate::config::LogFormat;

/// Starts logging to stderr. Lines are written until the result is dropped.
///
/// # Errors
/// `level` is none, or logging was started before.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<Flusher> {
    let filter = check_level(level)?;
    let note_lost = match format {
        LogFormat::Text => |lost| format!(" WARN donjon::logging: {lost} log lines lost\n"),
        LogFormat::Json => |lost| {
            format!(
                "{{\"level\":\"WARN\",\"target\":\"donjon::logging\",\"message\":\"{lost} log lines lost\"}}\n"
            )
        },
    };
    let (queue, flusher) = Queue::start(std::io::stderr(), note_lost);
    let builder = fmt().with_env_filter(filter).with_writer(queue);
    let started = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error).context("logging cannot be started"))?;
    log_panics();
    Ok(flusher)
}

/// A time as log lines show it: with three digits behind the point.
pub(crate) fn milliseconds(took: Duration) -> f64 {
    took.as_micros() as f64 / 1_000.0
}

/// Reads the directives of a log level.
///
/// # Errors
/// They are none.
pub(crate) fn check_level(level: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(level).with_context(|| {
        format!("{level:?} has to be error, warn, info, debug, trace, or TARGET=LEVEL, separated by commas")
    })
}

/// A panic is a line of the log like any other. Requests survive it. Its text
/// may hold what somebody sent, so that the line says where, and nothing else.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref().unwrap_or("unknown"), "panic");
    }));
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        panic::catch_unwind,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// A log in memory.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_says_where_and_not_what() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || {
            log_panics();
            let text = "swordfish".to_owned();
            assert!(catch_unwind(|| panic!("{text}")).is_err());
            drop(std::panic::take_hook());
        });
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("logging.rs:"), "{log}");
        assert!(!log.contains("swordfish"), "{log}");
    }
}
