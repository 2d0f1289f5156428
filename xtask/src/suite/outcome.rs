//! What became of each test, as the Python side writes it: one JSON object a line, and `{"end": true}` last.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// One test that was run, or skipped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// `module.Class.name`.
    #[serde(rename = "test")]
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// Why it failed or was skipped.
    pub(crate) detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: bool,
}

/// Reads the file of a run that came to its end.
///
/// # Errors
/// A line that is something else, a test that stands there twice, or no end.
pub(crate) fn parse(text: &str) -> Result<Vec<Outcome>> {
    let mut lines = text.lines();
    let last = lines.next_back().unwrap_or_default();
    let is_whole = serde_json::from_str::<End>(last).is_ok_and(|line| line.end);
    ensure!(is_whole, "the outcomes of tests have no end");
    let outcomes: Vec<Outcome> = lines
        .map(|line| serde_json::from_str(line).with_context(|| format!("reading {line:?}")))
        .collect::<Result<_>>()?;
    let mut names: Vec<&str> = outcomes.iter().map(|outcome| &*outcome.name).collect();
    names.sort_unstable();
    let twice = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b);
    ensure!(twice.is_none(), "two outcomes of one test: {twice:?}");
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = r#"{"test": "a.B.c", "verdict": "passed", "detail": ""}"#;
    const SKIPPED: &str = r#"{"test": "a.B.d", "verdict": "skipped", "detail": "why"}"#;
    const END: &str = r#"{"end": true}"#;

    #[test]
    fn reads_a_whole_run() {
        let outcomes = parse(&[PASSED, SKIPPED, END].join("\n")).unwrap();
        assert_eq!(outcomes[0].name, "a.B.c");
        assert_eq!(outcomes[1].verdict, Verdict::Skipped);
        assert_eq!(outcomes[1].detail, "why");
        assert!(parse(END).unwrap().is_empty());
    }

    #[test]
    fn a_broken_run_is_an_error() {
        for text in [
            String::new(),
            PASSED.to_owned(),
            [END, PASSED].join("\n"),
            [PASSED, PASSED, END].join("\n"),
            [r#"{"test": "a", "verdict": "odd", "detail": ""}"#, END].join("\n"),
            [PASSED, r#"{"end": false}"#].join("\n"),
        ] {
            assert!(parse(&text).is_err(), "{text}");
        }
    }
}
