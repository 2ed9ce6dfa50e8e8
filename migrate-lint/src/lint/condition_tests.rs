//! What a condition may have changed is unknown: no finding about a hazard is suppressed by it, and nothing that it may have
//! created or dropped is claimed to exist or to be missing.

use super::*;

fn migration(number: usize, text: &str, dialect: Dialect) -> Migration {
    let (script, findings) = Script::read(text.to_owned(), &format!("{number}.sql"), dialect);
    assert!(findings.is_empty(), "{text}: {findings:?}");
    Migration::new(number.to_string().parse().unwrap(), "x", script, None)
}

/// The rules that flag the last file, if the others are deployed. Rules about style do not count.
pub fn rules_of(files: &[&str], dialect: Dialect) -> Vec<String> {
    let history: Vec<Migration> = (1..).zip(files).map(|(number, text)| migration(number, text, dialect)).collect();
    let mut options = LintOptions::new(dialect);
    options.scope = LintScope::Only([files.len() - 1].into());
    let names = lint(&history, &options).into_iter().map(|finding| finding.code.name.to_owned());
    names.filter(|name| name != "missing-lock-timeout").collect()
}

/// The same without the rule about blocks.
fn rules_without_blocks(files: &[&str], dialect: Dialect) -> Vec<String> {
    rules_of(files, dialect).into_iter().filter(|name| name != "unparsed-sql").collect()
}

#[track_caller]
fn postgres(files: &[&str], rules: &[&str]) {
    assert_eq!(rules_without_blocks(files, Dialect::Postgres), rules, "{files:?}");
}

const T: &str = "CREATE TABLE t (id bigint PRIMARY KEY, a varchar(20) NOT NULL, b int); CREATE INDEX i ON t (b); \
                 ALTER TABLE t ADD CONSTRAINT k CHECK (b IS NOT NULL);";

/// PostgreSQL 17 and later; a server that refuses it computes nothing.
#[test]
fn a_generated_column_is_computed_again() {
    let set = "ALTER TABLE t ALTER COLUMN g SET EXPRESSION AS (a * 3);";
    for (kind, rules) in [("STORED", &["add-column-stored-generated"][..]), ("VIRTUAL", &[])] {
        postgres(&[&format!("CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) {kind});"), set], rules);
    }
}

#[test]
fn a_column_that_may_be_gone_is_added() {
    let add = "ALTER TABLE t ADD COLUMN IF NOT EXISTS b int GENERATED ALWAYS AS (id) STORED;";
    postgres(&[T, add], &[]);
    for block in [
        "IF true THEN ALTER TABLE t RENAME COLUMN b TO b_old; END IF;",
        "FOR r IN SELECT 1 LOOP ALTER TABLE t DROP COLUMN b; END LOOP;",
        "IF true THEN RETURN; END IF; ALTER TABLE t DROP COLUMN b;",
        "CASE x WHEN 1 THEN ALTER TABLE t RENAME b TO c; ELSE NULL; END CASE;",
        "BEGIN ALTER TABLE t RENAME b TO c; EXCEPTION WHEN undefined_column THEN NULL; END;",
        "IF true THEN EXECUTE 'ALTER TABLE t RENAME b TO c'; END IF;",
        "IF true THEN ALTER TABLE t RENAME TO u; END IF;",
        "IF true THEN ALTER TABLE t RENAME b TO c; END IF; IF true THEN ALTER TABLE t RENAME c TO b; END IF;",
        "IF true THEN ALTER TABLE t RENAME b TO c; ELSE ALTER TABLE t DROP COLUMN a; END IF;",
        "EXECUTE format('ALTER TABLE %I RENAME b TO c', 't');",
    ] {
        postgres(&[T, &format!("DO $$ BEGIN {block} END $$;"), add], &["add-column-stored-generated"]);
    }
}

#[test]
fn what_a_condition_may_have_proved_is_not_proved() {
    let uncertain = |block: &str| format!("DO $$ BEGIN IF true THEN {block} END IF; END $$;");
    let not_null = "ALTER TABLE t ALTER b SET NOT NULL;";
    postgres(&[T, not_null], &[]);
    postgres(&[T, &uncertain("ALTER TABLE t DROP CONSTRAINT k;"), not_null], &["not-null-might-fail", "set-not-null-scan"]);
    let without = "CREATE TABLE t (id bigint PRIMARY KEY, b int);";
    postgres(
        &[without, &uncertain("ALTER TABLE t ADD CONSTRAINT k CHECK (b IS NOT NULL);"), not_null],
        &["not-null-might-fail", "set-not-null-scan"],
    );
    let wider = "ALTER TABLE t ALTER a TYPE varchar(50);";
    postgres(&[T, wider], &[]);
    postgres(&[T, &uncertain("ALTER TABLE t ALTER a TYPE int USING 1;"), wider], &["alter-type-rewrite"]);
    postgres(&[T, &uncertain("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a text;"), wider], &["alter-type-rewrite"]);
    // Another column of the table stays certain.
    postgres(&[T, &uncertain("ALTER TABLE t ALTER b TYPE bigint;"), wider], &[]);
    // An UPDATE changes no definition, and does not certainly replace nulls.
    postgres(&[T, &uncertain("UPDATE t SET a = 'x', b = 1;"), wider], &[]);
    let update = uncertain("UPDATE t SET b = 1 WHERE b IS NULL;");
    postgres(&[without, &update, not_null], &["not-null-might-fail", "set-not-null-scan"]);
    // A column that is added for certain is known again.
    let again = format!("{} ALTER TABLE t ADD COLUMN c varchar(5);", uncertain("ALTER TABLE t DROP COLUMN c;"));
    postgres(&[T, "ALTER TABLE t ADD COLUMN c text;", &again, "ALTER TABLE t ALTER c TYPE varchar(9);"], &[]);
    let validate = "ALTER TABLE t VALIDATE CONSTRAINT k;";
    postgres(&[T, validate], &[]);
    let index = "CREATE INDEX IF NOT EXISTS i ON t (b);";
    postgres(&[T, index], &[]);
    postgres(&[T, &uncertain("DROP INDEX i;"), index], &["index-not-concurrent"]);
    postgres(&[without, &uncertain("CREATE INDEX i ON t (b);"), index], &["index-not-concurrent"]);
}

#[test]
fn a_table_that_a_condition_creates_may_be_older() {
    let created = "DO $$ BEGIN IF true THEN CREATE TABLE n (id bigint PRIMARY KEY, a int); END IF; END $$;";
    postgres(&[&format!("{created} CREATE INDEX j ON n (a);")], &["index-not-concurrent"]);
    postgres(&[&format!("{created} ALTER TABLE n ALTER a TYPE bigint;")], &["alter-type-rewrite"]);
    // A view in a branch does not always replace the old name.
    let view = "DO $$ BEGIN IF true THEN CREATE VIEW t AS SELECT * FROM u; END IF; END $$;";
    postgres(&[T, &format!("ALTER TABLE t RENAME TO u; {view}")], &["rename-table"]);
    postgres(&[T, "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u;"], &[]);
    let both = "DO $$ BEGIN IF true THEN ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u; END IF; END $$;";
    postgres(&[T, both], &[]);
}

#[test]
fn nothing_is_claimed_about_what_a_condition_may_have_changed() {
    let dropped = "DO $$ BEGIN IF true THEN DROP TABLE t; END IF; END $$;";
    postgres(&[T, dropped, "CREATE TABLE t (id bigint PRIMARY KEY);"], &[]);
    postgres(&[T, dropped, "SELECT 1; UPDATE t SET b = 1 WHERE id = 1;"], &[]);
    let renamed = "DO $$ BEGIN IF true THEN ALTER TABLE t RENAME b TO c; END IF; END $$;";
    postgres(&[T, renamed, "UPDATE t SET c = 1 WHERE id = 1;"], &[]);
    postgres(&[T, renamed, "ALTER TABLE t ADD COLUMN c int;"], &[]);
    let view = "CREATE VIEW v AS SELECT b FROM t;";
    let without_view = "DO $$ BEGIN IF true THEN DROP VIEW v; END IF; END $$;";
    postgres(&[T, view, "ALTER TABLE t ALTER b TYPE bigint;"], &["alter-type-rewrite", "alter-type-view-dep"]);
    postgres(&[T, view, without_view, "ALTER TABLE t ALTER b TYPE bigint;"], &["alter-type-rewrite"]);
}

#[test]
fn a_setting_in_a_branch_suppresses_nothing() {
    let t = "CREATE TABLE t (id bigint PRIMARY KEY, a timestamp);";
    let change = "ALTER TABLE t ALTER a TYPE timestamptz;";
    postgres(&[t, &format!("DO $$ BEGIN SET LOCAL timezone = 'UTC'; END $$; {change}")], &[]);
    let perhaps = "DO $$ BEGIN IF true THEN SET LOCAL timezone = 'UTC'; END IF; END $$;";
    postgres(&[t, &format!("{perhaps} {change}")], &["timestamp-to-timestamptz"]);
}

#[test]
fn dynamic_sql_of_mysql() {
    let tables = "CREATE TABLE orders (id bigint PRIMARY KEY); CREATE TABLE o2 (id int PRIMARY KEY);";
    for file in [
        "PREPARE x FROM 'DROP TABLE orders'; EXECUTE x;",
        "EXECUTE IMMEDIATE 'DROP TABLE orders';",
        "SET @s = 'DROP TABLE orders'; PREPARE x FROM @s; EXECUTE x; DEALLOCATE PREPARE x;",
        "SET @s = (SELECT IF(COUNT(*) > 0, 'DROP TABLE orders', 'SELECT 1') FROM o2); PREPARE x FROM @s; EXECUTE x;",
        "DELIMITER //\nBEGIN NOT ATOMIC\n DROP TABLE orders;\nEND//\nDELIMITER ;\n",
        "DELIMITER //\nIF EXISTS (SELECT 1) THEN\n DROP TABLE orders;\nEND IF//\nDELIMITER ;\n",
        "DELIMITER //\nBEGIN NOT ATOMIC\n EXECUTE IMMEDIATE 'DROP TABLE orders';\nEND//\nDELIMITER ;\n",
    ] {
        assert_eq!(rules_without_blocks(&[tables, file], Dialect::MySql), ["drop-table"], "{file}");
    }
    assert_eq!(rules_without_blocks(&[tables, "PREPARE x FROM 'DROP TABLE orders';"], Dialect::MySql), [] as [&str; 0]);
    // The statement at its place: the literal.
    let history = [
        migration(1, tables, Dialect::MySql),
        migration(2, "SELECT 1;\nPREPARE x FROM 'DROP TABLE orders';\nEXECUTE x;", Dialect::MySql),
    ];
    let finding = lint(&history, &LintOptions::new(Dialect::MySql)).into_iter().find(|finding| finding.code.name == "drop-table");
    let place = finding.unwrap().place.unwrap();
    assert_eq!(place.span.unwrap().position.line, 2);
}
