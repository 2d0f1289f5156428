//! Runs the program and talks to it.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Mutex, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// In the folder of the test.
pub(crate) const CONFIG: &str = "donjon.toml";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder for one test, and the program working in it.
pub(crate) struct Rig {
    folder: TempDir,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Locked, so that threads may share a server that they send requests to.
    lines: Mutex<mpsc::Receiver<String>>,
    reader: Option<JoinHandle<()>>,
    /// What it wrote so far.
    pub(crate) log: Vec<String>,
    /// `127.0.0.1:PORT`, or the path of a socket.
    pub(crate) address: String,
}

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

// === Rig ===

impl Rig {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("donjon-")
            .tempdir()
            .unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path("donjon-data").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        chmod(&path, mode);
        path
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.data(name)).unwrap().mode() & 0o7777
    }

    pub(crate) fn first_token(&self) -> String {
        let text = fs::read_to_string(self.data("first-token")).unwrap();
        text.trim_end().to_owned()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_donjon"));
        for (name, _) in std::env::vars_os() {
            if is_setting(&name) {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (sender, output) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        match output.recv_timeout(PATIENCE) {
            Ok(output) => output.unwrap().into(),
            Err(_) => {
                kill_process(pid, Signal::KILL).unwrap();
                panic!("{args:?} does not end");
            }
        }
    }

    /// Runs a verb that has to fail with this code and say this.
    pub(crate) fn refused(&self, args: &[&str], code: i32, text: &str) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("donjon: "), "{}", ended.stderr);
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
        ended
    }

    /// Writes the configuration that [`Self::serve_configured`] takes.
    pub(crate) fn configure(&self, text: &str) {
        self.write(CONFIG, text, 0o600);
    }

    /// Names root keys and nothing else: lines of the table `root_key`.
    pub(crate) fn configure_root_key(&self, lines: &str) {
        self.configure(&format!("[root_key]\n{lines}\n"));
    }

    pub(crate) fn serve_configured(&self) -> Server {
        self.serve_with(&["--config", CONFIG])
    }

    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, args: &[&str]) -> Server {
        let mut all = vec!["serve"];
        if !args.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        all.extend(args);
        Server::start(self.command(&all))
    }
}

fn is_setting(name: &OsString) -> bool {
    name.to_string_lossy().starts_with("DONJON_")
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

// === Server ===

impl Server {
    pub(crate) fn start(command: Command) -> Self {
        let mut server = Self::spawn(command);
        let line = server.wait_for("listening on ");
        let (_, address) = line.split_once("listening on ").unwrap();
        let address = address.split(['"', ',']).next().unwrap().trim();
        let address = address
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_start_matches("unix:");
        server.address = address.to_owned();
        server
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines: Mutex::new(lines),
            reader: Some(reader),
            log: Vec::new(),
            address: String::new(),
        }
    }

    /// Reads the log up to a line with this text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            match self.lines.get_mut().unwrap().recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {text:?}:\n{}", self.log.join("\n")),
            }
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for the end, and reads the rest of the log.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.log.extend(self.lines.get_mut().unwrap().try_iter());
        status
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait().code()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        read_answer(&mut stream)
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&request("GET", path, headers, ""))
    }

    pub(crate) fn with_token(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let headers = [
            ("X-Auth-Token", token),
            ("Content-Type", "application/json"),
        ];
        self.send(&request(method, path, &headers, body))
    }

    /// Stores a secret and gives its path.
    pub(crate) fn store(&self, token: &str, payload: &str) -> String {
        let body = format!(r#"{{"payload": "{payload}", "payload_content_type": "text/plain"}}"#);
        let answer = self.with_token("POST", "/v1/secrets", token, &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        let (_, rest) = answer.body.split_once("/v1/secrets/").unwrap();
        format!("/v1/secrets/{}", rest.split('"').next().unwrap())
    }

    pub(crate) fn read(&self, token: &str, secret: &str) -> Answer {
        let path = format!("{secret}/payload");
        self.get(&path, &[("X-Auth-Token", token), ("Accept", "text/plain")])
    }

    /// Whether a token is let in.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        match self.get("/v1/secrets", &[("X-Auth-Token", token)]).status {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text
}

/// Reads to the end of the connection.
pub(crate) fn read_answer(stream: &mut impl Read) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
