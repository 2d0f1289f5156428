use super::{Explanation, Outcome};
use crate::defaults::{DefaultSet, RuleDefault};
use crate::rules::{Decision, Denial, Rules};
use crate::value::Value;

const TABLE: &str = "\
match | project_id:%(project)s | - | -
admin | role:Admin and rule:match | - | -
get | rule:admin or (role:member and rule:match and not 'no':%(open)s) or role:root | - | project
lost | rule:nowhere | - | -
fault | not project_id.x:y | - | -
";

fn explain(rule: &str, roles: &[&str], project: &str, open: &str) -> Explanation {
    let rules = Rules::from_defaults(&RuleDefault::table(TABLE).unwrap(), DefaultSet::New).unwrap();
    let roles = roles.to_vec();
    let creds = [("roles", Value::List(&roles)), ("project_id", "p".into())];
    let target = [("project", project.into()), ("open", open.into())];
    rules.explain(rule, &creds, &target)
}

fn decided_by(explanation: &Explanation) -> Vec<&str> {
    let parts = explanation.decided_by();
    parts.into_iter().map(|part| part.check.as_str()).collect()
}

#[test]
fn a_permission_names_the_checks_that_gave_it() {
    let found = explain("get", &["member"], "p", "yes");
    assert_eq!(found.decision, Decision::Allowed);
    assert_eq!(
        decided_by(&found),
        ["role:member", "project_id:%(project)s", "'no':%(open)s"]
    );
    assert_eq!(found.missing_roles, [""; 0]);
    assert_eq!(
        found.to_string(),
        "\
get: allowed
decided by: role:member, project_id:%(project)s, 'no':%(open)s
yes   or
no      rule:admin
no        and
no          role:admin  (the caller's roles are member)
-           rule:match
yes     and
yes       role:member  (the caller's roles are member)
yes       rule:match
yes         project_id:%(project)s  (the caller's project_id is \"p\"; the target gives \"p\")
yes       not
no          'no':%(open)s  (the literal is \"no\"; the target gives \"yes\")
-       role:root
"
    );
}

#[test]
fn a_refusal_names_the_roles_that_would_do() {
    let found = explain("get", &[], "p", "no");
    assert_eq!(found.missing_roles, ["admin", "root"]);
    assert_eq!(
        decided_by(&found),
        ["role:admin", "role:member", "role:root"]
    );
    let found = explain("get", &["member"], "other", "no");
    assert_eq!(found.missing_roles, ["root"]);
    let found = explain("admin", &["member"], "other", "no");
    assert_eq!(found.missing_roles, [""; 0]);
    assert!(
        found
            .to_string()
            .starts_with("admin: denied: the rule denies\ndecided by: role:admin\n")
    );
}

#[test]
fn refusals_without_a_rule_say_why() {
    let found = explain("nothing", &["root"], "p", "yes");
    assert_eq!(
        found.to_string(),
        "nothing: denied: there is no such rule\n"
    );
    let found = explain("lost", &["root"], "p", "yes");
    assert_eq!(
        found.to_string(),
        "lost: denied: the rule denies\ndecided by: rule:nowhere\nno    rule:nowhere  (there is no such rule)\n"
    );
    let found = explain("fault", &[], "p", "yes");
    assert_eq!(found.decision, Decision::Denied(Denial::Fault));
    assert_eq!(found.trace.unwrap().outcome, Outcome::Fault);
}

#[test]
fn a_wrong_scope_is_told_with_the_right_ones() {
    let rules = Rules::from_defaults(&RuleDefault::table(TABLE).unwrap(), DefaultSet::New).unwrap();
    let found = rules.explain("get", &[("domain_id", "d".into())], &[]);
    let expected = "get: denied: the caller's scope is not the rule's\nscope of the caller: domain; scopes of the rule: project\n";
    assert_eq!(found.to_string(), expected);
    assert!(found.trace.is_none() && found.missing_roles.is_empty());
}
