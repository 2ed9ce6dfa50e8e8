//! Everything that `migrate-runtime` exports, used from outside: each type that a signature names can be named by an application.

use migrate_runtime::{
    Activity, Checksum, Code, CompletedMigration, Database, DatabaseUrl, Dependents, Dialect, Direction, Directives, Divergence,
    Error, ErrorKind, Event, Finding, History, HistoryTables, HistoryWriters, InvalidChecksum, InvalidMigrations, InvalidVersion,
    JointMigrator, Level, LockSettings, LockStrategy, Migration, MigrationKey, MigrationSet, MigrationSetBuilder, MigrationState,
    MigrationStatus, Migrator, MissingRequirement, NamedObject, OutOfOrder, Phase, Place, Plan, Policy, Position, Quoting,
    Reading, Record, RecordState, RecordedRun, Requirement, Resolution, RoutineBody, RunReport, RunSettings, Script,
    ScriptSource, ServiceReport, SessionInfo, SetSettings, SetSummary, SharedSet, SourceSpan, Statement, StatusReport, Step,
    StopSignal, TableEngines, Target, TransactionMode, TriggerCatalog, Unit, UnknownDialect, Version,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A set that is built in code, without files.
fn set() -> MigrationSet {
    let script = |text: &str, file: &str| -> Script {
        let (script, findings): (Script, Vec<Finding>) = Script::read(text.to_owned(), file, Dialect::Sqlite);
        assert_eq!(findings, []);
        script
    };
    let version: Version = "1".parse().unwrap();
    let up = script("-- migrate: phase expand\nCREATE TABLE a (id integer);\nCREATE TABLE b (id integer);", "1_a.up.sql");
    let down = script("DROP TABLE b;\nDROP TABLE a;", "1_a.down.sql");
    let mut set_settings = SetSettings::new("shop", Dialect::Sqlite);
    let settings: &mut RunSettings = &mut set_settings.run;
    let (history, locking): (&mut HistoryTables, &mut LockSettings) = (&mut settings.history, &mut settings.locking);
    history.records = "records".to_owned();
    locking.strategy = LockStrategy::Auto;
    let policy: &mut Policy = &mut settings.policy;
    policy.out_of_order = OutOfOrder::Warn;
    let set = MigrationSet::new(set_settings, vec![Migration::new(version, "a", up, Some(down))]);
    let builder: MigrationSetBuilder = MigrationSet::builder("shop", Dialect::Sqlite).migration("x", "a", "SELECT 1", None);
    let invalid: InvalidMigrations = builder.build().unwrap_err();
    assert_eq!(invalid.findings()[0].code.name, "bad-version");
    let summary: SetSummary = set.summary();
    assert_eq!(summary.count, 1);
    set
}

async fn apply<'c>(migrator: &Migrator, database: impl Database<'c>) -> RunReport {
    migrator.run(database).await.unwrap()
}

#[tokio::test]
async fn an_application_can_name_everything() {
    let folder = tempfile::tempdir().unwrap();
    let url: DatabaseUrl = format!("sqlite:{}", folder.path().join("a.db").display()).parse().unwrap();
    Migrator::wait_for_database(&url, Duration::ZERO).await.unwrap_err();
    assert!(migrate_runtime::database::create(&url).await.unwrap());

    let set: Arc<MigrationSet> = Arc::new(set());
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = events.clone();
    let observer = move |event: &Event<'_>| {
        let text = match event {
            Event::Waiting { holder, .. } => format!("waiting {}", holder.map_or(String::new(), SessionInfo::to_string)),
            Event::Started { title, direction, .. } => format!("started {title} {}", Direction::name(*direction)),
            _ => return,
        };
        seen.lock().unwrap().push(text);
    };
    let stop = StopSignal::new();
    let migrator = Migrator::new(SharedSet::from(set.clone())).stop(&stop).on_event(observer);

    let report: RunReport = apply(&migrator, &url).await;
    let [done]: &[CompletedMigration] = &report.done else { panic!("{report:?}") };
    assert_eq!((&done.key, done.direction), (&MigrationKey::Version("1".parse().unwrap()), Direction::Up));
    assert_eq!(*events.lock().unwrap(), ["started 1_a.up.sql up"]);

    let status: StatusReport = migrator.status(&url).await.unwrap();
    assert_eq!(*status.writers(), HistoryWriters::Unknown);
    assert_eq!(status.activity(), Activity::Unknown);
    let reading: Reading<'_> = set.settings().reading();
    assert_eq!(reading.server, Quoting::of(Dialect::Sqlite));
    let history: &History = status.history();
    let triggers: &TriggerCatalog = history.triggers();
    let engines: &TableEngines = &triggers.engines;
    assert!(engines.is_empty() && NamedObject::Table.body().is_none());
    let bodies: Option<&Vec<RoutineBody>> = triggers.routines.get("f");
    assert_eq!(bodies, None);
    let record: &Record = history.get(&done.key).unwrap();
    assert_eq!(record.state, RecordState::Applied);
    let row: &MigrationStatus<'_> = &status.migrations()[0];
    let run: &RecordedRun = row.run().unwrap();
    assert!(row.state == MigrationState::Applied && run.applied_at.is_some());

    let plan: Plan<'_> = status.plan(&Target::DownAll).unwrap();
    let divergences: &[Divergence] = &plan.divergences;
    let [step]: &[Step<'_>] = &plan.steps else { panic!("{plan:?}") };
    assert!(divergences.is_empty() && matches!(step.source, ScriptSource::File(_)));
    let script: &Script = step.file_script().unwrap();
    let (statements, units): (&[Statement], &[Unit]) = (&script.statements, &script.units);
    assert_eq!((statements.len(), units.len(), script.transaction_mode()), (2, 1, TransactionMode::Wrapped));
    let directives: &Directives = &set.iter().next().unwrap().up.directives;
    let requirements: &[Requirement] = &directives.requires;
    assert!(directives.phase == Some(Phase::Expand) && requirements.is_empty());

    let missing: &[MissingRequirement] = &plan.missing;
    assert!(missing.is_empty());
    let several: JointMigrator =
        Migrator::all([SharedSet::from(set.clone())]).each(|migrator| migrator.dependents(Dependents::Protected));
    let reports: Vec<ServiceReport> = several.run(&url).await.unwrap();
    assert_eq!((reports.len(), reports[0].service.as_str(), reports[0].report.done.len()), (1, "shop", 0));

    let key: MigrationKey = "1".parse().unwrap();
    let error: Error = migrator.resolve(&url, key, Resolution::Retry).await.unwrap_err();
    let (code, finding, place): (&'static Code, &Finding, Option<&Place>) = (error.code(), error.finding(), error.place());
    assert_eq!(
        (error.kind(), code.name, finding.level, place),
        (ErrorKind::UnknownVersion, "unknown-version", Level::Error, None)
    );
    let (_, findings) = Script::read("-- migrate: phase never\nSELECT 1;".to_owned(), "2_b.sql", Dialect::Sqlite);
    let span: &SourceSpan = findings[0].place.as_ref().unwrap().span.as_ref().unwrap();
    let start: Position = span.position;
    assert_eq!(start.line, 1);

    let checksum: Result<Checksum, InvalidChecksum> = "00".parse();
    let version: Result<Version, InvalidVersion> = "x".parse();
    let dialect: Result<Dialect, UnknownDialect> = "oracle".parse();
    assert!(checksum.is_err() && version.is_err() && dialect.is_err());
    assert!(migrate_runtime::database::drop(&url).await.unwrap());
}
