//! Runs a server of somebody else's in the background until it is dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a start may take, with the making of a database.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// A program that prints `listening on PORT` once it answers. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command` and waits until it listens. Its stderr comes to the end of `log`.
    ///
    /// # Errors
    /// It ended, or does not listen in time; the message has the end of the log.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let output = log.with_extension("out");
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("running {}", command.get_program().to_string_lossy()))?;
        let mut daemon = Self {
            child,
            port: 0,
            log: log.to_owned(),
        };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(port) = listening_on(&fs::read_to_string(&output)?) {
                daemon.port = port;
                return Ok(daemon);
            }
            if let Some(status) = daemon.child.try_wait()? {
                bail!("it ended with {status}\n{}", daemon.log_tail());
            }
            thread::sleep(POLL);
        }
        bail!(
            "it does not listen within {PATIENCE:?}\n{}",
            daemon.log_tail()
        )
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// # Errors
    /// There is no such process any more.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// The last lines of the log.
    fn log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(20);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn listening_on(output: &str) -> Option<u16> {
    let (_, rest) = output.split_once("listening on ")?;
    let (port, _) = rest.split_once('\n')?;
    port.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_port_in_a_whole_line() {
        assert_eq!(listening_on("a\nlistening on 4123\n"), Some(4123));
        assert_eq!(listening_on("listening on 41"), None);
    }

    #[test]
    fn an_early_end_is_told_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no luck >&2; exit 3"]);
        let error = Daemon::start(&mut command, &folder.path().join("log")).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("no luck") && error.contains('3'), "{error}");
    }
}
