//! A message to the server: statements of a script between our own, and the mapping from positions in it to the script.

use crate::backend::UnitRun;
use migrate_model::dialect::Dialect;
use migrate_model::token::{Kind, Tokens};
use std::ops::Range;

/// Precedes the statements of the script, so that they can be located in the process list of a server.
const SCRIPT: &str = "/* migration */\n";

/// Follows the statements of the script.
const RECORD: &str = "/* record */\n";

/// The statement of a session, as the server shows it, for people: of a message, the statements of the script. A literal, which may
/// be a password or a value of the application, is shown as `?`; comments are left out.
pub fn shown_statement(text: &str, dialect: Dialect) -> String {
    let sql = strip_own_sql(text);
    let mut masked = String::with_capacity(sql.len());
    for token in Tokens::new(sql, dialect) {
        match token.kind {
            Kind::Text | Kind::DollarText | Kind::Number => masked.push('?'),
            Kind::Comment | Kind::Hint | Kind::Executable => masked.push(' '),
            Kind::Space | Kind::Word | Kind::QuotedName | Kind::Symbol => masked.push_str(token.text(sql)),
        }
    }
    masked.trim().to_owned()
}

/// The statements of the script in the text of a message; other texts remain unchanged.
fn strip_own_sql(text: &str) -> &str {
    let script = text.split_once(SCRIPT).map_or(text, |(_, script)| script);
    script.split_once(RECORD).map_or(script, |(script, _)| script)
}

/// A statement of the script in a message, or one of our own directly before it.
#[derive(Debug)]
struct MessagePart {
    /// The index of the statement in the script.
    statement: usize,
    /// The start in the message, in bytes.
    sql_start: usize,
    /// The start in the script, in bytes.
    script_start: usize,
    /// The length in bytes.
    len: usize,
}

/// A message: first our own statements, then statements of the script, then again our own.
#[derive(Debug, Default)]
pub struct SqlMessage {
    /// The text to send.
    pub sql: String,
    /// The number of our own statements before those of the script.
    before: usize,
    /// The statements of the script in this message, in order.
    parts: Vec<MessagePart>,
}

impl SqlMessage {
    /// Adds one of our own statements before those of the script.
    pub fn prepend(&mut self, statement: &str) {
        self.sql.push_str(statement);
        self.sql.push_str(";\n");
        self.before += 1;
    }

    /// Adds the statements of the script with these indexes.
    pub fn add_statements(&mut self, unit_run: &UnitRun<'_>, chunk: Range<usize>) {
        self.add_statements_with(unit_run, chunk, |_| None);
    }

    /// Adds the statements of the script with these indexes, each after the one of our own that `before` returns for it.
    pub fn add_statements_with(&mut self, unit_run: &UnitRun<'_>, chunk: Range<usize>, before: impl Fn(usize) -> Option<String>) {
        self.sql.push_str(SCRIPT);
        for (number, statement) in chunk.clone().zip(&unit_run.statements[chunk]) {
            if let Some(own_sql) = before(number) {
                self.parts.push(MessagePart { statement: number, sql_start: self.sql.len(), script_start: 0, len: 0 });
                self.sql.push_str(&own_sql);
                self.sql.push_str(";\n");
            }
            self.parts.push(MessagePart {
                statement: number,
                sql_start: self.sql.len(),
                script_start: statement.range.start,
                len: statement.range.len(),
            });
            self.sql.push_str(statement.sql(unit_run.text));
            // SQLite stores the text of an index up to the semicolon. A statement does not end in a comment, which would hide it.
            self.sql.push_str(";\n");
        }
    }

    /// Adds our own statements after those of the script.
    pub fn append(&mut self, sql: &str) {
        self.sql.push_str(RECORD);
        self.sql.push_str(sql);
    }

    /// Our own statements, their number, and the statement of the script, if it is the only one.
    pub fn single_statement(&self) -> Option<(&str, usize, &str)> {
        let [part] = self.parts.as_slice() else { return None };
        let before = self.sql.get(..part.sql_start)?;
        let statement = self.sql.get(part.sql_start..part.sql_start + part.len)?;
        Some((before.strip_suffix(SCRIPT).unwrap_or(before), self.before, statement))
    }

    /// The index of the failed statement in the script, if `completed` statements preceded it. `None` if it is one of our own.
    pub fn failed(&self, completed: usize) -> Option<usize> {
        let index = completed.checked_sub(self.before)?;
        self.parts.get(index).map(|part| part.statement)
    }

    /// Whether all statements of the script in this message are among the first `completed` ones.
    pub fn script_done(&self, completed: usize) -> bool {
        completed >= self.before + self.parts.len()
    }

    /// Maps a character of this message, counted from 1, to a byte of the script. `None` if it is in one of our own statements.
    pub fn script_offset(&self, position: usize) -> Option<usize> {
        let (byte, _) = self.sql.char_indices().nth(position.checked_sub(1)?)?;
        let part = self.parts.iter().rfind(|part| part.sql_start <= byte && part.len > 0)?;
        let inside = byte - part.sql_start;
        (inside <= part.len).then_some(part.script_start + inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_other_sessions_are_not_shown() {
        for (text, dialect, shown) in [
            ("CREATE ROLE a PASSWORD 'secret'", Dialect::Postgres, "CREATE ROLE a PASSWORD ?"),
            (
                "UPDATE \"t\" SET a = E'it\\'s', b = $x$secret$x$ WHERE n = 4.5e3",
                Dialect::Postgres,
                "UPDATE \"t\" SET a = ?, b = ? WHERE n = ?",
            ),
            ("(idle in transaction) SELECT 'secr", Dialect::Postgres, "(idle in transaction) SELECT ?"),
            ("SELECT 1 -- secret\n FROM t /* secret", Dialect::Postgres, "SELECT ?  \n FROM t"),
            ("SET PASSWORD = PASSWORD(\"secret\")", Dialect::MySql, "SET PASSWORD = PASSWORD(?)"),
            (
                "INSERT INTO `t` VALUES (_utf8'secret', x'616263', 0x6162, N'x') /*! secret */",
                Dialect::MySql,
                "INSERT INTO `t` VALUES (_utf8?, ?, ?, ?)",
            ),
            (
                "BEGIN;\n/* migration */\nALTER TABLE t ADD a int DEFAULT 5;\n/* record */\nCOMMIT",
                Dialect::Postgres,
                "ALTER TABLE t ADD a int DEFAULT ?;",
            ),
        ] {
            assert_eq!(shown_statement(text, dialect), shown, "{text}");
        }
    }
}
