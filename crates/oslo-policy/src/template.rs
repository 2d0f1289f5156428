//! The right side of a check: text in which `%(name)s` stands for a value of the target.

use std::fmt;
use std::sync::Arc;

use crate::value::{Same, Target, Value};

/// A parsed right side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Template {
    /// Nothing to fill in.
    Text(Arc<str>),
    /// One value and no text, as in `%(project_id)s`.
    Key(Arc<str>),
    Mixed(Arc<[Segment]>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Text(String),
    Key(String),
}

/// A template whose values are all there. Displays as the text they give.
#[derive(Clone, Copy)]
pub(crate) enum Filled<'a> {
    Value(Value<'a>),
    Mixed(&'a [Segment], &'a dyn Target),
}

/// The text has a `%` that begins neither `%%` nor `%(name)s`.
#[derive(Debug)]
pub(crate) struct Unsupported;

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, Unsupported> {
        let mut segments = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            let key = after.strip_prefix('(').ok_or(Unsupported)?;
            let (key, after) = key.split_once(')').ok_or(Unsupported)?;
            rest = after.strip_prefix('s').ok_or(Unsupported)?;
            // Parentheses nest in Python's names.
            if key.contains('(') {
                return Err(Unsupported);
            }
            if !plain.is_empty() {
                segments.push(Segment::Text(std::mem::take(&mut plain)));
            }
            segments.push(Segment::Key(key.to_owned()));
        }
        plain.push_str(rest);
        if segments.is_empty() {
            return Ok(Self::Text(plain.into()));
        }
        if !plain.is_empty() {
            segments.push(Segment::Text(plain));
        }
        match segments.as_slice() {
            [Segment::Key(key)] => Ok(Self::Key(key.as_str().into())),
            _ => Ok(Self::Mixed(segments.into())),
        }
    }

    /// The template with the values of `target`, or the first name that has none.
    pub(crate) fn fill<'a>(&'a self, target: &'a dyn Target) -> Result<Filled<'a>, &'a str> {
        match self {
            Self::Text(text) => Ok(Filled::Value(Value::Str(text))),
            Self::Key(key) => target.value(key).map(Filled::Value).ok_or(key),
            Self::Mixed(segments) => {
                let lacking = segments.iter().find_map(|segment| match segment {
                    Segment::Key(key) if target.value(key).is_none() => Some(key.as_str()),
                    Segment::Key(_) | Segment::Text(_) => None,
                });
                lacking.map_or(Ok(Filled::Mixed(segments, target)), Err)
            }
        }
    }
}

impl Filled<'_> {
    /// Whether the text is that of `value`. Does not allocate, unless lists or numbers meet several values.
    pub(crate) fn equals(self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Value(own), value) => own.reads_as(value),
            (Self::Mixed(..), Value::Str(text)) => Same::compare(text, &self),
            (Self::Mixed(..), Value::Group(_)) => false,
            (Self::Mixed(..), value) => Same::compare(&value.to_string(), &self),
        }
    }
}

impl fmt::Display for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Mixed(segments, target) => {
                segments.iter().try_for_each(|segment| match segment {
                    Segment::Text(text) => f.write_str(text),
                    Segment::Key(key) => target
                        .value(key)
                        .map_or(Ok(()), |value| write!(f, "{value}")),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Template;
    use crate::value::Value;

    const TARGET: [(&str, Value<'_>); 3] = [
        ("a.b", Value::Str("x")),
        ("n", Value::Int(7)),
        ("", Value::None),
    ];

    fn filled(text: &str) -> String {
        let template = Template::parse(text).unwrap();
        let filled = template.fill(&TARGET).map(|filled| filled.to_string());
        filled.unwrap_or_else(|name| format!("no {name}"))
    }

    #[test]
    fn names_are_filled_in() {
        let cases = [
            ("", ""),
            ("plain:(text)", "plain:(text)"),
            ("%(a.b)s", "x"),
            ("%()s", "None"),
            ("<%(a.b)s-%(n)s>", "<x-7>"),
            ("100%%%(n)s", "100%7"),
            ("%%(n)s", "%(n)s"),
            ("%(a)s%(n)s", "no a"),
            ("%(a)s", "no a"),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn other_conversions_are_unsupported() {
        for text in [
            "%", "%s", "%d", "%(n)d", "%(n)5s", "%(n)", "%(n", "%(n)%", "%((n))s", "50%", "%(a)s%",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_are_compared_whole() {
        let mixed = Template::parse("<%(a.b)s%(n)s>").unwrap();
        let mixed = mixed.fill(&TARGET).unwrap();
        assert!(mixed.equals(Value::Str("<x7>")));
        for other in ["<x7", "<x7>>", "<x8>", ""] {
            assert!(!mixed.equals(Value::Str(other)), "{other}");
        }
        let number = Template::parse("%(n)s%(n)s").unwrap();
        assert!(number.fill(&TARGET).unwrap().equals(Value::Int(77)));
        assert!(!number.fill(&TARGET).unwrap().equals(Value::Int(7)));
    }
}
