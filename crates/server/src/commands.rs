//! The verbs of the command line, one module each.

mod check;

pub(crate) use self::check::check;
