//! Migrations, steps and findings as JSON: the shapes that `docs/format.md` describes, one function each.

use crate::server_notices::ServerNotice;
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_runtime::{CompletedMigration, HistoryWriters, MigrationStatus, Step};
use serde_json::{Value, json};

/// A finding.
pub fn finding(finding: &Finding) -> Value {
    let span = finding.place.as_ref().and_then(|place| place.span.as_ref());
    json!({
        "code": finding.code.name,
        "level": finding.level.name(),
        "message": finding.message,
        "file": finding.place.as_ref().map(|place| &place.file),
        "line": span.map(|span| span.position.line),
        "column": span.map(|span| span.position.column),
        "notes": finding.notes,
        "help": finding.help,
    })
}

/// Mismatches between files and history.
pub fn divergences(divergences: &[Divergence]) -> Value {
    divergences.iter().map(|divergence| finding(&divergence.finding)).collect()
}

/// What else the database contains, as [`StatusReport::neighbors`](migrate_runtime::StatusReport::neighbors) returns it.
pub fn neighbors(findings: &[Finding]) -> Value {
    findings.iter().map(finding).collect()
}

/// The status of a migration.
pub fn migration(status: &MigrationStatus<'_>, writers: &HistoryWriters) -> Value {
    let (migration, record, run) = (status.migration(), status.record(), status.run());
    json!({
        "version": status.key().as_str(),
        "name": status.title(),
        "state": status.state.name(),
        "phase": migration.and_then(|migration| migration.phase()).map(|phase| phase.name()),
        "checksum": migration.map(|migration| migration.up.checksum.to_string()),
        "applied_checksum": record.map(|record| record.checksum.to_string()),
        "applied_at": run.and_then(|run| run.applied_at.clone()),
        "applied_by": run.map(|run| run.applied_by.clone()),
        "execution_ms": run.and_then(|run| run.execution_ms),
        "statements": record.map(|record| record.statements),
        "statements_done": record.map(|record| record.statements_done),
        "reversible": migration.map_or(record.is_some_and(|record| record.has_down), |migration| migration.down.is_some()),
        "stored_sql": status.reverts_with_stored_sql().then(|| if writers.are_trusted() { "confirmed" } else { "not-confirmed" }),
    })
}

/// A step of a plan, and how its script runs.
pub fn step(step: &Step<'_>, execution: &str) -> Value {
    json!({
        "version": step.key.as_str(),
        "name": step.title,
        "direction": step.direction.name(),
        "execution": execution,
        "statements_done": step.done,
    })
}

/// A message of the server.
pub fn notice(notice: &ServerNotice) -> Value {
    json!({ "migration": notice.migration, "severity": notice.severity.name(), "message": notice.message })
}

/// A step that is done.
pub fn completed(migration: &CompletedMigration) -> Value {
    json!({
        "version": migration.key.as_str(),
        "name": migration.title,
        "direction": migration.direction.name(),
        "execution_ms": u64::try_from(migration.took.as_millis()).unwrap_or(u64::MAX),
    })
}
