//! The body of a routine is checked where the file that creates it calls it.

use super::condition_tests::rules_of;
use migrate_model::dialect::Dialect;

const T: &str = "CREATE TABLE t (id bigint PRIMARY KEY, c text, b int);";

#[track_caller]
fn finds(dialect: Dialect, files: &[&str], rule: &str) {
    let rules = rules_of(files, dialect);
    assert!(rules.iter().any(|name| name == rule), "{files:?}: {rules:?}");
}

#[test]
fn routines_that_a_file_calls() {
    for (text, rule) in [
        ("CREATE PROCEDURE m() LANGUAGE plpgsql AS $$ BEGIN DROP TABLE t; END $$; CALL m();", "drop-table"),
        (
            "CREATE PROCEDURE m() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ALTER b TYPE bigint; END $$; CALL m(); DROP PROCEDURE m;",
            "alter-type-rewrite",
        ),
        (
            "CREATE FUNCTION m() RETURNS void LANGUAGE sql AS $$ ALTER TABLE t ALTER b TYPE bigint; $$; SELECT m();",
            "alter-type-rewrite",
        ),
        ("CREATE FUNCTION m() RETURNS void LANGUAGE sql AS 'DROP TABLE t'; SELECT * FROM m();", "drop-table"),
        (
            "CREATE FUNCTION m() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE t'; END $$; SELECT m();",
            "drop-table",
        ),
        (
            "CREATE FUNCTION m() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DROP TABLE %I','t'); END $$; SELECT m();",
            "unparsed-sql",
        ),
        (
            "CREATE FUNCTION m() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE t; END $$; DO $$ BEGIN PERFORM m(); END $$;",
            "drop-table",
        ),
        (
            "CREATE FUNCTION a() RETURNS void LANGUAGE sql AS 'DROP TABLE t'; CREATE FUNCTION m() RETURNS void LANGUAGE sql AS 'SELECT a()'; SELECT m();",
            "drop-table",
        ),
    ] {
        finds(Dialect::Postgres, &[T, text], rule);
    }
    // It may call itself, and without a call nothing happens.
    let recursive = "CREATE FUNCTION m(i int) RETURNS int LANGUAGE sql AS 'SELECT m(1)'; SELECT m(2);";
    assert_eq!(rules_of(&[T, recursive], Dialect::Postgres), [] as [&str; 0]);
    let uncalled = "CREATE FUNCTION m() RETURNS void LANGUAGE sql AS 'DROP TABLE t';";
    assert_eq!(rules_of(&[T, uncalled], Dialect::Postgres), [] as [&str; 0]);
    finds(
        Dialect::Postgres,
        &[T, "CREATE FUNCTION m() RETURNS void LANGUAGE sql AS 'DROP TABLE t';", "SELECT m();"],
        "unparsed-sql",
    );
}

/// A table is not a function, and a function of another schema is another one. Many calls of one hide no other.
#[test]
fn what_is_called() {
    let old = "CREATE TABLE old (id int); CREATE TABLE audit (id int);";
    for text in [
        "CREATE FUNCTION audit() RETURNS void LANGUAGE sql AS 'DROP TABLE old'; INSERT INTO audit (id) VALUES (1);",
        "CREATE FUNCTION app.p() RETURNS void LANGUAGE sql AS 'DROP TABLE old'; CREATE FUNCTION lib.p() RETURNS void LANGUAGE sql AS 'SELECT 1'; SELECT lib.p();",
    ] {
        assert_eq!(rules_of(&[old, text], Dialect::Postgres), [] as [&str; 0], "{text}");
    }
    let path = "CREATE FUNCTION g() RETURNS void LANGUAGE sql SET search_path = b AS 'DROP TABLE old'; SELECT g();";
    assert_eq!(rules_of(&[old, path], Dialect::Postgres), ["unparsed-sql"]);
    let calls = "SELECT a();".repeat(100);
    let many = format!(
        "CREATE FUNCTION a() RETURNS void LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION d() RETURNS void LANGUAGE sql AS 'DROP TABLE old'; {calls} SELECT d();"
    );
    finds(Dialect::Postgres, &[old, &many], "drop-table");
}

#[test]
fn procedures_of_mysql() {
    for (text, rule) in [
        (
            "DELIMITER $$\nCREATE PROCEDURE upgrade_1() BEGIN\nIF NOT EXISTS((SELECT * FROM information_schema.COLUMNS WHERE COLUMN_NAME = 'n')) \
             THEN ALTER TABLE t DROP COLUMN c, ADD n INT NOT NULL DEFAULT 0 FIRST; END IF;\nEND $$\nCALL upgrade_1() $$\nDROP PROCEDURE upgrade_1 $$\nDELIMITER ;",
            "drop-column",
        ),
        ("CREATE PROCEDURE m() ALTER TABLE t MODIFY b bigint; CALL m();", "mysql-table-copy"),
        (
            "DELIMITER //\nCREATE PROCEDURE p1() BEGIN SET @s='DROP TABLE t'; PREPARE q FROM @s; EXECUTE q; END//\nDELIMITER ;\nCALL p1();",
            "drop-table",
        ),
    ] {
        finds(Dialect::MySql, &[T, text], rule);
    }
    finds(Dialect::MySql, &[T, "CALL upgrade();"], "unparsed-sql");
}
