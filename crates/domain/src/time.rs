//! Points in time, in microseconds, and the two ways in which the API writes
//! them: leniently in, strictly naive UTC out.

use std::fmt;

use jiff::{SignedDuration, civil};

/// A point in time: microseconds since 1970-01-01T00:00:00 UTC.
///
/// Shown as `2026-01-02T03:04:05`, with six digits of fraction where there is
/// one, always in UTC and without a zone, for the clients' parsers refuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no date of a form that is accepted, or beyond years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 date between the years 1 and 9999")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// Wraps microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time this many seconds later (earlier where negative).
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Reads an ISO 8601 date in one of the forms that Barbican takes:
    /// `YYYY`, `YYYY-M[M]`, `YYYY-M[M]-D[D]`, `YYYYMMDD`, then optionally `T`
    /// or a blank and `hh[[:]mm][[:]s[s][(.|,)fraction]]`, then optionally `Z`
    /// or `(+|-)hh[[:]mm]`. Without a zone it is UTC. Digits of the fraction
    /// beyond the sixth are dropped. `t` and `z` are refused.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] for other forms and for dates that do not exist.
    ///
    /// # Source
    /// The recorded exchanges of the group `secrets-create`.
    pub fn parse_iso8601(text: &str) -> Result<Self, InvalidTimestamp> {
        let mut rest = Rest(text.as_bytes());
        let parts = Parts::read(&mut rest)
            .filter(|_| rest.0.is_empty())
            .ok_or(InvalidTimestamp)?;
        parts.to_timestamp().ok_or(InvalidTimestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By the calendar alone: jiff's instants end a day before year 9999 does.
        let at = EPOCH.saturating_add(SignedDuration::from_micros(self.0));
        let (date, time) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )?;
        match time.subsec_nanosecond() / 1_000 {
            0 => Ok(()),
            micros => write!(f, ".{micros:06}"),
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn eat(&mut self, accepted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        accepted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Reads `min` to `max` digits, as many as there are.
    fn digits(&mut self, min: usize, max: usize) -> Option<i64> {
        let count = self
            .0
            .iter()
            .take(max)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count < min {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(
            digits
                .iter()
                .fold(0, |value, digit| value * 10 + i64::from(digit - b'0')),
        )
    }

    /// Runs `read`, and takes back what it read where it fails.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.0;
        let value = read(self);
        if value.is_none() {
            self.0 = before;
        }
        value
    }
}

#[derive(Default)]
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    offset_seconds: i64,
}

impl Parts {
    fn read(rest: &mut Rest<'_>) -> Option<Self> {
        let mut parts = Self {
            year: rest.digits(4, 4)?,
            month: 1,
            day: 1,
            ..Self::default()
        };
        if rest.0.is_empty() {
            return Some(parts);
        }
        let dashed_month = rest.eat(b"-").is_some();
        parts.month = if dashed_month {
            rest.digits(1, 2)?
        } else {
            rest.digits(2, 2)?
        };
        if rest.0.is_empty() {
            return dashed_month.then_some(parts);
        }
        parts.day = if rest.eat(b"-").is_some() {
            rest.digits(1, 2)?
        } else {
            rest.digits(2, 2)?
        };
        if rest.0.is_empty() {
            return Some(parts);
        }
        rest.eat(b"T ")?;
        parts.read_time(rest)?;
        parts.read_zone(rest)?;
        Some(parts)
    }

    fn read_time(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        self.hour = rest.digits(2, 2)?;
        let minute = rest.attempt(|rest| {
            rest.eat(b":");
            rest.digits(2, 2)
        });
        self.minute = minute.unwrap_or(0);
        let second = rest.attempt(|rest| {
            rest.eat(b":");
            rest.digits(1, 2)
        });
        self.second = second.unwrap_or(0);
        if second.is_some() && rest.eat(b".,").is_some() {
            let before = rest.0.len();
            let shown = rest.digits(1, 6)?;
            let shown_digits = u32::try_from(before - rest.0.len()).ok()?;
            self.micros = shown * 10_i64.pow(6 - shown_digits);
            while rest.digits(1, 1).is_some() {}
        }
        Some(())
    }

    fn read_zone(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        if rest.0.is_empty() || rest.eat(b"Z").is_some() {
            return Some(());
        }
        let sign = if rest.eat(b"+-")? == b'-' { -1 } else { 1 };
        let hours = rest.digits(2, 2)?;
        rest.eat(b":");
        let minutes = if rest.0.is_empty() {
            0
        } else {
            rest.digits(2, 2)?
        };
        self.offset_seconds = sign * (hours * 3_600 + minutes * 60);
        // Python's zones are less than a day away from UTC.
        (self.offset_seconds.abs() < 86_400).then_some(())
    }

    fn to_timestamp(&self) -> Option<Timestamp> {
        let date = civil::Date::new(
            i16::try_from(self.year).ok()?,
            i8::try_from(self.month).ok()?,
            i8::try_from(self.day).ok()?,
        );
        let time = civil::Time::new(
            i8::try_from(self.hour).ok()?,
            i8::try_from(self.minute).ok()?,
            i8::try_from(self.second).ok()?,
            0,
        );
        let since_epoch = date
            .ok()?
            .to_datetime(time.ok()?)
            .duration_since(EPOCH)
            .as_secs();
        let seconds = since_epoch - self.offset_seconds;
        let utc = Timestamp(self.micros).plus_seconds(seconds);
        (YEAR_1..YEAR_10000).contains(&utc.0).then_some(utc)
    }
}

const EPOCH: civil::DateTime = civil::datetime(1970, 1, 1, 0, 0, 0, 0);

/// 0001-01-01T00:00:00 and 10000-01-01T00:00:00, which no answer can show.
const YEAR_1: i64 = -62_135_596_800_000_000;
const YEAR_10000: i64 = 253_402_300_800_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let shown = Timestamp::parse_iso8601(text).ok().map(|at| at.to_string());
        assert_eq!(shown.as_deref(), expected, "{text}");
    }

    #[test]
    fn forms_that_are_taken() {
        check("2099", Some("2099-01-01T00:00:00"));
        check("2099-03", Some("2099-03-01T00:00:00"));
        check("2099-1-2", Some("2099-01-02T00:00:00"));
        check("20990102", Some("2099-01-02T00:00:00"));
        check("20990102T030405Z", Some("2099-01-02T03:04:05"));
        check("2099-01-02T03", Some("2099-01-02T03:00:00"));
        check("2099-01-02 03:04", Some("2099-01-02T03:04:00"));
        check("2099-01-02T03:04:05,25", Some("2099-01-02T03:04:05.250000"));
        check(
            "2099-01-02T03:04:05.1234569",
            Some("2099-01-02T03:04:05.123456"),
        );
        check("2099-01-02T03:04:05-05:30", Some("2099-01-02T08:34:05"));
        check("2099-01-02T03:04:05+0200", Some("2099-01-02T01:04:05"));
        check("2099-01-02T03:04:05+02", Some("2099-01-02T01:04:05"));
        check("2000-02-29T00:00:00Z", Some("2000-02-29T00:00:00"));
    }

    #[test]
    fn time_ends_with_the_year_9999() {
        for text in ["9999-12-30T22:00:01", "9999-12-31T23:59:59"] {
            check(text, Some(text));
        }
        check(
            "9999-12-31T23:59:59.999999Z",
            Some("9999-12-31T23:59:59.999999"),
        );
        check("9999-12-31T23:59:59+12:00", Some("9999-12-31T11:59:59"));
        check("0001-01-01T00:00:00", Some("0001-01-01T00:00:00"));
        check("9999-12-31T23:59:59-00:01", None);
        check("0001-01-01T00:00:00+00:01", None);
    }

    #[test]
    fn forms_that_are_refused() {
        for text in [
            "",
            "x",
            "209",
            "209901",
            "2099-",
            "2099-01-",
            "2099-01-02T",
            "2099-01-02t03:04:05",
            "2099-01-02T03:04:05z",
            "2099-01-02T3:04:05",
            "2099-01-02T03:04:60Z",
            "2099-01-02T24:00:00",
            "2099-01-02T03:04:05 Z",
            "2099-W01-1",
            "2099-001",
            "2099-02-29T00:00:00Z",
            "2099-13-01",
            "2099-01-32",
            "4102444800",
            "2099-01-02T03:04:05X",
            "2099-01-02T03:04:05.",
            "2099-01-02T03:04:05+",
            "2099-01-02T03:04:05+2",
            "2099-01-02T03:04:05+25:00",
            "0000-01-01",
            "9999-12-31T23:59:59-12:00",
            "2099-01-02T03:04:05+02:0",
            "２０９９",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(micros in YEAR_1..YEAR_10000) {
            let at = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse_iso8601(&at.to_string()), Ok(at));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = Timestamp::parse_iso8601(&text).is_ok();
        }
    }
}
