//! The real program on a port that the system chooses, in a folder of its own.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    client::{Caller, Connection, Target},
    process::Process,
    wait::PATIENCE,
};

/// How to start a server. Its folder goes away with it.
#[derive(Debug)]
pub(crate) struct Launch {
    binary: PathBuf,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
    listen: Vec<String>,
    folder: TempDir,
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    /// `127.0.0.1:PORT`, or empty where it listens on no port.
    host: String,
    launch: Launch,
}

impl Launch {
    /// A server that believes those who `auth` says.
    pub(crate) fn new(auth: &str) -> Self {
        Self {
            binary: env!("CARGO_BIN_EXE_donjon").into(),
            arguments: vec!["--auth".to_owned(), auth.to_owned()],
            env: Vec::new(),
            listen: vec!["127.0.0.1:0".to_owned()],
            folder: tempfile::Builder::new()
                .prefix("donjon-")
                .tempdir()
                .unwrap(),
        }
    }

    /// Another build of the program.
    pub(crate) fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = binary;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.arguments.push(flag.to_owned());
        self
    }

    /// Listens at these addresses and no others.
    pub(crate) fn listen(mut self, addresses: &[&str]) -> Self {
        self.listen = addresses
            .iter()
            .map(|&address| address.to_owned())
            .collect();
        self
    }

    /// A folder for what belongs to the test, the data folder and the log among it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data_dir().join("donjon.db")
    }

    /// What the servers wrote to stderr, all starts after one another.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// What the servers wrote to stdout.
    pub(crate) fn stdout_file(&self) -> PathBuf {
        self.folder.path().join("server.out")
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn start(self) -> Server {
        let process = self.process();
        let address = process.wait_for_log(listening_on);
        let host = address
            .split_once("://")
            .map_or("", |(_, host)| host)
            .to_owned();
        Server {
            process,
            host,
            launch: self,
        }
    }

    /// Starts a server that is expected to end by itself, and waits for that.
    pub(crate) fn start_in_vain(&self) -> (ExitStatus, String) {
        let mut process = self.process();
        let status = process.wait();
        (status, process.log())
    }

    fn process(&self) -> Process {
        let stdout = File::options()
            .create(true)
            .append(true)
            .open(self.stdout_file())
            .unwrap();
        let mut command = self.command();
        command.arg("serve").args(&self.arguments);
        command.arg("--data-dir").arg(self.data_dir());
        for address in &self.listen {
            command.args(["--listen", address]);
        }
        Process::start(command.stdout(stdout), self.log_file())
    }

    /// The program, in the folder of this launch, configured by it alone.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"DONJON_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a verb on the data folder, whatever comes of it.
    pub(crate) fn verb(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.args(arguments).arg("--data-dir");
        command.arg(self.data_dir()).output().unwrap()
    }

    /// Runs `donjon token ...` on the data folder.
    pub(crate) fn token_verb(&self, arguments: &[&str]) -> Output {
        let output = self.verb(&[&["token"], arguments].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Makes a token with `donjon token create`.
    pub(crate) fn token(&self, project: &str, user: &str, roles: &[&str]) -> String {
        let mut arguments = vec!["create", "--project", project, "--user", user];
        arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
        let output = self.token_verb(&arguments);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn first_token(&self) -> String {
        let text = std::fs::read_to_string(self.data_dir().join("first-token")).unwrap();
        text.trim().to_owned()
    }
}

impl Server {
    pub(crate) fn new(auth: &str) -> Self {
        Launch::new(auth).start()
    }

    pub(crate) fn launch(&self) -> &Launch {
        &self.launch
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.host)
    }

    /// A connection that nothing was sent on yet.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&Target::Tcp(self.host.clone()))
    }

    /// Somebody without any header.
    pub(crate) fn nobody(&self) -> Caller {
        Caller::new(Target::Tcp(self.host.clone()))
    }

    /// The holder of a token.
    pub(crate) fn holder(&self, token: &str) -> Caller {
        self.nobody().with("X-Auth-Token", token)
    }

    /// The holder of a new token.
    pub(crate) fn caller(&self, project: &str, user: &str, roles: &[&str]) -> Caller {
        self.holder(&self.launch.token(project, user, roles))
    }

    /// Somebody whom `noauth` takes for a member of the project.
    pub(crate) fn member_of(&self, project: &str) -> Caller {
        self.nobody()
            .with("X-Project-Id", project)
            .with("X-User-Id", "somebody")
            .with("X-Roles", "member")
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Panics
    /// If it does not end with code 0.
    pub(crate) fn stop(mut self) -> Launch {
        self.process.signal(Signal::TERM);
        let status = self.process.wait();
        assert_eq!(status.code(), Some(0), "{}", self.process.log());
        self.launch
    }

    /// Waits for an end that was asked for already.
    pub(crate) fn wait(mut self) -> (ExitStatus, Launch) {
        let status = self.process.wait();
        (status, self.launch)
    }

    /// Ends it without asking.
    pub(crate) fn kill(mut self) -> Launch {
        self.process.signal(Signal::KILL);
        self.process.wait();
        self.launch
    }

    pub(crate) fn restart(self) -> Self {
        self.stop().start()
    }

    /// Waits until the log has this many lines with `part`, and gives them.
    pub(crate) fn log_lines(&self, part: &str, count: usize) -> Vec<String> {
        self.process.wait_for_log(|log| {
            let lines: Vec<_> = log
                .lines()
                .filter(|line| line.contains(part))
                .map(str::to_owned)
                .collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Waits until nobody can connect any more.
    pub(crate) fn wait_until_closed(&self) {
        super::until("the port is closed", PATIENCE, || {
            std::net::TcpStream::connect(&self.host).err()
        });
    }
}

/// The address in `listening on ADDRESS`, once its line is complete.
fn listening_on(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on ")?;
    let (address, _) = rest.split_once(|c: char| c.is_whitespace() || c == '"' || c == ',')?;
    Some(address.to_owned())
}
