//! A real PyKMIP server from PyPI, on a port of this machine, with certificates of an authority of its own.
//!
//! It keeps its data in a folder, so that it can be killed and started again.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::kit::daemon::Daemon;
use crate::kit::{python, workspace};

/// With what it was tried with: it takes any.
const PACKAGES: &[&str] = &[
    "pykmip==0.11.0",
    "sqlalchemy==2.1.9",
    "cryptography==50.0.2",
];

/// A PyKMIP, running or not. Its process and its data go away with this value.
#[derive(Debug)]
pub(crate) struct PyKmip {
    python: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
    // Dropped after the process.
    folder: TempDir,
}

impl PyKmip {
    /// Installs and starts one.
    ///
    /// # Errors
    /// It cannot be had, or does not start.
    pub(crate) fn start() -> Result<Self> {
        let mut pykmip = Self {
            python: python::environment("pykmip", PACKAGES)?.join("python"),
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            daemon: None,
            folder: tempfile::Builder::new().prefix("pykmip-").tempdir()?,
        };
        pykmip.start_again()?;
        Ok(pykmip)
    }

    /// Starts it again on its data.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        let mut command = Command::new(&self.python);
        command
            .arg(workspace::root().join("xtask/src/kit/serve_pykmip.py"))
            .arg(self.folder())
            .arg(self.port.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.folder());
        let log = self.folder().join("output.log");
        let daemon = Daemon::start(&mut command, &log).context("starting PyKMIP")?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Ends it at once (SIGKILL), as often as somebody likes.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where `ca.pem`, `client.pem` and `client.key` are, and `database.sqlite`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lines for one of Donjon's `[[secret_stores]]`: this one.
    pub(crate) fn settings(&self) -> String {
        let folder = self.folder().display();
        format!(
            "plugin = \"kmip\"\nhost = \"127.0.0.1\"\nport = {}\nca_certs = \"{folder}/ca.pem\"\n\
             certfile = \"{folder}/client.pem\"\nkeyfile = \"{folder}/client.key\"\n",
            self.port
        )
    }
}
