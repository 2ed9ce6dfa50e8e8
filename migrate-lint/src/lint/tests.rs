//! The scope of linting, ages of tables over several files, and `allow` comments.

use super::*;
use migrate_model::name::Name;
use migrate_model::script::Script;

fn history(files: &[&str]) -> Vec<Migration> {
    let migration = |(index, text): (usize, &&str)| {
        Migration::new(
            (index + 1).to_string().parse().unwrap(),
            "x",
            Script::read((*text).to_owned(), &format!("{}.sql", index + 1), Dialect::Postgres).0,
            None,
        )
    };
    files.iter().enumerate().map(migration).collect()
}

/// `file:level:rule` of each finding, if the files with the versions `pending` are not deployed.
fn findings(files: &[&str], pending: &[usize]) -> Vec<String> {
    let mut options = LintOptions::new(Dialect::Postgres);
    options.scope = LintScope::Only(pending.iter().map(|version| version - 1).collect());
    let summary = |finding: Finding| {
        let file = finding.place.map(|place| place.file).unwrap_or_default();
        format!("{}:{}:{}", file.trim_end_matches(".sql"), finding.level.name(), finding.code)
    };
    lint(&history(files), &options).into_iter().map(summary).collect()
}

const T: &str = "CREATE TABLE t (id bigint PRIMARY KEY, a int);";

#[test]
fn a_table_of_a_pending_migration_is_not_deployed() {
    let files = [T, "CREATE INDEX i ON t (a);"];
    assert_eq!(findings(&files, &[2]), ["2:error:index-not-concurrent"]);
    assert_eq!(findings(&files, &[1, 2]), ["2:note:index-not-concurrent"]);
    // The second file is deployed, although the first one is not.
    assert_eq!(findings(&["SELECT 1;", T, "CREATE INDEX i ON t (a);"], &[1, 3]), ["3:error:index-not-concurrent"]);
    assert_eq!(findings(&files, &[]), [] as [&str; 0]);
}

#[test]
fn long_work_under_an_exclusive_lock() {
    for work in ["CREATE TABLE n AS SELECT * FROM t;", "CREATE MATERIALIZED VIEW n AS SELECT * FROM t;", "SELECT pg_sleep(5);"] {
        let file = format!("ALTER TABLE t ADD COLUMN b int;\n{work}");
        assert_eq!(findings(&[T, &file], &[2]), ["2:warning:work-under-exclusive-lock"], "{work}");
        assert_eq!(findings(&[T, work], &[2]), [] as [&str; 0]);
    }
}

#[test]
fn a_contract_step_is_not_deployed_with_its_expand_step() {
    let expand = "-- migrate: phase expand\nALTER TABLE t ADD COLUMN b bigint;";
    let contract = "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(findings(&[T, expand, contract], &[2, 3]), ["3:error:contract-with-expand"]);
    assert_eq!(findings(&[T, expand, contract], &[3]), [] as [&str; 0]);
    let other = "-- migrate: phase expand\nCREATE TABLE u (id bigint PRIMARY KEY);";
    assert_eq!(findings(&[T, other, contract], &[2, 3]), [] as [&str; 0]);
    let required = "-- migrate: phase contract\n-- migrate: requires 2\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(findings(&[T, other, required], &[2, 3]), ["3:error:contract-with-expand"]);
}

#[test]
fn a_column_that_was_never_deployed_can_be_dropped() {
    assert_eq!(findings(&[T, "ALTER TABLE t ADD COLUMN b int;", "ALTER TABLE t DROP COLUMN b;"], &[2, 3]), [] as [&str; 0]);
    assert_eq!(findings(&[T, "ALTER TABLE t ADD COLUMN b int;", "ALTER TABLE t DROP COLUMN b;"], &[3]), ["3:error:drop-column"]);
}

#[test]
fn allow_suppresses_findings() {
    let whole_file = "-- migrate: allow drop-column: unused\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(findings(&[T, whole_file], &[2]), [] as [&str; 0]);
    let one_statement = "SELECT 1;\n-- migrate: allow drop-table: unused\nDROP TABLE u;\nDROP TABLE v;";
    assert_eq!(findings(&[T, one_statement], &[2]), ["2:error:drop-table"]);
    let unused = "SELECT 1;\n-- migrate: allow drop-table: unused\nSELECT 2;";
    assert_eq!(findings(&[T, unused], &[2]), ["2:warning:unused-allow"]);
}

#[test]
fn a_rollback_undoes_statements() {
    let mut simulation = Simulation::new(Dialect::Postgres);
    let at = HistoryPoint { migration: 0, transaction: 1 };
    for sql in ["BEGIN", T, "SAVEPOINT s", "ALTER TABLE t ADD COLUMN b int", "ROLLBACK TO s"] {
        simulation.apply(&reader::read(sql, Dialect::Postgres), at);
    }
    let table = simulation.schema.resolve(&Name::bare("t"));
    assert!(simulation.schema.relation(&table).unwrap().column("b").is_none());
    simulation.apply(&reader::read("ROLLBACK", Dialect::Postgres), at);
    assert!(simulation.schema.relation(&table).is_none());
}
