//! Every number that bounds a connection, in one place.

use std::time::Duration;

/// How much a client may take: connections, bytes and time.
///
/// [`Limits::default`] is meant for production; tests use small ones. Any value is accepted: a zero
/// duration means "at once", a zero count means "none".
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections in all; the next one is accepted and closed. Default 4,096.
    pub connections_max: usize,
    /// Open connections of one IPv4 address or one IPv6 /64 network. Default 256.
    ///
    /// Loopback, trusted proxies and Unix sockets are not counted here: many clients share them.
    pub connections_per_ip_max: usize,
    /// Requests being worked on; the next one is refused as [`Overloaded`](crate::Refusal::Overloaded).
    /// Default 512.
    ///
    /// A request that waits for its own body is not counted meanwhile, so that slow senders
    /// cannot use up the places of others; nor is one that is answered without any waiting.
    pub requests_in_flight_max: usize,
    /// Time for a whole request head, and how long a connection may idle between requests. Default 10 s.
    pub head_timeout: Duration,
    /// Header fields of one request; more are answered 431. Default 64.
    pub headers_max: usize,
    /// Bytes of one request head; more are answered 431. Default 32 KiB, at least 8 KiB.
    pub head_bytes_max: usize,
    /// Bytes of a request target; more are refused. Default 8 KiB.
    pub target_bytes_max: usize,
    /// Time for a whole request body, counted from the first read of it. Default 15 s.
    pub body_timeout: Duration,
    /// How long a body may stay below [`body_bytes_per_s_min`](Self::body_bytes_per_s_min). Default 5 s.
    pub body_grace: Duration,
    /// After `body_grace` each second must have brought this many bytes on average. Default 500.
    pub body_bytes_per_s_min: u64,
    /// Time from the end of the request head to the answer of the service. Default 30 s.
    pub request_timeout: Duration,
    /// How long a write may make no progress; also `TCP_USER_TIMEOUT`. Default 15 s.
    pub write_stall_timeout: Duration,
    /// How long a client may make an answer wait, from the first write that it does not take at once to the last
    /// byte, whatever progress there is in between. Default 120 s.
    pub answer_timeout: Duration,
    /// Bytes of answers that clients have not taken yet, over all connections; an answer beyond them is replaced by
    /// the one to [`Overloaded`](crate::Refusal::Overloaded). Default 64 MiB.
    ///
    /// Answers of up to 64 KiB are neither counted nor replaced, and one that is alone may be larger.
    pub answer_bytes_max: usize,
    /// Time for a TLS handshake. Default 5 s.
    pub tls_handshake_timeout: Duration,
    /// How long to swallow what a client still sends after it was answered and is being closed,
    /// because closing on unread data would reset the connection and lose the answer. Default 1 s.
    pub linger: Duration,
    /// How long a shutdown waits for requests in flight. Default 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_ip_max: 256,
            requests_in_flight_max: 512,
            head_timeout: Duration::from_secs(10),
            headers_max: 64,
            head_bytes_max: 32 * 1024,
            target_bytes_max: 8 * 1024,
            body_timeout: Duration::from_secs(15),
            body_grace: Duration::from_secs(5),
            body_bytes_per_s_min: 500,
            request_timeout: Duration::from_secs(30),
            write_stall_timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(120),
            answer_bytes_max: 64 * 1024 * 1024,
            tls_handshake_timeout: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
