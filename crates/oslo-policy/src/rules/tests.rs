use super::{Decision, Denial, LoadError, Notice, Origin, Rules};
use crate::check::Check;
use crate::defaults::{DefaultSet, RuleDefault};
use crate::file::PolicyFile;
use crate::scope::{Scope, Scopes};
use crate::value::Value;

fn set(table: &str) -> Result<Rules, LoadError> {
    Rules::from_defaults(&RuleDefault::table(table).unwrap(), DefaultSet::New)
}

fn check(rules: &Rules, rule: &str, roles: &[&str]) -> Decision {
    let roles = roles.to_vec();
    rules.check(rule, &[("roles", Value::List(&roles))], &[])
}

const DENIED: Decision = Decision::Denied(Denial::Rule);

#[test]
fn rules_follow_references() {
    let rules = set("admin | role:admin | - | -\nget | rule:admin or role:reader | - | -\nput | not rule:get | - | -").unwrap();
    assert_eq!(check(&rules, "get", &["Reader"]), Decision::Allowed);
    assert_eq!(check(&rules, "get", &["admin"]), Decision::Allowed);
    assert_eq!(check(&rules, "get", &[]), DENIED);
    assert_eq!(check(&rules, "put", &[]), Decision::Allowed);
    assert_eq!(
        check(&rules, "delete", &["admin"]),
        Decision::Denied(Denial::UnknownRule)
    );
}

#[test]
fn legacy_defaults_also_suffice() {
    let table =
        RuleDefault::table("get | role:new | role:old | -\nsame | role:a | role:a | -").unwrap();
    let new = Rules::from_defaults(&table, DefaultSet::New).unwrap();
    let both = Rules::from_defaults(&table, DefaultSet::NewOrLegacy).unwrap();
    assert_eq!(check(&new, "get", &["old"]), DENIED);
    assert_eq!(check(&both, "get", &["old"]), Decision::Allowed);
    assert_eq!(check(&both, "get", &["new"]), Decision::Allowed);
    assert_eq!(both.rule("same").unwrap().to_string(), "role:a");
    let file = PolicyFile::parse("get: role:mine").unwrap();
    let mine = both.with_overrides(&file).unwrap();
    assert_eq!(check(&mine, "get", &["old", "new"]), DENIED);
    assert_eq!(check(&mine, "get", &["mine"]), Decision::Allowed);
}

#[test]
fn files_replace_rules_and_keep_scopes() {
    let rules = set("admin | role:admin | - | -\nget | rule:admin | - | project").unwrap();
    let file = PolicyFile::parse("admin: rule:boss\nboss: role:boss\nput: rule:lost").unwrap();
    let mine = rules.with_overrides(&file).unwrap();
    assert_eq!(check(&mine, "get", &["boss"]), Decision::Allowed);
    assert_eq!(check(&mine, "put", &["boss"]), DENIED);
    assert_eq!(check(&rules, "get", &["boss"]), DENIED);
    let system = [
        ("roles", Value::List(&["boss"])),
        ("system_scope", "all".into()),
    ];
    assert_eq!(
        mine.check("get", &system, &[]),
        Decision::Denied(Denial::Scope)
    );
    assert_eq!(mine.check("boss", &system, &[]), Decision::Allowed);
    let names: Vec<_> = mine
        .iter()
        .map(|rule| (rule.name(), rule.origin()))
        .collect();
    let expected = [
        ("admin", Origin::File),
        ("get", Origin::Default),
        ("boss", Origin::File),
        ("put", Origin::File),
    ];
    assert_eq!(names, expected);
    let notices: Vec<_> = mine.notices().iter().map(Notice::to_string).collect();
    let expected = [
        "line 2: rule \"boss\" has no default and takes effect only where other rules refer to it",
        "line 3: rule \"put\" has no default and takes effect only where other rules refer to it",
        "rule \"put\" refers to \"lost\", which is not there, so that part denies",
    ];
    assert_eq!(notices, expected);
    assert_eq!(
        mine.rule("get").unwrap().scopes(),
        Scopes::from(Scope::Project)
    );
}

#[test]
fn default_stands_for_rules_that_are_not_there() {
    let rules = set("get | rule:lost | - | -\ndefault | role:admin | - | -").unwrap();
    assert_eq!(check(&rules, "get", &["admin"]), Decision::Allowed);
    // Only for references: a request that asks for no rule asks for nothing.
    assert_eq!(
        check(&rules, "lost", &["admin"]),
        Decision::Denied(Denial::UnknownRule)
    );
    assert_eq!(rules.notices(), []);
    let circle = set("default | rule:lost | - | -").unwrap_err();
    assert_eq!(
        circle,
        LoadError::Circle(vec!["default".to_owned(), "default".to_owned()])
    );
}

#[test]
fn circles_are_refused_by_name() {
    let cases = [
        ("a | rule:a | - | -", "a -> a"),
        (
            "a | role:x or (role:y and not rule:b) | - | -\nb | rule:c | - | -\nc | rule:b | - | -",
            "b -> c -> b",
        ),
        (
            "a | rule:b | - | -\nb | rule:c | - | -\nc | rule:a | - | -",
            "a -> b -> c -> a",
        ),
    ];
    for (table, circle) in cases {
        let error = set(table).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("rules refer to each other in a circle: {circle}")
        );
    }
    let rules = set("a | role:x | - | -\nb | rule:a | - | -").unwrap();
    let file = PolicyFile::parse("a: rule:b").unwrap();
    let error = rules.with_overrides(&file).unwrap_err();
    assert!(matches!(error, LoadError::Circle(_)), "{error}");
}

#[test]
fn not_before_what_is_not_there_is_refused() {
    let refused = [
        ("a | not rule:lost | - | -", "a"),
        ("a | role:x or not (role:y and rule:lost) | - | -", "a"),
        (
            "a | role:x or not (role:y and rule:b) | - | -\nb | @ and rule:c | - | -\nc | rule:lost | - | -",
            "a",
        ),
        ("b | rule:lost | - | -\na | not not rule:b | - | -", "a"),
    ];
    for (table, rule) in refused {
        let expected = LoadError::NegatedUndefined {
            rule: rule.to_owned(),
            reference: "lost".to_owned(),
        };
        assert_eq!(set(table).unwrap_err(), expected, "{table}");
    }
    assert!(set("a | not role:x and rule:lost | - | -").is_ok());
    // As oslo.policy does, if asked to.
    let rules = Rules::from_checks([("a", Check::parse("not rule:lost").unwrap())]).unwrap();
    assert_eq!(check(&rules, "a", &[]), Decision::Allowed);
}

#[test]
fn depth_and_cost_are_bounded() {
    let chain = |length: usize| {
        let line = |number: usize| format!("r{number} | rule:r{} | - | -\n", number + 1);
        (0..length).map(line).collect::<String>() + &format!("r{length} | role:x | - | -")
    };
    let rules = set(&chain(32)).unwrap();
    assert_eq!(check(&rules, "r0", &["x"]), Decision::Allowed);
    for length in [33, 34, 35, 5_000] {
        assert!(
            matches!(set(&chain(length)), Err(LoadError::TooDeep(_))),
            "{length}"
        );
    }
    let reversed: Vec<String> = chain(5_000).lines().rev().map(str::to_owned).collect();
    assert!(matches!(
        set(&reversed.join("\n")),
        Err(LoadError::TooDeep(_))
    ));
    let doubling = |levels: usize| {
        let line =
            |number: usize| format!("r{number} | rule:r{0} or rule:r{0} | - | -\n", number + 1);
        (0..levels).map(line).collect::<String>() + &format!("r{levels} | role:x | - | -")
    };
    assert!(set(&doubling(13)).is_ok());
    assert_eq!(
        set(&doubling(30)).unwrap_err(),
        LoadError::TooCostly("r16".to_owned())
    );
}

#[test]
fn defaults_with_mistakes_are_refused() {
    let error = set("a | role:x or | - | -").unwrap_err();
    assert_eq!(
        error.to_string(),
        "rule \"a\": expected a check, found the end (column 10)"
    );
    assert_eq!(
        set("a | @ | - | -\na | ! | - | -").unwrap_err(),
        LoadError::Duplicate("a".to_owned())
    );
    // The other half counts only where it is used.
    let table = RuleDefault::table("a | @ | role:x or | -").unwrap();
    assert!(Rules::from_defaults(&table, DefaultSet::New).is_ok());
    assert!(Rules::from_defaults(&table, DefaultSet::NewOrLegacy).is_err());
}

#[test]
fn faults_deny_whatever_stands_around_them() {
    let rules = set("a | not user_id.name:x | - | -\nb | @ or user_id.name:x | - | -").unwrap();
    let creds = [("user_id", "u".into())];
    assert_eq!(
        rules.check("a", &creds, &[]),
        Decision::Denied(Denial::Fault)
    );
    assert_eq!(rules.check("b", &creds, &[]), Decision::Allowed);
}
