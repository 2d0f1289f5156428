//! `docs`: runs the commands that newcomers are told to type: those of the README, those the server prints, and, where
//! asked to, those of `docs/replace-barbican.md`.

mod first_start;
mod markdown;
mod shell;
mod walk;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::CommandFactory as _;

use self::markdown::Line;
use self::shell::Shell;
use crate::kit::build::{self, Profile};
use crate::kit::workspace;

/// Where a server listens that is told nothing.
const DEFAULT_ADDRESS: &str = "127.0.0.1:9311";

/// Where the README's second server is told to listen.
const TRIAL_ADDRESS: &str = "127.0.0.1:9321";

/// Run the README's commands and the curl lines of the first start
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Leave out `--release` of cargo commands, which then need no second build
    #[arg(long)]
    pub(crate) dev: bool,
    /// Walk through docs/replace-barbican.md instead: package, Keystone and proxies in a clean Debian 12; needs root and a network
    #[arg(long)]
    pub(crate) walk: bool,
}

/// # Errors
/// A command that fails; the message names its line.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.walk {
        return walk::run(args.dev);
    }
    walk::check()?;
    let file = workspace::root().join("README.md");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let lines = markdown::commands(&text);
    ensure!(
        !lines.is_empty(),
        "README.md holds no `console` block with commands"
    );
    let binary = build::donjon(Profile::Dev, &[])?;
    let mut shell = Shell::new(&binary)?;
    let default_address = free_or_other(DEFAULT_ADDRESS)?;
    if default_address != DEFAULT_ADDRESS {
        shell.env("DONJON_HTTP__LISTEN", &default_address);
    }
    let trial_address = free_or_other(TRIAL_ADDRESS)?;
    for line in &lines {
        println!("README.md:{}: $ {}", line.number, line.command);
        let command = line.command.replace(DEFAULT_ADDRESS, &default_address);
        let mut command = command.replace(TRIAL_ADDRESS, &trial_address);
        if args.dev && command.starts_with("cargo ") {
            command = command.replace(" --release", "");
        }
        play(&mut shell, &command)
            .with_context(|| format!("README.md, line {}: {}", line.number, line.command))?;
    }
    shell.stop_servers()?;
    paste(&binary, &lines, &trial_address)?;
    first_start::check(&binary)?;
    println!(
        "{} commands of README.md and the lines of the first start work",
        lines.len()
    );
    Ok(())
}

/// Runs blocks with a server in the background once more, all lines at once, as somebody pastes them who waits for nothing.
fn paste(binary: &Path, lines: &[Line], trial_address: &str) -> Result<()> {
    for block in lines.chunk_by(|a, b| a.block == b.block) {
        let Some(first) = block.iter().find(|line| line.command.ends_with('&')) else {
            continue;
        };
        println!(
            "README.md:{}: the whole block, pasted",
            block.first().map_or(first.number, |line| line.number)
        );
        let commands: Vec<&str> = block.iter().map(|line| line.command.as_str()).collect();
        let commands = commands.join("\n").replace(TRIAL_ADDRESS, trial_address);
        let output = Shell::new(binary)?
            .run_and_stop(&commands)
            .with_context(|| format!("README.md, the block of line {}", first.number))?;
        ensure!(!output.contains("\"code\""), "the server refused: {output}");
    }
    Ok(())
}

fn play(shell: &mut Shell, command: &str) -> Result<()> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        // This program itself: `test` runs this verb, so only the words are checked.
        ["cargo", "xtask", words @ ..] => {
            let words = std::iter::once(&"xtask").chain(words);
            crate::Cli::command()
                .try_get_matches_from(words)
                .map(drop)
                .context("no such verb or option")
        }
        words if words.contains(&"serve") => shell.serve(command.trim_end_matches('&')).map(drop),
        words => {
            let output = shell.run(command)?;
            let refused = words.first() == Some(&"curl") && output.contains("\"code\"");
            ensure!(!refused, "the server refused: {output}");
            Ok(())
        }
    }
}

/// The address, or another one if it is taken on this machine.
fn free_or_other(address: &str) -> Result<String> {
    if TcpListener::bind(address).is_ok() {
        return Ok(address.to_owned());
    }
    let other = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    println!("{address} is taken on this machine, so {other} stands in for it");
    Ok(other)
}
