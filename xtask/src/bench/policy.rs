//! The time of one policy check: the criterion benchmark of `app`.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::figures::Series;
use crate::kit::{build, run};

/// Microseconds of each check that the benchmark measures, all by default rules.
///
/// # Errors
/// The benchmark fails or prints no figure.
pub(crate) fn checks_us() -> Result<Series> {
    let program = build::bench("donjon-app", "policy")?;
    let mut command = Command::new(program);
    command.args(["--bench", "--output-format", "bencher"]);
    command.args(["--warm-up-time", "0.5", "--measurement-time", "1"]);
    let output = run::stdout(&mut command)?;
    let text = String::from_utf8_lossy(&output);
    let mut series = Series::default();
    for line in text.lines().filter(|line| line.starts_with("test ")) {
        let nanos = nanos(line).with_context(|| format!("no figure in {line:?}"))?;
        series.push(nanos / 1e3);
    }
    ensure!(!series.is_empty(), "no figure in {text:?}");
    Ok(series)
}

/// Of a line `test NAME ... bench: 1,234 ns/iter (+/- 5)`.
fn nanos(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once("bench:")?;
    let (figure, _) = rest.split_once("ns/iter")?;
    figure.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::nanos;

    #[test]
    fn reads_figures() {
        let line = "test set/a rule/own project ... bench:       1,234 ns/iter (+/- 4,736)";
        assert_eq!(nanos(line), Some(1234.0));
        assert_eq!(nanos("test set ... bench: ns/iter"), None);
        assert_eq!(nanos("test set ... ok"), None);
    }
}
