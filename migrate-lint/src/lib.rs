//! Safety checks for SQL migrations.
//!
//! [`lint`](lint::lint) processes a history in version order and applies each statement to a simulated [`schema`]. Rules can
//! therefore ask which objects are new and which are deployed, which types columns have, when a constraint was validated, and
//! which locks the transaction holds. [`impact`] determines the locks, scans and rewrites of a statement; [`rules`] decide which
//! of them are hazards, and recommend a fix. Nothing here reads a file or connects to a database.

#![allow(missing_docs, reason = "a field or variant whose name says all has no comment; `tidy` wants one for every item")]

mod action_index;
mod allow;
pub mod codes;
mod context;
pub mod dependents;
mod effort;
pub mod fix;
pub mod folder_lint;
pub mod impact;
mod journal;
pub mod lint;
mod lock_tracker;
pub mod object_name;
pub mod other_tools;
pub mod owners;
pub mod parts;
mod persistent_map;
mod rebuild;
mod references;
pub mod relation;
mod round_trip;
pub mod rule;
pub mod rule_finding;
pub mod rule_page;
pub mod rules;
pub mod schema;
mod search_path;
pub mod server;
pub mod simulation;
mod statement_index;
mod type_change;
mod uncertainty;
mod volatility;
