//! The engine over a database in memory that breaks at any call.

use crate::backends::fake::{Fault, World};
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::migrator::{Migrator, Resolution};
use migrate_model::contents::Contents;
use migrate_model::dialect::Dialect;
use migrate_model::history::RecordState;
use migrate_model::migration::Migration;
use migrate_model::migration_set::MigrationSet;
use migrate_model::run_settings::RunSettings;
use migrate_model::script::Script;
use migrate_model::target::Target;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn set(dialect: Dialect, files: &[(&str, &str, &str)]) -> Arc<MigrationSet> {
    let migration = |(version, up, down): &(&str, &str, &str)| {
        let script = |text: &str, direction: &str| {
            let (script, findings) = Script::read(text.to_owned(), &format!("{version}_x.{direction}.sql"), dialect);
            assert_eq!(findings, []);
            script
        };
        let (up, down) = (script(up, "up"), script(down, "down"));
        Migration { version: version.parse().unwrap(), name: "x".into(), up, down: Some(down) }
    };
    Arc::new(MigrationSet::new(Contents {
        service: "app".into(),
        dialect,
        run: RunSettings::default(),
        migrations: files.iter().map(migration).collect(),
    }))
}

/// A transaction, a file with statements that cannot share one with their mark and one that can, and a transaction.
fn mixed(dialect: Dialect) -> Arc<MigrationSet> {
    // Statements that must not run twice; no transaction holds them, but on SQLite.
    let alone = |name: &str| match dialect {
        Dialect::Postgres => format!("CREATE INDEX CONCURRENTLY {name} ON a (id);"),
        _ => format!("CREATE INDEX {name} ON a (id);"),
    };
    let mark = "-- migrate: no-transaction\n";
    let up = format!("{mark}{}INSERT INTO a VALUES (1);{}CALL p();", alone("i"), alone("j"));
    let down = format!("{mark}{}DELETE FROM b;{}", alone("l"), alone("m"));
    let (alone, back) = (up.as_str(), down.as_str());
    set(
        dialect,
        &[
            ("1", "CREATE TABLE a (id int); CREATE TABLE b (id int);", "DROP TABLE b; DROP TABLE a;"),
            ("2", alone, back),
            ("3", "INSERT INTO a VALUES (3);", "DELETE FROM a;"),
        ],
    )
}

/// Runs until the target is reached; answers each question from what is true. Gives how many runs failed, and how many
/// questions were asked.
async fn insist(world: &World, set: &Arc<MigrationSet>, target: &Target) -> (usize, usize) {
    let (mut failed, mut questions) = (0, 0);
    for _ in 0..5 {
        let migrator = Migrator::new(set);
        let error = match migrator.run_to(world, target).await {
            Ok(_) => return (failed, questions),
            Err(error) => error,
        };
        failed += 1;
        assert!(!world.inner().locked, "the lock is given back: {error}");
        if error.kind() != ErrorKind::HistoryMismatch {
            continue;
        }
        questions += 1;
        let [question] = error.divergences() else { panic!("one question at a time: {error}") };
        let (record, script) = {
            let inner = world.inner();
            let record = inner.rows[question.key.as_str()].0.clone();
            let migration = set.get(record.key.version().unwrap()).unwrap();
            let script = match record.state {
                RecordState::Reverting => migration.down.clone().unwrap(),
                _ => migration.up.clone(),
            };
            (record, script)
        };
        let unknown = script.statements[record.statements_done].sql(&script.text);
        let happened = world.inner().effects.iter().any(|effect| effect == unknown);
        let resolution = match happened {
            true if record.statements_done + 1 == record.statements => Resolution::MarkApplied,
            true => Resolution::SkipTo(record.statements_done + 2),
            false => Resolution::Retry,
        };
        migrator.resolve(world, &record.key, resolution).await.unwrap();
    }
    panic!("it never ends: {:?}, {}", world.history(), Migrator::new(set).run_to(world, target).await.unwrap_err());
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
    assert_eq!(world.inner().calls, ["digest"], "nothing to do is one query");
}

/// Every effect exactly once, wherever the connection breaks, up and down.
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
            let mut asked = 0;
            for (at, fault) in (0..calls).flat_map(|at| [Fault::LostBefore, Fault::LostAfter].map(|fault| (at, fault))) {
                let world = start().await;
                world.inner().fault = Some((at, fault));
                // Counted are the steps that are left, as a person would.
                let left = || match target {
                    Target::Down(_) => Target::Down(world.inner().rows.len()),
                    _ => Target::Latest,
                };
                let failed = Migrator::new(&set).run_to(&world, &left()).await;
                assert!(!world.inner().locked || failed.is_ok(), "call {at}: {fault:?}");
                let (_, questions) = insist(&world, &set, &left()).await;
                asked += questions;
                let call = world.inner().calls[at].clone();
                assert_eq!(world.inner().effects, undisturbed.inner().effects, "{dialect}, {target:?}: {fault:?} at `{call}`");
                assert_eq!(world.history(), undisturbed.history(), "{dialect}, {target:?}: {fault:?} at `{call}`");
                assert!(questions <= 1);
            }
            // Only about the procedure, which may do anything: at its call, at its mark, which is the end, and before it.
            let procedure = dialect != Dialect::Sqlite && target == Target::Latest;
            assert_eq!(asked, if procedure { 4 } else { 0 }, "{dialect}, {target:?}");
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
        insist(&world, &set, &Target::Latest).await;
        assert_eq!(world.history(), undisturbed.history(), "call {at}");
        let mut effects = world.inner().effects.clone();
        // A mark that is refused by a server that goes on is the one case in which a statement may be asked for.
        effects.dedup();
        assert_eq!(effects, undisturbed.inner().effects, "call {at}");
    }
}

#[tokio::test]
async fn who_comes_second_looks_again() {
    let set = mixed(Dialect::Sqlite);
    let world = World::new(Dialect::Sqlite);
    // SQLite has no lock: another process does everything between this one's plan and its first step.
    let other = world.clone();
    let other_set = set.clone();
    let begun = Arc::new(Mutex::new(false));
    let migrator = Migrator::new(&set).on_event(move |event| {
        let first = matches!(event, Event::Planned { .. }) && !std::mem::replace(&mut *begun.lock().unwrap(), true);
        if first {
            let (other, set) = (other.clone(), other_set.clone());
            let run = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { Migrator::new(&set).run(&other).await.map(drop) })
            };
            std::thread::spawn(run).join().unwrap().unwrap();
        }
    });
    let report = migrator.run(&world).await.unwrap();
    assert!(report.done.is_empty(), "the other one did it all");
    assert_eq!(world.inner().effects.len(), 7);
}

#[tokio::test]
async fn a_lock_is_waited_for_and_given_up() {
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
    assert_eq!(world.inner().released, (1, 0), "a connection without the lock is clean");
    assert_eq!(*waits.lock().unwrap(), 1);
    world.inner().locked = false;
    world.inner().lock_refusals = 1;
    let report = migrator.lock_wait(Duration::from_secs(60)).run(&world).await.unwrap();
    assert_eq!((report.done.len(), *waits.lock().unwrap()), (3, 2));
}
