//! `conformance osc`: runs every command of a key manager that OpenStack's command line has, and compares what it
//! prints.
//!
//! The commands stand in `tests/conformance/osc/TOPIC.json`, each with what it printed against Barbican 23.
//! `openstack` runs them as users of a real Keystone, who find the server in its catalogue. Those of the topic
//! `basics` run twice more against a Donjon without Keystone: by `openstack` in tokens mode, and by `barbican` in
//! noauth mode.

mod programs;
mod step;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use self::programs::{Answer, Programs};
use self::step::Step;
use crate::golden::template::{Scope, Uuids};
use crate::kit::build::{self, Profile};
use crate::kit::server::Launch;
use crate::suite::outcome::Verdict;
use crate::suite::site::{Server, Site};
use crate::suite::{Outcome, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "osc",
    packages: &[
        "python-openstackclient==10.5.0",
        "python-barbicanclient==7.6.0",
    ],
    peers: true,
    tune: |_| (),
    run,
};

/// In the order in which they run.
const TOPICS: &[&str] = &[
    BASICS,
    "secrets",
    "containers",
    "orders",
    "acls",
    "consumers",
    "formats",
];

/// The topic whose commands every client has, and that needs one user alone.
const BASICS: &str = "basics";

/// A client program and how it reaches the server.
struct Client<'a> {
    /// What the names of its outcomes begin with.
    prefix: &'static str,
    program: &'static str,
    /// What stands before the words of every command.
    options: Vec<String>,
    base: String,
    /// Where Keystone's users are, if it asks Keystone.
    site: Option<&'a Site>,
}

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let chosen = run.rest();
    for topic in chosen {
        ensure!(TOPICS.contains(&&**topic), "there is no topic {topic}");
    }
    let is_chosen = |topic: &str| chosen.is_empty() || chosen.iter().any(|known| known == topic);
    let mut programs = Programs::start(run)?;
    let mut outcomes = Vec::new();
    let mut play = |client: &Client<'_>, topic: &str| -> Result<()> {
        outcomes.extend(client.play(&mut programs, &run.tests(), topic)?);
        Ok(())
    };
    let client = Client::of_keystone(run.site);
    for topic in TOPICS.iter().filter(|topic| is_chosen(topic)) {
        play(&client, topic)?;
    }
    if run.site.server == Server::Donjon && is_chosen(BASICS) {
        let binary = build::donjon(Profile::Dev, &[])?;
        let launch = Launch::new(&binary, "tokens")?;
        let token = launch.data_dir().join("first-token");
        let server = launch.start()?;
        let token =
            fs::read_to_string(&token).with_context(|| format!("reading {}", token.display()))?;
        play(&Client::of_tokens(&server.base(), token.trim()), BASICS)?;
        server.stop()?;
        let server = Launch::new(&binary, "noauth")?.start()?;
        play(&Client::of_noauth(&server.base()), BASICS)?;
        server.stop()?;
    }
    Ok(outcomes)
}

impl<'a> Client<'a> {
    /// As users would: a password, and the rest is Keystone's to say.
    fn of_keystone(site: &'a Site) -> Self {
        Self {
            prefix: "",
            program: "openstack",
            options: Vec::new(),
            base: site.base().to_owned(),
            site: Some(site),
        }
    }

    fn of_tokens(base: &str, token: &str) -> Self {
        let endpoint = format!("{base}/v1");
        let options = [
            "--os-auth-type",
            "admin_token",
            "--os-endpoint",
            &endpoint,
            "--os-token",
            token,
        ];
        Self::without_keystone("tokens/", "openstack", base, &options)
    }

    fn of_noauth(base: &str) -> Self {
        let options = ["--no-auth", "--endpoint", base, "--os-project-id", "osc"];
        Self::without_keystone("noauth/", "barbican", base, &options)
    }

    fn without_keystone(
        prefix: &'static str,
        program: &'static str,
        base: &str,
        options: &[&str],
    ) -> Self {
        Self {
            prefix,
            program,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            base: base.to_owned(),
            site: None,
        }
    }

    /// Runs the commands of a topic one after the other. What became of a command is named by its place in its topic,
    /// since many stand there several times.
    fn play(&self, programs: &mut Programs, folder: &Path, topic: &str) -> Result<Vec<Outcome>> {
        let steps = Step::read(&folder.join(format!("{topic}.json")))?;
        let mut scope = Scope::new(&self.base, self.program);
        for (name, user) in self.site.iter().flat_map(|site| site.keystone.users()) {
            scope.set_id(&format!("user:{name}"), &user.id);
        }
        let mut uuids = Uuids::new();
        let mut outcomes = Vec::new();
        for (number, step) in (1..).zip(&steps) {
            let problems = match step.words(&scope, &uuids) {
                Ok(words) => {
                    let answer = self.ask(programs, step, words)?;
                    step.problems(&answer, &scope, &mut uuids)
                }
                Err(missing) => vec![missing],
            };
            let user = step.user.as_ref();
            let user = user.map_or_else(String::new, |user| format!(" as {user}"));
            outcomes.push(Outcome {
                name: format!(
                    "{}{topic}.{number:02} {}{user}",
                    self.prefix,
                    step.run.join(" ")
                ),
                verdict: if problems.is_empty() {
                    Verdict::Passed
                } else {
                    Verdict::Failed
                },
                detail: problems.join("\n"),
            });
        }
        Ok(outcomes)
    }

    fn ask(&self, programs: &mut Programs, step: &Step, words: Vec<String>) -> Result<Answer> {
        let words: Vec<String> = self.options.iter().cloned().chain(words).collect();
        let environment = match self.site {
            Some(site) => {
                let user = site
                    .keystone
                    .user(step.user.as_deref().unwrap_or("member"))?;
                site.keystone.openrc(user)
            }
            None => Vec::new(),
        };
        step.until_done(|| programs.run(self.program, &words, &environment))
    }
}
