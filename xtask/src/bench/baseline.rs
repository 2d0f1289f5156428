//! The bare programs that the server is measured against: bench targets of `transport` and `storage-sqlite`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::kit::run;

/// A bare hyper server; killed when dropped.
#[derive(Debug)]
pub(crate) struct BareHyper {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
}

impl BareHyper {
    /// # Errors
    /// It does not say where it listens.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        // It ends when its stdin is closed, so that is kept open.
        let mut child = Command::new(program)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut server = Self {
            child,
            host: String::new(),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        server.host = line
            .trim()
            .strip_prefix("listening on ")
            .with_context(|| format!("the bare server says {line:?}"))?
            .trim_start_matches("http://")
            .to_owned();
        Ok(server)
    }
}

impl Drop for BareHyper {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs the bare insert loop for some seconds on the disk of `folder`, and gives its rows per second.
///
/// # Errors
/// It fails or prints no figure.
pub(crate) fn bare_insert(program: &Path, folder: &Path, seconds: u32) -> Result<f64> {
    let mut command = Command::new(program);
    command
        .args(["--run", "--seconds", &seconds.to_string(), "--dir"])
        .arg(folder);
    let output = run::stdout(&mut command)?;
    let text = String::from_utf8_lossy(&output);
    let figure = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("rows_per_second:"));
    figure
        .and_then(|figure| figure.trim().parse().ok())
        .with_context(|| format!("no rows_per_second in {text:?}"))
}
