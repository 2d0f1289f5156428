//! `conformance policy`: asks oslo.policy and `donjon-oslo-policy` the same questions and compares the answers.
//!
//! Two comparisons: Barbican's rules, as it registers them, with the table of them in the crate; and random rules. The
//! crate is asked through its example `decide`, since this program imports no crate of the workspace, and oslo.policy
//! through `oracle.py`. Both read the same files and print the same form, so every line must be equal.

mod ask;
mod barbican;
mod strings;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use self::ask::{Both, Difference};
use crate::kit::table::Table;
use crate::suite::report::Tally;

/// Of the crate and of the packages that it is compared with.
const TABLE: &str = "crates/oslo-policy/examples/barbican-rules.txt";
const PACKAGES: &[&str] = &["oslo.policy==6.0.1", "barbican==23.0.0"];

/// How many decisions by Barbican's rules are compared, at least.
const BARBICAN_DECISIONS_MIN: usize = 15_000;
/// Random rules, unless told otherwise.
const STRINGS: usize = 100_000;
const DIFFERENCES_SHOWN: usize = 20;

/// Compare policy decisions with Python's oslo.policy, on Barbican's rules and on random ones
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many random rules to compare
    #[arg(long, default_value_t = STRINGS)]
    pub(crate) strings: usize,
    /// Repeat the random rules of an earlier run
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            strings: STRINGS,
            seed: None,
        }
    }
}

/// # Errors
/// Any difference, or programs that cannot be had.
pub(crate) fn run(args: &Args) -> Result<()> {
    let failed = tally(args)?.failed;
    ensure!(failed == 0, "{failed} rules differ, see above");
    Ok(())
}

/// Asks both, prints, and counts rules; those that differ are part of the count.
///
/// # Errors
/// Programs that cannot be had, or too few decisions.
pub(crate) fn tally(args: &Args) -> Result<Tally> {
    let seed = args.seed.unwrap_or_else(clock_seed);
    println!("{} random rules, --seed {seed}", args.strings);
    let started = Instant::now();
    let both = Both::build(PACKAGES)?;
    let mut totals = Table::new(&[
        "comparison",
        "rules",
        "contexts",
        "decisions",
        "allowed",
        "differences",
    ]);
    let mut tally = Tally::default();
    let mut differences = barbican_rules(&both, &mut totals, &mut tally)?;
    differences.extend(random_rules(
        &both,
        args.strings,
        seed,
        &mut totals,
        &mut tally,
    )?);
    println!("{totals}");
    for difference in differences.iter().take(DIFFERENCES_SHOWN) {
        println!("{difference}");
    }
    println!("compared in {:.0} s", started.elapsed().as_secs_f64());
    tally.failed = differences.len();
    tally.passed = tally.tests - tally.failed;
    if tally.failed > 0 {
        println!("again with --seed {seed}");
    }
    Ok(tally)
}

fn barbican_rules(both: &Both, totals: &mut Table, tally: &mut Tally) -> Result<Vec<Difference>> {
    let names = both.barbican_names()?;
    barbican::same_names(&names, TABLE)?;
    let mut differences = Vec::new();
    let mut decisions = 0;
    for set in ["new", "new-or-legacy"] {
        let setup = barbican::setup(set == "new");
        let answers = both.table(TABLE, set, &setup, &names)?;
        let found = answers.differences();
        tally.tests += answers.rules();
        decisions += answers.decisions();
        totals.row([
            format!("Barbican's rules, {set}"),
            names.len().to_string(),
            setup.contexts().to_string(),
            answers.decisions().to_string(),
            answers.allowed().to_string(),
            found.len().to_string(),
        ]);
        differences.extend(found);
    }
    ensure!(
        decisions >= BARBICAN_DECISIONS_MIN,
        "only {decisions} decisions by Barbican's rules"
    );
    Ok(differences)
}

fn random_rules(
    both: &Both,
    wanted: usize,
    seed: u64,
    totals: &mut Table,
    tally: &mut Tally,
) -> Result<Vec<Difference>> {
    let mut generator = strings::Generator::new(seed);
    let setup = generator.setup();
    let (rules, answers) = both.strings(wanted, &setup, || generator.rule())?;
    let mut origins: BTreeMap<&str, Kinds> = BTreeMap::new();
    let mut all = Kinds::default();
    for (rule, row) in rules.iter().zip(answers.ours()) {
        origins.entry(rule.origin).or_default().count(row);
        all.count(row);
    }
    let mut table = Table::new(&[
        "random rules",
        "decided",
        "ask something",
        "vary",
        "can't be parsed",
        "refused besides",
    ]);
    for (origin, kinds) in &origins {
        table.row(kinds.row(origin));
    }
    table.row(all.row("all"));
    println!("{table}");
    let grammar = origins
        .get(strings::GRAMMAR)
        .map_or(0, |kinds| kinds.asking);
    let found = answers.differences();
    tally.tests += answers.rules();
    totals.row([
        "random rules".to_owned(),
        all.decided.to_string(),
        setup.contexts().to_string(),
        answers.decisions().to_string(),
        answers.allowed().to_string(),
        found.len().to_string(),
    ]);
    ensure!(
        all.decided == wanted,
        "only {} random rules were decided",
        all.decided
    );
    ensure!(
        grammar * 2 >= wanted,
        "only {grammar} rules are from the grammar and ask something"
    );
    Ok(found)
}

/// How many rules are of which kind.
#[derive(Default)]
struct Kinds {
    decided: usize,
    /// Parsed to more than `@` or `!`.
    asking: usize,
    /// Answered differently for different contexts.
    varying: usize,
    bad: usize,
    /// More than the crate does. Not counted as decided.
    refused: usize,
}

impl Kinds {
    fn count(&mut self, row: &ask::Row) {
        if row.class() == "refused" {
            self.refused += 1;
            return;
        }
        self.decided += 1;
        self.bad += usize::from(row.class() == "bad");
        self.asking +=
            usize::from(row.class() == "ok" && !matches!(row.check(), "\"@\"" | "\"!\""));
        let answers = row.answers().as_bytes();
        self.varying += usize::from(answers.iter().any(|letter| Some(letter) != answers.first()));
    }

    fn row(&self, name: &str) -> impl IntoIterator<Item = String> {
        let numbers = [
            self.decided,
            self.asking,
            self.varying,
            self.bad,
            self.refused,
        ];
        std::iter::once(name.to_owned()).chain(numbers.map(|number| number.to_string()))
    }
}

fn clock_seed() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs() ^ u64::from(since.subsec_nanos())
}
