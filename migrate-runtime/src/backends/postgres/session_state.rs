//! What a PostgreSQL session contains that decides what later statements do, as the server reports it: before and after the
//! statements of a script, so that a change which their text does not show is noticed.
//!
//! A trigger, an operator, a cast, a domain, a view, a default value or an event trigger may call any function. Of what it may
//! leave, settings, roles and temporary tables silently change what later statements do. Without a prepared statement or a
//! cursor, they fail.

use crate::backend::UnitRun;
use crate::backend_error::SESSION_CHANGED;
use migrate_model::session_effect::{SessionEffect, named_settings, read_custom_settings};

/// Those that this crate sets for a unit, and those of a transaction.
const NOT_COMPARED: [&str; 9] = [
    "application_name",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "row_security",
    "statement_timeout",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_timeout",
];

/// The state before the unit.
const KEPT: &str = "pg_catalog.current_setting('migrate.state', true)";

/// The names of what a unit has changed, until its transaction ends: what [`SessionComparison::compare_sql`] found.
pub const CHANGES: &str = "pg_catalog.current_setting('migrate.changes', true)";

/// Reads the state of a session before and after a unit.
#[derive(Debug)]
pub struct SessionComparison {
    /// A query for one text: what the session contains, one item on each line, with a hash of its value.
    state: String,
}

impl SessionComparison {
    /// For a unit after which others follow. `None` if its text already shows that a new session cannot have its effects, or if
    /// nothing follows.
    pub fn of_unit(unit_run: &UnitRun<'_>) -> Option<SessionComparison> {
        let statements = || unit_run.numbered_statements();
        if unit_run.last || statements().any(|(at, _)| unit_run.effects.get(at) > Some(&SessionEffect::Setting)) {
            return None;
        }
        let named: Vec<String> = statements().flat_map(|(_, statement)| named_settings(statement.sql(unit_run.text))).collect();
        let drops_at_commit =
            statements().any(|(_, statement)| statement.sql(unit_run.text).to_uppercase().contains("COMMIT DROP"));
        Some(SessionComparison { state: state_sql(&named, &read_custom_settings(unit_run.text), !drops_at_commit) })
    }

    /// Keeps the state, in this transaction or in the session.
    pub fn keep_sql(&self, is_local: bool) -> String {
        format!("SELECT pg_catalog.set_config('migrate.state', {}, {is_local})", self.state)
    }

    /// Determines what has changed since, for [`CHANGES`].
    pub fn compare_sql(&self) -> String {
        format!("SELECT pg_catalog.set_config('migrate.changes', {}, true)", self.changes_sql())
    }

    /// Fails with [`SESSION_CHANGED`] if something has changed since the state was kept.
    pub fn check_sql(&self) -> String {
        format!(
            "SELECT CAST(CASE WHEN c.names OPERATOR(pg_catalog.=) '' THEN '1' \
             ELSE '{SESSION_CHANGED}' OPERATOR(pg_catalog.||) c.names END AS integer) FROM (SELECT {} AS names) c",
            self.changes_sql()
        )
    }

    /// The names of what differs from the kept state; empty if nothing does, or if the script has reset all settings.
    fn changes_sql(&self) -> String {
        let before = format!("SELECT pg_catalog.string_to_array({KEPT}, pg_catalog.chr(10)) AS items");
        let after = format!("SELECT pg_catalog.string_to_array({}, pg_catalog.chr(10)) AS items", self.state);
        let except = |left: &str, right: &str| {
            format!(
                "SELECT item FROM pg_catalog.unnest({left}.items) AS item \
                 EXCEPT SELECT item FROM pg_catalog.unnest({right}.items) AS item"
            )
        };
        format!(
            "coalesce((SELECT CASE WHEN {KEPT} OPERATOR(pg_catalog.=) '' THEN '' ELSE (\
             SELECT pg_catalog.string_agg(name, ', ') FROM (SELECT pg_catalog.split_part(item, '=', 1) AS name FROM \
             (({}) UNION ALL ({})) AS changed GROUP BY 1) AS names) END FROM ({before}) b, ({after}) a), '')",
            except("b", "a"),
            except("a", "b")
        )
    }
}

/// An expression for the state of the session, without the settings of these names.
fn state_sql(named: &[String], custom: &[String], with_temporary: bool) -> String {
    let literal = |name: &String| format!("'{}'", name.replace('\'', "''"));
    let is_named = |name: &str| named.iter().any(|named| named == name);
    let excluded: Vec<String> = NOT_COMPARED.map(str::to_owned).iter().chain(named).map(literal).collect();
    let value = |name: &str, value: &str| format!("pg_catalog.concat('{name}=', pg_catalog.hashtextextended({value}, 0))");
    let mut items = vec![format!(
        "SELECT pg_catalog.concat(name, '=', pg_catalog.hashtextextended(setting, 0)) FROM pg_catalog.pg_settings \
         WHERE source OPERATOR(pg_catalog.=) 'session' AND NOT pg_catalog.lower(name) OPERATOR(pg_catalog.=) ANY (ARRAY[{}])",
        excluded.join(", ")
    )];
    for name in ["role", "session_authorization"].into_iter().filter(|name| !is_named(name)) {
        items.push(format!("SELECT {}", value(name, &format!("pg_catalog.current_setting('{name}')"))));
    }
    for name in custom.iter().filter(|name| !is_named(name)) {
        items.push(format!("SELECT {}", value(name, &format!("coalesce(pg_catalog.current_setting('{name}', true), '')"))));
    }
    if with_temporary {
        items.push(
            "SELECT pg_catalog.concat('temporary table ', pg_catalog.quote_ident(relname::pg_catalog.text)) FROM pg_catalog.pg_class \
             WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
             AND relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,S}')"
                .to_owned(),
        );
    }
    format!("(SELECT pg_catalog.string_agg(item, pg_catalog.chr(10)) FROM ({}) AS s (item))", items.join(" UNION ALL "))
}
