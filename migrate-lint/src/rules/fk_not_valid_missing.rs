//! The rule `fk-not-valid-missing`.

use crate::context::StatementContext;
use crate::impact::{Cause, Impact};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags foreign keys that are added to an existing table without `NOT VALID`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-not-valid-missing",
        "`ADD FOREIGN KEY` acquires SHARE ROW EXCLUSIVE locks on both tables and scans the referencing table to \
         check every row. During this scan, writes to both tables are blocked. With `NOT VALID`, PostgreSQL holds \
         the locks only briefly and checks only new and changed rows. `VALIDATE CONSTRAINT` checks the existing rows \
         later, and allows reads and writes during the check.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add the foreign key with `NOT VALID`, and run `VALIDATE CONSTRAINT` in the next migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "DO $$ BEGIN ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id); EXCEPTION WHEN duplicate_object THEN null; END $$;",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1);",
            "CREATE TABLE t (a int);\nINSERT INTO t SELECT id FROM u;\nALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE t (a int);\nALTER TABLE ONLY public.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let message =
        |impact: &Impact| format!("adding a foreign key blocks writes to `{}` while every row is checked", impact.table);
    let needs_each_partition = context.alters_partitioned() && !context.server().is_at_least(18, 0);
    let foreign_keys = context.findings_for(|cause| *cause == Cause::ForeignKey, message).into_iter();
    findings.all.extend(foreign_keys.map(|finding| {
        if needs_each_partition {
            finding
                .at_most(Level::Warning)
                .note("partitioned tables support `NOT VALID` foreign keys only since PostgreSQL 18")
                .fix("add the foreign key to each partition with `NOT VALID` first, and validate it there in the next migration")
        } else {
            finding
        }
    }));
}
