//! Finds the commands of a Markdown file.
//!
//! In a fenced block marked `console`, lines that begin with `$ ` are commands; a line that ends in a backslash goes on in
//! the next. Everything else in it is output, for readers. `no-run` after the language keeps a block from being run.
//! Blocks of other shell languages must say `no-run`, so that no command goes unchecked by mistake.

use anyhow::{Result, bail};

/// A command and the line it stands in, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) command: String,
}

/// # Errors
/// A shell block that is neither `console` nor marked `no-run`.
pub(crate) fn commands(markdown: &str) -> Result<Vec<Line>> {
    let mut found = Vec::new();
    let mut block: Option<Block> = None;
    for (number, line) in (1..).zip(markdown.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut block, fence) {
            (None, Some(info)) => block = Some(Block::open(info, number)?),
            (Some(_), Some(_)) => block = None,
            (Some(open), None) if open.runs => open.line(line, number, &mut found),
            _ => {}
        }
    }
    Ok(found)
}

struct Block {
    runs: bool,
    /// Whether the last command goes on in the next line.
    goes_on: bool,
}

impl Block {
    fn open(info: &str, number: usize) -> Result<Self> {
        let words: Vec<&str> = info.split_whitespace().collect();
        let language = words.first().copied().unwrap_or_default();
        let shown_only = words.contains(&"no-run");
        if matches!(language, "sh" | "bash" | "shell" | "shell-session") && !shown_only {
            bail!(
                "line {number}: mark this block `console`, with `$ ` before each command, or `{language} no-run`"
            );
        }
        Ok(Self {
            runs: language == "console" && !shown_only,
            goes_on: false,
        })
    }

    fn line(&mut self, line: &str, number: usize, found: &mut Vec<Line>) {
        let text = if self.goes_on {
            Some(line)
        } else {
            line.trim_start().strip_prefix("$ ")
        };
        let Some(text) = text else {
            return;
        };
        match found.last_mut() {
            Some(last) if self.goes_on => {
                last.command.push('\n');
                last.command.push_str(text);
            }
            _ => found.push(Line {
                number,
                command: text.to_owned(),
            }),
        }
        self.goes_on = text.ends_with('\\');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_commands_and_their_lines() {
        let text = "# T\n```console\n$ a \\\n  b\noutput\n$ c\n```\n```console no-run\n$ d\n```\n```toml\n$ e\n```\n";
        let found = commands(text).unwrap();
        let line = |number, command: &str| Line {
            number,
            command: command.to_owned(),
        };
        assert_eq!(found, [line(3, "a \\\n  b"), line(6, "c")]);
    }

    #[test]
    fn no_shell_block_goes_unchecked() {
        assert!(commands("```sh\nrm -r x\n```\n").is_err());
        assert!(commands("```sh no-run\nrm -r x\n```\n").unwrap().is_empty());
    }
}
