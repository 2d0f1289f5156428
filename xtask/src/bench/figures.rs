//! Medians and spread over rounds, and the table with the targets.

use crate::kit::table::Table;

/// One figure, once per round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        if sorted.len() % 2 == 1 {
            at(middle)
        } else {
            f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn greatest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn spread(&self) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        format!("{} to {}", number(least), number(self.greatest()))
    }
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn reached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// The report of a run.
#[derive(Debug)]
pub(crate) struct Report {
    table: Table,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            table: Table::new(&["measured", "median", "unit", "spread", "target", "verdict"]),
        }
    }

    /// A figure that has no target of its own.
    pub(crate) fn figure(&mut self, name: &str, unit: &str, series: &Series) {
        let cells = [
            name,
            &number(series.median()),
            unit,
            &series.spread(),
            "",
            "",
        ];
        self.table.row(cells.map(str::to_owned));
    }

    /// A figure with a target.
    pub(crate) fn aim(&mut self, name: &str, unit: &str, value: f64, spread: &str, target: Target) {
        let aim = match target {
            Target::AtLeast(least) => format!("at least {least}"),
            Target::AtMost(most) => format!("at most {most}"),
        };
        let verdict = if target.reached(value) {
            "reached"
        } else {
            "MISSED"
        };
        let cells = [name, &number(value), unit, spread, &aim, verdict];
        self.table.row(cells.map(str::to_owned));
    }

    /// A series with a target for its median.
    pub(crate) fn aim_series(&mut self, name: &str, unit: &str, series: &Series, target: Target) {
        self.aim(name, unit, series.median(), &series.spread(), target);
    }

    /// A series of different things, with a target for the greatest.
    pub(crate) fn aim_greatest(&mut self, name: &str, unit: &str, series: &Series, target: Target) {
        self.aim(name, unit, series.greatest(), &series.spread(), target);
    }

    pub(crate) fn print(&self) {
        println!("{}", self.table);
    }
}

/// Three significant digits at least.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let series = |values: &[f64]| Series(values.to_vec()).median();
        assert!((series(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((series(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(series(&[]).is_nan());
    }

    #[test]
    fn targets() {
        assert!(Target::AtLeast(0.6).reached(0.6) && !Target::AtLeast(0.6).reached(0.59));
        assert!(Target::AtMost(64.0).reached(64.0) && !Target::AtMost(64.0).reached(64.1));
        assert!(!Target::AtMost(64.0).reached(f64::NAN) && !Target::AtLeast(0.6).reached(f64::NAN));
    }
}
