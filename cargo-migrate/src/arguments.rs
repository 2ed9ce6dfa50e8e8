//! The global options of the command line and the parsers of argument values.

use crate::color::Color;
use clap::{Args, ValueEnum};
use migrate_cli::{Audience, Output, Verbosity};
use migrate_model::dialect::Dialect;
use std::path::PathBuf;

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Database URL, such as postgres://user:password@host/name or sqlite:app.db
    #[arg(short = 'D', long, global = true, value_name = "URL", help_heading = "Global options")]
    pub database_url: Option<String>,
    /// Read the migrations from this folder, not from a cargo package; can be repeated, for several services
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub source: Vec<PathBuf>,
    /// Name of the service: the database records the applied migrations under this name [default: `service` in `migrate.toml`, else the package name or, with `--source` outside a package, the name of the folder]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub service: Option<String>,
    /// SQL dialect of the migrations; overrides `migrate.toml`
    #[arg(long, global = true, value_name = "postgres|mysql|mariadb|sqlite", help_heading = "Global options", value_parser = dialect)]
    pub dialect: Option<DialectArgument>,
    /// Select packages of the workspace, or services, by name, by pattern (`billing-*`) or by the path of the package; can be repeated
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub package: Vec<String>,
    /// Leave out packages or services by name, by pattern or by path; can be repeated
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub exclude: Vec<String>,
    /// Select every package of the workspace that has migrations
    #[arg(long, global = true, help_heading = "Global options")]
    pub workspace: bool,
    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, help_heading = "Global options")]
    pub format: Format,
    /// Answer yes to confirmation questions, such as those before a revert or before a database is dropped. This does not confirm a down migration that only the history contains; `--stored` of `down` and `redo` does
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub yes: bool,
    /// Suppress all messages except errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Show details: `lint` also shows findings of level `note` and lists every occurrence of a finding; `lock` also lists the newly locked files; `up`, `down` and `redo` also show the notices of the server
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
    /// Use colors [default: the environment variable `CARGO_TERM_COLOR`, else `auto`: only on a terminal]
    #[arg(long, global = true, value_enum, value_name = "WHEN", help_heading = "Global options")]
    // Only for the help text and for errors about the value: `Color::of` reads it before the command line is parsed.
    pub color: Option<Color>,
}

impl Global {
    /// Two options that exclude each other. `conflicts_with` would find them only if both are on the same side of the command.
    pub fn conflict(&self) -> Option<[&'static str; 2]> {
        let (has_package, has_source) = (!self.package.is_empty(), !self.source.is_empty());
        let conflicts = [
            (has_source && has_package, ["--source <DIR>", "--package <NAME>"]),
            (has_source && self.workspace, ["--source <DIR>", "--workspace"]),
            (has_source && !self.exclude.is_empty(), ["--source <DIR>", "--exclude <NAME>"]),
            (self.service.is_some() && self.workspace, ["--service <NAME>", "--workspace"]),
            (has_package && self.workspace, ["--package <NAME>", "--workspace"]),
            (self.verbose && self.quiet, ["--verbose", "--quiet"]),
        ];
        conflicts.into_iter().find_map(|(conflicts, options)| conflicts.then_some(options))
    }

    /// An output with the format and verbosity of the arguments.
    pub fn output(&self) -> Output {
        let audience = if self.format == Format::Human { Audience::People } else { Audience::Program };
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        Output::new(audience, verbosity)
    }
}

/// The output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text: tables and messages.
    Human,
    /// One JSON document on stdout; see docs/format.md.
    Json,
    /// SARIF 2.1.0, for code scanning (`lint` and `check`).
    Sarif,
    /// GitHub Actions annotations (`lint` and `check`).
    Github,
}

/// The value of `--dialect`. MySQL and MariaDB share a dialect, but the safety rules treat them as two servers.
#[derive(Debug, Clone)]
pub struct DialectArgument {
    pub dialect: Dialect,
    /// The value as given, which also names the server.
    pub word: String,
}

fn dialect(text: &str) -> Result<DialectArgument, String> {
    let dialect = text.parse().map_err(|error: migrate_model::dialect::UnknownDialect| error.to_string())?;
    Ok(DialectArgument { dialect, word: text.to_owned() })
}
