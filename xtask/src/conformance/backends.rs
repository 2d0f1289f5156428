//! `conformance backends`: the recorded exchanges about secrets and orders, with keys or payloads in each place that
//! they can be in.
//!
//! Each place is a real one, and has to have been used in the end.

mod places;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use self::places::{PLACES, Place};
use crate::golden;
use crate::golden::report::{Counts, Report};
use crate::kit::build::{self, Profile};
use crate::kit::server::Launch;
use crate::kit::table::Table;
use crate::kit::workspace;

/// Replay secrets and orders with keys or payloads in every place that they can be in
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Places to try; without any, all of them
    places: Vec<String>,
    /// Print every step with its verdict
    #[arg(long)]
    verbose: bool,
}

const GROUPS: &[&str] = &["secrets-", "orders-"];

/// One row of the table.
struct Row {
    name: &'static str,
    /// Groups, scenarios and steps, or why there are none.
    ended: Result<(usize, usize, Counts)>,
    took: Duration,
}

/// # Errors
/// A place that could not be had or was not used, or an answer that differs from the recorded one.
pub(crate) fn run(args: &Args) -> Result<()> {
    let chosen = choose(&args.places)?;
    let donjon = build::donjon(Profile::Dev, &[])?;
    let mut rows = Vec::new();
    for (number, place) in (1..).zip(&chosen) {
        println!("=== {number}/{} {}", chosen.len(), place.name);
        let row = Row::of(place, &donjon, args.verbose);
        if let Err(error) = &row.ended {
            println!("BROKEN: {}: {error:#}", row.name);
        }
        rows.push(row);
    }
    let table = table(&rows);
    println!("\n{table}");
    let folder = workspace::target().join("conformance");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("backends.md"), table.markdown())?;
    check(&rows)
}

fn choose(names: &[String]) -> Result<Vec<&'static Place>> {
    if names.is_empty() {
        return Ok(PLACES.iter().collect());
    }
    let find = |name: &String| {
        let found = PLACES.iter().find(|place| place.name == *name);
        found.with_context(|| {
            let known: Vec<&str> = PLACES.iter().map(|place| place.name).collect();
            format!("no place {name}; there are: {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

impl Row {
    fn of(place: &Place, donjon: &Path, verbose: bool) -> Self {
        let started = Instant::now();
        let ended = replay(place, donjon, verbose)
            .map(|report| (report.groups(), report.scenarios(), report.counts()));
        Self {
            name: place.name,
            ended,
            took: started.elapsed(),
        }
    }
}

fn replay(place: &Place, donjon: &Path, verbose: bool) -> Result<Report> {
    let mut launch = Launch::new(donjon, "noauth")?;
    golden::prepare(&mut launch);
    let backend = (place.start)(donjon)?;
    backend.configure(&mut launch)?;
    let server = launch.start_again()?;
    let report = golden::replay_on(&server, GROUPS, verbose)?;
    server.stop()?;
    backend.check_used(&launch).context("was it used?")?;
    Ok(report)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "backend",
        "groups",
        "scenarios",
        "steps",
        "passed",
        "excepted",
        "not sent",
        "failed",
        "seconds",
    ]);
    for row in rows {
        let cells = match &row.ended {
            Ok((groups, scenarios, counts)) => [
                *groups,
                *scenarios,
                counts.steps,
                counts.passed,
                counts.excepted,
                counts.not_needed,
                counts.failed,
            ]
            .map(|number| number.to_string()),
            Err(_) => ["", "", "", "", "", "", "broken"].map(str::to_owned),
        };
        let name = std::iter::once(row.name.to_owned());
        let took = std::iter::once(format!("{:.1}", row.took.as_secs_f64()));
        table.row(name.chain(cells).chain(took));
    }
    table
}

fn check(rows: &[Row]) -> Result<()> {
    let bad: Vec<String> = rows
        .iter()
        .filter_map(|row| match &row.ended {
            Ok((.., counts)) if counts.failed == 0 => None,
            Ok((.., counts)) => Some(format!("{}: {} steps differ", row.name, counts.failed)),
            Err(error) => Some(format!("{}: {error:#}", row.name)),
        })
        .collect();
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn row(failed: usize) -> Row {
        let counts = Counts {
            steps: 9,
            passed: 9 - failed,
            failed,
            ..Counts::default()
        };
        Row {
            name: "place",
            ended: Ok((2, 3, counts)),
            took: Duration::from_millis(1_250),
        }
    }

    #[test]
    fn a_place_that_differs_or_is_not_to_be_had_fails_the_run() {
        let good = [row(0)];
        assert!(check(&good).is_ok());
        let text = table(&good).markdown();
        assert!(
            text.contains("| place | 2 | 3 | 9 | 9 | 0 | 0 | 0 | 1.2 |"),
            "{text}"
        );
        assert_eq!(
            check(&[row(0), row(2)]).unwrap_err().to_string(),
            "place: 2 steps differ"
        );
        let broken = Row {
            ended: Err(anyhow!("not to be had")),
            ..row(0)
        };
        assert!(
            table(std::slice::from_ref(&broken))
                .markdown()
                .contains("broken")
        );
        assert_eq!(
            check(&[broken]).unwrap_err().to_string(),
            "place: not to be had"
        );
    }

    #[test]
    fn places_are_chosen_by_name() {
        assert_eq!(choose(&[]).unwrap().len(), PLACES.len());
        assert_eq!(choose(&["softhsm2".to_owned()]).unwrap().len(), 1);
        let error = choose(&["nowhere".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("software"), "{error}");
    }
}
