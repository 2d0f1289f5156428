//! The tree of a parsed rule.

use std::fmt;
use std::sync::Arc;

use crate::leaf::Leaf;
use crate::parse;
use crate::parse::ParseError;

/// A parsed rule. Displays in the form in which oslo.policy prints its own.
///
/// It answers nothing by itself, because it may refer to other rules: see [`Rules`](crate::Rules).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check(pub(crate) Expr<Arc<str>>);

/// What [`Check::parse_lenient`] made of a text.
#[derive(Clone, Debug)]
pub struct Lenient {
    /// The rule, in which parts that could not be parsed deny.
    pub check: Check,
    /// What was wrong, if anything.
    pub problems: Vec<ParseError>,
}

/// A tree whose references to other rules are an `R`: a name once parsed, an index once compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr<R> {
    /// `@`
    Always,
    /// `!`
    Never,
    Not(Box<Self>),
    /// Two or more.
    All(Vec<Self>),
    /// Two or more.
    Any(Vec<Self>),
    Rule(R),
    Leaf(Arc<Leaf>),
}

impl Check {
    /// Parses a rule. The empty text always allows.
    ///
    /// # Errors
    /// The first place where `text` is not the policy language, or uses a part of it that this crate refuses.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::text(text).strict()
    }

    /// Parses the old form of a rule: lists of checks that must all pass, of which one list suffices. An item is one
    /// check, without operators. Lists that are empty don't count, but without any list the rule always allows.
    ///
    /// # Errors
    /// As [`Check::parse`], for the first item that is no check.
    pub fn parse_lists<S: AsRef<str>>(lists: &[Vec<S>]) -> Result<Self, ParseError> {
        parse::lists(lists).strict()
    }

    /// Parses a rule as oslo.policy does: what can't be parsed denies, the whole rule or, if it is a single check that
    /// is not understood, that check alone. Checks that this crate refuses deny as well and are among the problems.
    #[must_use]
    pub fn parse_lenient(text: &str) -> Lenient {
        parse::text(text).lenient()
    }

    /// As [`Check::parse_lenient`], for the old form of a rule.
    #[must_use]
    pub fn parse_lists_lenient<S: AsRef<str>>(lists: &[Vec<S>]) -> Lenient {
        parse::lists(lists).lenient()
    }

    /// Whether this is `@` or `!`, which ask nothing.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self.0, Expr::Always | Expr::Never)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<R> Expr<R> {
    /// The same tree with other references.
    pub(crate) fn map<T>(&self, reference: &mut impl FnMut(&R) -> T) -> Expr<T> {
        match self {
            Self::Always => Expr::Always,
            Self::Never => Expr::Never,
            Self::Not(inner) => Expr::Not(Box::new(inner.map(reference))),
            Self::All(parts) => Expr::All(parts.iter().map(|part| part.map(reference)).collect()),
            Self::Any(parts) => Expr::Any(parts.iter().map(|part| part.map(reference)).collect()),
            Self::Rule(name) => Expr::Rule(reference(name)),
            Self::Leaf(leaf) => Expr::Leaf(Arc::clone(leaf)),
        }
    }

    /// The parts of a tree, one level down.
    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) | Self::Any(parts) => parts,
            Self::Not(inner) => std::slice::from_ref(inner),
            Self::Always | Self::Never | Self::Rule(_) | Self::Leaf(_) => &[],
        }
    }
}

impl<R: fmt::Display> fmt::Display for Expr<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], operator| {
            for (number, part) in parts.iter().enumerate() {
                f.write_str(if number == 0 { "(" } else { operator })?;
                part.fmt(f)?;
            }
            f.write_str(")")
        };
        match self {
            Self::Always => f.write_str("@"),
            Self::Never => f.write_str("!"),
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Rule(name) => write!(f, "rule:{name}"),
            Self::Leaf(leaf) => leaf.fmt(f),
        }
    }
}
