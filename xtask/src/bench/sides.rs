//! Reads of payloads from two servers of one build, each on data of its own, which are asked the same in turns.

use anyhow::Result;

use super::figures::{Report, Series, Target};
use super::fill::{self, What};
use super::wrk::{self, Load};
use super::{BODY, READ_CONNECTIONS};
use crate::kit::server::Server;

const SECRETS: usize = 1_000;

/// A server with secrets, and a token that reads them.
pub(super) struct Side {
    server: Server,
    token: String,
    ids: tempfile::NamedTempFile,
}

/// All figures, round by round.
#[derive(Debug, Default)]
pub(super) struct Compared {
    plain: Series,
    other: Series,
    /// How many times as much time a request takes of the other.
    cost: Series,
}

/// Measures in turns, and stops both.
///
/// # Errors
/// An answer that was no success.
pub(super) fn compare(plain: Side, other: Side, rounds: u32, seconds: u32) -> Result<Compared> {
    let mut compared = Compared::default();
    for round in 0..rounds {
        // Who is first changes, so that neither has the warmer machine.
        let (first, second) = if round % 2 == 0 {
            (&plain, &other)
        } else {
            (&other, &plain)
        };
        let (a, b) = (first.read(seconds)?, second.read(seconds)?);
        let (of_plain, of_other) = if round % 2 == 0 { (a, b) } else { (b, a) };
        compared.plain.push(of_plain);
        compared.other.push(of_other);
        compared.cost.push(of_plain / of_other);
    }
    plain.server.stop()?;
    other.server.stop()?;
    Ok(compared)
}

impl Compared {
    /// Three rows; the target is for how many times as much time a request of the other takes.
    pub(super) fn report(&self, names: [&str; 2], target: Target, report: &mut Report) {
        let [plain, other] = names;
        report.figure(plain, "answers/s", &self.plain);
        report.figure(other, "answers/s", &self.other);
        report.aim_series("    times as much per request", "", &self.cost, target);
    }
}

impl Side {
    /// Stores the secrets, and warms up.
    ///
    /// # Errors
    /// An answer that was no success.
    pub(super) fn fill(server: Server, token: String) -> Result<Self> {
        let what = What {
            plural: "secrets",
            body: BODY,
            status: 201,
        };
        let stored = fill::create(server.host(), &token, what, SECRETS)?;
        let ids = tempfile::NamedTempFile::new()?;
        std::fs::write(ids.path(), stored.join("\n") + "\n")?;
        let side = Self { server, token, ids };
        // Warm.
        side.read(1)?;
        Ok(side)
    }

    fn read(&self, seconds: u32) -> Result<f64> {
        let figures = wrk::run(&Load {
            host: self.server.host(),
            method: "GET",
            path: "/v1/secrets/ID/payload",
            ids: Some(self.ids.path()),
            body: None,
            headers: &[
                ("X-Auth-Token", &self.token),
                ("Accept", "application/octet-stream"),
            ],
            connections: READ_CONNECTIONS,
            seconds,
        })?;
        Ok(figures.per_second())
    }
}
