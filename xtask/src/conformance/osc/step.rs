//! One command, and what it has to print. The placeholders are those of `tests/golden`, with Keystone's own ids for
//! `{user:NAME}`.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::programs::Answer;
use crate::golden::compare;
use crate::golden::json::Json;
use crate::golden::template::{MissingUuid, Scope, Uuids};

/// How long an order may be under way.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A command without any of `prints`, `shows` and `fails` succeeds and prints nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) run: Vec<String>,
    /// The user, if it is not `member`.
    #[serde(rename = "as")]
    pub(super) user: Option<String>,
    /// Asks again as long as the answer shows an order under way.
    #[serde(default)]
    wait: bool,
    /// What it prints with `-f json`.
    prints: Option<Json>,
    /// The lines that it prints; runs of spaces and of dashes, by which a table is made wide enough, count as one.
    shows: Option<Vec<String>>,
    /// The command has to fail, and to end by saying this.
    fails: Option<String>,
}

impl Step {
    /// Reads a topic.
    ///
    /// # Errors
    /// No such file, or one that is not as described above.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>> {
        let text = fs::read(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &[u8]) -> Result<Vec<Self>> {
        let steps: Vec<Self> = serde_json::from_slice(text)?;
        for step in &steps {
            let ends = [
                step.prints.is_some(),
                step.shows.is_some(),
                step.fails.is_some(),
            ];
            ensure!(
                ends.into_iter().filter(|end| *end).count() < 2,
                "two ends of {:?}",
                step.run
            );
        }
        Ok(steps)
    }

    /// The words of the command, or why there are none.
    pub(super) fn words(&self, scope: &Scope, uuids: &Uuids) -> Result<Vec<String>, String> {
        let fill = |word: &String| scope.fill(word, uuids);
        let words: Result<Vec<String>, MissingUuid> = self.run.iter().map(fill).collect();
        let mut words = words.map_err(|MissingUuid(number)| {
            format!("{{uuid:{number}}} has no value, since an earlier command went wrong")
        })?;
        if self.prints.is_some() {
            words.extend(["-f", "json"].map(str::to_owned));
        }
        Ok(words)
    }

    /// Runs the command, again and again if that is wanted.
    ///
    /// # Errors
    /// Those of `run`.
    pub(super) fn until_done(&self, mut run: impl FnMut() -> Result<Answer>) -> Result<Answer> {
        let began = Instant::now();
        loop {
            let answer = run()?;
            let is_done = !self.wait || !answer.stdout.contains("PENDING");
            if is_done || began.elapsed() > PATIENCE {
                return Ok(answer);
            }
            thread::sleep(POLL);
        }
    }

    /// What is wrong with what the command did.
    pub(super) fn problems(
        &self,
        answer: &Answer,
        scope: &Scope,
        uuids: &mut Uuids,
    ) -> Vec<String> {
        let problem = |what: String| vec![format!("{what}\n{}", answer.show())];
        if let Some(text) = &self.fails {
            let said = answer.stderr.trim_end().lines().next_back();
            let as_told = scope.matches(text, said.unwrap_or_default().trim(), uuids);
            return if answer.code != 0 && as_told {
                Vec::new()
            } else {
                problem(format!("should fail with {text:?}"))
            };
        }
        if answer.code != 0 {
            return problem("should not fail".to_owned());
        }
        if let Some(lines) = &self.shows {
            let expected = lines.join("\n");
            return if scope.matches(&expected, &narrow(&answer.stdout), uuids) {
                Vec::new()
            } else {
                problem(format!("should show\n{expected}"))
            };
        }
        let Some(expected) = &self.prints else {
            return if answer.stdout.trim().is_empty() {
                Vec::new()
            } else {
                problem("should print nothing".to_owned())
            };
        };
        match serde_json::from_str::<Json>(&answer.stdout) {
            Ok(printed) => compare::json_differences(expected, &printed, scope, uuids)
                .iter()
                .map(ToString::to_string)
                .collect(),
            Err(error) => problem(format!("prints no JSON: {error}")),
        }
    }
}

/// The lines of a text, with runs of spaces and of dashes made one.
fn narrow(text: &str) -> String {
    let mut narrow = String::new();
    for line in text.trim().lines() {
        if !narrow.is_empty() {
            narrow.push('\n');
        }
        let mut last = '\n';
        for c in line.trim().chars() {
            if c != last || !matches!(c, ' ' | '-') {
                narrow.push(c);
            }
            last = c;
        }
    }
    narrow
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(end: &str) -> Step {
        let text = format!(r#"[{{"run": ["secret", "list"]{end}}}]"#);
        Step::parse(text.as_bytes()).unwrap().remove(0)
    }

    fn problems(end: &str, code: i32, stdout: &str, stderr: &str) -> usize {
        let answer = Answer {
            code,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        let scope = Scope::new("http://h", "s");
        step(end).problems(&answer, &scope, &mut Uuids::new()).len()
    }

    #[test]
    fn each_end_is_checked() {
        for (end, code, stdout, stderr, wrong) in [
            ("", 0, " \n", "", 0),
            ("", 0, "x", "", 1),
            ("", 1, "", "", 1),
            (r#", "prints": []"#, 0, "[]", "", 0),
            (r#", "prints": []"#, 0, "[1]", "", 1),
            (r#", "prints": []"#, 0, "", "", 1),
            (r#", "prints": []"#, 1, "[]", "", 1),
            (r#", "shows": ["a {any}"]"#, 0, "a  b\n", "", 0),
            (r#", "shows": ["a b", "c"]"#, 0, "a b\n", "", 1),
            (r#", "fails": "no {any}""#, 1, "", "well\nno luck\n", 0),
            (r#", "fails": "no {any}""#, 1, "", "no luck\nwell\n", 1),
            (r#", "fails": "no {any}""#, 0, "", "no luck\n", 1),
        ] {
            assert_eq!(problems(end, code, stdout, stderr), wrong, "{end} {stdout}");
        }
    }

    #[test]
    fn a_step_ends_in_one_way() {
        for end in [
            r#", "fails": "a", "shows": []"#,
            r#", "prints": 1, "shows": []"#,
            r#", "prnts": 1"#,
        ] {
            let text = format!(r#"[{{"run": []{end}}}]"#);
            assert!(Step::parse(text.as_bytes()).is_err(), "{end}");
        }
    }

    #[test]
    fn waits_while_an_order_is_under_way() {
        for (end, asked) in [(r#", "wait": true"#, 2), ("", 1)] {
            let mut count = 0;
            let answer = step(end).until_done(|| {
                count += 1;
                let stdout = if count == 1 { "PENDING" } else { "ACTIVE" };
                Ok(Answer {
                    code: 0,
                    stdout: stdout.to_owned(),
                    stderr: String::new(),
                })
            });
            assert!(answer.is_ok());
            assert_eq!(count, asked);
        }
    }

    #[test]
    fn a_table_may_have_any_width() {
        assert_eq!(narrow("+----+---+\n|  a | b |\n"), "+-+-+\n| a | b |");
        assert_eq!(narrow("\n"), "");
    }

    #[test]
    fn ids_of_users_are_those_of_keystone() {
        let mut scope = Scope::new("http://h", "s");
        scope.set_id("user:stranger", "0123");
        let words = step(r#", "prints": 1"#).words(&scope, &Uuids::new());
        assert_eq!(words.unwrap(), ["secret", "list", "-f", "json"]);
        let filled = scope.fill("{user:stranger}", &Uuids::new()).unwrap();
        assert_eq!(filled, "0123");
    }
}
