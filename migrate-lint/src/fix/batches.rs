//! `UPDATE` and `DELETE` of a whole table in batches.

use migrate_model::dialect::Dialect;
use migrate_model::syntax::RowChange;
use migrate_model::token::Tokens;

/// A statement as a loop that changes 1000 rows at a time, in the order of the primary key column `key`.
pub fn batched(sql: &str, table: &str, key: &str) -> String {
    let statement = sql.trim_end();
    format!(
        "-- 1000 rows per batch, each batch in its own transaction.\nDO $$\nDECLARE\n    batch_low {table}.{key}%TYPE;\n    batch_high {table}.{key}%TYPE;\nBEGIN\n    LOOP\n        \
         batch_high := (SELECT {key} FROM (SELECT {key} FROM {table} WHERE batch_low IS NULL OR {key} > batch_low ORDER BY {key} LIMIT 1000) batch ORDER BY {key} DESC LIMIT 1);\n        \
         EXIT WHEN batch_high IS NULL;\n        {statement}\n            WHERE (batch_low IS NULL OR {key} > batch_low) AND {key} <= batch_high;\n        COMMIT;\n        batch_low := batch_high;\n    END LOOP;\nEND $$;\n"
    )
}

/// Can a condition be appended to a statement, and can it be applied again to rows that it has already changed? After a failed
/// batch, the whole migration runs again, including the batches that were committed.
pub fn can_be_batched(change: &RowChange, sql: &str) -> bool {
    let words: Vec<&str> = Tokens::new(sql, Dialect::Postgres)
        .filter(|token| !token.is_blank())
        .map(|token| token.text(sql).trim_matches('"'))
        .collect();
    let count = |name: &str| words.iter().filter(|word| word.eq_ignore_ascii_case(name)).count();
    let count_assigned = |name: &String| change.columns.iter().filter(|column| column.eq_ignore_ascii_case(name)).count();
    let excluded = ["WHERE", "RETURNING", "WITH", "CURRENT", "batch_low", "batch_high", "batch"];
    // An expression over a column that the statement assigns, or over the table itself, has another value the second time.
    let reads_changes =
        change.columns.iter().any(|column| count(column) > count_assigned(column)) || count(&change.table.name) > 1;
    !change.joined && change.limit.is_none() && excluded.iter().all(|word| count(word) == 0) && !reads_changes
}
