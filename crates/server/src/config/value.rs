//! A value of the configuration before its meaning is known, and where it
//! stands.

use std::{fmt, path::PathBuf, sync::Arc};

use donjon_domain::SecretBytes;

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text that nobody may see.
    Secret,
    List,
    Count,
    Limit,
    Flag,
}

/// A value. Shown as TOML, a secret as `"..."`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Secret(Arc<SecretBytes>),
    List(Vec<String>),
    Count(u64),
    Limit(i64),
    Flag(bool),
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nowhere; it is the default.
    Default,
    /// A line of the file, counted from 1.
    File { path: Arc<PathBuf>, line: usize },
    /// A variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl Kind {
    /// Reads what an environment variable or a flag says.
    pub(super) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Secret => Some(secret(text)),
            Self::List => Some(Value::List(split(text))),
            Self::Count => text.trim().parse().ok().map(Value::Count),
            Self::Flag => text.trim().parse().ok().map(Value::Flag),
            Self::Limit => text.trim().parse().ok().and_then(limit),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "a text",
            Self::List => "a list of texts",
            Self::Count => "a number of 0 or more",
            Self::Flag => "true or false",
            Self::Limit => "a number of 0 or more, or -1 for no limit",
        }
    }
}

pub(super) fn secret(text: &str) -> Value {
    Value::Secret(Arc::new(SecretBytes::from(text.to_owned())))
}

/// Negative numbers other than -1 are more likely mistakes than meant.
pub(super) fn limit(number: i64) -> Option<Value> {
    (number >= -1).then_some(Value::Limit(number))
}

fn split(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_text(f, text),
            Self::Secret(_) => f.write_str("\"...\""),
            Self::Count(count) => count.fmt(f),
            Self::Limit(limit) => limit.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write_text(f, item)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// A basic string of TOML.
pub(super) fn write_text(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}"),
            c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c)),
            c => write!(f, "{c}"),
        }?;
    }
    f.write_str("\"")
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}
