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
    let copied = format!("COPY t FROM stdin;\n{}\\.\n", "1\t2\n".repeat(20_000));
    for work in [
        "CREATE TABLE n AS SELECT * FROM t;",
        "CREATE MATERIALIZED VIEW n AS SELECT * FROM t;",
        "SELECT pg_sleep(5);",
        "COPY t TO '/tmp/t';",
        "COPY (SELECT * FROM t) TO '/tmp/t';",
        "COPY t FROM '/tmp/t';",
        &copied,
    ] {
        let file = format!("ALTER TABLE t ADD COLUMN b int;\n{work}");
        assert_eq!(findings(&[T, &file], &[2]), ["2:warning:work-under-exclusive-lock"], "{work}");
        assert_eq!(findings(&[T, work], &[2]), [] as [&str; 0]);
    }
    let few = "ALTER TABLE t ADD COLUMN b int;\nCOPY t FROM stdin;\n1\t2\n\\.\n";
    assert_eq!(findings(&[T, few], &[2]), [] as [&str; 0]);
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
fn allow_applies_to_the_same_statement_whatever_ends_the_lines() {
    let before = "SELECT 1;~DROP TABLE u;~-- migrate: allow drop-table: unused~DROP TABLE v;~DROP TABLE w;~";
    let after = "DROP TABLE u; -- migrate: allow drop-table: unused~DROP TABLE v;~";
    let in_block = "SELECT 1;~DO $$ BEGIN~-- migrate: allow drop-table: unused~DROP TABLE u; END $$;~DROP TABLE w;~";
    for line_end in ["\n", "\r\n", "\r"] {
        let lines = |text: &str| {
            let findings = lint(&history(&[T, &text.replace('~', line_end)]), &LintOptions::new(Dialect::Postgres));
            let place = |finding: &Finding| finding.place.clone().and_then(|place| place.span).unwrap().position.line;
            let of_drop = findings.iter().filter(|finding| finding.code.name != "drop-column");
            of_drop.map(|finding| (finding.code.name, place(finding), finding.notes.len())).collect::<Vec<_>>()
        };
        assert_eq!(lines(before), [("drop-table", 2, 1)], "{line_end:?}");
        assert_eq!(lines(after), [("drop-table", 2, 0)], "{line_end:?}");
        assert_eq!(lines(in_block), [("drop-table", 5, 0)], "{line_end:?}");
    }
}

/// The tables `a` (column `x`) and `b` (column `y`) exchange their names; everything follows its table.
#[test]
fn tables_that_exchange_their_names() {
    let of = |files: [&str; 2], after: &str, dialect| {
        let rules = rules_of(&[files[0], files[1], &format!("-- migrate: phase contract\n{after}")], dialect, &[]);
        rules.into_iter().filter(|rule| !rule.starts_with("mysql-a") && *rule != "drop-fk-locks-parent").collect::<Vec<_>>()
    };
    let tables = "CREATE TABLE a (id int PRIMARY KEY, x int); CREATE TABLE b (id int PRIMARY KEY, y int);";
    let three = "ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b;";
    let list = "RENAME TABLE a TO tmp, b TO a, tmp TO b;";
    let with_clauses = "ALTER TABLE a RENAME TO tmp, ADD COLUMN z int; RENAME TABLE b TO a, tmp TO b;";
    for (renames, dialect) in
        [(three, Dialect::Postgres), (three, Dialect::Sqlite), (three, Dialect::MySql), (list, Dialect::MySql)]
    {
        assert_eq!(of([tables, renames], "ALTER TABLE a ADD COLUMN y int;", dialect), ["already-exists"], "{renames}");
        assert_eq!(of([tables, renames], "ALTER TABLE b ADD COLUMN x int;", dialect), ["already-exists"], "{renames}");
        assert_eq!(of([tables, renames], "ALTER TABLE a ADD COLUMN x int;", dialect), [] as [&str; 0], "{renames}");
    }
    assert_eq!(of([tables, with_clauses], "ALTER TABLE b ADD COLUMN z int;", Dialect::MySql), ["already-exists"]);
    let dependents = format!(
        "{tables} CREATE TABLE c (id int PRIMARY KEY REFERENCES a (id)); CREATE VIEW v AS SELECT x FROM a; CREATE INDEX i ON a (x);"
    );
    let of = |after: &str| of([&dependents, three], after, Dialect::Postgres);
    assert_eq!(of("DROP VIEW v; DROP TABLE b;"), ["drop-with-dependents"]);
    assert_eq!(of("DROP TABLE c; DROP TABLE b;"), ["drop-with-dependents"]);
    assert_eq!(of("DROP TABLE a;"), [] as [&str; 0]);
    assert_eq!(of("ALTER TABLE b DROP COLUMN x;"), ["drop-column-view-dep"]);
    let parts = "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE q (a int); \
                 CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);";
    let renames = "ALTER TABLE p RENAME TO tmp; ALTER TABLE q RENAME TO p; ALTER TABLE tmp RENAME TO q;";
    let drop = "-- migrate: phase contract\nDROP TABLE q; CREATE TABLE p1 (a int);";
    assert!(!rules_of(&[parts, renames, drop], Dialect::Postgres, &[]).contains(&"already-exists"));
    let drop = "-- migrate: phase contract\nDROP TABLE p; CREATE TABLE p1 (a int);";
    assert!(rules_of(&[parts, renames, drop], Dialect::Postgres, &[]).contains(&"already-exists"));
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

/// The rules that flag the last file under these options, if the others are deployed.
fn rules_of(files: &[&str], dialect: Dialect, session: &[&str]) -> Vec<&'static str> {
    let migration = |(number, text): (usize, &&str)| {
        let script = Script::read((*text).to_owned(), &format!("{number}.sql"), dialect).0;
        Migration::new(number.to_string().parse().unwrap(), "x", script, None)
    };
    let history: Vec<Migration> = (1..).zip(files).map(migration).collect();
    let mut options = LintOptions::new(dialect);
    options.scope = LintScope::Only([files.len() - 1].into());
    options.session = session.iter().map(|sql| (*sql).to_owned()).collect();
    lint(&history, &options).into_iter().map(|finding| finding.code.name).collect()
}

#[test]
fn the_configured_session_holds_for_every_file() {
    use Dialect::{MySql, Postgres, Sqlite};
    let family = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id));";
    let truncate = "-- migrate: phase contract\nTRUNCATE TABLE p;";
    assert_eq!(rules_of(&[family, truncate], MySql, &[]), ["mysql-drop-with-dependents"]);
    for session in ["SET FOREIGN_KEY_CHECKS=0", "SET SESSION foreign_key_checks = OFF", "SET @old = 1, @@foreign_key_checks = 0"]
    {
        assert_eq!(rules_of(&[family, truncate], MySql, &[session]), [] as [&str; 0], "{session}");
    }
    // A user variable is no setting.
    assert_eq!(rules_of(&[family, truncate], MySql, &["SET @foreign_key_checks = 0"]), ["mysql-drop-with-dependents"]);
    let family = "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p int REFERENCES p (id) ON DELETE CASCADE); \
                  INSERT INTO c VALUES (1);";
    let rebuild = "CREATE TABLE n (id integer PRIMARY KEY, x text); INSERT INTO n (id) SELECT id FROM p; DROP TABLE p; \
                   ALTER TABLE n RENAME TO p;";
    assert_eq!(rules_of(&[family, rebuild], Sqlite, &[]), ["sqlite-rebuild-cascade"]);
    assert_eq!(rules_of(&[family, rebuild], Sqlite, &["PRAGMA foreign_keys = OFF"]), [] as [&str; 0]);
    let t = "CREATE TABLE app.t (a timestamp); CREATE TABLE app.n (a timestamp);";
    let change = "ALTER TABLE t ALTER a TYPE timestamptz;";
    assert_eq!(rules_of(&[t, change], Postgres, &["SET search_path = app"]), ["timestamp-to-timestamptz"]);
    assert_eq!(rules_of(&[t, change], Postgres, &["SET search_path = app", "SET timezone = 'UTC'"]), [] as [&str; 0]);
}

#[test]
fn nothing_takes_time_after_truncate() {
    let t = "CREATE TABLE t (id bigint PRIMARY KEY, a int, b int);";
    let work = "CREATE INDEX i ON t (a); ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t ALTER b TYPE bigint; \
                ALTER TABLE t ADD COLUMN c int NOT NULL; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);";
    let truncate = "-- migrate: phase contract\nTRUNCATE t;";
    let of = |file: &str| rules_of(&[t, file], Dialect::Postgres, &[]);
    assert_eq!(of(&format!("{truncate} {work}")), [] as [&str; 0]);
    assert_eq!(
        of(&format!("-- migrate: phase contract\nTRUNCATE elsewhere; {}", work.replace(" t ", " elsewhere "))),
        [] as [&str; 0]
    );
    // After the transaction, or after rows were inserted, the table may be large again.
    assert!(
        of(&format!("-- migrate: no-transaction\n-- migrate: phase contract\nTRUNCATE t; {work}"))
            .contains(&"index-not-concurrent")
    );
    assert!(of(&format!("{truncate} INSERT INTO t SELECT 1 FROM u; {work}")).contains(&"index-not-concurrent"));
    let perhaps = "-- migrate: phase contract\nDO $$ BEGIN IF true THEN TRUNCATE t; END IF; END $$;";
    assert!(of(&format!("{perhaps} {work}")).contains(&"index-not-concurrent"));
}

#[test]
fn truncate_empties_the_descendants_without_only() {
    let tables = "CREATE TABLE p (a int); CREATE TABLE c () INHERITS (p); CREATE TABLE n (a int);";
    let of = |truncate: &str, table: &str| {
        let file = format!("-- migrate: phase contract\n{truncate}; ALTER TABLE {table} ALTER a SET NOT NULL;");
        rules_of(&[tables, &file], Dialect::Postgres, &[])
    };
    for truncate in ["TRUNCATE p", "TRUNCATE TABLE p *"] {
        assert_eq!(of(truncate, "p"), [] as [&str; 0], "{truncate}");
        assert_eq!(of(truncate, "c"), [] as [&str; 0], "{truncate}");
    }
    for truncate in ["TRUNCATE ONLY p", "TRUNCATE TABLE ONLY (p)"] {
        assert!(of(truncate, "p").contains(&"set-not-null-scan"), "{truncate}");
        assert!(of(truncate, "c").contains(&"set-not-null-scan"), "{truncate}");
    }
    assert_eq!(of("TRUNCATE ONLY n", "n"), [] as [&str; 0]);
    assert_eq!(of("TRUNCATE ONLY (n)", "n"), [] as [&str; 0]);
}

#[test]
fn constraints_of_tables_that_no_file_creates() {
    let of = |files: &[&str]| rules_of(files, Dialect::Postgres, &[]);
    let add = "ALTER TABLE e ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID;";
    let (validate, set) = ("ALTER TABLE e VALIDATE CONSTRAINT k;", "ALTER TABLE e ALTER a SET NOT NULL;");
    assert_eq!(of(&[add, validate, set]), [] as [&str; 0]);
    assert_eq!(of(&[add, set]), ["set-not-null-scan"]);
    assert_eq!(of(&[add, validate, "ALTER TABLE e DROP CONSTRAINT k;", set]), ["set-not-null-scan"]);
    assert_eq!(
        of(&[add, "ALTER TABLE e RENAME TO f;", "ALTER TABLE f VALIDATE CONSTRAINT k;", "ALTER TABLE f ALTER a SET NOT NULL;"]),
        [] as [&str; 0]
    );
    assert_eq!(of(&[&format!("{add} {validate}")]), ["validate-same-tx"]);
    // The foreign key locks its parent when it is dropped.
    let key = "ALTER TABLE e ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) NOT VALID;";
    assert!(of(&[key, "-- migrate: phase contract\nALTER TABLE e DROP CONSTRAINT f;"]).contains(&"drop-fk-locks-parent"));
    let index = "CREATE INDEX CONCURRENTLY i ON e (a);";
    assert_eq!(of(&[index, "CREATE INDEX IF NOT EXISTS i ON e (a);"]), [] as [&str; 0]);
    assert_eq!(of(&[index, "DROP INDEX i;", "CREATE INDEX IF NOT EXISTS i ON e (a);"]), ["index-not-concurrent"]);
}

#[test]
fn every_place_is_listed_if_that_is_wanted() {
    let drops: String = (0..20).map(|number| format!("ALTER TABLE t DROP COLUMN c{number};\n")).collect();
    let history = history(&[T, &drops]);
    let notes = |limit| {
        let mut options = LintOptions::new(Dialect::Postgres);
        options.scope = LintScope::Only([1].into());
        options.places_listed = limit;
        let findings = lint(&history, &options);
        findings.into_iter().find(|finding| finding.code.name == "drop-column").unwrap().notes.len()
    };
    assert_eq!((notes(Some(8)), notes(None)), (9, 19));
}

#[test]
fn programs_get_every_finding() {
    let views: String = (0..300).map(|number| format!("CREATE VIEW v{number} AS SELECT a FROM t;\n")).collect();
    let history = history(&[&format!("{T} {views}"), "ALTER TABLE t DROP COLUMN a;"]);
    let mut options = LintOptions::new(Dialect::Postgres);
    options.scope = LintScope::Only([1].into());
    options.places_listed = None;
    let findings = lint(&history, &options);
    let finding = findings.iter().find(|finding| finding.code.name == "drop-column-view-dep").unwrap();
    assert_eq!(finding.notes.len(), 299, "{}", finding.message);
}

#[test]
fn every_dependent_is_listed_if_that_is_wanted() {
    let views: String =
        (0..12).map(|number| format!("CREATE VIEW v{number} AS SELECT a FROM t; CREATE TABLE t{number} (a int);\n")).collect();
    let setup = format!("{T} {views}");
    let alters: String = (0..12).map(|number| format!("ALTER TABLE t{number} ADD COLUMN b int;\n")).collect();
    for (change, rule, others) in [
        ("DROP TABLE t;", "drop-with-dependents", 11),
        ("ALTER TABLE t DROP COLUMN a;", "drop-column-view-dep", 11),
        ("ALTER TABLE t ALTER a TYPE bigint;", "alter-type-view-dep", 11),
        (&alters, "lock-many-tables", 8),
    ] {
        let notes = |limit| {
            let mut options = LintOptions::new(Dialect::Postgres);
            options.scope = LintScope::Only([1].into());
            options.places_listed = limit;
            let findings = lint(&history(&[&setup, change]), &options);
            findings.into_iter().find(|finding| finding.code.name == rule).map(|finding| finding.notes.len())
        };
        assert_eq!((notes(Some(4)), notes(None)), (Some(5), Some(others)), "{change}");
    }
}

/// The messages about the last file on a server.
fn messages_on(server: &str, files: &[&str]) -> Vec<String> {
    let server: Server = server.parse().unwrap();
    let migration = |(number, text): (usize, &&str)| {
        let script = Script::read((*text).to_owned(), &format!("{number}.sql"), server.dialect()).0;
        Migration::new(number.to_string().parse().unwrap(), "x", script, None)
    };
    let history: Vec<Migration> = (1..).zip(files).map(migration).collect();
    let mut options = LintOptions::new(server.dialect());
    options.server = server;
    options.scope = LintScope::Only([files.len() - 1].into());
    let findings = lint(&history, &options).into_iter().filter(|finding| finding.level == Level::Error);
    findings.map(|finding| format!("{}: {}", finding.code.name, finding.message)).collect()
}

#[test]
fn claims_depend_on_the_version() {
    let partitioned = [
        "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE p (id int) PARTITION BY RANGE (id);",
        "ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES u (id) NOT VALID;",
    ];
    let message = "partitioned-unsupported: `p` is partitioned: PostgreSQL before version 18 rejects a `NOT VALID` foreign key";
    assert_eq!(messages_on("postgres", &partitioned), [message]);
    assert_eq!(messages_on("postgres 17", &partitioned), [message]);
    assert_eq!(messages_on("postgres 18", &partitioned), [] as [&str; 0]);
    let copied = ["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t MODIFY a bigint, LOCK=NONE;"];
    let message = "mysql-algorithm-refused: MariaDB before version 11.2 rejects `LOCK=NONE` for this change";
    assert_eq!(messages_on("mariadb", &copied), [message]);
    assert_eq!(messages_on("mariadb 11.8", &copied), [] as [&str; 0]);
    assert_eq!(messages_on("mysql", &copied), ["mysql-algorithm-refused: the server rejects `LOCK=NONE` for this change"]);
    let inplace = ["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t MODIFY a bigint, ALGORITHM=INPLACE;"];
    assert_eq!(
        messages_on("mariadb 11.8", &inplace),
        ["mysql-algorithm-refused: the server rejects `ALGORITHM=INPLACE` for this change"]
    );
    let cascade = [
        "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, u int, CONSTRAINT f FOREIGN KEY (u) REFERENCES u (id) ON DELETE CASCADE);",
        "ALTER TABLE t MODIFY a bigint, LOCK=NONE;",
    ];
    assert_eq!(messages_on("mariadb 11.8", &cascade).len(), 1);
}
