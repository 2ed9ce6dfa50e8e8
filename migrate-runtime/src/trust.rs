//! Whether the tables of the history can be trusted: they must be ordinary tables, or to read them runs code of the user who created
//! them. Before something is written, they must also belong to a trusted user, and nothing of another user may run with a write.
//!
//! The check precedes each query of the history in the same message, so it costs no round trip, and what follows it does not run
//! if it fails. PostgreSQL runs the functions of a view, of a rule and of a cast with the rights of the reader (CVE-2018-1058 is
//! of the same kind).

use crate::backend::Backend;
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::codes;
use crate::connection::TextRow;
use crate::history_sql::{HistorySql, HistoryTable};
use migrate_model::finding::Finding;

/// What the tables of the history are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Only for reading: whose they are does not matter then.
    Reading,
    /// Also for writing.
    Writing,
}

/// The name of a table, unquoted.
#[derive(Debug, Clone, Copy)]
pub struct TableName<'a> {
    /// `None`: where the connection finds it.
    pub schema: Option<&'a str>,
    /// The table.
    pub name: &'a str,
}

/// The SQL of the check.
#[derive(Debug)]
pub struct TrustSql {
    /// A query for those of the tables that must not be used: the qualified name, a word for the problem, and who or what it is.
    pub problems: fn(&HistorySql, &[TableName<'_>], Purpose) -> String,
    /// The same query as one that returns no row, and fails if there is a problem.
    pub check: fn(problems: &str) -> String,
    /// Is this the failure of the check?
    pub is_failure: fn(&BackendError) -> bool,
    /// A query for the roles that are not trusted and may write a table: the qualified table, the role, its privileges, and the
    /// statement that takes them away. `None` where a database does not show it to every user.
    pub writers: Option<fn(&HistorySql, TableName<'_>) -> String>,
}

/// A table that must not be used.
#[derive(Debug)]
struct UntrustedTable {
    table: String,
    kind: String,
    /// Its owner; or the trigger or the table that refers to it, and whose that is.
    detail: String,
}

impl UntrustedTable {
    fn read(row: TextRow) -> UntrustedTable {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        UntrustedTable { table: next(), kind: next(), detail: next() }
    }

    fn finding(&self) -> Finding {
        let (table, detail) = (&self.table, &self.detail);
        let whose = if detail.is_empty() { String::new() } else { format!(" (owned by `{detail}`)") };
        let find_out = "find out who created this object and why, then drop it";
        let needs_none = format!("{find_out}; the tables of the history need no trigger");
        // A trigger or a table, and whose it is.
        let (of, owner) = detail.split_once('\n').unwrap_or((detail, ""));
        let error = |message: String| Finding::error(&codes::UNTRUSTED_HISTORY, message);
        match self.kind.as_str() {
            "owner" => error(format!(
                "`{table}` is owned by `{detail}`, which is not a trusted role (see `cargo migrate explain untrusted-history`)"
            ))
            .help(format!("if `{detail}` applies the migrations, run as `{detail}`, or make this user a member of that role"))
            .help(format!("if another role applies the migrations now, transfer each history table to that role: `ALTER TABLE {table} OWNER TO ROLE`"))
            .help(format!("otherwise {find_out}")),
            "trigger" => error(format!("the trigger `{of}` of `{table}` runs code of `{owner}` on each write")).help(needs_none),
            "trigger before" => error(format!(
                "the trigger `{of}` of `{table}` runs before a row is written, so it can change the row or leave it out without an error"
            ))
            .help(format!("drop the trigger; to observe the history, create an `AFTER` trigger; if you do not know this trigger, {find_out}")),
            "unlogged" => error(format!("`{table}`{whose} is an unlogged table: the server empties it after a crash, and all migrations would be applied again"))
                .help(format!("`ALTER TABLE {table} SET LOGGED`")),
            "engine" => error(format!(
                "the storage engine of `{table}`, `{detail}`, does not support transactions, so a record could remain although its migration was rolled back"
            ))
            .help(format!("`ALTER TABLE {table} ENGINE = InnoDB`")),
            "trigger with a condition" => {
                error(format!("the trigger `{of}` of `{table}` has a condition, and the author of the condition is unknown")).help(needs_none)
            }
            "trigger with arguments" => error(format!(
                "the trigger `{of}` of `{table}` passes arguments to its function, and the author of the arguments is unknown"
            ))
            .help(needs_none),
            "reference" => error(format!(
                "the table `{of}` of `{owner}` has a foreign key to `{table}`; this foreign key can reject a write to the history, or run code of its author"
            ))
            .help("find out who created the foreign key and why, then drop it; nothing may reference the history tables"),
            "schema" => error(format!(
                "the schema `{table}`, in which the first run would create the history, is owned by `{detail}`, which is not a trusted role and could drop the history"
            ))
            .help("find out who created the schema and why; then set `schema` under `[history]` in `migrate.toml` to this schema or to another one"),
            "copy" => error(format!(
                "`{table}` is owned by `{owner}`, which is not a trusted role, and comes before `{of}` in `search_path`"
            ))
            .help("find out who created this table and why; then set `schema` under `[history]` in `migrate.toml` to the schema that contains the history"),
            "rules" => error(format!("`{table}`{whose} has rules, which can change what a statement does")).help(find_out),
            "expressions" => error(format!(
                "`{table}`{whose} has an index, statistics, a check or a generated column with an expression, which can run code of the table owner when a query reads the table"
            ))
            .help(find_out),
            "types" => {
                error(format!("`{table}`{whose} has a column whose type is not a built-in type, so another user may have defined this type"))
                    .help(find_out)
            }
            "children" => error(format!("other tables inherit from `{table}`{whose}")).help(find_out),
            kind => error(format!("`{table}`{whose} is not an ordinary table, but a {kind}")).help(find_out).help(
                "or set `schema` under `[history]` in `migrate.toml` to a schema in which only trusted users can create objects",
            ),
        }
    }
}

/// A query of tables of the history, with the check before it.
pub fn checked(history_sql: &HistorySql, tables: &[HistoryTable], query: &str) -> String {
    let locked: Vec<String> = tables.iter().map(|table| history_sql.qualified(*table)).collect();
    let problems = (history_sql.dialect().trust.problems)(history_sql, &history_sql.all_tables(), history_sql.purpose());
    checked_query(history_sql, &problems, &locked, query)
}

/// A query of another table, with the check before it.
pub fn checked_other(history_sql: &HistorySql, table: TableName<'_>, query: &str) -> String {
    let schema = table.schema.map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
    let problems = (history_sql.dialect().trust.problems)(history_sql, &[table], Purpose::Reading);
    checked_query(history_sql, &problems, &[format!("{schema}{}", history_sql.name(table.name))], query)
}

/// A query that fails if the tables must not be used.
pub fn check(history_sql: &HistorySql) -> String {
    let trust = &history_sql.dialect().trust;
    (trust.check)(&(trust.problems)(history_sql, &history_sql.all_tables(), history_sql.purpose()))
}

fn checked_query(history_sql: &HistorySql, problems: &str, locked: &[String], query: &str) -> String {
    let dialect = history_sql.dialect();
    format!("{}{};\n{query}", (dialect.before_reading)(locked), (dialect.trust.check)(problems))
}

/// What prevents a run from using the tables.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn findings(
    backend: &mut (impl Backend + ?Sized),
    history_sql: &HistorySql,
    purpose: Purpose,
) -> Result<Vec<Finding>, BackendError> {
    let problems = (history_sql.dialect().trust.problems)(history_sql, &history_sql.all_tables(), purpose);
    let rows = backend.query(&problems).await?;
    Ok(rows.into_iter().map(|row| UntrustedTable::read(row).finding()).collect())
}

/// The error of a query of the history; where the check failed, it says what was found.
pub async fn explained(backend: &mut (impl Backend + ?Sized), history_sql: &HistorySql, error: BackendError) -> BackendError {
    if error.kind != BackendErrorKind::Rejected || !(history_sql.dialect().trust.is_failure)(&error) {
        return error;
    }
    match findings(backend, history_sql, history_sql.purpose()).await {
        Ok(findings) => {
            let kind = BackendErrorKind::Untrusted;
            BackendError { kind, findings, ..BackendError::own("the tables of the history are not trusted") }
        }
        Err(error) => error,
    }
}
