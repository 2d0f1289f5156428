//! The `meta` of an order as it is kept and shown again: what the request had,
//! without the passphrase, with name and expiration filled in.
//!
//! It is kept as Barbican keeps it, in the spelling of Python's `json.dumps`,
//! because lists are searched for parts of that text.

use std::io;

use donjon_domain::Timestamp;
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::ser::Formatter;

use crate::{json::Json, problem::Problem, schema::Fields};

/// The text to keep.
pub(crate) fn shown(fields: Fields<'_>, expiration: Option<Timestamp>) -> Result<String, Problem> {
    let meta = Meta {
        entries: fields.entries(),
        expiration: expiration.map(with_fraction),
    };
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PythonFormatter);
    let failed = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Request failure seen.");
    meta.serialize(&mut serializer)
        .map_err(|_source| failed())?;
    String::from_utf8(text).map_err(|_source| failed())
}

/// What [`shown`] made; null where the text was damaged.
pub(crate) fn parsed(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or(Json::Null)
}

struct Meta<'a> {
    entries: &'a [(String, Json)],
    expiration: Option<String>,
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.entries {
            match key.as_str() {
                "passphrase" => {}
                "expiration" => map.serialize_entry(key, &self.expiration)?,
                _ => map.serialize_entry(key, value)?,
            }
        }
        let lacks = |wanted: &str| !self.entries.iter().any(|(key, _)| key == wanted);
        if lacks("name") {
            map.serialize_entry("name", &())?;
        }
        if lacks("expiration") {
            map.serialize_entry("expiration", &self.expiration)?;
        }
        map.end()
    }
}

/// Here, and only here, times always have six digits of fraction.
fn with_fraction(at: Timestamp) -> String {
    let mut text = at.to_string();
    if !text.contains('.') {
        text.push_str(".000000");
    }
    text
}

/// `{"a": 1, "b": "\u00fc"}`: a blank after commas and colons, ASCII alone.
struct PythonFormatter;

impl PythonFormatter {
    fn separate<W: io::Write + ?Sized>(writer: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }
}

impl Formatter for PythonFormatter {
    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for character in fragment.chars() {
            if character.is_ascii() {
                writer.write_all(&[u8::try_from(character).unwrap_or(b'?')])?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn check(body: &str, expiration: Option<Timestamp>, expected: &str) {
        let json = Json::parse(body.as_bytes()).unwrap();
        let fields = Schema::SecretInOrder.object(&json).unwrap();
        assert_eq!(shown(fields, expiration).unwrap(), expected);
        let again = serde_json::to_value(parsed(expected)).unwrap();
        assert_eq!(
            again,
            serde_json::from_str::<serde_json::Value>(expected).unwrap()
        );
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        check("{}", None, r#"{"name": null, "expiration": null}"#);
        check(
            r#"{"expiration":"x","bit_length":256,"name":" n "}"#,
            Some(Timestamp::from_micros(5)),
            r#"{"expiration": "1970-01-01T00:00:00.000005", "bit_length": 256, "name": "n"}"#,
        );
        check(
            "{\"name\":null}",
            Some(Timestamp::from_micros(0)),
            r#"{"name": null, "expiration": "1970-01-01T00:00:00.000000"}"#,
        );
    }

    #[test]
    fn the_passphrase_is_left_out() {
        check(
            r#"{"passphrase":"hush","name":null,"expiration":""}"#,
            None,
            r#"{"name": null, "expiration": null}"#,
        );
    }

    #[test]
    fn texts_as_python_writes_them() {
        check(
            r#"{"name":"ü \"\\ \u0001\n🔑","expiration":null,"x":[1,{"y":true}],"f":256.0}"#,
            None,
            r#"{"name": "\u00fc \"\\ \u0001\n\ud83d\udd11", "expiration": null, "x": [1, {"y": true}], "f": 256.0}"#,
        );
    }
}
