//! `bench`: speed and memory of the server beside bare programs, in interleaved rounds on one machine.
//!
//! The server runs as a user starts it (tokens mode, default log level), its log in a file. Ids are picked at random over
//! all secrets. A single answer that is no success fails the run.

mod baseline;
mod entities;
mod figures;
mod fill;
mod hsm;
mod keystone;
mod memory;
mod open_load;
mod policy;
mod rotation;
mod sides;
mod wrk;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use self::baseline::BareHyper;
use self::figures::{Report, Series, Target};
use self::fill::What;
use self::wrk::{Figures, Load};
use crate::kit::build::{self, Profile};
use crate::kit::server::{Launch, Server};

/// 32 bytes in base64.
const BODY: &str = r#"{"name":"bench","payload":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","payload_content_type":"application/octet-stream","payload_content_encoding":"base64"}"#;
const READ_CONNECTIONS: u32 = 32;
const WRITE_CONNECTIONS: u32 = 64;

/// Measure speed and memory beside bare programs, in interleaved rounds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How many secrets are stored before the first round
    #[arg(long, default_value_t = 100_000)]
    secrets: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// How many containers and orders there are, for their lists
    #[arg(long, default_value_t = 20_000)]
    entities: usize,
    /// Measure containers, orders and policy alone
    #[arg(long)]
    without_secrets: bool,
    /// Measure tokens of Keystone beside the server's own, and nothing else
    #[arg(long, conflicts_with = "without_secrets")]
    keystone: bool,
    /// Measure with the root key in SoftHSM2 beside one in a file, and nothing else
    #[arg(long, conflicts_with_all = ["without_secrets", "keystone"])]
    hsm: bool,
    /// Measure requests while root key and keys of projects change, and nothing else
    #[arg(long, conflicts_with_all = ["without_secrets", "keystone", "hsm"])]
    rotation: bool,
}

/// # Errors
/// An answer that was no success, or a program that does not start. A target that is missed is no error.
pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.rotation {
        wrk::check()?;
    }
    ensure!(
        args.rounds > 0 && args.seconds > 0 && args.secrets >= 100 && args.entities >= 100,
        "too few rounds, seconds, secrets or entities"
    );
    let donjon = build::donjon(Profile::Release, &[])?;
    let mut report = Report::new();
    if args.rotation {
        let size = rotation::Size {
            rounds: args.rounds,
            seconds: args.seconds,
            secrets: args.secrets,
        };
        rotation::measure(&donjon, size)?.report(size, &mut report);
        report.print();
        return Ok(());
    }
    if args.keystone {
        let compared = keystone::measure(&donjon, args.rounds, args.seconds)?;
        keystone::report(&compared, &mut report);
        report.print();
        return Ok(());
    }
    if args.hsm {
        hsm::report(
            &hsm::measure(&donjon, args.rounds, args.seconds)?,
            &mut report,
        );
        report.print();
        return Ok(());
    }
    if !args.without_secrets {
        secrets(args, &donjon)?.report(args, &mut report);
    }
    let size = entities::Size {
        rounds: args.rounds,
        seconds: args.seconds.div_ceil(2),
        count: args.entities,
    };
    entities::measure(&Launch::new(&donjon, "tokens")?, size)?.report(size, &mut report);
    report.aim_greatest(
        "(h) policy check, the slowest",
        "us",
        &policy::checks_us()?,
        Target::AtMost(2.0),
    );
    let compared = keystone::measure(&donjon, args.rounds, args.seconds)?;
    keystone::report(&compared, &mut report);
    report.print();
    Ok(())
}

/// Rows (a) to (e).
fn secrets(args: &Args, donjon: &Path) -> Result<Measured> {
    let programs = Programs::build()?;
    let launch = Launch::new(donjon, "tokens")?;
    let server = launch.start_again()?;
    let token = first_token(&launch)?;
    let ids = launch.data_dir().with_file_name("ids");
    let what = What {
        plural: "secrets",
        body: BODY,
        status: 201,
    };
    let stored = fill::create(server.host(), &token, what, args.secrets)?;
    std::fs::write(&ids, stored.join("\n") + "\n")?;
    let mut measured = Measured::default();
    let server = measured.starts(&launch, server, args.rounds)?;
    let bench = Bench {
        args,
        programs: &programs,
        server: &server,
        token: &token,
        ids: &ids,
        folder: ids.parent().context("ids without a folder")?,
    };
    for round in 1..=args.rounds {
        bench.round(&mut measured)?;
        println!("round {round} of {} done", args.rounds);
    }
    let memory = memory::of(server.pid())?;
    measured.loaded_mib.push(mib(memory.now_kib));
    measured.peak_mib.push(mib(memory.peak_kib));
    server.stop()?;
    Ok(measured)
}

fn first_token(launch: &Launch) -> Result<String> {
    let token = std::fs::read_to_string(launch.data_dir().join("first-token"))
        .context("reading first-token")?;
    Ok(token.trim().to_owned())
}

struct Programs {
    bare_hyper: PathBuf,
    bare_insert: PathBuf,
}

impl Programs {
    fn build() -> Result<Self> {
        Ok(Self {
            bare_hyper: build::bench("donjon-transport", "bare_hyper")?,
            bare_insert: build::bench("donjon-storage-sqlite", "bare_insert")?,
        })
    }
}

/// What is measured against.
struct Bench<'a> {
    args: &'a Args,
    programs: &'a Programs,
    server: &'a Server,
    token: &'a str,
    ids: &'a Path,
    /// On the disk of the server's data.
    folder: &'a Path,
}

/// All figures, round by round.
#[derive(Debug, Default)]
struct Measured {
    bare_hyper: Series,
    payload: Series,
    metadata: Series,
    bare_insert: Series,
    post: Series,
    payload_ratio: Series,
    metadata_ratio: Series,
    post_ratio: Series,
    list_first: Series,
    list_far: Series,
    list_ratio: Series,
    payload_p50: Series,
    payload_p99: Series,
    post_p50: Series,
    post_p99: Series,
    list_first_p50: Series,
    list_far_p50: Series,
    idle_mib: Series,
    loaded_mib: Series,
    peak_mib: Series,
    start_ms: Series,
}

impl Bench<'_> {
    fn round(&self, measured: &mut Measured) -> Result<()> {
        let bare = self.bare_hyper()?.per_second();
        let payload = self.get(
            "/v1/secrets/ID/payload",
            Some(self.ids),
            "application/octet-stream",
        )?;
        let metadata = self
            .get("/v1/secrets/ID", Some(self.ids), "application/json")?
            .per_second();
        measured.bare_hyper.push(bare);
        measured.payload.push(payload.per_second());
        measured.metadata.push(metadata);
        measured.payload_ratio.push(payload.per_second() / bare);
        measured.metadata_ratio.push(metadata / bare);
        measured.payload_p50.push(f64::from(payload.p50_us) / 1e3);
        measured.payload_p99.push(f64::from(payload.p99_us) / 1e3);
        self.lists(measured)?;
        self.writes(measured)
    }

    fn lists(&self, measured: &mut Measured) -> Result<()> {
        let first = self.get("/v1/secrets?limit=10&offset=0", None, "application/json")?;
        let far = format!(
            "/v1/secrets?limit=10&offset={}",
            far_offset(self.args.secrets)
        );
        let far = self.get(&far, None, "application/json")?;
        measured.list_first.push(first.per_second());
        measured.list_far.push(far.per_second());
        measured
            .list_ratio
            .push(first.per_second() / far.per_second());
        measured.list_first_p50.push(f64::from(first.p50_us) / 1e3);
        measured.list_far_p50.push(f64::from(far.p50_us) / 1e3);
        Ok(())
    }

    fn writes(&self, measured: &mut Measured) -> Result<()> {
        let rows =
            baseline::bare_insert(&self.programs.bare_insert, self.folder, self.args.seconds)?;
        let post = wrk::run(&Load {
            host: self.server.host(),
            method: "POST",
            path: "/v1/secrets",
            ids: None,
            body: Some(BODY),
            headers: &[
                ("X-Auth-Token", self.token),
                ("Content-Type", "application/json"),
            ],
            connections: WRITE_CONNECTIONS,
            seconds: self.args.seconds,
        })?;
        measured.bare_insert.push(rows);
        measured.post.push(post.per_second());
        measured.post_ratio.push(post.per_second() / rows);
        measured.post_p50.push(f64::from(post.p50_us) / 1e3);
        measured.post_p99.push(f64::from(post.p99_us) / 1e3);
        Ok(())
    }

    fn bare_hyper(&self) -> Result<Figures> {
        let bare = BareHyper::start(&self.programs.bare_hyper)?;
        // The same requests as for payloads, so that both servers parse the same heads.
        self.get_from(
            &bare.host,
            "/v1/secrets/ID/payload",
            Some(self.ids),
            "application/octet-stream",
        )
    }

    fn get(&self, path: &str, ids: Option<&Path>, accept: &str) -> Result<Figures> {
        self.get_from(self.server.host(), path, ids, accept)
    }

    fn get_from(
        &self,
        host: &str,
        path: &str,
        ids: Option<&Path>,
        accept: &str,
    ) -> Result<Figures> {
        let headers = [("X-Auth-Token", self.token), ("Accept", accept)];
        wrk::run(&Load {
            host,
            method: "GET",
            path,
            ids,
            body: None,
            headers: &headers,
            connections: READ_CONNECTIONS,
            seconds: self.args.seconds,
        })
    }
}

impl Measured {
    /// Stops and starts the server some times; gives the last one.
    fn starts(&mut self, launch: &Launch, mut server: Server, count: u32) -> Result<Server> {
        for _ in 0..count {
            server.stop()?;
            let started = Instant::now();
            server = launch.start_again()?;
            self.start_ms.push(started.elapsed().as_secs_f64() * 1e3);
            self.idle_mib.push(mib(memory::of(server.pid())?.now_kib));
        }
        Ok(server)
    }

    fn report(&self, args: &Args, report: &mut Report) {
        let far = far_offset(args.secrets);
        report.figure(
            "(a) bare hyper, 32 connections",
            "answers/s",
            &self.bare_hyper,
        );
        report.figure("(b) GET payload", "answers/s", &self.payload);
        report.figure("    median latency", "ms", &self.payload_p50);
        report.figure("    99th percentile", "ms", &self.payload_p99);
        report.aim_series(
            "    of bare hyper",
            "",
            &self.payload_ratio,
            Target::AtLeast(0.6),
        );
        report.figure("(b) GET metadata", "answers/s", &self.metadata);
        report.figure("    of bare hyper", "", &self.metadata_ratio);
        report.figure("(c) bare inserts, 32 a commit", "rows/s", &self.bare_insert);
        report.figure("(c) POST, 64 connections", "answers/s", &self.post);
        report.figure("    median latency", "ms", &self.post_p50);
        report.figure("    99th percentile", "ms", &self.post_p99);
        report.aim_series(
            "    of bare inserts",
            "",
            &self.post_ratio,
            Target::AtLeast(0.4),
        );
        report.figure("(d) list of 10 at offset 0", "answers/s", &self.list_first);
        report.figure("    median latency", "ms", &self.list_first_p50);
        report.figure(
            &format!("(d) list of 10 at offset {far}"),
            "answers/s",
            &self.list_far,
        );
        report.figure("    median latency", "ms", &self.list_far_p50);
        report.aim_series(
            "    times slower than offset 0",
            "",
            &self.list_ratio,
            Target::AtMost(10.0),
        );
        report.figure("(e) memory, idle", "MiB", &self.idle_mib);
        report.figure("(e) memory, after the load", "MiB", &self.loaded_mib);
        report.aim_series(
            "(e) memory, most under load",
            "MiB",
            &self.peak_mib,
            Target::AtMost(64.0),
        );
        report.aim_series(
            "(e) start after a clean stop",
            "ms",
            &self.start_ms,
            Target::AtMost(100.0),
        );
    }
}

/// 90,000 of 100,000.
fn far_offset(count: usize) -> usize {
    count / 10 * 9
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory in KiB is far below 2^52"
)]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
