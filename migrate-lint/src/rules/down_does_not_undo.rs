//! The rule `down-does-not-undo`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::FileScene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "down-does-not-undo",
        "Simulated one after the other, the way up and the way down leave the schema otherwise than it was. Whoever \
         reverts the release and applies it again later meets an error, or a schema that nobody has tested.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "undo in the way down each thing that the way up does, in the opposite order",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a);",
            "DROP INDEX i;\n--- down\nCREATE INDEX i ON t (a);",
        ]),
        postgres(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT f REFERENCES p (id) ON DELETE CASCADE);",
            "ALTER TABLE t DROP CONSTRAINT f;\n--- down\nALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id);",
        ]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t;",
            "DROP VIEW v;\n--- down\nCREATE VIEW v AS SELECT a, b FROM t;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);\n--- down\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int, ADD c int;\n--- down\nALTER TABLE t DROP b;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "DROP INDEX i;\n--- down\nSELECT 1;"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;\n--- down\nSELECT 1;"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "ALTER TABLE t ALTER a TYPE bigint;\n--- down\nALTER TABLE t ALTER a TYPE smallint;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (a int NOT NULL);",
            "CREATE UNIQUE INDEX u ON t (a); ALTER TABLE t ADD CONSTRAINT tu UNIQUE USING INDEX u;\n--- down\nALTER TABLE t DROP CONSTRAINT tu;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a) WHERE b > 0; CREATE VIEW v AS SELECT a FROM t;",
            "DROP VIEW v; DROP INDEX i;\n--- down\nCREATE INDEX i ON t (a) WHERE b > 0; CREATE VIEW v AS SELECT a FROM t;",
        ]),
        postgres(&[
            "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE t (a int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();\n--- down\nDROP TABLE t;",
        ]),
        mysql(&[
            "CREATE TABLE t (a int); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;\n--- down\nDROP TABLE t;",
        ]),
        sqlite(&["CREATE TABLE t (a int); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;\n--- down\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);\n--- down\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;\n--- down\nALTER TABLE t DROP b;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;\n--- down\nALTER TABLE u RENAME TO t;"]),
        postgres(&["DO $$ BEGIN EXECUTE 'x'; END $$;\n--- down\nSELECT 1;"]),
        postgres(&["CREATE TABLE t (a int);", "INSERT INTO t VALUES (1);\n--- down\nDELETE FROM t WHERE a = 1;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';\n--- down\nSELECT 1;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    let Some(down) = scene.down.filter(|down| down.sure && !down.left.is_empty()) else { return };
    let only_data = down.reads.is_empty();
    if !only_data {
        let mut report = Report::new(format!("up and then down does not lead back: {}", down.left[0]));
        for left in &down.left[1..] {
            report = report.note(left.clone());
        }
        reports.add(report);
    }
}
