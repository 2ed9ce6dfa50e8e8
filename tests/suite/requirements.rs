//! The example with two styles of file names is applied, reverted and applied again. An invalid file is rejected before
//! anything runs.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::path::Path;

#[tokio::test]
async fn both_styles_migrate_up_down_and_up_again() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/two-styles");
    let binary = Binary::inside(&example).variable("DATABASE_URL", &database.url);
    for (style, count) in [("paired", 7), ("numbered", 8)] {
        binary.ok(&["--source", style, "check", "--locked"]);
        binary.ok(&["--source", style, "up"]);
        binary.ok(&["--source", style, "down", "--all", "--yes"]);
        binary.ok(&["--source", style, "up"]);
        binary.ok(&["--source", style, "verify"]);
        binary.ok(&["--source", style, "status", "--check"]);
        let service = if style == "paired" { "accounts" } else { "skills" };
        let sql = format!("SELECT count(*) FROM migration_records WHERE state = 'applied' AND service = '{service}'");
        assert_eq!(database.value(&sql).await, count.to_string());
    }
    assert_eq!(database.value("SELECT count(*) FROM endorsements").await, "2500");
    database.drop().await;
}

#[tokio::test]
async fn an_index_built_concurrently_in_a_transaction_is_refused_before_anything_runs() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = TestFolder::new(&[
        ("001_users.sql", "CREATE TABLE users (id int);"),
        (
            "008_expand_add_new_email_column.sql",
            "-- Phase: EXPAND\n\nBEGIN;\n\nALTER TABLE users\n    ADD COLUMN email_new VARCHAR(255) DEFAULT NULL;\n\n\
             CREATE INDEX CONCURRENTLY idx_users_email_new\n    ON users(email_new);\n\nCOMMIT;\n",
        ),
    ]);
    folder.write("migrate.toml", "database = \"postgres\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = binary.run(&["up"]);
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    insta::assert_snapshot!(outcome.shown());
    assert!(database.tables().await.is_empty());
    database.drop().await;
}
