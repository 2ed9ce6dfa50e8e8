//! The command `cargo migrate`.
//!
//! It can be started as `cargo migrate ...`, `cargo-migrate migrate ...` and `cargo-migrate ...`.

mod arguments;
mod ci_files;
mod ci_reports;
mod codes;
mod color;
mod command;
mod commands;
mod completion;
mod connection_source;
mod database_url;
mod described_change;
mod env_file;
mod file_writer;
mod git;
mod harmless_session;
mod known_schema;
mod known_services;
mod loaded_project;
mod lock_file_guard;
mod lock_findings;
mod migration_files;
mod other_words;
mod packages;
mod recorded_history;
mod relative_paths;
mod shared_database;
mod template;

use clap::{CommandFactory, FromArgMatches, Parser};
use color::Color;
use migrate_cli::{CommandError, Exit};
use migrate_model::visible;
use std::cell::OnceCell;
use std::process::ExitCode;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-migrate",
    bin_name = "cargo migrate",
    version,
    about = "Create, check, apply and revert SQL migrations for PostgreSQL, MySQL/MariaDB and SQLite",
    after_help = "Exit codes:\n\
                  \x20   0: success\n\
                  \x20   1: any other failure, or a signal stopped the run after the current statement\n\
                  \x20   2: usage error\n\
                  \x20   3: `status --check`: a migration is pending, out of order or partially applied\n\
                  \x20   4: the migration files, the lock file or `migrate.toml` contain errors, or a safety rule reports an error\n\
                  \x20   5: the migration files do not match the database history, rows of the history are missing, another history shows that the migrations have already been applied, `repair` did not accept a file, or a revert needs stored SQL, but `--stored` is missing and no terminal is available\n\
                  \x20   6: the migration lock was not acquired in time, or was lost during the run\n\
                  \x20   7: a migration failed, or its precondition (the gate query) did not return true\n\
                  \x20 130: aborted by a second signal\n\n\
                  The database URL is taken from the first of these sources that specifies one:\n\
                  --database-url, the environment, the file `.env`. The environment and `.env` can\n\
                  each specify it as DATABASE_URL, or as DB_HOST, DB_PORT, DB_USER, DB_PASSWORD,\n\
                  DB_NAME and DB_SSLMODE. Variables of the two places are never combined.",
    propagate_version = true
)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
    #[command(flatten)]
    global: arguments::Global,
}

fn main() -> ExitCode {
    let mut arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // Cargo runs `cargo-migrate migrate ...`.
    if arguments.get(1).is_some_and(|first| first == "migrate") {
        arguments.remove(1);
    }
    // A completion script asks for the candidates for one of these words.
    if let Some(index) = std::env::var(completion::INDEX).ok().and_then(|index| index.parse().ok()) {
        print!("{}", completion::candidates(Arguments::command(), arguments, index));
        return ExitCode::SUCCESS;
    }
    let has_hidden = arguments.iter().any(|argument| argument.to_string_lossy().contains(visible::is_hidden));
    let color = Color::of(&arguments, std::env::var("CARGO_TERM_COLOR").ok().as_deref()).apply();
    let matches = Arguments::command().color(color).try_get_matches_from(arguments);
    let parsed =
        matches.and_then(|matches| Arguments::from_arg_matches(&matches)).and_then(|parsed| match parsed.global.conflict() {
            Some([option, other]) => {
                let message = format!("the argument '{option}' cannot be used with '{other}'");
                Err(Arguments::command().color(color).error(clap::error::ErrorKind::ArgumentConflict, message))
            }
            None => Ok(parsed),
        });
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(mut error) => {
            other_words::add_suggestion(&mut error);
            // Help and version go to stdout with exit code 0, errors to stderr with 2.
            let code = error.exit_code();
            if has_hidden && code != 0 {
                eprint!("{}", visible::lines(&error.render().to_string()));
            } else {
                let _ = error.print();
            }
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    let output = parsed.global.output();
    migrate_cli::server_notices::collect();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&CommandError::from(error));
            return ExitCode::from(1);
        }
    };
    let metadata = OnceCell::new();
    let context =
        command::Context { global: &parsed.global, output: &output, metadata: &metadata, command_line: Arguments::command };
    match runtime.block_on(commands::run(parsed.command, &context)) {
        Ok(Exit::Done) if output.write_failed() => ExitCode::from(1),
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}
