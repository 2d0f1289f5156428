//! Thousands of damaged requests: no panic, no 5xx, and nothing smuggled.
//!
//! `DONJON_MUTATIONS` sets how many, `DONJON_SEED` where to begin; a failure names its seed.

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use donjon_transport::Limits;

use crate::malformed::cases;
use crate::support::{Raw, TestServer, find};

/// A small generator, so that a seed says everything (xorshift64*).
struct Random(u64);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_do_no_harm() {
    let limits = Limits {
        linger: Duration::from_millis(20),
        head_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Arc::new(TestServer::start(limits).await);
    let seeds: Arc<Vec<_>> = Arc::new(seed_requests());
    let (first, count) = (number("DONJON_SEED", 1), number("DONJON_MUTATIONS", 5_000));
    let clients = (0..CLIENTS).map(|client| {
        let client = u64::try_from(client).unwrap();
        let (server, seeds) = (Arc::clone(&server), Arc::clone(&seeds));
        tokio::spawn(async move {
            for seed in (first + client..first + count).step_by(CLIENTS) {
                let mut random = Random::new(seed);
                let mut bytes = random.pick(&seeds).clone();
                for _ in 0..=random.below(4) {
                    random.damage(&mut bytes);
                }
                try_one(&server, seed, &bytes).await;
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(server.get("/").await.status, 200);
    assert_eq!(server.meter.panics(), 0);
}

/// The judge of the test above must itself be right in both directions.
#[test]
fn the_strict_reader_knows_a_plain_canary() {
    let canary = "GET /canary HTTP/1.1\r\nHost: test\r\n\r\n";
    let plain = |head: &str| canary_is_plain(format!("{head}{canary}").as_bytes());
    assert!(plain(""));
    assert!(plain("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
    assert!(plain("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"));
    assert!(!plain("POST / HTTP/1.1\r\nContent-Length: 36\r\n\r\n"));
    assert!(!plain(
        "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 36\r\n\r\nab"
    ));
    assert!(!plain(
        "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
    ));
}

async fn try_one(server: &TestServer, seed: u64, bytes: &[u8]) {
    let shown = || format!("seed {seed}: {}", bytes.escape_ascii());
    let mut raw: Raw = server.connect().await;
    let local: SocketAddr = raw.stream.local_addr().unwrap();
    raw.send(bytes).await;
    let _gone = tokio::io::AsyncWriteExt::shutdown(&mut raw.stream).await;
    let rest = raw.rest(Duration::from_secs(5)).await;
    let rest = rest.unwrap_or_else(|| panic!("never closed, {}", shown()));
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1."),
        "{}",
        shown()
    );
    for server_error in [&b"HTTP/1.1 5"[..], b"HTTP/1.0 5"] {
        assert!(find(&rest, server_error).is_none(), "5xx, {}", shown());
    }
    assert_eq!(server.meter.panics(), 0, "{}", shown());
    let ran = server
        .service
        .canaries
        .lock()
        .unwrap()
        .remove(&local.port());
    assert!(
        ran.is_none() || canary_is_plain(bytes),
        "smuggled, {}",
        shown()
    );
}

/// Whether the canary stands there as a request of its own, beyond any doubt: a mutation may well
/// shorten a body so that what was inside becomes an honest second request.
///
/// A strict reader, independent of hyper: no transfer coding, no length but digits.
fn canary_is_plain(mut bytes: &[u8]) -> bool {
    loop {
        while let [b'\r' | b'\n', rest @ ..] = bytes {
            bytes = rest;
        }
        let mut length = None;
        let mut lines = 0;
        loop {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                return false;
            };
            let line = String::from_utf8_lossy(&bytes[..end])
                .trim_end_matches('\r')
                .to_owned();
            bytes = &bytes[end + 1..];
            if line.is_empty() {
                break;
            }
            if lines == 0 && line.contains("canary") {
                return true;
            }
            lines += 1;
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            if name == "transfer-encoding" || name == "te" {
                return false;
            }
            if name == "content-length" {
                let Ok(bytes) = value.parse::<usize>() else {
                    return false;
                };
                if value.starts_with('+') || length.is_some_and(|length| length != bytes) {
                    return false;
                }
                length = Some(bytes);
            }
        }
        let Some(rest) = bytes.get(length.unwrap_or(0)..) else {
            return false;
        };
        bytes = rest;
    }
}

/// The short ones of the corpus, and one honest request with a canary in its body.
fn seed_requests() -> Vec<Vec<u8>> {
    let canary = "GET /canary HTTP/1.1\r\nHost: test\r\n\r\n";
    let honest = crate::support::post("/count", canary).into_bytes();
    let corpus = cases()
        .into_iter()
        .map(|case| case.bytes)
        .filter(|bytes| bytes.len() < 2_000);
    corpus.chain([honest.clone(), honest]).collect()
}

// === impl Random ===

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 32) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let until = (at + self.below(20)).min(bytes.len());
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = *self.pick(b"\0\r\n\t :;,+-0%\x80\xff"),
            2 => drop(bytes.drain(at..until)),
            3 => {
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let token = *self.pick(TOKENS);
                bytes.splice(at..at, token.iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

const CLIENTS: usize = 16;

const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r\n ",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Content-Length: 4\r\n",
    b"Content-Length: 0\r\n",
    b"Host: test\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"HTTP/1.0",
    b"chunked, ",
    b"0\r\n\r\n",
    b"ffffffff\r\n",
];
