//! What the server says while a migration runs is shown as `psql` shows it.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, client};
use std::process::Command;

const FILES: [(&str, &str); 3] = [
    (
        "001_a.up.sql",
        "DO $$ BEGIN RAISE WARNING 'careful %', 1; RAISE NOTICE 'hi'; RAISE INFO E'two\\nlines'; END $$;\nCREATE TABLE IF NOT EXISTS t (id int);\nCREATE TABLE IF NOT EXISTS t (id int);",
    ),
    (
        "002_b.up.sql",
        "CREATE INDEX CONCURRENTLY i ON t (id);\nDROP TABLE IF EXISTS missing;\nDO $$ BEGIN RAISE WARNING 'outside'; END $$;",
    ),
    ("003_c.up.sql", "SET client_min_messages = error;\nDROP TABLE IF EXISTS missing;\nSELECT 1/0;"),
];

/// The messages, as lines of severity and text.
fn messages(stderr: &str, verbs: [&str; 2]) -> Vec<String> {
    let line = |line: &str| {
        let (verb, text) = line.trim_start().split_once(' ')?;
        let text = text.split_once("sql: ").map_or(text, |(_, text)| text).trim();
        let severity = ["warning", "notice"][verbs.iter().position(|known| *known == verb)?];
        Some(format!("{severity} {text}"))
    };
    stderr.lines().filter_map(line).collect()
}

#[tokio::test]
async fn warnings_and_notices_are_those_of_psql() {
    let [database, other] = [TestDatabase::new(Kind::Postgres).await, TestDatabase::new(Kind::Postgres).await];
    let folder = TestFolder::new(&FILES);
    folder.write("migrate.toml", "database = \"postgres\"\n");
    let mut expected = Vec::new();
    for (name, _) in FILES {
        let file = folder.path().join("migrations").join(name);
        let output = Command::new("psql").args(["-qXd", &other.url, "-v", "ON_ERROR_STOP=1", "-f"]).arg(file).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        // `INFO` and what follows the first line of a message are shown in the words of this tool.
        let stderr = stderr.replace("INFO:", "NOTICE:").replace("two\nlines", "two\\nlines").replace(":  ", ": ");
        let place = |line: &str| line.rsplit_once(".sql:").map_or("", |(_, rest)| rest).to_owned();
        let lines = stderr.lines().map(|line| place(line).trim_start_matches(|c: char| c.is_ascii_digit()).replacen(": ", "", 1));
        let stderr: Vec<String> = lines.collect();
        let stderr = stderr.join("\n");
        expected.extend(messages(&stderr, ["WARNING:", "NOTICE:"]));
    }
    assert_eq!(expected.len(), 6, "{expected:?}");

    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = binary.run(&["up", "--verbose"]);
    assert_eq!(outcome.code, 7, "{}", outcome.stderr);
    assert_eq!(messages(&outcome.stderr, ["Warning", "Notice"]), expected);
    assert!(outcome.stderr.contains("     Warning 002_b.up.sql: outside\n"), "{}", outcome.stderr);
    database.drop().await;
    other.drop().await;
}

/// What the run sends after a failure outside a transaction.
#[tokio::test]
async fn warnings_of_the_run_itself_are_not_shown() {
    let database = TestDatabase::new(Kind::Postgres).await;
    for failing in ["CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)", "VACUUM missing", "DROP INDEX CONCURRENTLY missing"] {
        database.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)").await;
        let folder = TestFolder::new(&[("001_a.up.sql", failing)]);
        folder.write("migrate.toml", "database = \"postgres\"\nlint = \"off\"\n");
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up", "--verbose"]);
        assert_eq!(outcome.code, 7, "{}", outcome.stderr);
        assert_eq!(messages(&outcome.stderr, ["Warning", "Notice"]), [""; 0], "{}", outcome.stderr);
    }
    database.drop().await;
}

#[tokio::test]
async fn notices_need_verbose_and_json_has_both() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = TestFolder::new(&FILES);
    folder.write("migrate.toml", "database = \"postgres\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = binary.ok(&["up", "--to", "1"]);
    assert!(outcome.stderr.contains("Warning") && !outcome.stderr.contains("Notice"), "{}", outcome.stderr);
    let json: serde_json::Value = serde_json::from_str(&binary.ok(&["up", "--to", "2", "--format", "json"]).stdout).unwrap();
    let notices = json["services"][0]["notices"].as_array().unwrap();
    let fields = |name: &str| notices.iter().map(|notice| notice[name].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(fields("migration"), ["002_b.up.sql"; 2]);
    assert_eq!(fields("severity"), ["notice", "warning"]);
    assert_eq!(fields("message"), ["table \"missing\" does not exist, skipping", "outside"]);
    assert_eq!(json["services"][0]["omitted_notices"], 0);
    assert!(binary.run(&["up", "--quiet"]).stderr.contains("division by zero"));
    // Also of a run that fails.
    folder.write("migrations/003_c.up.sql", "DO $$ BEGIN RAISE WARNING 'before'; END $$;\nSELECT 1/0;");
    let json: serde_json::Value = serde_json::from_str(&binary.run(&["up", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["error"][0]["code"], "migration-failed");
    assert_eq!(json["notices"][0]["message"], "before");
    // A loop of a script may raise thousands.
    let raises = "DO $$ BEGIN FOR i IN 1..1500 LOOP RAISE WARNING 'w%', i; END LOOP; END $$;";
    folder.write("migrations/003_c.up.sql", raises);
    let json: serde_json::Value = serde_json::from_str(&binary.ok(&["up", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["services"][0]["notices"].as_array().unwrap().len(), 1000);
    assert_eq!(json["services"][0]["omitted_notices"], 500);
    database.drop().await;
}

/// The warnings of MariaDB, with its own client as the oracle: after each statement, in a transaction and outside of one.
#[tokio::test]
async fn warnings_are_those_of_mariadb() {
    let [database, other] = [TestDatabase::new(Kind::MariaDb).await, TestDatabase::new(Kind::MariaDb).await];
    let files = [
        (
            "001_a.up.sql",
            "DROP TABLE IF EXISTS missing;\nCREATE TABLE t (c varchar(3), n int, KEY k (n), KEY k2 (n));\nCREATE TABLE r (n int);",
        ),
        (
            "002_b.up.sql",
            "SET sql_mode = '';\nINSERT INTO t VALUES ('toolong', 'x');\nINSERT INTO t VALUES ('ab', 1);\nUPDATE t SET n = 1 / 0;",
        ),
        (
            "003_c.up.sql",
            "UPDATE t SET c = 'x';\nINSERT INTO r VALUES (ROW_COUNT());\nSIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'careful';",
        ),
    ];
    let folder = TestFolder::new(&files);
    folder.write("migrate.toml", "database = \"mariadb\"\nlint = \"off\"\n");
    let mut expected = Vec::new();
    for (_, text) in files {
        // `Warning (Code 1265): Data truncated for column 'c' at row 1`
        expected.extend(client::mariadb_warnings(&other, text).lines().filter_map(|line| {
            let (severity, message) = line.split_once("): ")?;
            let severity = if severity.starts_with("Note") { "notice" } else { "warning" };
            Some(format!("{severity} {message}"))
        }));
    }
    assert!(expected.len() >= 5 && expected.iter().any(|line| line.starts_with("notice")), "{expected:?}");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let name = |database: &TestDatabase| database.url.rsplit_once('/').unwrap().1.to_owned();
    let shown = binary.ok(&["up", "--verbose"]).stderr.replace(&name(&database), &name(&other));
    // `ROW_COUNT()` in the third file leaves no room for a question in between.
    assert_eq!(messages(&shown, ["Warning", "Notice"]), expected, "{shown}");
    assert_eq!(database.rows("SELECT n FROM r").await, ["2"]);
    assert_eq!(other.rows("SELECT n FROM r").await, ["2"]);
    database.drop().await;
    other.drop().await;
}
