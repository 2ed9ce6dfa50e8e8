//! The settings of a project for commands that ask a database and must run nothing that a file of the repository contains.

use migrate_model::dialect::Dialect;
use migrate_model::files::project::Project;
use migrate_model::session_effect;

/// The project with those statements of `session` that only set something for the session.
pub fn of(project: &Project, dialect: Dialect) -> Project {
    let mut project = project.clone();
    project.settings.run.session.retain(|statement| is_harmless(statement, dialect));
    project
}

fn is_harmless(statement: &str, dialect: Dialect) -> bool {
    let statement = statement.trim_end().trim_end_matches(';');
    // A second statement must not follow, nor be hidden in what only some servers read as a string.
    if statement.contains([';', '\\']) {
        return false;
    }
    let text = statement.to_ascii_uppercase();
    // What holds for the server, what opens or creates a file, and what changes the form of one: a file in the mode `wal` leaves it.
    let is_wider = ["GLOBAL", "PERSIST", "PASSWORD", "ATTACH", "JOURNAL_MODE"].iter().any(|word| text.contains(word));
    !is_wider && session_effect::is_setting(statement, dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_of_the_session_are_kept() {
        for (dialect, statement, expected) in [
            (Dialect::Postgres, "SET search_path = app", true),
            (Dialect::Postgres, "SET ROLE owner", true),
            (Dialect::Postgres, "SELECT set_config('search_path', 'app', false)", true),
            (Dialect::Postgres, "SELECT set_config('search_path', f(), false)", false),
            (Dialect::Postgres, "INSERT INTO t VALUES (1)", false),
            (Dialect::Postgres, "COPY (SELECT 1) TO PROGRAM 'touch x'", false),
            (Dialect::Postgres, "DO $$ BEGIN DELETE FROM t; END $$", false),
            (Dialect::Postgres, "SELECT f()", false),
            (Dialect::Postgres, "SET work_mem = '4MB'; INSERT INTO t VALUES (1)", false),
            (Dialect::Postgres, "SET work_mem = '4MB';", true),
            (Dialect::Postgres, "SET search_path = app -- why", true),
            (Dialect::MySql, "SET sql_mode = ''; DELETE FROM t", false),
            (Dialect::MySql, "SET @a = 'x\\'; DELETE FROM t -- '", false),
            (Dialect::MySql, "SET @a = (SELECT f())", false),
            (Dialect::MySql, "SET STATEMENT max_statement_time = 1 FOR DELETE FROM t", false),
            (Dialect::MySql, "SET sql_mode = '' /*!50000 , GLOBAL general_log = 1 */", false),
            (Dialect::Sqlite, "PRAGMA foreign_keys = OFF; DELETE FROM t", false),
            (Dialect::MySql, "SET FOREIGN_KEY_CHECKS = 0", true),
            (Dialect::MySql, "SET GLOBAL general_log = 1", false),
            (Dialect::MySql, "SET @@global.general_log = 1", false),
            (Dialect::MySql, "SET @a = f()", false),
            (Dialect::MySql, "CALL p()", false),
            (Dialect::Sqlite, "PRAGMA foreign_keys = OFF", true),
            (Dialect::Sqlite, "ATTACH '/etc/x' AS x", false),
            (Dialect::Sqlite, "PRAGMA journal_mode = MEMORY", false),
            (Dialect::Sqlite, "PRAGMA main.journal_mode = OFF", false),
            (Dialect::Sqlite, "PRAGMA default_cache_size = 77", false),
            (Dialect::Sqlite, "DELETE FROM t", false),
        ] {
            assert_eq!(is_harmless(statement, dialect), expected, "{statement}");
        }
    }
}
