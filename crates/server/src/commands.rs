//! The verbs of the command line, one module each.

mod ask;
mod check;
mod convert;
#[cfg(feature = "pkcs11")]
mod hsm;
mod init;
mod policy;
mod projects;
mod root_key;
mod rotate;
mod serve;
mod token;

#[cfg(feature = "pkcs11")]
pub(crate) use self::hsm::hsm;
pub(crate) use self::{
    check::check, convert::convert, init::init, policy::policy, projects::projects,
    root_key::root_key, rotate::rotate, serve::serve, token::token,
};
