//! The lock timeout of single statements in a transaction: it is set before a statement that blocks traffic, and reset before the
//! next one that does not.

use crate::backend::UnitRun;
use crate::backoff::LOCK_TIMEOUT;

/// Resets the limit to that of the session.
const RESET: &str = "SET LOCAL lock_timeout = DEFAULT";

/// SQL that sets or resets the limit before a statement, if it is another one than for the statement before it.
pub fn before(unit_run: &UnitRun<'_>, statement: usize) -> Option<String> {
    let is_brief = unit_run.is_brief(statement);
    let was_brief = statement > unit_run.unit.statements.start && unit_run.is_brief(statement - 1);
    let set = || format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis());
    (is_brief != was_brief).then(|| if is_brief { set() } else { RESET.to_owned() })
}

/// SQL that resets the limit after the last statement; empty if there is none.
pub fn after(unit_run: &UnitRun<'_>) -> String {
    let is_last_brief = unit_run.unit.statements.clone().next_back().is_some_and(|last| unit_run.is_brief(last));
    if is_last_brief { format!("{RESET};\n") } else { String::new() }
}
