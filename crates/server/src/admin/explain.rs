//! Why a rule decides as it does.

use donjon_app::Explained;
use donjon_domain::{Actor, ProjectId, Scope, SecretId, UserId};

use super::{Admin, Question, Response, Who, refused};

impl Admin {
    /// Answers by the rules in force.
    pub(super) async fn explain(&self, question: Question) -> Result<Response, Response> {
        let Question { who, rule, id } = question;
        let actor = actor(&who)?;
        let bytes = match &id {
            // All ids have one form.
            Some(id) => match SecretId::parse(id) {
                Ok(id) => Some(*id.as_bytes()),
                Err(error) => return Err(refused(format!("{id:?} is no id: {error}"))),
            },
            None => None,
        };
        let explained = self.app.access.explain(&actor, &rule, bytes).await;
        let explained = explained.map_err(|error| Response::Failed {
            message: error.to_string(),
        })?;
        let Some(explained) = explained else {
            let id = id.unwrap_or_default();
            return Err(refused(format!(
                "there is no secret, container or order {id}"
            )));
        };
        text(&who, &explained).map(|text| Response::Explained { text })
    }
}

fn actor(who: &Who) -> Result<Actor, Response> {
    let scope = match who.scope.as_str() {
        "" | "project" => Scope::Project,
        "domain" => Scope::Domain,
        "system" => Scope::System,
        other => {
            return Err(refused(format!(
                "unknown scope {other:?}; there are project, domain and system"
            )));
        }
    };
    Ok(Actor {
        user: who.user.as_ref().map(UserId::new),
        project: ProjectId::new(who.project.as_str()),
        roles: who.roles.iter().map(|role| role.to_lowercase()).collect(),
        scope,
        identity: None,
    })
}

fn text(who: &Who, explained: &Explained) -> Result<String, Response> {
    let name = &explained.explanation.rule;
    let Some(rule) = &explained.rule else {
        return Err(refused(format!(
            "there is no rule {name:?}; `donjon policy show` lists those there are"
        )));
    };
    let source = if rule.is_from_file {
        "the policy file"
    } else {
        "the defaults"
    };
    let user = who.user.as_deref().unwrap_or("(none)");
    let roles = if who.roles.is_empty() {
        "(none)".to_owned()
    } else {
        who.roles.join(", ")
    };
    let lines = [
        format!(
            "caller: user {user}, project {}, roles {roles}",
            who.project
        ),
        format!("target: {}", explained.target),
        format!("rule {name}, from {source}: {}", rule.check),
        String::new(),
    ];
    let explanation = explained.explanation.to_string();
    let lines = lines.iter().map(String::as_str).chain(explanation.lines());
    let lines: Vec<_> = lines.map(printable).collect();
    Ok(lines.join("\n").trim_end().to_owned())
}

/// A line without control characters: names of users and projects come from
/// outside, and a terminal would obey.
fn printable(line: &str) -> String {
    line.chars().fold(String::new(), |mut line, char| {
        if char.is_control() {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn terminals_get_nothing_to_obey() {
        for (line, expected) in [
            ("project é, user 'u'", "project é, user 'u'"),
            ("a\u{1b}[2Jb\nc\td", "a\\u{1b}[2Jb\\nc\\td"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
        ] {
            assert_eq!(printable(line), expected);
        }
    }
}
