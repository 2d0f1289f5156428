//! Binding, accepting and draining.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use crate::connection;
use crate::io::Stream;
use crate::limits::Limits;
use crate::listen::{self, BindError, Listen, ListenAddr, Listener};
use crate::peer::{IpRange, Peer};
use crate::registry::{Meter, Mode, Shared};
use crate::service::Service;

/// What a server needs to know before it binds.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; [`ConnectionInfo::listener`](crate::ConnectionInfo::listener) is an index into this.
    pub listen: Vec<Listen>,
    /// Networks of proxies that speak for many clients.
    pub trusted_proxies: Vec<IpRange>,
    /// The limits.
    pub limits: Limits,
}

/// A server whose sockets are open but that does not answer yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    local_addrs: Vec<ListenAddr>,
    shared: Arc<Shared>,
}

/// What a shutdown did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Connections that were open when the shutdown began.
    pub open: usize,
    /// Those of them that were still busy when the time was over, and were cut.
    pub cut: usize,
    /// How long it took.
    pub took: Duration,
}

/// Cuts all connections if [`Server::serve`] is dropped before it has drained.
struct CutOnDrop(Arc<Shared>);

// === impl Server ===

impl Server {
    /// Opens every socket of `config`. Clients may connect from now on and wait until [`serve`](Self::serve).
    ///
    /// Needs a tokio runtime with I/O and time. A Unix socket file that nobody answers on is replaced; it is made
    /// with the permissions of [`Listen::unix_mode`] from the start, and removed at the end.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(config.listen.len());
        let mut local_addrs = Vec::with_capacity(config.listen.len());
        for listen in &config.listen {
            let listener = Listener::bind(listen).await?;
            let local_addr = listener.local_addr().map_err(|source| BindError {
                addr: listen.addr.clone(),
                source,
            })?;
            listeners.push(listener);
            local_addrs.push(local_addr);
        }
        let shared = Arc::new(Shared::new(config.limits, config.trusted_proxies));
        Ok(Self {
            listeners,
            local_addrs,
            shared,
        })
    }

    /// The addresses listened on, in the order of [`Config::listen`], with the ports the system chose.
    pub fn local_addrs(&self) -> &[ListenAddr] {
        &self.local_addrs
    }

    /// Live figures, readable while the server runs and afterwards.
    pub fn meter(&self) -> Meter {
        Meter::new(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` resolves, then drains.
    ///
    /// Draining closes the listeners and idle connections at once and lets requests in flight finish, for at most
    /// [`Limits::drain_timeout`]; what is left then is cut. Dropping this future cuts everything at once.
    pub async fn serve<S: Service>(
        self,
        service: Arc<S>,
        shutdown: impl Future<Output = ()>,
    ) -> Summary {
        let shared = self.shared;
        let _guard = CutOnDrop(Arc::clone(&shared));
        let mut accepting = JoinSet::new();
        for (index, listener) in self.listeners.into_iter().enumerate() {
            accepting.spawn(accept(
                listener,
                index,
                Arc::clone(&shared),
                Arc::clone(&service),
            ));
        }
        shutdown.await;
        accepting.shutdown().await;
        drain(&shared).await
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.close_all(Mode::Abort);
    }
}

async fn drain(shared: &Shared) -> Summary {
    let began = Instant::now();
    let open = shared.connections();
    shared.close_all(Mode::Drain);
    let cut = match timeout(shared.limits.drain_timeout, shared.emptied()).await {
        Ok(()) => 0,
        Err(_elapsed) => {
            let cut = shared.connections();
            shared.close_all(Mode::Abort);
            // A connection task ends at its next turn; only a service that blocks its thread can delay that.
            if timeout(CUT_TIMEOUT, shared.emptied()).await.is_err() {
                warn!(
                    left = shared.connections(),
                    "connections still busy after they were cut"
                );
            }
            cut
        }
    };
    Summary {
        open,
        cut,
        took: began.elapsed(),
    }
}

/// Accepts until its task is aborted.
async fn accept<S: Service>(
    listener: Listener,
    index: usize,
    shared: Arc<Shared>,
    service: Arc<S>,
) {
    let mut backoff = BACKOFF_MIN;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                backoff = BACKOFF_MIN;
                let tls = listener.tls().map(|tls| tls.current());
                start(stream, &peer, tls, index, &shared, &service);
            }
            Err(error) if is_of_connection(&error) => {
                debug!(%error, "connection failed before it was accepted")
            }
            Err(error) => {
                // Mostly no file descriptor left. Trying at once would only burn the processor.
                warn!(%error, "cannot accept connections");
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

fn start<S: Service>(
    stream: Stream,
    peer: &Peer,
    tls: Option<Arc<rustls::ServerConfig>>,
    listener: usize,
    shared: &Arc<Shared>,
    service: &Arc<S>,
) {
    let Some((admission, info)) = shared.admit(peer, listener) else {
        debug!(%peer, "connection refused, too many");
        return;
    };
    if let Err(error) = listen::tune(&stream, shared.limits.write_stall_timeout) {
        debug!(%peer, %error, "connection gone before it was served");
        return;
    }
    let (shared, service) = (Arc::clone(shared), Arc::clone(service));
    tokio::spawn(connection::serve(
        stream, tls, admission, info, shared, service,
    ));
}

/// Whether only the one connection failed, so that the next can be accepted at once.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::NotConnected
    )
}

const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const CUT_TIMEOUT: Duration = Duration::from_secs(1);
