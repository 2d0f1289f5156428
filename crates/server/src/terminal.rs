//! Asks the person at the terminal, without showing what is typed.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
};

use anyhow::{Context, Result};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Shows `prompt` and reads a line, up to `bytes_max` and one more. The line end
/// stays. Blocks until it is typed.
///
/// # Errors
/// There is no terminal.
pub(crate) fn ask(prompt: &str, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>> {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .context("no terminal to ask at; name a file or a credential that has it")?;
    let silent = Silent::new(&terminal)?;
    (&terminal).write_all(prompt.as_bytes())?;
    let capacity = usize::try_from(bytes_max).unwrap_or(0).saturating_add(1);
    let mut line = Zeroizing::new(Vec::with_capacity(capacity));
    let mut byte = [0];
    while line.len() < capacity && (&terminal).read(&mut byte)? > 0 {
        line.push(byte[0]);
        if byte == *b"\n" {
            break;
        }
    }
    drop(silent);
    (&terminal).write_all(b"\n")?;
    Ok(line)
}

/// A terminal that shows nothing; as it was when dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a File) -> Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing any more.
        let _gone = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
