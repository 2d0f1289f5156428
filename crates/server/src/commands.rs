//! The verbs of the command line, one module each.

mod ask;
mod check;
mod init;
mod policy;
mod serve;
mod token;

pub(crate) use self::{check::check, init::init, policy::policy, serve::serve, token::token};
