//! What checks look at: values, and the traits by which a caller of the library supplies them.
//!
//! A value is compared by its text, and the text is Python's: `True`, `None`, `12`, `['a', 'b']`.

use std::fmt;

/// One value of the credentials or of the target. Its `Display` is what Python's `str()` gives.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// No value, though the attribute is there; reads `None`.
    None,
    /// Reads `True` or `False`.
    Bool(bool),
    /// Reads as a decimal number.
    Int(i64),
    /// Reads as itself.
    Str(&'a str),
    /// In credentials: any item may match. In text: `['a', 'b']`.
    List(&'a dyn List),
    /// Attributes below this one, reached by a dotted path. In text `{...}`, which equals nothing.
    Group(&'a dyn Group),
}

/// Who asks: the attributes of the caller, the left side of a check.
///
/// Three names have a meaning of their own: `roles`, a list of texts; `system_scope` and `domain_id`, which decide the
/// caller's scope if they are there and not empty.
pub trait Credentials {
    /// The attribute of this name, without dots; `None` if there is none.
    fn attribute(&self, name: &str) -> Option<Value<'_>>;
}

/// What is asked for: the values that `%(name)s` stands for, the right side of a check.
///
/// Names are looked up whole, dots included: there is no nesting on this side.
pub trait Target {
    /// The value of this name; `None` if there is none, which fails the check.
    fn value(&self, name: &str) -> Option<Value<'_>>;
}

/// Attributes below an attribute of the credentials.
pub trait Group {
    /// The attribute of this name; `None` if there is none.
    fn member(&self, name: &str) -> Option<Value<'_>>;
}

/// A list of values.
pub trait List {
    /// The item at `index`, from 0; `None` past the end.
    fn item(&self, index: usize) -> Option<Value<'_>>;
}

// === impl Value ===

impl<'a> Value<'a> {
    /// Whether the text of this value is `text`. Does not allocate.
    pub(crate) fn reads(self, text: &str) -> bool {
        match self {
            Self::None => text == "None",
            Self::Bool(true) => text == "True",
            Self::Bool(false) => text == "False",
            Self::Str(own) => own == text,
            Self::Int(_) | Self::List(_) => Same::compare(text, &self),
            Self::Group(_) => false,
        }
    }

    /// Whether two values have the same text. Allocates only if both are lists.
    pub(crate) fn reads_as(self, other: Value<'_>) -> bool {
        match (self, other) {
            (Self::Str(text), value) => value.reads(text),
            (value, Value::Str(text)) => value.reads(text),
            (Self::None, Value::None) => true,
            (Self::Bool(own), Value::Bool(other)) => own == other,
            (Self::Int(own), Value::Int(other)) => own == other,
            (Self::List(_), Value::List(_)) => self.to_string() == other.to_string(),
            _ => false,
        }
    }

    /// What Python's `bool()` gives.
    pub(crate) fn is_truthy(self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => value,
            Self::Int(number) => number != 0,
            Self::Str(text) => !text.is_empty(),
            Self::List(list) => list.item(0).is_some(),
            Self::Group(_) => true,
        }
    }

    pub(crate) fn items(list: &'a dyn List) -> impl Iterator<Item = Value<'a>> {
        (0..).map_while(move |index| list.item(index))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Str(text) => f.write_str(text),
            Self::List(list) => {
                f.write_str("[")?;
                for (number, item) in Value::items(*list).enumerate() {
                    f.write_str(if number == 0 { "" } else { ", " })?;
                    match item {
                        Value::Str(text) => quote(text, f)?,
                        other => write!(f, "{other}")?,
                    }
                }
                f.write_str("]")
            }
            Self::Group(_) => f.write_str("{...}"),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => fmt::Debug::fmt(text, f),
            other => fmt::Display::fmt(other, f),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

// === impl List, Credentials, Target, Group ===

impl<T: AsRef<str>> List for Vec<T> {
    fn item(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(|text| Value::Str(text.as_ref()))
    }
}

impl<T: AsRef<str>> List for &[T] {
    fn item(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(|text| Value::Str(text.as_ref()))
    }
}

impl<T: AsRef<str>, const N: usize> List for [T; N] {
    fn item(&self, index: usize) -> Option<Value<'_>> {
        self.get(index).map(|text| Value::Str(text.as_ref()))
    }
}

/// For examples and tests.
impl<const N: usize> Credentials for [(&str, Value<'_>); N] {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        find(self, name)
    }
}

/// For examples and tests.
impl<const N: usize> Target for [(&str, Value<'_>); N] {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        find(self, name)
    }
}

/// For examples and tests.
impl<const N: usize> Group for [(&str, Value<'_>); N] {
    fn member(&self, name: &str) -> Option<Value<'_>> {
        find(self, name)
    }
}

fn find<'a>(pairs: &'a [(&str, Value<'_>)], name: &str) -> Option<Value<'a>> {
    let found = pairs.iter().find(|(own, _)| *own == name);
    found.map(|(_, value)| *value)
}

/// Takes text and compares it with what it expects, instead of storing it.
pub(crate) struct Same<'a> {
    rest: &'a str,
}

impl Same<'_> {
    pub(crate) fn compare(expected: &str, written: &dyn fmt::Display) -> bool {
        let mut same = Same { rest: expected };
        fmt::write(&mut same, format_args!("{written}")).is_ok() && same.rest.is_empty()
    }
}

impl fmt::Write for Same<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.rest = self.rest.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Writes what Python's `repr()` gives for a text.
fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    write!(f, "{quote}")?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if is_printable(c) => write!(f, "{c}")?,
            c => match u32::from(c) {
                code @ 0..=0xff => write!(f, "\\x{code:02x}")?,
                code @ 0x100..=0xffff => write!(f, "\\u{code:04x}")?,
                code => write!(f, "\\U{code:08x}")?,
            },
        }
    }
    write!(f, "{quote}")
}

/// Whether a character is neither a control nor a separator other than a space. Rust's debug format asks the same of
/// every character but the first of a text, which combining marks may not be.
fn is_printable(c: char) -> bool {
    let text = format!("a{c}");
    matches!(c, '"' | '\'') || text.escape_debug().eq(text.chars())
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn reads_as_python_prints() {
        let list = ["a", "it's", "\"'\\\n\u{7f}\u{a0}\u{200b}\u{e9}\u{301}"];
        let cases: [(Value<'_>, &str); 6] = [
            (Value::None, "None"),
            (true.into(), "True"),
            (Value::Int(-12), "-12"),
            ("x y".into(), "x y"),
            (
                Value::List(&list),
                "['a', \"it's\", '\"\\'\\\\\\n\\x7f\\xa0\\u200b\u{e9}\u{301}']",
            ),
            (Option::<&str>::None.into(), "None"),
        ];
        for (value, text) in cases {
            assert_eq!(value.to_string(), text);
            assert!(value.reads(text), "{text}");
            assert!(value.reads_as(Value::Str(text)), "{text}");
            assert!(Value::Str(text).reads_as(value), "{text}");
            assert!(value.reads_as(value), "{text}");
            assert!(!value.reads("Other") && !value.reads(""), "{text}");
        }
    }

    #[test]
    fn a_group_equals_nothing() {
        let group = [("id", Value::Int(1))];
        let value = Value::Group(&group);
        assert!(!value.reads(&value.to_string()));
        assert!(!value.reads_as(value));
    }

    #[test]
    fn truth_is_pythons() {
        let (none, some) = (Vec::<String>::new(), vec!["x"]);
        for value in [
            Value::None,
            false.into(),
            Value::Int(0),
            "".into(),
            Value::List(&none),
        ] {
            assert!(!value.is_truthy(), "{value:?}");
        }
        for value in [true.into(), Value::Int(-1), "0".into(), Value::List(&some)] {
            assert!(value.is_truthy(), "{value:?}");
        }
    }
}
