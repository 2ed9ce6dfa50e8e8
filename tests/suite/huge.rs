//! Very large input.

use migrate_runtime::Migrator;
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const MEBIBYTE: usize = 1 << 20;

/// The run of a file of 32 MiB needs at most 64 MiB of memory in addition to its length, and inserts all rows.
/// docs/reliability.md has the measurements of a file of 200 MiB.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_of_32_mebibytes() {
    let folder = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (id integer, x varchar(500));")]);
    let value = "x".repeat(480);
    let mut text = String::with_capacity(33 * MEBIBYTE);
    let mut rows = 0;
    while text.len() < 32 * MEBIBYTE {
        let values: Vec<String> = (0..100).map(|row| format!("({}, '{value}')", rows + row)).collect();
        let _ = writeln!(text, "INSERT INTO t VALUES {};", values.join(","));
        rows += 100;
    }
    folder.write("migrations/002_rows.up.sql", &text);
    drop(text);
    folder.write("migrations/003_after.up.sql", "INSERT INTO t VALUES (-1, 'after');");
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        // The limit of writable memory in KiB.
        let limited = format!("ulimit -d {}; exec \"$0\" up", (32 + 64) * 1024);
        let program = binary.command(&[]);
        let mut command = Command::new("bash");
        command.args(["-c", &limited]).arg(program.get_program()).current_dir(folder.path()).env("DATABASE_URL", &database.url);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&output.stderr));
        let expected = format!("{rows}|{rows}");
        assert_eq!(database.value("SELECT count(*), max(id) + 1 FROM t WHERE id >= 0").await, expected, "{kind:?}");
        assert_eq!(database.value("SELECT count(*) FROM migration_records WHERE state = 'applied'").await, "3");
        // The history does not store a text of this length, so `verify` compares only its checksum.
        assert_eq!(database.value("SELECT count(*) FROM migration_records WHERE up_sql IS NULL").await, "1");
        binary.ok(&["verify"]);
        database.drop().await;
    }
}

#[tokio::test]
async fn a_folder_of_20_000_files() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let folder = TestFolder::new(&[("00001_t.up.sql", "CREATE TABLE t (id integer);"), ("00001_t.down.sql", "DROP TABLE t;")]);
    folder.write(
        "migrate.toml",
        "database = \"sqlite\"\nsession = [\"PRAGMA synchronous = OFF\", \"PRAGMA journal_mode = MEMORY\"]\n",
    );
    let path = folder.path().join("migrations");
    for number in 2..=10_000 {
        fs::write(path.join(format!("{number:05}_x.up.sql")), format!("INSERT INTO t VALUES ({number});\n")).unwrap();
        fs::write(path.join(format!("{number:05}_x.down.sql")), format!("DELETE FROM t WHERE id = {number};\n")).unwrap();
    }
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["lock"]);
    binary.ok(&["check", "--locked"]);
    binary.ok(&["up", "-q"]);
    assert_eq!(database.value("SELECT count(*), sum(id) FROM t").await, "9999|50004999");
    binary.ok(&["verify"]);
    binary.ok(&["down", "--steps", "10", "--yes", "-q"]);
    assert_eq!(database.value("SELECT count(*) FROM migration_records").await, "9990");
    database.drop().await;
}

/// A server repeats what a statement raises, which has no limit.
#[tokio::test]
async fn messages_of_45_megabytes() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let long = "repeat('é', 22000000)";
    for raise in [
        format!("RAISE EXCEPTION '%', {long};"),
        format!("RAISE EXCEPTION 'short' USING DETAIL = {long};"),
        format!("RAISE EXCEPTION 'short' USING HINT = {long};"),
        format!("RAISE EXCEPTION '%', {long} USING DETAIL = {long}, HINT = {long};"),
    ] {
        let folder = TestFolder::new(&[("001_a.up.sql", &format!("DO $$ BEGIN {raise} END $$;"))]);
        folder.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
        let since = Instant::now();
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
        assert_eq!(outcome.code, 7);
        assert!(outcome.stderr.contains("more bytes were cut") && outcome.stderr.len() < 200_000, "{}", outcome.stderr.len());
        assert!(since.elapsed() < Duration::from_secs(20), "{raise}: {:?}", since.elapsed());
        let recorded = database.value("SELECT max(length(detail)) < 20000 FROM migration_events").await;
        assert_eq!(recorded, "true", "{raise}");
        let error = Migrator::new(folder.set(Kind::Postgres.dialect())).run(&database.url).await.unwrap_err();
        assert!(format!("{error:?}").len() < 400_000, "{raise}");
    }
    database.drop().await;
}
