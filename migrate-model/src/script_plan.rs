//! Plans the execution of a script, from its first statement or from the point where an earlier run stopped: which parts run,
//! in which order, and which of them share a transaction with their checkpoint. It executes nothing and uses no database.

use crate::dialect::Dialect;
use crate::execution::{self, Unit};
use crate::savepoint::SavepointCommand;
use crate::script::Script;
use crate::session_effect::{self, SessionEffect, superseded};
use crate::statement::{Reading, Statement};
use std::borrow::Cow;
use std::ops::Range;

/// The remaining parts of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptPlan {
    /// In the order of execution.
    pub parts: Vec<ScriptPart>,
    /// Is the whole script one transaction? Then no record is written before it ends.
    pub atomic: bool,
    /// What each statement of the script does to its session.
    pub effects: Vec<SessionEffect>,
    /// For each statement that reads a value of its session, such as `currval('s')`: the first that may have left it.
    pub sources: Vec<Option<usize>>,
    /// The statements between which no value of a sequence may be taken, because the last of them may read `lastval()`.
    pub sequence_span: Option<Range<usize>>,
}

/// A part of a script plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptPart {
    /// Session settings. They have no checkpoint, because a new session must execute them again.
    SessionSettings(Range<usize>),
    /// Statements with one checkpoint.
    Segment(Segment),
}

/// Statements with one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The statements to run.
    pub unit: Unit,
    /// Does the segment share a transaction with its checkpoint?
    pub in_transaction: bool,
    /// Is nothing done where the checkpoint is not written? False if it may write a table without transactions.
    pub is_certain: bool,
    /// Does the checkpoint complete the script?
    pub last: bool,
}

impl ScriptPlan {
    /// Is there a segment to run?
    pub fn has_segments(&self) -> bool {
        self.segments().next().is_some()
    }

    /// The segments, in the order of execution.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.parts.iter().filter_map(|part| match part {
            ScriptPart::Segment(segment) => Some(segment),
            ScriptPart::SessionSettings(_) => None,
        })
    }

    /// Must a value of a sequence that the session has after a statement stay as it is?
    pub fn keeps_sequences_after(&self, statement: usize) -> bool {
        self.sequence_span.as_ref().is_some_and(|span| span.start <= statement && statement + 1 < span.end)
    }

    /// The strongest effect that the script has on its session.
    pub fn session_effect(&self) -> SessionEffect {
        self.effects.iter().copied().max().unwrap_or(SessionEffect::None)
    }

    /// The first statement of a segment that reads a value which a statement outside its transaction has left.
    fn reads_earlier(&self, segment: &Segment) -> Option<usize> {
        let start = segment.unit.statements.start;
        segment.unit.statements.clone().find(|at| {
            let begins = if segment.in_transaction { start } else { *at };
            self.sources.get(*at).copied().flatten().is_some_and(|source| source < begins)
        })
    }

    /// The first statement that requires the whole plan to run in one session: one that changes its session and is followed
    /// by others outside its transaction or, if the session was prepared, a statement outside a transaction.
    pub fn needs_session(&self, prepared: bool) -> Option<usize> {
        self.parts.iter().find_map(|part| match part {
            ScriptPart::SessionSettings(statements) => Some(statements.start),
            ScriptPart::Segment(segment) if prepared && !segment.in_transaction => Some(segment.unit.statements.start),
            ScriptPart::Segment(segment) if self.reads_earlier(segment).is_some() => self.reads_earlier(segment),
            ScriptPart::Segment(segment) if segment.last && segment.in_transaction => None,
            ScriptPart::Segment(segment) => segment
                .unit
                .statements
                .clone()
                .find(|at| self.effects.get(*at).is_some_and(|effect| *effect != SessionEffect::None)),
        })
    }
}

/// Plans the rest of a script after its first `done` statements.
pub fn plan_script<'r>(script: &Script, reading: impl Into<Reading<'r>>, done: usize) -> ScriptPlan {
    let reading = reading.into();
    let dialect = reading.dialect;
    let effects = session_effect::of_script(&script.text, &script.statements, dialect, reading.catalog);
    let sources = session_effect::sources(&script.text, &script.statements, dialect, reading.catalog);
    let sequence_span = session_effect::sequence_span(&script.text, &script.statements, &effects, dialect);
    let follows = session_effect::follows(&script.text, &script.statements, dialect, reading.catalog);
    let is_setting =
        |unit: &Unit| !unit.in_transaction && unit.statements.clone().all(|at| effects.get(at) == Some(&SessionEffect::Setting));
    let writes = without_transactions(script, reading);
    let units = divided_units(script, &writes, &effects, dialect);
    let segments: Vec<&Unit> = units.iter().filter(|unit| !is_setting(unit)).collect();
    let atomic = matches!(segments.as_slice(), [unit] if unit.in_transaction && !unit.statements.clone().any(|at| writes[at]));
    let end = segments.last().map_or(script.statements.len(), |last| last.done_after);
    // A new session has none of the settings that the statements before made, also those in a transaction.
    let again = session_effect::settings_before(&effects, done);
    let again = superseded::without_superseded(&script.text, &script.statements, again, dialect);
    let mut parts: Vec<ScriptPart> =
        if end > done { again.iter().map(|at| ScriptPart::SessionSettings(*at..at + 1)).collect() } else { Vec::new() };
    for unit in units.iter().filter(|unit| unit.done_after > done) {
        if is_setting(unit) {
            // A setting after the last segment has no effect, because the session ends there.
            if unit.done_after <= end {
                parts.push(ScriptPart::SessionSettings(unit.statements.clone()));
            }
            continue;
        }
        // An edit after the point of failure can merge two units into one. The statements that are done must not run again.
        let mut unit = unit.clone();
        if unit.statements.start < done {
            unit.statements.start = done.min(unit.statements.end);
            unit.begin_statement = None;
        }
        let shares = unit.statements.len() == 1 && can_share(script, unit.statements.start, dialect);
        let in_transaction = unit.in_transaction || shares;
        let is_certain = in_transaction && !unit.statements.clone().any(|at| writes[at]);
        let last = unit.done_after == end;
        let segment = Segment { unit, in_transaction, is_certain, last };
        let mixes = |settings: &Range<usize>| {
            settings.clone().all(|at| session_effect::joins_transaction(script.statements[at].sql(&script.text), dialect))
        };
        push_segment(&mut parts, segment, &follows, done, &mixes);
    }
    ScriptPlan { parts, atomic, effects, sources, sequence_span }
}

/// For each statement: may it write a table without transactions?
fn without_transactions(script: &Script, reading: Reading<'_>) -> Vec<bool> {
    let engines = &reading.catalog.engines;
    let may_write = |statement: &Statement| engines.may_be_written_by(statement.sql(&script.text));
    script.statements.iter().map(may_write).collect()
}

/// The units of a script. A transaction that the file does not write itself is divided into its statements if one of them may
/// write a table without transactions: then each has its own checkpoint.
fn divided_units<'s>(script: &'s Script, writes: &[bool], effects: &[SessionEffect], dialect: Dialect) -> Cow<'s, [Unit]> {
    let has_savepoint = |at: usize| SavepointCommand::of_statement(script.statements[at].sql(&script.text), dialect).is_some();
    let is_divided = |unit: &Unit| {
        let mut statements = unit.statements.clone();
        unit.in_transaction
            && unit.begin_statement.is_none()
            && statements.clone().any(|at| writes[at])
            && !statements.any(has_savepoint)
    };
    if !script.units.iter().any(is_divided) {
        return Cow::Borrowed(&script.units);
    }
    let mut units = Vec::new();
    for unit in &script.units {
        if !is_divided(unit) {
            units.push(unit.clone());
            continue;
        }
        for at in unit.statements.clone() {
            let in_transaction = effects.get(at) != Some(&SessionEffect::Setting);
            let done_after = if at + 1 == unit.statements.end { unit.done_after } else { at + 1 };
            units.push(Unit { in_transaction, begin_statement: None, statements: at..at + 1, done_after });
        }
    }
    Cow::Owned(units)
}

/// Can a statement share a transaction with its checkpoint?
fn can_share(script: &Script, statement: usize, dialect: Dialect) -> bool {
    let sql = script.statements[statement].sql(&script.text);
    execution::can_share_transaction(sql, dialect, script.directives.no_transaction)
}

/// Adds a segment. If one of its statements reads what an earlier one returned, such as `ROW_COUNT()`, nothing may run between
/// them and all have one checkpoint, also the settings between them. `mixes`: these settings can be set in a transaction.
fn push_segment(
    parts: &mut Vec<ScriptPart>,
    mut segment: Segment,
    follows: &[Option<usize>],
    done: usize,
    mixes: &dyn Fn(&Range<usize>) -> bool,
) {
    let start = segment.unit.statements.start;
    let from = segment.unit.statements.clone().filter_map(|at| follows[at]).min().unwrap_or(start);
    while let Some(part) = parts.last() {
        let (before, joins, is_certain) = match part {
            ScriptPart::Segment(previous) => {
                // No statement between them begins or ends a transaction of the script.
                let are_adjacent = previous.unit.statements.end == segment.unit.statements.start;
                (previous.unit.statements.clone(), previous.in_transaction && are_adjacent, previous.is_certain)
            }
            // Those before the point of resumption are set again, and have no part in the script.
            ScriptPart::SessionSettings(settings) if settings.start < done => break,
            ScriptPart::SessionSettings(settings) => (settings.clone(), mixes(settings), true),
        };
        if before.end <= from {
            break;
        }
        segment.in_transaction &= joins;
        segment.is_certain &= segment.in_transaction && is_certain;
        segment.unit.begin_statement = None;
        segment.unit.statements.start = before.start;
        parts.pop();
    }
    parts.push(ScriptPart::Segment(segment));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `set` for a session setting, `[1 2]` for statements that share a transaction with their checkpoint, `1` for those that
    /// do not, and `!` after the last segment.
    fn outline(dialect: Dialect, text: &str, done: usize) -> String {
        let (script, findings) = Script::read(text.to_owned(), "f.sql", dialect);
        assert_eq!(findings, [], "{text}");
        let plan = plan_script(&script, dialect, done);
        let parts = plan.parts.iter().map(|part| match part {
            ScriptPart::SessionSettings(_) => "set".to_owned(),
            ScriptPart::Segment(segment) => {
                let numbers: Vec<String> = segment.unit.statements.clone().map(|at| (at + 1).to_string()).collect();
                let numbers = numbers.join(" ");
                let numbers = if segment.in_transaction { format!("[{numbers}]") } else { numbers };
                format!("{numbers}{}", if segment.last { "!" } else { "" })
            }
        });
        let parts: Vec<String> = parts.collect();
        format!("{}{}", parts.join(" "), if plan.atomic { "; atomic" } else { "" })
    }

    #[test]
    fn courses() {
        use Dialect::{MySql, Postgres, Sqlite};
        for (dialect, text, done, expected) in [
            (Postgres, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);", 0, "[1 2]!; atomic"),
            (Postgres, "SET x = 1; CREATE TABLE t (a int);", 0, "[1 2]!; atomic"),
            (Postgres, "CREATE INDEX CONCURRENTLY i ON t (a); INSERT INTO t VALUES (1); VACUUM t;", 0, "1 [2] 3!"),
            (Postgres, "SET a = 1; VACUUM t; SET b = 1; VACUUM u; RESET a;", 0, "set 2 set 4!"),
            (Postgres, "SET a = 1; VACUUM t; SET b = 1; VACUUM u; RESET a;", 2, "set set 4!"),
            (MySql, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);", 0, "1 [2]!"),
            (MySql, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);", 1, "[2]!"),
            (MySql, "LOCK TABLES t WRITE; INSERT INTO t VALUES (1); UNLOCK TABLES;", 0, "1 2 3!"),
            (MySql, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", 1, "[2]!; atomic"),
            (Sqlite, "PRAGMA foreign_keys = OFF; SELECT 1; SELECT 2; PRAGMA foreign_keys = ON;", 0, "set [2 3]!; atomic"),
            (MySql, "SET GLOBAL a = 1; CREATE TABLE t (a int); SET @@GLOBAL.b = 1;", 0, "1 2 3!"),
            (MySql, "SET a = 1; CALL p(); SET b = 1;", 0, "set 2!"),
            (Sqlite, "VACUUM;", 0, "1!"),
            // What reads a value of an earlier statement has one checkpoint with it.
            (Sqlite, "INSERT INTO t VALUES (1); VACUUM; SELECT 1; SELECT changes();", 0, "1 2 3 4!"),
            (Sqlite, "SELECT 1; INSERT INTO t VALUES (1); PRAGMA foreign_keys = 1; SELECT changes();", 0, "1 2 3 4!"),
            (Sqlite, "SELECT 1; VACUUM; SELECT total_changes();", 0, "1 2 3!"),
            (Sqlite, "SELECT 1; VACUUM; SELECT changes FROM t;", 0, "[1] 2 [3]!"),
            (MySql, "CREATE TABLE t (a int); INSERT INTO t VALUES (1); SET @a = 1; SELECT LAST_INSERT_ID();", 0, "1 [2 3 4]!"),
            // A change of the file is a segment, wherever it is.
            (Sqlite, "VACUUM; PRAGMA user_version = 5;", 0, "1 2!"),
            (Sqlite, "VACUUM; PRAGMA JOURNAL_MODE = wal;", 0, "1 2!"),
            (Sqlite, "SELECT 1;", 1, "; atomic"),
            (Sqlite, "PRAGMA foreign_keys = OFF;", 0, "set"),
            (Sqlite, "", 0, ""),
        ] {
            assert_eq!(outline(dialect, text, done), expected, "{text}");
        }
    }

    #[test]
    fn what_needs_a_session() {
        for (text, done, prepared, expected) in [
            ("SET a = 1; CREATE TABLE t (a int);", 0, true, None),
            ("SET a = 1; VACUUM t;", 0, false, Some(0)),
            ("VACUUM t; SET a = 1; VACUUM u;", 0, false, Some(1)),
            ("VACUUM t; VACUUM u;", 0, false, None),
            ("VACUUM t; VACUUM u;", 1, true, Some(1)),
            ("INSERT INTO a VALUES (1); SELECT currval('s');", 0, false, None),
            ("INSERT INTO a VALUES (1); VACUUM t; INSERT INTO b VALUES (lastval());", 0, false, Some(2)),
            ("SELECT nextval('s'); VACUUM t; INSERT INTO b VALUES (pg_catalog.currval('s'));", 0, false, Some(2)),
            ("VACUUM t; SELECT nextval('s'), currval('s');", 0, false, None),
        ] {
            let (script, _) = Script::read(text.to_owned(), "f.sql", Dialect::Postgres);
            assert_eq!(plan_script(&script, Dialect::Postgres, done).needs_session(prepared), expected, "{text}");
        }
    }
}
