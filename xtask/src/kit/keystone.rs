//! A real Keystone with the projects, users and roles that the suites need.
//!
//! Either one of our own, installed from PyPI, on SQLite, on a port of this machine; or the one that the caller's
//! `OS_*` variables lead to, where the users are made for the run and removed after it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::kit::daemon::Daemon;
use crate::kit::http::{self, Request};
use crate::kit::{python, workspace};

pub(crate) const VERSION: &str = "30.0.0";
const REGION: &str = "RegionOne";
const ANSWER_WAIT: Duration = Duration::from_secs(30);

const PROJECTS: &[&str] = &["service", "demo", "other"];

/// Name, project and roles. The roles of OpenStack imply each other as Keystone's bootstrap says (admin, manager,
/// member, reader); the others are Barbican's old ones.
const USERS: &[(&str, &str, &[&str])] = &[
    ("donjon", "service", &["service"]),
    ("nova", "service", &["service", "member"]),
    ("project-admin", "demo", &["admin"]),
    ("manager", "demo", &["manager"]),
    ("member", "demo", &["member"]),
    ("second-member", "demo", &["member"]),
    ("reader", "demo", &["reader"]),
    ("creator", "demo", &["creator"]),
    ("observer", "demo", &["observer"]),
    ("audit", "demo", &["audit"]),
    ("service-admin", "demo", &["key-manager:service-admin"]),
    (
        "everything",
        "demo",
        &["admin", "creator", "key-manager:service-admin"],
    ),
    ("stranger", "other", &["member", "creator"]),
];

/// A user in one project. All of domain `Default`.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) password: String,
    pub(crate) project: String,
    pub(crate) project_id: String,
}

/// A Keystone to ask, as its administrator.
#[derive(Debug)]
pub(crate) struct Keystone {
    own: Option<Own>,
    /// `HOST:PORT`.
    host: String,
    /// What stands before `/v3`; empty, or a path that begins with a slash.
    prefix: String,
    /// Where the key manager stands in the catalog.
    region: String,
    admin: User,
    /// Of the administrator, for all of a run.
    token: String,
    users: BTreeMap<&'static str, User>,
    /// Paths of what has to be removed after the run.
    made: Vec<String>,
}

/// The process and its folder.
#[derive(Debug)]
struct Own {
    daemon: RefCell<Option<Daemon>>,
    python: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Keystone {
    /// Installs and starts one.
    ///
    /// # Errors
    /// It cannot be had, or does not start.
    pub(crate) fn start() -> Result<Self> {
        let package = format!("keystone=={VERSION}");
        let python = python::environment("keystone", &[&package])?.join("python");
        let folder = tempfile::Builder::new().prefix("keystone-").tempdir()?;
        let password = random_password()?;
        fs::write(folder.path().join("keystone.conf"), settings(&folder))?;
        let mut own = Own {
            daemon: RefCell::new(None),
            python,
            folder,
            port: 0,
        };
        own.port = own.start(&password)?;
        let host = format!("127.0.0.1:{}", own.port);
        let admin = named("admin", "admin", password);
        Self::prepare(Some(own), host, String::new(), REGION.to_owned(), admin)
    }

    /// The one of the caller's environment, whose user has to be an administrator.
    ///
    /// # Errors
    /// A variable is missing, or Keystone does not let the user in.
    pub(crate) fn of_environment() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).with_context(|| {
                format!("--against needs {name} and the other OS_* variables of an administrator")
            })
        };
        let url = variable("OS_AUTH_URL")?;
        let rest = url
            .strip_prefix("http://")
            .context("OS_AUTH_URL has to begin with http://")?;
        let rest = rest.trim_end_matches('/').trim_end_matches("/v3");
        let (host, prefix) = match rest.split_once('/') {
            Some((host, path)) => (host, format!("/{path}")),
            None => (rest, String::new()),
        };
        let admin = named(
            &variable("OS_USERNAME")?,
            &variable("OS_PROJECT_NAME")?,
            variable("OS_PASSWORD")?,
        );
        let host = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let region = std::env::var("OS_REGION_NAME").unwrap_or_else(|_| REGION.to_owned());
        Self::prepare(None, host, prefix, region, admin)
    }

    fn prepare(
        own: Option<Own>,
        host: String,
        prefix: String,
        region: String,
        admin: User,
    ) -> Result<Self> {
        let mut keystone = Self {
            own,
            host,
            prefix,
            region,
            admin,
            token: String::new(),
            users: BTreeMap::new(),
            made: Vec::new(),
        };
        let (token, body) = keystone.token_of(&keystone.admin)?;
        keystone.token = token;
        let id = |place: &str| {
            body.pointer(place)
                .and_then(Json::as_str)
                .map(str::to_owned)
        };
        keystone.admin.id = id("/token/user/id").context("a token without user")?;
        keystone.admin.project_id = id("/token/project/id").context("a token without project")?;
        keystone.populate()?;
        Ok(keystone)
    }

    /// `http://HOST:PORT/v3`.
    pub(crate) fn auth_url(&self) -> String {
        format!("http://{}{}/v3", self.host, self.prefix)
    }

    /// Where the key manager stands in the catalog.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The administrator, with the role on the project `admin` and on the system.
    pub(crate) fn admin(&self) -> &User {
        &self.admin
    }

    /// A user by its name in the list above. Its real name may differ.
    ///
    /// # Errors
    /// There is no such user.
    pub(crate) fn user(&self, name: &str) -> Result<&User> {
        let found = self.users.get(name);
        found.with_context(|| format!("no user {name} in Keystone"))
    }

    /// All users but the administrator, by their names in the list above.
    pub(crate) fn users(&self) -> impl Iterator<Item = (&'static str, &User)> {
        self.users.iter().map(|(name, user)| (*name, user))
    }

    /// A fresh token of the user, for its project.
    ///
    /// # Errors
    /// Keystone does not give one.
    pub(crate) fn token(&self, user: &User) -> Result<String> {
        Ok(self.token_of(user)?.0)
    }

    /// Sends a request of the administrator to `/v3{path}` and gives the JSON of the answer, `null` without one.
    ///
    /// # Errors
    /// Another status than 2xx.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json> {
        let (status, answer) = self.send(method, path, body)?;
        ensure!(
            (200..300).contains(&status),
            "Keystone answers {method} {path} with {status}: {answer}"
        );
        Ok(answer)
    }

    /// Writes into the catalog where the key manager is, in place of where it was before. Only in a Keystone of our own.
    ///
    /// # Errors
    /// Keystone refuses.
    pub(crate) fn set_key_manager(&self, url: &str) -> Result<()> {
        let services = self.ask("GET", "/services?type=key-manager", None)?;
        let service = match services.pointer("/services/0/id").and_then(Json::as_str) {
            Some(id) => id.to_owned(),
            None => {
                let service = json!({"service": {"type": "key-manager", "name": "barbican"}});
                let made = self.ask("POST", "/services", Some(&service))?;
                text(&made, "/service/id")?
            }
        };
        let endpoints = self.ask("GET", &format!("/endpoints?service_id={service}"), None)?;
        let endpoints = endpoints.get("endpoints").and_then(Json::as_array);
        for endpoint in endpoints.into_iter().flatten() {
            self.ask(
                "DELETE",
                &format!("/endpoints/{}", text(endpoint, "/id")?),
                None,
            )?;
        }
        for interface in ["public", "internal", "admin"] {
            let endpoint = json!({"endpoint": {
                "service_id": service, "interface": interface, "url": url, "region_id": REGION,
            }});
            self.ask("POST", "/endpoints", Some(&endpoint))?;
        }
        Ok(())
    }

    /// Ends the process at once. Only a Keystone of our own.
    ///
    /// # Errors
    /// It is somebody else's.
    pub(crate) fn stop(&self) -> Result<()> {
        let own = self.own.as_ref().context("this Keystone is not ours")?;
        drop(own.daemon.take());
        Ok(())
    }

    /// Starts it again after [`Keystone::stop`], on the same port and database.
    ///
    /// # Errors
    /// It is somebody else's, or does not start.
    pub(crate) fn start_again(&self) -> Result<()> {
        let own = self.own.as_ref().context("this Keystone is not ours")?;
        own.start("").map(drop)
    }

    /// Keeps the process from doing anything, until [`Keystone::resume`]. Only a Keystone of our own.
    ///
    /// # Errors
    /// It is somebody else's, or does not run.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// # Errors
    /// As [`Keystone::pause`].
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let own = self.own.as_ref().context("this Keystone is not ours")?;
        let daemon = own.daemon.borrow();
        let daemon = daemon.as_ref().context("Keystone does not run")?;
        daemon.signal(signal)
    }

    /// Waits until it tells who the administrator is.
    ///
    /// # Errors
    /// It does not within `patience`.
    pub(crate) fn wait_until_well(&self, patience: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.token(&self.admin) {
                Ok(_) => return Ok(()),
                Err(error) if began.elapsed() > patience => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// The variables that lead OpenStack's clients here as this user.
    pub(crate) fn openrc(&self, user: &User) -> Vec<(&'static str, String)> {
        vec![
            ("OS_AUTH_URL", self.auth_url()),
            ("OS_IDENTITY_API_VERSION", "3".to_owned()),
            ("OS_USERNAME", user.name.clone()),
            ("OS_PASSWORD", user.password.clone()),
            ("OS_PROJECT_NAME", user.project.clone()),
            ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
            ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
            ("OS_REGION_NAME", self.region.clone()),
        ]
    }

    // === users ===

    fn populate(&mut self) -> Result<()> {
        // Names in somebody's Keystone that nobody else uses.
        let prefix = if self.own.is_some() {
            ""
        } else {
            "conformance-"
        };
        let password = random_password()?;
        let mut projects = BTreeMap::new();
        for name in PROJECTS {
            let real = format!("{prefix}{name}");
            let id = self.make(
                "project",
                &real,
                json!({"name": real, "domain_id": "default"}),
            )?;
            projects.insert(*name, (real, id));
        }
        let mut roles = BTreeMap::new();
        for (name, project, wanted) in USERS {
            let (project, project_id) = projects.get(project).context("an unknown project")?;
            let real = format!("{prefix}{name}");
            let user = json!({"name": real, "domain_id": "default", "password": password});
            let id = self.make("user", &real, user)?;
            for role in *wanted {
                if !roles.contains_key(role) {
                    roles.insert(*role, self.role(role)?);
                }
                let role = roles.get(role).context("an unknown role")?;
                let path = format!("/projects/{project_id}/users/{id}/roles/{role}");
                self.ask("PUT", &path, None)?;
            }
            let user = User {
                name: real,
                id,
                password: password.clone(),
                project: project.clone(),
                project_id: project_id.clone(),
            };
            self.users.insert(name, user);
        }
        Ok(())
    }

    /// Makes a project or a user and gives its id; one that an interrupted run left is made anew.
    fn make(&mut self, kind: &str, name: &str, entity: Json) -> Result<String> {
        let left = self.ask("GET", &format!("/{kind}s?name={name}"), None)?;
        if let Some(id) = left
            .pointer(&format!("/{kind}s/0/id"))
            .and_then(Json::as_str)
        {
            self.ask("DELETE", &format!("/{kind}s/{id}"), None)?;
        }
        let made = self.ask("POST", &format!("/{kind}s"), Some(&json!({kind: entity})))?;
        let id = text(&made, &format!("/{kind}/id"))?;
        self.made.push(format!("/{kind}s/{id}"));
        Ok(id)
    }

    /// The id of a role, made if need be. It stays.
    fn role(&self, name: &str) -> Result<String> {
        let found = self.ask(
            "GET",
            &format!("/roles?name={}", name.replace(':', "%3A")),
            None,
        )?;
        if let Some(id) = found.pointer("/roles/0/id").and_then(Json::as_str) {
            return Ok(id.to_owned());
        }
        let made = self.ask("POST", "/roles", Some(&json!({"role": {"name": name}})))?;
        text(&made, "/role/id")
    }

    // === requests ===

    fn token_of(&self, user: &User) -> Result<(String, Json)> {
        let domain = json!({"name": "Default"});
        let request = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user.name, "domain": domain, "password": user.password,
            }}},
            "scope": {"project": {"name": user.project, "domain": domain}},
        }});
        let request = Request::new("POST", &format!("{}/v3/auth/tokens", self.prefix))
            .header("Content-Type", "application/json")
            .body(request.to_string());
        let response =
            http::once(&self.host, &request, ANSWER_WAIT).context("asking Keystone for a token")?;
        let token = response.header("X-Subject-Token");
        match (response.status, token) {
            (201, Some(token)) => Ok((token, response.json()?)),
            (status, _) => bail!(
                "Keystone gives {} no token, but {status}: {}",
                user.name,
                response.text()
            ),
        }
    }

    fn send(&self, method: &str, path: &str, body: Option<&Json>) -> Result<(u16, Json)> {
        let mut request = Request::new(method, &format!("{}/v3{path}", self.prefix))
            .header("X-Auth-Token", &self.token);
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let response = http::once(&self.host, &request, ANSWER_WAIT)
            .with_context(|| format!("asking Keystone: {method} {path}"))?;
        let answer = response.json().unwrap_or(Json::Null);
        Ok((response.status, answer))
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        if self.own.is_some() {
            return;
        }
        for path in self.made.iter().rev() {
            if let Err(error) = self.ask("DELETE", path, None) {
                eprintln!("left behind in Keystone: {path}: {error:#}");
            }
        }
    }
}

impl Own {
    /// Starts the process on the port, or on a free one if that is 0, and gives it.
    fn start(&self, password: &str) -> Result<u16> {
        let program = workspace::root().join("xtask/src/kit/serve_keystone.py");
        let mut command = Command::new(&self.python);
        command
            .arg(program)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("BOOTSTRAP_PASSWORD", password);
        let log = self.folder.path().join("keystone.log");
        let daemon = Daemon::start(&mut command, &log).context("starting Keystone")?;
        let port = daemon.port();
        self.daemon.replace(Some(daemon));
        Ok(port)
    }
}

fn settings(folder: &TempDir) -> String {
    let folder = folder.path().display();
    // Few rounds: hashing passwords well would take most of the time of a start.
    format!(
        "[database]\nconnection = sqlite:///{folder}/keystone.db\n\
         [fernet_tokens]\nkey_repository = {folder}/fernet\n\
         [credential]\nkey_repository = {folder}/credential\n\
         [cache]\nenabled = true\nbackend = dogpile.cache.memory\n\
         [identity]\npassword_hash_rounds = 4\n"
    )
}

/// A user of whom Keystone still has to say the ids.
fn named(name: &str, project: &str, password: String) -> User {
    User {
        name: name.to_owned(),
        id: String::new(),
        password,
        project: project.to_owned(),
        project_id: String::new(),
    }
}

fn random_password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text(json: &Json, place: &str) -> Result<String> {
    let found = json.pointer(place).and_then(Json::as_str);
    let found = found.with_context(|| format!("an answer without {place}: {json}"))?;
    Ok(found.to_owned())
}
