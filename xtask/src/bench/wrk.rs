//! Runs wrk with the script beside this file and reads its figures.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::NamedTempFile;

const SCRIPT: &str = include_str!("wrk.lua");

/// What to ask for.
#[derive(Clone, Debug)]
pub(crate) struct Load<'a> {
    /// `127.0.0.1:PORT`.
    pub(crate) host: &'a str,
    pub(crate) method: &'a str,
    /// `ID` in it becomes a random line of `ids`.
    pub(crate) path: &'a str,
    pub(crate) ids: Option<&'a Path>,
    pub(crate) body: Option<&'a str>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) connections: u32,
    pub(crate) seconds: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Figures {
    requests: u64,
    micros: u64,
    refused: u64,
    broken: u64,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
}

impl Figures {
    /// Answers per second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of a run are far below 2^52"
    )]
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 * 1e6 / (self.micros.max(1) as f64)
    }
}

/// # Errors
/// wrk is lacking.
pub(crate) fn check() -> Result<()> {
    let found = Command::new("wrk")
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match found {
        Ok(_) => Ok(()),
        Err(error) => bail!("wrk is lacking ({error}); on Debian: apt-get install wrk"),
    }
}

/// # Errors
/// wrk does not run, or an answer was no success.
pub(crate) fn run(load: &Load<'_>) -> Result<Figures> {
    let script = NamedTempFile::with_suffix(".lua")?;
    std::fs::write(script.path(), SCRIPT)?;
    let mut command = Command::new("wrk");
    command.args(["--threads", "2", "--timeout", "10"]);
    command.args([
        "--connections",
        &load.connections.to_string(),
        "--duration",
        &format!("{}s", load.seconds),
    ]);
    command
        .arg("--script")
        .arg(script.path())
        .arg(format!("http://{}/", load.host))
        .arg("--");
    command.args([load.method, load.path]);
    command
        .arg(load.ids.unwrap_or(Path::new("-")))
        .arg(load.body.unwrap_or("-"));
    command.args(load.headers.iter().flat_map(|(name, value)| [name, value]));
    let output = command.output().context("running wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let Some(result) = result else {
        bail!(
            "wrk gave no result: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let figures: Figures = serde_json::from_str(result)?;
    let what = format!("{} {}", load.method, load.path);
    ensure!(figures.requests > 0, "{what}: no answer at all");
    ensure!(
        figures.refused == 0,
        "{what}: {} answers were no success",
        figures.refused
    );
    ensure!(
        figures.broken == 0,
        "{what}: {} requests got no answer",
        figures.broken
    );
    Ok(figures)
}
