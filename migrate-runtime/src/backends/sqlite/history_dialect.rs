//! The SQL of the history in SQLite.

use super::{table_list, trust};
use crate::history_sql::{HistoryDialect, SystemNames, hex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The SQL of the history in SQLite.
pub static DIALECT: HistoryDialect = HistoryDialect {
    session_changes: None,
    text_type: "text",
    key_type: "text",
    time_type: "text",
    id_type: "integer PRIMARY KEY",
    table_options: "",
    // One tree less to write for each migration.
    keyed_options: " WITHOUT ROWID",
    default_schema: Some("main"),
    now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    user: "''",
    fits_name: |name| name.chars().count() <= 64,
    literal,
    quote: |name| format!("\"{}\"", name.replace('"', "\"\"")),
    names: SystemNames::PLAIN,
    names_requirements: |column| format!("(instr(lower({column}), 'requires') > 0)"),
    as_rfc3339: |column| format!("strftime('%Y-%m-%dT%H:%M:%SZ', {column})"),
    since_transaction,
    upsert,
    insert_if_absent: |insert| format!("INSERT {insert} ON CONFLICT DO NOTHING"),
    after_question: "",
    joined: |texts| texts.join(" || "),
    returning_time: " RETURNING execution_ms",
    forget_generated: "",
    from_nothing: "",
    as_text: |expression| format!("CAST({expression} AS text)"),
    seconds_between: |from, to| format!("CAST(CAST(round((julianday({to}) - julianday({from})) * 86400) AS integer) AS text)"),
    later: |moment, by| format!("strftime('%Y-%m-%dT%H:%M:%fZ', {moment}, '+{} seconds')", by.as_secs_f64()),
    before_reading: |_| String::new(),
    trust: trust::TRUST,
    skips_locked: false,
    as_hex: |column| format!("lower(hex({column}))"),
    digest,
    count: |column| format!("CASE WHEN typeof({column}) = 'integer' THEN CAST({column} AS text) ELSE '' END"),
    leading_digits,
    in_place: |_, _| String::new(),
    has_table: |history_sql, table| {
        let schema = history_sql.schema().map_or("main".to_owned(), |schema| history_sql.name(schema));
        let name = history_sql.text(table);
        format!("(SELECT CAST(count(*) AS text) FROM {schema}.sqlite_master WHERE lower(name) = lower({name}))")
    },
    table_list: table_list::query,
};

/// A text with a NUL character is written as hexadecimal digits: a literal would end there.
fn literal(text: &str) -> String {
    if text.contains('\0') {
        return format!("CAST(x'{}' AS TEXT)", hex(text));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// SQLite has no clock of its own but this machine's.
fn since_transaction(before: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let started = now.saturating_sub(before).as_millis();
    format!("max(0, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS integer) - {started})")
}

/// SQLite does not read hexadecimal digits, so the value of each digit is its place in a list of all.
/// A column can contain any bytes, also in a text, and a NUL ends the text for `length` and `GLOB`.
fn digest(column: &str) -> String {
    format!(
        "CASE WHEN {column} = '' OR (length({column}) = 64 AND instr({column}, char(0)) = 0 AND typeof({column}) = 'text' \
         AND {column} NOT GLOB '*[^0-9a-f]*') THEN {column} ELSE 'unreadable' END"
    )
}

fn leading_digits(column: &str) -> String {
    let digit = |at: u32| format!("(instr('123456789abcdef', substr({column}, {}, 1)) << {})", at + 1, 28 - 4 * at);
    (0..8).map(digit).collect::<Vec<_>>().join(" + ")
}

fn upsert(key: &str, columns: &[&str]) -> String {
    let assignments: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!("ON CONFLICT ({key}) DO UPDATE SET {}", assignments.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_do_not_depend_on_settings() {
        assert_eq!(literal("a'b\\c"), "'a''b\\c'");
    }
}
