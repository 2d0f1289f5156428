//! OpenStack's policy rule language, as oslo.policy 6.0 reads it: parse rules, check them, explain the answer.
//!
//! A service brings rules along ([`RuleDefault`]), a policy file replaces some of them ([`PolicyFile`]), and the
//! resulting [`Rules`] decide whether a caller ([`Credentials`]) may do something to an object ([`Target`]). Rules are
//! data and pure: no I/O, no clock, no state. This crate imports no other of the workspace and knows no service;
//! reading files, reloading them and logging are up to whoever uses it.
//!
//! # The language
//!
//! ```text
//! rule  = "" | any                          the empty rule always allows
//! any   = all { "or" all }
//! all   = one { "and" one }
//! one   = "not" one | "(" any ")" | check
//! check = "@"                               always allows
//!       | "!"                               always denies
//!       | "role:" match                     the caller has the role; case doesn't matter
//!       | "rule:" name                      the other rule passes; one that is not there denies
//!       | literal ":" match                 the literal equals the right side
//!       | name { "." name } ":" match       an attribute of the caller equals the right side
//! match = { text | "%%" | "%(" name ")s" }  a value of the target stands for %(name)s; without it, the check denies
//! ```
//!
//! - Words stand between white space. Parentheses are operators at the ends of a word only. `and`, `or` and `not` may
//!   be in upper case. Everything after the first colon belongs to the right side, quotes included.
//! - Literals are `True`, `False`, `None`, decimal numbers and texts in quotes without backslashes.
//! - Values are compared by their text, which is Python's: `True`, `None`, `12`, `['a', 'b']`.
//! - Dots on the left side go down into attributes; of a list, any item may match. Names on the right side are looked
//!   up whole, as services flatten what they pass to oslo.policy.
//! - The old form of a rule, `[["role:a", "role:b"], ["role:c"]]`, means `(role:a and role:b) or role:c`.
//! - If there is a rule `default`, it stands for every reference to a rule that is not there.
//! - A rule may be for some scopes only. That is asked of the rule that is checked, not of those it refers to.
//!
//! # Where this crate is stricter
//!
//! Refused when rules are loaded, so that mistakes show before they let somebody in or keep everybody out:
//! - what can't be parsed (oslo.policy logs it and denies; [`Check::parse_lenient`] does that);
//! - `http:` and `https:`, which would ask another server;
//! - left sides that only Python's own parser understands, and other conversions than `%(name)s`;
//! - rules that refer to each other in a circle, deeper than 32 levels, or so that a decision takes over 50,000 steps;
//! - `not` before a reference to a rule that is not there;
//! - in files, values that are no texts (an empty one would allow always), and names that are there twice.
//!
//! Where oslo.policy raises an exception while it checks, as for `user_id.name:x`, the decision is
//! [`Denial::Fault`]. Attributes below an attribute, taken as one text, equal nothing.
//!
//! # Source
//! oslo.policy 6.0, module documentation and behaviour; `cargo xtask conformance policy` compares the two.

mod check;
mod parse;

mod leaf;
mod template;
mod value;

mod defaults;
mod file;
mod scope;

mod rules;

mod explain;

pub use check::{Check, Lenient};
pub use defaults::{DefaultSet, RuleDefault, TableError, TableProblem};
pub use explain::{Explanation, Outcome, Trace};
pub use file::{FileError, FileProblem, PolicyFile};
pub use parse::{ParseError, ParseErrorKind};
pub use rules::{Decision, Denial, LoadError, Notice, Origin, Rule, Rules};
pub use scope::{Scope, Scopes};
pub use value::{Credentials, Group, List, Target, Value};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
