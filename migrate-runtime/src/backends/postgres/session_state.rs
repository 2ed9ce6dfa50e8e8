//! What a PostgreSQL session contains that decides what later statements do, as the server reports it: before and after the
//! statements of a script, so that a change which their text does not show is noticed.
//!
//! A trigger, an operator, a cast, a domain, a view, a default value or an event trigger may call any function. Of what it may
//! leave, settings, roles and temporary tables silently change what later statements do. Without a prepared statement or a
//! cursor, they fail.

use crate::backend::UnitRun;
use crate::backend_error::SESSION_CHANGED;
use migrate_model::dialect::Dialect;
use migrate_model::session_effect::{SessionEffect, named_settings};
use migrate_model::token::{Token, Tokens};

/// The settings that change what a statement means or does, and not only how fast it runs or what is logged. `pg_settings` would
/// be complete, but reading it takes ten times as long, and a script may have thousands of parts. A server that does not know a
/// setting has no value for it. Source: PostgreSQL 18 manual, chapter 19.
const SETTINGS: [&str; 38] = [
    "allow_system_table_mods",
    "array_nulls",
    "backslash_quote",
    "bytea_output",
    "check_function_bodies",
    "client_encoding",
    "createrole_self_grant",
    "datestyle",
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "default_toast_compression",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "event_triggers",
    "exit_on_error",
    "extra_float_digits",
    "intervalstyle",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lo_compat_privileges",
    "password_encryption",
    "quote_all_identifiers",
    "restrict_nonsystem_relation_kind",
    "role",
    "search_path",
    "session_authorization",
    "session_replication_role",
    "standard_conforming_strings",
    "temp_tablespaces",
    "timezone",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
];

/// The state before the unit.
const KEPT: &str = "pg_catalog.current_setting('migrate.state', true)";

/// The names of what a unit has changed, until its transaction ends: what [`SessionComparison::compare_sql`] found.
pub const CHANGES: &str = "pg_catalog.current_setting('migrate.changes', true)";

/// Whether the session holds its state as it is before the next unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptState {
    /// The last unit has kept it.
    Current,
    /// It must be read again.
    Outdated,
}

/// Reads the state of a session before and after a unit.
#[derive(Debug)]
pub struct SessionComparison {
    /// An expression for one text: what the session contains, one item on each line, with a hash of its value.
    state: String,
    /// The settings that the statements name.
    named: Vec<String>,
}

impl SessionComparison {
    /// For a unit after which others follow. `None` if its text already shows that a new session cannot have its effects, or if
    /// nothing follows.
    pub fn of_unit(unit_run: &UnitRun<'_>) -> Option<SessionComparison> {
        let statements = || unit_run.numbered_statements();
        if unit_run.last || statements().any(|(at, _)| unit_run.effects.get(at) > Some(&SessionEffect::Setting)) {
            return None;
        }
        let mut named: Vec<String> =
            statements().flat_map(|(_, statement)| named_settings(statement.sql(unit_run.text))).collect();
        named.retain(|name| is_plain(name));
        let dropped = statements().filter_map(|(_, statement)| dropped_at_commit(statement.sql(unit_run.text)));
        named.extend(dropped.filter(|name| is_plain(name)).map(|name| format!("{TEMPORARY} {name}")));
        Some(SessionComparison { state: state_sql(unit_run.custom_settings), named })
    }

    /// Whether the state after the unit is that before the next one.
    pub fn kept_after(&self) -> KeptState {
        // What is set for a transaction ends with it.
        if self.named.is_empty() { KeptState::Current } else { KeptState::Outdated }
    }

    /// Keeps the state, in this transaction or in the session.
    pub fn keep_sql(&self, is_local: bool) -> String {
        format!("SELECT pg_catalog.set_config('migrate.state', {}, {is_local})", self.state)
    }

    /// Determines what has changed since, for [`CHANGES`], and keeps the new state.
    pub fn compare_sql(&self) -> String {
        format!(
            "SELECT pg_catalog.set_config('migrate.changes', {}, true), pg_catalog.set_config('migrate.state', s.now, false) \
             FROM (SELECT {} AS now OFFSET 0) AS s",
            self.changes_sql(),
            self.state
        )
    }

    /// Fails with [`SESSION_CHANGED`] if something has changed since the state was kept.
    pub fn check_sql(&self) -> String {
        format!(
            "SELECT CAST(CASE WHEN c.names OPERATOR(pg_catalog.=) '' THEN '1' \
             ELSE '{SESSION_CHANGED}' OPERATOR(pg_catalog.||) c.names END AS integer) \
             FROM (SELECT {} AS names FROM (SELECT {} AS now OFFSET 0) AS s OFFSET 0) AS c",
            self.changes_sql(),
            self.state
        )
    }

    /// The names of what differs in the state `s.now` from the one that is kept; empty if nothing does, or if the script has reset
    /// all settings.
    fn changes_sql(&self) -> String {
        let name = "pg_catalog.split_part(item, '=', 1)";
        // A reset of all settings resets what is kept, too.
        let resets_all = self.named.iter().any(|name| name == "all");
        let reset = if resets_all { "" } else { "all settings" };
        let named: Vec<String> = self.named.iter().map(|name| format!("\"{name}\"")).collect();
        let named = named.join(",");
        format!(
            "CASE WHEN s.now OPERATOR(pg_catalog.=) {KEPT} THEN '' WHEN coalesce({KEPT}, '') OPERATOR(pg_catalog.=) '' THEN '{reset}' ELSE coalesce((\
             SELECT pg_catalog.string_agg({name}, ', ') FROM pg_catalog.unnest(pg_catalog.string_to_array(s.now, pg_catalog.chr(10))) AS item \
             WHERE NOT item OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array({KEPT}, pg_catalog.chr(10))) \
             AND NOT {name} OPERATOR(pg_catalog.=) ANY (CAST('{{{named}}}' AS pg_catalog.text[]))), '') END"
        )
    }
}

/// Precedes the name of a temporary table, view or sequence.
const TEMPORARY: &str = "temporary table";

/// The table that `CREATE TEMP TABLE name ... ON COMMIT DROP` creates, in lower case.
fn dropped_at_commit(sql: &str) -> Option<String> {
    let tokens: Vec<Token> = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(sql, word));
    let drops = (0..tokens.len()).any(|at| is(at, "ON") && is(at + 1, "COMMIT") && is(at + 2, "DROP"));
    let table = (1..tokens.len().min(6)).find(|at| is(*at, "TABLE")).filter(|_| drops && is(0, "CREATE"))?;
    let words = ["IF", "NOT", "EXISTS"];
    let mut name = (table + 1..tokens.len()).find(|at| !words.iter().any(|word| is(*at, word)))?;
    while tokens.get(name + 1).is_some_and(|dot| dot.is_symbol(sql, b'.')) {
        name += 2;
    }
    Some(tokens.get(name)?.text(sql).trim_matches('"').to_lowercase())
}

/// Does a name of a setting need no quotes in an array?
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'.' || byte == b'_' || byte.is_ascii_alphanumeric())
}

/// An expression for the state of the session. `custom`: further settings.
fn state_sql(custom: &[String]) -> String {
    let settings: Vec<&str> = SETTINGS.into_iter().chain(custom.iter().map(String::as_str)).collect();
    // A session without a temporary object has no schema for them.
    format!(
        "(SELECT pg_catalog.string_agg(item, pg_catalog.chr(10)) FROM (\
         SELECT pg_catalog.concat(name, '=', pg_catalog.hashtextextended(pg_catalog.current_setting(name, true), 0)) \
         FROM pg_catalog.unnest(CAST('{{{}}}' AS pg_catalog.text[])) AS name \
         UNION ALL SELECT pg_catalog.concat('{TEMPORARY} ', pg_catalog.quote_ident(relname::pg_catalog.text)) \
         FROM pg_catalog.pg_class WHERE pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid \
         AND relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
         AND relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,v,S}}')) AS s (item))",
        settings.join(",")
    )
}
