//! `donjon policy explain`, `check` and `show`.

use std::{io::Write, path::Path};

use donjon_app::{Policy, RuleInForce};

use super::ask;
use crate::{
    admin::{Question, Request, Response},
    cli,
    config::Settings,
    exit::{Exit, Failure, OrExit},
    policy::{self, Overrides},
};

/// # Errors
/// [`Exit::Config`] where the policy file cannot be used; [`Exit::Other`] where
/// the question makes no sense; else as the folder, its root key or storage
/// says.
pub(crate) fn policy(verb: &cli::Policy) -> Result<Exit, Failure> {
    match verb {
        cli::Policy::Explain(explain) => explain_decision(explain),
        cli::Policy::Check(file) => check(file),
        cli::Policy::Show(file) => show(file),
    }
}

fn explain_decision(explain: &cli::PolicyExplain) -> Result<Exit, Failure> {
    let settings = ask::load(&explain.place)?;
    let request = || {
        Ok(Request::Explain(Question {
            who: explain.who.clone(),
            rule: explain.rule.clone(),
            id: explain.id.as_deref().map(id_of).map(str::to_owned),
        }))
    };
    let policy = || Ok(policy::load(&settings.policy).or_exit(Exit::Config)?.0);
    match ask::ask(&settings, request, policy)? {
        Response::Explained { text } => ask::print(&text),
        other => Err(ask::failure(other)),
    }
}

fn check(file: &cli::PolicyPlace) -> Result<Exit, Failure> {
    let (settings, _, overrides) = load(file)?;
    let (Some(path), Some(overrides)) = (&settings.policy.file, overrides) else {
        return ask::print("no policy file is configured, so the defaults apply");
    };
    warn(path, &overrides)?;
    let verdict = match overrides.notices.len() {
        0 => "all in order".to_owned(),
        count => counted(count, "warning"),
    };
    ask::print(&format!(
        "{}: {}, {verdict}",
        path.display(),
        counted(overrides.rules, "rule")
    ))
}

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// The id in a reference, such as `https://kms/v1/secrets/{id}/payload`; other
/// texts as they are.
fn id_of(text: &str) -> &str {
    let mut parts = text.split('/');
    parts
        .find(|part| ["secrets", "containers", "orders"].contains(part))
        .and_then(|_| parts.next())
        .unwrap_or(text)
}

fn show(file: &cli::PolicyPlace) -> Result<Exit, Failure> {
    let (settings, policy, overrides) = load(file)?;
    if let (Some(path), Some(overrides)) = (&settings.policy.file, overrides) {
        warn(path, &overrides)?;
    }
    let rules = policy.rules();
    ask::print(&as_file(&rules))
}

/// The file that the command line names, else the one that is configured.
fn load(file: &cli::PolicyPlace) -> Result<(Settings, Policy, Option<Overrides>), Failure> {
    let mut settings = ask::load(&file.place)?;
    if let Some(path) = &file.file {
        settings.policy.file = Some(path.clone());
    }
    let (policy, overrides) = policy::load(&settings.policy).or_exit(Exit::Config)?;
    Ok((settings, policy, overrides))
}

/// Tells the operator what is likely not meant.
pub(super) fn warn(path: &Path, overrides: &Overrides) -> Result<(), Failure> {
    overrides.notices.iter().try_for_each(|notice| {
        writeln!(std::io::stderr(), "warning: {}: {notice}", path.display()).or_exit(Exit::Other)
    })
}

/// Rules as a policy file has them, in YAML.
fn as_file(rules: &[RuleInForce]) -> String {
    let line = |rule: &RuleInForce| {
        let note = if rule.is_from_file {
            " # from the policy file"
        } else {
            ""
        };
        format!("{}: {}{note}", quoted(&rule.name), quoted(&rule.check))
    };
    rules.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text in YAML, in single quotes where it has no control characters.
fn quoted(text: &str) -> String {
    if text.contains(char::is_control) {
        serde_json::Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use donjon_oslo_policy::{DefaultSet, PolicyFile};

    use super::*;

    /// What is shown can be taken for a file, and changes nothing then.
    #[test]
    fn what_is_shown_is_a_policy_file() {
        for set in [DefaultSet::New, DefaultSet::NewOrLegacy] {
            let policy = Policy::new(set);
            let before = policy.rules();
            let file = PolicyFile::parse(&as_file(&before)).unwrap();
            assert_eq!(policy.override_with(&file).unwrap(), []);
            let after = policy.rules();
            assert!(after.iter().all(|rule| rule.is_from_file));
            let checks = |rules: &[RuleInForce]| -> Vec<(String, String)> {
                let pair = |rule: &RuleInForce| (rule.name.clone(), rule.check.clone());
                rules.iter().map(pair).collect()
            };
            assert_eq!(checks(&after), checks(&before));
        }
    }

    #[test]
    fn references_hold_ids() {
        for text in [
            "i",
            "http://kms/v1/secrets/i",
            "https://kms/base/v1/orders/i/",
            "http://kms/v1/containers/i/acl",
            "secrets/i/payload",
        ] {
            assert_eq!(id_of(text), "i");
        }
        for text in ["", "http://kms/v1/quotas/i", "orders"] {
            assert_eq!(id_of(text), text);
        }
    }

    #[test]
    fn odd_names_are_quoted() {
        for name in ["it's", "a\nb", "a: #b", "", "\u{85}"] {
            let text = format!("{}: '@'", quoted(name));
            let file = PolicyFile::parse(&text).unwrap();
            assert_eq!(file.rules().next().unwrap().0, name);
        }
    }
}
