use super::{Fault, Leaf, Unknown};
use crate::value::{List, Value};

/// The answer to `kind:match` for a caller with some of everything.
fn answer(check: &str) -> Result<bool, Fault> {
    let (kind, matched) = check.split_once(':').unwrap();
    let leaf = Leaf::parse(kind, matched).unwrap();
    let domain = [("id", Value::Str("d1"))];
    let member = [("id", Value::Int(1))];
    let lead = [("id", Value::Int(2)), ("tags", Value::List(&["x", "y"]))];
    let people = Groups(vec![Value::Group(&member), Value::Group(&lead)]);
    let odd = Groups(vec![Value::Group(&member), Value::Str("not a group")]);
    let user = [("id", Value::Str("u1")), ("domain", Value::Group(&domain))];
    let creds = [
        ("roles", Value::List(&["Member", "ÉLÈVE"])),
        ("user_id", Value::Str("u1")),
        ("admin", Value::Bool(true)),
        ("nobody", Value::None),
        ("user", Value::Group(&user)),
        ("people", Value::List(&people)),
        ("odd", Value::List(&odd)),
        ("system_scope", Value::Str("all")),
    ];
    let target = [
        ("user.id", Value::Str("u1")),
        ("flag", Value::Bool(true)),
        ("word", Value::Str("read")),
        ("role", Value::Str("MEM")),
        ("none", Value::None),
        ("two", Value::Int(2)),
    ];
    leaf.holds(&creds, &target)
}

struct Groups<'a>(Vec<Value<'a>>);

impl List for Groups<'_> {
    fn item(&self, index: usize) -> Option<Value<'_>> {
        self.0.get(index).copied()
    }
}

#[test]
fn checks_answer_as_oslo_policy_does() {
    let yes = [
        "role:member",
        "role:MEMBER",
        "role:%(role)sber",
        "role:élève",
        "user_id:u1",
        "user_id:%(user.id)s",
        "user.id:u1",
        "user.domain.id:d1",
        "admin:True",
        "admin:%(flag)s",
        "nobody:None",
        "nobody:%(none)s",
        "roles:Member",
        "people.id:2",
        "people.id:%(two)s",
        "people.tags:y",
        "odd.id:1",
        "system:all",
        "True:%(flag)s",
        "'True':%(flag)s",
        "None:%(none)s",
        "'read':%(word)s",
        "\"read\":%(word)s",
        "'it\"s':it\"s",
        "'':",
        "2:%(two)s",
        "+2:%(two)s",
        "-1_0:-10",
        "00:0",
    ];
    for check in yes {
        assert_eq!(answer(check), Ok(true), "{check}");
    }
    let no = [
        "role:admin",
        "role:",
        "role:%(absent)s",
        "user_id:U1",
        "user_id:'u1'",
        "user_id:%(absent)s",
        "absent:x",
        "absent.deeper:x",
        "user.absent:x",
        "user.domain:{...}",
        "roles:member",
        "people.id:3",
        "people.tags:z",
        "False:%(flag)s",
        "True:%(absent)s",
        "'read':%(absent)s",
        "'read':'read'",
        "2:%(flag)s",
        "user_id.deeper:%(absent)s",
    ];
    for check in no {
        assert_eq!(answer(check), Ok(false), "{check}");
    }
    // Python can't look into a text, a number or a list of lists, and raises.
    for check in [
        "user_id.deeper:x",
        "nobody.x:x",
        "people.id.x:x",
        "odd.id:2",
        "roles.x:x",
    ] {
        assert_eq!(answer(check), Err(Fault), "{check}");
    }
}

#[test]
fn roles_must_be_a_list_of_texts() {
    let leaf = Leaf::parse("role", "a").unwrap();
    let numbers = Groups(vec![Value::Str("a"), Value::Int(1)]);
    for roles in [Value::Str("a"), Value::None, Value::List(&numbers)] {
        assert_eq!(
            leaf.holds(&[("roles", roles)], &[]),
            Err(Fault),
            "{roles:?}"
        );
    }
    assert_eq!(leaf.holds(&[], &[]), Ok(false));
}

#[test]
fn kinds_beyond_literals_and_names_are_unknown() {
    let kinds = [
        "",
        " a",
        "a ",
        "1a",
        "a-b",
        "a..b",
        ".a",
        "a.",
        "a.1",
        "é",
        "class",
        "a.in",
        "user.None",
        "1.5",
        "0x1",
        "007",
        "1__0",
        "_1_",
        "--1",
        "'a",
        "a'",
        "'a'b'",
        "'a\\'",
        "'''a'''",
        "b'a'",
        "[1]",
        "(1)",
        "$",
        "a/b",
        "11111111111111111111111111111111111111111",
    ];
    for kind in kinds {
        let expected = kind == "_1_";
        let known = !matches!(Leaf::parse(kind, "x"), Err(Unknown::Kind));
        assert_eq!(known, expected, "{kind}");
    }
    assert!(matches!(Leaf::parse("a", "%d"), Err(Unknown::Match)));
    assert!(matches!(Leaf::parse("role", "%(a"), Err(Unknown::Match)));
}

#[test]
fn descriptions_say_what_was_compared() {
    let creds = [("roles", Value::List(&["a", "b"])), ("user_id", "u".into())];
    let target = [("owner", Value::Str("v"))];
    let cases = [
        ("role", "c", "the caller's roles are a, b"),
        (
            "user_id",
            "%(owner)s",
            "the caller's user_id is \"u\"; the target gives \"v\"",
        ),
        (
            "absent",
            "%(owner)s",
            "the caller has no absent; the target gives \"v\"",
        ),
        (
            "'w'",
            "%(owner)s",
            "the literal is \"w\"; the target gives \"v\"",
        ),
        ("user_id", "%(lost)s", "the target has no lost"),
    ];
    for (kind, matched, expected) in cases {
        let leaf = Leaf::parse(kind, matched).unwrap();
        assert_eq!(leaf.describe(&creds, &target), expected);
    }
}
