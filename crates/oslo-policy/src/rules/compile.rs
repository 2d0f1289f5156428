//! Resolves references, and refuses what would not end.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::{LoadError, Notice, Rule, Rules, Source};
use crate::check::Expr;
use crate::leaf::Leaf;

/// A reference to a rule by its index, which is `None` if there is no such rule.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    name: Arc<str>,
    pub(crate) to: Option<usize>,
}

pub(super) fn compile(sources: Vec<Source>, mut notices: Vec<Notice>) -> Result<Rules, LoadError> {
    let mut index = HashMap::with_capacity(sources.len());
    for (at, source) in sources.iter().enumerate() {
        if index.insert(Arc::clone(&source.name), at).is_some() {
            return Err(LoadError::Duplicate(source.name.to_string()));
        }
    }
    // oslo.policy takes the rule of this name for every one that is not there.
    let fallback = index.get(FALLBACK).copied();
    let mut leaves = HashSet::new();
    let mut rules = Vec::with_capacity(sources.len());
    for source in sources {
        let mut check = source.check.map(&mut |name| {
            let to = index.get(name).copied().or(fallback);
            if to.is_none() {
                notices.push(Notice::Undefined {
                    rule: source.name.to_string(),
                    reference: name.to_string(),
                });
            }
            Reference {
                name: index
                    .get_key_value(name)
                    .map_or_else(|| Arc::clone(name), |(own, _)| Arc::clone(own)),
                to,
            }
        });
        share(&mut check, &mut leaves);
        rules.push(Rule {
            name: source.name,
            check,
            scopes: source.scopes,
            origin: source.origin,
        });
    }
    measure(&rules)?;
    Ok(Rules {
        rules,
        index,
        notices,
    })
}

/// Keeps one copy of checks that occur several times.
fn share(expr: &mut Expr<Reference>, leaves: &mut HashSet<Arc<Leaf>>) {
    match expr {
        Expr::Leaf(leaf) => match leaves.get(leaf) {
            Some(known) => *leaf = Arc::clone(known),
            None => {
                leaves.insert(Arc::clone(leaf));
            }
        },
        Expr::All(parts) | Expr::Any(parts) => {
            parts.iter_mut().for_each(|part| share(part, leaves))
        }
        Expr::Not(inner) => share(inner, leaves),
        Expr::Always | Expr::Never | Expr::Rule(_) => {}
    }
}

// === circles, depth and cost ===

/// What a rule may need in the worst case.
#[derive(Clone, Copy)]
struct Measure {
    /// Levels of references.
    depth: usize,
    /// Nodes visited.
    steps: usize,
}

struct Walk<'a> {
    rules: &'a [Rule],
    done: Vec<Option<Measure>>,
    /// The rules being measured, outermost first.
    path: Vec<usize>,
}

fn measure(rules: &[Rule]) -> Result<(), LoadError> {
    let mut walk = Walk {
        rules,
        done: vec![None; rules.len()],
        path: Vec::new(),
    };
    for at in 0..rules.len() {
        walk.rule(at)?;
    }
    Ok(())
}

impl Walk<'_> {
    /// Recurses as deep as references may nest, because the path is bounded.
    fn rule(&mut self, at: usize) -> Result<Measure, LoadError> {
        if let Some(start) = self.path.iter().position(|own| *own == at) {
            let circle = self.path.iter().skip(start).chain([&at]);
            return Err(LoadError::Circle(circle.map(|at| self.name(*at)).collect()));
        }
        if let Some(Some(known)) = self.done.get(at) {
            return Ok(*known);
        }
        let rules = self.rules;
        let Some(rule) = rules.get(at) else {
            return Ok(Measure { depth: 0, steps: 0 });
        };
        if self.path.len() > REFERENCES_MAX {
            return Err(LoadError::TooDeep(
                self.name(self.path.first().copied().unwrap_or(at)),
            ));
        }
        self.path.push(at);
        let mut total = Measure { depth: 0, steps: 0 };
        self.expr(&rule.check, &mut total)?;
        self.path.pop();
        if total.depth > REFERENCES_MAX {
            return Err(LoadError::TooDeep(self.name(at)));
        }
        if total.steps > STEPS_MAX {
            return Err(LoadError::TooCostly(self.name(at)));
        }
        if let Some(slot) = self.done.get_mut(at) {
            *slot = Some(total);
        }
        Ok(total)
    }

    fn expr(&mut self, expr: &Expr<Reference>, total: &mut Measure) -> Result<(), LoadError> {
        total.steps = total.steps.saturating_add(1);
        if let Expr::Rule(Reference { to: Some(to), .. }) = expr {
            let inner = self.rule(*to)?;
            total.depth = total.depth.max(inner.depth + 1);
            total.steps = total.steps.saturating_add(inner.steps);
        }
        expr.parts()
            .iter()
            .try_for_each(|part| self.expr(part, total))
    }

    fn name(&self, at: usize) -> String {
        self.rules
            .get(at)
            .map_or_else(String::new, |rule| rule.name.to_string())
    }
}

// === undefined references under `not` ===

/// # Errors
/// [`LoadError::NegatedUndefined`].
pub(super) fn refuse_negated_undefined(rules: &[Rule]) -> Result<(), LoadError> {
    let mut known = vec![None; rules.len()];
    for rule in rules {
        let found = negated(&rule.check).find_map(|inner| undefined(inner, rules, &mut known));
        if let Some(reference) = found {
            return Err(LoadError::NegatedUndefined {
                rule: rule.name.to_string(),
                reference: reference.to_string(),
            });
        }
    }
    Ok(())
}

/// What stands under the outermost `not`s of a rule.
fn negated(expr: &Expr<Reference>) -> Box<dyn Iterator<Item = &Expr<Reference>> + '_> {
    match expr {
        Expr::Not(inner) => Box::new(std::iter::once(&**inner)),
        other => Box::new(other.parts().iter().flat_map(negated)),
    }
}

/// The first reference to a rule that is not there, followed through other rules, of which `known` keeps the results.
fn undefined(
    expr: &Expr<Reference>,
    rules: &[Rule],
    known: &mut Vec<Option<Option<Arc<str>>>>,
) -> Option<Arc<str>> {
    let Expr::Rule(reference) = expr else {
        return expr
            .parts()
            .iter()
            .find_map(|part| undefined(part, rules, known));
    };
    let Some(to) = reference.to else {
        return Some(Arc::clone(&reference.name));
    };
    if let Some(Some(found)) = known.get(to) {
        return found.clone();
    }
    let found = rules
        .get(to)
        .and_then(|rule| undefined(&rule.check, rules, known));
    if let Some(slot) = known.get_mut(to) {
        *slot = Some(found.clone());
    }
    found
}

// === impl Reference ===

impl Reference {
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The rule that oslo.policy takes for one that is not there; its setting `policy_default_rule` has this default.
const FALLBACK: &str = "default";

/// How deep references may nest, so that no set of rules exhausts the stack.
pub(super) const REFERENCES_MAX: usize = 32;

/// How many nodes a decision may visit: about a millisecond. Barbican's rules need 60.
pub(super) const STEPS_MAX: usize = 50_000;
