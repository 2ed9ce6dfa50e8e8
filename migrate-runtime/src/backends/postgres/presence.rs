//! Queries of the system catalog for the objects of a statement.

use crate::history_sql::HistorySql;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::name::Name;
use migrate_model::token::Tokens;

/// `CREATE [UNIQUE] INDEX CONCURRENTLY [[IF NOT EXISTS] name] ON [ONLY] table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexBuild {
    /// The name in quotes; `None` if the server chooses it.
    name: Option<String>,
    /// The table, as a string literal.
    table: String,
}

/// A condition on `pg_stat_progress_create_index p`: a session of another user is building an index in this database, and which one
/// it is must not be seen without `pg_read_all_stats`.
pub const HIDDEN_BUILD: &str = "(p.relid IS NULL AND p.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())";

impl IndexBuild {
    /// Reads a statement; `None` for any other one.
    pub fn of(sql: &str) -> Option<Self> {
        let mut tokens = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).peekable();
        let mut word = |words: &[&str]| tokens.next_if(|token| words.iter().any(|word| token.is_word(sql, word)));
        word(&["CREATE"])?;
        word(&["UNIQUE"]);
        word(&["INDEX"])?;
        word(&["CONCURRENTLY"])?;
        if word(&["IF"]).is_some() {
            word(&["NOT"])?;
            word(&["EXISTS"])?;
        }
        let name = match word(&["ON"]) {
            Some(_) => None,
            None => {
                let name = tokens.next()?.text(sql);
                tokens.next_if(|token| token.is_word(sql, "ON"))?;
                let is_quoted = name.starts_with('"');
                Some(kept_name(name, is_quoted))
            }
        };
        tokens.next_if(|token| token.is_word(sql, "ONLY"));
        let mut table = tokens.next()?.text(sql).to_owned();
        while tokens.next_if(|token| token.is_symbol(sql, b'.')).is_some() {
            table = format!("{table}.{}", tokens.next()?.text(sql));
        }
        let table = table.replace('\\', "\\\\").replace('\'', "''");
        Some(IndexBuild { name, table: format!("E'{table}'") })
    }

    /// Whether an index of [`invalid_sql`](Self::invalid_sql) has the name of this one.
    pub fn is_named(&self, index: &str) -> bool {
        self.name.as_ref().is_some_and(|name| index.ends_with(&format!(".{name}")))
    }

    /// A query for the invalid indexes of the table, as `"schema"."index"`, without those that other sessions are building.
    pub fn invalid_sql(&self) -> String {
        let quoted = |column: &str| format!("'\"', pg_catalog.replace({column}::pg_catalog.text, '\"', '\"\"'), '\"'");
        format!(
            "SELECT pg_catalog.concat({}, '.', {}) FROM pg_catalog.pg_index i \
             JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE NOT i.indisvalid \
             AND i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({}) \
             AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p \
             WHERE ({HIDDEN_BUILD} OR p.index_relid OPERATOR(pg_catalog.=) i.indexrelid) AND p.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid())",
            quoted("n.nspname"),
            quoted("c.relname"),
            self.table
        )
    }
}

/// The longest name that a server keeps, in bytes; it cuts longer ones (`NAMEDATALEN`).
const LONGEST_NAME: usize = 63;

/// A name as the server keeps it, in quotes: without quotes in the text, its ASCII letters are made lower case.
fn kept_name(name: &str, is_quoted: bool) -> String {
    let inside = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).filter(|_| is_quoted);
    let name = inside.map_or_else(|| name.to_ascii_lowercase(), |name| name.replace("\"\"", "\""));
    // A character is not cut in two; the start of a text is always a boundary.
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    format!("\"{}\"", name[..end].replace('"', "\"\""))
}

/// A query that returns 1 if the object exists, 2 if it exists but is not valid or not validated, and 0 or no row otherwise.
/// `None` if the catalog cannot answer for this kind of object.
pub fn presence_query(history_sql: &HistorySql, object: &Object) -> Option<String> {
    // A name without a schema is resolved by the search path of the session, as in a script.
    let qualified_name = |name: &Name| {
        let schema = name.schema.as_ref().map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
        history_sql.text(&format!("{schema}{}", history_sql.name(&name.name)))
    };
    let equal = history_sql.dialect().names.equal;
    let class = |name: &Name| format!("pg_catalog.to_regclass({})", qualified_name(name));
    let exists = |from: String| {
        Some(format!("SELECT pg_catalog.count(*)::pg_catalog.text FROM (SELECT FROM pg_catalog.{from} LIMIT 1) found"))
    };
    match object {
        Object::Table(name) | Object::View(name) | Object::Sequence(name) => {
            Some(format!("SELECT ({} IS NOT NULL)::int::pg_catalog.text", class(name)))
        }
        Object::Column(table, name) => {
            let (table, name) = (class(table), history_sql.text(name));
            exists(format!("pg_attribute WHERE attrelid {equal} {table} AND attname {equal} {name} AND NOT attisdropped"))
        }
        Object::Index(table, name) => {
            let condition = match table {
                Some(table) => {
                    format!("c.relname {equal} {} AND i.indrelid {equal} {}", history_sql.text(&name.name), class(table))
                }
                None => format!("c.oid {equal} {}", class(name)),
            };
            Some(format!(
                "SELECT CASE WHEN i.indisvalid THEN '1' ELSE '2' END FROM pg_catalog.pg_index i \
                 JOIN pg_catalog.pg_class c ON c.oid {equal} i.indexrelid WHERE {condition}"
            ))
        }
        Object::Constraint(table, name, _) => {
            let (table, name) = (class(table), history_sql.text(name));
            Some(format!(
                "SELECT CASE WHEN convalidated THEN '1' ELSE '2' END FROM pg_catalog.pg_constraint \
                 WHERE conrelid {equal} {table} AND conname {equal} {name}"
            ))
        }
        Object::Trigger(table, name) => {
            let (table, name) = (class(table.as_ref()?), history_sql.text(&name.name));
            exists(format!("pg_trigger WHERE tgrelid {equal} {table} AND tgname {equal} {name}"))
        }
        Object::Partition(table, name) => Some(partition_query(&class(table), &class(name), equal)),
        Object::Type(name) => {
            Some(format!("SELECT (pg_catalog.to_regtype({}) IS NOT NULL)::int::pg_catalog.text", qualified_name(name)))
        }
        Object::EnumValue(name, value) => {
            let value = history_sql.text(value);
            let name = qualified_name(name);
            exists(format!("pg_enum WHERE enumtypid {equal} pg_catalog.to_regtype({name}) AND enumlabel {equal} {value}"))
        }
        Object::Schema(name) => exists(format!("pg_namespace WHERE nspname {equal} {}", history_sql.text(name))),
        Object::Extension(name) => exists(format!("pg_extension WHERE extname {equal} {}", history_sql.text(name))),
        // Several functions with different parameters can have the same name.
        Object::Function(_) | Object::Procedure(_) => None,
    }
}

/// A query whether several schemas of `search_path` have a relation of this name; `None` for an object that has a schema, or is not a
/// relation.
pub fn namesakes_query(history_sql: &HistorySql, object: &Object) -> Option<String> {
    let (Object::Table(name) | Object::View(name) | Object::Sequence(name) | Object::Index(None, name)) = object else {
        return None;
    };
    let equal = history_sql.dialect().names.equal;
    let name = Some(name).filter(|name| name.schema.is_none()).map(|name| history_sql.text(&name.name))?;
    Some(format!(
        "SELECT (pg_catalog.count(*) OPERATOR(pg_catalog.>) 1)::pg_catalog.text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace \
         WHERE c.relname {equal} {name} AND n.nspname {equal} ANY (pg_catalog.current_schemas(true))"
    ))
}

/// A partition that is pending detach is still one, but not valid. Before PostgreSQL 14 there is no such column.
fn partition_query(table: &str, partition: &str, equal: &str) -> String {
    format!(
        "SELECT CASE WHEN pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(i), 'inhdetachpending') {equal} 'true' \
         THEN '2' ELSE '1' END FROM pg_catalog.pg_inherits i WHERE inhparent {equal} {table} AND inhrelid {equal} {partition}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_that_are_built_concurrently() {
        let literals = |sql: &str| {
            let build = IndexBuild::of(sql)?;
            Some(format!("{} {}", build.name.as_deref().unwrap_or("-"), build.table))
        };
        assert_eq!(literals("CREATE INDEX CONCURRENTLY I ON t (a)").unwrap(), "\"i\" E't'");
        assert_eq!(literals("CREATE INDEX CONCURRENTLY ON t (a)").unwrap(), "- E't'");
        assert_eq!(
            literals("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I'x\" ON ONLY s.\"T\" USING gin (a)").unwrap(),
            "\"I'x\" E's.\"T\"'"
        );
        assert_eq!(literals("CREATE INDEX CONCURRENTLY i ON s /* c */ . -- d\n t (a)").unwrap(), "\"i\" E's.t'");
        assert_eq!(literals("CREATE INDEX CONCURRENTLY ÉI ON t (a)").unwrap(), "\"Éi\" E't'");
        let long = format!("CREATE INDEX CONCURRENTLY {} ON t (a)", "é".repeat(40));
        assert_eq!(literals(&long).unwrap(), format!("\"{}\" E't'", "é".repeat(31)));
        assert_eq!(literals("CREATE INDEX CONCURRENTLY \"a\"\"\" ON t (a)").unwrap(), "\"a\"\"\" E't'");
        for sql in ["CREATE INDEX i ON t (a)", "DROP INDEX CONCURRENTLY i", "SELECT 1", ""] {
            assert_eq!(literals(sql), None, "{sql}");
        }
    }
}
