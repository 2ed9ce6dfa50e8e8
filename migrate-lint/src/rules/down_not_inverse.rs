//! The rule `down-not-inverse`.

use crate::context::FileContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags down migrations that do not restore the schema from before the up migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "down-not-inverse",
        "Applying the up migration and then the down migration does not restore the original schema. The linter \
         simulates both migrations and compares the result with the original schema. After a revert, the next `cargo \
         migrate up` can fail, or the application runs on a schema that was never tested. The rule does not compare \
         data. It does not report enum values that remain after the down migration, because PostgreSQL cannot remove \
         enum values.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "in the down migration, revert each change of the up migration, in reverse order",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int, ADD c int;\n--- down\nALTER TABLE t DROP b;"]),
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
        sqlite(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "DROP INDEX i;\n--- down\nSELECT 1;"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;\n--- down\nSELECT 1;"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "ALTER TABLE t ALTER a TYPE bigint;\n--- down\nALTER TABLE t ALTER a TYPE smallint;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;\n--- down\nALTER TABLE t DROP b;"]),
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
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;\n--- down\nALTER TABLE u RENAME TO t;"]),
        postgres(&["DO $$ BEGIN EXECUTE 'x'; END $$;\n--- down\nSELECT 1;"]),
        postgres(&["CREATE TABLE t (a int);", "INSERT INTO t VALUES (1);\n--- down\nDELETE FROM t WHERE a = 1;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';\n--- down\nSELECT 1;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let Some(down) = context.down.filter(|down| down.fully_parsed && !down.leftovers.is_empty()) else { return };
    if down.statements.is_empty() {
        return;
    }
    let message = format!("the down migration does not reverse the up migration: {}", down.leftovers[0]);
    let mut finding = RuleFinding::new(message);
    for leftover in &down.leftovers[1..] {
        finding = finding.note(leftover.clone());
    }
    findings.add(finding);
}
