use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::Kinds;
use super::ask::{Answers, Row};
use super::barbican;
use super::strings::{GRAMMAR, Generator};

fn row(text: &str) -> Row {
    Row(text.to_owned())
}

#[test]
fn any_field_that_differs_is_a_difference() {
    let ours = "ok\t\"a:b\"\tproject\tyn";
    let others = [
        "ok\t\"a:b\"\tproject\tyy",
        "ok\t\"a:b\"\tproject\tyn!",
        "ok\t\"a:b\"\tdomain\tyn",
        "ok\t\"a:c\"\tproject\tyn",
        "bad\t\"a:b\"\tproject\tyn",
    ];
    let answers =
        |theirs: &str| Answers::new(vec![json!("a:b")], vec![row(ours)], vec![row(theirs)]);
    assert!(answers(ours).differences().is_empty());
    assert_eq!((answers(ours).decisions(), answers(ours).allowed()), (2, 1));
    for theirs in others {
        let found = answers(theirs).differences();
        assert_eq!(found.len(), 1, "{theirs}");
        assert_eq!(
            found[0].to_string(),
            format!("\"a:b\"\n  donjon      {ours}\n  oslo.policy {theirs}")
        );
    }
}

#[test]
fn rules_that_are_refused_do_not_count() {
    let mut kinds = Kinds::default();
    for text in [
        "ok\t\"a:b\"\t\tyn",
        "ok\t\"@\"\t\tyy",
        "bad\t\"!\"\t\tnn",
        "refused\t\"\"\t\t",
    ] {
        kinds.count(&row(text));
    }
    let numbers: Vec<String> = kinds.row("x").into_iter().collect();
    assert_eq!(numbers, ["x", "3", "1", "1", "1", "1"]);
}

#[test]
fn random_rules_are_repeatable_and_various() {
    let draw = |seed| {
        let mut generator = Generator::new(seed);
        let setup = generator.setup();
        let rules: Vec<_> = (0..1_000).map(|_| generator.rule()).collect();
        (setup.0, rules)
    };
    let texts = |seed| -> Vec<Json> { draw(seed).1.into_iter().map(|rule| rule.text).collect() };
    assert_eq!(texts(1), texts(1));
    assert_eq!(draw(1).0, draw(1).0);
    let different: BTreeSet<String> = texts(1).iter().map(Json::to_string).collect();
    assert!(different.len() > 800, "{}", different.len());
    let grammar = draw(1)
        .1
        .iter()
        .filter(|rule| rule.origin == GRAMMAR)
        .count();
    assert!((550..650).contains(&grammar), "{grammar}");
}

#[test]
fn barbican_contexts_cover_every_entity() {
    let setup = barbican::setup(true);
    let contexts = setup.0["contexts"].as_array().unwrap();
    assert_eq!(contexts.len(), 10 * 4 * 2 * 2 * (2 + 2 * 6));
    let targets: BTreeSet<String> = contexts
        .iter()
        .map(|context| context["target"].to_string())
        .collect();
    // Without ACL and with one that is open a secret looks the same, and likewise two closed ones.
    assert_eq!(targets.len(), 2 + 2 * 4);
}
