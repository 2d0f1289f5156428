//! The verbs of the command line, one module each.

mod check;
mod init;
mod serve;
mod token;

pub(crate) use self::{check::check, init::init, serve::serve, token::token};
