//! Checks of JSON bodies, with the words of Barbican's schemas: which schema,
//! why, and which property.

use std::fmt::{self, Write as _};

use donjon_domain::Label;

use crate::{json::Json, problem::Problem};

/// The schemas by the names that stand in error texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    Secret,
    SecretMetadata,
    SecretMetadatum,
    SecretConsumer,
    Acl,
    Container,
    ContainerSecret,
    Consumer,
    ProjectQuota,
    TransportKey,
    Order,
    /// The `meta` of an order, which is checked as a secret.
    SecretInOrder,
}

impl Schema {
    const fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::SecretMetadata => "SecretMetadata",
            Self::SecretMetadatum => "SecretMetadatum",
            Self::SecretConsumer => "Secret Consumer",
            Self::Acl => "ACL",
            Self::Container => "Container",
            Self::ContainerSecret => "ContainerSecret",
            Self::Consumer => "Consumer",
            Self::ProjectQuota => "Project Quota",
            Self::TransportKey => "Transport Key",
            Self::Order => "Order",
            Self::SecretInOrder => "Secret' within 'Order",
        }
    }

    /// A body that does not fit. `property` prints as `None` where the error
    /// belongs to no single one.
    pub(crate) fn violation(self, property: Option<&str>, reason: impl fmt::Display) -> Problem {
        Problem::bad_request(format!(
            "Provided object does not match schema '{}': {reason}. Invalid property: '{}'",
            self.name(),
            property.unwrap_or("None")
        ))
    }

    /// The entries of the body.
    pub(crate) fn object<'a>(self, json: &'a Json) -> Result<Fields<'a>, Problem> {
        let entries = json
            .as_object()
            .ok_or_else(|| self.violation(None, NotOfType(json, "'object'")))?;
        Ok(Fields {
            schema: self,
            property: None,
            entries,
        })
    }
}

/// The fields of an object that is being checked.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    schema: Schema,
    /// Named in errors in place of the field, for fields of a nested object.
    property: Option<&'a str>,
    entries: &'a [(String, Json)],
}

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Json> {
        self.entries
            .iter()
            .find(|(own, _)| own == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn entries(&self) -> &'a [(String, Json)] {
        self.entries
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn violation(&self, key: &str, reason: impl fmt::Display) -> Problem {
        self.schema.violation(self.property.or(Some(key)), reason)
    }

    /// Refuses every key that is not among `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .entries
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some((key, _)) => {
                let reason = format!(
                    "Additional properties are not allowed ({} was unexpected)",
                    Quoted(key)
                );
                Err(self.schema.violation(self.property, reason))
            }
        }
    }

    /// A field that has to be there, named in the error if it is not.
    pub(crate) fn require(&self, key: &str) -> Result<&'a Json, Problem> {
        self.get(key)
            .ok_or_else(|| self.violation(key, Required(key)))
    }

    /// A field that has to be there, with an error that does not name it, as the
    /// newer schemas have it. In a nested object the error names that object.
    pub(crate) fn require_unnamed(&self, key: &str) -> Result<&'a Json, Problem> {
        self.get(key)
            .ok_or_else(|| self.schema.violation(self.property, Required(key)))
    }

    /// A nested object; errors in it name `key`.
    pub(crate) fn nested(&self, key: &'a str) -> Result<Option<Self>, Problem> {
        self.get(key)
            .map(|value| self.as_nested(key, value))
            .transpose()
    }

    /// A value below `key` that has to be an object; errors in it name `key`.
    pub(crate) fn as_nested(&self, key: &'a str, value: &'a Json) -> Result<Self, Problem> {
        let entries = value
            .as_object()
            .ok_or_else(|| self.violation(key, NotOfType(value, "'object'")))?;
        Ok(Self {
            schema: self.schema,
            property: Some(key),
            entries,
        })
    }

    /// A string, if the field is there.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, Problem> {
        self.get(key)
            .map(|value| self.as_text(key, value))
            .transpose()
    }

    /// A string or null, if the field is there.
    pub(crate) fn text_or_null(&self, key: &str) -> Result<Option<&'a str>, Problem> {
        match self.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => value
                .as_str()
                .map(Some)
                .ok_or_else(|| self.violation(key, NotOfType(value, "'string', 'null'"))),
        }
    }

    /// A string of at most 255 characters.
    pub(crate) fn label(&self, key: &str) -> Result<Option<Label>, Problem> {
        self.text(key)?
            .map(|text| self.checked_label(key, text))
            .transpose()
    }

    /// A string of at most 255 characters, or null.
    pub(crate) fn label_or_null(&self, key: &str) -> Result<Option<Label>, Problem> {
        self.text_or_null(key)?
            .map(|text| self.checked_label(key, text))
            .transpose()
    }

    pub(crate) fn as_text(&self, key: &str, value: &'a Json) -> Result<&'a str, Problem> {
        value
            .as_str()
            .ok_or_else(|| self.violation(key, NotOfType(value, "'string'")))
    }

    pub(crate) fn checked_label(&self, key: &str, text: &str) -> Result<Label, Problem> {
        Label::new(text.to_owned())
            .map_err(|_source| self.violation(key, format!("{} is too long", Quoted(text))))
    }

    /// Refuses text that is longer than this.
    pub(crate) fn at_most(&self, key: &str, text: &str, chars_max: usize) -> Result<(), Problem> {
        if text.chars().count() > chars_max {
            Err(self.violation(key, format!("{} is too long", Quoted(text))))
        } else {
            Ok(())
        }
    }

    /// A string of at least one character that has to be there.
    pub(crate) fn required_non_empty(&self, key: &str) -> Result<&'a str, Problem> {
        let text = self.as_text(key, self.require_unnamed(key)?)?;
        if text.is_empty() {
            Err(self.violation(key, "'' should be non-empty"))
        } else {
            Ok(text)
        }
    }

    /// An integer, if the field is there. A number without fraction is one,
    /// however it is written.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, Problem> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::Integer(value)) => Ok(Some(*value)),
            Some(Json::Float(value)) if value.fract() == 0.0 && value.abs() < FLOAT_EXACT_MAX =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
                Ok(Some(*value as i64))
            }
            Some(other) => Err(self.violation(key, NotOfType(other, "'integer'"))),
        }
    }

    /// A boolean, if the field is there.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, Problem> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.violation(key, NotOfType(other, "'boolean'"))),
        }
    }

    /// An array, if the field is there.
    pub(crate) fn array(&self, key: &str) -> Result<Option<&'a [Json]>, Problem> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.violation(key, NotOfType(other, "'array'"))),
        }
    }

    /// One of a few words, if the field is there.
    pub(crate) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, Problem> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if words.contains(&text) {
            return Ok(Some(text));
        }
        let listed = words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(", ");
        Err(self.violation(key, format!("{} is not one of [{listed}]", Quoted(text))))
    }
}

/// Integers up to here are exact in a floating point number.
const FLOAT_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

struct Required<'a>(&'a str);

impl fmt::Display for Required<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is a required property", self.0)
    }
}

/// `5 is not of type 'string'`. Arrays and objects are not printed: they may
/// be large, and hold what should not be repeated.
struct NotOfType<'a>(&'a Json, &'a str);

impl fmt::Display for NotOfType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Json::Null => f.write_str("None"),
            Json::Bool(true) => f.write_str("True"),
            Json::Bool(false) => f.write_str("False"),
            Json::Integer(value) => write!(f, "{value}"),
            Json::Float(value) => write!(f, "{value}"),
            Json::Text(text) => Quoted(text.as_str()).fmt(f),
            Json::Array(items) if items.is_empty() => f.write_str("[]"),
            Json::Array(_) => f.write_str("[...]"),
            Json::Object(entries) if entries.is_empty() => f.write_str("{}"),
            Json::Object(_) => f.write_str("{...}"),
        }?;
        write!(f, " is not of type {}", self.1)
    }
}

/// A text in single quotes, without control characters, cut where it is long.
struct Quoted<'a>(&'a str);

impl Quoted<'_> {
    const CHARS_MAX: usize = 300;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for character in self.0.chars().take(Self::CHARS_MAX) {
            if character.is_control() || character == '\'' {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        f.write_char('\'')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: fmt::Debug>(
        body: &str,
        expected: &str,
        read: impl Fn(Fields<'_>) -> Result<T, Problem>,
    ) {
        let json = Json::parse(body.as_bytes()).unwrap();
        let error = Schema::Secret.object(&json).and_then(read).unwrap_err();
        let text = format!("{error:?}");
        assert!(text.contains(expected), "{text} lacks {expected}");
    }

    #[test]
    fn reasons_and_properties() {
        check(
            "[]",
            "[] is not of type 'object'. Invalid property: 'None'",
            |fields| Ok(fields.is_empty()),
        );
        check(
            r#"{"n": true}"#,
            "True is not of type 'integer'. Invalid property: 'n'",
            |f| f.integer("n"),
        );
        check(r#"{"n": 12.5}"#, "12.5 is not of type 'integer'", |f| {
            f.integer("n")
        });
        check(r#"{"n": null}"#, "None is not of type 'string'", |f| {
            f.text("n").map(drop)
        });
        check(r#"{"n": 5}"#, "5 is not of type 'string', 'null'", |f| {
            f.text_or_null("n").map(drop)
        });
        check(r#"{"n": "x"}"#, "'x' is not one of ['a', 'b']", |f| {
            f.word("n", &["a", "b"]).map(drop)
        });
        check(
            r#"{"n": ""}"#,
            "'' should be non-empty. Invalid property: 'n'",
            |f| f.required_non_empty("n").map(str::len),
        );
        check(
            "{}",
            "'n' is a required property. Invalid property: 'None'",
            |f| f.required_non_empty("n").map(str::len),
        );
        check(
            r#"{"z": 1}"#,
            "('z' was unexpected). Invalid property: 'None'",
            |f| f.only(&["n"]),
        );
        check(
            r#"{"r": {"z": 1}}"#,
            "('z' was unexpected). Invalid property: 'r'",
            |f| f.nested("r")?.map(|nested| nested.only(&["n"])).transpose(),
        );
    }

    #[test]
    fn integers_in_every_spelling() {
        for (body, expected) in [
            (r#"{"n": 256.0}"#, 256),
            (r#"{"n": 2.56e2}"#, 256),
            (r#"{"n": -1}"#, -1),
        ] {
            let json = Json::parse(body.as_bytes()).unwrap();
            assert_eq!(
                Schema::Secret.object(&json).unwrap().integer("n"),
                Ok(Some(expected))
            );
        }
    }

    #[test]
    fn what_is_nested_is_not_repeated() {
        let json = Json::parse(br#"{"payload": ["hush"]}"#).unwrap();
        let error = Schema::Secret
            .object(&json)
            .unwrap()
            .text("payload")
            .unwrap_err();
        assert!(!format!("{error:?}").contains("hush"));
    }
}
