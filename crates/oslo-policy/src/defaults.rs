//! The rules that a service brings along, as data.

use crate::scope::Scopes;

/// One rule as a service registers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDefault {
    /// How requests and other rules name it.
    pub name: String,
    /// The rule, in the policy language.
    pub check: String,
    /// The rule that was the default before, in the policy language.
    pub legacy: Option<String>,
    /// The scopes that a request must have. Asked of the rule that is checked, not of rules it refers to.
    pub scopes: Scopes,
}

/// Which of a service's defaults apply; `enforce_new_defaults` in oslo.policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultSet {
    /// [`RuleDefault::check`].
    New,
    /// [`RuleDefault::check`] or [`RuleDefault::legacy`], whichever allows.
    NewOrLegacy,
}

/// A line of a table that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TableError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: TableProblem,
}

/// What is wrong with a line of a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// A line has four fields.
    #[error("expected `name | check | legacy check | scopes`")]
    Fields,
    /// None of `project`, `domain`, `system`.
    #[error("unknown scope {0:?}")]
    Scope(String),
}

impl RuleDefault {
    /// A rule without an older form, for any scope.
    #[must_use]
    pub fn new(name: &str, check: &str) -> Self {
        Self {
            name: name.to_owned(),
            check: check.to_owned(),
            legacy: None,
            scopes: Scopes::ANY,
        }
    }

    /// Reads a table: one rule a line, as `name | check | legacy check | scopes`.
    ///
    /// Scopes are separated by commas. A `-` stands for no legacy check, and for any scope. White space around fields,
    /// empty lines and lines that begin with `#` don't count. The checks are not parsed here.
    ///
    /// # Errors
    /// The first line that has not four fields, a name and a check, or names another scope.
    pub fn table(text: &str) -> Result<Vec<Self>, TableError> {
        let numbered = (1..).zip(text.lines().map(str::trim));
        numbered
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| {
                let wrong = |problem| TableError {
                    line: number,
                    problem,
                };
                row(line).map_err(wrong)
            })
            .collect()
    }
}

fn row(line: &str) -> Result<RuleDefault, TableProblem> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, check, legacy, scopes] = fields.as_slice() else {
        return Err(TableProblem::Fields);
    };
    if name.is_empty() || check.is_empty() || legacy.is_empty() {
        return Err(TableProblem::Fields);
    }
    Ok(RuleDefault {
        name: (*name).to_owned(),
        check: (*check).to_owned(),
        legacy: (*legacy != "-").then(|| (*legacy).to_owned()),
        scopes: scopes_of(scopes)?,
    })
}

fn scopes_of(text: &str) -> Result<Scopes, TableProblem> {
    if text == "-" {
        return Ok(Scopes::ANY);
    }
    let named = text
        .split(',')
        .map(str::trim)
        .map(|name| Scopes::named(name).ok_or_else(|| TableProblem::Scope(name.to_owned())));
    let all: Vec<Scopes> = named.collect::<Result<_, _>>()?;
    all.into_iter()
        .reduce(Scopes::or)
        .ok_or(TableProblem::Fields)
}

#[cfg(test)]
mod tests {
    use super::{RuleDefault, TableProblem};
    use crate::scope::Scope;

    #[test]
    fn a_table_has_a_rule_a_line() {
        let text = "# rules\n\n  a:get | role:x or\trole:y | - | -\nb|@|!| project, system \n";
        let rules = RuleDefault::table(text).unwrap();
        assert_eq!(rules[0], RuleDefault::new("a:get", "role:x or\trole:y"));
        assert_eq!(rules[1].legacy.as_deref(), Some("!"));
        assert!(rules[1].scopes.accept(Scope::System) && !rules[1].scopes.accept(Scope::Domain));
    }

    #[test]
    fn wrong_lines_are_named() {
        let cases = [
            ("a | b | c", TableProblem::Fields),
            ("a | b | c | - | -", TableProblem::Fields),
            (" | b | - | -", TableProblem::Fields),
            ("a | | - | -", TableProblem::Fields),
            ("a | b | | -", TableProblem::Fields),
            ("a | b | - |", TableProblem::Scope(String::new())),
            (
                "a | b | - | project cloud",
                TableProblem::Scope("project cloud".to_owned()),
            ),
        ];
        for (line, problem) in cases {
            let error = RuleDefault::table(&format!("#\n{line}")).unwrap_err();
            assert_eq!((error.line, error.problem), (2, problem), "{line}");
        }
    }
}
