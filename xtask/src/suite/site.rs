//! Where a suite runs: a server, and the Keystone that it believes.

use std::fmt;

use anyhow::{Result, bail};
use serde_json::json;

use super::{Args, Suite};
use crate::kit::build::{self, Profile};
use crate::kit::keystone::Keystone;
use crate::kit::peer::{self, Barbican};
use crate::kit::server::{self, Launch};

/// Which server it is, as lists and reports call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Donjon,
    Barbican,
    /// Of `--against`, whatever it is: what the lists say of both holds for it.
    Other,
}

/// A server to start beside Donjon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    Barbican,
}

/// A server and its Keystone. Both go away when dropped, if they were started for it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) server: Server,
    /// `http://HOST:PORT[/PREFIX]`, without a slash at the end and without `/v1`.
    base: String,
    // Before Keystone, so that they are dropped first.
    donjon: Option<server::Server>,
    _barbican: Option<Barbican>,
    pub(crate) keystone: Keystone,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Donjon => "donjon",
            Self::Barbican => "barbican",
            Self::Other => "other",
        })
    }
}

/// The servers that the arguments name, in the order of the table.
pub(crate) fn servers(suite: &Suite, args: &Args) -> Result<Vec<Server>> {
    let servers = match (&args.against, args.peer) {
        (Some(_), _) => vec![Server::Other],
        (None, Some(Peer::Barbican)) if suite.peers => vec![Server::Donjon, Server::Barbican],
        (None, _) => vec![Server::Donjon],
    };
    if args.against.is_some() && !suite.peers {
        bail!("{} is about Donjon alone", suite.name);
    }
    Ok(servers)
}

impl Site {
    /// A fresh server and a fresh Keystone, or those of `--against`.
    ///
    /// # Errors
    /// Programs that cannot be had or do not start.
    pub(crate) fn start(server: Server, suite: &Suite, args: &Args) -> Result<Self> {
        match (server, &args.against) {
            (Server::Donjon, _) => Self::donjon(suite.tune),
            (Server::Other, Some(url)) => Ok(Self {
                server,
                base: url.trim_end_matches('/').to_owned(),
                donjon: None,
                _barbican: None,
                keystone: Keystone::of_environment()?,
            }),
            (Server::Barbican, _) => Self::barbican(),
            (Server::Other, None) => bail!("no URL of another server"),
        }
    }

    /// A fresh Donjon that asks a fresh Keystone. `tune` may change how it is started.
    ///
    /// # Errors
    /// Programs that cannot be had or do not start.
    pub(crate) fn donjon(tune: fn(&mut Launch)) -> Result<Self> {
        let binary = build::donjon(Profile::Dev, &[])?;
        let keystone = Keystone::start()?;
        let user = keystone.user("donjon")?;
        let mut launch = Launch::new(&binary, "keystone")?;
        launch.env("DONJON_AUTH__KEYSTONE__AUTH_URL", &keystone.auth_url());
        launch.env("DONJON_AUTH__KEYSTONE__USERNAME", &user.name);
        launch.env("DONJON_AUTH__KEYSTONE__PASSWORD", &user.password);
        launch.env("DONJON_AUTH__KEYSTONE__PROJECT_NAME", &user.project);
        tune(&mut launch);
        let donjon = launch.start()?;
        keystone.set_key_manager(&donjon.base())?;
        Ok(Self {
            server: Server::Donjon,
            base: donjon.base(),
            donjon: Some(donjon),
            _barbican: None,
            keystone,
        })
    }

    fn barbican() -> Result<Self> {
        let keystone = Keystone::start()?;
        let barbican = Barbican::start(&keystone)?;
        keystone.set_key_manager(&barbican.base())?;
        Ok(Self {
            server: Server::Barbican,
            base: barbican.base(),
            donjon: None,
            _barbican: Some(barbican),
            keystone,
        })
    }

    /// `http://HOST:PORT[/PREFIX]`, without a slash at the end and without `/v1`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The process, where the server is Donjon.
    pub(crate) fn process(&self) -> Option<&server::Server> {
        self.donjon.as_ref()
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self.server {
            Server::Donjon => "Donjon".to_owned(),
            Server::Barbican => format!("Barbican {}", peer::VERSION),
            Server::Other => self.base.clone(),
        }
    }

    /// What a program needs to know to be a client: the `OS_*` variables of a user, and
    ///
    /// - `CONFORMANCE_BASE`, the URL of the server without `/v1`,
    /// - `CONFORMANCE_SERVER`: `donjon`, `barbican` or `other`,
    /// - `CONFORMANCE_USERS`: a JSON object of all users by name, `admin` among them, each with `name`, `id`,
    ///   `password`, `project` and `project_id`.
    ///
    /// # Errors
    /// There is no such user.
    pub(crate) fn variables(&self, user: &str) -> Result<Vec<(&'static str, String)>> {
        let mut variables = self.keystone.openrc(self.keystone.user(user)?);
        let mut users = serde_json::Map::new();
        let admin = ("admin", self.keystone.admin());
        for (name, user) in self.keystone.users().chain([admin]) {
            users.insert(
                name.to_owned(),
                json!({
                    "name": user.name,
                    "id": user.id,
                    "password": user.password,
                    "project": user.project,
                    "project_id": user.project_id,
                }),
            );
        }
        variables.extend([
            ("CONFORMANCE_BASE", self.base.clone()),
            ("CONFORMANCE_SERVER", self.server.to_string()),
            (
                "CONFORMANCE_USERS",
                serde_json::Value::Object(users).to_string(),
            ),
        ]);
        Ok(variables)
    }
}
