//! The root keys of a run, each in a file of its own, and the configuration that names them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::look::Keys;
use crate::kit::random::Random;
use crate::kit::server::Launch;

#[derive(Debug)]
pub(super) struct Roots {
    /// How many were made.
    count: u64,
    current: PathBuf,
    previous: Option<Previous>,
}

/// The one before, as long as its file is there.
#[derive(Debug)]
struct Previous {
    file: PathBuf,
    id: String,
}

impl Roots {
    /// A first one.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub(super) fn new(launch: &Launch, random: &mut Random) -> Result<Self> {
        Ok(Self {
            count: 1,
            current: make(launch, 1, random)?,
            previous: None,
        })
    }

    pub(super) fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// Whether the change to the current one was not begun yet.
    pub(super) fn is_waiting(&self, keys: &Keys) -> bool {
        let previous = self.previous.as_ref();
        previous.is_some_and(|previous| previous.id == keys.installed)
    }

    /// Whether the one before may not be lost.
    pub(super) fn is_needed(&self, keys: &Keys) -> bool {
        let previous = self.previous.as_ref();
        self.is_waiting(keys)
            || previous.is_some_and(|previous| keys.roots.contains_key(&previous.id))
    }

    /// Makes a new key the current one; `id` is that of the one in use.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub(super) fn advance(&mut self, launch: &Launch, id: &str, random: &mut Random) -> Result<()> {
        self.count += 1;
        let next = make(launch, self.count, random)?;
        self.previous = Some(Previous {
            file: std::mem::replace(&mut self.current, next),
            id: id.to_owned(),
        });
        Ok(())
    }

    /// Removes the key before, and its file.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn drop_previous(&mut self) -> Result<()> {
        let previous = self.previous.take().context("no root key to drop")?;
        Ok(fs::remove_file(previous.file)?)
    }

    /// Writes the configuration. Without `with_previous` it leaves the key before out.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn configure(
        &self,
        launch: &mut Launch,
        rows_per_s: u64,
        with_previous: bool,
    ) -> Result<()> {
        let mut text = format!(
            "[root_key]\ncurrent = \"file:{}\"\n",
            self.current.display()
        );
        if let Some(previous) = self.previous.as_ref().filter(|_| with_previous) {
            text.push_str(&format!(
                "previous = \"file:{}\"\n",
                previous.file.display()
            ));
        }
        text.push_str(&format!("[rotation]\nrows_per_s = {rows_per_s}\n"));
        launch.config(&text)
    }
}

fn make(launch: &Launch, number: u64, random: &mut Random) -> Result<PathBuf> {
    launch.root_key(&format!("root-{number}.key"), random)
}
