//! The rule `fk-not-valid-missing`.

use crate::context::StatementContext;
use crate::impact::{Cause, Impact};
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-not-valid-missing",
        "`ADD FOREIGN KEY` takes SHARE ROW EXCLUSIVE on both tables and holds it while every row is looked up in the \
         other table: nobody can write to either. With `NOT VALID` it is over in a moment, new rows are checked from \
         then on, and `VALIDATE CONSTRAINT` looks up the old ones later, while others read and write.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "add it with `NOT VALID`, and write `VALIDATE CONSTRAINT` in the next migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        |impact: &Impact| format!("adding a foreign key stops all writes to `{}` while every row is looked up", impact.table);
    let partitioned = context.alters_partitioned();
    let found = context.findings_for(|cause| *cause == Cause::ForeignKey, message).into_iter();
    // Where it cannot be had, it is not asked for.
    findings.all.extend(found.map(|finding| {
        match partitioned && !context.server().is_at_least(18, 0) {
            true => finding
                .at_most(Level::Warning)
                .note("a partitioned table takes NOT VALID only from PostgreSQL 18")
                .fix("add it to each partition first, with `NOT VALID`, and validate it there in the next migration"),
            false => finding,
        }
    }));
}
