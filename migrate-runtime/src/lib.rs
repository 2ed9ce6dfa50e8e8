//! Applies and reverts SQL migrations on PostgreSQL, MySQL, MariaDB and SQLite, through sqlx. Several processes may start at the
//! same time.
//!
//! Depend on this crate alone: it re-exports the macro and the types that the macro needs. Start with [`Migrator`].
//!
//! ```
//! use migrate_runtime::{MigrationSet, Migrator, embed_migrations};
//!
//! // Without an argument: the folder `migrations` of the package.
//! static MIGRATIONS: MigrationSet = embed_migrations!("examples/migrations");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! let report = Migrator::new(&MIGRATIONS).run(&pool).await?;
//! assert_eq!(report.done.len(), 1);
//! assert!(Migrator::new(&MIGRATIONS).is_up_to_date(&pool).await?);
//! sqlx::query("INSERT INTO users (email) VALUES ('a@example.org')").execute(&pool).await?;
//! # Ok(()) }) }
//! ```
//!
//! Features:
//! - `postgres`, `mysql`, `sqlite`: the databases; all are enabled by default.
//! - `tls-rustls`, `tls-native-tls`: TLS for PostgreSQL and MySQL.
//! - `files`: reads a folder of migrations at run time ([`MigrationSet::from_dir`]).
//!
//! A run needs a Tokio runtime with timers and I/O.

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
mod backend_error;
mod backends;
mod backoff;
pub mod codes;
mod completeness;
mod connection;
mod connection_parameters;
pub mod database;
mod database_source;
mod database_url;
mod early_start;
mod endpoint;
mod engine;
mod error;
mod event;
mod first_run;
mod history_change;
mod history_changes;
mod history_loss;
mod history_sql;
mod history_writers;
mod joint_migrator;
mod lease;
mod mentions;
mod migrator;
mod observation;
mod recovery;
mod rejection_help;
mod report;
mod run_options;
mod session;
mod shared_set;
mod sql_message;
mod status_report;
mod step;
mod step_errors;
mod steps;
mod stop_signal;
mod stored_scripts;
mod summary;
mod trigger_catalog;
mod trust;

pub use migrate_macros::embed_migrations;
pub use migrate_model::checksum::{Checksum, InvalidChecksum};
pub use migrate_model::code::Code;
pub use migrate_model::comparison::{MigrationState, MigrationStatus};
pub use migrate_model::dialect::{Dialect, UnknownDialect};
pub use migrate_model::directives::{Directives, Phase, Requirement};
pub use migrate_model::divergence::Divergence;
pub use migrate_model::execution::{TransactionMode, Unit};
pub use migrate_model::finding::{Finding, Level};
pub use migrate_model::history::{History, Record, RecordState, RecordedRun};
pub use migrate_model::invalid_migrations::InvalidMigrations;
pub use migrate_model::key::MigrationKey;
pub use migrate_model::lock_settings::{LockSettings, LockStrategy};
pub use migrate_model::migration::Migration;
pub use migrate_model::migration_set::{MigrationSet, SetSummary};
pub use migrate_model::place::{Place, Position, SourceSpan};
pub use migrate_model::plan::{Dependent, MissingRequirement, Plan, ScriptSource, Step};
pub use migrate_model::policy::{OutOfOrder, Policy};
pub use migrate_model::run_settings::{HistoryTables, RunSettings};
pub use migrate_model::script::Script;
pub use migrate_model::session_effect::catalog::{RoutineBody, TriggerCatalog};
pub use migrate_model::session_effect::table_engines::{NamedObject, TableEngines};
pub use migrate_model::set_builder::MigrationSetBuilder;
pub use migrate_model::set_settings::SetSettings;
pub use migrate_model::statement::{Reading, Statement};
pub use migrate_model::target::{Direction, Target};
pub use migrate_model::token::Quoting;
pub use migrate_model::version::{InvalidVersion, Version};

pub use crate::{
    database_source::Database,
    database_url::DatabaseUrl,
    error::{Error, ErrorKind},
    event::{Event, SessionInfo},
    history_writers::HistoryWriters,
    joint_migrator::{JointMigrator, ServiceReport},
    migrator::{Migrator, Resolution},
    report::{CompletedMigration, RunReport},
    run_options::Dependents,
    shared_set::SharedSet,
    status_report::{Activity, StatusReport},
    stop_signal::StopSignal,
};
