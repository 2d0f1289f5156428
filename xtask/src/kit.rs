//! What several verbs need.

pub(crate) mod admin;
pub(crate) mod build;
pub(crate) mod clock;
pub(crate) mod custody;
pub(crate) mod daemon;
pub(crate) mod debian;
pub(crate) mod hsm;
pub(crate) mod http;
pub(crate) mod keystone;
pub(crate) mod openbao;
pub(crate) mod peer;
pub(crate) mod pykmip;
pub(crate) mod python;
pub(crate) mod random;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod sums;
pub(crate) mod table;
pub(crate) mod tools;
pub(crate) mod workspace;
