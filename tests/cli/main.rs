//! The `donjon` program as an operator meets it: verbs, messages, files, exit
//! codes. Black box: nothing of the workspace is imported.

mod support;

mod config;
mod first_start;
mod folder;
mod root_key;
mod running;
mod tokens;
mod verbs;
