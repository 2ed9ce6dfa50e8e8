//! Refuses a script that drops the schema or the database in which its own history is.

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_sql::HistorySql;
use migrate_model::dialect::Dialect;
use migrate_model::plan::{ScriptSource, Step};
use migrate_model::reader;
use migrate_model::session_effect;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Why a step must not run: it would drop the history. On MySQL nothing could be undone then, and the migration could not be
/// recorded.
pub fn obstacle(history_sql: &HistorySql, step: &Step<'_>, dialect: Dialect) -> Option<Error> {
    let ScriptSource::File(script) = step.source else { return None };
    let schema = history_sql.schema()?;
    let at = script.statements.iter().position(|statement| drops(statement.sql(&script.text), schema, dialect))?;
    let message = format!("`{}` drops `{schema}`, which contains the history of these migrations", step.title);
    let error = Error::new(ErrorKind::Setting, &codes::DROPS_HISTORY, message).at(Some(script.place(at)));
    let error = error.note("state", "aborted before running anything");
    let error = error.help(format!("drop the objects in `{schema}` one by one; or store the history elsewhere: set `schema` under `[history]` in `migrate.toml`"));
    Some(error.help("to drop the database, create it again and apply all migrations, run `cargo migrate db reset`"))
}

fn drops(sql: &str, schema: &str, dialect: Dialect) -> bool {
    // Whether the case counts depends on the server.
    let is_history = |name: &str| name.eq_ignore_ascii_case(schema);
    let drops = |sql: &str| match reader::read(sql, dialect) {
        Syntax::Drop(drop) if matches!(drop.kind, ObjectKind::Schema | ObjectKind::Database) => {
            drop.names.iter().any(|name| is_history(&name.name))
        }
        _ => false,
    };
    // `mysqldump` writes `/*!40000 DROP DATABASE ... */`.
    drops(sql) || session_effect::executable_parts(sql, dialect).any(drops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_and_databases_that_are_dropped() {
        for (sql, dialect, expected) in [
            ("DROP DATABASE app", Dialect::MySql, true),
            ("drop schema if exists `App`", Dialect::MySql, true),
            ("/*!40000 DROP DATABASE IF EXISTS `app`*/", Dialect::MySql, true),
            ("DROP DATABASE other", Dialect::MySql, false),
            ("DROP TABLE app", Dialect::MySql, false),
            ("DROP SCHEMA app CASCADE", Dialect::Postgres, true),
            ("DROP SCHEMA IF EXISTS x, \"app\" CASCADE", Dialect::Postgres, true),
            ("DROP SCHEMA app_old CASCADE", Dialect::Postgres, false),
        ] {
            assert_eq!(drops(sql, "app", dialect), expected, "{sql}");
        }
    }
}
