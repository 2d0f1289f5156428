//! The verbs of the command line, one module each.

mod ask;
mod check;
mod init;
mod policy;
mod projects;
mod root_key;
mod rotate;
mod serve;
mod token;

pub(crate) use self::{
    check::check, init::init, policy::policy, projects::projects, root_key::root_key,
    rotate::rotate, serve::serve, token::token,
};
