//! The warnings of the server about the statements of a script, as its own client shows them. They go to `tracing`, where the
//! PostgreSQL driver sends the notices of its server.

use crate::backend::UnitRun;
use migrate_model::dialect::Dialect;
use migrate_model::token::{Kind, Tokens};
use sqlx::mysql::MySqlRow;
use sqlx::{Column, Row};

/// Asks for the warnings about the statement before it. It is sent in the same message, so it costs no round trip.
pub const SHOW: &str = "SHOW WARNINGS";

/// The target of the events.
macro_rules! target {
    () => {
        "migrate_runtime::server"
    };
}

/// What a statement may read of the one before it, and would find changed by [`SHOW`]; also where it is only a name.
const DISTURBED: [&[u8]; 4] = [b"ROW_COUNT", b"FOUND_ROWS", b"DIAGNOSTICS", b"warning_count"];

/// The first words of statements whose warnings are asked for before the next one. Others return rows or run SQL that is a value.
const PLAIN: [&str; 9] = ["SET", "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "TRUNCATE"];

/// Whether the warnings can be asked for between the statements of a unit.
pub fn may_ask_between(unit_run: &UnitRun<'_>) -> bool {
    unit_run.numbered_statements().all(|(number, statement)| {
        // Also in a routine, a trigger or a view.
        let reads_result = unit_run.sources.get(number).is_none_or(Option::is_some);
        let sql = statement.sql(unit_run.text);
        let has = |word: &&[u8]| sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        let first = Tokens::new(sql, Dialect::MySql).find(|token| !token.is_blank());
        first.is_some_and(|first| PLAIN.iter().any(|word| first.is_word(sql, word)))
            && !DISTURBED.iter().any(has)
            && !reads_result
    })
}

/// The question after a statement; empty after one that may be nothing for this server, such as `/*!99999 ... */`, which must be
/// the last of its message.
pub fn after(sql: &str) -> &'static str {
    let first = Tokens::new(sql, Dialect::MySql).find(|token| !token.is_blank());
    if first.is_some_and(|first| first.kind == Kind::Word) { SHOW } else { "" }
}

/// Reports a row if it is one of [`SHOW`].
pub fn report(row: &MySqlRow) {
    if !row.columns().iter().map(Column::name).eq(["Level", "Code", "Message"]) {
        return;
    }
    // The text protocol sends every value as text.
    let text = |at: usize| row.try_get_unchecked::<String, _>(at).unwrap_or_default();
    let (level, code, message) = (text(0), text(1), crate::backend_error::shortened(&text(2)));
    if level == "Note" {
        tracing::info!(target: target!(), code, "{message}");
    } else {
        tracing::warn!(target: target!(), code, "{message}");
    }
}
