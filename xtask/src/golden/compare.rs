//! Compares one answer with the recorded one: status, then body, then headers.

use std::collections::BTreeSet;
use std::fmt;

use base64ct::{Base64, Encoding as _};

use super::format::{Body, Step};
use super::json::Json;
use super::template::{Scope, Uuids};
use crate::kit::http::Response;

/// How an answer relates to the recorded one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Equal in every part that is compared.
    Equal,
    /// Another status, which the recording lists as just as good.
    Also,
    /// The recorded 5xx came, although the recording lists something better.
    RecordedFailure,
    Different(Vec<Difference>),
}

/// One place where an answer differs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// `status`, `header NAME`, `body` or `body /json/pointer`.
    pub(crate) place: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            expected,
            got,
        } = self;
        write!(
            f,
            "{place}\n  expected {}\n  got      {}",
            shorten(expected),
            shorten(got)
        )
    }
}

/// Compares `response` with what `step` recorded. UUIDs that it brings are added to `uuids`.
pub(crate) fn compare(
    step: &Step,
    response: &Response,
    scope: &Scope,
    uuids: &mut Uuids,
) -> Outcome {
    let expected = &step.response;
    if response.status != expected.status {
        if step.also.contains(&response.status) {
            return Outcome::Also;
        }
        return Outcome::Different(vec![Difference {
            place: "status".to_owned(),
            expected: expected.status.to_string(),
            got: response.status.to_string(),
        }]);
    }
    if expected.status >= 500 && step.also.iter().any(|status| *status < 500) {
        return Outcome::RecordedFailure;
    }
    let mut comparison = Comparison {
        scope,
        unordered: &step.unordered,
        uuids: uuids.clone(),
        differences: Vec::new(),
    };
    if !step.loose.iter().any(|part| part == "body") {
        comparison.body(expected.body.as_ref(), &response.body);
    }
    for (name, template) in &expected.headers {
        if !step
            .loose
            .iter()
            .any(|part| part.eq_ignore_ascii_case(name))
        {
            comparison.header(name, template, response);
        }
    }
    *uuids = comparison.uuids;
    if comparison.differences.is_empty() {
        Outcome::Equal
    } else {
        Outcome::Different(comparison.differences)
    }
}

/// Compares two JSON values, placeholders included.
pub(crate) fn json_differences(
    expected: &Json,
    got: &Json,
    scope: &Scope,
    uuids: &mut Uuids,
) -> Vec<Difference> {
    let mut comparison = Comparison {
        scope,
        unordered: &[],
        uuids: uuids.clone(),
        differences: Vec::new(),
    };
    comparison.json(expected, got, "");
    *uuids = comparison.uuids;
    comparison.differences
}

/// The state of one comparison.
struct Comparison<'a> {
    scope: &'a Scope,
    unordered: &'a [String],
    uuids: Uuids,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn differs(&mut self, place: String, expected: impl Into<String>, got: impl Into<String>) {
        self.differences.push(Difference {
            place,
            expected: expected.into(),
            got: got.into(),
        });
    }

    fn body(&mut self, expected: Option<&Option<Body>>, got: &[u8]) {
        let Some(expected) = expected else {
            return;
        };
        let place = || "body".to_owned();
        let shown = String::from_utf8_lossy(got);
        match expected {
            None if got.is_empty() => {}
            None => self.differs(place(), "an empty body", shown),
            Some(Body::Json(expected)) => match serde_json::from_slice::<Json>(got) {
                Ok(got) => self.json(expected, &got, ""),
                Err(error) => self.differs(place(), "JSON", format!("{shown} ({error})")),
            },
            Some(Body::Text(expected)) => {
                let fits = std::str::from_utf8(got)
                    .is_ok_and(|got| self.scope.matches(expected, got, &mut self.uuids));
                if !fits {
                    self.differs(place(), expected, shown);
                }
            }
            Some(Body::Base64(expected)) => {
                let text = Base64::encode_string(got);
                if text != *expected {
                    self.differs(
                        place(),
                        format!("base64 {expected}"),
                        format!("base64 {text}"),
                    );
                }
            }
            Some(Body::Length(length)) => {
                if got.len() != *length {
                    self.differs(
                        place(),
                        format!("{length} bytes"),
                        format!("{} bytes", got.len()),
                    );
                }
            }
            Some(Body::Pem(label)) => {
                if !is_pem(&shown, label) {
                    self.differs(place(), format!("one PEM block {label}"), shown);
                }
            }
        }
    }

    fn json(&mut self, expected: &Json, got: &Json, pointer: &str) {
        match (expected, got) {
            (Json::String(text), _) if text == "{any}" => {}
            (Json::String(template), Json::String(text)) => {
                if !self.scope.matches(template, text, &mut self.uuids) {
                    self.differs(place(pointer), expected.to_string(), got.to_string());
                }
            }
            (Json::Object(expected), Json::Object(got)) => self.object(expected, got, pointer),
            (Json::Array(items), Json::Array(others)) => {
                let free = self.unordered.iter().any(|known| known == pointer);
                if items.len() != others.len() {
                    let count = |count: usize, value: &Json| format!("{count} items {value}");
                    self.differs(
                        place(pointer),
                        count(items.len(), expected),
                        count(others.len(), got),
                    );
                } else if !(free && self.any_order(items, others, pointer)) {
                    for (at, (item, other)) in items.iter().zip(others).enumerate() {
                        self.json(item, other, &format!("{pointer}/{at}"));
                    }
                }
            }
            _ if expected == got => {}
            _ => self.differs(place(pointer), expected.to_string(), got.to_string()),
        }
    }

    fn object(&mut self, expected: &[(String, Json)], got: &[(String, Json)], pointer: &str) {
        let mut used = vec![false; got.len()];
        for (template, value) in expected {
            let mut free = got.iter().zip(&mut used).filter(|(_, used)| !**used);
            let found =
                free.find(|((key, _), _)| self.scope.matches(template, key, &mut self.uuids));
            match found {
                Some(((key, other), used)) => {
                    *used = true;
                    self.json(value, other, &format!("{pointer}/{}", escape(key)));
                }
                None => self.differs(
                    place(pointer),
                    format!("key {template:?}: {value}"),
                    "no such key",
                ),
            }
        }
        for ((key, value), _) in got.iter().zip(used).filter(|(_, used)| !used) {
            self.differs(
                place(pointer),
                "no more keys",
                format!("key {key:?}: {value}"),
            );
        }
    }

    /// Whether some order of `others` fits `items`; if so, its UUIDs are kept.
    fn any_order(&mut self, items: &[Json], others: &[Json], pointer: &str) -> bool {
        let Some((item, items)) = items.split_first() else {
            return true;
        };
        for (at, other) in others.iter().enumerate() {
            let mut attempt = Comparison {
                scope: self.scope,
                unordered: self.unordered,
                uuids: self.uuids.clone(),
                differences: Vec::new(),
            };
            attempt.json(item, other, &format!("{pointer}/{at}"));
            if !attempt.differences.is_empty() {
                continue;
            }
            let rest: Vec<Json> = others
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != at)
                .map(|(_, o)| o.clone())
                .collect();
            if attempt.any_order(items, &rest, pointer) {
                self.uuids = attempt.uuids;
                return true;
            }
        }
        false
    }

    fn header(&mut self, name: &str, template: &str, response: &Response) {
        let got = response.header(name);
        let fits = match (name, &got) {
            ("content-length", None) => template == "0" && response.body.is_empty(),
            (_, None) => false,
            ("vary" | "allow", Some(got)) => {
                let fold = name == "vary";
                names(got, fold).is_superset(&names(template, fold))
            }
            ("content-type", Some(got)) => {
                self.scope
                    .matches(&content_type(template), &content_type(got), &mut self.uuids)
            }
            (_, Some(got)) => self.scope.matches(template, got, &mut self.uuids),
        };
        if !fits {
            self.differs(
                format!("header {name}"),
                template,
                got.unwrap_or_else(|| "no such header".to_owned()),
            );
        }
    }
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() {
        "body".to_owned()
    } else {
        format!("body {pointer}")
    }
}

/// A key as it stands in a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The names in a header that lists some; `fold` drops the letter case.
fn names(value: &str, fold: bool) -> BTreeSet<String> {
    value
        .split(',')
        .map(|name| {
            if fold {
                name.trim().to_lowercase()
            } else {
                name.trim().to_owned()
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// A content type without letter case, spaces, order of parameters, and the charset that JSON may carry.
fn content_type(value: &str) -> String {
    let folded = value.to_lowercase();
    let mut parts = folded
        .split(';')
        .map(|part| part.split_whitespace().collect::<String>());
    let media = parts.next().unwrap_or_default();
    let parameters: BTreeSet<String> = parts
        .filter(|part| {
            let implied = media == "application/json" && part == "charset=utf-8";
            !part.is_empty() && !implied
        })
        .collect();
    std::iter::once(media)
        .chain(parameters)
        .collect::<Vec<_>>()
        .join(";")
}

fn is_pem(text: &str, label: &str) -> bool {
    let inner = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")));
    inner.is_some_and(|inner| {
        let base64: String = inner.split_whitespace().collect();
        !base64.is_empty() && Base64::decode_vec(&base64).is_ok()
    })
}

/// Long texts keep their two ends.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 600;
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN - 60).collect();
    let tail: String = text.chars().skip(count - 60).collect();
    format!("{head} ... {tail} ({count} characters)")
}

#[cfg(test)]
mod tests;
