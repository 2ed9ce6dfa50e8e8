//! The types for migration files, SQL statements and histories, and the functions that plan a run from them.
//!
//! `migrate-lint`, `migrate-macros`, `migrate-runtime` and `cargo-migrate` share this crate. It uses no database, no async, no
//! clock and no environment; only `folder` and `project` access the file system.
//!
//! Applications depend only on `migrate-runtime`, which re-exports the types that they need.

#![allow(missing_docs, reason = "a field or variant whose name says all has no comment; `tidy` wants one for every item")]

mod assignment;
pub mod atomicity;
pub mod catalog_table;
pub mod checksum;
pub mod client_command;
pub mod client_encoding;
pub mod code;
pub mod codes;
pub mod comparison;
mod compound;
mod cursor;
pub mod dialect;
pub mod diff;
pub mod directives;
pub mod divergence;
mod divergences;
mod do_block;
pub mod duration;
pub mod effect;
pub mod enum_value;
pub mod execution;
#[cfg(feature = "files")]
pub mod files;
pub mod finding;
pub mod finding_list;
pub mod history;
pub mod invalid_migrations;
pub mod key;
pub mod layout;
pub mod layouts;
pub mod lock_settings;
pub mod lock_strength;
pub mod migration;
pub mod migration_set;
pub mod name;
pub mod neighbors;
pub mod origin;
pub mod origins;
mod packed;
pub mod place;
pub mod plan;
pub mod plan_order;
pub mod plural;
pub mod policy;
mod quoting;
pub mod read_only;
pub mod reader;
#[cfg(feature = "render")]
pub mod render;
pub mod requirements;
pub mod resumption;
pub mod rollback_limit;
pub mod run_settings;
pub mod savepoint;
pub mod script;
pub mod script_plan;
pub mod service_graph;
pub mod session_effect;
pub mod set_builder;
pub mod set_settings;
pub mod statement;
pub mod suggestion;
pub mod syntax;
pub mod target;
pub mod token;
mod transaction_class;
pub mod version;
pub mod visible;
