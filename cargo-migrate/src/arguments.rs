//! What the command line may say to every command, and how its values are read.

use clap::{Args, ValueEnum};
use migrate_model::dialect::Dialect;
use migrate_model::lock_settings::LockStrategy;
use std::path::PathBuf;

/// What every command understands.
#[derive(Debug, Args)]
pub struct Global {
    /// The database, such as postgres://user:password@host/name or sqlite:app.db
    #[arg(short = 'D', long, global = true, value_name = "URL", help_heading = "Global options")]
    pub database_url: Option<String>,
    /// Read this folder, without cargo
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options", conflicts_with_all = ["package", "workspace"])]
    pub source: Option<PathBuf>,
    /// Keep the history under this name instead of the package's
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options", conflicts_with = "workspace")]
    pub service: Option<String>,
    /// The SQL that the migrations are written in, where nothing else says it
    #[arg(long, global = true, value_name = "postgres|mysql|mariadb|sqlite", help_heading = "Global options", value_parser = dialect)]
    pub dialect: Option<DialectArgument>,
    /// The package of the workspace to work on; may be given several times
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Global options", conflicts_with = "workspace")]
    pub package: Vec<String>,
    /// Work on every package of the workspace that has migrations
    #[arg(long, global = true, help_heading = "Global options")]
    pub workspace: bool,
    /// For people or for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, help_heading = "Global options")]
    pub format: Format,
    /// Do not ask before reverting or dropping
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub yes: bool,
    /// Say only what went wrong
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, help_heading = "Global options", conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables and sentences.
    Human,
    /// One JSON document on stdout; see docs/format.md.
    Json,
    /// SARIF 2.1.0, for code scanning (`lint` only).
    Sarif,
    /// Annotations of GitHub Actions (`lint` only).
    Github,
}

/// What `--dialect` says: MySQL and MariaDB are one dialect and two servers.
#[derive(Debug, Clone)]
pub struct DialectArgument {
    /// The SQL.
    pub dialect: Dialect,
    /// The word for it.
    pub word: String,
}

fn dialect(text: &str) -> Result<DialectArgument, String> {
    let dialect = text.parse().map_err(|error: migrate_model::dialect::UnknownDialect| error.to_string())?;
    Ok(DialectArgument { dialect, word: text.to_owned() })
}

/// A duration on the command line.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    migrate_model::duration::parse(text).ok_or_else(|| format!("`{text}` is not a duration; write `500ms`, `30s`, `10m`"))
}

/// What keeps other processes out, on the command line.
pub fn lock_strategy(text: &str) -> Result<LockStrategy, String> {
    text.parse().map_err(|()| format!("`{text}` is none of `{}`", LockStrategy::ALL.map(LockStrategy::name).join("`, `")))
}

/// A version on the command line.
pub fn version(text: &str) -> Result<migrate_model::version::Version, String> {
    text.parse().map_err(|error: migrate_model::version::InvalidVersion| error.to_string())
}

/// A number of migrations on the command line.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("`{text}` is not a number from 1"))
}
