//! The rule `drop-fk-locks-parent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-fk-locks-parent",
        "A table or constraint that is dropped takes ACCESS EXCLUSIVE not only on its own table, but also on each \
         table that its foreign keys lead to. Readers of those tables wait as well.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "drop foreign keys to busy tables first, one in each migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int CONSTRAINT f REFERENCES u (id));",
            "ALTER TABLE t DROP CONSTRAINT f;",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));",
            "-- migrate: phase contract\nDROP TABLE t;",
        ]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (id int CONSTRAINT k CHECK (id > 0));", "ALTER TABLE t DROP CONSTRAINT k;"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::ParentOfDropped),
        |impact| format!("with the foreign key goes a lock on `{}` that stops every query for a moment", impact.table),
    );
    findings.all.extend(found);
}
