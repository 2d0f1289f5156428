//! A newcomer's terminal: an empty folder, the programs on `PATH`, servers in the background.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::kit::workspace;

/// A server may have to be built first.
const START_PATIENCE: Duration = Duration::from_secs(1800);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Cargo commands work in this workspace, while the folder they are typed in stays the current one.
const PRELUDE: &str = r#"
cargo() { verb=$1; shift; command cargo --config "$WORKSPACE/.cargo/config.toml" "$verb" --manifest-path "$WORKSPACE/Cargo.toml" "$@"; }
if [ -f "$SHELL_STATE" ]; then . "$SHELL_STATE"; fi
set -a
"#;

#[derive(Debug)]
pub(crate) struct Shell {
    folder: TempDir,
    path: String,
    servers: Vec<Background>,
    env: Vec<(String, String)>,
}

/// A server and what it has written.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    log: PathBuf,
}

impl Shell {
    /// `binary` is what `donjon` means in it.
    ///
    /// # Errors
    /// No temporary folder.
    pub(crate) fn new(binary: &Path) -> Result<Self> {
        let programs = binary.parent().context("a program without a folder")?;
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Self {
            folder: tempfile::Builder::new().prefix("donjon-docs-").tempdir()?,
            path: format!("{}:{path}", programs.display()),
            servers: Vec::new(),
            env: Vec::new(),
        })
    }

    /// The current folder of the commands.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command to its end and gives its stdout. Variables that it sets stay set.
    ///
    /// # Errors
    /// It ended with another exit code than 0; the message holds its output.
    pub(crate) fn run(&self, command: &str) -> Result<String> {
        let script =
            format!("{command}\nshell_status=$?\nexport -p > \"$SHELL_STATE\"\nexit $shell_status");
        finish(&mut self.command(&script)?)
    }

    /// Runs commands that start one server in the background, without a pause between them, and stops it.
    ///
    /// # Errors
    /// As [`Self::run`], of the first command that fails.
    pub(crate) fn run_and_stop(&self, commands: &str) -> Result<String> {
        self.run(&format!(
            "(set -e; trap 'kill $!; wait' EXIT\n{commands}\n)"
        ))
    }

    /// Starts a server in the background and waits until it listens; gives what it has written.
    ///
    /// # Errors
    /// It ended, or does not listen.
    pub(crate) fn serve(&mut self, command: &str) -> Result<String> {
        let log = self
            .folder
            .path()
            .join(format!("server-{}", self.servers.len()));
        let file = File::create(&log)?;
        let child = self
            .command(command)?
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .context("running sh")?;
        let mut server = Background { child, log };
        let written = server.wait_until_listening()?;
        self.servers.push(server);
        Ok(written)
    }

    /// Stops all servers, as Ctrl-C or a service manager would.
    ///
    /// # Errors
    /// One does not end.
    pub(crate) fn stop_servers(&mut self) -> Result<()> {
        self.servers.drain(..).try_for_each(Background::stop)
    }

    fn command(&self, script: &str) -> Result<Command> {
        fs::create_dir_all(self.folder())?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{PRELUDE}{script}"));
        command.current_dir(self.folder()).stdin(Stdio::null());
        command
            .env("PATH", &self.path)
            .env("WORKSPACE", workspace::root());
        command.env("CARGO_TARGET_DIR", workspace::target());
        command.env("SHELL_STATE", self.folder.path().join("state"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

impl Background {
    fn wait_until_listening(&mut self) -> Result<String> {
        let started = Instant::now();
        while started.elapsed() < START_PATIENCE {
            let written =
                fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
            if written.contains("listening on ") && written.ends_with('\n') {
                return Ok(written);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{status}\n{written}");
            }
            thread::sleep(POLL);
        }
        bail!("it does not say where it listens within {START_PATIENCE:?}")
    }

    fn stop(mut self) -> Result<()> {
        kill_process_group(Pid::from_child(&self.child), Signal::TERM)?;
        let started = Instant::now();
        while started.elapsed() < STOP_PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("a server still runs {STOP_PATIENCE:?} after SIGTERM")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // The group may be gone already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        drop(self.child.wait());
    }
}

/// Runs a command to its end and gives its stdout.
///
/// # Errors
/// It ended with another exit code than 0; the message holds its output.
pub(crate) fn finish(command: &mut Command) -> Result<String> {
    let output = command.output().context("running a shell")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status;
    ensure!(
        status.success(),
        "{status}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A shell in which `donjon` is this script.
    fn shell(script: &str) -> (Shell, TempDir) {
        let programs = tempfile::tempdir().unwrap();
        let program = programs.path().join("donjon");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (Shell::new(&program).unwrap(), programs)
    }

    #[test]
    fn variables_and_folder_stay() {
        let (shell, _programs) = shell("");
        shell.run("NAME='a b'; echo x > file").unwrap();
        assert_eq!(shell.run("echo \"$NAME\"; cat file").unwrap(), "a b\nx\n");
    }

    #[test]
    fn failures_show_the_output() {
        let (shell, _programs) = shell("");
        let error = shell.run("echo told; false").unwrap_err().to_string();
        assert!(error.contains("told"), "{error}");
    }

    #[test]
    fn a_pasted_block_ends_with_its_server() {
        let (shell, _programs) = shell("echo served >&2; exec sleep 60");
        let pasted = shell.run_and_stop("donjon serve &\necho told");
        assert_eq!(pasted.unwrap(), "told\n");
        let failed = shell.run_and_stop("donjon serve &\nfalse\necho told");
        failed.unwrap_err();
    }

    #[test]
    fn servers_run_in_the_background_until_stopped() {
        let (mut shell, _programs) = shell("echo \"listening on $1\" >&2; exec sleep 60");
        assert_eq!(shell.serve("donjon serve").unwrap(), "listening on serve\n");
        shell.stop_servers().unwrap();
    }

    #[test]
    fn a_server_that_ends_is_an_error() {
        let (mut shell, _programs) = shell("echo sorry; exit 3");
        let error = shell.serve("donjon serve").unwrap_err().to_string();
        assert!(error.contains("sorry") && error.contains('3'), "{error}");
    }
}
