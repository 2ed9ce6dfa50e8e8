//! What SQL migrations do to a database that is in use.
//!
//! [`lint`](lint::lint) walks over an ordered history once and carries each statement out on a [`schema`] that it keeps. So it
//! knows what is new and what is in use, which types columns have, what was validated when, and which locks a transaction
//! holds. [`impact`] says what a statement does to tables; [`rules`] say what of that hurts, and what to write instead. Nothing
//! here reads a file or asks a database.

mod allow;
pub mod codes;
mod context;
pub mod fix;
pub mod folder_lint;
pub mod impact;
pub mod lint;
pub mod object_name;
pub mod other_tools;
pub mod owners;
mod rebuild;
pub mod relation;
mod round_trip;
pub mod rule;
pub mod rule_finding;
pub mod rule_page;
pub mod rules;
pub mod schema;
pub mod server;
pub mod simulation;
mod type_change;
mod volatility;
