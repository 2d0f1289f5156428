//! One `kind:match` of a rule: what it asks, and the answer.

use std::fmt;

use crate::template::{Filled, Template};
use crate::value::{Credentials, Target, Value};

/// A check that asks the credentials or the target. Displays as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leaf {
    text: Box<str>,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Test {
    /// The caller has the role, upper and lower case being the same.
    Role(Role),
    /// A literal equals the right side.
    Literal(Box<str>, Template),
    /// An attribute of the caller, or an item of it, equals the right side.
    Attribute(Box<[Box<str>]>, Template),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    /// In lower case.
    Fixed(Box<str>),
    Filled(Template),
}

/// Why a `kind:match` is none that this crate knows.
#[derive(Debug)]
pub(crate) enum Unknown {
    Kind,
    Match,
}

/// An attribute of the caller has another form than the check needs. oslo.policy raises an exception then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault;

impl Leaf {
    /// Makes a check of the two sides of the first colon. `kind` is not `rule`.
    pub(crate) fn parse(kind: &str, matched: &str) -> Result<Self, Unknown> {
        let template = |_| Unknown::Match;
        let template = Template::parse(matched).map_err(template);
        let test = if kind == "role" {
            Test::Role(match template? {
                Template::Text(role) => Role::Fixed(role.to_lowercase().into()),
                filled => Role::Filled(filled),
            })
        } else if let Some(value) = literal(kind) {
            Test::Literal(value.into(), template?)
        } else {
            let path = path(kind).ok_or(Unknown::Kind)?;
            Test::Attribute(path, template?)
        };
        let text = format!("{kind}:{matched}").into();
        Ok(Self { text, test })
    }

    pub(crate) fn holds(
        &self,
        creds: &dyn Credentials,
        target: &dyn Target,
    ) -> Result<bool, Fault> {
        match &self.test {
            Test::Role(Role::Fixed(role)) => has_role(creds, role),
            Test::Role(Role::Filled(template)) => match template.fill(target) {
                Ok(role) => has_role(creds, &role.to_string().to_lowercase()),
                Err(_) => Ok(false),
            },
            Test::Literal(value, template) => {
                let filled = template.fill(target);
                Ok(filled.is_ok_and(|filled| filled.equals(Value::Str(value))))
            }
            Test::Attribute(path, template) => match template.fill(target) {
                Ok(filled) => look_up(creds, path, filled),
                Err(_) => Ok(false),
            },
        }
    }

    /// The role that this check asks for, in lower case, if it asks for one.
    pub(crate) fn role(&self, target: &dyn Target) -> Option<String> {
        match &self.test {
            Test::Role(Role::Fixed(role)) => Some(role.to_string()),
            Test::Role(Role::Filled(template)) => {
                let role = template.fill(target).ok()?;
                Some(role.to_string().to_lowercase())
            }
            Test::Literal(..) | Test::Attribute(..) => None,
        }
    }

    /// What the check compares, in words.
    pub(crate) fn describe(&self, creds: &dyn Credentials, target: &dyn Target) -> String {
        let (left, template) = match &self.test {
            Test::Role(Role::Fixed(_)) => return roles(creds),
            Test::Role(Role::Filled(template)) => (roles(creds), template),
            Test::Literal(value, template) => (format!("the literal is {value:?}"), template),
            Test::Attribute(path, template) => (attribute(creds, path), template),
        };
        match template.fill(target) {
            Ok(filled) => format!("{left}; the target gives {:?}", filled.to_string()),
            Err(name) => format!("the target has no {name}"),
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === parsing ===

/// The text of a literal: `True`, `False`, `None`, a quoted text without backslashes, or a decimal number.
fn literal(kind: &str) -> Option<String> {
    if matches!(kind, "True" | "False" | "None") {
        return Some(kind.to_owned());
    }
    quoted(kind).map(str::to_owned).or_else(|| number(kind))
}

fn quoted(kind: &str) -> Option<&str> {
    let quote = kind.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = kind.strip_prefix(quote)?.strip_suffix(quote)?;
    let refused = |c: char| c == quote || matches!(c, '\\' | '\n' | '\r' | '\0');
    (!inner.contains(refused)).then_some(inner)
}

/// What Python prints for a decimal number: without plus sign, underscores and leading zeros.
fn number(kind: &str) -> Option<String> {
    let minus = kind.starts_with('-');
    let digits = kind.strip_prefix(['+', '-']).unwrap_or(kind);
    let grouped = digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    if !grouped || digits.len() > DIGITS_MAX {
        return None;
    }
    let digits = digits.replace('_', "");
    let value = digits.trim_start_matches('0');
    if value.is_empty() {
        return Some("0".to_owned());
    }
    // Python takes a leading zero for a mistake.
    let sign = if minus { "-" } else { "" };
    (value == digits).then(|| format!("{sign}{value}"))
}

/// The names of a dotted path, all of them Python's names in ASCII and none a keyword.
fn path(kind: &str) -> Option<Box<[Box<str>]>> {
    let is_name = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let goes_on = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        starts && goes_on && !KEYWORDS.contains(&name)
    };
    let names = kind
        .split('.')
        .map(|name| is_name(name).then(|| name.into()));
    names.collect()
}

// === answering ===

/// Whether the caller has a role; `role` is in lower case.
fn has_role(creds: &dyn Credentials, role: &str) -> Result<bool, Fault> {
    match creds.attribute("roles") {
        None => Ok(false),
        Some(Value::List(list)) => Value::items(list).try_fold(false, |found, item| match item {
            Value::Str(own) => Ok(found || is_role(own, role)),
            _ => Err(Fault),
        }),
        Some(_) => Err(Fault),
    }
}

fn is_role(own: &str, role: &str) -> bool {
    if own.is_ascii() {
        own.eq_ignore_ascii_case(role)
    } else {
        own.to_lowercase() == role
    }
}

fn look_up(creds: &dyn Credentials, path: &[Box<str>], filled: Filled<'_>) -> Result<bool, Fault> {
    let Some((name, path)) = path.split_first() else {
        return Ok(false);
    };
    match first(creds, name) {
        Some(value) => any_matches(value, path, filled),
        None => Ok(false),
    }
}

/// An attribute of the caller. `system` is another name for a `system_scope` that is not empty.
pub(crate) fn first<'a>(creds: &'a dyn Credentials, name: &str) -> Option<Value<'a>> {
    if name == "system" {
        let scope = creds.attribute("system_scope");
        if let Some(scope) = scope.filter(|value| value.is_truthy()) {
            return Some(scope);
        }
    }
    creds.attribute(name)
}

fn any_matches(value: Value<'_>, path: &[Box<str>], filled: Filled<'_>) -> Result<bool, Fault> {
    let Value::List(list) = value else {
        return matches(value, path, filled);
    };
    for item in Value::items(list) {
        if matches(item, path, filled)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matches(value: Value<'_>, path: &[Box<str>], filled: Filled<'_>) -> Result<bool, Fault> {
    let Some((name, path)) = path.split_first() else {
        return Ok(filled.equals(value));
    };
    let Value::Group(group) = value else {
        return Err(Fault);
    };
    match group.member(name) {
        Some(value) => any_matches(value, path, filled),
        None => Ok(false),
    }
}

// === describing ===

fn roles(creds: &dyn Credentials) -> String {
    match creds.attribute("roles") {
        Some(Value::List(list)) if list.item(0).is_some() => {
            let names: Vec<String> = Value::items(list).map(|role| role.to_string()).collect();
            format!("the caller's roles are {}", names.join(", "))
        }
        _ => "the caller has no roles".to_owned(),
    }
}

fn attribute(creds: &dyn Credentials, path: &[Box<str>]) -> String {
    let name = path.join(".");
    let mut found = None;
    for (depth, part) in path.iter().enumerate() {
        found = match found {
            None if depth == 0 => first(creds, part),
            Some(Value::Group(group)) => group.member(part),
            _ => None,
        };
    }
    match found {
        Some(Value::Str(text)) => format!("the caller's {name} is {text:?}"),
        Some(value) => format!("the caller's {name} is {value}"),
        None => format!("the caller has no {name}"),
    }
}

/// Longer numbers are no literals. Python has a limit too, far above.
const DIGITS_MAX: usize = 40;

/// Python's keywords, which can't be names.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

#[cfg(test)]
mod tests;
