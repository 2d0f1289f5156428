//! The `donjon` program: reads the configuration, makes or opens the data
//! folder, plugs the adapters together and runs the server.
//!
//! May import: every crate of the workspace but the test kit. Deliberately
//! absent: rules, SQL, cryptography, HTTP; each has a crate of its own.
//!
//! Suggested reading order: `cli`, `config`, `data_dir`, `assembly`, then
//! `commands`, one module for each verb.

mod cli;
mod config;

mod admin;
mod assembly;
mod data_dir;
mod duration;
mod exit;
mod frontend;
mod hardening;
mod hsm;
mod logging;
mod modes;
mod mover;
mod notify;
mod policy;
mod root_key;
mod rotation;
mod signals;
mod stores;
mod sweep;
mod system;
mod terminal;
mod transit;
#[cfg(any(feature = "store-vault", feature = "crypto-vault"))]
mod vault;
mod welcome;
mod workers;

mod commands;

use std::{io::Write, process::ExitCode};

use clap::{CommandFactory, Parser};

use crate::{
    cli::{Cli, Verb},
    exit::{Exit, Failure, OrExit},
};

fn main() -> ExitCode {
    let ended = run(Cli::parse());
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // Nobody is left to tell where stderr is gone.
            drop(writeln!(std::io::stderr(), "donjon: {failure}"));
            failure.exit().into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    hardening::harden().or_exit(Exit::Other)?;
    match cli.verb {
        None => print_help(),
        Some(Verb::Serve(args)) => commands::serve(&args),
        Some(Verb::Init(place)) => commands::init(&place),
        Some(Verb::Token(verb)) => commands::token(&verb),
        Some(Verb::Policy(verb)) => commands::policy(&verb),
        Some(Verb::Doctor(verb)) => commands::doctor(&verb),
        Some(Verb::Secrets(verb)) => commands::secrets(&verb),
        Some(Verb::Rotate(verb)) => commands::rotate(&verb),
        Some(Verb::Projects(verb)) => commands::projects(&verb),
        Some(Verb::Shred(verb)) => commands::shred(&verb),
        Some(Verb::RootKey(verb)) => commands::root_key(&verb),
        #[cfg(feature = "pkcs11")]
        Some(Verb::Hsm(verb)) => commands::hsm(&verb),
        Some(Verb::Config(cli::Config::Check(overrides))) => commands::check(&overrides),
        Some(Verb::Config(cli::Config::Convert(args))) => commands::convert(&args),
        Some(Verb::Man(args)) => commands::man(&args),
    }
}

fn print_help() -> Result<Exit, Failure> {
    Cli::command().print_long_help().or_exit(Exit::Other)?;
    Ok(Exit::Good)
}
