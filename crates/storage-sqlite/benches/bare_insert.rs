//! What a bare loop on SQLite inserts, and what this crate's own writer makes
//! of it; and what a point read costs.
//!
//! ```console
//! cargo bench -p donjon-storage-sqlite --bench bare_insert -- --run
//! cargo bench -p donjon-storage-sqlite --bench bare_insert -- --run-repository
//! cargo bench -p donjon-storage-sqlite --bench bare_insert -- --run-reads
//! cargo bench -p donjon-storage-sqlite --bench bare_insert -- --run-lists
//! ```
//!
//! The first two print `rows_per_second: X`. The others print what a read costs
//! with 100,000 secrets stored, `microseconds_per_read: X` and the same per list
//! of 10; and how much of that the processor was at work, which is what counts
//! on a machine that does other things beside.
//! `--seconds N` (5) says for how long, `--dir PATH` (the current folder) on
//! which disk; with `--sorted` the lists are sorted by names of 255 letters; with
//! `--scan` the reads are made on a thread of their own. Without
//! one of the four it does nothing, so that test runners may start it.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use donjon_domain::{
    ContentType, Direction, ListScope, PageRequest, ProjectId, SecretFilter, SecretId, SecretQuery,
    SecretSortKey, Start, Timestamp, UserId,
    ports::{Entropy, Reading, Repository, RepositoryError, RepositoryExt, Turn},
};
use donjon_storage_sqlite::{OpenOptions, SqliteRepository};
use donjon_testkit::{FixedClock, SeededEntropy, block_on, sample};
use rusqlite::{Connection, params};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Rows per transaction of the bare loop.
const GROUP: u32 = 32;

/// Writes that wait for their commit at a time: as many as the clients of the
/// server's benchmark.
const IN_FLIGHT: usize = 64;

/// Secrets that the reads are spread over.
const STORED: u64 = 100_000;

/// A sealed payload of 32 bytes.
const ENVELOPE_BYTES: usize = 192;

#[expect(clippy::print_stdout, reason = "the result goes to whoever measures")]
fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let seconds = value("--seconds").map_or(Ok(5), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let parent = value("--dir").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let reading = if has("--scan") {
        Reading::Scan(Turn::SERVER)
    } else {
        Reading::Point
    };
    if has("--run") {
        let folder = tempfile::tempdir_in(parent)?;
        println!("rows_per_second: {:.0}", bare(folder.path(), time)?);
    } else if has("--run-repository") {
        let folder = tempfile::tempdir_in(parent)?;
        println!("rows_per_second: {:.0}", repository(folder.path(), time)?);
    } else if has("--run-reads") {
        let folder = tempfile::tempdir_in(parent)?;
        let cost = reads(folder.path(), time, reading)?;
        println!("microseconds_per_read: {:.2}", cost.wall);
        println!("processor_microseconds_per_read: {:.2}", cost.processor);
    } else if has("--run-lists") {
        let folder = tempfile::tempdir_in(parent)?;
        for (offset, cost) in lists(folder.path(), time, has("--sorted"))? {
            println!("microseconds_per_list_at_{offset}: {:.2}", cost.wall);
            let processor = cost.processor;
            println!("processor_microseconds_per_list_at_{offset}: {processor:.2}");
        }
    }
    Ok(())
}

/// Inserts rows of the size of ours, as fast as one connection can.
fn bare(folder: &Path, time: Duration) -> Outcome<f64> {
    let connection = Connection::open(folder.join("bare.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;
         CREATE TABLE secrets (
             id INTEGER PRIMARY KEY, uuid BLOB NOT NULL UNIQUE, created INTEGER NOT NULL,
             updated INTEGER NOT NULL, secret_type INTEGER NOT NULL, content_type INTEGER,
             creator TEXT, name TEXT, kek BLOB, envelope BLOB
         ) STRICT;",
    )?;
    let entropy = SeededEntropy::new(1);
    let (creator, name) = texts();
    let (kek, envelope) = ([7_u8; 16], vec![7_u8; ENVELOPE_BYTES]);
    let mut rows = 0;
    let sql = "INSERT INTO secrets \
               (uuid, created, updated, secret_type, content_type, creator, name, kek, envelope) \
               VALUES (?1, ?2, ?2, 1, 1, ?3, ?4, ?5, ?6)";
    let mut insert = connection.prepare(sql)?;
    let start = now();
    while start.elapsed() < time {
        let transaction = connection.unchecked_transaction()?;
        for _ in 0..GROUP {
            let uuid = *entropy.uuid_v4().as_bytes();
            let created = sample::NOW.as_micros() + i64::from(rows);
            insert.execute(params![uuid, created, creator, name, kek, envelope])?;
            rows += 1;
        }
        transaction.commit()?;
    }
    Ok(f64::from(rows) / start.elapsed().as_secs_f64())
}

/// Inserts secrets through the repository, with many waiting at a time.
fn repository(folder: &Path, time: Duration) -> Outcome<f64> {
    let repository = new_repository(folder)?;
    let mut inserting = Inserting::new(&repository);
    let start = now();
    let mut rows = 0;
    while start.elapsed() < time {
        inserting.insert()?;
        rows += 1;
    }
    inserting.finish()?;
    Ok(f64::from(rows) / start.elapsed().as_secs_f64())
}

/// Reads random secrets and their payloads, one at a time, each on a snapshot
/// of its own.
fn reads(folder: &Path, time: Duration, reading: Reading) -> Outcome<Cost> {
    let (repository, ids) = filled(folder, false)?;
    let entropy = SeededEntropy::new(2);
    measure(time, || {
        let mut random = [0; 8];
        entropy.fill(&mut random);
        let random = usize::try_from(u64::from_ne_bytes(random) % STORED)?;
        let id = *ids.get(random).ok_or("no such secret")?;
        let (secret, payload) = block_on(repository.read_with(reading, move |tx| {
            Ok::<_, RepositoryError>((tx.secret(id)?, tx.payload(id)?))
        }))?;
        if secret.is_none() || payload.is_none() {
            return Err("a secret is missing".into());
        }
        Ok(())
    })
}

/// Lists 10 secrets from the first on, and from far behind.
fn lists(folder: &Path, time: Duration, sorted: bool) -> Outcome<Vec<(u64, Cost)>> {
    let (repository, _) = filled(folder, sorted)?;
    let (reading, sort) = if sorted {
        let by_name = (SecretSortKey::Name, Direction::Descending);
        (Reading::Scan(Turn::SERVER), vec![by_name])
    } else {
        (Reading::Point, Vec::new())
    };
    [0, 90_000]
        .into_iter()
        .map(|offset| {
            let query = SecretQuery {
                scope: ListScope::Project(ProjectId::new("project")),
                filter: SecretFilter::default(),
                sort: sort.clone(),
                page: PageRequest {
                    start: Start::Offset(offset),
                    limit: 10,
                },
            };
            let cost = measure(time, || {
                let query = query.clone();
                let page = block_on(
                    repository.read_with(reading, move |tx| tx.list_secrets(&query, sample::NOW)),
                )
                .map_err(|error: RepositoryError| error)?;
                if page.items.len() != 10 || page.total != STORED {
                    return Err("the list is not right".into());
                }
                Ok(())
            })?;
            Ok((offset, cost))
        })
        .collect()
}

fn filled(folder: &Path, long_names: bool) -> Outcome<(SqliteRepository, Vec<SecretId>)> {
    let repository = new_repository(folder)?;
    let mut inserting = Inserting::new(&repository);
    inserting.long_names = long_names;
    let ids = (0..STORED)
        .map(|_| inserting.insert())
        .collect::<Outcome<Vec<_>>>()?;
    inserting.finish()?;
    drop(inserting);
    Ok((repository, ids))
}

fn measure(time: Duration, mut read: impl FnMut() -> Outcome<()>) -> Outcome<Cost> {
    let (start, processor_start) = (now(), processor_time()?);
    let mut reads = 0;
    while start.elapsed() < time {
        read()?;
        reads += 1;
    }
    let per_read = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(reads);
    Ok(Cost {
        wall: per_read(start.elapsed()),
        processor: per_read(processor_time()?.saturating_sub(processor_start)),
    })
}

/// Microseconds per read.
struct Cost {
    wall: f64,
    processor: f64,
}

/// How long this thread has been at work.
fn processor_time() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().ok_or("no time at work")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

fn new_repository(folder: &Path) -> Outcome<SqliteRepository> {
    let clock = Arc::new(FixedClock::new(sample::NOW));
    let options = OpenOptions::new(folder.join("donjon.db"), clock);
    let (repository, _) = SqliteRepository::create(options)?;
    block_on(repository.write_with(|tx| tx.insert_kek(&sample::kek(1, "project"))))?;
    Ok(repository)
}

/// Secrets on their way into a repository.
struct Inserting<'r> {
    repository: &'r SqliteRepository,
    entropy: SeededEntropy,
    waiting: VecDeque<donjon_domain::ports::BoxFuture<'r, Result<(), Failed>>>,
    rows: i64,
    long_names: bool,
}

type Failed = donjon_domain::ports::TxError;

impl<'r> Inserting<'r> {
    fn new(repository: &'r SqliteRepository) -> Self {
        Self {
            repository,
            entropy: SeededEntropy::new(1),
            waiting: VecDeque::new(),
            rows: 0,
            long_names: false,
        }
    }

    /// Sends one more, and waits for the oldest where too many wait.
    fn insert(&mut self) -> Outcome<SecretId> {
        if self.waiting.len() >= IN_FLIGHT
            && let Some(oldest) = self.waiting.pop_front()
        {
            block_on(oldest)?;
        }
        let (creator, name) = texts();
        let created = Timestamp::from_micros(sample::NOW.as_micros() + self.rows);
        let secret = donjon_domain::Secret {
            id: SecretId::from_uuid(self.entropy.uuid_v4()),
            creator: Some(UserId::new(creator)),
            created,
            updated: created,
            name: Some(if self.long_names {
                // In no order.
                sample::label(&format!("{:0>255}", self.rows * 7_919 % 100_003))
            } else {
                sample::label(name)
            }),
            content_type: Some(ContentType::OctetStream),
            ..sample::secret(0, "project")
        };
        let sealed = donjon_domain::Sealed {
            envelope: vec![7; ENVELOPE_BYTES],
            ..sample::sealed(1, 7)
        };
        let sealed = donjon_domain::StoredPayload::from(sealed);
        let id = secret.id;
        self.rows += 1;
        self.waiting
            .push_back(self.repository.write(Box::new(move |tx| {
                tx.insert_secret(&secret, Some(&sealed))
                    .map_err(Failed::Storage)
            })));
        Ok(id)
    }

    fn finish(&mut self) -> Outcome<()> {
        while let Some(oldest) = self.waiting.pop_front() {
            block_on(oldest)?;
        }
        Ok(())
    }
}

/// A creator and a name of usual lengths.
fn texts() -> (&'static str, &'static str) {
    ("0d7f2f6c5a1e4f0d9b3c8a7e6d5c4b3a", "volume key")
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}
