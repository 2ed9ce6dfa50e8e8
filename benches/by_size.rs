//! Time and memory of `lint` for N and for 2N of every kind of token and statement, in every dialect. Both must grow with the
//! size of the text, not with its square: a ratio near 2 is linear, one near 4 is quadratic.
//!
//! Arguments select cases by a part of their name and databases by their name; a number sets N, and `--command=PATH` measures a
//! binary that exists. Linux only: the memory is read from `/proc`.

use migrate_benches::command;
use migrate_tests::{Kind, TestFolder};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Half of the number of repetitions.
const COUNT: usize = 4_000;
/// A run that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(60);
/// The most memory that a run can get.
const MEMORY_LIMIT_KB: usize = 4_000_000;

/// A kind of text: its name, and the text with so many repetitions.
type Case = (&'static str, fn(usize) -> String);

/// One long sequence of one kind of token.
const TOKENS: &[Case] = &[
    ("`;`", |n| ";".repeat(n)),
    ("`SELECT 1;` in one line", |n| "SELECT 1;".repeat(n)),
    ("`COMMIT;` in one line", |n| "COMMIT;".repeat(n)),
    ("`COMMIT;` in lines", |n| "COMMIT;\n".repeat(n)),
    ("directives", |n| "-- migrate: no\n".repeat(n)),
    ("client commands", |n| "\\connect x\n.read x\nDELIMITER\n".repeat(n)),
    ("`(`", |n| format!("SELECT {};", "(".repeat(n))),
    ("nested parentheses", |n| format!("SELECT {}1{};", "(".repeat(n), ")".repeat(n))),
    ("nested parentheses in CHECK", |n| format!("CREATE TABLE t (a int CHECK ({}a > 1{}));", "(".repeat(n), ")".repeat(n))),
    ("nested queries", |n| format!("SELECT * FROM {}t{};", "(SELECT * FROM ".repeat(n), ") AS q".repeat(n))),
    ("nested queries in a view", |n| {
        format!("CREATE VIEW v AS SELECT * FROM {}t{};", "(SELECT * FROM ".repeat(n), ") AS q".repeat(n))
    }),
    ("nested WITH in a view", |n| {
        format!("CREATE VIEW v AS {}SELECT 1{};", "WITH q AS (".repeat(n), ") SELECT * FROM q".repeat(n))
    }),
    ("aliases in a view", |n| format!("CREATE VIEW v AS SELECT {};", "a AS x (".repeat(n))),
    ("nested NOT NULL in CHECK", |n| {
        format!("CREATE TABLE t (a int CHECK ({}a > 1{}));", "(a IS NOT NULL) AND (".repeat(n), ")".repeat(n))
    }),
    ("strings", |n| format!("SELECT {}'';", "'it''s', ".repeat(n))),
    ("quotes", |n| format!("SELECT {};", "'".repeat(n))),
    ("backslashes", |n| format!("SELECT '{}';", "\\'".repeat(n))),
    ("dollar strings", |n| format!("SELECT {}1;", "$a$;$a$, ".repeat(n))),
    ("open dollar strings", |n| format!("SELECT {}1;", (0..n).map(|i| format!("$a{i}$ ")).collect::<String>())),
    ("`$`", |n| format!("SELECT {};", "$".repeat(n))),
    ("comments", |n| "/* a */ -- b\n".repeat(n)),
    ("nested comments", |n| format!("{} {} SELECT 1;", "/*".repeat(n), "*/".repeat(n))),
    ("executable comments", |n| "/*!40101 SET @a = 1 */;\n".repeat(n)),
    ("nested executable comments", |n| format!("{} SELECT 1 {};", "/*!40101 ".repeat(n), "*/".repeat(n))),
    ("quoted names", |n| format!("SELECT {}1;", "\"a\"\"b\", `c`, ".repeat(n))),
    ("brackets", |n| format!("SELECT {}1;", "[".repeat(n))),
    ("words", |n| format!("SELECT {};", "a ".repeat(n))),
    ("operators", |n| format!("SELECT 1{};", " + 1".repeat(n))),
    ("numbers", |n| format!("SELECT {}1;", "1.5e3, ".repeat(n))),
    ("one word", |n| format!("SELECT {};", "a".repeat(n))),
    ("one number", |n| format!("SELECT {};", "1".repeat(n))),
    ("white space", |n| format!("SELECT{}1;", " \n".repeat(n))),
    ("carriage returns", |n| format!("SELECT{}1;", " \r".repeat(n))),
    ("characters of four bytes", |n| format!("SELECT '{}';", "\u{1f600}".repeat(n))),
    ("nested CASE", |n| format!("SELECT {}1{};", "CASE WHEN a THEN ".repeat(n), " END".repeat(n))),
    ("nested BEGIN", |n| format!("CREATE PROCEDURE p() {}SELECT 1; {};", "BEGIN ".repeat(n), "END; ".repeat(n))),
    ("nested IF", |n| format!("CREATE PROCEDURE p() BEGIN {}SELECT 1; {} END;", "IF 1 THEN ".repeat(n), "END IF; ".repeat(n))),
    ("a long DO", |n| format!("DO $$ BEGIN {} END $$;", "UPDATE t SET a = 1; ".repeat(n))),
    ("nested DO", |n| {
        let open: String = (0..n.min(2_000)).map(|i| format!("DO $a{i}$ BEGIN ")).collect();
        let close: String = (0..n.min(2_000)).rev().map(|i| format!("END $a{i}$;")).collect();
        open + &close
    }),
    ("conditions", |n| format!("UPDATE t SET a = 1 WHERE b = 1{};", " AND (b = 2 OR c = 3)".repeat(n))),
];

/// Many statements, or one with many parts.
const STATEMENTS: &[Case] = &[
    ("transactions", |n| "BEGIN; SELECT 1; COMMIT;\n".repeat(n)),
    ("savepoints", |n| format!("BEGIN;\n{}COMMIT;\n", each(n, "SAVEPOINT s#;\n"))),
    ("one savepoint", |n| format!("BEGIN;\n{}COMMIT;\n", each(n, "SAVEPOINT s; ROLLBACK TO s;\n"))),
    ("settings", |n| "SET search_path = a, b;\nSET sql_mode = 'ANSI';\n".repeat(n)),
    ("search path", |n| format!("SET search_path = {}a;\n{}", each(n, "s#, "), each(n, "CREATE TABLE t# (a int);\n"))),
    ("new tables", |n| each(n, "CREATE TABLE t# (id int PRIMARY KEY, a int);\n")),
    ("columns of a new table", |n| format!("CREATE TABLE t (id int{});\n", each(n, ", a# int NOT NULL"))),
    ("checks of a new table", |n| format!("CREATE TABLE t (id int{});\n", each(n, ", a# int CHECK (a# > 0)"))),
    ("REFERENCES of a new table", |n| {
        format!("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int{});\n", each(n, ", a# int REFERENCES p (id)"))
    }),
    ("keys of a new table", |n| format!("CREATE TABLE t (id int{});\n", each(n, ", CONSTRAINT k# UNIQUE (id)"))),
    ("unnamed keys of a new table", |n| format!("CREATE TABLE t (id int{});\n", ", UNIQUE (id)".repeat(n))),
    ("ADD COLUMN", |n| one_table(n, "ALTER TABLE t ADD COLUMN a# int;\n")),
    ("ADD COLUMN of an external table", |n| each(n, "ALTER TABLE t ADD COLUMN a# int;\n")),
    ("ADD COLUMN UNIQUE", |n| one_table(n, "ALTER TABLE t ADD COLUMN a# int UNIQUE;\n")),
    ("ADD COLUMN REFERENCES", |n| one_table(n, "ALTER TABLE t ADD COLUMN a# int REFERENCES t (id);\n")),
    ("ADD COLUMN in one statement", |n| {
        format!("CREATE TABLE t (id int);\nALTER TABLE t ADD COLUMN b int{};\n", each(n, ", ADD COLUMN a# int"))
    }),
    ("ADD and DROP COLUMN", |n| one_table(n, "ALTER TABLE t ADD COLUMN a# int;\nALTER TABLE t DROP COLUMN a#;\n")),
    ("DROP COLUMN", |n| {
        format!("CREATE TABLE t (id int{});\n{}", each(n, ", a# int"), each(n, "ALTER TABLE t DROP COLUMN a#;\n"))
    }),
    ("DROP COLUMN in one statement", |n| {
        format!("CREATE TABLE t (id int{});\nALTER TABLE t DROP COLUMN id{};\n", each(n, ", a# int"), each(n, ", DROP COLUMN a#"))
    }),
    ("CHANGE COLUMN in one statement", |n| {
        let columns = each(n, ", a# int");
        format!("CREATE TABLE t (id int{columns});\nALTER TABLE t CHANGE id i int{};\n", each(n, ", CHANGE a# b# int"))
    }),
    ("ADD VALUE", |n| format!("CREATE TYPE e AS ENUM ('a');\n{}", each(n, "ALTER TYPE e ADD VALUE 'v#';\n"))),
    ("modes in variables", |n| each(n, "SET @m# = @@sql_mode; SET sql_mode = ''; SET sql_mode = @m#;\n")),
    ("allowed findings", |n| one_table(n, "-- migrate: allow drop-column: x\nALTER TABLE t DROP COLUMN a#;\n")),
    ("RENAME COLUMN", |n| one_table(n, "ALTER TABLE t ADD COLUMN a# int;\nALTER TABLE t RENAME COLUMN a# TO b#;\n")),
    ("ALTER COLUMN", |n| {
        format!("CREATE TABLE t (id int{});\n{}", each(n, ", a# int"), each(n, "ALTER TABLE t ALTER COLUMN a# SET NOT NULL;\n"))
    }),
    ("ALTER COLUMN TYPE", |n| {
        format!(
            "CREATE TABLE t (id int{});\n{}",
            each(n, ", a# int"),
            each(n, "ALTER TABLE t ALTER COLUMN a# TYPE bigint;\nALTER TABLE t MODIFY a# bigint;\n")
        )
    }),
    ("CREATE INDEX", |n| one_table(n, "CREATE INDEX i# ON t (id);\n")),
    ("CREATE INDEX of an external table", |n| each(n, "CREATE INDEX i# ON t (id);\n")),
    ("CREATE and DROP INDEX", |n| one_table(n, "CREATE INDEX i# ON t (id);\nDROP INDEX i#;\n")),
    ("CREATE INDEX, then DROP INDEX", |n| one_table(n, "CREATE INDEX i# ON t (id);\n") + &each(n, "DROP INDEX i#;\n")),
    ("ADD CHECK", |n| one_table(n, "ALTER TABLE t ADD CONSTRAINT c# CHECK (id > #);\n")),
    ("ADD CHECK without a name", |n| one_table(n, "ALTER TABLE t ADD CHECK (id > #);\n")),
    ("ADD FOREIGN KEY", |n| one_table(n, "ALTER TABLE t ADD CONSTRAINT c# FOREIGN KEY (id) REFERENCES p# (id);\n")),
    ("ADD FOREIGN KEY to one table", |n| {
        one_table(n, "CREATE TABLE c# (t int);\nALTER TABLE c# ADD CONSTRAINT c# FOREIGN KEY (t) REFERENCES t (id);\n")
    }),
    ("ADD and DROP CONSTRAINT", |n| {
        one_table(n, "ALTER TABLE t ADD CONSTRAINT c# CHECK (id > #);\nALTER TABLE t DROP CONSTRAINT c#;\n")
    }),
    ("REFERENCES", |n| one_table(n, "CREATE TABLE c# (t int REFERENCES t (id));\n")),
    ("a chain of REFERENCES", |n| {
        format!(
            "CREATE TABLE t0 (id int PRIMARY KEY);\n{}",
            chain(n, "CREATE TABLE t# (id int PRIMARY KEY REFERENCES t@ (id));\n")
        )
    }),
    ("RENAME", |n| format!("CREATE TABLE t0 (id int);\n{}", chain(n, "ALTER TABLE t@ RENAME TO t#;\n"))),
    ("RENAME of many tables", |n| each(n, "CREATE TABLE t# (id int);\n") + &each(n, "ALTER TABLE t# RENAME TO u#;\n")),
    ("RENAME of referenced tables", |n| {
        format!(
            "CREATE TABLE t0 (id int PRIMARY KEY);\n{}{}",
            chain(n, "CREATE TABLE t# (id int PRIMARY KEY REFERENCES t@ (id));\n"),
            each(n, "ALTER TABLE t# RENAME TO u#;\n")
        )
    }),
    ("RENAME of external tables", |n| each(n, "ALTER TABLE t# RENAME TO u#;\n")),
    ("DROP TABLE", |n| each(n, "CREATE TABLE t# (id int);\n") + &each(n, "DROP TABLE t#;\n")),
    ("DROP of external tables", |n| each(n, "DROP TABLE t#;\n")),
    ("DROP of referenced tables", |n| {
        format!(
            "CREATE TABLE t0 (id int PRIMARY KEY);\n{}{}",
            chain(n, "CREATE TABLE t# (id int PRIMARY KEY REFERENCES t@ (id));\n"),
            each(n, "DROP TABLE t#;\n")
        )
    }),
    ("DROP of many names", |n| format!("{}DROP TABLE t{};\n", each(n, "CREATE TABLE t# (id int);\n"), each(n, ", t#"))),
    ("DROP CASCADE", |n| {
        format!(
            "CREATE TABLE t0 (id int PRIMARY KEY);\n{}DROP TABLE t0 CASCADE;\n",
            each(n, "CREATE VIEW v# AS SELECT id FROM t0;\n")
        )
    }),
    ("a chain of views", |n| format!("CREATE TABLE v0 (id int);\n{}", chain(n, "CREATE VIEW v# AS SELECT id FROM v@;\n"))),
    ("a chain of views, then DROP CASCADE", |n| {
        format!("CREATE TABLE v0 (id int);\n{}DROP TABLE v0 CASCADE;\n", chain(n, "CREATE VIEW v# AS SELECT id FROM v@;\n"))
    }),
    ("CREATE OR REPLACE VIEW", |n| one_table(n, "CREATE OR REPLACE VIEW v AS SELECT id FROM t;\n")),
    ("functions", |n| each(n, "CREATE FUNCTION f#() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;\n")),
    ("calls of functions", |n| {
        each(n, "CREATE FUNCTION f#() RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 $$;\n") + &each(n, "SELECT g(), h(1);\n")
    }),
    ("triggers of one table", |n| one_table(n, "CREATE TRIGGER g# BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();\n")),
    ("triggers of many tables", |n| {
        each(n, "CREATE TABLE t# (id int);\nCREATE TRIGGER g# BEFORE INSERT ON t# FOR EACH ROW EXECUTE FUNCTION f();\n")
    }),
    ("DROP TRIGGER", |n| {
        one_table(n, "CREATE TRIGGER g# BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();\n")
            + &each(n, "DROP TRIGGER g# ON t;\n")
    }),
    ("an enum", |n| format!("CREATE TYPE e AS ENUM ('a'{});\n", each(n, ", 'b#'"))),
    ("ADD VALUE", |n| format!("CREATE TYPE e AS ENUM ('a');\n{}", each(n, "ALTER TYPE e ADD VALUE 'b#';\n"))),
    ("RENAME VALUE", |n| {
        format!("CREATE TYPE e AS ENUM ('a'{});\n{}", each(n, ", 'b#'"), each(n, "ALTER TYPE e RENAME VALUE 'b#' TO 'c#';\n"))
    }),
    ("RENAME of types", |n| each(n, "CREATE TYPE e# AS ENUM ('a');\nALTER TYPE e# RENAME TO f#;\n")),
    ("domains", |n| format!("CREATE DOMAIN d0 AS int;\n{}", chain(n, "CREATE DOMAIN d# AS d@;\n"))),
    ("columns of a chain of domains", |n| {
        format!(
            "CREATE DOMAIN d0 AS int;\n{}{}",
            chain(n, "CREATE DOMAIN d# AS d@;\n"),
            each(n, "ALTER TABLE t ADD COLUMN a# d#;\n")
        )
    }),
    ("sequences", |n| one_table(n, "CREATE SEQUENCE s# OWNED BY t.id;\n")),
    ("policies", |n| one_table(n, "CREATE POLICY p# ON t USING (id > #);\n")),
    ("partitions", |n| {
        format!(
            "CREATE TABLE t (id int) PARTITION BY RANGE (id);\n{}",
            each(n, "CREATE TABLE t# PARTITION OF t FOR VALUES FROM (#) TO (#);\n")
        )
    }),
    ("ATTACH and DETACH", |n| {
        format!(
            "CREATE TABLE t (id int) PARTITION BY RANGE (id);\n{}{}",
            each(n, "CREATE TABLE t# (id int);\nALTER TABLE t ATTACH PARTITION t# FOR VALUES FROM (#) TO (#);\n"),
            each(n, "ALTER TABLE t DETACH PARTITION t#;\n")
        )
    }),
    ("views of one column, then ALTER TYPE", |n| {
        one_table(n, "CREATE VIEW v# AS SELECT id FROM t;\n") + &each(n, "ALTER TABLE t ALTER id TYPE bigint;\n")
    }),
    ("views of one table, then RENAME", |n| {
        one_table(n, "CREATE VIEW v# AS SELECT id FROM t;\n")
            + &"ALTER TABLE t RENAME TO u;\nALTER TABLE u RENAME TO t;\n".repeat(n)
    }),
    ("a chain of INHERITS, then TRUNCATE", |n| {
        format!(
            "CREATE TABLE t0 (id int);\n{}{}",
            chain(n, "CREATE TABLE t# (a# int) INHERITS (t@);\n"),
            "TRUNCATE t0;\n".repeat(n)
        )
    }),
    ("a chain of LIKE", |n| {
        format!("CREATE TABLE t0 (id int);\n{}", chain(n, "CREATE TABLE t# (LIKE t@ INCLUDING ALL, a# int);\n"))
    }),
    ("search path, then ALTER", |n| {
        format!("SET search_path = {}a;\n{}", each(n, "s#, "), each(n, "ALTER TABLE t ADD a# int;\n"))
    }),
    ("partitions, then CREATE INDEX", |n| {
        format!(
            "CREATE TABLE t (id int) PARTITION BY RANGE (id);\n{}{}",
            each(n, "CREATE TABLE t# PARTITION OF t FOR VALUES FROM (#) TO (#);\n"),
            each(n, "CREATE INDEX i# ON t (id);\n")
        )
    }),
    ("DROP in one DO", |n| format!("DO $$ BEGIN {} END $$;\n", each(n, "DROP TABLE t#; "))),
    ("EXECUTE in one DO", |n| format!("DO $$ BEGIN {} END $$;\n", each(n, "EXECUTE 'ALTER TABLE t ADD a# int'; "))),
    ("DELETE in many CTEs", |n| format!("WITH a AS (SELECT 1){} SELECT 1;\n", each(n, ", c# AS (DELETE FROM t# RETURNING *)"))),
    ("TYPE and SET NOT NULL in one statement", |n| {
        format!(
            "CREATE TABLE t (id int{});\nALTER TABLE t ADD b int{};\n",
            each(n, ", a# int"),
            each(n, ", ALTER a# TYPE bigint, ALTER a# SET NOT NULL")
        )
    }),
    ("ADD INDEX in one statement", |n| one_table(1, &format!("ALTER TABLE t ADD b int{};\n", each(n, ", ADD INDEX i# (id)")))),
    ("indexes of all columns, then DROP COLUMN", |n| {
        format!(
            "CREATE TABLE t (id int{});\n{}{}",
            each(n, ", a# int"),
            each(n, "CREATE INDEX i# ON t (a#);\n"),
            each(n, "ALTER TABLE t DROP COLUMN a#;\n")
        )
    }),
    ("SET SCHEMA", |n| {
        format!(
            "CREATE TABLE s0.t (id int);\n{}{}",
            each(n, "CREATE INDEX i# ON s0.t (id);\n"),
            chain(n, "ALTER TABLE s@.t SET SCHEMA s#;\n")
        )
    }),
    ("RENAME TABLE of many tables", |n| {
        format!("{}RENAME TABLE x TO y{};\n", each(n, "CREATE TABLE t# (id int);\n"), each(n, ", t# TO u#"))
    }),
    ("nested IF of sql_mode", |n| format!("SET sql_mode = {}''{};\n", "IF(1, ".repeat(n), ", '')".repeat(n))),
    ("nested REPLACE of sql_mode", |n| format!("SET sql_mode = {}''{};\n", "REPLACE(".repeat(n), ", 'a', '')".repeat(n))),
    ("tables of one type, then RENAME of the type", |n| {
        format!(
            "CREATE TYPE e AS ENUM ('a');\n{}{}",
            each(n, "CREATE TABLE t# (a e);\n"),
            "ALTER TYPE e RENAME TO f;\nALTER TYPE f RENAME TO e;\n".repeat(n)
        )
    }),
    ("foreign keys of one transaction", |n| {
        format!("BEGIN;\n{}COMMIT;\n", each(n, "ALTER TABLE t# ADD FOREIGN KEY (a) REFERENCES p# (id);\n"))
    }),
    ("INHERITS", |n| one_table(n, "CREATE TABLE c# () INHERITS (t);\n")),
    ("schemas", |n| each(n, "CREATE SCHEMA s#;\nCREATE TABLE s#.t (id int);\n")),
    ("DROP SCHEMA", |n| each(n, "CREATE SCHEMA s#;\nCREATE TABLE s#.t (id int);\nDROP SCHEMA s# CASCADE;\n")),
    ("temporary tables", |n| each(n, "CREATE TEMPORARY TABLE t# (id int);\n")),
    ("grants", |n| one_table(n, "GRANT SELECT ON t TO r#;\nREVOKE SELECT ON t FROM r#;\n")),
    ("COMMENT ON", |n| one_table(n, "COMMENT ON COLUMN t.id IS 'a #';\n")),
    ("INSERT", |n| one_table(n, "INSERT INTO t (id) VALUES (#);\n")),
    ("INSERT of many rows", |n| one_table(1, &format!("INSERT INTO t (id) VALUES (0){};\n", ", (1)".repeat(n)))),
    ("UPDATE", |n| one_table(n, "UPDATE t SET a = 1 WHERE id = #;\n")),
    ("UPDATE of many columns", |n| {
        format!("CREATE TABLE t (id int{});\nUPDATE t SET id = 1{};\n", each(n, ", a# int"), each(n, ", a# = 1"))
    }),
    ("DELETE", |n| one_table(n, "DELETE FROM t WHERE id = #;\n")),
    ("TRUNCATE", |n| one_table(n, "TRUNCATE t;\nINSERT INTO t VALUES (1);\n")),
    ("TRUNCATE CASCADE", |n| {
        format!(
            "CREATE TABLE t0 (id int PRIMARY KEY);\n{}TRUNCATE t0 CASCADE;\n",
            chain(n, "CREATE TABLE t# (id int PRIMARY KEY REFERENCES t@ (id));\n")
        )
    }),
    ("COPY", |n| format!("COPY t FROM stdin;\n{}\\.\n", each(n, "#\n"))),
    ("COPY of one row", |n| "COPY t FROM stdin;\n1\n\\.\n".repeat(n)),
    ("locks", |n| each(n, "LOCK TABLE t#;\n")),
    ("locks of one transaction", |n| format!("BEGIN;\n{}COMMIT;\n", each(n, "ALTER TABLE t# ADD COLUMN a int;\n"))),
    ("allow comments", |n| each(n, "-- migrate: allow drop-table: #\nDROP TABLE t#;\n")),
    ("DO blocks", |n| each(n, "DO $$ BEGIN IF x THEN ALTER TABLE t ADD COLUMN a# int; END IF; END $$;\n")),
    ("branches of one DO", |n| {
        format!(
            "CREATE TABLE t (id int);\nDO $$ BEGIN {} END $$;\n",
            each(n, "IF x THEN ALTER TABLE t ADD COLUMN a# int; END IF; ")
        )
    }),
    ("EXECUTE", |n| each(n, "DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN a# int'; END $$;\n")),
    ("prepared statements", |n| each(n, "PREPARE p# FROM 'SELECT 1';\nEXECUTE p#;\nDEALLOCATE PREPARE p#;\n")),
    ("routines of MySQL", |n| each(n, "CREATE PROCEDURE p#() BEGIN SELECT 1; IF 1 THEN SELECT 2; END IF; END;\n")),
    ("unknown statements", |n| each(n, "FROBNICATE t#;\n")),
    ("pragmas", |n| "PRAGMA foreign_keys = OFF;\nPRAGMA foreign_keys = ON;\n".repeat(n)),
    ("rebuilds", |n| {
        each(n, "CREATE TABLE n# (id int);\nINSERT INTO n# SELECT id FROM t#;\nDROP TABLE t#;\nALTER TABLE n# RENAME TO t#;\n")
    }),
];

/// Many actions in one `ALTER TABLE`, and many statements about objects that no migration creates.
const LISTS: &[Case] = &[
    ("FOREIGN KEY in one statement", |n| in_one(n, ", a# int", "ADD CONSTRAINT k# FOREIGN KEY (a#) REFERENCES p (id)")),
    ("FOREIGN KEY of one column in one statement", |n| in_one(n, "", "ADD FOREIGN KEY (id) REFERENCES p (id)")),
    ("CHECK in one statement", |n| in_one(n, "", "ADD CHECK (id > #)")),
    ("UNIQUE in one statement", |n| in_one(n, "", "ADD CONSTRAINT k# UNIQUE (id)")),
    ("VALIDATE in one statement", |n| in_one(n, ", CONSTRAINT k# CHECK (id > #)", "VALIDATE CONSTRAINT k#")),
    ("DROP CONSTRAINT in one statement", |n| in_one(n, ", CONSTRAINT k# CHECK (id > #)", "DROP CONSTRAINT k#")),
    ("DROP of unique keys in one statement", |n| in_one(n, ", CONSTRAINT k# UNIQUE (id)", "DROP CONSTRAINT k#")),
    ("DROP COLUMN CASCADE in one statement", |n| in_one(n, ", a# int", "DROP COLUMN a# CASCADE")),
    ("TYPE of foreign keys in one statement", |n| in_one(n, ", a# int REFERENCES p (id)", "ALTER a# TYPE bigint")),
    ("DROP and ADD COLUMN in one statement", |n| in_one(n, ", a# int", "DROP a#, ADD a# int")),
    ("DROP KEY in one statement", |n| in_one(n, ", a# int, KEY k# (a#)", "DROP KEY k#")),
    ("DROP FOREIGN KEY in one statement", |n| {
        in_one(n, ", a# int, CONSTRAINT k# FOREIGN KEY (a#) REFERENCES p (id)", "DROP FOREIGN KEY k#")
    }),
    ("MODIFY of indexed columns in one statement", |n| in_one(n, ", a# int, KEY k# (a#)", "MODIFY a# bigint NOT NULL")),
    ("RENAME COLUMN in one statement", |n| in_one(n, ", a# int", "RENAME COLUMN a# TO b#")),
    ("RENAME KEY in one statement", |n| in_one(n, ", a# int, KEY k# (a#)", "RENAME KEY k# TO l#")),
    ("IF NOT EXISTS in many DO", |n| {
        one_table(n, "DO $$ BEGIN IF NOT EXISTS (SELECT 1) THEN ALTER TABLE t ADD a# int; END IF; END $$;\n")
    }),
    ("EXECUTE with quotes in one DO", |n| {
        format!("DO $$ BEGIN {} END $$;\n", each(n, "EXECUTE 'ALTER TABLE t ADD a# text DEFAULT ''x'''; "))
    }),
    ("ELSIF in one DO", |n| {
        let branches = each(n, "ELSIF x = # THEN ALTER TABLE t ADD COLUMN a# int; ");
        format!("DO $$ DECLARE x int; BEGIN IF x = 0 THEN NULL; {branches} END IF; END $$;\n")
    }),
    ("variables in one SET", |n| format!("SET @a0 = 1{};\n", chain(n, ", @a# = @a@ + #"))),
    ("FOREIGN KEY of many columns", |n| {
        let columns = each(n, ", a#");
        format!(
            "CREATE TABLE p (id int{types}, PRIMARY KEY (id{columns}));\n\
             CREATE TABLE t (id int{types}, FOREIGN KEY (id{columns}) REFERENCES p (id{columns}));\n",
            types = each(n, ", a# int")
        )
    }),
    ("ALTER of a table that is missing", |n| each(n, "CREATE TABLE t# (id int);\nALTER TABLE zzz ADD a# int;\n")),
    ("DROP VIEW of external views", |n| each(n, "DROP VIEW v#;\n")),
    ("DROP TYPE of external types", |n| each(n, "DROP TYPE e#;\n")),
    ("DROP INDEX of external indexes", |n| each(n, "DROP INDEX i#;\n")),
    ("DROP FUNCTION of external functions", |n| each(n, "DROP FUNCTION f#;\n")),
    ("RENAME of external types", |n| each(n, "ALTER TYPE e# RENAME TO f#;\n")),
    ("RENAME of sequences", |n| each(n, "CREATE SEQUENCE s#;\n") + &each(n, "ALTER SEQUENCE s# RENAME TO r#;\n")),
    ("RENAME of schemas", |n| {
        each(n, "CREATE SCHEMA s#;\nCREATE TABLE s#.t (id int);\n") + &each(n, "ALTER SCHEMA s# RENAME TO r#;\n")
    }),
    ("schemas, then DROP SCHEMA", |n| each(n, "CREATE SCHEMA s#;\n") + &each(n, "DROP SCHEMA s#;\n")),
    ("REVOKE", |n| each(n, "CREATE TABLE t# (id int);\n") + &each(n, "REVOKE SELECT ON t# FROM x;\n")),
    ("rebuilt tables", |n| {
        each(n, "CREATE TABLE t# (id int);\n")
            + &each(
                n,
                "CREATE TABLE n# (id int); INSERT INTO n# SELECT id FROM t#; DROP TABLE t#; ALTER TABLE n# RENAME TO t#;\n",
            )
    }),
    ("indexes of one column with CONCURRENTLY", |n| {
        format!("-- migrate: no-transaction\n{}", one_table(n, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i# ON t (id);\n"))
    }),
];

/// A table with many parts, and one statement with an action for each.
fn in_one(count: usize, part: &str, action: &str) -> String {
    let actions: Vec<String> = (1..=count).map(|number| action.replace('#', &number.to_string())).collect();
    format!("CREATE TABLE t (id int{});\nALTER TABLE t {};\n", each(count, part), actions.join(", "))
}

/// The same statements, each as a migration; N of them are a tenth of the others, because each is a file.
const MIGRATIONS: &[Case] = &[
    ("migrations: new tables", |_| "CREATE TABLE t# (id int PRIMARY KEY);\n".to_owned()),
    ("migrations: ADD COLUMN", |_| "ALTER TABLE t ADD COLUMN a# int;\n".to_owned()),
    ("migrations: CREATE INDEX", |_| "CREATE INDEX i# ON t (id);\n".to_owned()),
    ("migrations: DROP INDEX", |_| "DROP INDEX i#;\n".to_owned()),
    ("migrations: REFERENCES", |_| "CREATE TABLE c# (t int REFERENCES t0001 (id));\n".to_owned()),
    ("migrations: the same", |_| "SELECT 1;\n".to_owned()),
    ("migrations: COMMIT", |_| "COMMIT;\n".to_owned()),
];

/// A text with each of the numbers from 1 in the place of `#`.
fn each(count: usize, text: &str) -> String {
    (1..=count).map(|number| text.replace('#', &number.to_string())).collect()
}

/// The same, with the number before in the place of `@`.
fn chain(count: usize, text: &str) -> String {
    let line = |number: usize| text.replace('#', &number.to_string()).replace('@', &(number - 1).to_string());
    (1..=count).map(line).collect()
}

fn one_table(count: usize, text: &str) -> String {
    format!("CREATE TABLE t (id int PRIMARY KEY);\n{}", each(count, text))
}

/// The time and the most memory of a run, or why it has none.
enum Figure {
    Measured { time: Duration, memory: usize },
    TooLong,
    Aborted,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let binary = arguments.iter().find_map(|argument| argument.strip_prefix("--command=")).map_or_else(command, PathBuf::from);
    let count = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(COUNT);
    let names: Vec<&String> =
        arguments.iter().filter(|argument| argument.parse::<usize>().is_err() && !argument.starts_with("--")).collect();
    let (kinds, names): (Vec<&String>, Vec<&String>) =
        names.into_iter().partition(|name| Kind::ALL.iter().any(|kind| kind.dialect().name() == name.as_str()));
    println!(
        "{:44} {:9} {:>8} {:>8} {:>6} {:>8} {:>8} {:>6}",
        "lint --all", "dialect", "N ms", "2N ms", "ratio", "N MB", "2N MB", "ratio"
    );
    for (name, text) in TOKENS.iter().chain(STATEMENTS).chain(LISTS).chain(MIGRATIONS) {
        if !names.is_empty() && names.iter().all(|part| !name.contains(part.as_str())) {
            continue;
        }
        for kind in Kind::ALL {
            let dialect = kind.dialect().name();
            if kinds.is_empty() || kinds.iter().any(|kind| kind.as_str() == dialect) {
                let [small, large] = [count, 2 * count].map(|count| measure(&binary, dialect, name, &text(count), count));
                print_row(name, dialect, &small, &large);
            }
        }
    }
}

fn print_row(name: &str, dialect: &str, small: &Figure, large: &Figure) {
    let time = |figure: &Figure| match figure {
        Figure::Measured { time, .. } => time.as_millis().to_string(),
        Figure::TooLong => "too long".to_owned(),
        Figure::Aborted => "aborted".to_owned(),
    };
    let memory = |figure: &Figure| match figure {
        Figure::Measured { memory, .. } => (memory / 1024).to_string(),
        _ => "-".to_owned(),
    };
    let (time_ratio, memory_ratio) = match (small, large) {
        (Figure::Measured { time, memory }, Figure::Measured { time: time_2, memory: memory_2 }) => {
            let memory_ratio = *memory_2 as f64 / (*memory).max(1) as f64;
            (format!("{:.1}", time_2.as_secs_f64() / time.as_secs_f64()), format!("{memory_ratio:.1}"))
        }
        _ => ("-".to_owned(), "-".to_owned()),
    };
    println!(
        "{name:44} {dialect:9} {:>8} {:>8} {time_ratio:>6} {:>8} {:>8} {memory_ratio:>6}",
        time(small),
        time(large),
        memory(small),
        memory(large)
    );
}

/// Lints a folder with the text as its only migration, or with as many migrations as it asks for.
fn measure(binary: &Path, dialect: &str, name: &str, text: &str, count: usize) -> Figure {
    let folder = TestFolder::new(&[]);
    folder.write(
        "migrate.toml",
        &format!("service = \"bench\"\ndatabase = \"{dialect}\"\nlint = \"off\"\nout-of-order = \"allow\"\n"),
    );
    if name.starts_with("migrations:") {
        for number in 1..=count / 10 {
            folder.write(&format!("migrations/{number:05}_t.up.sql"), &text.replace('#', &format!("{number:04}")));
        }
    } else {
        folder.write("migrations/001_t.up.sql", text);
    }
    let limited = format!("ulimit -v {MEMORY_LIMIT_KB}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).arg(binary).args(["lint", "--all", "--offline"]).current_dir(folder.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command");
    follow(child)
}

/// Waits for a process and reads meanwhile how much memory it has used at most.
fn follow(mut child: Child) -> Figure {
    let status = format!("/proc/{}/status", child.id());
    let start = Instant::now();
    let mut memory = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next());
        memory = peak.and_then(|peak| peak.parse().ok()).unwrap_or(0).max(memory);
        if let Some(exit) = child.try_wait().expect("the command") {
            let is_finished = exit.code().is_some_and(|code| code < 100);
            return if is_finished { Figure::Measured { time: start.elapsed(), memory } } else { Figure::Aborted };
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("the command");
            child.wait().expect("the command");
            return Figure::TooLong;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
