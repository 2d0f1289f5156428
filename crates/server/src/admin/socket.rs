//! The admin socket of a running server. The folder keeps others out; that the
//! peer is our user or root is checked once more, with what the kernel says.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};
use zeroize::Zeroizing;

use super::{Admin, Request, Response};

/// An open socket; its file goes away when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Opens the socket. What is left of an earlier server is removed: the
    /// caller holds the lock of the folder, so nobody listens there. Needs a
    /// runtime.
    ///
    /// # Errors
    /// As the system says; a path has at most 107 bytes.
    pub(crate) fn bind(path: &Path) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => bail!("{}: not a socket; move it away", path.display()),
            Err(error) => return Err(error.into()),
        }
        let listener = UnixListener::bind(path).with_context(|| {
            format!(
                "{}: cannot be opened; is its path too long?",
                path.display()
            )
        })?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers until dropped.
    pub(crate) async fn serve(self, admin: Admin) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let admin = admin.clone();
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, &admin).await {
                            tracing::warn!(error = format!("{error:#}"), "admin request failed");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "admin socket cannot accept");
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "admin socket cannot be removed");
        }
    }
}

async fn converse(mut stream: UnixStream, admin: &Admin) -> Result<()> {
    let (peer, we) = (stream.peer_cred()?.uid(), geteuid().as_raw());
    if peer != we && peer != ROOT {
        bail!("user {peer} is not let in");
    }
    let line = timeout(PATIENCE, read_line(&mut stream))
        .await
        .context("the request did not come in time")??;
    let response = match serde_json::from_slice::<Request>(&line) {
        Ok(request) => {
            let shown = format!("{request:?}");
            let response = admin.handle(request).await;
            tracing::info!(request = shown, done = response.is_done(), "admin request");
            response
        }
        Err(error) => Response::Refused {
            message: format!("not a request: {error}"),
        },
    };
    let line = to_line(&response)?;
    timeout(PATIENCE, stream.write_all(&line))
        .await
        .context("the answer was not taken in time")??;
    Ok(())
}

async fn read_line(stream: &mut UnixStream) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    reader.read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        bail!("the request is cut off, or longer than {REQUEST_BYTES_MAX} bytes");
    }
    Ok(line)
}

/// The answer may hold a token, so its bytes are wiped, and so is what a
/// growing buffer would leave behind: an answer with a token fits at once.
fn to_line(response: &Response) -> Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    serde_json::to_writer(&mut *line, response)?;
    line.push(b'\n');
    Ok(line)
}

impl Response {
    fn is_done(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Failed { .. })
    }
}

const ROOT: u32 = 0;
const CONNECTIONS_MAX: usize = 16;
const REQUEST_BYTES_MAX: u64 = 64 * 1024;
const ANSWER_BYTES: usize = 4 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
const BACKOFF: Duration = Duration::from_millis(100);
