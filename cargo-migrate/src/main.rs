//! `cargo migrate`: the command.
//!
//! Answers to `cargo migrate ...`, `cargo-migrate migrate ...` and `cargo-migrate ...` alike.

mod arguments;
mod ci_files;
mod ci_reports;
mod command;
mod commands;
mod database_url;
mod exit;
mod failure;
mod git;
mod loaded_project;
mod lock_file_guard;
mod migration_files;
mod output;
mod packages;
mod progress;
mod relative_paths;
mod shared_database;
mod signals;
mod template;

use clap::{CommandFactory, FromArgMatches, Parser};
use std::process::ExitCode;

/// Schema changes that cannot lose data and cannot surprise production.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-migrate",
    bin_name = "cargo migrate",
    version,
    about = "SQL migrations for PostgreSQL, MySQL/MariaDB and SQLite: made, checked, applied, reverted, explained",
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 pending (status --check), 4 findings,\n\
                  5 files and history disagree, 6 lock not obtained, 7 migration failed.\n\n\
                  The database: --database-url, DATABASE_URL, or DB_HOST, DB_PORT, DB_USER, DB_PASSWORD,\n\
                  DB_NAME, DB_SSLMODE; `.env` is read.",
    propagate_version = true,
    disable_help_subcommand = true
)]
struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: commands::Command,
    /// Where and how.
    #[command(flatten)]
    global: arguments::Global,
}

fn main() -> ExitCode {
    let mut arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // Cargo calls `cargo-migrate migrate ...`.
    if arguments.get(1).is_some_and(|first| first == "migrate") {
        arguments.remove(1);
    }
    let matches = Arguments::command().try_get_matches_from(arguments);
    let parsed = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version go to stdout with 0, wrong usage to stderr with 2.
            let code = error.exit_code();
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    let output = output::Output::new(&parsed.global);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&failure::CommandError::from(error));
            return ExitCode::from(1);
        }
    };
    let context = command::Context { global: &parsed.global, output: &output, command_line: Arguments::command };
    match runtime.block_on(commands::run(parsed.command, &context)) {
        Ok(exit::Exit::Done) if output.write_failed() => ExitCode::from(1),
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}
