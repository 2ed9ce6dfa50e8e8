//! Refuses a script that drops or renames the schema or the database in which its own history is.

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_sql::HistorySql;
use migrate_model::dialect::Dialect;
use migrate_model::plan::{ScriptSource, Step};
use migrate_model::reader;
use migrate_model::session_effect;
use migrate_model::syntax::{ObjectKind, Syntax};
use migrate_model::token::{Token, Tokens};

/// Why a step must not run: it would drop or move the history. On MySQL nothing could be undone then, and the migration could not be
/// recorded.
pub fn obstacle(history_sql: &HistorySql, step: &Step<'_>, dialect: Dialect) -> Option<Error> {
    let ScriptSource::File(script) = step.source else { return None };
    let schema = history_sql.schema()?;
    let action = |sql: &str| {
        let drops = drops(sql, schema, dialect).then_some("drops");
        drops.or_else(|| renames(sql, schema, dialect).then_some("renames"))
    };
    let actions = script.statements.iter().map(|statement| action(statement.sql(&script.text)));
    let (at, action) = actions.enumerate().find_map(|(at, action)| Some((at, action?)))?;
    let message = format!("`{}` {action} `{schema}`, which contains the history of these migrations", step.title);
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

/// `ALTER SCHEMA s RENAME TO t`
fn renames(sql: &str, schema: &str, dialect: Dialect) -> bool {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).take(4).collect();
    let [alter, kind, name, rename] = tokens.as_slice() else { return false };
    let is_renaming = alter.is_word(sql, "ALTER") && kind.is_word(sql, "SCHEMA") && rename.is_word(sql, "RENAME");
    is_renaming && name.text(sql).trim_matches('"').eq_ignore_ascii_case(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_are_renamed() {
        for (sql, expected) in [
            ("ALTER SCHEMA app RENAME TO old", true),
            ("alter schema \"app\" rename to old", true),
            ("ALTER SCHEMA other RENAME TO app", false),
            ("ALTER SCHEMA app OWNER TO o", false),
            ("ALTER TABLE app RENAME TO old", false),
        ] {
            assert_eq!(renames(sql, "app", Dialect::Postgres), expected, "{sql}");
        }
    }

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
