//! The places, and how each is made, configured and found to have been used.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::kit::hsm::Token;
use crate::kit::hsm::opencryptoki::OpenCryptoki;
use crate::kit::hsm::softhsm::SoftHsm;
use crate::kit::openbao::{KV_MOUNT, KV_PREFIX, OpenBao};
use crate::kit::pykmip::PyKmip;
use crate::kit::server::Launch;

/// One of them.
pub(super) struct Place {
    pub(super) name: &'static str,
    /// Makes it, with help of the server's program.
    pub(super) start: fn(&Path) -> Result<Box<dyn Backend>>,
}

pub(super) const PLACES: &[Place] = &[
    Place {
        name: "software",
        start: |_| Ok(Box::new(Software)),
    },
    Place {
        name: "softhsm2",
        start: |donjon| Ok(Box::new(Hsm::new(SoftHsm::new()?, SoftHsm::token, donjon)?)),
    },
    Place {
        name: "opencryptoki",
        start: |donjon| {
            let hsm = Hsm::new(OpenCryptoki::new()?, OpenCryptoki::token, donjon)?;
            Ok(Box::new(hsm))
        },
    },
    Place {
        name: "openbao-kv",
        start: |_| Ok(Box::new(BaoKv(OpenBao::start()?))),
    },
    Place {
        name: "openbao-transit",
        start: |_| Ok(Box::new(BaoTransit(OpenBao::start()?))),
    },
    Place {
        name: "pykmip",
        start: |_| Ok(Box::new(Kmip(PyKmip::start()?))),
    },
];

/// A place that is there. Goes away when dropped.
pub(super) trait Backend {
    /// # Errors
    /// Files that cannot be written.
    fn configure(&self, launch: &mut Launch) -> Result<()>;

    /// After the server has ended.
    ///
    /// # Errors
    /// The server has put nothing there.
    fn check_used(&self, launch: &Launch) -> Result<()>;
}

/// The key in a file and everything in the database.
struct Software;

impl Backend for Software {
    fn configure(&self, _: &mut Launch) -> Result<()> {
        Ok(())
    }

    fn check_used(&self, launch: &Launch) -> Result<()> {
        ensure!(
            launch.data_dir().join("root.key").exists(),
            "no root key in the data folder"
        );
        Ok(())
    }
}

/// The root key in a token, and what orders ask for from there as far as it goes.
struct Hsm<T> {
    stack: T,
    token: fn(&T) -> &Token,
    config: String,
}

impl<T> Hsm<T> {
    /// Makes keys in the token.
    fn new(stack: T, token: fn(&T) -> &Token, donjon: &Path) -> Result<Self> {
        token(&stack).make_keys(donjon)?;
        let config = token(&stack).doctor(donjon)?;
        Ok(Self {
            stack,
            token,
            config,
        })
    }
}

impl<T> Backend for Hsm<T> {
    fn configure(&self, launch: &mut Launch) -> Result<()> {
        (self.token)(&self.stack).let_in(launch);
        launch.config(&format!(
            "[orders]\ngenerate_in = \"hsm\"\n\n{}",
            self.config
        ))
    }

    fn check_used(&self, launch: &Launch) -> Result<()> {
        let log = fs::read_to_string(launch.log())?;
        for told in ["is in the HSM", "generated in the HSM"] {
            let line = log.lines().find(|line| line.contains(told));
            println!(
                "{}",
                line.with_context(|| format!("no line {told:?} in the log"))?
            );
        }
        ensure!(
            !launch.data_dir().join("root.key").exists(),
            "there is another root key in the data folder"
        );
        Ok(())
    }
}

/// Payloads in the KV engine.
struct BaoKv(OpenBao);

impl Backend for BaoKv {
    fn configure(&self, launch: &mut Launch) -> Result<()> {
        launch.config(&format!(
            "[[secret_stores]]\nname = \"bao\"\nglobal_default = true\n{}",
            self.0.kv_settings()?
        ))
    }

    fn check_used(&self, _: &Launch) -> Result<()> {
        let path = format!("{KV_MOUNT}/metadata/{KV_PREFIX}?list=true");
        let listed = self.0.ask("GET", &path, &serde_json::Value::Null)?;
        let keys = listed
            .pointer("/data/keys")
            .and_then(|keys| keys.as_array());
        ensure!(
            keys.is_some_and(|keys| !keys.is_empty()),
            "nothing is there: {listed}"
        );
        Ok(())
    }
}

/// Payloads in a KMIP server.
struct Kmip(PyKmip);

impl Backend for Kmip {
    fn configure(&self, launch: &mut Launch) -> Result<()> {
        launch.config(&format!(
            "[[secret_stores]]\nname = \"kmip\"\nglobal_default = true\n{}",
            self.0.settings()
        ))
    }

    fn check_used(&self, _: &Launch) -> Result<()> {
        // What was deleted there leaves its name in the file, too.
        let database = fs::read(self.0.folder().join("database.sqlite"))?;
        let mark = b"donjon/";
        ensure!(
            database.windows(mark.len()).any(|part| part == mark),
            "nothing in its database is named as payloads are"
        );
        Ok(())
    }
}

/// The root key in the transit engine.
struct BaoTransit(OpenBao);

impl Backend for BaoTransit {
    fn configure(&self, launch: &mut Launch) -> Result<()> {
        launch.config(&format!(
            "[root_key]\ncurrent = \"transit:\"\n\n{}",
            self.0.transit_settings()?
        ))
    }

    fn check_used(&self, launch: &Launch) -> Result<()> {
        let log = fs::read_to_string(launch.log())?;
        ensure!(log.contains("of transit key"), "the log does not say so");
        ensure!(
            !launch.data_dir().join("root.key").exists(),
            "there is another root key in the data folder"
        );
        Ok(())
    }
}
