//! Query strings: decoding as an HTML form does it, and the forms in which
//! Barbican takes numbers, dates, sort keys and flags.

use std::borrow::Cow;

use donjon_domain::{Comparison, Direction, SecretSortKey, TimeBound, Timestamp};

use crate::problem::Problem;

/// The parameters of a request, decoded, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query {
    parameters: Vec<(String, String)>,
}

impl Query {
    /// Reads a raw query string. Bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn parse(raw: &str) -> Self {
        let parameters = raw.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (
                decode_plus(key).into_owned(),
                decode_plus(value).into_owned(),
            )
        });
        Self {
            parameters: parameters.collect(),
        }
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn get(&self, key: &str) -> Result<Option<&str>, Problem> {
        let mut values = self
            .parameters
            .iter()
            .filter(|(own, _)| own == key)
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Problem::invalid_query()),
        }
    }

    /// The parameters but `limit` and `offset`, encoded again, each with `&`
    /// in front.
    pub(crate) fn to_link_tail(&self) -> String {
        let others = self
            .parameters
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "limit" | "offset" | "marker"));
        others.fold(String::new(), |mut tail, (key, value)| {
            tail.push('&');
            encode_plus(key, &mut tail);
            tail.push('=');
            encode_plus(value, &mut tail);
            tail
        })
    }
}

/// Decodes `%XX`; anything else stays, also a broken escape.
pub(crate) fn decode_percent(text: &str) -> Cow<'_, str> {
    decode(text, false)
}

/// Decodes `%XX` and `+`.
pub(crate) fn decode_plus(text: &str) -> Cow<'_, str> {
    decode(text, true)
}

fn decode(text: &str, plus: bool) -> Cow<'_, str> {
    if !text
        .bytes()
        .any(|byte| byte == b'%' || (plus && byte == b'+'))
    {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) if plus => out.push(b' '),
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = tail;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn encode_plus(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// Reads an integer as Python's `int` does: blanks around it, a sign, single
/// underscores between digits. Values beyond 64 bits come back as the nearest
/// that fits.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let well_formed = digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    let magnitude = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |value, digit| {
            value
                .saturating_mul(10)
                .saturating_add(i64::from(digit - b'0'))
        });
    Some(if negative { -magnitude } else { magnitude })
}

/// Reads `gt:T,lte:T` and the like. An empty value bounds nothing.
pub(crate) fn parse_time_bounds(text: &str) -> Result<Vec<TimeBound>, Problem> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let bounds = text
        .split(',')
        .map(parse_time_bound)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(Problem::invalid_query)?;
    let count = |wanted: &[Comparison]| {
        bounds
            .iter()
            .filter(|bound| wanted.contains(&bound.comparison))
            .count()
    };
    let lower = count(&[Comparison::Greater, Comparison::GreaterOrEqual]);
    let upper = count(&[Comparison::Less, Comparison::LessOrEqual]);
    let equal = count(&[Comparison::Equal]);
    let inclusive = count(&[Comparison::GreaterOrEqual, Comparison::LessOrEqual]);
    let contradicting = lower > 1 || upper > 1 || equal > 1 || (equal > 0 && inclusive > 0);
    if contradicting {
        Err(Problem::invalid_query())
    } else {
        Ok(bounds)
    }
}

fn parse_time_bound(term: &str) -> Option<TimeBound> {
    let (comparison, at) = match term.split_once(':') {
        Some(("gt", at)) => (Comparison::Greater, at),
        Some(("gte", at)) => (Comparison::GreaterOrEqual, at),
        Some(("lt", at)) => (Comparison::Less, at),
        Some(("lte", at)) => (Comparison::LessOrEqual, at),
        _ => (Comparison::Equal, term),
    };
    Some(TimeBound {
        comparison,
        at: Timestamp::parse_iso8601(at).ok()?,
    })
}

/// Reads `name,created:desc` and the like. An empty value sorts by nothing.
pub(crate) fn parse_sort(text: &str) -> Result<Vec<(SecretSortKey, Direction)>, Problem> {
    let mut sort: Vec<(SecretSortKey, Direction)> = Vec::new();
    if text.is_empty() {
        return Ok(sort);
    }
    for term in text.split(',') {
        let (key, direction) = parse_sort_term(term).ok_or_else(Problem::invalid_query)?;
        if sort.iter().any(|(other, _)| *other == key) {
            return Err(Problem::invalid_query());
        }
        sort.push((key, direction));
    }
    Ok(sort)
}

fn parse_sort_term(term: &str) -> Option<(SecretSortKey, Direction)> {
    let (key, direction) = term.split_once(':').unwrap_or((term, "asc"));
    let key = match key {
        "algorithm" => SecretSortKey::Algorithm,
        "bit_length" => SecretSortKey::BitLength,
        "created" => SecretSortKey::Created,
        "expiration" => SecretSortKey::Expiration,
        "mode" => SecretSortKey::Mode,
        "name" => SecretSortKey::Name,
        "secret_type" => SecretSortKey::SecretType,
        "status" => SecretSortKey::Status,
        "updated" => SecretSortKey::Updated,
        _ => return None,
    };
    match direction {
        "asc" => Some((key, Direction::Ascending)),
        "desc" => Some((key, Direction::Descending)),
        _ => None,
    }
}

/// Reads a flag strictly, without regard to case.
pub(crate) fn parse_bool(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Ok(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Ok(false),
        _ => Err(Problem::invalid_query()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_python_reads_them() {
        for (text, expected) in [
            (" 1 ", Some(1)),
            ("+7", Some(7)),
            ("-5", Some(-5)),
            ("0128", Some(128)),
            ("1_0", Some(10)),
            ("99999999999999999999", Some(i64::MAX)),
            ("", None),
            ("abc", None),
            ("1.5", None),
            ("1e1", None),
            ("_1", None),
            ("--1", None),
        ] {
            assert_eq!(parse_int(text), expected, "{text:?}");
        }
    }

    #[test]
    fn links_encode_again() {
        let query =
            Query::parse("offset=1&alg=a%20b&limit=1&foo=bar&baz=&sort=name:desc&%26=%C3%BC");
        assert_eq!(
            query.to_link_tail(),
            "&alg=a+b&foo=bar&baz=&sort=name%3Adesc&%26=%C3%BC"
        );
        assert_eq!(query.get("alg"), Ok(Some("a b")));
        assert!(Query::parse("a=1&a=2").get("a").is_err());
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(decode_percent("%zz%4"), "%zz%4");
        assert_eq!(decode_percent("a+b%20%2B"), "a+b +");
        assert_eq!(decode_plus("a+b%ff"), "a b\u{fffd}");
    }

    #[test]
    fn bounds_on_times() {
        for text in [
            "gt:2020-01-01,lt:2021-01-01",
            "2020-01-01T00:00:00",
            "gt:2020,2021",
            "",
        ] {
            assert!(parse_time_bounds(text).is_ok(), "{text}");
        }
        for text in [
            "bogus",
            "gt:",
            "eq:2091",
            "gt:2020,gte:2021",
            "lt:2020,lte:2021",
            "2020,gte:2021",
            "2020,2021",
            ",",
        ] {
            assert!(parse_time_bounds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sort_keys() {
        assert_eq!(
            parse_sort("name,created:desc").unwrap(),
            [
                (SecretSortKey::Name, Direction::Ascending),
                (SecretSortKey::Created, Direction::Descending)
            ]
        );
        for text in [
            "id",
            "Name",
            "name:up",
            "name:ASC",
            "name,name",
            "name:asc:desc",
            ",",
            "name,",
            ":asc",
        ] {
            assert!(parse_sort(text).is_err(), "{text}");
        }
    }
}
