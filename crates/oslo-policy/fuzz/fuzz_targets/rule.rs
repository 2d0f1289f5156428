//! Any text is a rule or an error, and a rule is checked without a panic.

#![no_main]

use donjon_oslo_policy::{Check, Rules, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lenient = Check::parse_lenient(text);
    let check = match Check::parse(text) {
        Ok(check) => {
            assert_eq!(check, lenient.check);
            assert!(lenient.problems.is_empty());
            check
        }
        Err(error) => {
            assert!(error.column() <= text.chars().count() + 1);
            assert!(lenient.problems.contains(&error));
            lenient.check
        }
    };
    let Ok(rules) = Rules::from_checks([("rule", check)]) else {
        return;
    };
    let user = [("id", Value::Int(1)), ("name", Value::Str("n"))];
    let creds = [
        ("roles", Value::List(&["a", "member"])),
        ("user", Value::Group(&user)),
        ("user_id", Value::Str("u")),
        ("a", Value::Bool(true)),
    ];
    let target = [
        ("a", Value::Bool(true)),
        ("b", Value::List(&["x"])),
        ("", Value::None),
    ];
    let decision = rules.check("rule", &creds, &target);
    let explained = rules.explain("rule", &creds, &target);
    assert_eq!(decision, explained.decision);
    assert!(!explained.to_string().is_empty());
});
