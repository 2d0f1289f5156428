//! Log lines: tracing events on stderr, for people or as JSON.
//!
//! A request never waits for whoever reads the log: its lines go into a bounded
//! queue that a thread of its own empties. When the reader is too slow, lines
//! are dropped and counted.

mod queue;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
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

/// Reads the directives of a log level: levels alone, and `TARGET=LEVEL`.
///
/// # Errors
/// They are none. A word alone that is no level is one too: the filter would
/// take it for a target, and log nothing else.
pub(crate) fn check_level(level: &str) -> Result<EnvFilter> {
    let wrong = |directive: &str| {
        format!(
            "{directive:?} has to be error, warn, info, debug, trace or off, or TARGET=LEVEL such as \
             donjon::access=warn; several are separated by commas"
        )
    };
    let directives: Vec<&str> = level.split(',').map(str::trim).collect();
    for directive in &directives {
        ensure!(is_directive(directive), wrong(directive));
    }
    EnvFilter::try_new(directives.join(",")).with_context(|| wrong(level))
}

fn is_directive(text: &str) -> bool {
    match text.split_once('=') {
        None => is_level(text),
        Some((target, level)) => is_target(target) && is_level(level),
    }
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level))
}

/// Whether a target can be one: the path of a module.
fn is_target(text: &str) -> bool {
    text.split("::").all(|name| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(is_plain)
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

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];

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
    fn a_word_that_is_no_level_is_no_directive() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,donjon::access=warn",
            "info, donjon_transport=debug",
        ] {
            check_level(good).unwrap();
        }
        for bad in [
            "",
            "verbose",
            "nonsense!!",
            "info,",
            "info,verbose",
            "donjon::access",
            "donjon=verbose",
            "don jon=info",
            "=info",
            "a=b=c",
            "donjon::=info",
            "donjon[span]=info",
        ] {
            let error = check_level(bad).unwrap_err().to_string();
            assert!(error.contains("error, warn, info, debug, trace"), "{error}");
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
