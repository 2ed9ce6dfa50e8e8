//! The rule `create-table-fk-locks-parent`.

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
        "create-table-fk-locks-parent",
        "`CREATE TABLE ... REFERENCES parent` takes SHARE ROW EXCLUSIVE on the parent until the end of the \
         transaction: writes to it wait, and if a long transaction has written to it, this waits first, with all \
         later writers behind it. It is over in a moment as long as nothing else happens in the transaction; this \
         tool waits with a short time limit and tries again.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE t (a int);\nALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE t (a int);\nALTER TABLE t ADD COLUMN u_id int REFERENCES u (id);",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t (id));"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::ParentOfNew),
        |impact| format!("a new table that refers to `{}` stops writes to it for a moment", impact.table),
    );
    findings.all.extend(found);
}
