//! Finds the commands of a Markdown file.
//!
//! In a fenced block marked `console`, lines that begin with `$ ` are commands; a line that ends in a backslash goes on in
//! the next. Everything else in it is output, for readers. Blocks of other languages (`sh`, `toml`) and those marked
//! `console no-run` are shown only.

/// A command, the line it stands in, and the block, each counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) block: usize,
    pub(crate) command: String,
}

/// The commands to run, in order.
pub(crate) fn commands(markdown: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut block: Option<Block> = None;
    let mut blocks = 0;
    for (number, line) in (1..).zip(markdown.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut block, fence) {
            (None, Some(info)) => {
                blocks += 1;
                block = Some(Block::open(info, blocks));
            }
            (Some(_), Some(_)) => block = None,
            (Some(open), None) if open.runs => open.line(line, number, &mut found),
            _ => {}
        }
    }
    found
}

struct Block {
    runs: bool,
    /// Which of all blocks it is, from 1.
    number: usize,
    /// Whether the last command goes on in the next line.
    goes_on: bool,
}

impl Block {
    fn open(info: &str, number: usize) -> Self {
        Self {
            runs: info.trim() == "console",
            number,
            goes_on: false,
        }
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
                block: self.number,
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
        let text = "# T\n```console\n$ a \\\n  b\noutput\n$ c\n```\n```console no-run\n$ d\n```\n```sh\n$ d\n```\n```toml\n$ e\n```\n";
        let found = commands(text);
        let line = |number, command: &str| Line {
            number,
            block: 1,
            command: command.to_owned(),
        };
        assert_eq!(found, [line(3, "a \\\n  b"), line(6, "c")]);
    }
}
