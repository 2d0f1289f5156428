//! The verbs of the command line, one module each.

mod ask;
mod check;
mod convert;
mod doctor;
#[cfg(feature = "pkcs11")]
mod hsm;
mod init;
mod man;
mod policy;
mod progress;
mod projects;
mod root_key;
mod rotate;
mod secrets;
mod serve;
mod shred;
mod token;

#[cfg(feature = "pkcs11")]
pub(crate) use self::hsm::hsm;
pub(crate) use self::{
    check::check, convert::convert, doctor::doctor, init::init, man::man, policy::policy,
    projects::projects, root_key::root_key, rotate::rotate, secrets::secrets, serve::serve,
    shred::shred, token::token,
};
