//! What a replay prints: differences as they come, and one table at the end.

use super::format::Group;
use super::replay::{Played, PlayedScenario, Verdict};
use crate::kit::table::Table;
use crate::suite::report::Tally;

/// Counts and prints.
#[derive(Debug)]
pub(crate) struct Report {
    verbose: bool,
    table: Table,
    total: Counts,
    groups: usize,
    scenarios: (usize, usize),
}

/// How many steps ended how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: usize,
    pub(crate) passed: usize,
    pub(crate) excepted: usize,
    pub(crate) not_needed: usize,
    pub(crate) failed: usize,
}

impl Report {
    pub(crate) fn new(verbose: bool) -> Self {
        let head = [
            "group",
            "scenarios",
            "passed",
            "steps",
            "passed",
            "excepted",
            "not sent",
            "failed",
        ];
        Self {
            verbose,
            table: Table::new(&head),
            total: Counts::default(),
            groups: 0,
            scenarios: (0, 0),
        }
    }

    /// Of steps: those that an exception holds for are failures that are expected.
    pub(crate) fn tally(&self) -> Tally {
        let counts = self.total;
        Tally {
            tests: counts.steps,
            passed: counts.passed,
            expected_failures: counts.excepted,
            skipped: counts.not_needed,
            failed: counts.failed,
            unexpected_passes: 0,
        }
    }

    /// Of steps, in all groups.
    pub(crate) fn counts(&self) -> Counts {
        self.total
    }

    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// Those that were played, whatever came of them.
    pub(crate) fn scenarios(&self) -> usize {
        self.scenarios.0
    }

    /// Adds one group and prints its differences.
    pub(crate) fn group(&mut self, group: &Group, played: &[PlayedScenario]) {
        let mut counts = Counts::default();
        for scenario in played {
            for (number, step) in (1..).zip(&scenario.steps) {
                counts.add(&step.verdict);
                self.print(
                    &format!("{}/{} step {number}", group.group, scenario.name),
                    step,
                );
            }
        }
        let passed = played.iter().filter(|scenario| scenario.passed()).count();
        self.row(&group.group, (played.len(), passed), counts);
        self.groups += 1;
        self.scenarios = (self.scenarios.0 + played.len(), self.scenarios.1 + passed);
        self.total.merge(counts);
    }

    /// Prints the table.
    pub(crate) fn summary(&mut self) {
        self.row("all", self.scenarios, self.total);
        println!("{}", self.table);
    }

    fn row(&mut self, name: &str, scenarios: (usize, usize), counts: Counts) {
        let numbers = [
            scenarios.0,
            scenarios.1,
            counts.steps,
            counts.passed,
            counts.excepted,
            counts.not_needed,
            counts.failed,
        ];
        let cells =
            std::iter::once(name.to_owned()).chain(numbers.map(|number| number.to_string()));
        self.table.row(cells);
    }

    fn print(&self, place: &str, step: &Played) {
        match &step.verdict {
            Verdict::Failed(differences) => {
                println!("FAILED {place}: {}", step.request);
                if !step.why.is_empty() {
                    println!("  shows: {}", step.why);
                }
                for difference in differences {
                    println!("  {}", difference.to_string().replace('\n', "\n  "));
                }
                if let Some(response) = &step.response {
                    let body: String = response.text().chars().take(400).collect();
                    println!("  answer: {} {body}\n", response.status);
                }
            }
            verdict if self.verbose => println!("{verdict:?} {place}: {}", step.request),
            _ => {}
        }
    }
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        self.steps += 1;
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Excepted => self.excepted += 1,
            Verdict::NotNeeded => self.not_needed += 1,
            Verdict::Failed(_) => self.failed += 1,
        }
    }

    fn merge(&mut self, other: Self) {
        self.steps += other.steps;
        self.passed += other.passed;
        self.excepted += other.excepted;
        self.not_needed += other.not_needed;
        self.failed += other.failed;
    }
}
