//! The session of a connection that the application has lent: what is in it, as the server reports it, and how it is restored.
//!
//! A session of our own is replaced by a new one. A lent one cannot be, so the server is asked what a script has left.

use crate::connection::TextRow;
use std::collections::{BTreeMap, BTreeSet};

/// The setting that makes transactions read-only.
pub const READ_ONLY: &str = "default_transaction_read_only";

/// Whether a transaction is open. A statement outside one is its own transaction and starts with it.
pub const IN_TRANSACTION: &str =
    "SELECT (pg_catalog.now() OPERATOR(pg_catalog.<>) pg_catalog.statement_timestamp())::pg_catalog.text";

/// What a session contains: kind, name and value of each item. `own_lock` is the condition for our own lock in `pg_locks`.
pub fn snapshot_sql(own_lock: &str) -> String {
    format!(
        "SELECT 'setting', name, setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session' \
         UNION ALL SELECT 'setting', 'role', pg_catalog.current_setting('role') \
         UNION ALL SELECT 'setting', 'session_authorization', pg_catalog.current_setting('session_authorization') \
         UNION ALL SELECT 'statement', name, '' FROM pg_catalog.pg_prepared_statements \
         UNION ALL SELECT 'channel', pg_listening_channels, '' FROM pg_catalog.pg_listening_channels() \
         UNION ALL SELECT 'cursor', name, '' FROM pg_catalog.pg_cursors WHERE is_holdable \
         UNION ALL SELECT 'relation', relname::pg_catalog.text, relkind::pg_catalog.text FROM pg_catalog.pg_class \
         WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
         AND relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,v,S}}') \
         UNION ALL SELECT 'lock', pg_catalog.concat(classid, ' ', objid, ' ', objsubid), mode FROM pg_catalog.pg_locks \
         WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND granted \
         AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND NOT ({own_lock})"
    )
}

/// What a session contains.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LentSession {
    /// The value of each item, by kind and name.
    items: BTreeMap<(String, String), String>,
}

impl LentSession {
    /// Reads the rows of [`snapshot_sql`].
    pub fn read(rows: Vec<TextRow>) -> Self {
        let item = |row: TextRow| {
            let mut columns = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || columns.next().unwrap_or_default();
            ((next(), next()), next())
        };
        LentSession { items: rows.into_iter().map(item).collect() }
    }

    /// The names and values of the settings that were changed in this session.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.items.iter().filter(|((kind, _), _)| kind == "setting");
        settings.map(|((_, name), value)| (name.as_str(), value.as_str()))
    }

    /// Statements that give a session the settings of a new one, although it has those of `self`, and others of these names. A
    /// session of the application that must not write stays so.
    pub fn resets(&self, names: &[&str]) -> String {
        let changed = self.settings().map(|(name, _)| name);
        let names: BTreeSet<&str> = changed.chain(names.iter().copied()).filter(|name| *name != READ_ONLY).collect();
        names.iter().map(|name| format!("RESET \"{name}\";\n")).collect()
    }

    /// The names of the temporary tables, views and sequences.
    pub fn relations(&self) -> impl Iterator<Item = &str> {
        self.items.keys().filter(|(kind, _)| kind == "relation").map(|(_, name)| name.as_str())
    }

    /// Statements that turn `self` back into `original`.
    pub fn back_to(&self, original: &LentSession) -> Vec<String> {
        let mut statements = Vec::new();
        for ((kind, name), value) in &self.items {
            if original.items.get(&(kind.clone(), name.clone())) == Some(value) {
                continue;
            }
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            statements.extend(match kind.as_str() {
                "setting" if !original.items.contains_key(&(kind.clone(), name.clone())) => Some(format!("RESET {quoted}")),
                "statement" => Some(format!("DEALLOCATE {quoted}")),
                "channel" => Some(format!("UNLISTEN {quoted}")),
                "cursor" => Some(format!("CLOSE {quoted}")),
                "relation" => drop_relation(&quoted, value),
                "lock" => unlock(name, value),
                _ => None,
            });
        }
        // The role last: the user of the session may set what that role may not.
        let settings = original.items.iter().filter(|((kind, _), _)| kind == "setting");
        let mut settings: Vec<_> = settings.map(|((_, name), value)| (name, value)).collect();
        settings.sort_by_key(|(name, _)| ["session_authorization", "role"].iter().position(|last| last == name));
        for (name, value) in settings {
            if self.items.get(&("setting".to_owned(), name.clone())) != Some(value) {
                let value = value.replace('\'', "''");
                statements.push(format!("SELECT pg_catalog.set_config('{name}', E'{}', false)", value.replace('\\', "\\\\")));
            }
        }
        statements
    }
}

fn drop_relation(name: &str, kind: &str) -> Option<String> {
    let kind = match kind {
        "r" | "p" => "TABLE",
        "v" => "VIEW",
        "S" => "SEQUENCE",
        _ => return None,
    };
    // Another one may be dropped with it.
    Some(format!("DROP {kind} IF EXISTS pg_temp.{name} CASCADE"))
}

/// Releases an advisory lock once: `name` is `classid objid objsubid`.
fn unlock(name: &str, mode: &str) -> Option<String> {
    let parts: Vec<u64> = name.split(' ').filter_map(|part| part.parse().ok()).collect();
    let [high, low, kind] = parts[..] else { return None };
    let suffix = if mode == "ShareLock" { "_shared" } else { "" };
    Some(match kind {
        1 => format!("SELECT pg_catalog.pg_advisory_unlock{suffix}({})", (high << 32 | low) as i64),
        _ => format!("SELECT pg_catalog.pg_advisory_unlock{suffix}({}, {})", high as u32 as i32, low as u32 as i32),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(items: &[(&str, &str, &str)]) -> LentSession {
        let text = |text: &str| Some(text.to_owned());
        LentSession::read(items.iter().map(|(kind, name, value)| vec![text(kind), text(name), text(value)]).collect())
    }

    #[test]
    fn what_a_script_left_is_put_back() {
        let original = session(&[
            ("setting", "work_mem", "8192"),
            ("setting", "role", "none"),
            ("statement", "mine", ""),
            ("relation", "t", "r"),
        ]);
        let now = session(&[
            ("setting", "work_mem", "1024"),
            ("setting", "TimeZone", "UTC"),
            ("setting", "role", "none"),
            ("statement", "mine", ""),
            ("statement", "its\"", ""),
            ("channel", "c", ""),
            ("relation", "t", "r"),
            ("relation", "u", "v"),
            ("lock", "0 5 1", "ExclusiveLock"),
            ("lock", "1 4294967295 2", "ShareLock"),
        ]);
        assert_eq!(
            now.back_to(&original),
            [
                "UNLISTEN \"c\"",
                "SELECT pg_catalog.pg_advisory_unlock(5)",
                "SELECT pg_catalog.pg_advisory_unlock_shared(1, -1)",
                "DROP VIEW IF EXISTS pg_temp.\"u\" CASCADE",
                "RESET \"TimeZone\"",
                "DEALLOCATE \"its\"\"\"",
                "SELECT pg_catalog.set_config('work_mem', E'8192', false)",
            ]
        );
        assert_eq!(original.back_to(&original), Vec::<String>::new());
    }
}
