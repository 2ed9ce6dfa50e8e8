//! Statements of a script put together into one text to send, and the way back from there to the script.

use crate::backend::UnitRun;
use std::ops::Range;

/// Stands before the script, for people and programs that look at what a session is doing.
const SCRIPT: &str = "/* migration */\n";

/// Stands behind it.
const RECORD: &str = "/* record */\n";

/// What a session is doing, without what is ours in front of it.
pub fn strip_own_sql(text: &str) -> &str {
    let script = text.split_once(SCRIPT).map_or(text, |(_, script)| script);
    script.split_once(RECORD).map_or(script, |(script, _)| script)
}

/// Does a script say this, in whatever case? Asked of its text, because a function may do it as well.
pub fn contains_word(script: &str, word: &str) -> bool {
    let Some(first) = word.bytes().next() else { return true };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let (script, word) = (script.as_bytes(), word.as_bytes());
    let begins = script.iter().enumerate().filter(|(_, byte)| **byte == lower || **byte == upper);
    begins.map(|(at, _)| at).any(|at| script.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
}

/// A statement of the script in a message.
#[derive(Debug)]
struct MessagePart {
    /// Its index in the script.
    statement: usize,
    /// Where it begins in the message, in bytes.
    sql_start: usize,
    /// Where it begins in the script, in bytes.
    script_start: usize,
    /// How long it is, in bytes.
    len: usize,
}

/// A text to send.
#[derive(Debug, Default)]
pub struct SqlMessage {
    /// The text.
    pub sql: String,
    /// How many statements of ours stand before the script's.
    before: usize,
    /// The statements of the script that are in it, in order.
    parts: Vec<MessagePart>,
}

impl SqlMessage {
    /// Adds statements of ours before the script's; each of them counts.
    pub fn prepend(&mut self, statement: &str) {
        self.sql.push_str(statement);
        self.sql.push_str(";\n");
        self.before += 1;
    }

    /// Adds statements of the script, set off from ours.
    pub fn add_statements(&mut self, work: &UnitRun<'_>, piece: Range<usize>) {
        self.sql.push_str(SCRIPT);
        for (number, statement) in piece.clone().zip(&work.statements[piece]) {
            self.parts.push(MessagePart {
                statement: number,
                sql_start: self.sql.len(),
                script_start: statement.range.start,
                len: statement.range.len(),
            });
            self.sql.push_str(statement.sql(work.text));
            // A statement may end in a line comment that belongs to it.
            self.sql.push_str("\n;\n");
        }
    }

    /// Adds statements of ours behind the script's.
    pub fn append(&mut self, sql: &str) {
        self.sql.push_str(RECORD);
        self.sql.push_str(sql);
    }

    /// The statement of the script that failed, when so many results came before the error. `None` when it was ours.
    pub fn failed(&self, completed: usize) -> Option<usize> {
        let at = completed.checked_sub(self.before)?;
        self.parts.get(at).map(|part| part.statement)
    }

    /// Were all of the script's statements carried out?
    pub fn script_done(&self, completed: usize) -> bool {
        completed >= self.before + self.parts.len()
    }

    /// The byte of the script that a character of this text (counted from 1) comes from.
    pub fn script_offset(&self, position: usize) -> Option<usize> {
        let (byte, _) = self.sql.char_indices().nth(position.checked_sub(1)?)?;
        let part = self.parts.iter().rfind(|part| part.sql_start <= byte)?;
        let inside = byte - part.sql_start;
        (inside <= part.len).then_some(part.script_start + inside)
    }
}
