use std::{fs, os::unix::fs::PermissionsExt};

use donjon_app::{Action, Target};
use donjon_domain::{Actor, ProjectId, Scope};
use donjon_oslo_policy::DefaultSet;

use super::*;

/// Loads a file with this text; errors without the file's folder.
fn load_text(text: &str, mode: u32) -> Result<(Policy, Overrides), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let settings = PolicySettings {
        defaults: DefaultSet::New,
        file: Some(path),
    };
    match load(&settings) {
        Ok((policy, overrides)) => Ok((policy, overrides.unwrap())),
        Err(error) => {
            Err(format!("{error:#}").replace(&format!("{}/", folder.path().display()), ""))
        }
    }
}

fn may_post(policy: &Policy, role: &str) -> bool {
    let actor = Actor {
        user: None,
        project: ProjectId::new("p"),
        roles: vec![role.to_owned()],
        scope: Scope::Project,
        identity: None,
    };
    policy
        .check(&actor, Action::SecretsPost, &Target::Project)
        .is_ok()
}

#[test]
fn yaml_and_json_override_single_rules() {
    for text in [
        "\"secrets:post\": role:writer\n",
        "{\"secrets:post\": \"role:writer\"}",
        "\"secrets:post\": [[\"role:writer\"]]\n",
    ] {
        let (policy, overrides) = load_text(text, 0o644).unwrap();
        assert_eq!(overrides.rules, 1, "{text}");
        assert_eq!(overrides.notices, [], "{text}");
        assert!(may_post(&policy, "writer") && !may_post(&policy, "member"));
    }
}

#[test]
fn without_a_file_the_defaults_apply() {
    for (defaults, role) in [
        (DefaultSet::New, "member"),
        (DefaultSet::NewOrLegacy, "creator"),
    ] {
        let settings = PolicySettings {
            defaults,
            file: None,
        };
        let (policy, overrides) = load(&settings).unwrap();
        assert!(overrides.is_none());
        for asked in ["member", "creator"] {
            assert_eq!(may_post(&policy, asked), asked == role, "{defaults:?}");
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let cases = [
        (
            "\n\"secrets:post\": \"role:a or\"\n",
            "policy.yaml:2: rule \"secrets:post\": expected a check",
        ),
        (
            "\"a\": \"@\"\n\"secrets:get\": \"http://192.0.2.1/%(user)s\"\n",
            "policy.yaml:2: rule \"secrets:get\": ",
        ),
        ("\"a\":\n", "policy.yaml:1: rule \"a\" must be a text"),
        ("- a\n", "policy.yaml:1: expected a mapping"),
        ("a: b: c\n", "policy.yaml:1: "),
        (
            "\"a\": \"@\"\n\"b\": \"@\"\n\"a\": \"!\"\n",
            "policy.yaml:3: rule \"a\" is there twice",
        ),
        (
            "\"a\": \"@\"\n\"secrets:post\": \"rule:b\"\n\"b\": \"rule:secrets:post\"\n",
            "policy.yaml:2: rules refer to each other in a circle",
        ),
        (
            "\"a\": \"@\"\n\"b\": \"not rule:nothing\"\n",
            "policy.yaml:2: rule \"b\" denies by `not rule:nothing`",
        ),
    ];
    for (text, expected) in cases {
        let error = load_text(text, 0o644).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn names_without_a_default_are_a_notice() {
    let (_, overrides) = load_text("\"secret:gett\": \"@\"\n", 0o644).unwrap();
    let notices: Vec<_> = overrides.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices.len(), 1);
    assert!(
        notices[0].starts_with("line 1: rule \"secret:gett\" has no default"),
        "{notices:?}"
    );
}

#[test]
fn a_file_that_anybody_may_change_is_refused() {
    let error = load_text("\"a\": \"@\"\n", 0o666).unwrap_err();
    assert!(
        error.starts_with("policy.yaml: anybody may change this file"),
        "{error}"
    );
}

#[test]
fn files_that_are_none_are_refused() {
    let long = "#".repeat(PolicyFile::BYTES_MAX + 1);
    let error = load_text(&long, 0o644).unwrap_err();
    assert!(error.contains("longer than"), "{error}");
    let settings = PolicySettings {
        defaults: DefaultSet::New,
        file: Some("/nonexistent/policy.yaml".into()),
    };
    let error = format!("{:#}", load(&settings).unwrap_err());
    assert!(
        error.starts_with("/nonexistent/policy.yaml: cannot be read"),
        "{error}"
    );
}
