//! Reads the files of oslo.config: sections, `key = value`, values that go on
//! in indented lines, keys that come again, and `$key` for another value.
//!
//! # Source
//! oslo.config 10, `iniparser.py` and `ConfigOpts._substitute`.

use std::fmt;

use zeroize::Zeroizing;

/// A key with its value.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// In small letters, but for `DEFAULT`.
    pub(super) section: String,
    /// With `_` where a `-` may stand.
    pub(super) name: String,
    /// Without the quotes around it; lines are joined by line ends.
    pub(super) value: Zeroizing<String>,
    /// Where it begins, counted from 1.
    pub(super) line: usize,
}

/// A line that no such file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// A value has a `$name` that stands for nothing. It does not say which: it may
/// be a part of a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfilled;

/// The keys in the order in which they stand; of one that comes again all.
///
/// # Errors
/// The first line that makes no sense. Never shows it: it may hold a password.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Malformed> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = None;
    // Whether an indented line belongs to the last entry.
    let mut goes_on = false;
    for (line, text) in (1..).zip(text.lines()) {
        let malformed = |what| Err(Malformed { line, what });
        let text = text.trim_end();
        if text.is_empty() {
            goes_on = false;
        } else if text.starts_with([' ', '\t']) {
            match entries.last_mut() {
                Some(entry) if goes_on => append(&mut entry.value, text.trim_start()),
                _ => return malformed("indented, but no value goes on here"),
            }
        } else if let Some(rest) = text.strip_prefix('[') {
            goes_on = false;
            match rest.strip_suffix(']') {
                Some(name) if !name.is_empty() => section = Some(section_name(name)),
                _ => return malformed("a section has to look like [name]"),
            }
        } else if text.starts_with(['#', ';']) {
            goes_on = false;
        } else {
            let Some((name, value)) = text.split_once(['=', ':']) else {
                return malformed("neither a section nor a key with a value");
            };
            let Some(section) = &section else {
                return malformed("a key before the first section");
            };
            if name.trim().is_empty() {
                return malformed("a value without a key");
            }
            entries.push(Entry {
                section: section.clone(),
                name: name.trim().replace('-', "_"),
                value: Zeroizing::new(unquoted(value.trim()).to_owned()),
                line,
            });
            goes_on = true;
        }
    }
    Ok(entries)
}

fn section_name(name: &str) -> String {
    match name {
        "DEFAULT" => name.to_owned(),
        name => name.to_lowercase(),
    }
}

/// Grows a value without leaving a copy behind.
fn append(value: &mut Zeroizing<String>, line: &str) {
    let mut longer = Zeroizing::new(String::with_capacity(value.len() + line.len() + 1));
    longer.push_str(value);
    longer.push('\n');
    longer.push_str(line);
    *value = longer;
}

/// Without a pair of quotes around it.
pub(super) fn unquoted(value: &str) -> &str {
    let pair = ['"', '\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?;
        inner.strip_suffix(quote)
    });
    pair.unwrap_or(value)
}

/// The parts of a list.
pub(super) fn list(value: &str) -> Vec<String> {
    let items = value.split(',').map(|item| unquoted(item.trim()));
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Puts values in for `$key`, `${key}` and `$section.key`: of the same
/// section, else of `DEFAULT`. `$$` and `\$` stand for `$`.
///
/// # Errors
/// A name that nothing in the file has, or that goes in circles.
pub(super) fn filled(entry: &Entry, entries: &[Entry]) -> Result<Zeroizing<String>, Unfilled> {
    fill(&entry.value, &entry.section, entries, DEPTH_MAX)
}

fn fill(
    value: &str,
    section: &str,
    entries: &[Entry],
    depth: u8,
) -> Result<Zeroizing<String>, Unfilled> {
    let mut filled = Zeroizing::new(String::with_capacity(FILLED_BYTES));
    let mut rest = value;
    while let Some(at) = rest.find(['$', '\\']) {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        if let Some(after) = from.strip_prefix("$$").or(from.strip_prefix("\\$")) {
            filled.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(from) {
            let found = look_up(name, section, entries);
            let (Some(found), Some(depth)) = (found, depth.checked_sub(1)) else {
                return Err(Unfilled);
            };
            filled.push_str(&fill(&found.value, &found.section, entries, depth)?);
            rest = after;
        } else {
            // Both are one byte.
            let (sign, after) = from.split_at(1);
            filled.push_str(sign);
            rest = after;
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The name behind a `$`, and what comes after it.
fn reference(from: &str) -> Option<(&str, &str)> {
    let rest = from.strip_prefix('$')?;
    let is_braced = rest.starts_with('{');
    let inner = rest.strip_prefix('{').unwrap_or(rest);
    if !inner.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
        return None;
    }
    let is_inside = |c: char| matches!(c, '_' | '.') || c.is_ascii_alphanumeric();
    let end = inner.find(|c| !is_inside(c)).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    match is_braced {
        true => Some((name, after.strip_prefix('}')?)),
        false => Some((name, after)),
    }
}

fn look_up<'a>(name: &str, section: &str, entries: &'a [Entry]) -> Option<&'a Entry> {
    let find = |section: &str, name: &str| {
        let is_it = |entry: &&Entry| entry.section == section && entry.name == name;
        entries.iter().rev().find(is_it)
    };
    let elsewhere = || {
        find(
            &section_name(name.split_once('.')?.0),
            name.split_once('.')?.1,
        )
    };
    find(section, name)
        .or_else(|| find("DEFAULT", name))
        .or_else(elsewhere)
}

/// Never shows the value.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: [{}] {}", self.line, self.section, self.name)
    }
}

/// How often a value may stand for a value that stands for a value.
const DEPTH_MAX: u8 = 8;
/// Larger than passwords are, so that no copy is left behind.
const FILLED_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let entries = parse(text).unwrap();
        let pair = |entry: &Entry| {
            let name = format!("{}.{}", entry.section, entry.name);
            let value = filled(entry, &entries).unwrap_or_else(|Unfilled| "?".to_owned().into());
            (name, value.to_string(), entry.line)
        };
        entries.iter().map(pair).collect()
    }

    fn value(text: &str) -> String {
        pairs(text).pop().unwrap().1
    }

    #[test]
    fn sections_keys_and_comments() {
        let text =
            "# c\n[DEFAULT]\na=1\n;c\nb-c : x=y\n\n[Oslo_Policy]\n  \nfile = 'p q'\nempty =\n";
        let expected = [
            ("DEFAULT.a", "1", 3),
            ("DEFAULT.b_c", "x=y", 5),
            ("oslo_policy.file", "p q", 9),
            ("oslo_policy.empty", "", 10),
        ];
        let expected = expected.map(|(name, value, line)| (name.into(), value.into(), line));
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn values_go_on_and_keys_come_again() {
        let text = "[a]\nk = 1,\n    2,\n\t3\nk = 4\n";
        let values: Vec<String> = pairs(text).into_iter().map(|(_, value, _)| value).collect();
        assert_eq!(values, ["1,\n2,\n3", "4"]);
        assert_eq!(list(&values[0]), ["1", "2", "3"]);
        assert_eq!(list(" a , 'b' ,, "), ["a", "b"]);
    }

    #[test]
    fn what_makes_no_sense_is_an_error_with_its_line() {
        for (text, line) in [
            ("a = 1", 1),
            ("[a]\n  b = 1", 2),
            ("[a]\nb = 1\n\n  c", 4),
            ("[a]\nb = 1\n# c\n  d", 4),
            ("[a", 1),
            ("[]", 1),
            ("[a]\nhunter2", 2),
            ("[a]\n= 1", 2),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn names_stand_for_values() {
        let host = "[DEFAULT]\nhost = h\n[b]\nport = 1\n[a]\nx = ";
        for (text, expected) in [
            ("http://$host:80", "http://h:80"),
            ("${host}name", "hname"),
            ("$b.port", "1"),
            ("$$host \\$host $ 5$ \\n", "$host $host $ 5$ \\n"),
            ("$missing", "?"),
            ("a$", "a$"),
            ("${host", "${host"),
        ] {
            assert_eq!(value(&format!("{host}{text}\n")), expected, "{text}");
        }
        assert_eq!(value("[DEFAULT]\na = $b\nb = $a\n"), "?");
        // The own section before DEFAULT, and the last of several.
        assert_eq!(value("[DEFAULT]\nh = 1\n[a]\nh = 2\nh = 3\nx = $h\n"), "3");
    }

    #[test]
    fn values_are_not_shown() {
        let entries = parse("[a]\npassword = hunter2\n").unwrap();
        assert_eq!(format!("{entries:?}"), "[2: [a] password]");
    }
}
