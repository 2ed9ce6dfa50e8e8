//! Who may write the records of the history, and so decide which SQL a revert runs where no file contains it.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::codes;
use crate::history_sql::{HistorySql, HistoryTable};
use migrate_model::finding::Finding;

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
        /// The role, or `PUBLIC`, and the privileges, such as `INSERT, UPDATE`, `UPDATE on app.v` or `member of admins`.
        roles: Vec<(String, String)>,
        /// The statements that take these privileges away.
        revoke: Vec<String>,
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
            HistoryWriters::Others { table, roles, .. } => {
                let mut names: Vec<String> = roles.iter().map(|(role, _)| format!("`{role}`")).collect();
                names.dedup();
                Some(format!(
                    "{} can write to `{table}`, so stored SQL may differ from the SQL of the migrations",
                    names.join(", ")
                ))
            }
            HistoryWriters::Unknown => Some(
                "it is unknown who can write to `migration_records`, so stored SQL may differ from the SQL of the migrations"
                    .to_owned(),
            ),
        }
    }

    /// The problem as a note; `None` unless others are known to be able to write.
    pub fn finding(&self) -> Option<Finding> {
        let HistoryWriters::Others { revoke, .. } = self else { return None };
        let note = Finding::warning(&codes::STORED_SQL, self.doubt()?).as_note();
        let revoke: Vec<String> = revoke.iter().map(|statement| format!("`{statement}`")).collect();
        Some(note.help(format!("revoke these privileges, because an application only needs SELECT: {}", revoke.join(", "))))
    }
}

/// Who may write the records.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn of_records(backend: &mut (impl Backend + ?Sized), history_sql: &HistorySql) -> Result<HistoryWriters, BackendError> {
    let Some(query) = history_sql.dialect().trust.writers else { return Ok(HistoryWriters::Unknown) };
    let rows = backend.query(&query(history_sql, history_sql.records_table())).await?;
    let mut table = history_sql.qualified(HistoryTable::Records);
    let (mut roles, mut revoke) = (Vec::new(), Vec::new());
    for row in rows {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        table = next();
        roles.push((next(), next()));
        revoke.push(next());
    }
    Ok(if roles.is_empty() { HistoryWriters::Trusted } else { HistoryWriters::Others { table, roles, revoke } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_is_said() {
        assert_eq!(HistoryWriters::Trusted.doubt(), None);
        assert_eq!(HistoryWriters::Unknown.finding().map(|finding| finding.message), None);
        let role = |role: &str, privileges: &str| (role.to_owned(), privileges.to_owned());
        let roles = vec![role("PUBLIC", "DELETE"), role("app", "INSERT, UPDATE"), role("app", "member of pg_write_all_data")];
        let revoke = vec!["REVOKE DELETE ON public.migration_records FROM PUBLIC".to_owned(), "REVOKE g FROM app".to_owned()];
        let others = HistoryWriters::Others { table: "public.migration_records".to_owned(), roles, revoke };
        let finding = others.finding().unwrap();
        assert!(finding.message.starts_with("`PUBLIC`, `app` can write to `public.migration_records`"), "{}", finding.message);
        assert_eq!(
            finding.help,
            ["revoke these privileges, because an application only needs SELECT: \
                 `REVOKE DELETE ON public.migration_records FROM PUBLIC`, `REVOKE g FROM app`"]
        );
    }
}
