//! Spans of time as people write them on a command line.

use anyhow::{Context, Result};

/// Reads a number and a unit (`s`, `m`, `h`, `d` or `w`) as seconds.
///
/// # Errors
/// A text for the operator.
pub(crate) fn parse_seconds(text: &str) -> Result<i64> {
    let parse = || {
        let (count, seconds) = UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))?;
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count: i64 = is_number.then(|| count.parse().ok())??;
        count.checked_mul(seconds)
    };
    parse().with_context(|| {
        format!("{text:?} has to be a number and one of s, m, h, d, w, such as 30d or 12h")
    })
}

const UNITS: &[(&str, i64)] = &[
    ("s", 1),
    ("m", 60),
    ("h", 3_600),
    ("d", 86_400),
    ("w", 604_800),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check = |text, seconds| assert_eq!(parse_seconds(text).ok(), seconds, "{text}");
        check("1s", Some(1));
        check("5m", Some(300));
        check("12h", Some(43_200));
        check("30d", Some(2_592_000));
        check("2w", Some(1_209_600));
        for text in [
            "",
            "d",
            "30",
            "30 d",
            "-1d",
            "+1d",
            "1.5h",
            "1y",
            "1D",
            "9223372036854775807w",
        ] {
            check(text, None);
        }
    }
}
