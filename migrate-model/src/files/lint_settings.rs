//! The settings of the safety rules in `migrate.toml`. The rules are in `migrate-lint`.

use crate::finding::Level;
use crate::place::Place;
use std::str::FromStr;

/// How the findings of the safety rules affect the compilation of the application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LintMode {
    /// The rules do not run.
    Off,
    /// Errors become warnings.
    Warn,
    /// Errors fail the build.
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

/// The setting of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSetting {
    /// The name of the rule.
    pub name: String,
    /// The level of its findings; `None` disables the rule.
    pub level: Option<Level>,
    /// The place of the setting in `migrate.toml`.
    pub place: Place,
}

/// All settings of the safety rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LintSettings {
    /// How findings affect a build.
    pub mode: LintMode,
    /// The database server and its version, such as `postgres 14`, and the place of the setting.
    pub server: Option<(String, Place)>,
    /// The levels of single rules.
    pub rules: Vec<RuleSetting>,
    /// Tables that are declared to be small.
    pub small_tables: Vec<String>,
    /// The lock timeout from the settings `lock-timeout` or `session`, as text for messages.
    pub lock_timeout: Option<String>,
    /// The statement timeout from the settings `timeout` or `session`, as text for messages.
    pub statement_timeout: Option<String>,
    /// Tables that belong to this service, even if another service creates them.
    pub owns: Vec<String>,
}
