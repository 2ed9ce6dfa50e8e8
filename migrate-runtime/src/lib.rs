//! Applies and reverts SQL migrations over sqlx: on PostgreSQL, MySQL/MariaDB and SQLite, safely under concurrent starts.
//!
//! Depend on this crate alone: it re-exports the macro and what it needs. [`Migrator`] is where to begin.
//!
//! ```no_run
//! # async fn example(pool: sqlx::PgPool) -> Result<(), migrate_runtime::Error> {
//! use migrate_runtime::{MigrationSet, Migrator};
//! # fn migrations() -> &'static MigrationSet { unimplemented!() }
//! // static MIGRATIONS: MigrationSet = migrate_runtime::embed_migrations!();
//! # let migrations = migrations();
//! # #[cfg(any())]
//! let migrations = &MIGRATIONS;
//! Migrator::new(migrations).run(&pool).await?;
//! # Ok(()) }
//! ```
//!
//! Features `postgres`, `mysql` and `sqlite` (all on by default) choose the databases.

#![cfg_attr(
    not(all(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        unreachable_code,
        reason = "each database uses a part of what they share"
    )
)]

mod backend;
mod backends;
mod backoff;
pub mod codes;
mod connection;
pub mod database;
mod endpoint;
mod engine;
mod error;
mod event;
mod history_change;
mod history_sql;
mod lease;
mod migrator;
mod recovery;
mod report;
mod run_options;
mod sql_message;
mod step;
mod step_changes;
mod stop_signal;

pub use migrate_macros::embed_migrations;
pub use migrate_model::comparison::{MigrationState, MigrationStatus};
pub use migrate_model::lock_settings::LockStrategy;
pub use migrate_model::migration::Migration;
pub use migrate_model::migration_set::MigrationSet;
pub use migrate_model::policy::OutOfOrder;
pub use migrate_model::target::{Direction, Target};
pub use migrate_model::version::Version;

pub use crate::{
    backends::{Database, url_without_password},
    error::{Error, ErrorKind},
    event::{Event, SessionInfo, describe as describe_holder},
    migrator::{Migrator, Resolution, StatusReport},
    report::{CompletedMigration, RunReport},
    run_options::RunOptions,
    stop_signal::StopSignal,
};
