//! Answers many checks at once, for comparing this crate with Python's oslo.policy.
//!
//! ```text
//! decide table FILE new|new-or-legacy     each line of the input is the name of a rule in the table FILE
//! decide strings                          each line of the input is a rule itself, a text or lists of texts
//! ```
//!
//! The input is JSON, one value a line. The first is `{"contexts": [{"creds": {}, "target": {}}], "rules": {}}`: callers
//! with what they ask for, and, for `strings`, the rules to which others may refer. For each further line there is one
//! in the output, with tabs between:
//!
//! - `ok`, or `bad` if the rule can't be parsed, or `refused` if it is more than this crate does;
//! - the rule as it was understood;
//! - the scopes it accepts;
//! - a letter for each context: `y`es, `n`o, wrong `s`cope, `!` for a fault. A rule that is refused has none.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write};

use donjon_oslo_policy::{Check, Credentials, Decision, DefaultSet, Denial, Group, Lenient, List};
use donjon_oslo_policy::{ParseError, ParseErrorKind, RuleDefault, Rules, Scopes, Target, Value};
use serde_json::Value as Json;

/// A caller and what it asks for.
struct Context {
    creds: Names,
    target: Names,
}

/// A value from the input.
enum Own {
    None,
    Bool(bool),
    Int(i64),
    Text(String),
    Items(Items),
    Names(Names),
}

struct Items(Vec<Own>);

struct Names(BTreeMap<String, Own>);

type Failure = Box<dyn Error>;

/// Under which the rule of a line is kept beside the named ones.
const PROBE: &str = "\0probe";

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut input = std::io::stdin().lock().lines();
    let setup: Json = serde_json::from_str(&input.next().ok_or("no input")??)?;
    let contexts = contexts(setup.get("contexts"))?;
    let answer: Box<dyn Fn(Json) -> Result<String, Failure>> = match words.as_slice() {
        ["table", file, set @ ("new" | "new-or-legacy")] => {
            let defaults = RuleDefault::table(&std::fs::read_to_string(file)?)?;
            let set = if *set == "new" {
                DefaultSet::New
            } else {
                DefaultSet::NewOrLegacy
            };
            let rules = Rules::from_defaults(&defaults, set)?;
            Box::new(move |line| by_name(line, &rules, &contexts))
        }
        ["strings"] => {
            let named = named(setup.get("rules"))?;
            Box::new(move |line| by_text(line, &named, &contexts))
        }
        _ => return Err("usage: decide table FILE new|new-or-legacy, or decide strings".into()),
    };
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for line in input {
        writeln!(output, "{}", answer(serde_json::from_str(&line?)?)?)?;
    }
    Ok(output.flush()?)
}

fn by_name(line: Json, rules: &Rules, contexts: &[Context]) -> Result<String, Failure> {
    let name = line.as_str().ok_or("expected the name of a rule")?;
    let Some(rule) = rules.rule(name) else {
        return Ok(row("bad", "", Scopes::ANY, ""));
    };
    Ok(row(
        "ok",
        &rule.to_string(),
        rule.scopes(),
        &answers(rules, name, contexts),
    ))
}

fn by_text(line: Json, named: &[(String, Check)], contexts: &[Context]) -> Result<String, Failure> {
    let Lenient { check, problems } = parse(line)?;
    let text = check.to_string();
    if problems.iter().any(ParseError::is_unsupported) && !problems.iter().any(is_hopeless) {
        return Ok(row("refused", "", Scopes::ANY, ""));
    }
    let all = named.iter().cloned().chain([(PROBE.to_owned(), check)]);
    let rules = Rules::from_checks(all)?;
    let class = if problems.is_empty() { "ok" } else { "bad" };
    Ok(row(
        class,
        &text,
        Scopes::ANY,
        &answers(&rules, PROBE, contexts),
    ))
}

/// Whether the whole rule denies for this, whatever else is in it.
fn is_hopeless(problem: &ParseError) -> bool {
    !problem.is_unsupported() && !matches!(problem.kind(), ParseErrorKind::NoColon(_))
}

fn row(class: &str, check: &str, scopes: Scopes, answers: &str) -> String {
    // Names may hold tabs and line ends.
    let check = Json::from(check);
    format!("{class}\t{check}\t{scopes}\t{answers}")
}

fn answers(rules: &Rules, rule: &str, contexts: &[Context]) -> String {
    let letter = |context: &Context| match rules.check(rule, &context.creds, &context.target) {
        Decision::Allowed => 'y',
        Decision::Denied(Denial::Rule | Denial::UnknownRule) => 'n',
        Decision::Denied(Denial::Scope) => 's',
        Decision::Denied(Denial::Fault) => '!',
    };
    contexts.iter().map(letter).collect()
}

// === reading ===

fn parse(line: Json) -> Result<Lenient, Failure> {
    let text = |text: Json| match text {
        Json::String(text) => Ok(text),
        other => Err(format!("expected a text, found {other}")),
    };
    match line {
        Json::Array(lists) => {
            let lists = lists.into_iter().map(|list| match list {
                Json::Array(items) => items.into_iter().map(text).collect::<Result<Vec<_>, _>>(),
                one => Ok(Some(text(one)?)
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .collect()),
            });
            Ok(Check::parse_lists_lenient(
                &lists.collect::<Result<Vec<_>, _>>()?,
            ))
        }
        line => Ok(Check::parse_lenient(&text(line)?)),
    }
}

fn named(rules: Option<&Json>) -> Result<Vec<(String, Check)>, Failure> {
    let rules = rules.and_then(Json::as_object).ok_or("no rules")?;
    let parse = |(name, check): (&String, &Json)| {
        let check = check.as_str().ok_or("a rule is no text")?;
        Ok((name.clone(), Check::parse(check)?))
    };
    rules.iter().map(parse).collect()
}

fn contexts(contexts: Option<&Json>) -> Result<Vec<Context>, Failure> {
    let contexts = contexts.and_then(Json::as_array).ok_or("no contexts")?;
    let names = |json: &Json| match Own::new(json) {
        Ok(Own::Names(names)) => Ok(names),
        _ => Err(Failure::from("a context needs creds and target")),
    };
    let context = |context: &Json| {
        Ok(Context {
            creds: names(context.get("creds").unwrap_or(&Json::Null))?,
            target: names(context.get("target").unwrap_or(&Json::Null))?,
        })
    };
    contexts.iter().map(context).collect()
}

impl Own {
    fn new(json: &Json) -> Result<Self, Failure> {
        Ok(match json {
            Json::Null => Self::None,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Int(number.as_i64().ok_or("not an integer")?),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::Items(Items(
                items.iter().map(Self::new).collect::<Result<_, _>>()?,
            )),
            Json::Object(names) => {
                let pairs = names
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), Self::new(value)?)));
                Self::Names(Names(pairs.collect::<Result<_, Failure>>()?))
            }
        })
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::None => Value::None,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Str(text),
            Self::Items(items) => Value::List(items),
            Self::Names(names) => Value::Group(names),
        }
    }
}

impl List for Items {
    fn item(&self, index: usize) -> Option<Value<'_>> {
        self.0.get(index).map(Own::value)
    }
}

impl Names {
    fn find(&self, name: &str) -> Option<Value<'_>> {
        self.0.get(name).map(Own::value)
    }
}

impl Credentials for Names {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        self.find(name)
    }
}

impl Target for Names {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        self.find(name)
    }
}

impl Group for Names {
    fn member(&self, name: &str) -> Option<Value<'_>> {
        self.find(name)
    }
}
