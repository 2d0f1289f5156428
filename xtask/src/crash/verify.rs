//! Reads everything back after a restart and compares it with what was acknowledged.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::client::Client;
use super::model::{Entity, Kind, Made, Op, Record, Spec, State};
use super::remote::{Outcome, Remote};

/// How long after a restart an order may wait for its job.
pub(crate) const ORDER_WAIT: Duration = Duration::from_secs(20);
const ORDER_POLL: Duration = Duration::from_millis(20);

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// An acknowledged write is not there, or not as it was written.
    Lost(String),
    /// Something is there, and is not given: its payload does not open.
    Unreadable(String),
    /// Something is there that nobody wrote.
    Phantom(String),
    /// More is there than a quota allows.
    Passed(String),
    /// An order that is never carried out.
    Stuck(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(text) => write!(f, "LOST {text}"),
            Self::Unreadable(text) => write!(f, "UNREADABLE {text}"),
            Self::Phantom(text) => write!(f, "PHANTOM {text}"),
            Self::Passed(text) => write!(f, "QUOTA PASSED {text}"),
            Self::Stuck(text) => write!(f, "STUCK {text}"),
        }
    }
}

/// Reads as one client.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    client: &'a mut Client,
    remote: Remote,
    order_wait: Duration,
    started: Instant,
    pub(crate) findings: Vec<Finding>,
    /// How much was read back.
    pub(crate) read: u64,
    /// How many orders were still waiting when they were first looked at.
    pub(crate) waiting: u64,
    /// How long after the start of this reader the last order was still waiting.
    pub(crate) slowest_order: Duration,
}

impl<'a> Reader<'a> {
    /// `order_wait` is how long an order may wait for its job from now on.
    ///
    /// # Errors
    /// The server does not listen.
    pub(crate) fn new(client: &'a mut Client, host: &str, order_wait: Duration) -> Result<Self> {
        Ok(Self {
            client,
            remote: Remote::open(host)?,
            order_wait,
            started: Instant::now(),
            findings: Vec::new(),
            read: 0,
            waiting: 0,
            slowest_order: Duration::ZERO,
        })
    }

    /// Settles the write without an answer, reads what the last load touched, and counts what the project has.
    ///
    /// # Errors
    /// The server does not answer, or the ledger cannot be written.
    pub(crate) fn recent(&mut self) -> Result<()> {
        self.resolve()?;
        let touched: Vec<String> = self.client.touched.iter().cloned().collect();
        for name in touched {
            self.entity(&name)?;
        }
        for kind in Kind::ALL {
            let project = self.client.project(kind, false);
            let total = self.remote.page(&project, kind, 0, 1)?.0;
            if total != self.client.model.expected(kind).len() {
                self.listing(kind)?;
            }
        }
        Ok(())
    }

    /// Reads everything that was ever acknowledged, and the whole lists.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn everything(&mut self) -> Result<()> {
        ensure!(
            self.client.model == self.client.model_of_ledger()?,
            "the ledger does not give the model"
        );
        let names: Vec<String> = self.client.model.entities.keys().cloned().collect();
        for name in names {
            self.entity(&name)?;
            self.keys(&name)?;
        }
        Kind::ALL
            .into_iter()
            .try_for_each(|kind| self.listing(kind))
    }

    /// Finds out whether the pending write happened. Either is right, but nothing in between.
    fn resolve(&mut self) -> Result<()> {
        let Some(op) = self.client.model.pending.clone() else {
            return Ok(());
        };
        let (id, before) = match self.client.model.entities.get(&op.name) {
            Some(entity) => (Some(entity.id.clone()), entity.state.clone()),
            None => (self.id_by_name(&op)?, None),
        };
        let found = match &id {
            Some(id) => self.observe(&op, id)?,
            None => None,
        };
        let happened = found == op.change.after(before.as_ref());
        if !happened && found != before {
            self.findings.push(Finding::Lost(format!(
                "{} {}: neither before nor after {:?}: {found:?}",
                id.as_deref().unwrap_or_default(),
                op.name,
                op.change
            )));
        }
        self.client.record(&Record::Resolved { happened, id })
    }

    /// The id of what was created without an answer, if it is there.
    fn id_by_name(&mut self, op: &Op) -> Result<Option<String>> {
        let project = self.client.project(op.kind, op.limited);
        let all = self.remote.ids_by_name(&project, op.kind, &op.name)?;
        if all.len() > 1 {
            self.findings.push(Finding::Phantom(format!(
                "{} is there {} times: {all:?}",
                op.name,
                all.len()
            )));
        }
        Ok(all.into_iter().next())
    }

    fn observe(&mut self, op: &Op, id: &str) -> Result<Option<State>> {
        let project = self.client.project(op.kind, op.limited);
        self.remote.observe(&project, op.kind, id)
    }

    /// Compares what is there with the model.
    fn entity(&mut self, name: &str) -> Result<()> {
        let Some(entity) = self.client.model.entities.get(name).cloned() else {
            return Ok(());
        };
        self.read += 1;
        let project = self.client.project(entity.kind, entity.limited);
        let found = match self.remote.observe(&project, entity.kind, &entity.id) {
            Ok(found) => found,
            Err(error) => {
                self.unreadable(&entity.id, name, &error);
                return Ok(());
            }
        };
        if found != entity.state {
            let detail = format!(
                "{} {name}: acknowledged {:?}, found {found:?}",
                entity.id, entity.state
            );
            // What was deleted and is back is a lost delete.
            self.findings.push(Finding::Lost(detail));
            return Ok(());
        }
        match &entity.state {
            Some(State::Order(spec)) => self.order(name, &entity, spec),
            _ => Ok(()),
        }
    }

    fn unreadable(&mut self, id: &str, name: &str, error: &anyhow::Error) {
        let text = format!("{id} {name}: {error:#}");
        self.findings.push(Finding::Unreadable(text));
    }

    /// Waits until the order is carried out, and compares what it made with what it had made before.
    fn order(&mut self, name: &str, order: &Entity, spec: &Spec) -> Result<()> {
        let project = self.client.project(order.kind, order.limited);
        let outcome = match self.outcome(&project, &order.id) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.unreadable(&order.id, name, &error);
                return Ok(());
            }
        };
        if let (Outcome::Active(made), None) = (&outcome, &order.made) {
            let (name, made) = (name.to_owned(), made.clone());
            self.client.record(&Record::Made { name, made })?;
        }
        let what = format!("{} {name}", order.id);
        self.findings
            .extend(judge_order(&what, spec, order.made.as_ref(), &outcome));
        Ok(())
    }

    fn outcome(&mut self, project: &str, id: &str) -> Result<Outcome> {
        let mut outcome = self.remote.outcome(project, id)?;
        self.waiting += u64::from(outcome == Outcome::Pending);
        while outcome == Outcome::Pending && self.started.elapsed() < self.order_wait {
            thread::sleep(ORDER_POLL);
            self.slowest_order = self.started.elapsed();
            outcome = self.remote.outcome(project, id)?;
        }
        Ok(outcome)
    }

    /// The keys that an order made stay as they were, also when the order is deleted.
    fn keys(&mut self, name: &str) -> Result<()> {
        let Some(order) = self.client.model.entities.get(name) else {
            return Ok(());
        };
        let project = self.client.project(order.kind, order.limited);
        for (entry, known) in order.made.iter().flat_map(|made| &made.secrets) {
            self.read += 1;
            let now = self.remote.made_secret(&project, known.id.clone());
            if !now.as_ref().is_ok_and(|now| now == known) {
                let text = format!("{entry} of {name}: known {known:?}, found {now:?}");
                self.findings.push(match now {
                    Ok(_) => Finding::Lost(text),
                    Err(_) => Finding::Unreadable(text),
                });
            }
        }
        Ok(())
    }

    /// Compares a whole list of the client's project with the model.
    fn listing(&mut self, kind: Kind) -> Result<()> {
        let project = self.client.project(kind, false);
        let (total, ids) = self.remote.list(&project, kind)?;
        let expected = self.client.model.expected(kind);
        let what = format!("{} of {project}", kind.plural());
        self.findings
            .extend(judge_list(&what, expected, total, &ids));
        Ok(())
    }
}

/// What is wrong with a list and its total; `expected` are names by ids.
pub(crate) fn judge_list(
    what: &str,
    mut expected: BTreeMap<String, String>,
    total: usize,
    ids: &[String],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let count = expected.len();
    if total != count {
        let text = format!("the total of {what} is {total}, not {count}");
        findings.push(if total < count {
            Finding::Lost(text)
        } else {
            Finding::Phantom(text)
        });
    }
    for id in ids {
        if expected.remove(id).is_none() {
            let text = format!("{id} is in the list of {what}");
            findings.push(Finding::Phantom(text));
        }
    }
    findings.extend(
        expected
            .into_iter()
            .map(|(id, name)| Finding::Lost(format!("{id} {name} is not in the list of {what}"))),
    );
    findings
}

/// What is wrong with an order: it still waits, it failed, or it has not made what it should, or something else than was
/// seen before.
pub(crate) fn judge_order(
    what: &str,
    spec: &Spec,
    known: Option<&Made>,
    outcome: &Outcome,
) -> Option<Finding> {
    let made = match outcome {
        Outcome::Active(made) => made,
        Outcome::Pending => {
            return Some(Finding::Stuck(format!("{what} is still PENDING")));
        }
        Outcome::Missing => return Some(Finding::Lost(format!("{what} is not there"))),
        Outcome::Error(order) => return Some(Finding::Lost(format!("{what} failed: {order}"))),
    };
    if let Some(known) = known.filter(|known| *known != made) {
        return Some(Finding::Phantom(format!(
            "{what} had made {known:?}, now {made:?}"
        )));
    }
    let entries: Vec<&str> = made.secrets.keys().map(String::as_str).collect();
    let wanted: &[&str] = match (spec.pair, spec.sealed) {
        (false, _) => &[Made::KEY],
        (true, false) => &["private_key", "public_key"],
        (true, true) => &["private_key", "private_key_passphrase", "public_key"],
    };
    let is_whole = entries == wanted && made.container.is_some() == spec.pair;
    (!is_whole).then(|| Finding::Lost(format!("{what} made {made:?}, not {wanted:?}")))
}
