//! Values in the history that this tool does not write: a message names them, and what can be computed again is.

use migrate_runtime::Migrator;
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};

/// A database with one applied migration, and a folder with a second one.
async fn prepared(kind: Kind) -> (TestDatabase, TestFolder, Binary) {
    let database = TestDatabase::new(kind).await;
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (n integer);")]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\ndown = \"optional\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["up"]);
    folder.write("migrations/002_b.up.sql", "CREATE TABLE b (n integer);");
    (database, folder, binary)
}

/// SQLite keeps any bytes in a column of text.
#[tokio::test]
async fn bytes_that_are_not_text() {
    for column in ["name", "version", "checksum", "applied_by"] {
        let (database, folder, binary) = prepared(Kind::Sqlite).await;
        database.execute(&format!("UPDATE migration_records SET {column} = CAST(X'61ff' AS text)")).await;
        for command in ["status", "up", "verify", "plan", "repair"] {
            let outcome = binary.run(&[command]);
            assert_eq!(outcome.code, 1, "{column}: {command}: {}", outcome.stderr);
            let message = format!("`migration_records`: the column `{column}` contains a value that cannot be read");
            assert!(outcome.stderr.contains(&message), "{column}: {command}: {}", outcome.stderr);
            assert!(!outcome.stderr.contains("connection"), "{column}: {command}: {}", outcome.stderr);
        }
        assert!(Migrator::new(folder.set(Kind::Sqlite.dialect())).is_up_to_date(&database.url).await.is_err());
        database.drop().await;
    }
}

/// A digest that cannot be read is a wrong one, and a run writes it again.
#[tokio::test]
async fn a_digest_that_is_not_text() {
    let valid = "a".repeat(64);
    for value in ["CAST(X'ff' AS text)", "X'ff00'", "CAST(X'6100ff' AS text)", "12.5", "1e300", &format!("'{valid}' || char(0)")]
    {
        let (database, folder, binary) = prepared(Kind::Sqlite).await;
        folder.remove("migrations/002_b.up.sql");
        let summary = "SELECT digest, applied_count, version FROM schema_versions";
        let right = database.rows(summary).await;
        database.execute(&format!("UPDATE schema_versions SET digest = {value}")).await;
        for command in ["status", "verify", "up", "up"] {
            binary.ok(&[command]);
        }
        assert_eq!(database.rows(summary).await, right, "{value}");
        database.execute(&format!("UPDATE schema_versions SET digest = {value}")).await;
        folder.write("migrations/002_b.up.sql", "CREATE TABLE b (n integer);");
        binary.ok(&["up"]);
        assert_eq!(database.tables().await, ["a", "b"], "{value}");
        database.drop().await;
    }
}

#[tokio::test]
async fn a_number_that_is_none() {
    for value in ["'abc'", "1e300", "X'ff'", "CAST(X'ff' AS text)", "''"] {
        let (database, _folder, binary) = prepared(Kind::Sqlite).await;
        database.execute(&format!("UPDATE schema_versions SET applied_count = {value}")).await;
        let outcome = binary.run(&["up"]);
        assert_eq!(outcome.code, 5, "{value}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("`applied_count` of `app` in `schema_versions` is not a number"), "{}", outcome.stderr);
        let outcome = binary.run(&["status"]);
        assert!(outcome.stderr.contains("`applied_count` of `app`"), "{value}: {}", outcome.stderr);
        binary.ok(&["repair", "--yes"]);
        assert_eq!(database.value("SELECT applied_count FROM schema_versions").await, "1", "{value}");
        binary.ok(&["up"]);
        database.drop().await;
    }
}

/// A checksum of another program: the version is named, also by a run.
#[tokio::test]
async fn a_checksum_that_is_none() {
    for kind in Kind::ALL {
        for value in ["zz", "", "0123456", "é"] {
            let (database, folder, binary) = prepared(kind).await;
            database.execute(&format!("UPDATE migration_records SET checksum = '{value}'")).await;
            for command in ["status", "up"] {
                let outcome = binary.run(&[command]);
                assert_eq!(outcome.code, 1, "{kind:?}: {value}: {command}: {}", outcome.stderr);
                let message = "`migration_records` contains a row with an invalid checksum: version `001`";
                assert!(outcome.stderr.contains(message), "{kind:?}: {value}: {command}: {}", outcome.stderr);
            }
            assert!(Migrator::new(folder.set(kind.dialect())).is_up_to_date(&database.url).await.is_err());
            database.drop().await;
        }
    }
}

/// `repair` mends a summary that is not that of the records, and says so where records were lost; afterwards, `down` works.
#[tokio::test]
async fn a_summary_of_other_records_is_repaired() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        for (change, is_lost) in [
            ("UPDATE schema_versions SET applied_count = applied_count + 1", true),
            ("UPDATE schema_versions SET applied_count = 1, version = '001'", false),
            ("UPDATE schema_versions SET digest = 'deadbeef'", false),
            ("UPDATE schema_versions SET version = NULL", false),
            ("DELETE FROM schema_versions", false),
            ("DELETE FROM migration_records WHERE version = '002'", true),
        ] {
            let database = TestDatabase::new(kind).await;
            let files = [("001_a", "a"), ("002_b", "b")].map(|(file, table)| {
                [
                    (format!("{file}.up.sql"), format!("CREATE TABLE {table} (id int);")),
                    (format!("{file}.down.sql"), format!("DROP TABLE {table};")),
                ]
            });
            let files: Vec<(&str, &str)> = files.iter().flatten().map(|(name, sql)| (&**name, &**sql)).collect();
            let folder = TestFolder::new(&files);
            folder.write("migrate.toml", &format!("database = \"{}\"\n", kind.dialect().name()));
            let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
            binary.ok(&["up"]);
            let summary =
                async || database.rows("SELECT concat(version, '/', applied_count, '/', digest) FROM schema_versions").await;
            let expected = summary().await;
            database.execute(change).await;
            if change.contains("migration_records") {
                folder.remove("migrations/002_b.up.sql");
                folder.remove("migrations/002_b.down.sql");
            }
            let what = format!("{kind:?} {change}");
            let status = binary.run(&["status"]);
            assert_eq!(format!("{}{}", status.stdout, status.stderr).contains("records-lost"), is_lost, "{what} {status:?}");
            if is_lost {
                let outcome = binary.run(&["down", "--yes"]);
                assert!(outcome.code == 5 && outcome.stderr.contains("cargo migrate repair"), "{what} {outcome:?}");
                assert_eq!(binary.run(&["repair"]).code, 2, "without an answer: {what}");
            }
            let outcome = binary.ok(&["repair", "--yes"]);
            assert!(outcome.stderr.contains("Repaired"), "{what} {outcome:?}");
            if !change.contains("migration_records") {
                assert_eq!(summary().await, expected, "{what}");
            }
            let outcome = binary.ok(&["repair", "--yes"]);
            assert!(outcome.stderr.contains("nothing to repair"), "{what} {outcome:?}");
            binary.ok(&["down", "--all", "--yes"]);
            database.drop().await;
        }
    }
}
