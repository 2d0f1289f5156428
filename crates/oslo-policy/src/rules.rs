//! Rules that decide: references resolved, circles refused.

mod compile;
mod eval;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::check::{Check, Expr};
use crate::defaults::{DefaultSet, RuleDefault};
use crate::explain::Explanation;
use crate::file::PolicyFile;
use crate::parse::ParseError;
use crate::scope::Scopes;
use crate::value::{Credentials, Target};
use compile::Reference;

/// A set of rules, ready to decide. Immutable; to change rules, make another set and replace the whole.
///
/// References between rules are resolved and free of circles, and a decision takes a bounded number of steps.
/// The default is no rule at all, which denies everything.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    index: HashMap<Arc<str>, usize>,
    notices: Vec<Notice>,
}

/// One rule of a set.
#[derive(Clone, Debug)]
pub struct Rule {
    name: Arc<str>,
    check: Expr<Reference>,
    scopes: Scopes,
    origin: Origin,
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The service's own.
    Default,
    /// The policy file.
    File,
}

/// The answer to a check. Only [`Decision::Allowed`] lets the caller in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a decision that is not looked at protects nothing"]
pub enum Decision {
    /// The rule passed.
    Allowed,
    /// Anything else.
    Denied(Denial),
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The rule says no.
    #[error("the rule denies")]
    Rule,
    /// The rule asks for another scope than the caller's.
    #[error("the caller's scope is not the rule's")]
    Scope,
    /// There is no such rule.
    #[error("there is no such rule")]
    UnknownRule,
    /// An attribute of the caller has another form than the rule expects, as in `user_id.name:x`. oslo.policy raises
    /// an exception then.
    #[error("an attribute of the caller has another form than the rule expects")]
    Fault,
}

/// Something in a policy file that is not wrong, but likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The file has a rule of which the service has no default. It takes effect only where other rules refer to it.
    NewRule {
        /// Its name.
        rule: String,
        /// Where it stands in the file, from 1.
        line: usize,
    },
    /// A rule refers to one that is not there. That part of it denies.
    Undefined {
        /// The rule that refers.
        rule: String,
        /// The name that is not there.
        reference: String,
    },
}

/// Why a set of rules can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A rule is not in the policy language.
    #[error("rule {rule:?}: {source}")]
    Parse {
        /// Its name.
        rule: String,
        /// What is wrong.
        source: ParseError,
    },
    /// Two rules have this name.
    #[error("rule {0:?} is there twice")]
    Duplicate(String),
    /// Rules that refer to each other. The first and the last name are the same.
    #[error("rules refer to each other in a circle: {}", .0.join(" -> "))]
    Circle(Vec<String>),
    /// `not` stands before a reference to a rule that is not there, directly or through other rules. Since such a
    /// reference denies, `not` would let everybody in.
    #[error("rule {rule:?} denies by `not rule:{reference}`, and there is no rule {reference:?}")]
    NegatedUndefined {
        /// The rule with the `not`.
        rule: String,
        /// The name that is not there.
        reference: String,
    },
    /// References nest too deep.
    #[error("rule {0:?} refers to rules more than {max} levels deep", max = compile::REFERENCES_MAX)]
    TooDeep(String),
    /// A decision could take too many steps.
    #[error("rule {0:?} could take more than {max} steps to decide", max = compile::STEPS_MAX)]
    TooCostly(String),
}

// === impl Rules ===

impl Rules {
    /// Makes a set of a service's defaults.
    ///
    /// # Errors
    /// A rule is no rule, or there twice, or what [`LoadError`] says of the whole.
    pub fn from_defaults(defaults: &[RuleDefault], set: DefaultSet) -> Result<Self, LoadError> {
        let mut sources = Vec::with_capacity(defaults.len());
        for default in defaults {
            let parse = |text: &str| {
                Check::parse(text).map_err(|source| LoadError::Parse {
                    rule: default.name.clone(),
                    source,
                })
            };
            let new = parse(&default.check)?;
            let legacy = default
                .legacy
                .as_deref()
                .filter(|legacy| *legacy != default.check);
            let check = match (set, legacy) {
                (DefaultSet::NewOrLegacy, Some(legacy)) => {
                    Check(Expr::Any(vec![new.0, parse(legacy)?.0]))
                }
                (DefaultSet::New, _) | (_, None) => new,
            };
            sources.push(Source {
                name: default.name.as_str().into(),
                check: check.0,
                scopes: default.scopes,
                origin: Origin::Default,
            });
        }
        Self::strict(sources, Vec::new())
    }

    /// This set with the rules of a policy file in place of its own of the same names. Scopes stay the same.
    ///
    /// Call it on the defaults, not on a set that a file has changed already.
    ///
    /// # Errors
    /// What [`LoadError`] says of the whole. This set is not touched, so it can stay in force.
    pub fn with_overrides(&self, file: &PolicyFile) -> Result<Self, LoadError> {
        let mut sources: Vec<Source> = self.rules.iter().map(Source::from_rule).collect();
        let mut notices = Vec::new();
        for (name, check, line) in file.rules() {
            if let Some(source) = self.index.get(name).and_then(|at| sources.get_mut(*at)) {
                source.check = check.0.clone();
                source.origin = Origin::File;
                continue;
            }
            notices.push(Notice::NewRule {
                rule: name.to_owned(),
                line,
            });
            sources.push(Source {
                name: name.into(),
                check: check.0.clone(),
                scopes: Scopes::ANY,
                origin: Origin::File,
            });
        }
        Self::strict(sources, notices)
    }

    /// Makes a set of parsed rules, for any scope, as lenient as oslo.policy: `not` may stand before a reference to a
    /// rule that is not there.
    ///
    /// # Errors
    /// A name is there twice, or circles, depth and cost as [`LoadError`] says.
    pub fn from_checks<N: AsRef<str>>(
        checks: impl IntoIterator<Item = (N, Check)>,
    ) -> Result<Self, LoadError> {
        let sources = checks.into_iter().map(|(name, check)| Source {
            name: name.as_ref().into(),
            check: check.0,
            scopes: Scopes::ANY,
            origin: Origin::Default,
        });
        compile::compile(sources.collect(), Vec::new())
    }

    fn strict(sources: Vec<Source>, notices: Vec<Notice>) -> Result<Self, LoadError> {
        let rules = compile::compile(sources, notices)?;
        compile::refuse_negated_undefined(&rules.rules)?;
        Ok(rules)
    }

    /// Decides whether `creds` may do what `rule` guards to `target`.
    ///
    /// Does not block and, for rules in ASCII whose right sides are one value each, does not allocate.
    pub fn check(&self, rule: &str, creds: &dyn Credentials, target: &dyn Target) -> Decision {
        match self.rule(rule) {
            Some(rule) => eval::decide(self, rule, creds, target),
            None => Decision::Denied(Denial::UnknownRule),
        }
    }

    /// Decides as [`Rules::check`] does and tells how it came to that. Slower; allocates.
    #[must_use]
    pub fn explain(&self, rule: &str, creds: &dyn Credentials, target: &dyn Target) -> Explanation {
        Explanation::new(self, rule, creds, target)
    }

    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.index.get(name).and_then(|at| self.rules.get(*at))
    }

    /// All rules: the defaults in their order, then those that only the file has.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// What is likely not meant.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    pub(crate) fn at(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }
}

// === impl Rule ===

impl Rule {
    /// How requests and other rules name it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scopes that it accepts.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn check(&self) -> &Expr<Reference> {
        &self.check
    }
}

/// The rule in the policy language.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.check.fmt(f)
    }
}

// === impl Decision ===

impl Decision {
    /// Whether the caller may go on.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(denial) => write!(f, "denied: {denial}"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewRule { rule, line } => {
                write!(
                    f,
                    "line {line}: rule {rule:?} has no default and takes effect only where other rules refer to it"
                )
            }
            Self::Undefined { rule, reference } => {
                write!(
                    f,
                    "rule {rule:?} refers to {reference:?}, which is not there, so that part denies"
                )
            }
        }
    }
}

/// A rule before its references are resolved.
struct Source {
    name: Arc<str>,
    check: Expr<Arc<str>>,
    scopes: Scopes,
    origin: Origin,
}

impl Source {
    fn from_rule(rule: &Rule) -> Self {
        Self {
            name: Arc::clone(&rule.name),
            check: rule.check.map(&mut |reference| reference.name()),
            scopes: rule.scopes,
            origin: rule.origin,
        }
    }
}

pub(crate) use compile::Reference as RuleReference;
pub(crate) use eval::{Env, holds};

#[cfg(test)]
mod tests;
