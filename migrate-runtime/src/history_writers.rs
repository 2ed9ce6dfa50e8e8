//! Who may write the records of the history, and so decide which SQL a revert runs where no file contains it.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::codes;
use crate::history_sql::{HistorySql, HistoryTable};
use migrate_model::finding::Finding;

/// The role of PostgreSQL whose members may write all tables.
const WRITES_ALL_TABLES: &str = "pg_write_all_data";

/// Who may write `migration_records` besides the users that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryWriters {
    /// No other user: stored SQL is that of the migrations.
    Trusted,
    /// These roles, each with its privileges.
    Others {
        /// The qualified table.
        table: String,
        /// The role, or `PUBLIC`, and the privileges.
        roles: Vec<(String, String)>,
    },
    /// The database does not show it.
    Unknown,
}

impl HistoryWriters {
    /// Whether stored SQL is known to be that of the migrations.
    pub fn are_trusted(&self) -> bool {
        *self == HistoryWriters::Trusted
    }

    /// Why stored SQL cannot be confirmed; `None` if it can.
    pub fn doubt(&self) -> Option<String> {
        match self {
            HistoryWriters::Trusted => None,
            HistoryWriters::Others { table, roles } => {
                let names: Vec<String> = roles.iter().map(|(role, _)| format!("`{role}`")).collect();
                Some(format!("{} can write to `{table}`, so stored SQL may differ from the SQL of the migrations", names.join(", ")))
            }
            HistoryWriters::Unknown => {
                Some("it is unknown who can write to `migration_records`, so it cannot be confirmed that stored SQL is the SQL of the migrations".to_owned())
            }
        }
    }

    /// The problem as a note; `None` unless others are known to be able to write.
    pub fn finding(&self) -> Option<Finding> {
        let HistoryWriters::Others { table, roles } = self else { return None };
        let note = Finding::warning(&codes::STORED_SQL, self.doubt()?).as_note();
        let revoke: Vec<String> = roles.iter().flat_map(|(role, privileges)| revoke(table, role, privileges)).collect();
        Some(note.help(format!("revoke these privileges, because an application only needs SELECT: {}", revoke.join(", "))))
    }
}

/// The statements that take these privileges away.
fn revoke(table: &str, role: &str, privileges: &str) -> Vec<String> {
    let (memberships, granted): (Vec<&str>, Vec<&str>) =
        privileges.split(", ").partition(|privilege| *privilege == WRITES_ALL_TABLES);
    let of_table = (!granted.is_empty()).then(|| format!("`REVOKE {} ON {table} FROM {role}`", granted.join(", ")));
    let of_all = memberships.first().map(|membership| format!("`REVOKE {membership} FROM {role}`"));
    of_table.into_iter().chain(of_all).collect()
}

/// Who may write the records.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn of_records(backend: &mut (impl Backend + ?Sized), history_sql: &HistorySql) -> Result<HistoryWriters, BackendError> {
    let Some(query) = history_sql.dialect().trust.writers else { return Ok(HistoryWriters::Unknown) };
    let rows = backend.query(&query(history_sql, history_sql.records_table())).await?;
    let mut table = history_sql.qualified(HistoryTable::Records);
    let mut roles = Vec::new();
    for row in rows {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        table = next();
        roles.push((next(), next()));
    }
    Ok(if roles.is_empty() { HistoryWriters::Trusted } else { HistoryWriters::Others { table, roles } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_is_said() {
        assert_eq!(HistoryWriters::Trusted.doubt(), None);
        assert_eq!(HistoryWriters::Unknown.finding().map(|finding| finding.message), None);
        let roles =
            vec![("app".to_owned(), "INSERT, UPDATE, pg_write_all_data".to_owned()), ("PUBLIC".to_owned(), "DELETE".to_owned())];
        let others = HistoryWriters::Others { table: "public.migration_records".to_owned(), roles };
        let finding = others.finding().unwrap();
        assert!(finding.message.starts_with("`app`, `PUBLIC` can write to `public.migration_records`"), "{}", finding.message);
        assert_eq!(
            finding.help,
            [
                "revoke these privileges, because an application only needs SELECT: `REVOKE INSERT, UPDATE ON public.migration_records FROM app`, `REVOKE pg_write_all_data FROM app`, \
              `REVOKE DELETE ON public.migration_records FROM PUBLIC`"
            ]
        );
    }
}
