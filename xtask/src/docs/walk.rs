//! `docs --walk`: whatever docs/replace-barbican.md has in blocks is done, from top to bottom, as a newcomer would.
//!
//! The server is a clean Debian in a folder: the package is installed there, the service and a proxy run there, by what
//! their units say. The administrator and a user sit elsewhere, with `openstack` and a real Keystone. Names of hosts lead
//! to this machine; where a port is taken another one stands in for it, and for Keystone's URL that of the real one.

mod clean_root;
mod name_spaces;
mod page;

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use self::clean_root::CleanRoot;
use self::page::{Step, What, Who};
use super::markdown::Line;
use super::shell::Shell;
use super::{DEFAULT_ADDRESS, free_or_other};
use crate::conformance::osc;
use crate::dist;
use crate::kit::keystone::{Keystone, User};
use crate::kit::table::Table;
use crate::kit::{run, workspace};

const PAGE: &str = "docs/replace-barbican.md";

/// The server behind the proxy.
const INNER_ADDRESS: &str = "127.0.0.1:9312";

const KEYSTONE_URL: &str = "https://keystone.example.org:5000";
const HOSTS: &str = "127.0.0.1 localhost kms.example.org keystone.example.org\n::1 localhost\n";

/// Where Barbican was.
const OLD_URL: &str = "http://barbican.example.org:9311";

/// Written by the server, needed by users.
const CERTIFICATE: &str = "/etc/ssl/certs/kms.crt";
const ACCESS_LOG: &str = "/var/log/nginx/access.log";

/// As much as a table holds.
const CELL: usize = 72;

struct Walk {
    // Before Keystone, so that the service ends first.
    root: CleanRoot,
    admin: Shell,
    member: Shell,
    _keystone: Keystone,
    /// What stands in for what.
    stand_ins: Vec<(String, String)>,
    table: Table,
}

/// Every block of the page is one that the walk does.
///
/// # Errors
/// One is not; the message has its line.
pub(crate) fn check() -> Result<()> {
    steps().map(drop)
}

/// # Errors
/// A command that fails or prints something else than the page says; the message names its line.
pub(crate) fn run(dev: bool) -> Result<()> {
    let steps = steps()?;
    if !name_spaces::is_inside() {
        return name_spaces::enter();
    }
    let mut walk = Walk::begin(dev)?;
    let outcome = steps
        .iter()
        .try_for_each(|step| walk.go(step))
        .and_then(|()| walk.look_at_package());
    println!("\n{}", walk.table);
    walk.root.keep_packages()?;
    outcome?;
    println!("{} blocks of {PAGE} do what it says", steps.len());
    Ok(())
}

fn steps() -> Result<Vec<Step>> {
    let file = workspace::root().join(PAGE);
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    page::steps(&text).context(PAGE)
}

impl Walk {
    fn begin(dev: bool) -> Result<Self> {
        let package = dist::package(dev)?;
        let programs = osc::SUITE.environment()?.join("openstack");
        let mut root = CleanRoot::new()?;
        root.write("/etc/hosts", HOSTS, 0o644)?;
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(root.path("/etc/hosts"));
        run::command(mount.arg("/etc/hosts"))?;
        let name = package.file_name().context("a package without a name")?;
        fs::copy(&package, root.path("/root").join(name))?;

        let keystone = Keystone::start()?;
        // The page makes it.
        let user = keystone.user("donjon")?;
        let password = user.password.clone();
        keystone.ask("DELETE", &format!("/users/{}", user.id), None)?;
        keystone.set_key_manager(OLD_URL)?;

        root.variable("PASSWORD", &password);
        let client = |user: &User| -> Result<Shell> {
            let mut shell = Shell::new(&programs)?;
            for (name, value) in keystone.openrc(user) {
                shell.env(name, &value);
            }
            Ok(shell)
        };
        let mut admin = client(keystone.admin())?;
        admin.env("PASSWORD", &password);
        let member = client(keystone.user("member")?)?;
        let stand_ins = stand_ins(&keystone)?;
        let walk = Self {
            root,
            admin,
            member,
            _keystone: keystone,
            stand_ins,
            table: Table::new(&["step", "who", "what", "seen", "seconds"]),
        };
        let first = walk.filled(DEFAULT_ADDRESS);
        // The first start has the settings of the package.
        let environment = format!(
            "if grep -q '{DEFAULT_ADDRESS}' /etc/donjon/donjon.toml; then export DONJON_HTTP__LISTEN={first}; fi\n"
        );
        walk.root
            .write("/run/walk/environment", &environment, 0o644)?;
        Ok(walk)
    }

    fn go(&mut self, step: &Step) -> Result<()> {
        match &step.what {
            What::Type(who, lines) => {
                if *who == Who::Member {
                    self.hand_over_certificate()?;
                }
                for line in lines {
                    self.type_in(step, *who, line).with_context(|| {
                        format!("{PAGE}, line {}: {}", line.number, line.command)
                    })?;
                }
                if *who == Who::Member {
                    self.look_at_proxy(step)?;
                }
                Ok(())
            }
            What::File { path, text } => self.write(step, path, |_| text.clone()),
            What::Append { path, text } => self.write(step, path, |old| format!("{old}\n{text}")),
            What::Settings { path, text } => self.write(step, path, |old| page::set(old, text)),
        }
        .with_context(|| format!("{PAGE}, line {}", step.line))
    }

    fn type_in(&mut self, step: &Step, who: Who, line: &Line) -> Result<()> {
        println!("{PAGE}:{}: {} {}", line.number, who.prompt(), line.command);
        let started = Instant::now();
        let command = self.filled(&line.command);
        let printed = match who {
            Who::Root => self.root.run(&command),
            Who::Admin => self.admin.run(&command),
            Who::Member => self.member.run(&command),
        }?;
        for expected in &line.output {
            let expected = self.filled(expected);
            ensure!(
                printed.lines().any(|line| line.trim() == expected.trim()),
                "it should print {expected:?}, and prints {printed:?}"
            );
        }
        let seen = printed.lines().rfind(|line| !line.trim().is_empty());
        let seen = seen.map_or("succeeds", str::trim).to_owned();
        self.row(&step.section, who.name(), &line.command, &seen, started);
        Ok(())
    }

    /// Changes a file on the server and keeps whose it is.
    fn write(&mut self, step: &Step, path: &str, new: impl Fn(&str) -> String) -> Result<()> {
        println!("{PAGE}:{}: {path}", step.line);
        let started = Instant::now();
        let real = self.root.path(path);
        let old = fs::read_to_string(&real).unwrap_or_default();
        if let Some(folder) = real.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&real, self.filled(&new(&old)))
            .with_context(|| format!("writing {}", real.display()))?;
        self.row(&step.section, Who::Root.name(), path, "is written", started);
        Ok(())
    }

    fn hand_over_certificate(&self) -> Result<()> {
        let folder = self.member.folder();
        fs::create_dir_all(&folder)?;
        fs::copy(self.root.path(CERTIFICATE), folder.join("kms.crt"))
            .context("the page should have made a certificate")?;
        Ok(())
    }

    /// The user's requests went through nginx, where that runs.
    fn look_at_proxy(&mut self, step: &Step) -> Result<()> {
        if self.root.run("systemctl status nginx").is_err() {
            return Ok(());
        }
        let log = fs::read_to_string(self.root.path(ACCESS_LOG)).context("nginx has no log")?;
        // The client may write a slash at the end.
        let is_store =
            |line: &&str| line.contains("\"POST /v1/secrets") && line.contains("\" 201 ");
        let stored = log
            .lines()
            .find(is_store)
            .with_context(|| format!("no secret was stored through nginx:\n{log}"))?
            .to_owned();
        let (_, seen) = stored.split_once('"').unwrap_or_default();
        self.row(
            &step.section,
            "",
            ACCESS_LOG,
            &format!("\"{seen}"),
            Instant::now(),
        );
        Ok(())
    }

    /// Which the page does not need: support for HSMs, and the manual.
    fn look_at_package(&mut self) -> Result<()> {
        for command in [
            "donjon hsm doctor --help | head -n 1",
            "zcat /usr/share/man/man1/donjon-hsm-doctor.1.gz | grep '^.TH'",
        ] {
            let started = Instant::now();
            let printed = self.root.run(command)?;
            self.row("", Who::Root.name(), command, printed.trim(), started);
        }
        Ok(())
    }

    fn row(&mut self, section: &str, who: &str, what: &str, seen: &str, started: Instant) {
        let number = section.split_once('.').map_or("", |(number, _)| number);
        let seconds = format!("{:.1}", started.elapsed().as_secs_f64());
        self.table.row([
            number.to_owned(),
            who.to_owned(),
            cut(what),
            cut(seen),
            seconds,
        ]);
    }

    fn filled(&self, text: &str) -> String {
        let stand_ins = self.stand_ins.iter();
        stand_ins.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    fn prompt(self) -> String {
        format!("{}$", self.name())
    }
}

/// Ports that are taken, and where Keystone is.
fn stand_ins(keystone: &Keystone) -> Result<Vec<(String, String)>> {
    let mut stand_ins = vec![(KEYSTONE_URL.to_owned(), keystone.auth_url())];
    for address in [DEFAULT_ADDRESS, INNER_ADDRESS] {
        let other = free_or_other(address)?;
        let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
        if other != address {
            stand_ins.push((port(address), port(&other)));
        }
    }
    Ok(stand_ins)
}

fn cut(text: &str) -> String {
    let text = text.replace('\n', " ");
    if text.chars().count() <= CELL {
        return text;
    }
    let kept: String = text.chars().take(CELL - 3).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_no_block_that_nothing_runs() {
        let steps = steps().unwrap();
        for who in [Who::Root, Who::Admin, Who::Member] {
            let types = |step: &Step| matches!(step.what, What::Type(typist, _) if typist == who);
            assert!(steps.iter().any(types), "{who:?}");
        }
    }

    #[test]
    fn cells_are_short() {
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(cut(&"ä".repeat(CELL + 1)).chars().count(), CELL);
    }
}
