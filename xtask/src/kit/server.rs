//! Starts and stops the `donjon` program.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64ct::{Base64, Encoding as _};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::kit::http::{self, Request};
use crate::kit::random::Random;
use crate::kit::run;

/// How long a start or a clean stop may take.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

/// How to start a server. The data folder and the log go away with this value.
#[derive(Debug)]
pub(crate) struct Launch {
    binary: PathBuf,
    auth: String,
    folder: TempDir,
    env: Vec<(String, String)>,
    flags: Vec<&'static str>,
    /// What stands in front of the command line.
    front: Vec<String>,
    config: Option<PathBuf>,
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    host: String,
    log: PathBuf,
    /// Kept so that the folder stays as long as the server, where nobody else holds it.
    launch: Option<Launch>,
}

impl Launch {
    /// A server with a fresh data folder. `auth` is the value of `--auth`.
    ///
    /// # Errors
    /// No temporary folder.
    pub(crate) fn new(binary: &Path, auth: &str) -> Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            auth: auth.to_owned(),
            folder: tempfile::Builder::new().prefix("donjon-").tempdir()?,
            env: Vec::new(),
            flags: Vec::new(),
            front: Vec::new(),
            config: None,
        })
    }

    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// As if it had not been set.
    pub(crate) fn forget(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    pub(crate) fn flag(&mut self, flag: &'static str) {
        self.flags.push(flag);
    }

    /// Starts the server by another program, which has to become it.
    pub(crate) fn within(&mut self, front: &[String]) {
        front.clone_into(&mut self.front);
    }

    /// Gives the server this configuration file, in place of another one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn config(&mut self, text: &str) -> Result<()> {
        let path = self.folder.path().join("donjon.toml");
        fs::write(&path, text)?;
        self.config = Some(path);
        Ok(())
    }

    /// A file that the server's user alone can read, and its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn secret(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(path)
    }

    /// A root key in a file of this name, and its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn root_key(&self, name: &str, random: &mut Random) -> Result<PathBuf> {
        self.secret(name, &Base64::encode_string(&random.bytes(32)))
    }

    /// The data folder; the first start makes it.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the servers wrote to stderr, all starts after one another.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Leaves data folder and log where they are, and gives the folder that holds both.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Starts a server that keeps the folders of this value.
    ///
    /// # Errors
    /// As [`Launch::start_again`].
    pub(crate) fn start(self) -> Result<Server> {
        let mut server = self.start_again()?;
        server.launch = Some(self);
        Ok(server)
    }

    /// Starts a server on the data folder as it is, and waits until it answers.
    ///
    /// # Errors
    /// It ended or did not answer in time; the message holds the end of its log.
    pub(crate) fn start_again(&self) -> Result<Server> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let logged = usize::try_from(log.metadata()?.len())?;
        let child = self
            .command()
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))?;
        let mut server = Server {
            child,
            host: String::new(),
            log: self.log(),
            launch: None,
        };
        server.wait_until_ready(logged)?;
        Ok(server)
    }

    /// The command line, without redirection of its stderr.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.verb(&["serve"]);
        command.args(["--listen", "127.0.0.1:0", "--auth", &self.auth]);
        command.args(&self.flags).stdout(Stdio::null());
        command
    }

    /// Another command line on the same data folder and configuration.
    pub(crate) fn verb(&self, words: &[&str]) -> Command {
        let mut command = run::within(&self.front, &self.binary);
        command.args(words).arg("--data-dir").arg(self.data_dir());
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }
}

impl Server {
    /// `http://127.0.0.1:PORT`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.host)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// It did not end in time, or not with exit code 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(self.process(), Signal::TERM)?;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                ensure!(
                    status.success(),
                    "the server ended with {status} after SIGTERM\n{}",
                    self.log_tail()
                );
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!(
            "the server still runs {PATIENCE:?} after SIGTERM\n{}",
            self.log_tail()
        )
    }

    /// Ends the server at once (SIGKILL).
    ///
    /// # Errors
    /// The process could not be killed.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn wait_until_ready(&mut self, logged: usize) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}\n{}", self.log_tail());
            }
            if self.host.is_empty() {
                let log = fs::read(&self.log)?;
                self.host = listening_on(&String::from_utf8_lossy(
                    log.get(logged..).unwrap_or_default(),
                ))
                .unwrap_or_default();
            }
            if !self.host.is_empty() && self.is_healthy() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!(
            "the server does not answer within {PATIENCE:?}\n{}",
            self.log_tail()
        )
    }

    fn is_healthy(&self) -> bool {
        let request = Request::new("GET", "/healthcheck");
        http::once(&self.host, &request, Duration::from_secs(5))
            .is_ok_and(|response| response.status == 200)
    }

    /// The last lines of the log.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(20);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in a line that holds `listening on http://ADDRESS`.
fn listening_on(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on http://")?;
    let (address, _) = rest.split_once(|c: char| c.is_whitespace() || c == '"' || c == ',')?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::listening_on;

    #[test]
    fn finds_the_address() {
        let log = "2026-01-02T03:04:05Z INFO donjon: listening on http://127.0.0.1:41234\nmore";
        assert_eq!(listening_on(log).as_deref(), Some("127.0.0.1:41234"));
        assert_eq!(listening_on("listening on http://127.0.0.1:4"), None);
        assert_eq!(listening_on("nothing"), None);
    }
}
