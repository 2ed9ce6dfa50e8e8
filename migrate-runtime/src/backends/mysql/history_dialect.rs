//! The SQL of the history in MySQL and MariaDB.

use super::{skipped_tables, table_list, trust};
use crate::history_sql::{HistoryDialect, SystemNames, hex};
use std::time::Duration;

/// The current time in UTC. A script can set what `utc_timestamp` returns, but not what `sysdate` does. That is in the time zone
/// of the session, in which an hour of each year is ambiguous, so it is converted only if a script has set another time.
const NOW: &str = "if(abs(timestampdiff(SECOND, now(6), sysdate(6))) < 2, utc_timestamp(6), \
    coalesce(convert_tz(sysdate(6), @@session.time_zone, '+00:00'), utc_timestamp(6)))";

/// The SQL of the history in MySQL and MariaDB.
pub static DIALECT: HistoryDialect = HistoryDialect {
    session_changes: None,
    text_type: "longtext",
    key_type: "varchar(190) COLLATE utf8mb4_bin",
    time_type: "datetime(6)",
    id_type: "bigint AUTO_INCREMENT PRIMARY KEY",
    table_options: " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    keyed_options: "",
    default_schema: None,
    now: NOW,
    user: "current_user()",
    fits_name: |name| name.chars().count() <= 64,
    literal,
    quote: |name| format!("`{}`", name.replace('`', "``")),
    names: SystemNames::PLAIN,
    names_requirements: |column| format!("(instr(lower({column}), 'requires') > 0)"),
    as_rfc3339: |column| format!("date_format({column}, '%Y-%m-%dT%H:%i:%sZ')"),
    since_transaction,
    upsert,
    insert_if_absent: |insert| format!("INSERT IGNORE {insert}"),
    joined: |texts| format!("concat({})", texts.join(", ")),
    after_question: skipped_tables::FAIL_AFTER_WARNING,
    returning_time: "",
    forget_generated: "DO LAST_INSERT_ID(0);\n",
    from_nothing: "FROM DUAL",
    as_text: |expression| format!("CAST({expression} AS CHAR)"),
    seconds_between: |from, to| format!("CAST(TIMESTAMPDIFF(SECOND, {from}, {to}) AS CHAR)"),
    later: |moment, by| format!("{moment} + INTERVAL {} MICROSECOND", by.as_micros()),
    before_reading: |_| String::new(),
    trust: trust::TRUST,
    skips_locked: false,
    as_hex: |column| format!("lower(hex({column}))"),
    digest: str::to_owned,
    count: |column| format!("CAST({column} AS CHAR)"),
    leading_digits: |column| format!("CAST(conv(left({column}, 8), 16, 10) AS unsigned)"),
    in_place: |_, _| String::new(),
    has_table: |history_sql, table| {
        let schema = history_sql.schema().map_or("DATABASE()".to_owned(), |schema| history_sql.text(schema));
        format!(
            "(SELECT CAST(count(*) AS CHAR) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {})",
            history_sql.text(table)
        )
    },
    table_list: table_list::query,
};

/// Whether a backslash escapes depends on `sql_mode`, so a text with one is written as hexadecimal digits.
fn literal(text: &str) -> String {
    if text.contains('\\') || !text.is_ascii() {
        return format!("convert(x'{}' using utf8mb4)", hex(text));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// MySQL has no function for the start of a transaction: what passed before it is all that can be said.
fn since_transaction(before: Duration) -> String {
    before.as_millis().to_string()
}

fn upsert(_: &str, columns: &[&str]) -> String {
    let assignments: Vec<String> = columns.iter().map(|column| format!("{column} = VALUES({column})")).collect();
    format!("ON DUPLICATE KEY UPDATE {}", assignments.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_do_not_depend_on_settings() {
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("\\'"), "convert(x'5c27' using utf8mb4)");
    }
}
