//! The session settings that a script changes, as far as rules depend on them.

use crate::context::ParsedStatement;
use migrate_model::syntax::{Setting, Syntax};

/// The settings that apply to a statement.
#[derive(Debug, Default, Clone)]
pub struct SessionSettings {
    /// PostgreSQL: the time zone is UTC.
    pub utc: bool,
    /// MySQL: `foreign_key_checks` is off.
    pub foreign_keys_unchecked: bool,
    /// `None` if neither the script nor `migrate.toml` sets it.
    pub lock_timeout: Option<String>,
    /// `None` if neither the script nor `migrate.toml` sets it.
    pub statement_timeout: Option<String>,
    /// SQLite: the value of `PRAGMA foreign_keys`; `None` if the script does not set it.
    pub foreign_keys: Option<bool>,
}

/// The settings of a session, and those that its transaction restores when it ends.
#[derive(Debug)]
pub struct SessionState {
    settings: SessionSettings,
    /// Restored at the end of the transaction; present after the first `SET LOCAL`.
    outer: Option<SessionSettings>,
}

impl SessionState {
    /// The state before the first statement of a script.
    pub fn new(settings: SessionSettings) -> Self {
        SessionState { settings, outer: None }
    }

    /// The settings that apply now.
    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// Restores what `SET LOCAL` has changed.
    pub fn end_transaction(&mut self) {
        if let Some(outer) = self.outer.take() {
            self.settings = outer;
        }
    }

    /// Applies the settings that a statement changes. Returns `false` if the statement is a `SET LOCAL` outside a transaction,
    /// which has no effect.
    pub fn apply(&mut self, statement: &ParsedStatement) -> bool {
        match &statement.syntax {
            Syntax::Set(settings) if !statement.in_transaction && settings.iter().all(|setting| setting.local) => {
                self.outer = None;
                return false;
            }
            Syntax::Set(settings) => {
                if settings.iter().any(|setting| setting.local) {
                    self.outer.get_or_insert_with(|| self.settings.clone());
                }
                let before = self.settings.clone();
                settings.iter().for_each(|setting| self.settings.apply(setting));
                if statement.branch.is_some() {
                    self.settings.join(&before);
                }
            }
            // The pragma has no effect inside a transaction.
            Syntax::Pragma { .. } if statement.in_transaction => {}
            syntax => self.settings.apply_outside_transaction(syntax),
        }
        true
    }
}

impl SessionSettings {
    /// Applies the settings that a statement changes if it runs outside a transaction.
    pub fn apply_outside_transaction(&mut self, syntax: &Syntax) {
        match syntax {
            Syntax::Set(settings) => settings.iter().filter(|setting| !setting.local).for_each(|setting| self.apply(setting)),
            Syntax::Pragma { name, value: Some(value) } if name == "foreign_keys" => {
                self.foreign_keys = Some(!matches!(value.as_str(), "off" | "0" | "false" | "no"));
            }
            _ => {}
        }
    }

    /// Keeps what is the same as in other settings. What differs gets the value that suppresses no finding.
    fn join(&mut self, other: &SessionSettings) {
        self.utc &= other.utc;
        self.foreign_keys_unchecked &= other.foreign_keys_unchecked;
        self.foreign_keys = self.foreign_keys.filter(|_| self.foreign_keys == other.foreign_keys);
        self.lock_timeout = self.lock_timeout.take().filter(|timeout| other.lock_timeout.as_ref() == Some(timeout));
        self.statement_timeout =
            self.statement_timeout.take().filter(|timeout| other.statement_timeout.as_ref() == Some(timeout));
    }

    fn apply(&mut self, setting: &Setting) {
        let value = setting.value.as_deref();
        let is_utc = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "utc" | "0" | "etc/utc" | "gmt");
        match setting.name.as_str() {
            "timezone" => self.utc = value.is_some_and(is_utc),
            "foreign_key_checks" => {
                let value = value.map(|value| value.trim_matches(['\'', '"']).to_ascii_lowercase());
                self.foreign_keys_unchecked = value.is_some_and(|value| matches!(value.as_str(), "0" | "off" | "false"));
            }
            "lock_timeout" => self.lock_timeout = Some(value.unwrap_or("0").to_owned()),
            "statement_timeout" => self.statement_timeout = Some(value.unwrap_or("0").to_owned()),
            "all" if value.is_none() => *self = SessionSettings::default(),
            _ => {}
        }
    }
}
