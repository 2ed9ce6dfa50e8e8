//! The record that a step starts, written with the commit that ends the step before it. Where a script commits statement by
//! statement, this saves one commit for each file.
//!
//! Between the two steps, the history shows the next one as started although none of its statements has run. So this is done only
//! where an interruption at this point is resolved by itself, and the engine withdraws the record if the step cannot begin.

use crate::backend::Backend;
use crate::history_changes::{Recording, StepChanges};
use migrate_model::effect::{self, Effects};
use migrate_model::history::History;
use migrate_model::plan::Step;
use migrate_model::script_plan::{ScriptPart, Segment, plan_script};
use migrate_model::session_effect::{self, FreshSession};
use migrate_model::statement::Reading;
use migrate_model::target::Direction;

/// The longest scripts (bytes), up and down, whose record is sent together with the end of another step.
pub const MAX_TEXT: usize = 64 << 10;

/// The changes of a step whose record can be written before the step is reached; `None` if it cannot.
pub fn changes_of<'p>(
    backend: &dyn Backend,
    step: Option<&'p Step<'p>>,
    reading: Reading<'_>,
    history: &History,
) -> Option<StepChanges<'p>> {
    let step = step.filter(|step| step.direction == Direction::Up && step.done == 0)?;
    let (script, migration) = (step.file_script()?, step.migration?);
    let down = migration.down.as_ref().map_or(0, |down| down.text.len());
    let is_ready = backend.starts_early()
        && backend.owns_session()
        && script.directives.gates.is_empty()
        && script.text.len().max(down) <= MAX_TEXT
        && history.get(&step.key).is_none()
        && session_effect::fresh_session(&script.text, &script.statements, reading.dialect) == FreshSession::NotNeeded;
    if !is_ready {
        return None;
    }
    let plan = plan_script(script, reading, 0);
    let first = plan.parts.iter().find_map(|part| if let ScriptPart::Segment(segment) = part { Some(segment) } else { None })?;
    let is_known = |segment: &Segment| {
        let sql = script.statements[segment.unit.statements.start].sql(&script.text);
        segment.in_transaction
            || (segment.unit.statements.len() == 1 && matches!(effect::read(sql, reading.dialect), Effects::Known(_)))
    };
    // Of a script that is one transaction, there is no record before its end.
    (!plan.atomic && is_known(first)).then(|| StepChanges::new(step, script, Recording::FromStart, history))
}
