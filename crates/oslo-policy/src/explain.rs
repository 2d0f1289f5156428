//! How a decision came about: for the operator's question and for the log line of a refusal.

use std::fmt;

use crate::check::Expr;
use crate::leaf::Fault;
use crate::rules::{Decision, Denial, Env, RuleReference, Rules, holds};
use crate::scope::{Scope, Scopes};
use crate::value::{Credentials, List, Target, Value};

/// A decision with its reasons. Displays as a tree of all checks that were asked, one a line.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The rule that was asked.
    pub rule: String,
    /// The answer; the same that [`Rules::check`] gives.
    pub decision: Decision,
    /// The scope of the caller.
    pub scope: Scope,
    /// The scopes that the rule accepts.
    pub scopes: Scopes,
    /// How the rule came to its answer; `None` if it was not asked, for want of a rule or of the right scope.
    pub trace: Option<Trace>,
    /// In lower case: the roles each of which alone would have been enough. Empty if the caller is let in, and if no
    /// single role would change the answer.
    pub missing_roles: Vec<String>,
}

/// A part of a rule, and what became of it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The part, in the policy language; an operator alone is written `and`, `or`, `not`.
    pub check: String,
    /// What it gave.
    pub outcome: Outcome,
    /// What was compared, in words; only for checks that compare.
    pub detail: Option<String>,
    /// The parts of an operator, or the rule that is referred to.
    pub parts: Vec<Self>,
}

/// What a part of a rule gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It allows.
    Passed,
    /// It denies.
    Failed,
    /// It met an attribute of another form than it expects, which ends the whole rule.
    Fault,
    /// It was not asked, because what came before it decided.
    Skipped,
}

// === impl Explanation ===

impl Explanation {
    pub(crate) fn new(
        rules: &Rules,
        name: &str,
        creds: &dyn Credentials,
        target: &dyn Target,
    ) -> Self {
        let decision = rules.check(name, creds, target);
        let rule = rules.rule(name);
        let env = Env {
            rules,
            creds,
            target,
        };
        let asked = !matches!(decision, Decision::Denied(Denial::Scope));
        let trace = rule.filter(|_| asked).map(|rule| trace(rule.check(), &env));
        let mut missing_roles = Vec::new();
        if let (Some(trace), Decision::Denied(Denial::Rule)) = (&trace, decision) {
            trace.collect_roles(&mut missing_roles);
            missing_roles.sort_unstable();
            missing_roles.dedup();
            missing_roles.retain(|role| {
                let creds = WithRole { creds, role };
                rules.check(name, &creds, target).is_allowed()
            });
        }
        Self {
            rule: name.to_owned(),
            decision,
            scope: Scope::of(creds),
            scopes: rule.map_or(Scopes::ANY, |rule| rule.scopes()),
            trace,
            missing_roles,
        }
    }

    /// The checks that decided: those without which the answer would, or could, have been another.
    #[must_use]
    pub fn decided_by(&self) -> Vec<&Trace> {
        let mut found = Vec::new();
        if let Some(trace) = &self.trace {
            trace.collect_deciding(&mut found);
        }
        found
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.rule, self.decision)?;
        if self.decision == Decision::Denied(Denial::Scope) {
            writeln!(
                f,
                "scope of the caller: {}; scopes of the rule: {}",
                self.scope, self.scopes
            )?;
        }
        if !self.missing_roles.is_empty() {
            writeln!(
                f,
                "enough would be one of the roles: {}",
                self.missing_roles.join(", ")
            )?;
        }
        let deciding = self.decided_by();
        for (number, part) in deciding.iter().enumerate() {
            f.write_str(if number == 0 { "decided by: " } else { ", " })?;
            f.write_str(&part.check)?;
        }
        if !deciding.is_empty() {
            writeln!(f)?;
        }
        self.trace
            .as_ref()
            .map_or(Ok(()), |trace| trace.write(f, 0))
    }
}

// === impl Trace ===

impl Trace {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Passed => "yes  ",
            Outcome::Failed => "no   ",
            Outcome::Fault => "fault",
            Outcome::Skipped => "-    ",
        };
        write!(
            f,
            "{outcome} {:width$}{}",
            "",
            self.check,
            width = depth * 2
        )?;
        match &self.detail {
            Some(detail) => writeln!(f, "  ({detail})")?,
            None => writeln!(f)?,
        }
        self.parts
            .iter()
            .try_for_each(|part| part.write(f, depth + 1))
    }

    fn collect_deciding<'a>(&'a self, found: &mut Vec<&'a Self>) {
        if self.parts.is_empty() {
            found.push(self);
        }
        let alike = |part: &&Self| self.check == "not" || part.outcome == self.outcome;
        self.parts
            .iter()
            .filter(alike)
            .for_each(|part| part.collect_deciding(found));
    }

    fn collect_roles(&self, found: &mut Vec<String>) {
        if self.outcome == Outcome::Failed
            && let Some(role) = self.check.strip_prefix("role:")
        {
            found.push(role.to_owned());
        }
        self.parts.iter().for_each(|part| part.collect_roles(found));
    }
}

/// Walks as evaluation does, and evaluates each part again: a rule has few.
fn trace(expr: &Expr<RuleReference>, env: &Env<'_>) -> Trace {
    let outcome = match holds(expr, env) {
        Ok(true) => Outcome::Passed,
        Ok(false) => Outcome::Failed,
        Err(Fault) => Outcome::Fault,
    };
    let (check, detail, parts) = match expr {
        Expr::All(parts) => ("and".to_owned(), None, traces(parts, Outcome::Passed, env)),
        Expr::Any(parts) => ("or".to_owned(), None, traces(parts, Outcome::Failed, env)),
        Expr::Not(inner) => ("not".to_owned(), None, vec![trace(inner, env)]),
        Expr::Rule(reference) => match reference.to.and_then(|to| env.rules.at(to)) {
            Some(rule) => (expr.to_string(), None, vec![trace(rule.check(), env)]),
            None => (
                expr.to_string(),
                Some("there is no such rule".to_owned()),
                Vec::new(),
            ),
        },
        Expr::Leaf(leaf) => {
            let role = leaf.role(env.target).map(|role| format!("role:{role}"));
            let check = role.unwrap_or_else(|| leaf.to_string());
            (
                check,
                Some(leaf.describe(env.creds, env.target)),
                Vec::new(),
            )
        }
        Expr::Always | Expr::Never => (expr.to_string(), None, Vec::new()),
    };
    Trace {
        check,
        outcome,
        detail,
        parts,
    }
}

/// The parts of an operator, which asks on as long as they give `going_on`.
fn traces(parts: &[Expr<RuleReference>], going_on: Outcome, env: &Env<'_>) -> Vec<Trace> {
    let mut decided = false;
    let one = |part: &Expr<RuleReference>| {
        if decided {
            return Trace {
                check: part.to_string(),
                outcome: Outcome::Skipped,
                detail: None,
                parts: Vec::new(),
            };
        }
        let trace = trace(part, env);
        decided = trace.outcome != going_on;
        trace
    };
    parts.iter().map(one).collect()
}

/// A caller with one role more.
struct WithRole<'a> {
    creds: &'a dyn Credentials,
    role: &'a str,
}

impl Credentials for WithRole<'_> {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        if name == "roles" {
            return Some(Value::List(self));
        }
        self.creds.attribute(name)
    }
}

impl List for WithRole<'_> {
    fn item(&self, index: usize) -> Option<Value<'_>> {
        let Some(index) = index.checked_sub(1) else {
            return Some(Value::Str(self.role));
        };
        match self.creds.attribute("roles") {
            Some(Value::List(roles)) => roles.item(index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
