//! The role of a session: scripts may set another one, and the history is written with the role of the run.

use super::history_dialect;
use crate::backend::UnitRun;
use crate::mentions::Mention;
use migrate_model::session_effect::SessionEffect;

/// Returns the role of the session. MySQL returns a list of quoted names, MariaDB one name or NULL.
pub const CURRENT_ROLE: &str = "SELECT CURRENT_ROLE()";

/// The role that the run has, and whether a script may have set another.
#[derive(Debug, Default)]
pub struct SessionRole {
    /// What follows `SET ROLE`; empty if the server has no roles. `None` until it was asked for.
    pub of_run: Option<String>,
    /// Which one the session may have now.
    pub current: CurrentRole,
}

/// Whose role a session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CurrentRole {
    /// That of the run.
    #[default]
    OfRun,
    /// Perhaps one that a script has set.
    OfScript,
}

impl SessionRole {
    /// A statement that sets the role of the run, if a script may have set another.
    pub fn set_own_sql(&self) -> Option<String> {
        let role = self.of_run.as_ref().filter(|role| self.current == CurrentRole::OfScript && !role.is_empty());
        role.map(|role| set_sql(role))
    }
}

/// A statement that sets a role.
pub fn set_sql(role: &str) -> String {
    format!("SET ROLE {role}")
}

/// What follows `SET ROLE` in a statement that sets the role which the server has returned.
pub fn operand(answer: Option<&str>) -> String {
    match answer {
        None | Some("NONE") => "NONE".to_owned(),
        Some(role) if role.contains('`') => role.to_owned(),
        Some(role) => (history_dialect::DIALECT.quote)(role),
    }
}

/// Whether a unit may set another role: by its text, or in a routine.
pub fn may_be_set_by(unit_run: &UnitRun<'_>) -> bool {
    unit_run.mentions.has(Mention::Role) || unit_run.session_effect >= SessionEffect::Unrepeatable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_as_servers_return_them() {
        for (answer, expected) in [
            (None, "NONE"),
            (Some("NONE"), "NONE"),
            (Some("it's `x`"), "it's `x`"),
            (Some("app role"), "`app role`"),
            (Some("`a`@`%`,`b`@`%`"), "`a`@`%`,`b`@`%`"),
        ] {
            assert_eq!(operand(answer), expected);
        }
    }
}
