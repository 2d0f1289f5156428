//! From the text of a rule to its tree.
//!
//! The grammar is in the crate's documentation. What is wrong is collected, not thrown, because oslo.policy, whose
//! reading [`Check::parse_lenient`] follows, goes on after a check that it does not understand.

mod tokens;

use std::fmt;
use std::sync::Arc;

use crate::check::{Check, Expr, Lenient};
use crate::leaf::{Leaf, Unknown};
use tokens::{Token, tokens};

/// What is wrong with the text of a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (column {column})")]
pub struct ParseError {
    column: usize,
    kind: ParseErrorKind,
}

/// What is wrong with the text of a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// White space and nothing else. oslo.policy denies, though an empty text allows.
    #[error("white space alone is no rule; `@` and the empty text allow always, `!` denies")]
    Blank,
    /// A check, `not` or `(` must stand here.
    #[error("expected a check, found {found}")]
    ExpectedCheck {
        /// What stands there.
        found: String,
    },
    /// `and`, `or`, `)` or the end must stand here.
    #[error("expected `and` or `or`, found {found}")]
    ExpectedOperator {
        /// What stands there.
        found: String,
    },
    /// A `(` without its `)`.
    #[error("`(` is not closed")]
    Unclosed,
    /// A word in quotes, which is no check. One side of a check may be quoted, but not the whole of it.
    #[error("{0} is a quoted text and no check")]
    Quoted(String),
    /// A word without a colon.
    #[error("{0:?} is no check: it has no colon")]
    NoColon(String),
    /// `http:` and `https:` would ask another server for each decision. Refused, though part of the language.
    #[error("{0:?} would ask another server, which is not supported")]
    Remote(String),
    /// The left side is neither a literal nor a dotted name. oslo.policy leaves it to Python's parser what that means.
    #[error("{0:?} on the left side is neither a literal ('text', 12, True, None) nor a name")]
    Kind(String),
    /// The right side has a `%` with another meaning than `%%` or `%(name)s`.
    #[error("{0:?} on the right side uses `%` in another way than `%(name)s` or `%%`")]
    Match(String),
    /// `not` and parentheses nest too deep.
    #[error("more than {NESTING_MAX} levels of `not` and parentheses")]
    TooDeep,
}

/// A tree with what was wrong on the way.
pub(crate) struct Parsed {
    expr: Expr<Arc<str>>,
    problems: Vec<ParseError>,
}

pub(crate) fn text(text: &str) -> Parsed {
    if text.is_empty() {
        return Parsed {
            expr: Expr::Always,
            problems: Vec::new(),
        };
    }
    let mut parser = Parser {
        tokens: tokens(text).collect(),
        at: 0,
        nesting: 0,
        end: text.chars().count() + 1,
        problems: Vec::new(),
    };
    let expr = parser.rule().unwrap_or_else(|Stuck(problem)| {
        parser.problems.push(problem);
        Expr::Never
    });
    Parsed {
        expr,
        problems: parser.problems,
    }
}

pub(crate) fn lists<S: AsRef<str>>(lists: &[Vec<S>]) -> Parsed {
    let mut problems = Vec::new();
    let mut check = |text: &S| {
        check(text.as_ref()).unwrap_or_else(|kind| {
            problems.push(ParseError { column: 1, kind });
            Expr::Never
        })
    };
    let any = lists
        .iter()
        .filter(|list| !list.is_empty())
        .map(|list| one_or(Expr::All, list.iter().map(&mut check).collect()))
        .collect();
    let expr = if lists.is_empty() {
        Expr::Always
    } else {
        one_or(Expr::Any, any)
    };
    Parsed { expr, problems }
}

// === impl ParseError ===

impl ParseError {
    /// Where in the text of the rule, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// Whether the text is right for oslo.policy, but more than this crate does.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.kind,
            ParseErrorKind::Remote(_)
                | ParseErrorKind::Kind(_)
                | ParseErrorKind::Match(_)
                | ParseErrorKind::TooDeep
        )
    }
}

// === impl Parsed ===

impl Parsed {
    pub(crate) fn strict(self) -> Result<Check, ParseError> {
        let first = self
            .problems
            .into_iter()
            .min_by_key(|problem| problem.column);
        first.map_or(Ok(Check(self.expr)), Err)
    }

    pub(crate) fn lenient(self) -> Lenient {
        Lenient {
            check: Check(self.expr),
            problems: self.problems,
        }
    }
}

// === impl Parser ===

struct Parser<'a> {
    /// Each with its column.
    tokens: Vec<(Token<'a>, usize)>,
    at: usize,
    nesting: usize,
    /// The column after the last character.
    end: usize,
    problems: Vec<ParseError>,
}

/// The text is no rule at all.
struct Stuck(ParseError);

type Step = Result<Expr<Arc<str>>, Stuck>;

impl<'a> Parser<'a> {
    fn rule(&mut self) -> Step {
        if self.tokens.is_empty() {
            return Err(self.stuck(ParseErrorKind::Blank));
        }
        let expr = self.any()?;
        match self.peek() {
            None => Ok(expr),
            Some(token) => Err(self.stuck(ParseErrorKind::ExpectedOperator {
                found: token.to_string(),
            })),
        }
    }

    fn any(&mut self) -> Step {
        let mut parts = vec![self.all(false)?];
        while self.take(Token::Or) {
            parts.push(self.all(true)?);
        }
        Ok(one_or(Expr::Any, parts))
    }

    /// `after_or`: oslo.policy adds `c` to the parentheses in `a or (b) and c` if they hold an `and` themselves.
    fn all(&mut self, after_or: bool) -> Step {
        let mut parts = vec![self.one()?];
        while self.take(Token::And) {
            if let [Expr::All(inner)] = parts.as_mut_slice()
                && after_or
            {
                parts = std::mem::take(inner);
            }
            parts.push(self.one()?);
        }
        Ok(one_or(Expr::All, parts))
    }

    fn one(&mut self) -> Step {
        let (start, token) = (self.column(), self.peek());
        match token {
            Some(Token::Not) => {
                self.at += 1;
                let inner = self.nested(Self::one)?;
                Ok(Expr::Not(Box::new(inner)))
            }
            Some(Token::Open) => {
                self.at += 1;
                let inner = self.nested(Self::any)?;
                if self.take(Token::Close) {
                    return Ok(inner);
                }
                Err(match self.peek() {
                    None => Stuck(ParseError {
                        column: start,
                        kind: ParseErrorKind::Unclosed,
                    }),
                    Some(token) => self.stuck(ParseErrorKind::ExpectedOperator {
                        found: token.to_string(),
                    }),
                })
            }
            Some(Token::Check(text)) => {
                self.at += 1;
                Ok(check(text).unwrap_or_else(|kind| {
                    self.problems.push(ParseError {
                        column: start,
                        kind,
                    });
                    Expr::Never
                }))
            }
            Some(Token::Quoted(text)) => Err(self.stuck(ParseErrorKind::Quoted(text.to_owned()))),
            Some(token @ (Token::And | Token::Or | Token::Close)) => {
                Err(self.stuck(ParseErrorKind::ExpectedCheck {
                    found: token.to_string(),
                }))
            }
            None => Err(self.stuck(ParseErrorKind::ExpectedCheck {
                found: "the end".to_owned(),
            })),
        }
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Step) -> Step {
        if self.nesting == NESTING_MAX {
            return Err(self.stuck(ParseErrorKind::TooDeep));
        }
        self.nesting += 1;
        let expr = parse(self);
        self.nesting -= 1;
        expr
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    fn take(&mut self, wanted: Token<'_>) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn column(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.end, |(_, column)| *column)
    }

    fn stuck(&self, kind: ParseErrorKind) -> Stuck {
        Stuck(ParseError {
            column: self.column(),
            kind,
        })
    }
}

/// One check: `!`, `@` or `kind:match`.
fn check(text: &str) -> Result<Expr<Arc<str>>, ParseErrorKind> {
    match text {
        "!" => return Ok(Expr::Never),
        "@" => return Ok(Expr::Always),
        _ => {}
    }
    let sides = text.split_once(':');
    let (kind, matched) = sides.ok_or_else(|| ParseErrorKind::NoColon(text.to_owned()))?;
    match kind {
        "http" | "https" => Err(ParseErrorKind::Remote(text.to_owned())),
        "rule" => Ok(Expr::Rule(matched.into())),
        _ => match Leaf::parse(kind, matched) {
            Ok(leaf) => Ok(Expr::Leaf(Arc::new(leaf))),
            Err(Unknown::Kind) => Err(ParseErrorKind::Kind(kind.to_owned())),
            Err(Unknown::Match) => Err(ParseErrorKind::Match(matched.to_owned())),
        },
    }
}

/// The only part, or an operator over several; none deny.
fn one_or<R>(operator: fn(Vec<Expr<R>>) -> Expr<R>, mut parts: Vec<Expr<R>>) -> Expr<R> {
    if parts.len() > 1 {
        return operator(parts);
    }
    parts.pop().unwrap_or(Expr::Never)
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::And => f.write_str("`and`"),
            Self::Or => f.write_str("`or`"),
            Self::Not => f.write_str("`not`"),
            Self::Check(text) | Self::Quoted(text) => write!(f, "{text:?}"),
        }
    }
}

/// How deep `not` and parentheses may nest, so that no rule exhausts the stack.
pub(crate) const NESTING_MAX: usize = 64;

#[cfg(test)]
mod tests;
