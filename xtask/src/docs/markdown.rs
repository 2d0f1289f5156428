//! Finds the fenced blocks of a Markdown file, and the commands in them.
//!
//! In a block of commands, lines that begin with `$ ` are commands; a line that ends in a backslash goes on in the next.
//! Everything else in it is output. Of the README, blocks marked `console` are run; blocks of other languages (`sh`,
//! `toml`) and those marked `console no-run` are shown only.

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Which of all it is, from 1.
    pub(crate) number: usize,
    /// The line in which it opens, from 1.
    pub(crate) line: usize,
    /// The last heading before it, without its marks.
    pub(crate) section: String,
    /// What stands behind the fence: the language, then what is to be done with it.
    pub(crate) info: String,
    pub(crate) lines: Vec<String>,
}

/// A command, the line it stands in, and the block, each counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) block: usize,
    pub(crate) command: String,
    /// The lines that it prints, as the file says.
    pub(crate) output: Vec<String>,
}

/// All blocks, in order.
pub(crate) fn blocks(markdown: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    let mut section = String::new();
    for (number, line) in (1..).zip(markdown.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (open, fence) {
            (false, Some(info)) => {
                open = true;
                found.push(Block {
                    number: found.len() + 1,
                    line: number,
                    section: section.clone(),
                    info: info.trim().to_owned(),
                    lines: Vec::new(),
                });
            }
            (true, Some(_)) => open = false,
            (true, None) => {
                if let Some(block) = found.last_mut() {
                    block.lines.push(line.to_owned());
                }
            }
            (false, None) => {
                if let Some(heading) = line.strip_prefix('#') {
                    section = heading.trim_start_matches('#').trim().to_owned();
                }
            }
        }
    }
    found
}

/// The commands of the README to run, in order.
pub(crate) fn commands(markdown: &str) -> Vec<Line> {
    let blocks = blocks(markdown);
    let run = blocks.iter().filter(|block| block.info == "console");
    run.flat_map(Block::commands).collect()
}

impl Block {
    /// The commands in it, in order.
    pub(crate) fn commands(&self) -> Vec<Line> {
        let mut found: Vec<Line> = Vec::new();
        let mut goes_on = false;
        for (number, line) in (self.line + 1..).zip(&self.lines) {
            let command = line.trim_start().strip_prefix("$ ");
            match (found.last_mut(), command) {
                (Some(last), _) if goes_on => {
                    last.command.push('\n');
                    last.command.push_str(line);
                    goes_on = line.ends_with('\\');
                }
                (_, Some(command)) => {
                    goes_on = command.ends_with('\\');
                    found.push(Line {
                        number,
                        block: self.number,
                        command: command.to_owned(),
                        output: Vec::new(),
                    });
                }
                (Some(last), None) => last.output.push(line.clone()),
                (None, None) => {}
            }
        }
        found
    }

    /// All lines, each with its end.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_commands_and_their_lines() {
        let text = "# T\n```console\n$ a \\\n  b\noutput\n$ c\n```\n```console no-run\n$ d\n```\n```sh\n$ d\n```\n```toml\n$ e\n```\n";
        let found = commands(text);
        let line = |number, command: &str, output: &[&str]| Line {
            number,
            block: 1,
            command: command.to_owned(),
            output: output.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            found,
            [line(3, "a \\\n  b", &["output"]), line(6, "c", &[])]
        );
    }

    #[test]
    fn blocks_know_their_section() {
        let found =
            blocks("# T\n```x\na\n\nb\n```\n## 2. U\n```y z\n# no heading\n```\n```\n```\n");
        let told: Vec<(&str, &str, String)> = found
            .iter()
            .map(|block| (block.section.as_str(), block.info.as_str(), block.text()))
            .collect();
        assert_eq!(
            told,
            [
                ("T", "x", "a\n\nb\n".to_owned()),
                ("2. U", "y z", "# no heading\n".to_owned()),
                ("2. U", "", String::new()),
            ]
        );
        assert_eq!((found[1].number, found[1].line), (2, 8));
    }
}
