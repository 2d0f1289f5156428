//! `docs/config.md` against the keys there are.

use super::*;

/// A section of docs/config.md.
struct Section<'a> {
    key: &'a str,
    text: &'a str,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    text.split("\n### `")
        .skip(1)
        .map(|rest| {
            let (key, text) = rest.split_once('`').unwrap();
            let text = text.split("\n## ").next().unwrap();
            Section { key, text }
        })
        .collect()
}

#[test]
fn the_documentation_names_every_key_its_default_and_its_variable() {
    let text = include_str!("../../../../../docs/config.md");
    let sections = sections(text);
    let documented: Vec<&str> = sections.iter().map(|section| section.key).collect();
    let known: Vec<&str> = keys::KEYS.iter().map(|key| key.path).collect();
    assert_eq!(documented, known);
    for (section, key) in sections.iter().zip(keys::KEYS) {
        let variable = format!("`{}`", key.variable());
        assert!(section.text.contains(&variable), "{}", key.path);
        if let Some(default) = key.default_value() {
            let line = format!("Default: `{default}`");
            assert!(section.text.contains(&line), "{}: {line}", key.path);
        } else {
            assert!(section.text.contains("Default: "), "{}", key.path);
        }
        let example = examples(section.text);
        assert_eq!(example.len(), 1, "{}", key.path);
        // Some hold a secret.
        let loaded = Rig::new().file(0o600, example[0]).load().unwrap();
        let (_, source) = &loaded.values[key.path];
        assert!(matches!(source, Source::File { .. }), "{}", key.path);
    }
}

fn examples(text: &str) -> Vec<&str> {
    text.split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_examples_of_the_documentation_are_configurations() {
    let text = include_str!("../../../../../docs/config.md");
    let examples = examples(text);
    assert!(examples.len() > keys::KEYS.len());
    for example in examples {
        let loaded = Rig::new().file(0o600, example).load();
        assert!(loaded.is_ok(), "{example}\n{:#}", loaded.unwrap_err());
    }
}
