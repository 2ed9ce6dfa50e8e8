//! The commands of `cargo migrate` that need a database and a migration set, but no source files: `up`, `down`, `redo`,
//! `status`, `verify`, `plan`, `resolve`, `repair`, `wait` and `db`.
//!
//! `cargo-migrate` runs them over the packages of a workspace; an application can run them over its embedded migrations. Both
//! implement [`ServiceSource`], which answers with the [`Service`]s that a command works on.

pub mod command;
pub mod commands;
mod edits;
pub mod exit;
pub mod failure;
mod joint_plan;
mod joint_run;
pub mod output;
mod progress;
mod revert;
mod run;
pub mod server_notices;
pub mod service;
mod signals;
mod stored_scripts;
pub mod values;
pub mod views;
pub mod words;

pub use crate::{
    command::Context,
    commands::Command,
    exit::Exit,
    failure::CommandError,
    output::{Audience, Output, Verbosity},
    service::{Service, ServiceSource, SummarizedService},
};
