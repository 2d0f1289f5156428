//! Puts questions to both sides and sets their answers side by side.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::strings::Rule;
use crate::kit::{python, run, workspace};

const ORACLE: &str = "xtask/src/policy/oracle.py";
/// How many random rules are drawn before it is looked how many of them can be decided.
const BATCH: usize = 20_000;

/// Both sides.
pub(super) struct Both {
    python: PathBuf,
    folder: TempDir,
}

/// The first line of the input: contexts, and rules to refer to.
pub(super) struct Setup(pub(super) Json);

/// One line of the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row(pub(super) String);

/// What both sides said, line by line.
pub(super) struct Answers {
    questions: Vec<Json>,
    ours: Vec<Row>,
    theirs: Vec<Row>,
}

/// A question to which the answers differ.
#[derive(Debug)]
pub(super) struct Difference {
    question: Json,
    ours: Row,
    theirs: Row,
}

/// Which side is asked.
#[derive(Clone, Copy)]
enum Side {
    Ours,
    Theirs,
}

// === impl Both ===

impl Both {
    /// Installs the Python packages and builds the example, each if need be.
    pub(super) fn build(packages: &[&str]) -> Result<Self> {
        let bin = python::environment("policy", packages)?;
        run::command(&mut example(&["build"], &[]))?;
        Ok(Self {
            python: bin.join("python"),
            folder: tempfile::tempdir()?,
        })
    }

    /// The rules that Barbican registers.
    pub(super) fn barbican_names(&self) -> Result<Vec<Json>> {
        let output = run::stdout(&mut self.command(Side::Theirs, &["names"]))?;
        let lines = output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| Ok(serde_json::from_slice(line)?))
            .collect()
    }

    /// Asks for the rules of Barbican with these names.
    pub(super) fn table(
        &self,
        file: &str,
        set: &str,
        setup: &Setup,
        names: &[Json],
    ) -> Result<Answers> {
        Ok(Answers {
            questions: names.to_vec(),
            ours: self.pieces(Side::Ours, &["table", file, set], setup, names)?,
            theirs: self.pieces(Side::Theirs, &["table", set], setup, names)?,
        })
    }

    /// Draws random rules until `wanted` of them are such as this crate decides, and asks oslo.policy for all.
    pub(super) fn strings(
        &self,
        wanted: usize,
        setup: &Setup,
        mut rule: impl FnMut() -> Rule,
    ) -> Result<(Vec<Rule>, Answers)> {
        let (mut rules, mut ours) = (Vec::new(), Vec::new());
        let mut decided = 0;
        while decided < wanted {
            let batch: Vec<Rule> = (0..BATCH).map(|_| rule()).collect();
            let rows = self.pieces(Side::Ours, &["strings"], setup, &questions(&batch))?;
            ensure!(
                rows.iter().any(|row| row.class() != "refused"),
                "no random rule can be decided"
            );
            for (rule, row) in batch.into_iter().zip(rows) {
                if decided < wanted {
                    decided += usize::from(row.class() != "refused");
                    rules.push(rule);
                    ours.push(row);
                }
            }
        }
        let questions = questions(&rules);
        let theirs = self.pieces(Side::Theirs, &["strings"], setup, &questions)?;
        let answers = Answers {
            questions,
            ours,
            theirs,
        };
        Ok((rules, answers))
    }

    /// Asks one side, in several processes at once.
    fn pieces(
        &self,
        side: Side,
        words: &[&str],
        setup: &Setup,
        questions: &[Json],
    ) -> Result<Vec<Row>> {
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let size = questions.len().div_ceil(jobs).max(1);
        let pieces: Result<Vec<Piece>> = questions
            .chunks(size)
            .enumerate()
            .map(|(number, questions)| {
                let path = self.folder.path().join(number.to_string());
                Piece::start(self.command(side, words), &path, setup, questions)
            })
            .collect();
        let mut rows = Vec::with_capacity(questions.len());
        for piece in pieces? {
            rows.extend(piece.finish()?);
        }
        ensure!(
            rows.len() == questions.len(),
            "{} answers to {} questions",
            rows.len(),
            questions.len()
        );
        Ok(rows)
    }

    fn command(&self, side: Side, words: &[&str]) -> Command {
        match side {
            Side::Ours => example(&["run", "--quiet"], words),
            Side::Theirs => {
                let mut command = Command::new(&self.python);
                // No settings or warnings from outside; texts are UTF-8 whatever the locale.
                command
                    .args(["-I", "-X", "utf8"])
                    .arg(workspace::root().join(ORACLE))
                    .args(words);
                command
            }
        }
    }
}

fn questions(rules: &[Rule]) -> Vec<Json> {
    rules.iter().map(|rule| rule.text.clone()).collect()
}

/// Cargo on the example `decide`.
fn example(verb: &[&str], words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root()).args(verb).args([
        "--package",
        "donjon-oslo-policy",
        "--example",
        "decide",
    ]);
    if !words.is_empty() {
        command.arg("--").args(words);
    }
    command
}

/// A running process with files for input and output.
struct Piece {
    child: Child,
    output: PathBuf,
}

impl Piece {
    fn start(mut command: Command, path: &Path, setup: &Setup, questions: &[Json]) -> Result<Self> {
        let (input, output) = (path.with_extension("in"), path.with_extension("out"));
        let mut writer = BufWriter::new(File::create(&input)?);
        for line in [&setup.0].into_iter().chain(questions) {
            writeln!(writer, "{line}")?;
        }
        writer.flush()?;
        let child = command
            .stdin(File::open(&input)?)
            .stdout(File::create(&output)?)
            .spawn();
        Ok(Self {
            child: child.context("starting one side")?,
            output,
        })
    }

    fn finish(mut self) -> Result<Vec<Row>> {
        let status = self.child.wait()?;
        ensure!(status.success(), "one side ended with {status}");
        let text = fs::read_to_string(&self.output)?;
        Ok(text.lines().map(|line| Row(line.to_owned())).collect())
    }
}

// === impl Setup ===

impl Setup {
    pub(super) fn contexts(&self) -> usize {
        self.0
            .get("contexts")
            .and_then(Json::as_array)
            .map_or(0, Vec::len)
    }
}

// === impl Row ===

impl Row {
    fn field(&self, number: usize) -> &str {
        self.0.split('\t').nth(number).unwrap_or("")
    }

    /// `ok`, `bad` or `refused`.
    pub(super) fn class(&self) -> &str {
        self.field(0)
    }

    /// The rule as it was understood, in JSON.
    pub(super) fn check(&self) -> &str {
        self.field(1)
    }

    /// A letter for each context.
    pub(super) fn answers(&self) -> &str {
        self.field(3)
    }
}

// === impl Answers ===

impl Answers {
    #[cfg(test)]
    pub(super) fn new(questions: Vec<Json>, ours: Vec<Row>, theirs: Vec<Row>) -> Self {
        Self {
            questions,
            ours,
            theirs,
        }
    }

    pub(super) fn ours(&self) -> &[Row] {
        &self.ours
    }

    /// How many rules were asked for.
    pub(super) fn rules(&self) -> usize {
        self.questions.len()
    }

    pub(super) fn decisions(&self) -> usize {
        self.ours.iter().map(|row| row.answers().len()).sum()
    }

    pub(super) fn allowed(&self) -> usize {
        self.ours
            .iter()
            .map(|row| row.answers().matches('y').count())
            .sum()
    }

    pub(super) fn differences(&self) -> Vec<Difference> {
        let pairs = self
            .questions
            .iter()
            .zip(self.ours.iter().zip(&self.theirs));
        pairs
            .filter(|(_, (ours, theirs))| ours != theirs)
            .map(|(question, (ours, theirs))| Difference {
                question: question.clone(),
                ours: ours.clone(),
                theirs: theirs.clone(),
            })
            .collect()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            question,
            ours,
            theirs,
        } = self;
        write!(
            f,
            "{question}\n  donjon      {}\n  oslo.policy {}",
            ours.0, theirs.0
        )
    }
}
