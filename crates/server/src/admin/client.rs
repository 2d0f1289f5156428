//! The command line's side of the admin socket.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use zeroize::Zeroizing;

use super::{Request, Response};

/// Asks the server that listens on `socket`; `None` where nobody does. Blocks
/// for half a minute at most, but where Keystone is asked about all projects.
///
/// # Errors
/// The server does not answer, or not with what was asked for.
pub(crate) fn ask(socket: &Path, request: &Request) -> Result<Option<Response>> {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("{}: no way in", socket.display()));
        }
    };
    let answer = converse(&mut stream, request);
    answer
        .map(Some)
        .with_context(|| format!("{}: the server does not answer", socket.display()))
}

fn converse(stream: &mut UnixStream, request: &Request) -> Result<Response> {
    stream.set_read_timeout(Some(request.patience()))?;
    stream.set_write_timeout(Some(request.patience()))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(4 * 1024));
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_until(b'\n', &mut answer)?;
    ensure!(answer.last() == Some(&b'\n'), "the answer is cut off");
    Ok(serde_json::from_slice(&answer)?)
}

/// A path that is too long for a socket cannot have one.
fn is_nobody(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::NotFound | Kind::ConnectionRefused | Kind::InvalidInput
    )
}

const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
