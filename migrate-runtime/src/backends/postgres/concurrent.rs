//! Statements with `CONCURRENTLY` that work in several transactions: what one that was interrupted has left, and how it
//! continues. The build of an index is in `presence`.

use super::presence::{HIDDEN_BUILD, presence_query};
use crate::history_sql::HistorySql;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// A statement that works in several transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concurrent {
    /// `DROP INDEX CONCURRENTLY`: leaves an invalid index, which a second run drops.
    Drop(Name),
    /// `REINDEX ... CONCURRENTLY`: leaves invalid indexes beside the valid ones. The target, and what it is.
    Reindex(String, Option<Name>),
    /// `ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY`: leaves a partition that is pending detach.
    Detach(Name, Name),
}

impl Concurrent {
    /// Reads a statement; `None` for any other one.
    pub fn of(sql: &str) -> Option<Self> {
        match reader::read(sql, Dialect::Postgres) {
            Syntax::Drop(drop) if drop.kind == ObjectKind::Index && drop.concurrently => {
                drop.names.into_iter().next().map(Concurrent::Drop)
            }
            Syntax::Reindex { target, name, concurrently: true } => Some(Concurrent::Reindex(target, name)),
            Syntax::AlterTable(alter) => match alter.actions.into_iter().next()?.kind {
                ActionKind::Detach { partition, concurrently: true, .. } => Some(Concurrent::Detach(alter.table, partition)),
                _ => None,
            },
            _ => None,
        }
    }

    /// A query for what an interrupted run has left: of a partition, `1` or `2` (pending detach); of an index that was being
    /// dropped, `1` or `2` (invalid); of rebuilt indexes, their names.
    pub fn left_sql(&self, history_sql: &HistorySql) -> Option<String> {
        let class = |name: &Name| {
            let schema = name.schema.as_ref().map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
            format!("pg_catalog.to_regclass({})", history_sql.text(&format!("{schema}{}", history_sql.name(&name.name))))
        };
        let equal = history_sql.dialect().names.equal;
        match self {
            Concurrent::Drop(name) => presence_query(history_sql, &Object::Index(None, name.clone())),
            Concurrent::Detach(table, partition) => {
                presence_query(history_sql, &Object::Partition(table.clone(), partition.clone()))
            }
            Concurrent::Reindex(target, name) => {
                let scope = match (target.as_str(), name) {
                    ("TABLE", Some(name)) => tables_of(&class(name), equal),
                    ("INDEX", Some(name)) => {
                        let table =
                            format!("(SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid {equal} {})", class(name));
                        tables_of(&table, equal)
                    }
                    ("SCHEMA", Some(name)) => format!("n.nspname {equal} {}", history_sql.text(&name.name)),
                    _ => "true".to_owned(),
                };
                Some(invalid_rebuilt_sql(&scope, equal))
            }
        }
    }
}

/// A condition: the index belongs to this table, or to one of its partitions.
fn tables_of(table: &str, equal: &str) -> String {
    format!(
        "(i.indrelid {equal} {table} OR i.indrelid {equal} ANY (ARRAY(SELECT relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree({table}))))"
    )
}

/// A query for the invalid indexes that a rebuild has left, as `"schema"."index"`, without those of tables whose indexes a
/// session is building.
fn invalid_rebuilt_sql(scope: &str, equal: &str) -> String {
    let quoted = |column: &str| format!("'\"', pg_catalog.replace({column}::pg_catalog.text, '\"', '\"\"'), '\"'");
    format!(
        "SELECT pg_catalog.concat({}, '.', {}) FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid {equal} i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace \
         WHERE NOT i.indisvalid AND c.relname OPERATOR(pg_catalog.~) '_cc(new|old)[0-9]*$' \
         AND n.nspname OPERATOR(pg_catalog.<>) 'pg_toast' AND {scope} \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p \
         WHERE ({hidden} OR p.relid {equal} i.indrelid) AND p.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid())",
        quoted("n.nspname"),
        quoted("c.relname"),
        hidden = HIDDEN_BUILD
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_in_several_transactions() {
        for (sql, expected) in [
            ("DROP INDEX CONCURRENTLY IF EXISTS s.i", true),
            ("REINDEX (CONCURRENTLY) TABLE t", true),
            ("REINDEX INDEX CONCURRENTLY i", true),
            ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", true),
            ("ALTER TABLE t DETACH PARTITION p", false),
            ("DROP INDEX i", false),
            ("REINDEX TABLE t", false),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", false),
        ] {
            assert_eq!(Concurrent::of(sql).is_some(), expected, "{sql}");
        }
    }
}
