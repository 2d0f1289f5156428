use proptest::prelude::*;

use super::{NESTING_MAX, ParseErrorKind};
use crate::check::Check;

#[test]
fn operators_bind_as_in_oslo_policy() {
    let cases = [
        ("", "@"),
        ("@", "@"),
        ("!", "!"),
        ("(((a:b)))", "a:b"),
        ("a:1 or b:2 and c:3", "(a:1 or (b:2 and c:3))"),
        ("a:1 and b:2 or c:3", "((a:1 and b:2) or c:3)"),
        (
            "a:1 and b:2 or c:3 and d:4",
            "((a:1 and b:2) or (c:3 and d:4))",
        ),
        (
            "a:1 or b:2 and c:3 or d:4 and e:5 and f:6",
            "(a:1 or (b:2 and c:3) or (d:4 and e:5 and f:6))",
        ),
        ("(a:1 or b:2) and c:3", "((a:1 or b:2) and c:3)"),
        ("a:1 and (b:2 and c:3)", "(a:1 and (b:2 and c:3))"),
        ("(a:1 and b:2) and c:3", "((a:1 and b:2) and c:3)"),
        // Its parser takes these parentheses away, which changes nothing.
        (
            "a:1 or (b:2 and c:3) and d:4 and e:5",
            "(a:1 or (b:2 and c:3 and d:4 and e:5))",
        ),
        (
            "a:1 or (b:2 or c:3) and d:4",
            "(a:1 or ((b:2 or c:3) and d:4))",
        ),
        ("not a:1 or b:2", "(not a:1 or b:2)"),
        ("not a:1 and b:2", "(not a:1 and b:2)"),
        ("not (a:1 or b:2)", "not (a:1 or b:2)"),
        (
            "a:1 or not not b:2 and c:3",
            "(a:1 or (not not b:2 and c:3))",
        ),
        ("NOT a:1 Or b:2", "(not a:1 or b:2)"),
        ("rule:a and @", "(rule:a and @)"),
        ("rule: or role:x:y", "(rule: or role:x:y)"),
        (
            "'read':%(target.secret.read)s",
            "'read':%(target.secret.read)s",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Check::parse(text).unwrap().to_string(), expected, "{text}");
        let lenient = Check::parse_lenient(text);
        assert_eq!(lenient.check.to_string(), expected, "{text}");
        assert_eq!(lenient.problems, [], "{text}");
    }
}

#[test]
fn errors_say_what_and_where() {
    let cases = [
        (
            " ",
            2,
            "white space alone is no rule; `@` and the empty text allow always, `!` denies",
        ),
        ("a:1 or", 7, "expected a check, found the end"),
        ("a:1 or and b:2", 8, "expected a check, found `and`"),
        ("or a:1", 1, "expected a check, found `or`"),
        ("()", 2, "expected a check, found `)`"),
        ("a:1 b:2", 5, "expected `and` or `or`, found \"b:2\""),
        ("a:1)", 4, "expected `and` or `or`, found `)`"),
        ("a:1 and (b:2 or c:3", 9, "`(` is not closed"),
        ("(a:1 b:2)", 6, "expected `and` or `or`, found \"b:2\""),
        ("a:1 not b:2", 5, "expected `and` or `or`, found `not`"),
        ("'a:1'", 1, "'a:1' is a quoted text and no check"),
        (
            "@ or everybody",
            6,
            "\"everybody\" is no check: it has no colon",
        ),
        (
            "http://localhost/x",
            1,
            "\"http://localhost/x\" would ask another server, which is not supported",
        ),
        (
            "not https:x",
            5,
            "\"https:x\" would ask another server, which is not supported",
        ),
        (
            "a-b:1",
            1,
            "\"a-b\" on the left side is neither a literal ('text', 12, True, None) nor a name",
        ),
        (
            "a:%d",
            1,
            "\"%d\" on the right side uses `%` in another way than `%(name)s` or `%%`",
        ),
        (
            "a:% or 1a:x or",
            1,
            "\"%\" on the right side uses `%` in another way than `%(name)s` or `%%`",
        ),
    ];
    for (text, column, message) in cases {
        let error = Check::parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{message} (column {column})"),
            "{text}"
        );
        let lenient = Check::parse_lenient(text);
        assert!(lenient.problems.contains(&error), "{text}");
    }
}

#[test]
fn lenient_rules_deny_what_they_do_not_understand() {
    let cases = [
        (" ", "!"),
        ("a:1 or", "!"),
        ("a:1 b:2", "!"),
        ("nonsense", "!"),
        ("a:1 or nonsense", "(a:1 or !)"),
        ("not http:x", "not !"),
        ("'a:1' or b:2", "!"),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Check::parse_lenient(text).check.to_string(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn lists_are_or_over_and() {
    let cases: [(&[&[&str]], &str); 6] = [
        (&[], "@"),
        (&[&[]], "!"),
        (&[&[], &["a:1"]], "a:1"),
        (&[&["a:1", "b:2"], &["c:3"]], "((a:1 and b:2) or c:3)"),
        (&[&["@"], &["!"]], "(@ or !)"),
        // One check, whatever is in it.
        (&[&["role:a or role:b"]], "role:a or role:b"),
    ];
    for (lists, expected) in cases {
        let lists: Vec<_> = lists.iter().map(|list| list.to_vec()).collect();
        assert_eq!(Check::parse_lists(&lists).unwrap().to_string(), expected);
    }
    let bad = [vec!["a:1"], vec!["", "b:2"]];
    let error = Check::parse_lists(&bad).unwrap_err();
    assert_eq!(*error.kind(), ParseErrorKind::NoColon(String::new()));
    assert_eq!(
        Check::parse_lists_lenient(&bad).check.to_string(),
        "(a:1 or (! and b:2))"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels| format!("{}a:b{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Check::parse(&nested(NESTING_MAX)).is_ok());
    let error = Check::parse(&nested(NESTING_MAX + 1)).unwrap_err();
    assert_eq!(*error.kind(), ParseErrorKind::TooDeep);
    assert!(error.is_unsupported());
    let error = Check::parse(&"not ".repeat(100_000)).unwrap_err();
    assert_eq!(*error.kind(), ParseErrorKind::TooDeep);
}

proptest! {
    #[test]
    fn any_text_is_a_rule_or_an_error(text in "([a-z:'\"%()!@ ]|and |or |not |%\\(a\\)s|\\PC){0,40}") {
        let lenient = Check::parse_lenient(&text);
        match Check::parse(&text) {
            Ok(check) => prop_assert_eq!(lenient.check, check),
            Err(error) => {
                prop_assert!(error.column() <= text.chars().count() + 1);
                prop_assert!(lenient.problems.contains(&error));
            }
        }
    }

    /// What is printed means the same: a parsed rule survives printing and parsing, up to parentheses.
    #[test]
    fn printed_rules_parse_to_themselves(text in "(\\(?(not )?[a-c]:[1-3]\\)? (and|or) ){0,6}not d:4") {
        if let Ok(check) = Check::parse(&text) {
            let printed = check.to_string();
            let again = Check::parse(&printed).unwrap();
            prop_assert_eq!(again.to_string(), printed);
        }
    }
}
