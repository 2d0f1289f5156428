//! What the blocks of the page say to do. A block that says nothing of the kind is an error: nothing would run it.
//!
//! Behind the fence stands the language, and then
//!
//! - for `console`, who types the commands: `root`, `admin` or `member`,
//! - for anything else, the file on the server: `file=PATH` has nothing but the block, `append=PATH` ends with it, and
//!   `into=PATH` is TOML in which the keys of the block get its values.

use anyhow::{Result, bail, ensure};

use crate::docs::markdown::{self, Block, Line};

/// A block and what to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) section: String,
    pub(crate) line: usize,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Type(Who, Vec<Line>),
    File { path: String, text: String },
    Append { path: String, text: String },
    Settings { path: String, text: String },
}

/// Who types commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// On the server.
    Root,
    /// The administrator of the cloud, at a client.
    Admin,
    /// A user, at a client.
    Member,
}

/// # Errors
/// A block that nobody types and that is no file, or one without a command.
pub(crate) fn steps(markdown: &str) -> Result<Vec<Step>> {
    let blocks = markdown::blocks(markdown);
    ensure!(!blocks.is_empty(), "no block at all");
    blocks.iter().map(step).collect()
}

fn step(block: &Block) -> Result<Step> {
    let what = match block.info.split_once(' ') {
        Some(("console", "root")) => typed(Who::Root, block)?,
        Some(("console", "admin")) => typed(Who::Admin, block)?,
        Some(("console", "member")) => typed(Who::Member, block)?,
        Some((language, place)) if language != "console" => {
            let text = block.text();
            match place.split_once('=') {
                Some(("file", path)) => What::File {
                    path: path.to_owned(),
                    text,
                },
                Some(("append", path)) => What::Append {
                    path: path.to_owned(),
                    text,
                },
                Some(("into", path)) => What::Settings {
                    path: path.to_owned(),
                    text,
                },
                _ => return nothing_runs(block),
            }
        }
        _ => return nothing_runs(block),
    };
    Ok(Step {
        section: block.section.clone(),
        line: block.line,
        what,
    })
}

fn typed(who: Who, block: &Block) -> Result<What> {
    let commands = block.commands();
    ensure!(
        !commands.is_empty(),
        "line {}: a block of commands without one",
        block.line
    );
    Ok(What::Type(who, commands))
}

fn nothing_runs(block: &Block) -> Result<Step> {
    bail!(
        "line {}: nothing runs this block: it has to begin with ```console root, admin or member, or with \
         ```LANGUAGE file=PATH, append=PATH or into=PATH",
        block.line
    )
}

/// Puts the keys of `from` into `settings`, both TOML with one key a line, in place of those of the same name and table.
pub(crate) fn set(settings: &str, from: &str) -> String {
    let mut lines: Vec<String> = settings.lines().map(str::to_owned).collect();
    let mut table = "";
    for line in from.lines().map(str::trim) {
        if line.starts_with('[') {
            table = line;
        } else if let Some((name, _)) = line.split_once('=') {
            let (from, to) = place(&mut lines, table);
            let is_it = |old: &String| {
                old.split_once('=')
                    .is_some_and(|(old, _)| old.trim() == name.trim())
            };
            let old = (from..to).find(|at| lines.get(*at).is_some_and(is_it));
            if let Some(at) = old {
                lines.remove(at);
            }
            lines.insert(old.unwrap_or(from), line.to_owned());
        }
    }
    lines.join("\n") + "\n"
}

/// The lines that a table has, behind its head. It is made at the end where it is missing.
fn place(lines: &mut Vec<String>, table: &str) -> (usize, usize) {
    let from = match lines.iter().position(|line| line.trim() == table) {
        Some(head) => head + 1,
        None if table.is_empty() => 0,
        None => {
            lines.push(table.to_owned());
            lines.len()
        }
    };
    let rest = lines.iter().enumerate().skip(from);
    let next = rest
        .filter(|(_, line)| line.starts_with('['))
        .map(|(at, _)| at)
        .next();
    (from, next.unwrap_or(lines.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_say_what_to_do() {
        let text = "## 1. A\n```console root\n$ a\n```\n```ini file=/b\n[c]\n```\n";
        let found = steps(text).unwrap();
        let [first, second] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(matches!(&first.what, What::Type(Who::Root, lines) if lines[0].command == "a"));
        let (path, text) = ("/b".to_owned(), "[c]\n".to_owned());
        assert_eq!(second.what, What::File { path, text });
        assert_eq!(second.section, "1. A");
    }

    #[test]
    fn a_block_that_nothing_runs_is_an_error() {
        for block in [
            "```\n$ a\n```\n",
            "```sh\n$ a\n```\n",
            "```console\n$ a\n```\n",
            "```console no-run\n$ a\n```\n",
            "```console root\na\n```\n",
            "```console file=/a\n$ a\n```\n",
            "```toml\na = 1\n```\n",
            "```toml to=/a\na = 1\n```\n",
            "",
        ] {
            let page = format!("```console root\n$ a\n```\n{block}");
            assert_eq!(steps(&page).is_err(), !block.is_empty(), "{block}");
        }
        assert!(steps("no block").is_err());
    }

    #[test]
    fn settings_take_the_place_of_those_before() {
        let before = "d = 1\n\n[a]\nx = 1 # one\ny = 2\n\n[b]\nx = 3\n";
        let from = "[b]\nx = 4\nz = 5\n\n[a]\ny = 6\n\n[c]\nx = 7\n";
        let after = "d = 1\n\n[a]\nx = 1 # one\ny = 6\n\n[b]\nz = 5\nx = 4\n[c]\nx = 7\n";
        assert_eq!(set(before, from), after);
    }
}
