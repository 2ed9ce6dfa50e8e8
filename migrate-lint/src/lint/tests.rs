//! What is new, what belongs to one release, and what people allow.

use super::*;
use migrate_model::script::Script;

fn history(files: &[&str]) -> Vec<Migration> {
    let read = |(at, text): (usize, &&str)| Migration {
        version: (at + 1).to_string().parse().unwrap(),
        name: "x".into(),
        up: Script::read((*text).to_owned(), &format!("{}.sql", at + 1), Dialect::Postgres).0,
        down: None,
    };
    files.iter().enumerate().map(read).collect()
}

/// `file:level:rule` of each finding, when these files are not deployed.
fn found(files: &[&str], pending: &[usize]) -> Vec<String> {
    let mut options = LintOptions::new(Dialect::Postgres);
    options.scope = LintScope::Only(pending.iter().map(|version| version - 1).collect());
    let shown = |finding: Finding| {
        let file = finding.place.map(|place| place.file).unwrap_or_default();
        format!("{}:{}:{}", file.trim_end_matches(".sql"), finding.level.name(), finding.code)
    };
    lint(&history(files), &options).into_iter().map(shown).collect()
}

const T: &str = "CREATE TABLE t (id bigint PRIMARY KEY, a int);";

#[test]
fn a_table_of_the_same_release_is_not_in_use() {
    let files = [T, "CREATE INDEX i ON t (a);"];
    assert_eq!(found(&files, &[2]), ["2:error:index-not-concurrent"]);
    assert_eq!(found(&files, &[1, 2]), ["2:note:index-not-concurrent"]);
    // What was deployed later, but stands before, is in use.
    assert_eq!(found(&["SELECT 1;", T, "CREATE INDEX i ON t (a);"], &[1, 3]), ["3:error:index-not-concurrent"]);
    assert_eq!(found(&files, &[]), [] as [&str; 0]);
}

#[test]
fn what_is_read_while_a_lock_is_held() {
    for work in ["CREATE TABLE n AS SELECT * FROM t;", "CREATE MATERIALIZED VIEW n AS SELECT * FROM t;", "SELECT pg_sleep(5);"] {
        let file = format!("ALTER TABLE t ADD COLUMN b int;\n{work}");
        assert_eq!(found(&[T, &file], &[2]), ["2:warning:work-under-exclusive-lock"], "{work}");
        assert_eq!(found(&[T, work], &[2]), [] as [&str; 0]);
    }
}

#[test]
fn a_contract_step_waits_for_the_next_release() {
    let expand = "-- migrate: phase expand\nALTER TABLE t ADD COLUMN b bigint;";
    let contract = "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(found(&[T, expand, contract], &[2, 3]), ["3:error:contract-with-expand"]);
    assert_eq!(found(&[T, expand, contract], &[3]), [] as [&str; 0]);
    let other = "-- migrate: phase expand\nCREATE TABLE u (id bigint PRIMARY KEY);";
    assert_eq!(found(&[T, other, contract], &[2, 3]), [] as [&str; 0]);
    let required = "-- migrate: phase contract\n-- migrate: requires 2\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(found(&[T, other, required], &[2, 3]), ["3:error:contract-with-expand"]);
}

#[test]
fn what_is_added_and_dropped_in_one_release_was_never_seen() {
    assert_eq!(found(&[T, "ALTER TABLE t ADD COLUMN b int;", "ALTER TABLE t DROP COLUMN b;"], &[2, 3]), [] as [&str; 0]);
    assert_eq!(found(&[T, "ALTER TABLE t ADD COLUMN b int;", "ALTER TABLE t DROP COLUMN b;"], &[3]), ["3:error:drop-column"]);
}

#[test]
fn what_is_allowed() {
    let one = "-- migrate: allow drop-column: unused\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(found(&[T, one], &[2]), [] as [&str; 0]);
    // Above a statement it is for that one.
    let two = "SELECT 1;\n-- migrate: allow drop-table: unused\nDROP TABLE u;\nDROP TABLE v;";
    assert_eq!(found(&[T, two], &[2]), ["2:error:drop-table"]);
    let unused = "SELECT 1;\n-- migrate: allow drop-table: unused\nSELECT 2;";
    assert_eq!(found(&[T, unused], &[2]), ["2:warning:unused-allow"]);
}

#[test]
fn what_was_rolled_back_is_not_new() {
    let mut linting = Simulation::new(Dialect::Postgres);
    let at = HistoryPoint { migration: 0, transaction: 1 };
    for sql in ["BEGIN", T, "SAVEPOINT s", "ALTER TABLE t ADD COLUMN b int", "ROLLBACK TO s"] {
        linting.apply(&reader::read(sql, Dialect::Postgres), at);
    }
    let key = linting.schema.resolve(&migrate_model::name::Name::bare("t"));
    assert!(linting.schema.relation(&key).unwrap().column("b").is_none());
    linting.apply(&reader::read("ROLLBACK", Dialect::Postgres), at);
    assert!(linting.schema.relation(&key).is_none());
}
