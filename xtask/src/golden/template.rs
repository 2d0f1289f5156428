//! Placeholders: filled in for requests, matched in answers.

use std::collections::BTreeMap;

use crate::kit::clock;
use crate::kit::sums;

/// What `{uuid:N}` stand for so far in a scenario.
pub(crate) type Uuids = BTreeMap<u32, String>;

/// What placeholders stand for within one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    base: String,
    /// Makes the ids of projects and users; new for each scenario of each run.
    seed: String,
    /// Those that are known, by `project:NAME` or `user:NAME`.
    ids: BTreeMap<String, String>,
}

/// A `{uuid:N}` that is needed before any answer has given it a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissingUuid(pub(crate) u32);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Uuid(u32),
    Time,
    Any,
}

/// A placeholder, or the text between two of them.
enum Token<'a> {
    Text(&'a str),
    Base,
    Host,
    /// `project:NAME` or `user:NAME`.
    Id(&'a str),
    Uuid(u32),
    Time,
    Now(i64),
    Pad(usize),
    Any,
}

impl Scope {
    /// `base` is the server's URL without a slash at its end.
    pub(crate) fn new(base: &str, seed: &str) -> Self {
        Self {
            base: base.to_owned(),
            seed: seed.to_owned(),
            ids: BTreeMap::new(),
        }
    }

    /// What `project:NAME` or `user:NAME` stands for, in place of an id of our own.
    pub(crate) fn set_id(&mut self, name: &str, id: &str) {
        self.ids.insert(name.to_owned(), id.to_owned());
    }

    /// Host and port of the base URL.
    pub(crate) fn host(&self) -> &str {
        let rest = self
            .base
            .split_once("://")
            .map_or(self.base.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The id of `project:NAME` or `user:NAME`: the one that was set, or 32 hex digits.
    fn id(&self, name: &str) -> String {
        if let Some(id) = self.ids.get(name) {
            return id.clone();
        }
        let mut id = sums::sha256_hex(format!("{} {name}", self.seed).as_bytes());
        id.truncate(32);
        id
    }

    /// Fills in the placeholders of a request.
    ///
    /// # Errors
    /// A UUID that has no value yet.
    pub(crate) fn fill(&self, text: &str, uuids: &Uuids) -> Result<String, MissingUuid> {
        let mut filled = String::with_capacity(text.len());
        for token in tokens(text) {
            match token {
                Token::Uuid(number) => {
                    filled.push_str(uuids.get(&number).ok_or(MissingUuid(number))?)
                }
                Token::Now(offset) => filled.push_str(&clock::utc_from_now(offset)),
                Token::Time => filled.push_str("{time}"),
                Token::Any => filled.push_str("{any}"),
                other => filled.push_str(&self.fixed(&other)),
            }
        }
        Ok(filled)
    }

    /// Whether `text` fits `template`. New UUIDs are added to `uuids` only if it does.
    pub(crate) fn matches(&self, template: &str, text: &str, uuids: &mut Uuids) -> bool {
        let parts = self.parts(template);
        let mut found = uuids.clone();
        let fits = fits(&parts, text, &mut found);
        if fits {
            *uuids = found;
        }
        fits
    }

    fn parts(&self, template: &str) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for token in tokens(template) {
            let part = match token {
                Token::Uuid(number) => Part::Uuid(number),
                Token::Time => Part::Time,
                Token::Any => Part::Any,
                other => Part::Text(self.fixed(&other)),
            };
            match (parts.last_mut(), part) {
                (Some(Part::Text(last)), Part::Text(more)) => last.push_str(&more),
                (_, part) => parts.push(part),
            }
        }
        parts
    }

    /// The text of a token that means the same in requests and answers.
    fn fixed(&self, token: &Token<'_>) -> String {
        match token {
            Token::Text(text) => (*text).to_owned(),
            Token::Base => self.base.clone(),
            Token::Host => self.host().to_owned(),
            Token::Id(name) => self.id(name),
            Token::Pad(count) => "x".repeat(*count),
            Token::Now(offset) => clock::utc_from_now(*offset),
            Token::Uuid(_) | Token::Time | Token::Any => String::new(),
        }
    }
}

/// The numbers of the `{uuid:N}` in a text.
pub(crate) fn uuid_numbers(text: &str) -> impl Iterator<Item = u32> {
    tokens(text).into_iter().filter_map(|token| match token {
        Token::Uuid(number) => Some(number),
        _ => None,
    })
}

/// Splits a text at its placeholders. Braces around anything else stay text.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut plain_end = 0;
    while let Some(open) = rest
        .get(plain_end..)
        .and_then(|tail| tail.find('{'))
        .map(|at| at + plain_end)
    {
        let inside = rest.get(open + 1..).unwrap_or_default();
        let found = inside
            .split_once('}')
            .and_then(|(name, after)| Some((placeholder(name)?, after)));
        match found {
            Some((token, after)) => {
                tokens.extend(
                    rest.get(..open)
                        .filter(|plain| !plain.is_empty())
                        .map(Token::Text),
                );
                tokens.push(token);
                rest = after;
                plain_end = 0;
            }
            None => plain_end = open + 1,
        }
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest));
    }
    tokens
}

fn placeholder(name: &str) -> Option<Token<'_>> {
    match name {
        "base" => return Some(Token::Base),
        "host" => return Some(Token::Host),
        "time" => return Some(Token::Time),
        "any" => return Some(Token::Any),
        _ => {}
    }
    if let Some(offset) = name.strip_prefix("now") {
        return offset
            .starts_with(['+', '-'])
            .then(|| offset.parse().ok().map(Token::Now))?;
    }
    let (kind, value) = name.split_once(':')?;
    match kind {
        "project" | "user" => Some(Token::Id(name)),
        "uuid" => value.parse().ok().map(Token::Uuid),
        "pad" => value.parse().ok().map(Token::Pad),
        _ => None,
    }
}

fn fits(parts: &[Part], text: &str, uuids: &mut Uuids) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    match part {
        Part::Text(expected) => text
            .strip_prefix(expected.as_str())
            .is_some_and(|after| fits(rest, after, uuids)),
        Part::Uuid(number) => fits_uuid(*number, rest, text, uuids),
        Part::Time => time_lengths(text).any(|length| {
            text.get(length..)
                .is_some_and(|after| fits(rest, after, uuids))
        }),
        Part::Any if rest.is_empty() => true,
        Part::Any => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| text.get(at..).is_some_and(|after| fits(rest, after, uuids))),
    }
}

fn fits_uuid(number: u32, rest: &[Part], text: &str, uuids: &mut Uuids) -> bool {
    let Some((uuid, after)) = text.split_at_checked(36) else {
        return false;
    };
    if !is_uuid(uuid) {
        return false;
    }
    match uuids.get(&number) {
        Some(known) => known == uuid && fits(rest, after, uuids),
        None if uuids.values().any(|other| other == uuid) => false,
        None => {
            uuids.insert(number, uuid.to_owned());
            let fits = fits(rest, after, uuids);
            if !fits {
                uuids.remove(&number);
            }
            fits
        }
    }
}

/// Whether `text` is a UUID in lower case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// How many bytes at the front of `text` are a time: none, one choice, or one per digit of a fraction.
fn time_lengths(text: &str) -> impl Iterator<Item = usize> {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let digit = |byte: &u8| byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let whole = bytes.len() >= SHAPE.len()
        && bytes.iter().zip(SHAPE).all(|(byte, shape)| {
            if *shape == b'd' {
                digit(byte)
            } else {
                byte == shape
            }
        });
    let fraction = match bytes.split_at_checked(SHAPE.len()) {
        Some((_, [b'.', digits @ ..])) if whole => {
            digits.iter().take(6).take_while(|byte| digit(byte)).count()
        }
        _ => 0,
    };
    let lengths = (1..=fraction).rev().map(|digits| SHAPE.len() + 1 + digits);
    lengths.chain(whole.then_some(SHAPE.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6b1f0a52-3c0e-4b52-9d6a-0f6a5d1c2e3f";
    const OTHER: &str = "00000000-3c0e-4b52-9d6a-0f6a5d1c2e3f";

    fn scope() -> Scope {
        Scope::new("http://127.0.0.1:9311", "seed")
    }

    #[track_caller]
    fn check(template: &str, text: &str, fits: bool) {
        assert_eq!(
            scope().matches(template, text, &mut Uuids::new()),
            fits,
            "{template} against {text}"
        );
    }

    #[test]
    fn fixed_placeholders() {
        check("{base}/v1", "http://127.0.0.1:9311/v1", true);
        check("{base}/v1", "http://127.0.0.1:9312/v1", false);
        check("http://{host}/", "http://127.0.0.1:9311/", true);
        check("a{pad:3}b", "axxxb", true);
        check("a{pad:3}b", "axxb", false);
        check("{a} {\"x\": {pad:1}}", "{a} {\"x\": x}", true);
    }

    #[test]
    fn times() {
        check("{time}", "2026-01-02T03:04:05", true);
        check("{time}", "2026-01-02T03:04:05.123456", true);
        check("{time}", "2026-01-02T03:04:05.1", true);
        check("{time}", "2026-01-02T03:04:05.", false);
        check("{time}", "2026-01-02T03:04:05.1234567", false);
        check("{time}", "2026-01-02T03:04:05Z", false);
        check("{time}", "2026-01-02 03:04:05", false);
        check("at {time}.", "at 2026-01-02T03:04:05.", true);
    }

    #[test]
    fn any_matches_in_the_middle() {
        check("a {any} b", "a x b y b", true);
        check("a {any} b", "a x c", false);
        check("{any}", "", true);
    }

    #[test]
    fn uuids_bind_once_and_never_twice() {
        let (scope, mut uuids) = (scope(), Uuids::new());
        assert!(!scope.matches("{uuid:1}", &ID.to_uppercase(), &mut uuids));
        assert!(scope.matches("/{uuid:1}/", &format!("/{ID}/"), &mut uuids));
        assert!(!scope.matches("{uuid:1}", OTHER, &mut uuids));
        assert!(!scope.matches("{uuid:2}", ID, &mut uuids));
        assert!(scope.matches("{uuid:2}", OTHER, &mut uuids));
        assert_eq!(
            scope.fill("/v1/{uuid:1}?x={pad:2}", &uuids),
            Ok(format!("/v1/{ID}?x=xx"))
        );
        assert_eq!(scope.fill("{uuid:3}", &uuids), Err(MissingUuid(3)));
    }

    #[test]
    fn a_failed_match_binds_nothing() {
        let (scope, mut uuids) = (scope(), Uuids::new());
        assert!(!scope.matches("{uuid:1}!", ID, &mut uuids));
        assert!(uuids.is_empty());
    }

    #[test]
    fn ids_are_the_same_within_a_scenario_only() {
        let other = Scope::new("http://127.0.0.1:9311", "other");
        let id = |scope: &Scope, text: &str| scope.fill(text, &Uuids::new()).unwrap();
        assert_eq!(id(&scope(), "{project:a}"), id(&scope(), "{project:a}"));
        assert_ne!(id(&scope(), "{project:a}"), id(&scope(), "{user:a}"));
        assert_ne!(id(&scope(), "{project:a}"), id(&other, "{project:a}"));
    }

    #[test]
    fn now_is_a_time_without_a_zone() {
        let filled = scope().fill("{now+60}|{now-60}", &Uuids::new()).unwrap();
        check("{time}|{time}", &filled, true);
        let (later, earlier) = filled.split_once('|').unwrap();
        assert!(later > earlier);
    }
}
