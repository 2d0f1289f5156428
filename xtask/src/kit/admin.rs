//! Asks a running server on its admin socket, as `donjon rotate` does, without starting a program for it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

const SOCKET: &str = "admin.sock";
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// How far changes of keys are, as the server says.
#[derive(Debug, Deserialize)]
pub(crate) struct RotationStatus {
    pub(crate) current: String,
    pub(crate) root_keys: Vec<KeyCount>,
    /// Rows that are under retired keys of projects.
    pub(crate) retired_rows: u64,
    pub(crate) left: u64,
}

/// How many keys a root key wraps.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct KeyCount {
    pub(crate) id: String,
    pub(crate) keys: u64,
}

/// Puts a request to the server of this data folder.
///
/// # Errors
/// No answer, or one that says that it was not done.
pub(crate) fn ask(data_dir: &Path, request: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(data_dir.join(SOCKET)).context("the admin socket")?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: Value =
        serde_json::from_str(&line).with_context(|| format!("{request}: {line:?}"))?;
    let outcome = answer.get("outcome").and_then(Value::as_str);
    ensure!(
        !matches!(outcome, None | Some("refused" | "failed")),
        "{request}: {answer}"
    );
    Ok(answer)
}

/// # Errors
/// As [`ask`].
pub(crate) fn rotation_status(data_dir: &Path) -> Result<RotationStatus> {
    let answer = ask(data_dir, &json!({"verb": "rotate-status"}))?;
    Ok(serde_json::from_value(answer)?)
}
