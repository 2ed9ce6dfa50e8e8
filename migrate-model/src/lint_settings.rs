//! What `migrate.toml` says about the safety rules. Which rules there are is known in `migrate-lint`.

use crate::finding::Level;
use crate::place::Place;
use std::str::FromStr;

/// What is done with what the rules find when the application is compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LintMode {
    /// Nothing is looked for.
    Off,
    /// Errors are warnings.
    Warn,
    /// Errors end the build.
    #[default]
    Deny,
}

impl FromStr for LintMode {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "off" => Ok(LintMode::Off),
            "warn" => Ok(LintMode::Warn),
            "deny" => Ok(LintMode::Deny),
            _ => Err(()),
        }
    }
}

/// What is said of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSetting {
    /// Its name.
    pub name: String,
    /// What it weighs; not looked for when none.
    pub level: Option<Level>,
    /// Where that is said.
    pub place: Place,
}

/// What is said about the rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LintSettings {
    /// What a build does.
    pub mode: LintMode,
    /// The database server and its version, such as `postgres 14`, and where that is said.
    pub server: Option<(String, Place)>,
    /// Single rules.
    pub rules: Vec<RuleSetting>,
    /// Tables that are known to stay small.
    pub small_tables: Vec<String>,
    /// What is said of `lock_timeout` elsewhere: as a setting, or for the session.
    pub lock_timeout: Option<String>,
    /// The same of `statement_timeout`.
    pub statement_timeout: Option<String>,
    /// Tables that belong to this service, whoever made them.
    pub owns: Vec<String>,
}
