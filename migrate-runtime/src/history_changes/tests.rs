//! Every event and the change that it makes, by table.

use super::*;
use migrate_model::dialect::Dialect;
use migrate_model::key::MigrationKey;
use migrate_model::plan::ScriptSource;
use migrate_model::set_settings::SetSettings;

fn script(text: &str) -> Script {
    Script::read(text.to_owned(), "migrations/x.sql", Dialect::Postgres).0
}

/// Versions with two statements each; with `-` after the number, without a down migration.
fn set(versions: &[&str]) -> MigrationSet {
    let migration = |version: &&str| {
        Migration::new(
            version.trim_end_matches('-').parse().unwrap(),
            format!("m{version}"),
            script("VACUUM a; VACUUM b;"),
            (!version.ends_with('-')).then(|| script("VACUUM c; VACUUM d;")),
        )
    };
    MigrationSet::new(SetSettings::new("app", Dialect::Postgres), versions.iter().map(migration).collect())
}

fn record(version: &str, state: RecordState, done: usize) -> Record {
    let up = script("VACUUM a; VACUUM b;");
    let pending = match state {
        RecordState::Started | RecordState::Failed => Some(up.text.to_string()),
        RecordState::Reverting | RecordState::RevertFailed | RecordState::RevertResolved => {
            Some("VACUUM c; VACUUM d;".to_owned())
        }
        _ => None,
    };
    let applied = Record::applied(version.parse().unwrap(), format!("m{version}"), up.checksum, up.sql_checksum, 2);
    let mut record = applied.with_progress(state, done);
    record.has_down = true;
    record.pending_sql = pending;
    record
}

/// A change in one line: what it is, of which version, and what becomes of the stored scripts and of the summary.
fn line(change: &HistoryChange<'_>) -> String {
    let stored = |sql: StoredSql<'_>| match sql {
        StoredSql::Keep => "keep",
        StoredSql::Set(_) => "set",
        StoredSql::Clear => "clear",
    };
    let of = |record: &RecordWrite<'_>| {
        let (up, down) = (stored(record.up), stored(record.down));
        format!("{} {} {}/{} up={up} down={down}", record.version, record.state, record.done, record.statements)
    };
    let summary = |summary: &SchemaVersionRow<'_>| {
        format!("{} applied, latest {}", summary.count, summary.latest.as_ref().map_or("none", |(version, _)| &**version))
    };
    match change {
        HistoryChange::Started { record, .. } => format!("started {}", of(record)),
        HistoryChange::RevertStarted { version, done, down, summary: row, .. } => {
            format!("revert started {version} {done} down={}; {}", stored(*down), summary(row))
        }
        HistoryChange::Checkpoint { version, done, .. } => format!("checkpoint {version} {done}"),
        HistoryChange::Observed { version, observation } => format!("observed {version} {}", observation.done),
        HistoryChange::Applied { record, summary: row, completion } => {
            let how = if matches!(completion, Completion::Declared) { "declared" } else { "executed" };
            format!("applied {} {how}; {}", of(record), summary(row))
        }
        HistoryChange::Finished { version, summary: row, .. } => format!("finished {version}; {}", summary(row)),
        HistoryChange::Reverted { version, summary: row, .. } => format!("reverted {version}; {}", summary(row)),
        HistoryChange::Repaired { record, summary: row } => format!("repaired {}; {}", of(record), summary(row)),
        HistoryChange::Resolved { version, state, done, script, .. } => {
            format!("resolved {version} {state} {done} script={}", script.is_some())
        }
        HistoryChange::Summarized { summary: row } => format!("summarized; {}", summary(row)),
        HistoryChange::RecordsAccepted { summary: row, lost } => {
            format!("records accepted without {}; {}", lost.len(), summary(row))
        }
        HistoryChange::GivenUp { version, restored: Restored::NotApplied, .. } => format!("given up {version}"),
        HistoryChange::GivenUp { version, restored: Restored::Applied { statements, summary: row }, .. } => {
            format!("revert given up {version} {statements}; {}", summary(row))
        }
        HistoryChange::Failed { version, outcome, .. } => {
            let outcome = match outcome {
                FailedOutcome::RolledBack => "rolled back".to_owned(),
                FailedOutcome::NothingRemains(_) => "nothing remains".to_owned(),
                FailedOutcome::Stopped { done } => format!("stopped {done}"),
                FailedOutcome::Unclear { done } => format!("unclear {done}"),
            };
            format!("failed {version} {outcome}")
        }
    }
}

#[test]
fn what_an_up_step_writes() {
    let set = set(&["1", "2", "3-"]);
    let history = History::new(vec![record("1", RecordState::Applied, 2)]);
    for (version, recording, expected) in [
        (
            "2",
            Recording::FromStart,
            ["started 2 started 0/2 up=set down=set", "checkpoint 2 1", "finished 2; 2 applied, latest 2", "failed 2 stopped 1"],
        ),
        (
            "3",
            Recording::AtEnd,
            [
                "started 3 started 0/2 up=set down=keep",
                "checkpoint 3 1",
                "applied 3 applied 2/2 up=set down=keep executed; 2 applied, latest 3",
                "failed 3 rolled back",
            ],
        ),
    ] {
        let migration = set.get(&version.parse().unwrap()).unwrap();
        let step = Step::new(Direction::Up, &migration.version, Some(migration), ScriptSource::File(&migration.up));
        let changes = StepChanges::new(&step, &migration.up, recording, &history);
        let elapsed = Elapsed::Measured(std::time::Duration::ZERO);
        let lines = [
            changes.started(0, None),
            changes.checkpoint(1, None),
            changes.finished(elapsed),
            changes.failed(&history, 1, Some(Remains::Nothing), "no"),
        ];
        assert_eq!(lines.map(|change| line(&change)), expected);
        for (done, remains, from_start) in
            [(0, Some(Remains::Nothing), "nothing remains"), (0, None, "stopped 0"), (1, Some(Remains::Unclear), "unclear 1")]
        {
            let expected = if recording == Recording::FromStart || done == 1 { from_start } else { "rolled back" };
            let change = line(&changes.failed(&history, done, remains, "no"));
            assert_eq!(change, format!("failed {version} {expected}"));
        }
    }
}

#[test]
fn what_a_down_step_writes() {
    let set = set(&["1"]);
    let history = History::new(vec![record("1", RecordState::Applied, 2), record("2", RecordState::Applied, 2)]);
    let migration = set.get(&"1".parse().unwrap()).unwrap();
    let down = migration.down.as_ref().unwrap();
    // Version 2 was applied by a newer build: its script comes from the history, and stays there.
    for (version, migration, source, expected) in [
        ("1", Some(migration), ScriptSource::File(down), "revert started 1 0 down=set; 1 applied, latest 2"),
        ("2", None, ScriptSource::History, "revert started 2 0 down=keep; 1 applied, latest 1"),
    ] {
        let step = Step::new(Direction::Down, version.parse::<MigrationKey>().unwrap(), migration, source);
        let changes = StepChanges::new(&step, down, Recording::FromStart, &history);
        assert_eq!(line(&changes.started(0, None)), expected);
        let mut after = history.clone();
        changes.apply_progress(&mut after, 1);
        assert_eq!(after.applied().count(), 1, "a migration that is being reverted does not count as applied");
    }
}

/// `resolve --applied` from a checkout without the files keeps what is stored (the stored down script was erased once).
#[test]
fn what_an_operator_declares() {
    use RecordState::{Applied, Failed, RevertFailed, Started};
    let all = &["1", "2"][..];
    for (files, state, done, resolution, expected) in [
        (all, Failed, 1, Resolution::Retry, Ok("resolved 2 resolved 1 script=false")),
        (all, RevertFailed, 1, Resolution::Retry, Ok("resolved 2 revert-resolved 1 script=false")),
        (all, Failed, 1, Resolution::MarkNotApplied, Ok("given up 2")),
        (all, RevertFailed, 1, Resolution::MarkNotApplied, Ok("revert given up 2 2; 2 applied, latest 2")),
        (all, Started, 1, Resolution::SkipTo(2), Ok("resolved 2 resolved 1 script=false")),
        (all, Failed, 1, Resolution::SkipTo(1), Err(CannotResolve::AlreadyDone { done: 1 })),
        (all, Failed, 1, Resolution::SkipTo(3), Err(CannotResolve::NoSuchStatement { statements: 2 })),
        (all, Applied, 2, Resolution::Retry, Err(CannotResolve::NotPartiallyApplied)),
        (all, Failed, 1, Resolution::MarkApplied, Ok("applied 2 applied 2/2 up=set down=set declared; 2 applied, latest 2")),
        (
            &["1"][..],
            Failed,
            1,
            Resolution::MarkApplied,
            Ok("applied 2 applied 2/2 up=keep down=keep declared; 2 applied, latest 2"),
        ),
        (all, RevertFailed, 1, Resolution::MarkApplied, Ok("reverted 2; 1 applied, latest 1")),
    ] {
        let set = set(files);
        let history = History::new(vec![record("1", Applied, 2), record("2", state, done)]);
        let version = "2".parse().unwrap();
        let change = resolved(&set, &history, &version, resolution).map(|change| line(&change));
        assert_eq!(change, expected.map(str::to_owned), "{state} {resolution:?}");
    }
}

#[test]
fn the_summary_is_that_of_the_records() {
    let history = History::new(vec![record("1", RecordState::Applied, 2), record("2", RecordState::Failed, 1)]);
    assert_eq!(line(&summarized(&history)), "summarized; 1 applied, latest 1");
    assert_eq!(line(&summarized(&History::default())), "summarized; 0 applied, latest none");
}

#[test]
fn what_a_repair_writes() {
    let set = set(&["1", "2-"]);
    let history = History::new(vec![record("1", RecordState::Applied, 2), record("2", RecordState::Failed, 1)]);
    let line_of = |version: &str| repaired(&set, &history, &version.parse().unwrap()).map(|change| line(&change));
    assert_eq!(line_of("1").unwrap(), "repaired 1 applied 2/2 up=set down=set; 1 applied, latest 1");
    assert_eq!((line_of("2"), line_of("3")), (None, None));
}
