//! One client: a project of its own, a ledger, and a load that goes on until the server is gone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::limits;
use super::model::{Entity, Kind, Model, Op, Record, State};
use super::remote::{self, Outcome, Remote};
use super::wire;
use crate::kit::random::Random;

/// Of what a client asks at a pace.
const READS_PERCENT: u64 = 40;
const NAP: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Client {
    pub(super) number: u64,
    pub(crate) model: Model,
    /// What the last load changed, by name.
    pub(crate) touched: BTreeSet<String>,
    /// Answers that were neither a success nor a refusal that is right nor a lost connection.
    pub(crate) odd: Vec<String>,
    ledger: File,
    ledger_path: PathBuf,
    pub(super) random: Random,
    /// How many names were given.
    pub(super) names: u64,
    /// The name given last.
    pub(super) last: String,
    /// How many requests of loads were answered, those that tell how far an order is left out.
    pub(crate) requests: u64,
    /// How many payloads were read and compared meanwhile.
    pub(crate) reads: u64,
}

/// Kills the server at the worst moment: just when a client has got an acknowledgement.
#[derive(Debug)]
pub(crate) struct Trigger {
    server: Pid,
    armed: AtomicBool,
    over: AtomicBool,
}

/// When a client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// A write as soon as the one before is answered.
    Eager,
    /// A request at each of these moments from the start of the load on, late where the one before is; reads too.
    Every { first: Duration, then: Duration },
}

impl Trigger {
    pub(crate) fn new(server: Pid) -> Self {
        Self {
            server,
            armed: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// The server is gone: nobody has to wait for the next moment to send.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    fn wait_until(&self, moment: Instant) {
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() || self.over.load(Ordering::Acquire) {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    }

    /// From now on the next acknowledgement kills.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    /// Whether an acknowledgement has killed the server.
    pub(crate) fn has_fired(&self) -> bool {
        !self.armed.load(Ordering::Acquire)
    }

    fn acknowledged(&self) {
        if self.armed.swap(false, Ordering::AcqRel) {
            // The harness kills it once more and waits for its end, so a failure shows there.
            let _ = kill_process(self.server, Signal::KILL);
        }
    }
}

impl Client {
    /// # Errors
    /// The ledger cannot be made in `folder`.
    pub(crate) fn new(number: u64, folder: &Path, seed: u64) -> Result<Self> {
        let ledger_path = folder.join(format!("ledger-{number}"));
        Ok(Self {
            number,
            model: Model::default(),
            touched: BTreeSet::new(),
            odd: Vec::new(),
            ledger: File::create_new(&ledger_path).context("making a ledger")?,
            ledger_path,
            random: Random::new(seed ^ (number + 1).wrapping_mul(0x9E37_79B9)),
            names: 0,
            last: String::new(),
            requests: 0,
            reads: 0,
        })
    }

    /// The project of what is written: the client's own, or one that is shared.
    pub(crate) fn project(&self, kind: Kind, limited: bool) -> String {
        if limited {
            limits::project(kind).to_owned()
        } else {
            format!("crash-{}", self.number)
        }
    }

    /// Writes, one request after the other, until an answer does not come. Tells `trigger` of every acknowledgement.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) fn load(&mut self, host: &str, trigger: &Trigger, pace: Pace) -> Result<()> {
        self.touched.clear();
        let Ok(mut remote) = Remote::open(host) else {
            return Ok(());
        };
        let began = Instant::now();
        for turn in 0_u32.. {
            if let Pace::Every { first, then } = pace {
                trigger.wait_until(began + first + then * turn);
                if self.random.below(100) < READS_PERCENT {
                    if !self.read(&mut remote) {
                        return Ok(());
                    }
                    continue;
                }
            }
            let op = self.choose();
            let project = self.project(op.kind, op.limited);
            let id = self.model.entities.get(&op.name).map(|it| it.id.clone());
            let request = wire::request(&project, host, &op, &id.unwrap_or_default());
            self.touched.insert(op.name.clone());
            self.record(&Record::Intent(op.clone()))?;
            let Ok(response) = remote.exchange(&request) else {
                return Ok(());
            };
            self.requests += 1;
            if op.limited && wire::is_quota_reached(&response) {
                self.record(&Record::Refused)?;
                continue;
            }
            if response.status != wire::status(&op.change) {
                self.odd.push(format!(
                    "{} {}: {} {}",
                    request.method,
                    request.path,
                    response.status,
                    response.text()
                ));
                return Ok(());
            }
            trigger.acknowledged();
            let id = wire::created_id(&op, &response);
            self.record(&Record::Acknowledged { id })?;
            if op.kind == Kind::Order && !self.look_at_order(&mut remote, &op)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads a payload that was acknowledged and compares it. Gives whether the server answers.
    fn read(&mut self, remote: &mut Remote) -> bool {
        let payload_of = |entity: &Entity| match &entity.state {
            Some(State::Secret(secret)) => Some((entity.id.clone(), secret.payload.clone()?)),
            _ => None,
        };
        let live = self.model.live(Kind::Secret, false);
        let known: Vec<_> = live.filter_map(|(_, entity)| payload_of(entity)).collect();
        let Some((id, payload)) = self.random.pick(&known) else {
            return true;
        };
        let project = self.project(Kind::Secret, false);
        let path = format!("/v1/secrets/{id}/payload");
        let request = remote::request(&project, "GET", &path);
        let Ok(response) = remote.exchange(&request.header("Accept", payload.content_type()))
        else {
            return false;
        };
        if response.status != 200 || response.body != payload.bytes() {
            let found = format!("GET {path}: {} {}", response.status, response.text());
            self.odd.push(found);
        }
        self.requests += 1;
        self.reads += 1;
        true
    }

    /// Notes what an order has made, if it is carried out: from then on it must stay so. Gives whether the server answers.
    fn look_at_order(&mut self, remote: &mut Remote, op: &Op) -> Result<bool> {
        let Some(order) = self.model.entities.get(&op.name) else {
            return Ok(true);
        };
        if order.state.is_none() {
            return Ok(true);
        }
        let project = self.project(op.kind, op.limited);
        // What is wrong here is still wrong after the restart, and is found then.
        let Ok(outcome) = remote.outcome(&project, &order.id) else {
            return Ok(false);
        };
        if let Outcome::Active(made) = outcome {
            let name = op.name.clone();
            self.record(&Record::Made { name, made })?;
        }
        Ok(true)
    }

    /// Applies a record and puts it into the ledger.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) fn record(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.ledger.write_all(&line).context("writing a ledger")?;
        self.model.apply(record);
        Ok(())
    }

    /// The model that the ledger alone gives.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn model_of_ledger(&self) -> Result<Model> {
        let mut model = Model::default();
        for line in fs::read_to_string(&self.ledger_path)?.lines() {
            model.apply(&serde_json::from_str(line)?);
        }
        Ok(model)
    }
}
