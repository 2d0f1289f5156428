//! Any text is a policy file or an error, and a file makes rules or an error.

#![no_main]

use donjon_oslo_policy::{DefaultSet, PolicyFile, RuleDefault, Rules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(file) = PolicyFile::parse(text) else {
        return;
    };
    let defaults = [
        RuleDefault::new("a", "role:a"),
        RuleDefault::new("b", "rule:a and not role:c"),
    ];
    let Ok(rules) = Rules::from_defaults(&defaults, DefaultSet::New) else {
        unreachable!("these rules are good");
    };
    if let Ok(rules) = rules.with_overrides(&file) {
        assert!(rules.iter().count() >= defaults.len());
    }
});
