//! `Repository` on SQLite: one writer with group commit, snapshot readers.
//!
//! May import: `donjon-domain`, rusqlite and what it takes to make files and
//! threads. Deliberately absent: rules (they are closures from the application),
//! cryptography (what comes here is sealed), a runtime, and every pool, migration
//! or mapping crate on top of SQLite.
//!
//! Invariants: one connection writes and makes checkpoints, so writes never race
//! and SQLite's locks never wait; an answer follows the commit that made it
//! durable; after a failed write or sync nothing is written any more.
//!
#![doc = include_str!("../README.md")]
//!
//! # On disk
//!
//! | file | contents |
//! |---|---|
//! | `donjon.db` | the database: pages of 4,096 bytes, `application_id` "Donj", `user_version` the number of scripts applied |
//! | `donjon.db-wal` | the log: what was committed since the last checkpoint; gone after an orderly end |
//! | `donjon.db-shm` | the index of the log, which SQLite makes anew when it needs to |
//! | `ballast` | 16 MiB of nothing, given up when the disk is full |
//! | `donjon.db.before-N` | the database as it was before it was brought to version N |
//!
//! All of them have mode 0600. The scripts in `src/schema` are the definition of
//! the tables, and say what each column means. In short:
//!
//! | table | key | a row is |
//! |---|---|---|
//! | `migrations` | version | a script that was applied, with its hash |
//! | `state` | 1 | the counter of commits, the number of the next secret, how far the sweep came, whether the file was left clean |
//! | `deployment` | 1 | the installation and its canary |
//! | `projects` | id | a project: its name, its next ordinals, how many of everything it has |
//! | `keks` | uuid | a wrapped key; at most one active in a scope |
//! | `secrets` | place | a secret with its sealed payload |
//! | `blocks` | block | how many of 256 places have a secret that counts |
//! | `acls`, `acl_users` | place; place, user | an ACL, beside the column `secrets.acl` |
//! | `secret_consumers` | place, number | a consumer of a secret |
//! | `user_metadata` | place, key | a pair of user metadata |
//! | `tokens` | id | a locally issued token, by its keyed hash |
//! | `containers`, `container_blocks` | place; block | a container; how many there are, as for secrets |
//! | `container_entries` | number | a secret in a container |
//! | `removed_container_entries` | container, number | one that was in it, by name |
//! | `container_acls`, `container_acl_users` | place; place, user | as for secrets |
//! | `container_consumers` | place, name, number | a consumer of a container |
//! | `orders`, `order_blocks` | place; block | an order; how many there are |
//! | `project_quotas` | number | what is configured for a project |
//! | `transport_keys` | id | a transport key |
//! | `secret_stores`, `preferred_secret_stores` | id; project | a store of secrets; which one a project prefers |
//! | `outbox` | put | what was begun in a store and is not settled, or has to go from it |
//!
//! Times are microseconds since 1970-01-01T00:00:00 UTC, ids of entities the 16
//! bytes of their UUIDs, all tables `STRICT`.
//!
//! **Places.** The key of a secret's row is `project << 40 | ordinal`, where
//! ordinals count up within a project and are never used twice. So the table is
//! in the order of every project's list, a list needs no index beside it, and a
//! KEK, which belongs to a project, seals payloads in one range of the table:
//! whoever rotates it walks that range, and no index on KEKs has to be kept.
//!
//! **One row.** Payload and attributes share a row. Two tables cost a fifth more
//! time per insert and one page more per read; what one table costs is that a
//! filtered list reads past small payloads (those beyond some 3,500 bytes lie in
//! pages of their own).
//!
//! **Payloads elsewhere.** A payload in a store outside of the database has
//! `secrets.store` and `secrets.put`, and an envelope that says where it is. What
//! takes such a row away, or its payload out of the store, writes the put into
//! `outbox` in the same transaction; so does whoever is about to put one. An index
//! on store and put has those rows alone.
//!
//! **Counts.** `OFFSET` alone reads every row that it skips. `blocks` lets a list
//! skip 256 places per row, and `projects.live` is the total. Both change in the
//! transaction that changes the secrets: the writer adds up what a batch does,
//! takes back what its failed jobs did, and writes each count once, right before
//! the commit. Expired secrets count until the sweep takes them out (every 5 s,
//! 256 at a time, those that expired more than 10 s ago); until then an index
//! on expiration says what to subtract. A list that has much to subtract is read
//! as a scan, in its project's turn, and a limit is checked without counting more
//! than would have to go. The secrets themselves stay. At a time
//! before that of the latest swept expiration, as after a clock that went back,
//! lists count rows instead. [`SqliteRepository::check`] counts everything again.
//!
//! **Deleting** overwrites the ciphertext with zeros in its own transaction
//! (`secure_delete`). That is the only copy in the file: SQLite leaves the bytes
//! of rows that it moves between pages where they were, so before anything is
//! copied from the log, the unused parts of all pages in it are set to zeros,
//! past SQL, through `sqlite_dbpage`. After an end that was not in order the next
//! start does so with all pages. The log shows what was deleted until it is
//! emptied: as soon as there is nothing to do, after 20 s under load, and after
//! 40 s even if writes have to wait for a long read. Copies outside of these
//! files are beyond reach.
//!
//! # Threads
//!
//! `donjon-writer` takes the jobs that wait (up to 64), opens one transaction,
//! runs each job in a savepoint if it writes, commits once with
//! `synchronous=FULL`, then answers all. It makes passive checkpoints after 1,000
//! pages or a second, each after the wiping of unused parts, and empties the log when idle, when something was deleted,
//! and beyond 32 MiB. New readers never keep it from that; one that lasts does,
//! which is why scans end after 5 s.
//!
//! Point reads run on their caller's thread, with one of a few connections that
//! keep 16 MiB of pages together: handing one to another thread and back takes
//! twice as long as the read. Scans have threads of their own (`donjon-scan-N`), one
//! of them for the server and its operator alone. Projects take turns, and none has
//! all the threads: what one asks for delays another by one scan at most per project
//! that asks.
//!
//! # Figures
//!
//! `benches/bare_insert.rs` on a virtual machine with 2 processors and ext4, at a
//! quiet time; 32-byte payloads, and 100,000 secrets stored where it reads.
//!
//! | what | figure |
//! |---|---|
//! | bare loop, groups of 32, `synchronous=FULL` | 23,500 to 23,900 rows a second |
//! | the repository, 64 writes waiting at a time | 19,600 to 22,600 rows a second |
//! | a secret and its payload by id, random ids, `Reading::Point` | 9.5 to 10.7 µs |
//! | the same as `Reading::Scan` | 32 to 40 µs |
//! | a list of 10 at offset 0 | 21 µs |
//! | a list of 10 at offset 90,000 | 92 µs |
//! | a list of 10 sorted by names of 255 letters, at offset 0 | 44 ms |
//! | the same at offset 90,000, in five passes | 445 ms |
//!
//! The wiping of unused parts costs a write some 5 in 100: 24,600 to 26,300 rows a
//! second with it, 24,700 to 27,500 without, in turns on the same machine.
//!
//! # Source
//!
//! SQLite documentation: pragma, wal, fileformat2, `sqlite3_wal_checkpoint_v2`;
//! docs/format.md, docs/security-model.md.

mod check;
mod failure;
mod file;
mod migrate;
mod open_error;
mod options;
mod pending;
mod place;
mod readers;
mod repository;
mod residue;
mod settings;
mod shared;
mod ticks;
mod tx;
mod writer;

pub use migrate::Migrated;
pub use open_error::{OpenError, OpenErrorKind};
pub use options::{Ballast, OpenOptions};
pub use repository::{Opened, SqliteRepository};
pub use shared::StopCause;
