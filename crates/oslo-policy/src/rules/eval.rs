//! Answers checks. Everything is resolved, so this only walks.

use super::{Decision, Denial, Reference, Rule, Rules};
use crate::check::Expr;
use crate::leaf::Fault;
use crate::scope::{Scope, Scopes};
use crate::value::{Credentials, Target};

/// What a check is evaluated with.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) creds: &'a dyn Credentials,
    pub(crate) target: &'a dyn Target,
}

pub(super) fn decide(
    rules: &Rules,
    rule: &Rule,
    creds: &dyn Credentials,
    target: &dyn Target,
) -> Decision {
    if rule.scopes != Scopes::ANY && !rule.scopes.accept(Scope::of(creds)) {
        return Decision::Denied(Denial::Scope);
    }
    let env = Env {
        rules,
        creds,
        target,
    };
    match holds(&rule.check, &env) {
        Ok(true) => Decision::Allowed,
        Ok(false) => Decision::Denied(Denial::Rule),
        Err(Fault) => Decision::Denied(Denial::Fault),
    }
}

/// Asks from left to right and no more than needed. A fault ends it at once, so that no `not` turns it into a yes.
pub(crate) fn holds(expr: &Expr<Reference>, env: &Env<'_>) -> Result<bool, Fault> {
    match expr {
        Expr::Always => Ok(true),
        Expr::Never => Ok(false),
        Expr::Not(inner) => holds(inner, env).map(|held| !held),
        Expr::All(parts) => {
            for part in parts {
                if !holds(part, env)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expr::Any(parts) => {
            for part in parts {
                if holds(part, env)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expr::Rule(reference) => match reference.to.and_then(|to| env.rules.at(to)) {
            Some(rule) => holds(&rule.check, env),
            None => Ok(false),
        },
        Expr::Leaf(leaf) => leaf.holds(env.creds, env.target),
    }
}
