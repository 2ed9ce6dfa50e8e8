//! What files, statements and histories are, and how a plan follows from them.
//!
//! Shared by `migrate-macros`, `migrate-runtime` and `cargo-migrate`. There is no database, no async, no clock and no
//! environment in here; only `folder` (and `lock_file`, `settings` through it) touches the file system.
//!
//! Applications depend on `migrate-runtime` alone, which re-exports what they need.

pub mod check;
pub mod checksum;
pub mod code;
pub mod codes;
pub mod contents;
pub mod course;
mod cursor;
pub mod dialect;
pub mod difference;
pub mod directives;
pub mod divergence;
pub mod duration;
pub mod effect;
pub mod execution;
pub mod finding;
pub mod folder;
pub mod history;
pub mod layout;
pub mod layouts;
pub mod lock_class;
pub mod lock_file;
pub mod locking;
pub mod migration;
pub mod migration_set;
pub mod name;
pub mod overview;
mod packed;
pub mod parallel;
pub mod place;
pub mod plan;
pub mod policy;
pub mod project;
pub mod reader;
pub mod render;
pub mod safety;
pub mod script;
pub mod settings;
pub mod statement;
pub mod suggestion;
pub mod syntax;
pub mod target;
pub mod token;
pub mod version;
