//! JSON of requests. Strings wipe themselves, for any of them may be a
//! payload; they lose white space at both ends, as Barbican trims them.

use std::{collections::HashMap, fmt};

use donjon_domain::SecretBytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use zeroize::Zeroizing;

use crate::problem::Problem;

/// A JSON value.
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number that is no integer of 64 bits.
    Float(f64),
    Text(Text),
    Array(Vec<Self>),
    /// Of equal keys the last one is kept.
    Object(Vec<(String, Self)>),
}

/// A string without white space at its ends; wipes itself.
pub(crate) struct Text(Zeroizing<String>);

impl Json {
    /// Parses a body.
    ///
    /// Not-a-number and infinities are read as some number that is too large
    /// for every field: Barbican's parser takes them, and its schemas refuse.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        // Not UTF-8 is another error than not JSON; the text is empty.
        let text = std::str::from_utf8(body).map_err(|_source| Problem::bad_request(""))?;
        if let Ok(json) = serde_json::from_str(text) {
            return Ok(json);
        }
        let finite = with_finite_numbers(text).ok_or_else(Problem::malformed_json)?;
        serde_json::from_str(&finite).map_err(|_source| Problem::malformed_json())
    }

    pub(crate) fn as_object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }
}

impl Text {
    fn new(text: Zeroizing<String>) -> Self {
        let trimmed = text.trim_matches(is_python_space);
        if trimmed.len() == text.len() {
            Self(text)
        } else {
            Self(Zeroizing::new(trimmed.to_owned()))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_secret_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.0.as_bytes().to_vec())
    }
}

/// As it was read. Only for what holds nothing secret.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text.as_str()),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) | Self::Float(_) => "number",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        })
    }
}

/// White space as Python's `str.strip` sees it.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// The same document with numbers that are not finite replaced, or `None` if
/// there are none.
fn with_finite_numbers(text: &str) -> Option<Zeroizing<String>> {
    // The replacement is longer than a word by two bytes at most, of three.
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    let mut replaced = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_len(rest),
            _ => rest
                .find(|c| c == '"' || is_word(c) != is_word(first))
                .unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at_checked(length)?;
        let not_finite = matches!(piece, "NaN" | "Infinity" | "-Infinity")
            || (is_json_number(piece) && piece.parse::<f64>().is_ok_and(f64::is_infinite));
        out.push_str(if not_finite { "1e300" } else { piece });
        replaced |= not_finite;
        rest = after;
    }
    replaced.then_some(out)
}

/// Length of the string at the start of `text`, with its quotes; of everything
/// where it does not end.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+-.".contains(character)
}

fn is_json_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let leading_zero =
        digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    digits.starts_with(|c: char| c.is_ascii_digit()) && !leading_zero
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Integer(i64::MAX), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(Text::new(Zeroizing::new(value.to_owned()))))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(Text::new(Zeroizing::new(value))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            match places.get(&key) {
                Some(&place) => {
                    if let Some(slot) = object.get_mut(place) {
                        slot.1 = value;
                    }
                }
                None => {
                    places.insert(key.clone(), object.len());
                    object.push((key, value));
                }
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(json: &'a Json, key: &str) -> Option<&'a Json> {
        json.as_object()?
            .iter()
            .find(|(own, _)| own == key)
            .map(|(_, value)| value)
    }

    fn number(body: &str) -> Option<f64> {
        match entry(&Json::parse(body.as_bytes()).ok()?, "n")? {
            Json::Float(value) => Some(*value),
            _ => None,
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_just_large() {
        for word in ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "12e999"] {
            assert_eq!(
                number(&format!("{{\"s\": \"a\\\"NaN\", \"n\": {word}}}")),
                Some(1e300),
                "{word}"
            );
        }
        for word in ["nan", "+256", "0256", "01e400", "1e400x", ".5"] {
            assert_eq!(number(&format!("{{\"n\": {word}}}")), None, "{word}");
        }
    }

    #[test]
    fn strings_are_trimmed_and_the_last_of_equal_keys_counts() {
        let json = Json::parse(b" {\"a\": \"x\", \"a\": \" \\u001c y\\n\"} ").unwrap();
        assert_eq!(entry(&json, "a").unwrap().as_str(), Some("y"));
        assert_eq!(json.as_object().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_json() {
        for body in ["", "not json", "{'a': 1}", "{\"a\": 1,}", "{} x", "{\"a\""] {
            assert_eq!(
                Json::parse(body.as_bytes()).unwrap_err(),
                Problem::malformed_json(),
                "{body}"
            );
        }
        assert_eq!(
            Json::parse(b"\xfe\xff\0{\0}").unwrap_err(),
            Problem::bad_request("")
        );
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let body = "[".repeat(20_000);
        assert_eq!(
            Json::parse(body.as_bytes()).unwrap_err(),
            Problem::malformed_json()
        );
    }

    #[test]
    fn debug_shows_no_contents() {
        assert_eq!(format!("{:?}", Json::parse(b"\"hush\"").unwrap()), "string");
    }
}
