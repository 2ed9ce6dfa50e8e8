//! What SQL migrations do to a database that is in use.
//!
//! [`lint`](lint::lint) walks over an ordered history once and carries each statement out on a [`schema`] that it keeps. So it
//! knows what is new and what is in use, which types columns have, what was validated when, and which locks a transaction
//! holds. [`impact`] says what a statement does to tables; [`rules`] say what of that hurts, and what to write instead. Nothing
//! here reads a file or asks a database.

mod allow;
pub mod codes;
pub mod elsewhere;
pub mod fix;
pub mod impact;
pub mod lint;
pub mod owners;
pub mod page;
mod rebuild;
pub mod report;
pub mod rule;
pub mod rules;
mod scene;
pub mod schema;
pub mod server;
pub mod simulation;
pub mod survey;
mod type_change;
mod undone;
mod volatility;
