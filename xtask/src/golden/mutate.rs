//! Proof that the comparison can fail: changed recordings must not fit the answers that fitted before.

use super::compare::{self, Outcome};
use super::format::{Body, Group, Step};
use super::json::Json;
use super::replay::{Played, PlayedScenario};

/// How many changed recordings were tried, and which of them were not noticed.
#[derive(Debug, Default)]
pub(crate) struct Check {
    pub(crate) statuses: usize,
    pub(crate) bodies: usize,
    pub(crate) headers: usize,
    pub(crate) unnoticed: Vec<String>,
}

impl Check {
    /// Changes status, one body value and each header of every step that was equal, one at a time.
    pub(crate) fn group(&mut self, group: &Group, played: &[PlayedScenario]) {
        for (scenario, played) in group.scenarios.iter().zip(played) {
            for (number, (step, answer)) in (1..).zip(scenario.steps.iter().zip(&played.steps)) {
                if answer.equal {
                    let place = format!("{}/{} step {number}", group.group, scenario.name);
                    self.step(step, answer, played, &place);
                }
            }
        }
    }

    fn step(&mut self, step: &Step, answer: &Played, played: &PlayedScenario, place: &str) {
        let mut expect_difference = |changed: &Step, what: &str| {
            let Some(response) = &answer.response else {
                return;
            };
            let outcome =
                compare::compare(changed, response, &played.scope, &mut answer.uuids.clone());
            if !matches!(outcome, Outcome::Different(_)) {
                self.unnoticed.push(format!("{place}: {what}"));
            }
        };
        let changed = with_status(step);
        expect_difference(&changed, "status");
        self.statuses += 1;
        if let Some(changed) = with_body(step) {
            expect_difference(&changed, "body");
            self.bodies += 1;
        }
        for (name, changed) in with_headers(step) {
            expect_difference(&changed, &name);
            self.headers += 1;
        }
    }
}

/// The step with another status.
pub(crate) fn with_status(step: &Step) -> Step {
    let mut changed = step.clone();
    changed.response.status = if step.response.status == 418 {
        419
    } else {
        418
    };
    changed
}

/// The step with another value in its body, if the body is compared and not left to chance.
pub(crate) fn with_body(step: &Step) -> Option<Step> {
    if step.loose.iter().any(|part| part == "body") {
        return None;
    }
    let mut changed = step.clone();
    match changed.response.body.as_mut()? {
        none @ None => *none = Some(Body::Text("x".to_owned())),
        Some(Body::Text(text)) if text == "{any}" => return None,
        Some(Body::Text(text)) => text.insert(0, '!'),
        Some(Body::Base64(text)) => text.insert_str(0, "AAAA"),
        Some(Body::Length(length)) => *length += 1,
        Some(Body::Pem(label)) => label.push('!'),
        Some(Body::Json(value)) => change_leaf(value).then_some(())?,
    }
    Some(changed)
}

/// The step with one recorded header changed, for each header that is compared.
pub(crate) fn with_headers(step: &Step) -> Vec<(String, Step)> {
    let compared = |name: &&String| {
        !step
            .loose
            .iter()
            .any(|part| part.eq_ignore_ascii_case(name))
    };
    let change = |name: &String| {
        let mut changed = step.clone();
        if let Some(value) = changed.response.headers.get_mut(name) {
            // `{any}` fits every value, so there the name of the header is what can be wrong.
            if value == "{any}" {
                changed
                    .response
                    .headers
                    .insert(format!("{name}-not-there"), "{any}".to_owned());
            } else {
                value.insert(0, '!');
            }
        }
        (name.clone(), changed)
    };
    step.response
        .headers
        .keys()
        .filter(compared)
        .map(change)
        .collect()
}

/// Changes the last value that is not left to chance, or adds an item or key if there is none.
fn change_leaf(value: &mut Json) -> bool {
    match value {
        Json::Null => *value = Json::Bool(true),
        Json::Bool(flag) => *flag = !*flag,
        Json::Number(number) => *value = Json::String(number.to_string()),
        Json::String(text) if text == "{any}" => return false,
        Json::String(text) => text.insert(0, '!'),
        Json::Array(items) => {
            if !items.iter_mut().rev().any(change_leaf) {
                items.push(Json::Null);
            }
        }
        Json::Object(fields) => {
            if !fields.iter_mut().rev().any(|(_, value)| change_leaf(value)) {
                fields.push(("!".to_owned(), Json::Null));
            }
        }
    }
    true
}
