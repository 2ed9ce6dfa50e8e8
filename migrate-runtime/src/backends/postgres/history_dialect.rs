//! The SQL of the history in PostgreSQL.

use super::{session_state, table_list, trust};
use crate::history_sql::{HistoryDialect, SystemNames};
use std::time::Duration;

/// The SQL of the history in PostgreSQL.
pub static DIALECT: HistoryDialect = HistoryDialect {
    session_changes: Some(session_state::CHANGES),
    text_type: "pg_catalog.text",
    key_type: "pg_catalog.text",
    time_type: "pg_catalog.timestamptz",
    id_type: "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    table_options: "",
    keyed_options: "",
    default_schema: None,
    now: "pg_catalog.clock_timestamp()",
    user: "session_user",
    fits_name: |name| name.len() <= 63,
    literal,
    quote: |name| format!("\"{}\"", name.replace('"', "\"\"")),
    names: SystemNames {
        equal: "OPERATOR(pg_catalog.=)",
        unequal: "OPERATOR(pg_catalog.<>)",
        less: "OPERATOR(pg_catalog.<)",
        plus: "OPERATOR(pg_catalog.+)",
        concat: "OPERATOR(pg_catalog.||)",
        function: "pg_catalog.",
    },
    names_requirements: |column| format!("(pg_catalog.strpos(pg_catalog.lower({column}), 'requires') OPERATOR(pg_catalog.>) 0)"),
    as_rfc3339: |column| format!("pg_catalog.to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"),
    since_transaction,
    upsert,
    insert_if_absent: |insert| format!("INSERT {insert} ON CONFLICT DO NOTHING"),
    after_question: "",
    joined: |texts| texts.join(" OPERATOR(pg_catalog.||) "),
    returning_time: " RETURNING execution_ms",
    forget_generated: "",
    from_nothing: "",
    as_text: |expression| format!("CAST({expression} AS pg_catalog.text)"),
    seconds_between: |from, to| {
        // A row can contain the time `infinity`, from which no other can be subtracted.
        format!(
            "CASE WHEN pg_catalog.isfinite({to}) AND pg_catalog.isfinite({from}) THEN \
             CAST(CAST(pg_catalog.round(extract(epoch from {to} OPERATOR(pg_catalog.-) {from})) AS bigint) AS pg_catalog.text) \
             WHEN {to} OPERATOR(pg_catalog.>) {from} THEN '99999999999' ELSE '-99999999999' END"
        )
    },
    later: |moment, by| format!("({moment} OPERATOR(pg_catalog.+) interval '{} milliseconds')", by.as_millis()),
    // With a policy that applies to this user, the query fails instead of returning fewer rows.
    // A view could take the place of a table while the query waits for a lock of its owner.
    before_reading: |tables| format!("SET LOCAL row_security = off;\nLOCK TABLE {} IN ACCESS SHARE MODE;\n", tables.join(", ")),
    trust: trust::TRUST,
    skips_locked: true,
    as_hex: |column| format!("pg_catalog.encode({column}, 'hex')"),
    digest: str::to_owned,
    count: |column| format!("CAST({column} AS pg_catalog.text)"),
    // What is not a checksum counts as 0, so that the records are read, and the message names the one.
    leading_digits: |column| {
        format!(
            // `~ '^[0-9a-f]{{64}}$'` would take nine times as long.
            "CASE WHEN pg_catalog.octet_length({column}) OPERATOR(pg_catalog.=) 64 AND {column} OPERATOR(pg_catalog.!~) '[^0-9a-f]' \
             THEN ('x' OPERATOR(pg_catalog.||) pg_catalog.substr({column}, 1, 8))::bit(32)::bigint ELSE 0 END"
        )
    },
    in_place: |history_sql, alias| {
        let place = table_list::place(history_sql);
        let names: Vec<String> = history_sql.table_names().iter().map(|name| history_sql.text(name)).collect();
        // Of the tables with these names, those in that schema: asked once, not for each row.
        format!(
            " AND {alias}tableoid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT c.oid FROM pg_catalog.pg_class c \
             WHERE c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.name[]) AND c.relnamespace OPERATOR(pg_catalog.=) \
             (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) {place})))",
            names.join(", ")
        )
    },
    has_table: |history_sql, table| {
        let name = history_sql.text(&history_sql.table(table));
        format!("CASE WHEN pg_catalog.to_regclass({name}) IS NULL THEN '0' ELSE '1' END")
    },
    table_list: table_list::query,
};

/// An `E` string does not depend on `standard_conforming_strings`.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn since_transaction(before: Duration) -> String {
    let elapsed = "extract(epoch from pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.now())";
    format!("{} OPERATOR(pg_catalog.+) pg_catalog.round({elapsed} OPERATOR(pg_catalog.*) 1000)::bigint", before.as_millis())
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
        assert_eq!(literal("a'b\\c"), "E'a''b\\\\c'");
    }
}
