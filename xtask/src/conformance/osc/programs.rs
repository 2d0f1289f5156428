//! Clients that are started once: `clients.py` has them loaded and forks for each command.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::suite::Run;

/// What became of a command.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The process that runs commands. Killed when dropped.
pub(super) struct Programs {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
    verbose: bool,
}

impl Programs {
    /// Starts it, in the folder of the run.
    ///
    /// # Errors
    /// There is no such Python.
    pub(super) fn start(run: &Run<'_>) -> Result<Self> {
        let mut command = Command::new(run.bin.join("python"));
        run.clear(&mut command);
        let mut child = command
            .arg(run.tests().join("clients.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the clients")?;
        Ok(Self {
            words: child.stdin.take().context("no stdin")?,
            answers: BufReader::new(child.stdout.take().context("no stdout")?),
            child,
            verbose: run.is_verbose(),
        })
    }

    /// Runs one command.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn run(
        &mut self,
        program: &str,
        words: &[String],
        environment: &[(&str, String)],
    ) -> Result<Answer> {
        let environment: BTreeMap<&str, &String> = environment
            .iter()
            .map(|(name, value)| (*name, value))
            .collect();
        let order = json!({"program": program, "words": words, "environment": environment});
        writeln!(self.words, "{order}").context("asking the clients")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the clients have ended");
        let answer: Answer =
            serde_json::from_str(&line).with_context(|| format!("reading {line:?}"))?;
        if self.verbose {
            println!("{program} {}\n{}", words.join(" "), answer.show());
        }
        Ok(answer)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    /// For people.
    pub(super) fn show(&self) -> String {
        format!(
            "code: {}\nstdout: {}\nstderr: {}",
            self.code,
            self.stdout.trim(),
            self.stderr.trim()
        )
    }
}
