//! What goes wrong between here and an engine of a server, with what to do about it.

use std::time::Duration;

use donjon_http_client::{BoxError, HttpError};
use http::StatusCode;

/// A call did not do what it was to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// No connection, or it ended before the answer did.
    #[error("{url} cannot be asked: look whether it runs, and whether it is reachable from here")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        source: HttpError,
    },
    /// No answer in time.
    #[error("{url} does not answer within {} ms", patience.as_millis())]
    TimedOut {
        /// The server.
        url: String,
        /// How long somebody waited.
        patience: Duration,
    },
    /// It failed before, and is left alone for a while.
    #[error("{url} failed a moment ago and is left alone for a while")]
    Resting {
        /// The server.
        url: String,
    },
    /// The server has its data under lock.
    #[error("{url} is sealed: open it with `bao operator unseal`")]
    Sealed {
        /// The server.
        url: String,
    },
    /// Redirects, 429 and 5xx.
    #[error("{url} answers {status} to {what}: {words}")]
    Failing {
        /// The server.
        url: String,
        /// The status.
        status: StatusCode,
        /// What was asked.
        what: String,
        /// What it says.
        words: String,
    },
    /// It does not let this one in.
    #[error("{url} does not let this server in ({how})")]
    LogIn {
        /// The server.
        url: String,
        /// By what, and what to look at.
        how: String,
        /// What it said.
        source: Box<Self>,
    },
    /// A token or secret cannot be read, or cannot be sent.
    #[error("{how} cannot be used")]
    Credential {
        /// Which.
        how: &'static str,
        /// Why.
        source: BoxError,
    },
    /// Let in, and not allowed to do that.
    #[error("no permission for {what} at {url}, in a policy of its token: {words}")]
    Denied {
        /// The server.
        url: String,
        /// What was asked.
        what: String,
        /// What it says.
        words: String,
    },
    /// Another status from 400 to 499.
    #[error("{url} answers {status} to {what}: {words}")]
    Refused {
        /// The server.
        url: String,
        /// The status.
        status: StatusCode,
        /// What was asked.
        what: String,
        /// What it says.
        words: String,
    },
    /// What is to be sent is no JSON.
    #[error("a call cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// What came is not what this call is answered with.
    #[error("what {url} answers to {what} is no answer to that")]
    Garbled {
        /// The server.
        url: String,
        /// What was asked.
        what: String,
    },
}

impl VaultError {
    /// Whether the server is of no use to anybody now, and may be later. A plain
    /// 500, or too large an answer, is not that: it may be about one entry alone.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable {
                source: HttpError::TooLarge(_),
                ..
            } => false,
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Resting { .. }
            | Self::Sealed { .. } => true,
            Self::Failing { status, .. } => is_for_all(*status),
            Self::LogIn { source, .. } => source.is_outage(),
            Self::Credential { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Unwritable(_)
            | Self::Garbled { .. } => false,
        }
    }

    /// Whether it is the server that fails, now or for one call, and not what was
    /// asked or who asked.
    pub(crate) fn is_servers(&self) -> bool {
        matches!(self, Self::Failing { .. }) || self.is_outage()
    }

    /// The status from 400 to 499 that the server answered with, if that is
    /// what went wrong.
    #[must_use]
    pub fn refusal(&self) -> Option<StatusCode> {
        match self {
            Self::Denied { .. } => Some(StatusCode::FORBIDDEN),
            Self::Refused { status, .. } => Some(*status),
            Self::LogIn { source, .. } => source.refusal(),
            _ => None,
        }
    }
}

/// What servers and what stands before them say of all calls.
fn is_for_all(status: StatusCode) -> bool {
    status.is_redirection()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        )
}
