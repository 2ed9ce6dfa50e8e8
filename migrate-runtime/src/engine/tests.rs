//! The engine over an in-memory database that fails at any call.

use super::set_back;
use crate::backends::fake::{Fault, World};
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::migrator::{Migrator, Resolution};
use migrate_model::checksum::Checksum;
use migrate_model::dialect::Dialect;
use migrate_model::history::{History, Record, RecordState};
use migrate_model::migration::Migration;
use migrate_model::migration_set::MigrationSet;
use migrate_model::script::Script;
use migrate_model::session_effect::{self, catalog::TriggerCatalog};
use migrate_model::set_settings::SetSettings;
use migrate_model::statement;
use migrate_model::target::Target;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn set(dialect: Dialect, files: &[(&str, &str, &str)]) -> Arc<MigrationSet> {
    let migration = |(version, up, down): &(&str, &str, &str)| {
        let script = |text: &str, direction: &str| {
            let (script, findings) = Script::read(text.to_owned(), &format!("{version}_x.{direction}.sql"), dialect);
            assert_eq!(findings, []);
            script
        };
        let (up, down) = (script(up, "up"), script(down, "down"));
        Migration::new(version.parse().unwrap(), "x", up, Some(down))
    };
    Arc::new(MigrationSet::new(SetSettings::new("app", dialect), files.iter().map(migration).collect()))
}

/// Three migrations: a transaction, a file in which only one statement shares a transaction with its checkpoint, and another
/// transaction.
fn mixed(dialect: Dialect) -> Arc<MigrationSet> {
    // A statement that must not run twice. Except on SQLite, it does not run in a transaction.
    let create_index = |name: &str| match dialect {
        Dialect::Postgres => format!("CREATE INDEX CONCURRENTLY {name} ON a (id);"),
        _ => format!("CREATE INDEX {name} ON a (id);"),
    };
    let directive = "-- migrate: no-transaction\n";
    let up = format!("{directive}{}INSERT INTO a VALUES (1);{}CALL p();", create_index("i"), create_index("j"));
    let down = format!("{directive}{}DELETE FROM b;{}", create_index("l"), create_index("m"));
    set(
        dialect,
        &[
            ("1", "CREATE TABLE a (id int); CREATE TABLE b (id int);", "DROP TABLE b; DROP TABLE a;"),
            ("2", &up, &down),
            ("3", "INSERT INTO a VALUES (3);", "DELETE FROM a;"),
        ],
    )
}

/// Runs until the target is reached. Resolves each partially applied migration according to the effects in the database.
/// Returns the number of resolved migrations.
async fn run_until_done(world: &World, set: &Arc<MigrationSet>, target: &Target) -> usize {
    let mut resolved = 0;
    for _ in 0..5 {
        let migrator = Migrator::new(set);
        let error = match migrator.run_to(world, target).await {
            Ok(_) => return resolved,
            Err(error) => error,
        };
        assert!(!world.inner().locked, "the lock is released: {error}");
        if error.kind() != ErrorKind::HistoryMismatch {
            continue;
        }
        resolved += 1;
        let [divergence] = error.divergences() else { panic!("one divergence at a time: {error}") };
        let (record, script) = {
            let inner = world.inner();
            let record = inner.rows[divergence.key.as_str()].0.clone();
            let migration = set.get(record.key.version().unwrap()).unwrap();
            let script = match record.state {
                RecordState::Reverting => migration.down.clone().unwrap(),
                _ => migration.up.clone(),
            };
            (record, script)
        };
        let unknown = script.statements[record.statements_done].sql(&script.text);
        let took_effect = world.inner().effects.iter().any(|effect| effect == unknown);
        let resolution = if !took_effect {
            Resolution::Retry
        } else if record.statements_done + 1 == record.statements {
            Resolution::MarkApplied
        } else {
            Resolution::SkipTo(record.statements_done + 2)
        };
        migrator.resolve(world, &record.key, resolution).await.unwrap();
    }
    panic!("the target is not reached: {:?}, {}", world.history(), Migrator::new(set).run_to(world, target).await.unwrap_err());
}

#[tokio::test]
async fn everything_in_its_order() {
    let world = World::new(Dialect::Postgres);
    let set = mixed(Dialect::Postgres);
    Migrator::new(&set).run(&world).await.unwrap();
    let calls = world.inner().calls.join("\n");
    insta::assert_snapshot!(calls);
    assert_eq!(world.history(), ["1 applied 2/2", "2 applied 4/4", "3 applied 1/1"]);
    assert_eq!(world.inner().released, (1, 0));
    assert!(!world.inner().locked);
    world.inner().calls.clear();
    Migrator::new(&set).run(&world).await.unwrap();
    assert_eq!(world.inner().calls, ["digest"], "without pending migrations, a run is one query");
}

/// Every effect happens exactly once, at whichever call the connection is lost, up and down.
#[tokio::test]
async fn broken_anywhere_and_run_again() {
    for dialect in Dialect::ALL {
        let set = mixed(dialect);
        for target in [Target::Latest, Target::Down(3)] {
            let start = async || {
                let world = World::new(dialect);
                if target == Target::Down(3) {
                    Migrator::new(&set).run(&world).await.unwrap();
                    world.inner().calls.clear();
                }
                world
            };
            let undisturbed = start().await;
            Migrator::new(&set).run_to(&undisturbed, &target).await.unwrap();
            let calls = undisturbed.inner().calls.len();
            let mut resolved = 0;
            for (at, fault) in (0..calls).flat_map(|at| [Fault::LostBefore, Fault::LostAfter].map(|fault| (at, fault))) {
                let world = start().await;
                world.inner().fault = Some((at, fault));
                // `Down` counts steps, so a later run must count only the remaining ones.
                let remaining = || match target {
                    Target::Down(_) => Target::Down(world.inner().rows.len()),
                    _ => Target::Latest,
                };
                let outcome = Migrator::new(&set).run_to(&world, &remaining()).await;
                assert!(!world.inner().locked || outcome.is_ok(), "call {at}: {fault:?}");
                let resolutions = run_until_done(&world, &set, &remaining()).await;
                resolved += resolutions;
                let call = world.inner().calls[at].clone();
                assert_eq!(world.inner().effects, undisturbed.inner().effects, "{dialect}, {target:?}: {fault:?} at `{call}`");
                assert_eq!(world.history(), undisturbed.history(), "{dialect}, {target:?}: {fault:?} at `{call}`");
                assert!(resolutions <= 1);
            }
            // Only the outcome of the procedure can be unknown, after four faults: two at its call, one at the checkpoint before
            // it, and one at its own checkpoint, which is the end of the migration.
            let has_procedure = dialect != Dialect::Sqlite && target == Target::Latest;
            assert_eq!(resolved, if has_procedure { 4 } else { 0 }, "{dialect}, {target:?}");
        }
    }
}

#[tokio::test]
async fn refused_anywhere_and_run_again() {
    let set = mixed(Dialect::Postgres);
    let undisturbed = World::new(Dialect::Postgres);
    Migrator::new(&set).run(&undisturbed).await.unwrap();
    let calls = undisturbed.inner().calls.len();
    for at in 0..calls {
        let world = World::new(Dialect::Postgres);
        world.inner().fault = Some((at, Fault::Refused));
        let outcome = Migrator::new(&set).run(&world).await;
        assert!(!world.inner().locked || outcome.is_ok(), "call {at}");
        run_until_done(&world, &set, &Target::Latest).await;
        assert_eq!(world.history(), undisturbed.history(), "call {at}");
        assert_eq!(world.inner().effects, undisturbed.inner().effects, "call {at}");
    }
}

#[tokio::test]
async fn a_run_plans_again_after_another_process() {
    let set = mixed(Dialect::Sqlite);
    let world = World::new(Dialect::Sqlite);
    // SQLite has no lock, so another process can apply everything between the plan of this run and its first step.
    let (other_world, other_set) = (world.clone(), set.clone());
    let planned = Arc::new(Mutex::new(false));
    let migrator = Migrator::new(&set).on_event(move |event| {
        let first = matches!(event, Event::Planned { .. }) && !std::mem::replace(&mut *planned.lock().unwrap(), true);
        if first {
            let (world, set) = (other_world.clone(), other_set.clone());
            let run = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { Migrator::new(&set).run(&world).await.map(drop) })
            };
            std::thread::spawn(run).join().unwrap().unwrap();
        }
    });
    let report = migrator.run(&world).await.unwrap();
    assert!(report.done.is_empty(), "the other process has applied everything");
    assert_eq!(world.inner().effects.len(), 7);
}

#[tokio::test]
async fn a_run_waits_for_the_lock_until_its_limit() {
    let set = mixed(Dialect::Postgres);
    let world = World::new(Dialect::Postgres);
    world.inner().lock_refusals = 2;
    let waits = Arc::new(Mutex::new(0));
    let counted = waits.clone();
    let migrator = Migrator::new(&set).on_event(move |event| {
        if matches!(event, Event::Waiting { .. }) {
            *counted.lock().unwrap() += 1;
        }
    });
    let outcome: Result<_, Error> = migrator.clone().lock_wait(Duration::ZERO).run(&world).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::LockNotObtained);
    assert_eq!(world.inner().effects, [""; 0]);
    assert_eq!(world.inner().released, (1, 0), "a connection that never held the lock is clean");
    assert_eq!(*waits.lock().unwrap(), 1);
    world.inner().locked = false;
    world.inner().lock_refusals = 1;
    let report = migrator.lock_wait(Duration::from_secs(60)).run(&world).await.unwrap();
    assert_eq!((report.done.len(), *waits.lock().unwrap()), (3, 2));
}

/// In a debug build, each takes less than a second; with the square of the length, it would be minutes.
#[test]
fn the_time_grows_with_the_length() {
    let repeat = |text: &str| text.repeat(20_000);
    let functions: String = (0..2_000)
        .map(|at| format!("CREATE FUNCTION f(a{at} int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$; SELECT f({at});"))
        .collect();
    for (dialect, text) in [
        (Dialect::Postgres, format!("SAVEPOINT a; {}", repeat("SET x.y = 1; ROLLBACK TO a;"))),
        (Dialect::Postgres, repeat("SELECT nextval('a'); SELECT currval('b');")),
        (Dialect::Postgres, functions),
        (Dialect::MySql, format!("INSERT INTO t VALUES (1); {}", repeat("DELETE FROM u WHERE a = LAST_INSERT_ID();"))),
        (Dialect::MySql, format!("DELIMITER $$\nBEGIN NOT ATOMIC DECLARE a INT; {} END$$", repeat("SET a = 1;"))),
        (Dialect::Sqlite, repeat("DELETE FROM t; SELECT changes();")),
    ] {
        let since = Instant::now();
        let (statements, _) = statement::split(&text, dialect, "f.sql");
        session_effect::of_script(&text, &statements, dialect, &TriggerCatalog::default());
        session_effect::sources(&text, &statements, dialect, &TriggerCatalog::default());
        session_effect::follows(&text, &statements, dialect, &TriggerCatalog::default());
        assert!(since.elapsed() < Duration::from_secs(30), "{:?} {}", since.elapsed(), &text[..60]);
    }
}

/// What only a decision of an operator does to the record of a migration that a run executes.
#[test]
fn a_record_that_is_set_back() {
    let checksum = Checksum::of_file(b"");
    let record = |state: RecordState, done: usize| {
        Record::applied("1".parse().unwrap(), String::new(), checksum, checksum, 9).with_progress(state, done)
    };
    let history = |record: Option<Record>| History::new(record.into_iter().collect());
    for (written, now, is_set_back) in [
        ((RecordState::Started, 3), None, true),
        ((RecordState::Started, 3), Some((RecordState::Started, 2)), true),
        ((RecordState::Started, 3), Some((RecordState::Resolved, 0)), true),
        ((RecordState::Started, 3), Some((RecordState::Reverting, 3)), true),
        ((RecordState::Started, 3), Some((RecordState::Started, 4)), false),
        ((RecordState::Started, 3), Some((RecordState::Failed, 3)), false),
        ((RecordState::Started, 3), Some((RecordState::Applied, 9)), false),
        ((RecordState::Started, 0), None, false),
        ((RecordState::Failed, 3), None, false),
        ((RecordState::Reverting, 2), None, false),
        ((RecordState::Reverting, 2), Some((RecordState::RevertResolved, 1)), true),
    ] {
        let (before, after) = (record(written.0, written.1), now.map(|(state, done)| record(state, done)));
        let found = set_back(&history(Some(before)), &history(after)).is_some();
        assert_eq!(found, is_set_back, "{written:?} {now:?}");
    }
}
