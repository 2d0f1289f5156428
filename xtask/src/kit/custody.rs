//! What the server does while the place of its root key is away, or changes: a project with a secret each, read by every
//! start of the server, and under load while the place is gone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::kit::http::{Connection, Request};
use crate::kit::run;
use crate::kit::server::{Launch, Server};
use crate::kit::table::Table;

const TIMEOUT: Duration = Duration::from_secs(30);

/// How a place of a root key is taken away and brought back.
pub(crate) struct Outage<'a> {
    /// For people: `HSM`.
    pub(crate) place: &'static str,
    pub(crate) seconds: u64,
    /// How many projects there are; every second one is read before.
    pub(crate) projects: usize,
    pub(crate) take_away: &'a mut dyn FnMut() -> Result<()>,
    pub(crate) bring_back: &'a mut dyn FnMut() -> Result<()>,
}

type Phases = BTreeMap<(&'static str, &'static str), BTreeMap<u16, u64>>;
const SEEN: &str = "read before";
const UNSEEN: &str = "not read before";
const AWAY: &str = "away";
const BACK: &str = "back";

impl Outage<'_> {
    /// Projects that were read before have to be served all the while, the others have to get 503, and all of them have
    /// to be served again afterwards, by the same process.
    ///
    /// # Errors
    /// An answer was not the right one.
    pub(crate) fn under_load(&mut self, launch: &Launch) -> Result<()> {
        let server = launch.start_again()?;
        let mut projects = Vec::new();
        for number in 0..self.projects {
            projects.push(Project::new(&server, number)?);
        }
        server.stop()?;
        let server = launch.start_again()?;
        let (seen, unseen): (Vec<_>, Vec<_>) = projects
            .into_iter()
            .partition(|project| project.number % 2 == 0);
        read(&server, &seen)?;
        let phases = self.phases(&server, &seen, &unseen)?;
        let mut table = Table::new(&["", "projects", "requests by status"]);
        for ((which, phase), statuses) in &phases {
            table.row([
                format!("{} {phase}", self.place),
                (*which).to_owned(),
                format!("{statuses:?}"),
            ]);
        }
        println!("{table}");
        let only = |which, phase, status| {
            let found = phases.get(&(which, phase));
            found.is_some_and(|found| found.keys().eq([&status]))
        };
        ensure!(
            only(SEEN, AWAY, 200),
            "projects that were seen were not served while the {} was away",
            self.place
        );
        ensure!(
            only(UNSEEN, AWAY, 503),
            "projects that were not seen got something else than 503"
        );
        ensure!(
            only(SEEN, BACK, 200) && only(UNSEEN, BACK, 200),
            "not everything is served again\n{}",
            server.log_tail()
        );
        server.stop()
    }

    /// Reads and writes while the place is away, and reads everything when it is back.
    fn phases(&mut self, server: &Server, seen: &[Project], unseen: &[Project]) -> Result<Phases> {
        let mut phases = Phases::new();
        (self.take_away)()?;
        let is_over = AtomicBool::new(false);
        let load = |projects: &[Project], writes: bool| -> Result<BTreeMap<u16, u64>> {
            let mut statuses = BTreeMap::new();
            let mut connection = connect(server)?;
            for project in projects.iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                if !connection.reusable() {
                    connection = connect(server)?;
                }
                *statuses.entry(project.read(&mut connection)?).or_default() += 1;
                if writes {
                    // So that what counts below is one status.
                    let status = project.write(&mut connection)?.0;
                    *statuses
                        .entry(if status == 201 { 200 } else { status })
                        .or_default() += 1;
                }
                thread::sleep(Duration::from_millis(5));
            }
            Ok(statuses)
        };
        let (known, unknown) = thread::scope(|scope| {
            let known = scope.spawn(|| load(seen, true));
            let unknown = scope.spawn(|| load(unseen, false));
            thread::sleep(Duration::from_secs(self.seconds));
            is_over.store(true, Ordering::Relaxed);
            (known.join(), unknown.join())
        });
        let joined = |result: thread::Result<Result<BTreeMap<u16, u64>>>| match result {
            Ok(result) => result,
            Err(_panic) => anyhow::bail!("a client panicked"),
        };
        phases.insert((SEEN, AWAY), joined(known)?);
        phases.insert((UNSEEN, AWAY), joined(unknown)?);
        (self.bring_back)()?;
        let back = Instant::now();
        let first = unseen.first().context("a project")?;
        while first.read(&mut connect(server)?)? != 200 {
            ensure!(
                back.elapsed() < TIMEOUT,
                "nothing is served again\n{}",
                server.log_tail()
            );
            thread::sleep(Duration::from_millis(20));
        }
        println!(
            "served again {:.1} s after the {} was back",
            back.elapsed().as_secs_f64(),
            self.place
        );
        for (which, projects) in [(SEEN, seen), (UNSEEN, unseen)] {
            let mut statuses = BTreeMap::new();
            for project in projects {
                *statuses
                    .entry(project.read(&mut connect(server)?)?)
                    .or_default() += 1;
            }
            phases.insert((which, BACK), statuses);
        }
        Ok(phases)
    }
}

fn connect(server: &Server) -> Result<Connection> {
    Ok(Connection::open(server.host(), TIMEOUT)?)
}

/// A project with one secret.
pub(crate) struct Project {
    number: usize,
    path: String,
}

impl Project {
    fn new(server: &Server, number: usize) -> Result<Self> {
        let mut project = Self {
            number,
            path: String::new(),
        };
        let (status, text) = project.write(&mut connect(server)?)?;
        ensure!(status == 201, "{status}: {text}");
        let answer: serde_json::Value = serde_json::from_str(&text)?;
        let href = answer
            .get("secret_ref")
            .and_then(serde_json::Value::as_str)
            .context("no reference")?;
        let (_, id) = href.rsplit_once('/').context("no id")?;
        project.path = format!("/v1/secrets/{id}/payload");
        Ok(project)
    }

    fn read(&self, connection: &mut Connection) -> Result<u16> {
        let request = self
            .request("GET", &self.path)
            .header("Accept", "text/plain");
        let answer = connection.exchange(&request)?;
        let is_right = answer.status != 200 || answer.text() == self.payload();
        ensure!(is_right, "{}: {}", self.path, answer.text());
        Ok(answer.status)
    }

    fn write(&self, connection: &mut Connection) -> Result<(u16, String)> {
        let body = format!(
            r#"{{"payload":"{}","payload_content_type":"text/plain"}}"#,
            self.payload()
        );
        let request = self
            .request("POST", "/v1/secrets")
            .header("Content-Type", "application/json");
        let answer = connection.exchange(&request.body(body))?;
        Ok((answer.status, answer.text()))
    }

    fn payload(&self) -> String {
        format!("payload of {}", self.number)
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, path)
            .header("X-Project-Id", &format!("project-{}", self.number))
            .header("X-User-Id", "user")
            .header("X-Roles", "member")
    }
}

/// One run of the server: reads all that is there, and makes a project more.
///
/// # Errors
/// A start or an answer that was not the right one.
pub(crate) fn visit(launch: &Launch, projects: &mut Vec<Project>) -> Result<()> {
    let server = launch.start_again()?;
    read(&server, projects)?;
    projects.push(Project::new(&server, projects.len())?);
    server.stop()
}

/// Starts with two root keys and leaves the previous one.
///
/// # Errors
/// As [`visit`].
pub(crate) fn rotate(launch: &Launch, projects: &mut Vec<Project>) -> Result<()> {
    let server = launch.start_again()?;
    projects.push(Project::new(&server, projects.len())?);
    let told = run::stdout(&mut launch.verb(&["rotate", "root", "--wait"]))?;
    let told = String::from_utf8(told).context("what rotate says")?;
    ensure!(told.contains("\n0 left"), "rotate says: {told}");
    read(&server, projects)?;
    server.stop()
}

fn read(server: &Server, projects: &[Project]) -> Result<()> {
    for project in projects {
        let status = project.read(&mut connect(server)?)?;
        ensure!(
            status == 200,
            "{}: {status}\n{}",
            project.path,
            server.log_tail()
        );
    }
    Ok(())
}
