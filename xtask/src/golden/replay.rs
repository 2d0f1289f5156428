//! Sends the steps of scenarios and judges each answer.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use base64ct::{Base64, Encoding as _};

use super::compare::{self, Difference, Outcome};
use super::exceptions::Exceptions;
use super::format::{Body, Group, Scenario, Step};
use super::template::{self, MissingUuid, Scope, Uuids};
use crate::kit::http::{self, Request, Response};
use crate::kit::server::Server;

/// How long one answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// A server to replay against.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `http://HOST[/PREFIX]`, without a slash at the end.
    pub(crate) base: String,
    /// A recorded 5xx is then no difference, and no exceptions hold.
    pub(crate) is_barbican: bool,
}

impl Target {
    /// # Errors
    /// No URL of plain HTTP.
    pub(crate) fn barbican(url: &str) -> Result<Self> {
        ensure!(
            url.starts_with("http://"),
            "--against takes a URL that begins with http://"
        );
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
            is_barbican: true,
        })
    }

    pub(crate) fn donjon(server: &Server) -> Self {
        Self {
            base: server.base(),
            is_barbican: false,
        }
    }
}

/// What became of one step.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Passed,
    /// Passed by an entry of the list of exceptions.
    Excepted,
    /// Not sent, because an earlier step passed with another status and made nothing.
    NotNeeded,
    Failed(Vec<Difference>),
}

/// One step, its answer and the verdict.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) request: String,
    pub(crate) why: String,
    pub(crate) verdict: Verdict,
    pub(crate) response: Option<Response>,
    /// Whether status, body and headers were compared and equal.
    pub(crate) equal: bool,
    /// What the placeholders stood for before the step.
    pub(crate) uuids: Uuids,
}

/// The steps of one scenario, in order.
#[derive(Debug)]
pub(crate) struct PlayedScenario {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) steps: Vec<Played>,
}

impl PlayedScenario {
    pub(crate) fn passed(&self) -> bool {
        self.steps
            .iter()
            .all(|step| !matches!(step.verdict, Verdict::Failed(_)))
    }
}

/// Replays every scenario of a group. `seed` makes the ids of projects and users new.
pub(crate) fn group(
    group: &Group,
    target: &Target,
    exceptions: &Exceptions,
    seed: &str,
) -> Vec<PlayedScenario> {
    let play = |scenario: &Scenario| {
        let scope = Scope::new(
            &target.base,
            &format!("{seed} {} {}", group.group, scenario.name),
        );
        let mut player = Player {
            group: &group.group,
            scenario,
            target,
            exceptions,
            scope: &scope,
            uuids: Uuids::new(),
            unmade: BTreeSet::new(),
        };
        let steps = (1..)
            .zip(&scenario.steps)
            .map(|(number, step)| player.step(number, step))
            .collect();
        PlayedScenario {
            name: scenario.name.clone(),
            scope,
            steps,
        }
    };
    group.scenarios.iter().map(play).collect()
}

/// The state of one scenario.
struct Player<'a> {
    group: &'a str,
    scenario: &'a Scenario,
    target: &'a Target,
    exceptions: &'a Exceptions,
    scope: &'a Scope,
    uuids: Uuids,
    /// UUIDs that were not made, because a step passed with another status than the recorded one.
    unmade: BTreeSet<u32>,
}

impl Player<'_> {
    fn step(&mut self, number: usize, step: &Step) -> Played {
        let mut played = Played {
            request: format!("{} {}", step.request.method, step.request.path),
            why: step.why.clone(),
            verdict: Verdict::Passed,
            response: None,
            equal: false,
            uuids: self.uuids.clone(),
        };
        let request = match self.request(step) {
            Ok(request) => request,
            Err(MissingUuid(number)) if self.unmade.contains(&number) => {
                // What it would have made is not there either.
                self.unmade.extend(recorded_uuids(step));
                played.verdict = Verdict::NotNeeded;
                return played;
            }
            Err(MissingUuid(number)) => {
                played.verdict = failed(
                    "request",
                    "to be sent",
                    &format!("{{uuid:{number}}} has no value"),
                );
                return played;
            }
        };
        thread::sleep(Duration::from_secs(step.wait));
        match http::once(self.scope.host(), &request, ANSWER_WAIT) {
            Ok(response) => self.judge(number, step, response, &mut played),
            Err(error) => played.verdict = failed("answer", "an answer", &error.to_string()),
        }
        played
    }

    fn judge(&mut self, number: usize, step: &Step, response: Response, played: &mut Played) {
        let outcome = compare::compare(step, &response, self.scope, &mut self.uuids);
        let listed = match self.target.is_barbican {
            true => None,
            false => self
                .exceptions
                .find(self.group, &self.scenario.name, number),
        };
        played.verdict = match (outcome, listed) {
            (Outcome::Different(_), Some(entry)) if entry.answers == response.status => {
                Verdict::Excepted
            }
            (Outcome::Different(differences), _) => Verdict::Failed(differences),
            (_, Some(entry)) => failed(
                "exception",
                &format!("{} for {}", entry.answers, entry.name()),
                "an answer that needs none",
            ),
            (Outcome::RecordedFailure, None) if !self.target.is_barbican => failed(
                "status",
                &format!("one of {:?}", step.also),
                &format!("the recorded {}", response.status),
            ),
            (Outcome::Equal | Outcome::Also | Outcome::RecordedFailure, None) => Verdict::Passed,
        };
        let as_recorded = response.status == step.response.status;
        played.equal =
            as_recorded && step.also.is_empty() && matches!(played.verdict, Verdict::Passed);
        if !as_recorded && !matches!(played.verdict, Verdict::Failed(_)) {
            self.unmade.extend(recorded_uuids(step));
        }
        played.response = Some(response);
    }

    fn request(&self, step: &Step) -> Result<Request, MissingUuid> {
        let recorded = &step.request;
        let fill = |text: &str| self.scope.fill(text, &self.uuids);
        let prefix = self
            .target
            .base
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| rest.split_at(at).1));
        let mut request = Request::new(
            &recorded.method,
            &format!("{}{}", prefix.unwrap_or(""), fill(&recorded.path)?),
        );
        for (name, value) in &recorded.headers {
            request.headers.push((name.clone(), fill(value)?));
        }
        request.body = match &recorded.body {
            None | Some(Body::Length(_) | Body::Pem(_)) => None,
            Some(Body::Text(text)) => Some(fill(text)?.into_bytes()),
            Some(Body::Base64(text)) => Some(Base64::decode_vec(text).unwrap_or_default()),
            Some(Body::Json(value)) => Some(
                value
                    .try_map_texts(&mut |text| fill(text))?
                    .to_string()
                    .into_bytes(),
            ),
        };
        Ok(request)
    }
}

fn failed(place: &str, expected: &str, got: &str) -> Verdict {
    Verdict::Failed(vec![Difference {
        place: place.to_owned(),
        expected: expected.to_owned(),
        got: got.to_owned(),
    }])
}

/// The UUIDs that the recorded answer of a step names.
fn recorded_uuids(step: &Step) -> Vec<u32> {
    let mut numbers: Vec<u32> = step
        .response
        .headers
        .values()
        .flat_map(|value| template::uuid_numbers(value))
        .collect();
    if let Some(Some(Body::Json(value))) = &step.response.body {
        numbers.extend(template::uuid_numbers(&value.to_string()));
    }
    numbers
}
