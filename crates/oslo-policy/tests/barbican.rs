//! Barbican's rules, from the example's table, give the access that Barbican 23 documents.

use donjon_oslo_policy::{
    Credentials, Decision, DefaultSet, Denial, RuleDefault, Rules, Target, Value,
};

const TABLE: &str = include_str!("../examples/barbican-rules.txt");

#[derive(Clone, Copy)]
struct Caller {
    roles: &'static [&'static str],
    project: &'static str,
    user: &'static str,
}

#[derive(Clone, Copy)]
struct Entity {
    new_defaults: bool,
    /// Of the ACL: whether the project has access, and whether the caller is in it.
    is_open: bool,
    names_caller: bool,
}

impl Credentials for Caller {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "user_id" => self.user.into(),
            "project_id" => self.project.into(),
            "roles" => Value::List(&self.roles),
            "system_scope" | "domain_id" => Value::None,
            _ => return None,
        })
    }
}

/// A secret, container or order of user `owner` in project `home`.
impl Target for Entity {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        if name == "enforce_new_defaults" {
            return Some(self.new_defaults.into());
        }
        Some(match name.strip_prefix("target.")?.split_once('.')? {
            (_, "project_id") => "home".into(),
            (_, "creator_id") => "owner".into(),
            ("secret" | "container", "read_project_access") => self.is_open.into(),
            ("secret" | "container", "read") if self.names_caller => "read".into(),
            _ => return None,
        })
    }
}

const MEMBER: Caller = Caller {
    roles: &["member", "reader"],
    project: "home",
    user: "other",
};
const READER: Caller = Caller {
    roles: &["reader"],
    ..MEMBER
};
const OWNER: Caller = Caller {
    user: "owner",
    ..MEMBER
};
const ADMIN: Caller = Caller {
    roles: &["Admin"],
    ..MEMBER
};
const FOREIGN_ADMIN: Caller = Caller {
    project: "elsewhere",
    ..ADMIN
};
const STRANGER: Caller = Caller {
    roles: &[],
    project: "elsewhere",
    user: "stranger",
};

const OPEN: Entity = Entity {
    new_defaults: true,
    is_open: true,
    names_caller: false,
};
const CLOSED: Entity = Entity {
    is_open: false,
    ..OPEN
};
const NAMED: Entity = Entity {
    names_caller: true,
    ..CLOSED
};

fn rules(set: DefaultSet) -> Rules {
    let defaults = RuleDefault::table(TABLE).expect("the example is a table");
    Rules::from_defaults(&defaults, set).expect("the example has good rules")
}

/// One letter for each caller: `y` or `n`.
fn line(rules: &Rules, rule: &str, asked: &[(Caller, Entity)]) -> String {
    let letter = |(caller, entity): &(Caller, Entity)| match rules.check(rule, caller, entity) {
        Decision::Allowed => 'y',
        Decision::Denied(Denial::Rule) => 'n',
        other => panic!("{rule}: {other}"),
    };
    asked.iter().map(letter).collect()
}

#[test]
fn all_82_rules_are_there() {
    let rules = rules(DefaultSet::NewOrLegacy);
    assert_eq!(rules.iter().count(), 82);
    assert_eq!(
        rules
            .iter()
            .filter(|rule| rule.name().contains(':'))
            .count(),
        48
    );
    assert_eq!(rules.notices(), []);
}

#[test]
fn new_defaults_give_the_documented_access() {
    let rules = rules(DefaultSet::New);
    let asked = [
        (READER, OPEN),
        (MEMBER, OPEN),
        (OWNER, CLOSED),
        (MEMBER, CLOSED),
        (ADMIN, CLOSED),
        (FOREIGN_ADMIN, OPEN),
        (STRANGER, NAMED),
    ];
    let expected = [
        ("secrets:post", "nyyynnn"),
        ("secret:get", "nyynyyy"),
        ("secret:decrypt", "nyynyny"),
        ("secret:put", "nyynynn"),
        ("secret:delete", "nyynyyn"),
        ("secret_meta:get", "nyynyny"),
        ("secret_meta:put", "nyynynn"),
        ("secret_acls:put_patch", "nyynynn"),
        ("secret_consumers:delete", "nyynyny"),
        ("container:get", "nyynyny"),
        ("container:delete", "nyynynn"),
        ("container_secret:post", "nyynynn"),
        ("container_consumers:post", "nyynyny"),
        ("consumer:get", "nyynyyy"),
        ("order:get", "nyyynnn"),
        ("quotas:get", "yyyynnn"),
        ("project_quotas:put", "nnnnyyn"),
    ];
    for (rule, answers) in expected {
        assert_eq!(line(&rules, rule, &asked), answers, "{rule}");
    }
}

#[test]
fn legacy_defaults_give_the_documented_access() {
    let rules = rules(DefaultSet::NewOrLegacy);
    let open = Entity {
        new_defaults: false,
        ..OPEN
    };
    let closed = Entity {
        is_open: false,
        ..open
    };
    let named = Entity {
        names_caller: true,
        ..closed
    };
    let with = |roles: &'static [&'static str]| Caller { roles, ..MEMBER };
    let creator = with(&["creator"]);
    let asked = [
        (with(&["admin"]), closed),
        (
            Caller {
                user: "owner",
                ..creator
            },
            closed,
        ),
        (creator, open),
        (creator, closed),
        (with(&["observer"]), open),
        (with(&["observer"]), closed),
        (with(&["audit"]), open),
        (with(&["key-manager:service-admin"]), open),
        (MEMBER, open),
        (STRANGER, named),
    ];
    let expected = [
        ("secrets:post", "yyyynnnnnn"),
        ("secrets:get", "yyyyyynnnn"),
        ("secret:get", "yyynynyyny"),
        ("secret:decrypt", "yyynynnnny"),
        ("secret:put", "yyyynnnnnn"),
        ("secret:delete", "yyynnnnnnn"),
        ("secret_meta:post", "yyynnnnnnn"),
        ("secret_acls:get", "yyyyyynnnn"),
        ("secret_acls:delete", "yyynnnnnnn"),
        ("container:delete", "yynnnnnnnn"),
        ("container_secret:delete", "yyynnnnnnn"),
        ("order:get", "yyyyyyyynn"),
        ("order:delete", "ynnnnnnnnn"),
        ("quotas:get", "yyyyyyyynn"),
        ("project_quotas:get", "nnnnnnnynn"),
        ("secretstore_preferred:post", "ynnnnnnnnn"),
    ];
    for (rule, answers) in expected {
        assert_eq!(line(&rules, rule, &asked), answers, "{rule}");
    }
}

#[test]
fn refusals_name_the_role_that_is_missing() {
    let rules = rules(DefaultSet::New);
    assert_eq!(
        rules
            .explain("secret:decrypt", &MEMBER, &CLOSED)
            .missing_roles,
        ["admin"]
    );
    assert_eq!(
        rules
            .explain("secret:decrypt", &READER, &OPEN)
            .missing_roles,
        ["admin", "member"]
    );
    assert_eq!(
        rules
            .explain("secret:decrypt", &STRANGER, &OPEN)
            .missing_roles,
        [""; 0]
    );
    assert_eq!(
        rules.explain("secret:get", &STRANGER, &OPEN).missing_roles,
        ["admin"]
    );
    assert_eq!(
        rules.explain("secrets:post", &READER, &OPEN).missing_roles,
        ["member"]
    );
}

#[test]
fn only_project_scope_is_accepted() {
    let rules = rules(DefaultSet::New);
    for scoped in [
        ("domain_id", Value::Str("d")),
        ("system_scope", Value::Str("all")),
    ] {
        let creds = [("roles", Value::List(&["admin", "member"])), scoped];
        for rule in rules.iter().filter(|rule| rule.name().contains(':')) {
            let decision = rules.check(rule.name(), &creds, &OPEN);
            assert_eq!(decision, Decision::Denied(Denial::Scope), "{}", rule.name());
        }
    }
}
