//! The initial text of a new migration: SQL generated from its description.

use migrate_model::dialect::Dialect;

/// The texts of a new migration.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// The up migration.
    pub up: String,
    /// The down migration.
    pub down: String,
}

/// The description as a file name: in lower case, with words joined by `_`, and at most 100 characters long.
pub fn file_name(description: &str) -> String {
    let mut name = String::new();
    for c in description.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    // Punctuation at the end of the description leaves a trailing `_`.
    let name = name.trim_end_matches('_');
    let shortened: String = name.chars().take(100).collect();
    shortened.trim_end_matches('_').to_owned()
}

/// Generates SQL from a description. If the description is not recognized, the texts contain a comment as a placeholder.
pub fn from_description(description: &str, dialect: Option<Dialect>, name: &str) -> Template {
    let words: Vec<String> = description
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !["the", "a", "an"].contains(word)).collect();
    let (up, down) = statements(&words, dialect).unwrap_or_else(|| {
        let up = "-- Write the SQL of the change here.\n".to_owned();
        (up, "-- Write the SQL that reverts the change here.\n".to_owned())
    });
    let title = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = if title.is_empty() { name.to_owned() } else { title };
    Template { up: format!("-- Description: {title}\n\n{up}"), down: format!("-- Description: revert: {title}\n\n{down}") }
}

fn statements(words: &[&str], dialect: Option<Dialect>) -> Option<(String, String)> {
    let without = |words: &[&str], noise: &[&str]| -> Vec<String> {
        let kept = words.iter().filter(|word| !noise.contains(*word));
        kept.map(|word| (*word).to_owned()).collect()
    };
    match words {
        ["index", rest @ ..] | ["add" | "create", "index", rest @ ..] => {
            let at = rest.iter().position(|word| *word == "on")?;
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            // "index orders on user_id" or "add index on orders user_id".
            let (table, columns) = match before {
                [table] => (*table, after),
                [] => (*after.first()?, &after[1..]),
                _ => return None,
            };
            let columns = without(columns, &["and", "columns", "column"]);
            (!columns.is_empty()).then(|| index(table, &columns, dialect))
        }
        ["create" | "add", "table", rest @ ..] | ["create", rest @ ..] => {
            let table = single(&without(rest, &["table"]))?;
            let table = identifier(&table, dialect);
            Some((create_table(&table, dialect), format!("DROP TABLE {table};\n")))
        }
        ["drop" | "remove" | "delete", "table", rest @ ..] => drop_table(&identifier(&single(&without(rest, &[]))?, dialect)),
        ["add", rest @ ..] => {
            let at = rest.iter().rposition(|word| *word == "to")?;
            let table = single(&without(&rest[at + 1..], &["table"]))?;
            let columns = without(&rest[..at], &["column", "columns", "and", "field"]);
            (!columns.is_empty()).then(|| add_columns(&table, &columns, dialect))
        }
        ["drop" | "remove" | "delete", rest @ ..] => match rest.iter().rposition(|word| *word == "from") {
            Some(at) => {
                let table = single(&without(&rest[at + 1..], &["table"]))?;
                let columns = without(&rest[..at], &["column", "columns", "and", "field"]);
                let (down, up) = add_columns(&table, &columns, dialect);
                (!columns.is_empty()).then_some((up, down))
            }
            None => drop_table(&identifier(&single(&without(rest, &["table"]))?, dialect)),
        },
        ["rename", rest @ ..] => {
            let words = ["to", "in", "on"];
            let rest = without(rest, &["table", "column"]).into_iter();
            let rest: Vec<String> =
                rest.map(|word| if words.contains(&word.as_str()) { word } else { identifier(&word, dialect) }).collect();
            match rest.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [from, "to", to] => {
                    Some((format!("ALTER TABLE {from} RENAME TO {to};\n"), format!("ALTER TABLE {to} RENAME TO {from};\n")))
                }
                [from, "to", to, "in" | "on", table] => Some((
                    format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to};\n"),
                    format!("ALTER TABLE {table} RENAME COLUMN {to} TO {from};\n"),
                )),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Joins at most three words to a name: `user preferences` becomes `user_preferences`.
fn single(words: &[String]) -> Option<String> {
    let stop = ["to", "from", "on", "in", "and", "with", "for", "index", "view", "function", "trigger", "type"];
    let name = words.join("_");
    let plain = !words.is_empty() && words.len() <= 3 && !words.iter().any(|word| stop.contains(&word.as_str()));
    (plain && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

fn create_table(table: &str, dialect: Option<Dialect>) -> String {
    let (id, created) = match dialect {
        Some(Dialect::Postgres) => ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "timestamptz NOT NULL DEFAULT now()"),
        Some(Dialect::MySql) => {
            ("bigint NOT NULL AUTO_INCREMENT PRIMARY KEY", "datetime(6) NOT NULL DEFAULT current_timestamp(6)")
        }
        Some(Dialect::Sqlite) | None => ("integer PRIMARY KEY", "text NOT NULL DEFAULT current_timestamp"),
    };
    format!("CREATE TABLE {table} (\n    id {id},\n    created_at {created}\n);\n")
}

fn drop_table(table: &str) -> Option<(String, String)> {
    let down = format!(
        "-- The rows cannot be restored. Write the CREATE TABLE statement of `{table}` here to create an empty table, or remove this file and write\n-- `-- migrate: irreversible: REASON` at the top of the up migration.\n"
    );
    Some((format!("DROP TABLE {table};\n"), down))
}

fn add_columns(table: &str, columns: &[String], dialect: Option<Dialect>) -> (String, String) {
    let table = identifier(table, dialect);
    let join_statements = |statement: &dyn Fn(&String, String) -> String| {
        columns.iter().map(|column| statement(column, identifier(column, dialect))).collect::<String>()
    };
    (
        join_statements(&|column, quoted| format!("ALTER TABLE {table} ADD COLUMN {quoted} {};\n", column_type(column))),
        join_statements(&|_, quoted| format!("ALTER TABLE {table} DROP COLUMN {quoted};\n")),
    )
}

/// A name as SQL, with reserved words quoted.
fn identifier(name: &str, dialect: Option<Dialect>) -> String {
    let quote = if dialect == Some(Dialect::MySql) { '`' } else { '"' };
    let quoted = |part: &str| if RESERVED.contains(&part) { format!("{quote}{part}{quote}") } else { part.to_owned() };
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// Likely names of tables and columns that at least one of the databases reserves. Sources: PostgreSQL 15 manual, appendix C;
/// MariaDB knowledge base, "Reserved Words"; MySQL 8.4 manual 11.3; SQLite, "SQLite Keywords".
const RESERVED: [&str; 104] = [
    "add",
    "all",
    "alter",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "before",
    "between",
    "both",
    "by",
    "call",
    "cascade",
    "case",
    "cast",
    "change",
    "check",
    "collate",
    "column",
    "condition",
    "constraint",
    "continue",
    "create",
    "cross",
    "cube",
    "current_date",
    "cursor",
    "database",
    "databases",
    "default",
    "delete",
    "desc",
    "describe",
    "distinct",
    "do",
    "drop",
    "each",
    "else",
    "empty",
    "end",
    "except",
    "exists",
    "exit",
    "explain",
    "fetch",
    "for",
    "force",
    "foreign",
    "from",
    "full",
    "function",
    "generated",
    "grant",
    "group",
    "groups",
    "having",
    "if",
    "ignore",
    "in",
    "index",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "keys",
    "kill",
    "lag",
    "lead",
    "left",
    "like",
    "limit",
    "load",
    "lock",
    "loop",
    "match",
    "not",
    "null",
    "of",
    "offset",
    "on",
    "option",
    "or",
    "order",
    "over",
    "primary",
    "range",
    "rank",
    "read",
    "references",
    "release",
    "return",
    "row",
    "rows",
    "schema",
    "system",
    "table",
    "trigger",
    "usage",
    "user",
    "values",
    "window",
];

/// Guesses the type of a column from its name. The user reviews the result in the generated file.
fn column_type(column: &str) -> &'static str {
    match column {
        name if name.ends_with("_id") || name.ends_with("_count") => "bigint",
        name if name.ends_with("_at") => "timestamp",
        name if name.ends_with("_on") || name.ends_with("date") => "date",
        name if name.starts_with("is_") || name.starts_with("has_") => "boolean",
        _ => "varchar(255)",
    }
}

fn index(table: &str, columns: &[String], dialect: Option<Dialect>) -> (String, String) {
    let name = format!("idx_{}_{}", table.replace('.', "_"), columns.join("_"));
    let list: Vec<String> = columns.iter().map(|column| identifier(column, dialect)).collect();
    let (list, table) = (list.join(", "), identifier(table, dialect));
    match dialect {
        // Without CONCURRENTLY, CREATE INDEX blocks writes to the table until it finishes.
        Some(Dialect::Postgres) => {
            (format!("CREATE INDEX CONCURRENTLY {name} ON {table} ({list});\n"), format!("DROP INDEX CONCURRENTLY {name};\n"))
        }
        Some(Dialect::MySql) => {
            (format!("CREATE INDEX {name} ON {table} ({list});\n"), format!("DROP INDEX {name} ON {table};\n"))
        }
        Some(Dialect::Sqlite) | None => (format!("CREATE INDEX {name} ON {table} ({list});\n"), format!("DROP INDEX {name};\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_normalized() {
        assert_eq!(file_name("Add User Preferences (v2)!"), "add_user_preferences_v2");
        assert_eq!(file_name("../../etc/passwd"), "etc_passwd");
        assert_eq!(file_name("größe hinzufügen"), "größe_hinzufügen");
        assert_eq!(file_name("  --  "), "");
    }

    #[test]
    fn descriptions_that_are_understood() {
        let mut text = String::new();
        for (description, dialect) in [
            ("create users table", Dialect::Postgres),
            ("create user preferences table", Dialect::MySql),
            ("add table orders", Dialect::Sqlite),
            ("add email to users", Dialect::Postgres),
            ("add email and last_seen_at to the users table", Dialect::MySql),
            ("index orders on user_id", Dialect::Postgres),
            ("add index on orders user_id and state", Dialect::MySql),
            ("drop old_users", Dialect::Postgres),
            ("remove email from users", Dialect::Sqlite),
            ("rename users to people", Dialect::Sqlite),
            ("rename name to full_name in users", Dialect::Postgres),
            ("add user preferences", Dialect::Postgres),
            ("create index", Dialect::Postgres),
            ("create user table", Dialect::Postgres),
            ("add order to group", Dialect::MySql),
            ("index order on key", Dialect::Sqlite),
            ("fix things", Dialect::Postgres),
        ] {
            let template = from_description(description, Some(dialect), "name");
            text.push_str(&format!("{description} ({dialect})\n{}{}\n", template.up, template.down));
        }
        insta::assert_snapshot!(text);
    }
}
